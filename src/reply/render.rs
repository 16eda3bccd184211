//! Replies on the wire: addressed, cut to what one passive reply shows, and written.

#[cfg(feature = "layers")]
use std::sync::Arc;
use std::{borrow::Cow, fmt};

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::{
    Reply,
    characters::writable,
    content::{Content, EVENT_ARTICLE_LIMIT, MESSAGE_ARTICLE_LIMIT, PASSIVE_TEXT_LIMIT},
    error::{Cause, Error},
    parts::Article,
    smart_bot::Turn,
};
#[cfg(feature = "layers")]
use super::{
    characters::written,
    content::{ADDITION_LIMIT, check_length},
};
use crate::{message::Head, timestamp::Timestamp, xml};

impl Reply {
    /// Renders the reply as the body of an HTTP response. `create_time` is the time of sending.
    ///
    /// A text of more than 2047 bytes is [cut](super#long-texts): the body has its first part, which ends in `…`.
    /// [`Rendered::rest`] has the rest of the text, and the messages after the first one of [several](Reply::then).
    ///
    /// # Errors
    ///
    /// If the reply is over a [limit](super#limits), or `addressing` lacks the receiver or the sender. Also if a
    /// [custom](Self::custom) answer cannot be written.
    pub fn render(
        &self,
        addressing: &Addressing<'_>,
        create_time: Timestamp,
    ) -> Result<Rendered, Error> {
        self.render_with_marker(addressing, create_time, CUT_MARKER)
    }

    /// Renders the reply like [`render`](Self::render), and ends the first part of a text that is cut in `cut_marker`.
    pub(crate) fn render_with_marker(
        &self,
        addressing: &Addressing<'_>,
        create_time: Timestamp,
        cut_marker: &str,
    ) -> Result<Rendered, Error> {
        let Some(content) = &self.first else {
            return Ok(Rendered::success());
        };
        if let Content::Custom(custom) = content {
            let body = custom.body(addressing.is_json)?.to_owned();
            return Ok(Rendered {
                body: Cow::Owned(body),
                content_type: if addressing.is_json { JSON } else { XML },
                rest: None,
            });
        }
        if let Some(turn) = &addressing.bot_turn {
            return self.render_for_bot(turn, cut_marker);
        }
        content.check(addressing.article_limit)?;
        if let Content::TemplateCard(card) = content {
            card.xml()?;
        }
        let (to_user_name, from_user_name) = addressing.names()?;
        let (content, rest) = content.cut(PASSIVE_TEXT_LIMIT, cut_marker, self.tail_of_first());
        let has_rest = rest.is_some() || !self.then.is_empty();
        let document = Document {
            to_user_name,
            from_user_name,
            create_time,
            content: &content,
        };
        let body = xml::to_string(&document).map_err(|error| Error(Cause::Unwritable(error)))?;
        Ok(Rendered {
            body: Cow::Owned(body),
            content_type: XML,
            rest: has_rest.then(|| self.rest_after(rest)),
        })
    }
}

/// A rendered reply: the body of an HTTP response and its Content-Type.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    body: Cow<'static, str>,
    content_type: &'static str,
    rest: Option<Reply>,
}

impl Rendered {
    /// Makes the acknowledgement: the word `success`.
    pub(crate) fn success() -> Self {
        Self {
            body: Cow::Borrowed(SUCCESS),
            content_type: PLAIN,
            rest: None,
        }
    }

    /// Makes an answer in JSON. `rest` is what it does not say.
    pub(super) fn json(body: String, rest: Reply) -> Self {
        Self {
            body: Cow::Owned(body),
            content_type: JSON,
            rest: (!rest.is_success()).then_some(rest),
        }
    }

    /// Returns the body: the reply's XML, a smart bot's JSON, the JSON of a [custom](Reply::custom) answer to a push in
    /// JSON, or the word `success` for [`Reply::success`].
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Returns the body.
    pub fn into_body(self) -> Cow<'static, str> {
        self.body
    }

    /// Returns the Content-Type: `application/xml`, `application/json`, or `text/plain` for [`Reply::success`].
    pub fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// Takes what is not in the body.
    #[cfg(feature = "layers")]
    pub(crate) fn take_rest(&mut self) -> Option<Reply> {
        self.rest.take()
    }

    /// Returns what is not in the body: the rest of a [long text](super#long-texts), and the further messages of a
    /// [reply of several](Reply::then).
    ///
    /// A text may have any length. Send it in another way, or the user does not see it.
    ///
    /// ```
    /// use tower_wechat::{Reply, Timestamp, reply::Addressing};
    ///
    /// let addressing = Addressing::new("the-openid", "gh_the_account");
    /// let story = "Once upon a time, there was a tide.\n".repeat(100);
    /// let rendered = Reply::text(story).render(&addressing, Timestamp::now())?;
    ///
    /// assert!(rendered.body().contains("there was a tide.…]]></Content>"));
    /// let rest = rendered.rest().and_then(|rest| rest.as_text());
    /// assert!(rest.is_some_and(|rest| rest.starts_with("Once upon a time")));
    /// # Ok::<(), tower_wechat::reply::Error>(())
    /// ```
    pub fn rest(&self) -> Option<&Reply> {
        self.rest.as_ref()
    }
}

/// Shows the length of the body, not its contents.
impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendered")
            .field("len", &self.body.len())
            .field("content_type", &self.content_type)
            .field("has_rest", &self.rest.is_some())
            .finish_non_exhaustive()
    }
}

/// Returns whether WeChat shows the user nothing for an answer of 200 with this body. Both forms are answered in
/// plaintext, whatever the account's mode. Source: WeChat's page on passive replies.
#[cfg(feature = "layers")]
pub(crate) fn is_silent(body: &[u8]) -> bool {
    body.is_empty() || body == SUCCESS.as_bytes()
}

/// The receiver and the sender of a reply: those of the message, exchanged.
#[derive(Clone, PartialEq, Eq)]
pub struct Addressing<'a> {
    to_user_name: Cow<'a, str>,
    from_user_name: Cow<'a, str>,
    article_limit: usize,
    /// Whether the push is in JSON.
    is_json: bool,
    /// `None` if it answers no push to a smart bot.
    bot_turn: Option<Turn>,
}

impl<'a> Addressing<'a> {
    /// Addresses a reply to the user with the OpenID `to_user_name`, from the account with the original id
    /// (`gh_…`) `from_user_name`.
    ///
    /// The reply may have up to eight articles, as in answer to an event.
    pub fn new(
        to_user_name: impl Into<Cow<'a, str>>,
        from_user_name: impl Into<Cow<'a, str>>,
    ) -> Self {
        Self {
            to_user_name: writable(to_user_name.into()),
            from_user_name: writable(from_user_name.into()),
            article_limit: EVENT_ARTICLE_LIMIT,
            is_json: false,
            bot_turn: None,
        }
    }

    /// Addresses an answer to `message`: to its sender, from its receiver.
    ///
    /// The answer to a user's message may have one article. The answer to a member of a WeCom app, and any other answer, may
    /// have up to eight. If the message lacks the sender or the receiver, rendering returns an error. Some pushes of the open
    /// platform and of WeCom name no sender.
    ///
    /// A [custom](Reply::custom) answer needs neither, and is written in the message's format. The answer of a
    /// [smart bot](crate::message::smart_bot#replies) needs neither, and has a form that depends on the push.
    pub fn answering(message: &'a Head) -> Self {
        // WeChat's page lists the message types that allow a single article, and calls the rest other scenes. The list
        // lacks newer types. These are users' messages too, so they also allow one. WeCom allows eight.
        let article_limit = if message.is_message() && message.agent_id().is_none() {
            MESSAGE_ARTICLE_LIMIT
        } else {
            EVENT_ARTICLE_LIMIT
        };
        let sender = message.from_user_name().unwrap_or_default();
        let receiver = message.to_user_name().unwrap_or_default();
        Self {
            article_limit,
            is_json: message.is_json(),
            bot_turn: Turn::of(message),
            ..Self::new(sender, receiver)
        }
    }

    /// Returns the receiver and the sender of the reply.
    fn names(&self) -> Result<(&str, &str), Error> {
        if self.to_user_name.is_empty() || self.from_user_name.is_empty() {
            return Err(Error(Cause::Unaddressed));
        }
        Ok((&self.to_user_name, &self.from_user_name))
    }
}

/// Shows the lengths of the names, which identify a user and an account.
impl fmt::Debug for Addressing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Addressing")
            .field("to_user_name_len", &self.to_user_name.len())
            .field("from_user_name_len", &self.from_user_name.len())
            .field("article_limit", &self.article_limit)
            .field("is_json", &self.is_json)
            .finish_non_exhaustive()
    }
}

/// The reply's document. Its elements are in the order of WeChat's samples.
struct Document<'a> {
    to_user_name: &'a str,
    from_user_name: &'a str,
    create_time: Timestamp,
    content: &'a Content,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut xml = serializer.serialize_struct("xml", FIELDS)?;
        xml.serialize_field("ToUserName", self.to_user_name)?;
        xml.serialize_field("FromUserName", self.from_user_name)?;
        xml.serialize_field("CreateTime", &self.create_time)?;
        self.content.write(&mut xml)?;
        xml.end()
    }
}

impl Content {
    /// Writes the elements from MsgType on.
    pub(super) fn write<S: SerializeStruct>(&self, xml: &mut S) -> Result<(), S::Error> {
        xml.serialize_field("MsgType", self.msg_type())?;
        match self {
            Self::Text(text) => xml.serialize_field("Content", text),
            Self::Image(media) => xml.serialize_field("Image", media),
            Self::Voice(media) => xml.serialize_field("Voice", media),
            Self::Video(video) => xml.serialize_field("Video", video),
            Self::Music(music) => xml.serialize_field("Music", music),
            Self::News(articles) => {
                xml.serialize_field("ArticleCount", &articles.len())?;
                xml.serialize_field("Articles", &Articles { item: articles })
            }
            Self::TransferCustomerService(agent) => xml.serialize_field("TransInfo", agent),
            Self::UpdateButton(button) => xml.serialize_field("Button", button),
            Self::TemplateCard(card) => {
                xml.serialize_field("TemplateCard", &card.xml.as_ref().ok())
            }
            // Neither addressed nor kept as a message.
            Self::Custom(_) => Ok(()),
        }
    }
}

#[derive(Serialize)]
struct Articles<'a> {
    item: &'a [Article],
}

/// Makes what is added to texts: a marker or a footer.
#[cfg(feature = "layers")]
pub(crate) fn addition(text: impl Into<String>) -> Result<Arc<str>, Error> {
    let text = written(text);
    check_length(&text, ADDITION_LIMIT)?;
    Ok(text.into())
}

/// What the first part of a text that is cut ends in, by default.
pub(crate) const CUT_MARKER: &str = "…";

pub(crate) const XML: &str = "application/xml";
pub(crate) const JSON: &str = "application/json";
pub(crate) const PLAIN: &str = "text/plain";

/// The body that acknowledges a message.
pub(crate) const SUCCESS: &str = "success";

/// The largest number of fields. The format does not need the exact one.
const FIELDS: usize = 6;
