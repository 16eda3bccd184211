//! Replies that no delivery got in time.

use std::{fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use http::Request;
use tokio::time;

use super::node::UserFn;
use crate::{
    delivery::Verified, key::Key, message::Head, observe, reply::Reply, response::StoredResponse,
    timestamp::Timestamp,
};

/// A reply that comes too late to be the passive reply, or the news that there is none.
///
/// [`DedupBuilder::with_late_reply`](super::DedupBuilder::with_late_reply)'s hook gets it, and may send it
/// through the customer-service API. A test of a hook makes one with [`LateReply::new`].
#[derive(Clone)]
pub struct LateReply {
    key: Key,
    request: Request<Verified>,
    cause: LateCause,
    response: Option<StoredResponse>,
}

/// Why a reply is late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LateCause {
    /// The message had been acknowledged: WeChat does not wait any more.
    Acknowledged,
    /// No delivery came for it in time.
    Unfetched,
    /// There is no reply: all runs of an acknowledged message have failed.
    Failed,
}

impl LateCause {
    /// The cause as events and metrics name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Unfetched => "unfetched",
            Self::Failed => "failed",
        }
    }
}

/// The hook that the user of the layer has set.
pub(super) type Hook = dyn Fn(LateReply) -> BoxFuture<'static, ()> + Send + Sync;

impl LateReply {
    /// Makes the late reply to `request`. `response` is `None` if all runs failed.
    pub fn new(
        key: Key,
        request: Request<Verified>,
        cause: LateCause,
        response: Option<StoredResponse>,
    ) -> Self {
        Self {
            key,
            request,
            cause,
            response,
        }
    }

    /// Returns why it is late.
    pub fn cause(&self) -> LateCause {
        self.cause
    }

    /// Returns the handler's reply, if a [`MessageService`](crate::MessageService) on this node made it.
    ///
    /// A layer between [`Dedup`](super::Dedup) and `MessageService` that replaces the body, for example by compressing it,
    /// loses the typed reply. Then this is `None`, and [`response`](Self::response) has the body.
    pub fn reply(&self) -> Option<&Reply> {
        self.response.as_ref()?.reply()
    }

    /// Returns the response that a delivery would have got; `None` if all runs failed.
    pub fn response(&self) -> Option<&StoredResponse> {
        self.response.as_ref()
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

    /// Returns when the customer-service API stops taking it: 48 hours after a user's message, 1 minute after a
    /// menu click, a scan or a subscription.
    pub fn send_until(&self) -> Timestamp {
        let sent = self.request.body().delivery().timestamp();
        let is_message = self.head().is_some_and(Head::is_message);
        let window = if is_message {
            MESSAGE_WINDOW
        } else {
            EVENT_WINDOW
        };
        Timestamp::from_secs(sent.as_secs().saturating_add(window.as_secs()))
    }

    /// Returns the message's key, which tells two late replies to one message.
    pub fn key(&self) -> Key {
        self.key
    }

    fn head(&self) -> Option<&Head> {
        self.request.body().head().ok()
    }

    /// Calls the hook. If there is none, the log has an error.
    pub(super) async fn hand_to(self, hook: Option<&UserFn<Hook>>, timeout: Duration) {
        let (cause, key) = (self.cause, self.key.observed());
        let account = Arc::clone(self.request.body().delivery().shared_account());
        observe::reply_is_late(&account, key, cause.name());
        let Some(hook) = hook else {
            // The log already has that all runs have failed.
            if cause != LateCause::Failed {
                observe::reply_is_lost(&account, key, cause.name());
            }
            return;
        };
        let mut call = HookCall {
            account,
            key,
            failure: Some("it was cut"),
        };
        let called = async { time::timeout(timeout, hook.0(self)).await };
        call.failure = match AssertUnwindSafe(called).catch_unwind().await {
            Ok(Ok(())) => None,
            Ok(Err(_elapsed)) => Some("it took too long"),
            Err(_panic) => Some("it panicked"),
        };
    }
}

/// Logs an error when it is dropped, unless the call has succeeded.
struct HookCall {
    account: Arc<str>,
    key: observe::MessageKey,
    failure: Option<&'static str>,
}

impl Drop for HookCall {
    fn drop(&mut self) {
        if let Some(failure) = self.failure {
            observe::late_reply_failed(&self.account, self.key, failure);
        }
    }
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

/// WeChat's page "Send customer-service messages".
const MESSAGE_WINDOW: Duration = Duration::from_hours(48);
const EVENT_WINDOW: Duration = Duration::from_mins(1);
