//! The store, as one that may be away.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{self, Instant};

use super::{
    Key, Outcome,
    store::{Acknowledged, Claim, Completed, Owner, Store, Times},
};
use crate::observe;

/// A store whose operations end soon, one way or the other.
///
/// After [`FAILURES`] in a row it is left alone for [`PAUSE`], so that not every message waits for a store
/// that is away. What keeps a claim or makes a completion known is tried all the same.
pub(super) struct Remote<St> {
    store: St,
    health: Mutex<Health>,
}

/// The store is away: nobody knows whether the operation was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Away;

#[derive(Debug, Default)]
struct Health {
    failures: u32,
    away_until: Option<Instant>,
}

impl<St: Store> Remote<St> {
    pub(super) fn new(store: St) -> Self {
        Self {
            store,
            health: Mutex::default(),
        }
    }

    pub(super) async fn claim(&self, key: Key, owner: Owner, times: Times) -> Result<Claim, Away> {
        self.unless_away("claim", || self.store.claim(key, owner, times))
            .await
    }

    /// Whether the message is still the owner's.
    pub(super) async fn renew(
        &self,
        key: Key,
        owner: Owner,
        number: u32,
        times: Times,
    ) -> Result<bool, Away> {
        self.attempt("renew", self.store.renew(key, owner, number, times))
            .await
    }

    pub(super) async fn complete(
        &self,
        key: Key,
        owner: Owner,
        outcome: &Outcome,
        acknowledged: bool,
        times: Times,
    ) -> Result<Completed, Away> {
        self.unless_away("complete", || {
            self.store
                .complete(key, owner, outcome, acknowledged, times)
        })
        .await
    }

    /// [`complete`](Self::complete), also while the store is left alone.
    pub(super) async fn publish(
        &self,
        key: Key,
        owner: Owner,
        outcome: &Outcome,
        acknowledged: bool,
        times: Times,
    ) -> Result<Completed, Away> {
        self.attempt(
            "publish",
            self.store
                .complete(key, owner, outcome, acknowledged, times),
        )
        .await
    }

    pub(super) async fn acknowledge(&self, key: Key, owner: Owner) -> Result<Acknowledged, Away> {
        self.unless_away("acknowledge", || self.store.acknowledge(key, owner))
            .await
    }

    pub(super) async fn release(&self, key: Key, owner: Owner) -> Result<bool, Away> {
        self.unless_away("release", || self.store.release(key, owner))
            .await
    }

    async fn unless_away<T, F>(
        &self,
        name: &'static str,
        operation: impl FnOnce() -> F,
    ) -> Result<T, Away>
    where
        F: Future<Output = Result<T, St::Error>>,
    {
        if self.health().is_away(Instant::now()) {
            return Err(Away);
        }
        self.attempt(name, operation()).await
    }

    async fn attempt<T>(
        &self,
        name: &'static str,
        operation: impl Future<Output = Result<T, St::Error>>,
    ) -> Result<T, Away> {
        match time::timeout(TIMEOUT, operation).await {
            Ok(Ok(answer)) => {
                if self.health().succeeded() {
                    observe::store_back();
                }
                return Ok(answer);
            }
            Ok(Err(error)) => {
                let is_known = self.health().failed(Instant::now());
                observe::store_failed(name, is_known, &error.into());
            }
            Err(_elapsed) => {
                let is_known = self.health().failed(Instant::now());
                observe::store_silent(name, is_known, TIMEOUT);
            }
        }
        Err(Away)
    }

    /// Each change is made at once, so a panic leaves none half made.
    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Health {
    fn is_away(&self, now: Instant) -> bool {
        self.away_until.is_some_and(|until| now < until)
    }

    /// Says whether the store had been left alone.
    fn succeeded(&mut self) -> bool {
        self.failures = 0;
        self.away_until.take().is_some()
    }

    /// Says whether the store had been left alone.
    fn failed(&mut self, now: Instant) -> bool {
        let is_known = self.away_until.is_some();
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES {
            self.away_until = Some(now + PAUSE);
        }
        is_known
    }
}

impl<St> fmt::Debug for Remote<St> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").finish_non_exhaustive()
    }
}

/// A twentieth of what WeChat waits, and far more than a store on the same network needs.
const TIMEOUT: Duration = Duration::from_millis(250);

const FAILURES: u32 = 3;

const PAUSE: Duration = Duration::from_secs(1);
