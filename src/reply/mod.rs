//! Replies to messages: [`Reply`] and its XML.
//!
//! WeChat calls it the passive reply (被动回复): the answer to a delivery in the body of the HTTP response, not a call
//! of the customer-service API. `MessageService` addresses, renders and sends the reply that a handler returns. Without
//! that service, use [`Reply::render`]:
//!
//! ```
//! use tower_wechat::{Timestamp, reply::{Addressing, Reply}};
//!
//! let reply = Reply::text("a ]]> b");
//! let addressing = Addressing::new("the-openid", "gh_the_account");
//! let rendered = reply.render(&addressing, Timestamp::from_secs(1_700_000_000))?;
//! assert_eq!(rendered.content_type(), "application/xml");
//! assert_eq!(
//!     rendered.body(),
//!     concat!(
//!         "<xml>",
//!         "<ToUserName><![CDATA[the-openid]]></ToUserName>",
//!         "<FromUserName><![CDATA[gh_the_account]]></FromUserName>",
//!         "<CreateTime>1700000000</CreateTime>",
//!         "<MsgType><![CDATA[text]]></MsgType>",
//!         "<Content><![CDATA[a ]]]]><![CDATA[> b]]></Content>",
//!         "</xml>",
//!     ),
//! );
//! # Ok::<(), tower_wechat::reply::Error>(())
//! ```
//!
//! # Types
//!
//! | constructor | the user sees | MsgType |
//! |---|---|---|
//! | [`Reply::success`] | nothing | |
//! | [`Reply::text`] | a text | `text` |
//! | [`Reply::image`] | a picture | `image` |
//! | [`Reply::voice`] | a voice message | `voice` |
//! | [`Reply::video`] with [`Video`] | a video with its title and description | `video` |
//! | [`Reply::music`] with [`Music`] | a music card | `music` |
//! | [`Reply::news`] with [`Article`]s | articles with pictures, each a link | `news` |
//! | [`Reply::transfer_customer_service`], [`…_to`](Reply::transfer_customer_service_to) | nothing yet: an agent takes over | `transfer_customer_service` |
//! | [`Reply::update_button`] | WeCom: the tapped button has another name | `update_button` |
//! | [`Reply::template_card`] | WeCom: the tapped card is another; a smart bot: a card | `update_template_card` |
//! | [`Reply::custom`], [`XpayAnswer`] | nothing: a custom answer to a product | |
//!
//! An upload to the account's material, temporary or permanent, returns a MediaId. The MediaId of a received message is
//! temporary material too.
//!
//! # Limits
//!
//! If WeChat refuses a reply, it does not tell the server. The user sees the fault text in the chat:
//! 该公众号提供的服务出现故障 (the service of this account is out of order). So a reply that WeChat is known to refuse, to
//! cut short or to show as nothing is an [`Error`] here. Only a long text is not an error:
//!
//! | reply | limit |
//! |---|---|
//! | text | not only white space; at most 2047 bytes of UTF-8, about 680 Chinese characters: a longer one is [cut](#long-texts) |
//! | image, voice, video | a MediaId that is not empty |
//! | another name for a button | not only white space |
//! | music | a `ThumbMediaId` that is not empty |
//! | news | a title for each article that is not only white space; at least one article; at most one in answer to a message, eight in answer to an event or to anything of WeCom's |
//! | transfer to an agent | a `KfAccount` that is not empty |
//! | every reply but `success` and a custom answer | a receiver and a sender that are not empty |
//!
//! A [smart bot](crate::message::smart_bot#replies) of WeCom has limits of its own.
//!
//! WeChat does not document the 2047 bytes; accounts report them. Its page on passive replies says that it drops
//! articles over the limit, so the developer would not notice. The limit of articles depends on the message that is
//! answered. So [`Reply::check`] allows eight, and [`Reply::render`] applies the limit of [`Addressing::answering`].
//!
//! XML 1.0 cannot write some control characters: all below U+0020 except tab, line feed and carriage return, and U+FFFE
//! and U+FFFF. They are removed from every part of a reply, and do not count.
//!
//! # Long texts
//!
//! [`Reply::text`] takes a text of any length. A passive reply is a single message. So a text of more than 2047 bytes is
//! cut like [`split`] does, and ends in a marker: `…`, or the one that `MessageService::with_cut_marker` sets. The marker
//! counts: text and marker together have at most 2047 bytes. [`Rendered::rest`] returns the rest.
//!
//! `DedupLayer` gives the rest to its sinks for late replies, such as `CustomerService`, once a delivery has got the first
//! part. So the user sees all of the text, in several messages. The module `late` has the details. Without a sink, or
//! without `DedupLayer`, the user sees the first part alone. Then the log has a warning with the number of messages that are
//! not sent.
//!
//! A text that is late goes to the sinks as a whole: `LateReply::reply` returns all of it, and `LateReply::response` the
//! response with its first part.
//!
//! The footer that `MessageService::with_footer` sets stands behind the last text of a reply. It is part of that text: it
//! counts, and it stays whole in the last part.

mod characters;
mod content;
mod custom;
#[cfg(any(feature = "api", feature = "json"))]
mod customer_service;
mod error;
mod into_reply;
mod messages;
mod parts;
mod render;
mod smart_bot;
mod split;
#[cfg(feature = "layers")]
mod stored;

pub use self::{
    custom::XpayAnswer,
    error::{Error, ErrorKind},
    into_reply::{HandlerError, IntoReply},
    parts::{Article, Music, Video},
    render::{Addressing, Rendered},
    split::{Split, split},
};

#[cfg(feature = "simulator")]
pub(crate) use self::characters::is_forbidden;
#[cfg(feature = "api")]
pub(crate) use self::content::TEXT_LIMIT;
#[cfg(feature = "layers")]
pub(crate) use self::custom::err_code;
#[cfg(any(feature = "json", feature = "layers"))]
use self::error::Cause;
use self::{
    characters::written,
    content::{Content, EVENT_ARTICLE_LIMIT, MESSAGE_ARTICLE_LIMIT},
    parts::{Button, Media, TransInfo},
};
#[cfg(feature = "layers")]
pub(crate) use self::{
    render::{CUT_MARKER, JSON, PLAIN, XML, addition, is_silent},
    smart_bot::{partial_stream, stream_id},
};

/// A reply to a message.
///
/// A constructor never fails. [`check`](Self::check) returns an error if WeChat would refuse the reply, and so does
/// rendering.
///
/// The default is [`Reply::success`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// `None` shows nothing.
    first: Option<Content>,
    /// What follows the first message. Empty if there is none.
    then: Vec<Content>,
    tail: Tail,
}

/// The length in bytes of what stays together at the end of the last text: of the footer.
#[derive(Debug, Clone, Copy, Default)]
struct Tail(usize);

/// The user sees the same.
impl PartialEq for Tail {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Tail {}

impl Reply {
    /// Makes the reply that only acknowledges the message; the user sees nothing.
    ///
    /// On the wire it is the word `success`, not a document.
    pub fn success() -> Self {
        Self::default()
    }

    /// Makes a text of any length that is not only white space. A line feed starts a new line in the chat.
    ///
    /// The passive reply shows the first 2047 bytes of UTF-8 at most, see [long texts](self#long-texts).
    /// Characters that XML cannot write are removed, see the [limits](self#limits).
    ///
    /// ```
    /// use tower_wechat::{Reply, reply::ErrorKind};
    ///
    /// assert!(Reply::text("收到").check().is_ok());
    ///
    /// assert!(Reply::text("长".repeat(5000)).check().is_ok());
    ///
    /// let error = Reply::text(" ").check().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::TextEmpty);
    /// ```
    pub fn text(text: impl Into<String>) -> Self {
        Self::of(Content::Text(written(text)))
    }

    /// Makes a picture from its MediaId. WeChat does not accept GIFs here.
    ///
    /// ```
    /// use tower_wechat::Reply;
    ///
    /// assert!(Reply::image("Im4q").check().is_ok());
    /// ```
    pub fn image(media_id: impl Into<String>) -> Self {
        Self::of(Content::Image(Media::new(media_id)))
    }

    /// Makes a voice message from its MediaId.
    ///
    /// ```
    /// use tower_wechat::{Reply, message::VoiceMessage};
    ///
    /// /// Says what the user said.
    /// fn echo(voice: VoiceMessage) -> Reply {
    ///     Reply::voice(voice.media_id)
    /// }
    ///
    /// let mut voice = VoiceMessage::default();
    /// voice.media_id = "Vp3x".to_owned();
    /// assert_eq!(echo(voice), Reply::voice("Vp3x"));
    /// ```
    pub fn voice(media_id: impl Into<String>) -> Self {
        Self::of(Content::Voice(Media::new(media_id)))
    }

    /// Makes a video.
    ///
    /// ```
    /// use tower_wechat::{Reply, reply::Video};
    ///
    /// let reply = Reply::video(Video::new("Vd8k").with_title("The tide, in a minute"));
    /// assert!(reply.check().is_ok());
    /// ```
    pub fn video(video: Video) -> Self {
        Self::of(Content::Video(video))
    }

    /// Makes a music card. WeChat requires its picture, the `ThumbMediaId` of [`Music`], but not the music itself.
    ///
    /// ```
    /// use tower_wechat::{Reply, reply::Music};
    ///
    /// let song = Music::new("Th5m")
    ///     .with_title("Rain on the ferry")
    ///     .with_music_url("https://example.com/ferry.mp3");
    /// assert!(Reply::music(song).check().is_ok());
    /// ```
    pub fn music(music: Music) -> Self {
        Self::of(Content::Music(music))
    }

    /// Makes articles with pictures (图文消息): one in answer to a user's message, up to eight in answer to an event, such
    /// as a click on a menu entry.
    ///
    /// ```
    /// use tower_wechat::{
    ///     Reply, Timestamp,
    ///     message::Head,
    ///     reply::{Addressing, Article, ErrorKind},
    /// };
    ///
    /// let article = |day: &str| {
    ///     Article::new(
    ///         format!("Tides on {day}"),
    ///         "High and low water in the harbour",
    ///         "https://example.com/tide.png",
    ///         format!("https://example.com/tides/{day}"),
    ///     )
    /// };
    /// let week_end = Reply::news(["Saturday", "Sunday"].map(article));
    ///
    /// let now = Timestamp::from_secs(1_700_000_000);
    /// let names = "<ToUserName>gh_tides</ToUserName><FromUserName>oReader</FromUserName>";
    /// let click = format!("<xml>{names}<MsgType>event</MsgType><Event>CLICK</Event></xml>");
    /// let click = Head::read(click.as_bytes())?;
    /// let answer = week_end.render(&Addressing::answering(&click), now)?;
    /// assert!(answer.body().contains("<ArticleCount>2</ArticleCount>"));
    ///
    /// let text = format!("<xml>{names}<MsgType>text</MsgType><Content>tides?</Content></xml>");
    /// let text = Head::read(text.as_bytes())?;
    /// let error = week_end.render(&Addressing::answering(&text), now).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::ArticleCount);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn news(articles: impl IntoIterator<Item = Article>) -> Self {
        Self::of(Content::News(articles.into_iter().collect()))
    }

    /// Makes the reply that transfers the message to any free customer-service agent (客服) of the account.
    ///
    /// ```
    /// use tower_wechat::{Message, Reply};
    ///
    /// fn answer(message: &Message) -> Reply {
    ///     match message {
    ///         Message::Text(text) if text.content == "人工" => Reply::transfer_customer_service(),
    ///         _ => Reply::success(),
    ///     }
    /// }
    /// # let _ = answer;
    /// ```
    pub fn transfer_customer_service() -> Self {
        Self::of(Content::TransferCustomerService(None))
    }

    /// Makes the reply that transfers the message to one customer-service agent.
    ///
    /// `kf_account` is the whole `KfAccount`: the agent, `@`, and the account.
    ///
    /// ```
    /// use tower_wechat::Reply;
    ///
    /// assert!(Reply::transfer_customer_service_to("night-shift@tides").check().is_ok());
    /// ```
    pub fn transfer_customer_service_to(kf_account: impl Into<String>) -> Self {
        let agent = TransInfo::new(kf_account);
        Self::of(Content::TransferCustomerService(Some(agent)))
    }

    /// Makes the reply that renames the button of the card that a member of a WeCom corporation has tapped.
    ///
    /// It answers a [`TemplateCardEvent`](crate::message::event::TemplateCardEvent) only. The button then takes no more
    /// taps.
    ///
    /// ```
    /// use tower_wechat::Reply;
    ///
    /// assert!(Reply::update_button("Approved").check().is_ok());
    /// ```
    pub fn update_button(replace_name: impl Into<String>) -> Self {
        Self::of(Content::UpdateButton(Button {
            replace_name: written(replace_name),
        }))
    }

    /// Adds another reply, which the user sees after this one.
    ///
    /// A passive reply is a single message: the first. The layer that has [sinks for late
    /// replies](crate::dedup::DedupBuilder::with_late_replies) sends the others, in order. Without a sink they are not sent,
    /// and the log has a warning.
    ///
    /// A [custom](Self::custom) answer cannot be combined. If `self` or `next` is one, `then` returns `self` and drops
    /// `next`. But [`success`](Self::success) followed by it is the answer.
    ///
    /// ```
    /// use tower_wechat::Reply;
    ///
    /// let reply = Reply::text("The tide today:").then(Reply::image("Im4q"));
    /// assert_eq!(reply.messages().count(), 2);
    /// assert_eq!(Reply::success().then("hi"), Reply::text("hi"));
    /// ```
    #[must_use]
    pub fn then(mut self, next: impl Into<Self>) -> Self {
        let next = next.into();
        if self.first.is_none() {
            return next;
        }
        if next.first.is_none() || self.is_custom() || next.is_custom() {
            return self;
        }
        self.then.extend(next.first.into_iter().chain(next.then));
        self.tail = next.tail;
        self
    }

    /// Returns each message of the reply as a reply of its own: none for [`Reply::success`], several after
    /// [`then`](Self::then). A text may be longer than one message can be.
    pub fn messages(&self) -> impl Iterator<Item = Reply> {
        self.contents().cloned().map(Self::of)
    }

    /// Returns whether this is [`Reply::success`], which shows nothing in the chat.
    pub fn is_success(&self) -> bool {
        self.first.is_none()
    }

    /// Returns the text, if the reply is a single [text](Self::text). The characters that XML cannot write are not in it.
    ///
    /// ```
    /// use tower_wechat::Reply;
    ///
    /// assert_eq!(Reply::text("涨潮了").as_text(), Some("涨潮了"));
    /// assert_eq!(Reply::image("Im4q").as_text(), None);
    /// ```
    pub fn as_text(&self) -> Option<&str> {
        match &self.first {
            Some(Content::Text(text)) if self.then.is_empty() => Some(text),
            _ => None,
        }
    }

    /// Checks the [limits](self#limits) that do not depend on the message that the reply answers.
    ///
    /// A text that is too long for the passive reply passes: it is [cut](self#long-texts).
    ///
    /// # Errors
    ///
    /// If WeChat would refuse the reply, or leave out articles.
    pub fn check(&self) -> Result<(), Error> {
        if let Some(content) = &self.first {
            content.check(EVENT_ARTICLE_LIMIT)?;
        }
        let mut then = self.then.iter();
        then.try_for_each(|content| content.check(MESSAGE_ARTICLE_LIMIT))
    }

    /// Checks the reply like [`check`](Self::check), and that a passive reply shows all of it.
    #[cfg(feature = "layers")]
    pub(crate) fn check_whole(&self) -> Result<(), Error> {
        self.check()?;
        self.check_single()?;
        self.first.as_ref().map_or(Ok(()), Content::check_whole)
    }

    /// Checks that it is one message.
    #[cfg(any(feature = "json", feature = "layers"))]
    fn check_single(&self) -> Result<(), Error> {
        match self.then.len() {
            0 => Ok(()),
            more => Err(Error(Cause::Several { found: more + 1 })),
        }
    }

    fn of(content: Content) -> Self {
        Self {
            first: Some(content),
            ..Self::default()
        }
    }

    fn contents(&self) -> impl Iterator<Item = &Content> {
        self.first.iter().chain(&self.then)
    }
}

/// Makes a [text](Reply::text).
impl From<String> for Reply {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

/// Makes a [text](Reply::text).
impl From<&str> for Reply {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}
