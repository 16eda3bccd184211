//! WeCom's smart bot (智能机器人) in API mode with a callback URL: what members write to it, and what it answers.
//!
//! The account is an [`Account::smart_bot`](crate::Account::smart_bot), and its pushes are [`BotMessage`]s, in JSON: they need
//! the feature `json`. They go through the same layers as all others:
//!
//! ```
//! use tower::ServiceBuilder;
//! use tower_wechat::{
//!     Account, DedupLayer, Reply, VerifySignatureLayer,
//!     message::smart_bot::{BotContent, BotEvent, BotMessage},
//!     message_fn,
//! };
//!
//! async fn answer(message: BotMessage) -> Reply {
//!     match &message.content {
//!         BotContent::Event(BotEvent::EnterChat) => Reply::text("What can I do for you?"),
//!         content => match content.text() {
//!             Some(words) => Reply::text(format!("**{words}**")),
//!             None => Reply::success(),
//!         },
//!     }
//! }
//!
//! let account = Account::smart_bot("rosebud7", "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb")?;
//! let bot = ServiceBuilder::new()
//!     .layer(VerifySignatureLayer::new(account))
//!     .layer(DedupLayer::in_memory())
//!     .service(message_fn(answer));
//! # let _ = bot;
//! # Ok::<(), tower_wechat::account::Error>(())
//! ```
//!
//! What cannot be read as its type is a [`BotContent::Other`] with all fields, and what does not fit. Every field but the
//! identifying one is optional. Each push, events included, has a `msgid` that retries repeat: dedup's key is made of it, of
//! the member and of the group chat. What [`NextMessage`](crate::late::NextMessage) keeps belongs to the member in that chat.
//!
//! # Replies
//!
//! | in answer to | [`Reply::text`](crate::Reply::text) | [`Reply::template_card`](crate::Reply::template_card) | both, by [`then`](crate::Reply::then) |
//! |---|---|---|---|
//! | a message | a finished stream, in Markdown, of at most 20 480 bytes | the card | the stream, then the card |
//! | [`BotEvent::EnterChat`] | a text | the card | the text; the card is late |
//! | [`BotEvent::TemplateCard`] | an error | takes the place of the tapped card | |
//! | [`BotEvent::Feedback`] | an error | an error | |
//!
//! Other replies are errors, but for [`Reply::custom`](crate::Reply::custom), which is sent as it is, and
//! [`Reply::success`](crate::Reply::success), which shows nothing. As with every reply that cannot be sent, the log has an
//! error, and WeCom gets `success`.
//!
//! # Streams
//!
//! A message whose handler takes longer than a second is answered with a stream that is not finished. WeCom then polls the
//! stream, about once a second and for six minutes at most, and shows what it gets. [`DedupLayer`](crate::DedupLayer)
//! answers the polls: with what the handler has [written so far](crate::handler::Partial), and once the handler has returned, with its
//! reply as the end of the stream. A poll reaches no handler, and takes no permit.
//!
//! ```
//! use tower_wechat::{
//!     handler::{Partial, stream_fn},
//!     message::smart_bot::BotMessage,
//! };
//!
//! let bot = stream_fn(|message: BotMessage, partial: Partial| async move {
//!     for word in ["High ", "water ", "at ", "six."] {
//!         // From a language model, say.
//!         partial.push(word);
//!     }
//!     // Returning nothing ends the stream with what was written.
//! });
//! # let _ = bot;
//! ```
//!
//! - A run takes [60 s](crate::dedup::DedupBuilder::with_run_timeout) at most, unless the layer gives it more.
//! - A run that fails is repeated. Its stream goes on, and begins anew. After the last one it ends with the
//!   [failure reply](crate::dedup::DedupBuilder::with_failure_reply).
//! - A reply that no poll fetches for 15 s goes to the [sinks](crate::late), and so does what is left of a reply: the first one
//!   should be `ResponseUrl`, of the feature `api`. Six minutes after the message, WeCom does not poll any more.
//! - The text of a stream is in the memory of its node. Among nodes with a [store](crate::dedup::Store), a poll that reaches
//!   another one gets `success`, and WeCom polls again. So each text reaches the chat with some delay.
//! - Without a store, a stream that the node does not know, such as one from before a restart, is a [`BotContent::Stream`] to
//!   the handler: [`Reply::text`](crate::Reply::text) ends it. The log has a line at `DEBUG`.
//! - At most 4096 streams are open, each with at most 64 KiB. Beyond these, and with
//!   [inline runs](crate::dedup::DedupBuilder::with_inline_runs), a slow message is acknowledged, and its reply is late.
//!
//! # The wrong place
//!
//! A smart bot's push to the URL of another account is rejected: its signature is wrong or missing, or it is encrypted for
//! no id. If it passes all the same, a handler of [`Message`](crate::Message) gets it as
//! [`Message::Other`](crate::Message::Other), and the log has a warning. A handler of any other type acknowledges it. A push
//! to a smart bot's URL that is no smart bot's is rejected with [`ErrorKind::Receiver`](crate::callback::ErrorKind::Receiver).
//!
//! Source: WeCom's pages "Smart bot" (101039), "Receive messages" (100719), "Receive events" (101027), "Passive replies"
//! (101031), "Encryption" (101033) and "Active replies" (101138). Not documented: how often WeCom polls, what it makes of an
//! empty answer to a poll, videos and the keys of media, which SDKs read.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};

use super::{
    field::{self, EVENT},
    info,
    other::OtherMessage,
};
use crate::{
    timestamp::Timestamp,
    xml::{self, Value},
};

/// A message or an event to a smart bot, see the [module](self).
///
/// ```
/// # #[cfg(feature = "json")] {
/// use tower_wechat::message::{self, smart_bot::{BotContent, BotMessage}};
///
/// let push = r#"{
///     "msgid": "CAIQ7f2b", "aibotid": "aib-7", "chatid": "wr-harbour", "chattype": "group", "from": {"userid": "mei"},
///     "response_url": "https://example.com/respond?code=5", "msgtype": "text", "text": {"content": "@tides today?"},
///     "quote": {"msgtype": "voice", "voice": {"content": "and tomorrow"}}
/// }"#;
/// let message: BotMessage = message::from_slice(push.as_bytes())?;
/// assert_eq!(message.content.text(), Some("@tides today?"));
/// assert_eq!(message.user_id.as_deref(), Some("mei"));
/// assert!(matches!(message.quote.as_deref(), Some(BotContent::Voice(_))));
/// # }
/// # Ok::<(), tower_wechat::xml::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct BotMessage {
    /// The id that tells it from all others (`msgid`).
    pub msg_id: String,
    /// The bot.
    pub aibot_id: Option<String>,
    /// The group chat in which the bot is addressed.
    pub chat_id: Option<String>,
    /// `single` or `group`.
    pub chat_type: Option<String>,
    /// The member who has sent it.
    pub user_id: Option<String>,
    /// The member's corporation, if the bot is not its own.
    pub corp_id: Option<String>,
    /// When it was sent. Only events say it.
    pub create_time: Option<Timestamp>,
    /// Where one message may be posted within an hour. Neither events but taps on cards nor polls have one.
    pub response_url: Option<String>,
    /// What the member quotes.
    pub quote: Option<Box<BotContent>>,
    /// What it says.
    pub content: BotContent,
}

impl BotMessage {
    /// The push with all its fields, if this crate has no type for it, or it does not fit its type.
    pub fn other(&self) -> Option<&OtherMessage> {
        match &self.content {
            BotContent::Other(other) => Some(other),
            _ => None,
        }
    }
}

/// What a [`BotMessage`], a part of one, or a quoted message says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum BotContent {
    /// A text (`text`). In a group chat it begins with the bot's name behind an `@`.
    Text(BotText),
    /// The words of a voice message (`voice`). WeCom does not hand out the recording.
    Voice(BotText),
    /// A picture (`image`).
    Image(BotMedia),
    /// A file of at most 100 MB (`file`).
    File(BotMedia),
    /// A video (`video`).
    Video(BotMedia),
    /// Texts and pictures, in their order (`mixed`).
    Mixed(Vec<BotContent>),
    /// WeCom asks for a stream (`stream`). Behind `DedupLayer`, only for one that this node does not know.
    Stream(BotStream),
    /// Something has happened (`event`).
    Event(BotEvent),
    /// What this crate has no type for, or what does not fit its type.
    Other(OtherMessage),
}

impl BotContent {
    /// The words of a text or a voice message, or of the first text among pictures.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Voice(text) => Some(&text.content),
            Self::Mixed(parts) => parts.iter().find_map(Self::text),
            _ => None,
        }
    }

    /// Reads the fields of a push, a part or a quote as the type that their `msgtype` names.
    fn of(fields: OtherMessage) -> Self {
        let push = fields.fields();
        let name = push["msgtype"].as_str().unwrap_or_default();
        let body = &push[name];
        let read = match name {
            "text" => body.read().map(Self::Text),
            "voice" => body.read().map(Self::Voice),
            "image" => body.read().map(Self::Image),
            "file" => body.read().map(Self::File),
            "video" => body.read().map(Self::Video),
            "mixed" => body
                .all("msg_item")
                .map(Self::part)
                .collect::<xml::Result<_>>()
                .map(Self::Mixed),
            "stream" => body.read().map(Self::Stream),
            EVENT => {
                let name = body["eventtype"].as_str().unwrap_or_default();
                let own = &body[name];
                let event = match name {
                    "enter_chat" => Ok(BotEvent::EnterChat),
                    "template_card_event" => own.read().map(BotEvent::TemplateCard),
                    "feedback_event" => own.read().map(BotEvent::Feedback),
                    _ => return Self::Other(fields),
                };
                event.map(Self::Event).map_err(|error| error.inside(name))
            }
            _ => return Self::Other(fields),
        };
        match read {
            Ok(content) => content,
            Err(misfit) => {
                let misfit = misfit.inside(name);
                Self::Other(fields.with_misfit(misfit))
            }
        }
    }

    fn part(fields: &Value) -> xml::Result<Self> {
        OtherMessage::of(fields.elements().to_vec()).map(Self::of)
    }
}

/// An `Other` without fields.
impl Default for BotContent {
    fn default() -> Self {
        Self::Other(OtherMessage::default())
    }
}

/// What has happened to a smart bot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BotEvent {
    /// A member opened the chat with the bot, for the first time on this day (`enter_chat`).
    EnterChat,
    /// A member tapped a card (`template_card_event`). WeCom sends it once, and waits for five seconds.
    TemplateCard(BotCard),
    /// A member judged an answer (`feedback_event`). It takes no reply.
    Feedback(BotFeedback),
}

/// Words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BotText {
    /// The words.
    pub content: String,
}

/// A picture, a file or a video.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BotMedia {
    /// Where it is for five minutes, encrypted with the bot's EncodingAESKey: AES-256-CBC, padded to 32 bytes.
    pub url: String,
    /// A key of its own, if it has one.
    pub aeskey: Option<String>,
}

/// A stream that WeCom asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BotStream {
    /// Its id, which is that of the answer to a message.
    pub id: String,
}

/// A tap on a card.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BotCard {
    /// The card's type, such as `button_interaction`.
    #[serde(alias = "cardtype")]
    pub card_type: Option<String>,
    /// The key of the button or of the menu's entry.
    #[serde(alias = "eventkey")]
    pub event_key: Option<String>,
    /// The id that the bot gave the card.
    pub task_id: Option<String>,
    /// What the member chose.
    pub selected_items: BotSelectedItems,
}

/// What a member chose on a card.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BotSelectedItems {
    /// One for each question.
    pub selected_item: Vec<BotSelectedItem>,
}

/// What a member chose for one question.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BotSelectedItem {
    /// The question's key.
    pub question_key: String,
    /// The chosen options.
    #[serde(alias = "optionids")]
    pub option_ids: BotOptionIds,
}

/// The options that a member chose.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BotOptionIds {
    /// Their ids.
    #[serde(alias = "optionid")]
    pub option_id: Vec<String>,
}

/// A member's judgement of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BotFeedback {
    /// The id that the answer has for this purpose.
    pub id: String,
    /// 1 for right, 2 for wrong, 3 for neither any more.
    #[serde(rename = "type", deserialize_with = "xml::optional_number")]
    pub kind: Option<i64>,
    /// The member's words, if it is wrong.
    pub content: Option<String>,
    /// Why it is wrong: 1 off the point, 2 incomplete, 3 mistaken, 4 a mistake in the data.
    pub inaccurate_reason_list: Vec<i64>,
}

/// The fields that all pushes to a smart bot have.
#[derive(Clone, Copy)]
pub(super) struct Identity<'a> {
    pub(super) msg_id: Option<&'a str>,
    pub(super) aibot_id: Option<&'a str>,
    pub(super) chat_id: Option<&'a str>,
    pub(super) user_id: Option<&'a str>,
    pub(super) create_time: Option<&'a str>,
    pub(super) msg_type: Option<&'a str>,
    pub(super) event: Option<&'a str>,
    pub(super) stream_id: Option<&'a str>,
}

impl<'a> Identity<'a> {
    /// Reads them. `None` if it is no push to a smart bot.
    pub(super) fn of(push: &'a Value) -> xml::Result<Option<Self>> {
        if !is_push(push) {
            return Ok(None);
        }
        for name in IDENTITY {
            if push.all(name).count() > 1 {
                return Err(de::Error::duplicate_field(name));
            }
        }
        Ok(Some(Self {
            msg_id: text(push, "msgid"),
            aibot_id: text(push, "aibotid"),
            chat_id: text(push, "chatid"),
            user_id: text(&push["from"], "userid"),
            create_time: text(push, "create_time"),
            msg_type: text(push, "msgtype"),
            event: text(&push[EVENT], "eventtype"),
            stream_id: text(&push["stream"], "id"),
        }))
    }
}

/// Whether these are the fields of a push to a smart bot: no other product's have such names.
pub(super) fn is_push(fields: &Value) -> bool {
    let has = |name: &&str| fields.element(name).is_some();
    ["msgid", "aibotid"].iter().any(has) && !FOREIGN.iter().any(has)
}

/// The text of a field; `None` if it is empty.
fn text<'a>(fields: &'a Value, name: &str) -> Option<&'a str> {
    fields[name].as_str().filter(|text| !text.is_empty())
}

impl<'de> Deserialize<'de> for BotMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = info::read_without(deserializer, &FOREIGN)?;
        let push = fields.fields();
        let Some(identity) = Identity::of(push).map_err(de::Error::custom)? else {
            return Err(de::Error::missing_field("msgid"));
        };
        let owned = |text: Option<&str>| text.map(ToOwned::to_owned);
        let quote = push
            .element("quote")
            .filter(|quote| !quote.elements().is_empty());
        let quote = quote
            .map(BotContent::part)
            .transpose()
            .map_err(de::Error::custom)?;
        Ok(Self {
            msg_id: identity.msg_id.unwrap_or_default().to_owned(),
            aibot_id: owned(identity.aibot_id),
            chat_id: owned(identity.chat_id),
            chat_type: owned(text(push, "chattype")),
            user_id: owned(identity.user_id),
            corp_id: owned(text(&push["from"], "corpid")),
            create_time: identity.create_time.and_then(field::create_time),
            response_url: owned(text(push, "response_url")),
            quote: quote.map(Box::new),
            content: BotContent::of(fields),
        })
    }
}

impl Serialize for BotMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct From<'a> {
            userid: Option<&'a str>,
            corpid: Option<&'a str>,
        }

        #[derive(Serialize)]
        struct Document<'a> {
            msgid: &'a str,
            aibotid: Option<&'a str>,
            chatid: Option<&'a str>,
            chattype: Option<&'a str>,
            from: From<'a>,
            create_time: Option<Timestamp>,
            response_url: Option<&'a str>,
            quote: Option<&'a BotContent>,
            #[serde(flatten)]
            content: &'a BotContent,
        }

        if let Some(other) = self.other() {
            return other.serialize(serializer);
        }
        let document = Document {
            msgid: &self.msg_id,
            aibotid: self.aibot_id.as_deref(),
            chatid: self.chat_id.as_deref(),
            chattype: self.chat_type.as_deref(),
            from: From {
                userid: self.user_id.as_deref(),
                corpid: self.corp_id.as_deref(),
            },
            create_time: self.create_time,
            response_url: self.response_url.as_deref(),
            quote: self.quote.as_deref(),
            content: &self.content,
        };
        document.serialize(serializer)
    }
}

/// Writes the `msgtype`, and what has its name.
impl Serialize for BotContent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Mixed<'a> {
            msg_item: &'a [BotContent],
        }

        fn entry<S: Serializer>(
            serializer: S,
            name: &str,
            body: &impl Serialize,
        ) -> Result<S::Ok, S::Error> {
            named(serializer, "msgtype", name, Some(body))
        }

        match self {
            Self::Text(text) => entry(serializer, "text", text),
            Self::Voice(text) => entry(serializer, "voice", text),
            Self::Image(media) => entry(serializer, "image", media),
            Self::File(media) => entry(serializer, "file", media),
            Self::Video(media) => entry(serializer, "video", media),
            Self::Mixed(msg_item) => entry(serializer, "mixed", &Mixed { msg_item }),
            Self::Stream(stream) => entry(serializer, "stream", stream),
            Self::Event(event) => entry(serializer, EVENT, event),
            Self::Other(other) => other.serialize(serializer),
        }
    }
}

/// Writes the `eventtype`, and what has its name.
impl Serialize for BotEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let key = "eventtype";
        match self {
            Self::EnterChat => named(serializer, key, "enter_chat", None::<&()>),
            Self::TemplateCard(card) => named(serializer, key, "template_card_event", Some(card)),
            Self::Feedback(feedback) => named(serializer, key, "feedback_event", Some(feedback)),
        }
    }
}

fn named<S: Serializer>(
    serializer: S,
    key: &str,
    name: &str,
    body: Option<&impl Serialize>,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(2))?;
    map.serialize_entry(key, name)?;
    if let Some(body) = body {
        map.serialize_entry(name, body)?;
    }
    map.end()
}

/// The fields that say who sent what.
const IDENTITY: [&str; 8] = [
    "msgid",
    "aibotid",
    "chatid",
    "from",
    "create_time",
    "msgtype",
    EVENT,
    "stream",
];

/// The fields that name the pushes of other products.
const FOREIGN: [&str; 3] = ["MsgType", "Event", "InfoType"];
