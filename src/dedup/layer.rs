use std::{fmt, sync::Arc, time::Duration};

use futures_util::FutureExt;
use http::Request;
use tokio::time;
use tower::Layer;

use super::{
    Dedup, Key,
    late::LateReply,
    state::{self, Settings, Shared},
    store::{Alone, Store},
    table::Limits,
};
use crate::{Reply, message::Head, signature::Verified};

/// Applies [`Dedup`]: one run of the inner service for each message.
///
/// All services that a layer and its clones make share one table, however often a framework calls
/// [`layer`](Layer::layer). See the [module docs](super) for what happens to a delivery.
pub struct DedupLayer<St = Alone> {
    shared: Shared<St>,
}

impl DedupLayer {
    /// Remembers messages in this process alone.
    pub fn in_memory() -> Self {
        let settings = Settings {
            key: Arc::new(Key::of),
            answerable: Arc::new(may_be_answered),
            limits: Limits {
                messages: 100_000,
                waiting: 16,
                reply_bytes: 16 * 1024 * 1024,
                reply_ttl: Duration::from_secs(60),
            },
            mark_ttl: Duration::from_secs(600),
            run_timeout: Duration::from_secs(60),
            retry_delays: vec![Duration::from_millis(500), Duration::from_secs(2)],
            fallback: Reply::success(),
            late_reply: None,
            is_fail_closed: false,
            runs_inline: false,
        };
        Self {
            shared: Shared::new(settings, 1024),
        }
    }
}

impl<St: Store> DedupLayer<St> {
    /// Shares what is known of each message with other nodes through `store`.
    ///
    /// This node's own table stays in front of it: a retry that reaches the node which ran the message asks
    /// no store. An operation of the store has 250 ms. While the store is away, each node goes on alone, so
    /// that two of them may run one message, and says so in the log; what is not older than a kept reply is made known to the
    /// store when it is back. See [`with_fail_closed`](Self::with_fail_closed) for the other choice.
    pub fn with_store(store: St) -> Self {
        Self {
            shared: DedupLayer::in_memory().shared.with_store(store),
        }
    }

    /// Runs no message that the store does not know of. While the store is away, deliveries wait, and are
    /// answered 503 after 6 s.
    #[must_use]
    pub fn with_fail_closed(mut self) -> Self {
        self.shared.settings_mut().is_fail_closed = true;
        self
    }

    /// Makes each run part of the delivery that began it, for hosts where no task outlives the response,
    /// such as AWS Lambda. A delivery is not answered before its run has ended.
    ///
    /// It needs a [store](Self::with_store): WeChat's retries reach other instances of the program.
    #[must_use]
    pub fn with_inline_runs(mut self) -> Self {
        self.shared.settings_mut().runs_inline = true;
        self
    }

    /// Tells messages apart by `key` instead of [`Key::of`].
    ///
    /// Two deliveries with one key are one message: the second never reaches the handler. So a key has
    /// to hold the account, and enough of everything a message may be.
    #[must_use]
    pub fn with_key(
        mut self,
        key: impl Fn(&Request<Verified>) -> Key + Send + Sync + 'static,
    ) -> Self {
        self.shared.settings_mut().key = Arc::new(key);
        self
    }

    /// Decides whether WeChat shows the user an answer to a delivery, and so whether it is worth to let
    /// WeChat hang up and deliver again.
    ///
    /// By default all messages are, and the events `subscribe`, `SCAN`, `CLICK` and `scancode_waitmsg`. What is
    /// not is acknowledged 4.5 s after its first delivery arrived.
    #[must_use]
    pub fn with_answerable(
        mut self,
        answerable: impl Fn(&Request<Verified>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.shared.settings_mut().answerable = Arc::new(answerable);
        self
    }

    /// Acknowledges with `reply` what has no reply yet when WeChat delivers it for the last time, and
    /// messages whose runs have all failed; the default is [`Reply::success`], which shows nothing.
    ///
    /// An account without the customer-service API may ask the user to write again, say with
    /// 回复任意内容获取结果 (answer anything to get the result).
    #[must_use]
    pub fn with_fallback(mut self, reply: Reply) -> Self {
        self.shared.settings_mut().fallback = reply;
        self
    }

    /// Hands over each reply that comes too late for the passive one, so that it can be sent through the
    /// customer-service API, and the final failure of a message that has been acknowledged.
    ///
    /// A reply is late when the message has been acknowledged, or when no delivery has come for it within 6 s.
    /// It is handed over once, on the node that ran the message or on the last one that might have delivered
    /// it, within the message's task. A [`Reply::success`] is not: it shows nothing. Without a hook, or when it
    /// panics or takes longer than a run may, there is an error in the log.
    ///
    /// ```
    /// use tower_wechat::{DedupLayer, dedup::LateReply};
    ///
    /// let layer = DedupLayer::in_memory().with_late_reply(|late: LateReply| async move {
    ///     let (Some(openid), Some(reply)) = (late.openid(), late.reply()) else { return };
    ///     // Send it with the customer-service API.
    ///     # let _ = (openid, reply);
    /// });
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn with_late_reply<F>(
        mut self,
        hook: impl Fn(LateReply) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let hook = Arc::new(move |late| hook(late).boxed());
        self.shared.settings_mut().late_reply = Some(hook);
        self
    }

    /// Gives a run so long before it counts as failed; the default is 60 s.
    #[must_use]
    pub fn with_run_timeout(mut self, timeout: Duration) -> Self {
        self.shared.settings_mut().run_timeout = timeout;
        self
    }

    /// Runs a message again so long after each failed run; the default is after 0.5 s and 2 s, which
    /// makes three runs in all. Without delays there is one run.
    #[must_use]
    pub fn with_retry_delays(mut self, delays: impl IntoIterator<Item = Duration>) -> Self {
        self.shared.settings_mut().retry_delays = delays.into_iter().collect();
        self
    }

    /// Keeps a reply so long for later deliveries; the default is 60 s.
    ///
    /// WeChat's last delivery comes 10 to 15 s after the first. A store keeps a reply for 11 s at least, so that
    /// its nodes agree on who sends one that nobody has come for.
    #[must_use]
    pub fn with_reply_ttl(mut self, ttl: Duration) -> Self {
        self.shared.settings_mut().limits.reply_ttl = ttl;
        self
    }

    /// Remembers so long that a message has ended, at least; the default is 10 min.
    ///
    /// It is never less than the time in which a captured delivery can be sent again: twice the
    /// [freshness](crate::VerifySignatureLayer::with_freshness) of its timestamp.
    #[must_use]
    pub fn with_mark_ttl(mut self, ttl: Duration) -> Self {
        self.shared.settings_mut().mark_ttl = ttl;
        self
    }

    /// Remembers at most this many messages; the default is 100 000.
    ///
    /// At the bound, the message that ended first is forgotten. A running one never is.
    #[must_use]
    pub fn with_max_messages(mut self, messages: usize) -> Self {
        self.shared.settings_mut().limits.messages = messages;
        self
    }

    /// Runs at most this many messages at a time; the default is 1024.
    ///
    /// At the bound, a delivery of a new message waits for room, in the order of arrival. A message whose
    /// reply no delivery has fetched yet counts as running.
    #[must_use]
    pub fn with_max_running(mut self, messages: usize) -> Self {
        self.shared.permits = state::permits(messages);
        self
    }

    /// Lets at most this many deliveries of a message wait for its outcome; the default is 16.
    ///
    /// WeChat's own are three or four. At the bound, a further one waits outside for the outcome.
    #[must_use]
    pub fn with_max_waiting(mut self, deliveries: usize) -> Self {
        self.shared.settings_mut().limits.waiting = deliveries;
        self
    }

    /// Keeps replies of at most this many bytes in all; the default is 16 MiB.
    ///
    /// At the bound, the replies that have been kept longest are dropped, and later deliveries of their
    /// messages are answered `success`. A reply that is larger than the bound is not kept for later deliveries.
    #[must_use]
    pub fn with_max_reply_bytes(mut self, bytes: usize) -> Self {
        self.shared.settings_mut().limits.reply_bytes = bytes;
        self
    }

    /// Runs no new message from now on, and waits until those that run have ended, their replies have been
    /// fetched and the hooks have returned.
    ///
    /// What has not ended after `patience` is cut: its run is dropped, and the store is told, so that a
    /// retry on another node runs the message again at once. Deliveries of new messages are answered 503 from the
    /// start; WeChat delivers them again.
    pub async fn drain(&self, patience: Duration) {
        let node = &self.shared.node;
        node.draining.cancel();
        node.tasks.close();
        if time::timeout(patience, node.tasks.wait()).await.is_err() {
            node.cut.cancel();
            node.tasks.wait().await;
        }
    }
}

/// What [`DedupLayer::with_answerable`] says is the default.
fn may_be_answered(request: &Request<Verified>) -> bool {
    Head::read(request.body().as_bytes()).is_ok_and(|head| head.accepts_reply())
}

impl<S, St> Layer<S> for DedupLayer<St> {
    type Service = Dedup<S, St>;

    fn layer(&self, inner: S) -> Self::Service {
        Dedup::new(inner, self.shared.clone())
    }
}

impl<St> Clone for DedupLayer<St> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<St> fmt::Debug for DedupLayer<St> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DedupLayer")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}
