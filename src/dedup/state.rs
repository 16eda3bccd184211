use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::Request;
use tokio::{sync::Notify, time::Instant};

use super::{
    Key,
    outcome::Outcome,
    table::{Claim, Limits, Owner, Table},
};
use crate::signature::Verified;

/// What a layer and all its services share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    table: Arc<Mutex<Table>>,
    /// Wakes those who wait for room in the table.
    room: Arc<Notify>,
    settings: Arc<Settings>,
}

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) key: Arc<KeyFn>,
    pub(super) limits: Limits,
    pub(super) run_timeout: Duration,
    pub(super) retry_delays: Vec<Duration>,
}

type KeyFn = dyn Fn(&Request<Verified>) -> Key + Send + Sync;

impl Shared {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            table: Arc::default(),
            room: Arc::default(),
            settings: Arc::new(settings),
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn settings_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }

    pub(super) fn claim(&self, key: Key) -> Claim {
        self.table()
            .claim(key, Instant::now(), &self.settings.limits)
    }

    pub(super) fn complete(&self, key: Key, owner: Owner, outcome: Outcome, mark_ttl: Duration) {
        let limits = &self.settings.limits;
        self.table()
            .complete(key, owner, outcome, Instant::now(), mark_ttl, limits);
        self.room.notify_waiters();
    }

    pub(super) fn release(&self, key: Key, owner: Owner) {
        if self.table().release(key, owner) {
            self.room.notify_waiters();
        }
    }

    /// Wakes those who wait for room. A claim after calling it and before awaiting it misses nothing.
    pub(super) fn room(&self) -> impl Future<Output = ()> {
        Arc::clone(&self.room).notified_owned()
    }

    /// A panic under the lock leaves nothing half done that a later call would trip over: each method
    /// of the table changes its counts and entries together.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("limits", &self.limits)
            .field("run_timeout", &self.run_timeout)
            .field("retry_delays", &self.retry_delays)
            .finish_non_exhaustive()
    }
}
