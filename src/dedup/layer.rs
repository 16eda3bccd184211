use std::{fmt, sync::Arc, time::Duration};

use http::Request;
use tower::Layer;

use super::{
    Dedup, Key,
    state::{Settings, Shared},
    table::Limits,
};
use crate::signature::Verified;

/// Applies [`Dedup`]: one run of the inner service for each message.
///
/// All services that a layer and its clones make share one table, however often a framework calls
/// [`layer`](Layer::layer). See the [module docs](super) for what happens to a delivery.
#[derive(Clone)]
pub struct DedupLayer {
    shared: Shared,
}

impl DedupLayer {
    /// Remembers messages in this process alone.
    pub fn in_memory() -> Self {
        Self {
            shared: Shared::new(Settings {
                key: Arc::new(Key::of),
                limits: Limits {
                    messages: 100_000,
                    running: 1024,
                    waiting: 16,
                    reply_bytes: 16 * 1024 * 1024,
                    reply_ttl: Duration::from_secs(60),
                    mark_ttl: Duration::from_secs(600),
                },
                run_timeout: Duration::from_secs(60),
                retry_delays: vec![Duration::from_millis(500), Duration::from_secs(2)],
            }),
        }
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
    /// WeChat's last delivery comes 10 to 15 s after the first.
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
        self.shared.settings_mut().limits.mark_ttl = ttl;
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
    /// At the bound, a delivery of a new message waits for room.
    #[must_use]
    pub fn with_max_running(mut self, messages: usize) -> Self {
        self.shared.settings_mut().limits.running = messages;
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
    /// messages are answered `success`.
    #[must_use]
    pub fn with_max_reply_bytes(mut self, bytes: usize) -> Self {
        self.shared.settings_mut().limits.reply_bytes = bytes;
        self
    }
}

impl<S> Layer<S> for DedupLayer {
    type Service = Dedup<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Dedup::new(inner, self.shared.clone())
    }
}

impl fmt::Debug for DedupLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DedupLayer")
            .field("settings", self.shared.settings())
            .finish_non_exhaustive()
    }
}
