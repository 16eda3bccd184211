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
//! A push that does not fit its type is a [`BotContent::Other`] with all fields and the
//! [misfit](super::OtherMessage::misfit). Every field but the identifying one is optional. Each push, events included, has a
//! `msgid` that retries repeat. It is part of dedup's key, with the member and the group chat.
//! [`NextMessage`](crate::late::NextMessage) keeps replies for one member in one chat.
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
//! answers the polls: with what the handler has [written so far](crate::handler::Partial), and once the handler has
//! returned, with its reply as the end of the stream. A poll reaches no handler, and takes no permit.
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
//! - A run that fails is repeated. The stream stays open, and its text begins anew. If all runs fail, the stream ends with the
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
//! A smart bot's push to the URL of another account is rejected: its signature is wrong or missing, or its receive id is
//! empty. If it passes these checks, a handler of [`Message`](crate::Message) gets it as
//! [`Message::Other`](crate::Message::Other), and the log has a warning. A handler of any other type acknowledges it. A push
//! to a smart bot's URL that is no smart bot's is rejected with [`ErrorKind::Receiver`](crate::callback::ErrorKind::Receiver).
//!
//! Source: WeCom's pages "Smart bot" (101039), "Receive messages" (100719), "Receive events" (101027), "Passive replies"
//! (101031), "Encryption" (101033) and "Active replies" (101138). Not documented: how often WeCom polls, what it makes of an
//! empty answer to a poll, videos and the keys of media, which SDKs read.

mod content;
mod read;
mod write;

pub use self::content::{
    BotCard, BotContent, BotEvent, BotFeedback, BotMedia, BotOptionIds, BotSelectedItem,
    BotSelectedItems, BotStream, BotText,
};
pub(super) use self::read::Identity;
#[cfg(feature = "layers")]
pub(super) use self::read::is_push;
use super::other::OtherMessage;
use crate::timestamp::Timestamp;

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
    /// The URL that takes one message within an hour. Messages and taps on cards have one; polls and other events have none.
    pub response_url: Option<String>,
    /// What the member quotes.
    pub quote: Option<Box<BotContent>>,
    /// The content of the message, event or poll.
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
