use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::Request;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Key,
    hang_ups::HangUps,
    late::Hook,
    remote::Remote,
    store::{Alone, Store, Times},
    table::{FOREVER, Limits, Table},
    task::FETCH_WAIT,
};
use crate::{Reply, signature::Verified};

/// What a layer and all its services share.
pub(super) struct Shared<St> {
    pub(super) settings: Arc<Settings>,
    pub(super) node: Arc<Node>,
    /// A permit for each message that runs. In the order of asking, so that no delivery is passed over.
    pub(super) permits: Arc<Semaphore>,
    pub(super) remote: Arc<Remote<St>>,
}

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) key: Arc<KeyFn>,
    pub(super) answerable: Arc<AnswerableFn>,
    pub(super) limits: Limits,
    pub(super) mark_ttl: Duration,
    pub(super) run_timeout: Duration,
    pub(super) retry_delays: Vec<Duration>,
    pub(super) fallback: Reply,
    pub(super) late_reply: Option<Arc<Hook>>,
    pub(super) is_fail_closed: bool,
    pub(super) runs_inline: bool,
}

type KeyFn = dyn Fn(&Request<Verified>) -> Key + Send + Sync;
type AnswerableFn = dyn Fn(&Request<Verified>) -> bool + Send + Sync;

/// What this node knows and does.
#[derive(Debug)]
pub(super) struct Node {
    table: Mutex<Table>,
    pub(super) hang_ups: HangUps,
    pub(super) tasks: TaskTracker,
    /// A permit for each outcome that waits for the store to come back.
    pub(super) unpublished: Arc<Semaphore>,
    /// No new message is run any more.
    pub(super) draining: CancellationToken,
    /// What still runs is to stop.
    pub(super) cut: CancellationToken,
}

impl Shared<Alone> {
    pub(super) fn new(settings: Settings, max_running: usize) -> Self {
        Self {
            settings: Arc::new(settings),
            node: Arc::new(Node {
                table: Mutex::new(Table::new()),
                hang_ups: HangUps::default(),
                tasks: TaskTracker::new(),
                unpublished: permits(MAX_UNPUBLISHED),
                draining: CancellationToken::new(),
                cut: CancellationToken::new(),
            }),
            permits: permits(max_running),
            remote: Arc::new(Remote::new(Alone)),
        }
    }

    pub(super) fn with_store<St: Store>(self, store: St) -> Shared<St> {
        Shared {
            settings: self.settings,
            node: self.node,
            permits: self.permits,
            remote: Arc::new(Remote::new(store)),
        }
    }
}

impl<St> Shared<St> {
    pub(super) fn settings_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// A panic under the lock leaves nothing half done that a later call would trip over: each method
    /// of the table changes its counts and entries together.
    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        self.node
            .table
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// How long what is known of a message is kept that can be delivered again for `replayable`.
    pub(super) fn times(&self, replayable: Duration) -> Times {
        let mark = self.settings.mark_ttl.max(replayable);
        // While a node may still give the reply to a delivery or hand it over, the store has to know of it.
        let least = LEASE + FETCH_WAIT;
        let mark = mark.clamp(least, FOREVER);
        Times {
            lease: LEASE,
            reply: self.limits().reply_ttl.clamp(least, mark),
            mark,
        }
    }
}

pub(super) fn permits(max_running: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(max_running.min(Semaphore::MAX_PERMITS)))
}

// By hand, since derived code would ask it of the store too.
impl<St> Clone for Shared<St> {
    fn clone(&self) -> Self {
        Self {
            settings: Arc::clone(&self.settings),
            node: Arc::clone(&self.node),
            permits: Arc::clone(&self.permits),
            remote: Arc::clone(&self.remote),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("limits", &self.limits)
            .field("mark_ttl", &self.mark_ttl)
            .field("run_timeout", &self.run_timeout)
            .field("retry_delays", &self.retry_delays)
            .field("is_fail_closed", &self.is_fail_closed)
            .field("runs_inline", &self.runs_inline)
            .finish_non_exhaustive()
    }
}

/// Five renewals: one that is late costs nothing.
const LEASE: Duration = Duration::from_secs(5);

/// What ends beyond them while the store is away is known to this node alone.
const MAX_UNPUBLISHED: usize = 1024;
