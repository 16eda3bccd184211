//! Replies that no delivery takes along.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use futures_util::future::BoxFuture;
use http::Request;

use super::{Key, Outcome};
use crate::{
    Reply,
    message::Head,
    signature::{Delivery, Verified},
};

/// A reply that comes too late for the passive reply, or the news that there is none.
///
/// It is for [`DedupLayer::with_late_reply`](crate::DedupLayer::with_late_reply)'s hook, which may send it
/// through the customer-service API.
#[derive(Clone)]
pub struct LateReply {
    key: Key,
    request: Request<Verified>,
    cause: LateCause,
    outcome: Option<Outcome>,
}

/// Why a reply is not the passive one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LateCause {
    /// WeChat had been told not to wait.
    Acknowledged,
    /// No delivery came for it.
    Unfetched,
    /// There is no reply: all runs of an acknowledged message failed.
    Failed,
}

/// What the user of the layer does with it.
pub(super) type Hook = dyn Fn(LateReply) -> BoxFuture<'static, ()> + Send + Sync;

impl LateReply {
    /// `outcome` is `None` if all runs failed.
    pub(super) fn new(
        key: Key,
        request: Request<Verified>,
        cause: LateCause,
        outcome: Option<Outcome>,
    ) -> Self {
        Self {
            key,
            request,
            cause,
            outcome,
        }
    }

    /// Why it is late.
    pub fn cause(&self) -> LateCause {
        self.cause
    }

    /// The handler's reply, where it was a [`MessageService`](crate::MessageService) on this node that made
    /// it.
    pub fn reply(&self) -> Option<&Reply> {
        self.outcome.as_ref()?.reply()
    }

    /// The response that a delivery would have got; `None` if all runs failed.
    pub fn response(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// The message that it answers, with the URI, headers and extensions of its first delivery.
    pub fn request(&self) -> &Request<Verified> {
        &self.request
    }

    /// The [name](crate::Account::with_name) of the account that it comes from.
    pub fn account(&self) -> &str {
        let delivery = self.request.extensions().get::<Delivery>();
        delivery.map_or("", Delivery::account)
    }

    /// Whom it is for: the OpenID of the message's sender. `None` if the message has none.
    pub fn openid(&self) -> Option<String> {
        self.head()?.from_user_name().map(ToOwned::to_owned)
    }

    /// Which account it comes from: the original id, `gh_…`. `None` if the message has none.
    pub fn original_id(&self) -> Option<String> {
        self.head()?.to_user_name().map(ToOwned::to_owned)
    }

    /// Until when the customer-service API takes it: 48 hours after a user's message, 1 minute after a
    /// menu click, a scan or a subscription.
    pub fn send_until(&self) -> SystemTime {
        let arrival = self.request.extensions().get::<Delivery>();
        let sent = arrival.map_or_else(SystemTime::now, Delivery::timestamp);
        let is_message = self.head().is_some_and(|head| head.is_message());
        sent + if is_message {
            MESSAGE_WINDOW
        } else {
            EVENT_WINDOW
        }
    }

    /// The message's key, to know a reply again that was handed over twice.
    pub fn key(&self) -> Key {
        self.key
    }

    fn head(&self) -> Option<Head> {
        Head::read(self.request.body().as_bytes()).ok()
    }
}

/// Without the reply and the message.
impl fmt::Debug for LateReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LateReply")
            .field("key", &self.key)
            .field("cause", &self.cause)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

/// After WeChat's page "Send customer-service messages".
const MESSAGE_WINDOW: Duration = Duration::from_secs(48 * 60 * 60);
const EVENT_WINDOW: Duration = Duration::from_secs(60);
