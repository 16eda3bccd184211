//! What becomes of a reply that is late, or too long for one message.
//!
//! A passive reply is one message, in answer to one delivery. A reply is **late** if WeChat waits for it no more: the
//! message has been acknowledged, or no delivery has come for the reply. Then it goes to the layer's
//! [sinks](crate::dedup::DedupBuilder::with_late_replies), and so does what a passive reply does not show: the rest of a
//! [long text](crate::reply#long-texts), and the further messages of a [reply of several](Reply::then).
//!
//! A sink takes what it can. The next sink gets the rest. What is left after the last sink is lost: the log has an error
//! with the number of its parts.
//!
//! # What to configure
//!
//! | your account | sinks |
//! |---|---|
//! | may send customer-service messages (客服消息) | `CustomerService`, of the feature `api` |
//! | is a smart bot of WeCom | `ResponseUrl`, of the feature `api`, behind its [stream](crate::message::smart_bot#streams) |
//! | may not, like all personal accounts | [`NextMessage`]: the user's next message fetches the reply |
//! | either, and another channel | an async function |
//!
//! What the user sees of an answer of 300 characters that the handler returns after 3, 12 or 30 s, with the fallback 请稍候
//! (please wait):
//!
//! | sinks | 3 s | 12 s | 30 s |
//! |---|---|---|---|
//! | none | the answer | the answer | the fallback at 14.5 s, and never the answer |
//! | `CustomerService` | the answer | the fallback at 4.5 s, the answer at 12 s | the fallback at 4.5 s, the answer at 30 s |
//! | `CustomerService`, acknowledged on the [last delivery](crate::dedup::Acknowledgement::LastDelivery) | the answer | the answer | the fallback at 14.5 s, the answer at 30 s |
//! | [`NextMessage`] | the answer | the answer | the fallback at 14.5 s, the answer to the next message after 30 s |
//! | a function | the answer | the answer | the fallback at 14.5 s; the function gets the answer at 30 s |
//!
//! An answer of 5 000 Chinese characters has 15 000 bytes, and so eight messages:
//!
//! | sinks | 3 s | 12 s | 30 s |
//! |---|---|---|---|
//! | none | the first message, which ends in `…` | the same | the fallback at 14.5 s |
//! | `CustomerService` | the first message, then five more | the fallback at 4.5 s, then five messages at 12 s | likewise at 30 s |
//! | … on the last delivery | the first message, then five more | the same | the fallback at 14.5 s, then five messages at 30 s |
//! | [`NextMessage`] | the first message, then one for each message that the user writes | the same | the fallback at 14.5 s, then one for each message that the user writes after 30 s |
//! | a function | the first message; the function gets the rest | the same | the fallback at 14.5 s; the function gets it all at 30 s |
//!
//! The rest goes to the sinks a second after the first message, so that it does not overtake that message. If the first
//! sink is a mailbox, it gets the rest at once.
//!
//! WeChat accepts five customer-service messages after a user's message, and three after a menu click, a scan or a
//! subscription. The sink behind `CustomerService` gets the messages beyond this quota. So tell a language model to be
//! brief.
//!
//! # The next message
//!
//! [`NextMessage`] keeps a late reply in a [`mailbox`] until the user writes again. That message is a **fetching** one: its
//! passive reply is the first part that is kept. All its retries get the same part.
//!
//! - An ordinary message is handled as well. Its own reply queues behind, so no question is swallowed.
//! - A *bare* message only fetches: a configured word, WeChat's text in place of a message that it does not pass on, or a
//!   configured menu key. If nothing is kept, it is handled like any other, so the handler should know the words. A picture
//!   is never bare, and a voice message only if its words to a smart bot are a configured word.
//!   [`NextMessage::with_fetching_only`] makes every message bare.
//! - If the reply is still awaited, the message waits as long as its own deliveries do, then gets the fallback. WeChat
//!   hangs up on each [but the last](crate::dedup#the-life-of-a-message): after 20 hang-ups in 5 minutes, the first delivery
//!   gets the fallback.
//! - A long text is fetched part by part. What a part ends in should name the word:
//!   [`NextMessage::with_cut_marker`], and `MessageService::with_cut_marker` for the first part.
//! - What is kept, and for how long: [`mailbox`](mailbox#what-is-kept-where-and-for-how-long).
//! - The order is that of the questions, as long as `NextMessage` is the first sink. Messages that arrive within a round
//!   trip to the mailbox have no order.
//! - When a user unsubscribes, what is kept is dropped, and what still runs is not kept. A sink in front of the mailbox still
//!   gets it.
//!
//! A part is given out as the reply of the message that fetches it, so it has [the guarantees of a
//! reply](crate::dedup#either-delivered-or-handed-over), with these exceptions:
//!
//! - A part is lost if the client of the last delivery disconnects before it gets the answer, and the server does not notice.
//! - If this happens on an earlier delivery, a kept part, or the first part of a long text, is lost if another node answers
//!   the next delivery without the store.
//! - A part is shown twice if a node crashes after the answer and before it has told the mailbox.
//! - A message whose node crashes while it runs, and that no other node has acknowledged, ends in the layer's failure reply.
//!   So does one whose node reaches neither the store nor the mailbox for 5 s, if the user writes meanwhile.
//! - A `MemoryMailbox` is lost with its process.
//!
//! # A function as a sink
//!
//! ```
//! use tower_wechat::{DedupLayer, late::LateReply};
//!
//! let layer = DedupLayer::builder()
//!     .with_late_replies(|late: LateReply| async move {
//!         let (Some(openid), Some(reply)) = (late.openid(), late.reply()) else {
//!             return Err("nothing to send");
//!         };
//!         // Send it, such as by e-mail.
//!         # let _ = (openid, reply);
//!         Ok(())
//!     })
//!     .build();
//! # let _ = layer;
//! ```

#[cfg(feature = "api")]
mod customer_service;
pub mod mailbox;
mod next_message;
#[cfg(feature = "api")]
mod response_url;
mod sink;
#[cfg(feature = "api")]
mod typing;

use std::{fmt, time::Duration};

use http::Request;
use memchr::memmem;
use tokio::time::Instant;

#[cfg(feature = "api")]
pub use self::customer_service::CustomerService;
#[cfg(feature = "api")]
pub use self::response_url::ResponseUrl;
#[cfg(feature = "api")]
pub use self::typing::{Typing, TypingFuture, TypingLayer};
pub use self::{
    next_message::{EmptyWord, NextMessage},
    sink::{HandedOver, LateSink},
};
pub(crate) use self::{
    next_message::{Fetching, conversation_of, reply_of},
    sink::{Handover, Sinks},
};
use crate::{
    delivery::Verified,
    key::Key,
    message::{self, Head, TextMessage},
    observe,
    reply::Reply,
    response::StoredResponse,
    timestamp::Timestamp,
};

/// A reply that comes too late to be the passive reply, the rest of one that is too long, or the news that there is none.
///
/// It holds what no sink has handed over yet. A test of a sink makes one with [`LateReply::new`].
#[derive(Clone)]
pub struct LateReply {
    key: Key,
    request: Request<Verified>,
    cause: LateCause,
    left: Left,
    response: Option<StoredResponse>,
    /// When the message was first seen.
    first_seen: Instant,
}

/// What has not been handed over.
#[derive(Clone)]
enum Left {
    /// Of the reply; nothing of [`Reply::success`].
    Reply(Reply),
    /// The response, which says no reply, or the news that there is none.
    Other,
}

/// Why a reply is late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LateCause {
    /// The message had been acknowledged: WeChat does not wait any more.
    Acknowledged,
    /// No delivery came for it in time.
    Unfetched,
    /// A delivery has got the first part, and this is the rest.
    Rest,
    /// The reply needs several messages, and an [inline run](crate::dedup::DedupBuilder::with_inline_runs) sends none after
    /// its answer.
    Whole,
    /// The message has fetched an [earlier reply](NextMessage), and this is its own.
    Queued,
    /// All runs of an acknowledged message have failed. The reply is the layer's
    /// [failure reply](crate::dedup::DedupBuilder::with_failure_reply), if there is one.
    Failed,
}

impl LateCause {
    /// The cause as events and metrics name it.
    fn name(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Unfetched => "unfetched",
            Self::Rest => "rest",
            Self::Whole => "whole",
            Self::Queued => "queued",
            Self::Failed => "failed",
        }
    }
}

impl LateReply {
    /// Makes the late reply to `request`. `reply` is [`Reply::success`] if there is none.
    pub fn new(key: Key, request: Request<Verified>, cause: LateCause, reply: Reply) -> Self {
        let left = if reply.is_success() {
            Left::Other
        } else {
            Left::Reply(reply)
        };
        Self {
            key,
            request,
            cause,
            left,
            response: None,
            first_seen: Instant::now(),
        }
    }

    /// Adds the response that a delivery would have got. If the response is a passive reply, it replaces the reply of
    /// [`new`](Self::new).
    #[must_use]
    pub fn with_response(mut self, response: StoredResponse) -> Self {
        if let Some(reply) = response.reply() {
            self.left = Left::Reply(reply);
        }
        self.response = Some(response);
        self
    }

    /// Returns why it is late.
    pub fn cause(&self) -> LateCause {
        self.cause
    }

    /// Returns the part of the reply that no sink has handed over yet. `None` if nothing is left, or if there is no reply: all
    /// runs have failed, or the [response](Self::response) of an inner service of your own is no passive reply.
    pub fn reply(&self) -> Option<&Reply> {
        match &self.left {
            Left::Reply(reply) if !reply.is_success() => Some(reply),
            _ => None,
        }
    }

    /// Returns the response that a delivery would have got. `None` for the [rest](LateCause::Rest) of a reply, and if all
    /// runs failed.
    pub fn response(&self) -> Option<&StoredResponse> {
        self.response.as_ref()
    }

    /// Returns the next message to send, with at most `limit` bytes of text. `None` if there is no reply (left).
    ///
    /// A sink sends it, then calls [`hand_over`](Part::hand_over). Otherwise the next sink gets it.
    pub fn next_part(&mut self, limit: usize) -> Option<Part<'_>> {
        let (reply, rest) = self.reply()?.split_first(limit)?;
        Some(Part {
            late: self,
            reply,
            rest,
        })
    }

    /// Hands over all that is left: no further sink gets it.
    pub fn hand_over(&mut self) {
        self.left = Left::Reply(Reply::success());
    }

    /// Hands over the message that the response shows. The rest is left.
    pub(crate) fn hand_over_first(&mut self, rest: Option<Reply>) {
        self.left = Left::Reply(rest.unwrap_or_default());
        self.cause = LateCause::Rest;
        self.response = None;
    }

    /// Returns whether nothing is left.
    pub fn is_handed_over(&self) -> bool {
        matches!(&self.left, Left::Reply(reply) if reply.is_success())
    }

    /// Returns the message that it answers, with the URI, headers and extensions of its first delivery.
    pub fn request(&self) -> &Request<Verified> {
        &self.request
    }

    /// Returns the [name](crate::Account::with_name) of the account that sends it.
    pub fn account(&self) -> &str {
        self.request.body().delivery().account()
    }

    /// Returns the OpenID of the user that it is for. `None` if the message names no sender.
    pub fn openid(&self) -> Option<&str> {
        self.head()?.from_user_name()
    }

    /// Returns the original id (`gh_…`) of the account that sends it. `None` if the message has none.
    pub fn original_id(&self) -> Option<&str> {
        self.head()?.to_user_name()
    }

    /// Returns until when the customer-service API accepts the reply: 48 hours after a message from the user; 1 minute after
    /// the events `subscribe`, `SCAN`, `CLICK`, `scancode_push` and `scancode_waitmsg`, and after a tap on an entry of a
    /// customer-service menu message. `None` after any other event: the account may send nothing.
    ///
    /// Source: WeChat's page "Send customer-service messages".
    pub fn send_until(&self) -> Option<Timestamp> {
        let window = window(self.head()?, self.request.body().as_bytes())?;
        let sent = self.request.body().delivery().timestamp();
        let until = sent.as_secs().saturating_add(window.as_secs());
        Some(Timestamp::from_secs(until))
    }

    /// Whether the account may still send customer-service messages, by the monotonic clock.
    #[cfg(feature = "api")]
    fn is_open(&self) -> bool {
        let delivery = self.request.body().delivery();
        // A clock that is minutes ahead is accepted. It must not close the window: WeChat has the last word.
        let age = delivery.age().min(RETRIES) + delivery.arrived().elapsed();
        let window = self
            .head()
            .and_then(|head| window(head, self.request.body().as_bytes()));
        window.is_some_and(|window| age < window)
    }

    /// Returns the message's key. All late replies to one message have the same key.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Sets when the message was first seen.
    pub(crate) fn with_first_seen(mut self, first_seen: Instant) -> Self {
        self.first_seen = first_seen;
        self
    }

    /// Returns the time since the message was first seen.
    fn age(&self) -> Duration {
        self.first_seen.elapsed()
    }

    fn head(&self) -> Option<&Head> {
        self.request.body().head().ok()
    }

    /// How many messages of customer service are left. One if that is no reply.
    pub(crate) fn count_parts(&self) -> usize {
        self.reply().map_or(1, Reply::count_parts)
    }

    /// Logs and counts where parts have gone.
    fn observe_parts(&self, way: observe::Way, parts: usize) {
        observe::parts_went(self.account(), self.key.observed(), way, parts);
    }
}

/// The next message of a [`LateReply`]. Dropped, it stays there.
#[must_use]
pub struct Part<'a> {
    late: &'a mut LateReply,
    reply: Reply,
    rest: Reply,
}

impl Part<'_> {
    /// Returns the message.
    pub fn reply(&self) -> &Reply {
        &self.reply
    }

    /// Removes it from the late reply: it has been sent, or will be.
    pub fn hand_over(self) {
        self.late.left = Left::Reply(self.rest);
    }
}

/// How long the account may send customer-service messages after a push.
fn window(head: &Head, plaintext: &[u8]) -> Option<Duration> {
    if head.is_message() {
        // Nearly no text has the element, so that most are not read again.
        let is_tap = head.msg_type() == Some("text")
            && memmem::find(plaintext, b"bizmsgmenuid").is_some()
            && message::from_slice::<TextMessage>(plaintext)
                .ok()
                .and_then(|text| text.biz_msg_menu_id)
                .is_some_and(|id| !id.is_empty());
        return Some(if is_tap {
            ACTION_WINDOW
        } else {
            MESSAGE_WINDOW
        });
    }
    let event = head.event()?;
    let mut actions = ACTIONS.iter();
    let is_action = head.is_event() && actions.any(|name| name.eq_ignore_ascii_case(event));
    is_action.then_some(ACTION_WINDOW)
}

/// Shows neither the reply nor the message.
impl fmt::Debug for LateReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LateReply")
            .field("key", &self.key)
            .field("cause", &self.cause)
            .field("response", &self.response)
            .finish_non_exhaustive()
    }
}

/// Shows nothing of the message.
impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").finish_non_exhaustive()
    }
}

/// The events that let the account send messages for [`ACTION_WINDOW`].
const ACTIONS: [&str; 5] = [
    "subscribe",
    "SCAN",
    "CLICK",
    "scancode_push",
    "scancode_waitmsg",
];

/// How old a message is at most in its last delivery.
#[cfg(feature = "api")]
const RETRIES: Duration = Duration::from_secs(15);

const MESSAGE_WINDOW: Duration = Duration::from_hours(48);
const ACTION_WINDOW: Duration = Duration::from_mins(1);
