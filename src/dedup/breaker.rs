//! A circuit breaker around the store.

use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt, TryFutureExt, future::BoxFuture};
use tokio::time::{self, Instant};

use super::{
    response::StoredResponse,
    store::{Acknowledged, Claim, Claimed, Completed, Released, Renewed, Run, Store},
};
use crate::observe;

/// The store, if there is one. Its operations end soon, with an answer or without one.
///
/// After [`FAILURES`] in a row the store is left alone for [`PAUSE`], so that not every message waits for a store
/// that is away. Operations that renew a claim or publish a completion are tried all the same.
///
/// Without a store this node is the only one, and every operation is agreed to at once.
pub(super) struct GuardedStore {
    store: Option<Box<dyn DynStore>>,
    breaker: Mutex<Breaker>,
}

/// The store is away: it is not known whether the operation was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unavailable;

#[derive(Debug, Default)]
struct Breaker {
    failures: u32,
    failed: Option<Instant>,
    /// When it answered again after it had failed last.
    back: Option<Instant>,
    away_until: Option<Instant>,
}

impl GuardedStore {
    pub(super) fn new(store: Option<Box<dyn DynStore>>) -> Self {
        Self {
            store,
            breaker: Mutex::default(),
        }
    }

    /// Whether other nodes may know of the messages.
    pub(super) fn is_shared(&self) -> bool {
        self.store.is_some()
    }

    /// Whether the store has failed several times in a row, and is left alone.
    pub(super) fn is_away(&self) -> bool {
        self.breaker().is_away(Instant::now())
    }

    /// Waits until the store, if it was away, has been back for [`SETTLES`].
    pub(super) async fn settled(&self) {
        let back = self.breaker().back;
        if let Some(back) = back {
            time::sleep_until(back + SETTLES).await;
        }
    }

    pub(super) async fn claim(&self, claim: Claim) -> Result<Claimed, Unavailable> {
        let alone = Claimed::Run(Run::new(Duration::ZERO, 1));
        self.unless_away("claim", alone, |store| store.claim(claim))
            .await
    }

    /// [`claim`](Self::claim) at the end of a message, to learn what reply the claim holds: tried also while the store is left
    /// alone, and for long, since nothing waits for it.
    pub(super) async fn claim_patiently(&self, claim: Claim) -> Result<Claimed, Unavailable> {
        let Some(store) = &self.store else {
            return Ok(Claimed::Done);
        };
        let claimed = AssertUnwindSafe(async { store.claim(claim).await }).catch_unwind();
        match time::timeout(LONG_TIMEOUT, claimed).await {
            Ok(Ok(Ok(claimed))) => Ok(claimed),
            _ => Err(Unavailable),
        }
    }

    /// Tried also while the store is left alone.
    pub(super) async fn renew(&self, claim: Claim, run: Run) -> Result<Renewed, Unavailable> {
        self.ask("renew", Renewed::Yours, |store| store.renew(claim, run))
            .await
    }

    pub(super) async fn complete(
        &self,
        claim: Claim,
        response: &StoredResponse,
        is_acknowledged: bool,
    ) -> Result<Completed, Unavailable> {
        self.unless_away("complete", Completed::Stored, |store| {
            store.complete(claim, response, is_acknowledged)
        })
        .await
    }

    /// [`complete`](Self::complete), tried also while the store is left alone.
    pub(super) async fn publish(
        &self,
        claim: Claim,
        response: &StoredResponse,
    ) -> Result<Completed, Unavailable> {
        self.ask("publish", Completed::Stored, |store| {
            store.complete(claim, response, false)
        })
        .await
    }

    pub(super) async fn acknowledge(&self, claim: Claim) -> Result<Acknowledged, Unavailable> {
        self.unless_away("acknowledge", Acknowledged::Recorded, |store| {
            store.acknowledge(claim)
        })
        .await
    }

    /// Tried also while the store is left alone: a hold that stays may cost a reply.
    pub(super) async fn release(&self, claim: Claim) -> Result<Released, Unavailable> {
        self.ask("release", Released::LastHold, |store| store.release(claim))
            .await
    }

    async fn unless_away<'a, T>(
        &'a self,
        name: &'static str,
        alone: T,
        operation: impl FnOnce(&'a dyn DynStore) -> Answer<'a, T>,
    ) -> Result<T, Unavailable> {
        if self.is_away() {
            return Err(Unavailable);
        }
        self.ask(name, alone, operation).await
    }

    /// Asks the store. Without one, the answer is `alone`.
    async fn ask<'a, T>(
        &'a self,
        name: &'static str,
        alone: T,
        operation: impl FnOnce(&'a dyn DynStore) -> Answer<'a, T>,
    ) -> Result<T, Unavailable> {
        let Some(store) = &self.store else {
            return Ok(alone);
        };
        let started = Instant::now();
        let asked = AssertUnwindSafe(async { operation(&**store).await }).catch_unwind();
        let answer = time::timeout(TIMEOUT, asked).await;
        match answer.map(|asked| asked.unwrap_or_else(|_panic| Err("it panicked".to_owned()))) {
            Ok(Ok(answer)) => {
                if self.breaker().succeeded(Instant::now()) {
                    observe::store_back();
                }
                return Ok(answer);
            }
            Ok(Err(error)) => {
                let is_known = self.breaker().failed(started, Instant::now());
                observe::store_failed(name, is_known, &error);
            }
            Err(_elapsed) => {
                let is_known = self.breaker().failed(started, Instant::now());
                observe::store_silent(name, is_known, TIMEOUT);
            }
        }
        Err(Unavailable)
    }

    /// Each method of the breaker makes its change at once, so a poisoned lock guards a whole one.
    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Breaker {
    fn is_away(&self, now: Instant) -> bool {
        self.away_until.is_some_and(|until| now < until)
    }

    /// Returns whether the store had been left alone.
    fn succeeded(&mut self, now: Instant) -> bool {
        if self.failures > 0 {
            self.back = Some(now);
        }
        self.failures = 0;
        self.away_until.take().is_some()
    }

    /// Returns whether the operation before had failed as well, so that the log has a warning already.
    ///
    /// Operations that were under way when the store failed before are of the same failure, such as a lost connection.
    fn failed(&mut self, started: Instant, now: Instant) -> bool {
        let is_known = self.failures > 0;
        if self.failed.is_none_or(|failed| failed < started) {
            self.failures = self.failures.saturating_add(1);
        }
        self.failed = Some(now);
        if self.failures >= FAILURES {
            self.away_until = Some(now + PAUSE);
        }
        is_known
    }
}

/// A [`Store`] behind a pointer, so that the layers need not name its type. An error is its text.
pub(super) trait DynStore: Send + Sync {
    fn claim(&self, claim: Claim) -> Answer<'_, Claimed>;
    fn renew(&self, claim: Claim, run: Run) -> Answer<'_, Renewed>;
    fn complete<'a>(
        &'a self,
        claim: Claim,
        response: &'a StoredResponse,
        is_acknowledged: bool,
    ) -> Answer<'a, Completed>;
    fn acknowledge(&self, claim: Claim) -> Answer<'_, Acknowledged>;
    fn release(&self, claim: Claim) -> Answer<'_, Released>;
}

type Answer<'a, T> = BoxFuture<'a, Result<T, String>>;

impl<St: Store> DynStore for St {
    fn claim(&self, claim: Claim) -> Answer<'_, Claimed> {
        Box::pin(Store::claim(self, claim).map_err(text))
    }

    fn renew(&self, claim: Claim, run: Run) -> Answer<'_, Renewed> {
        Box::pin(Store::renew(self, claim, run).map_err(text))
    }

    fn complete<'a>(
        &'a self,
        claim: Claim,
        response: &'a StoredResponse,
        is_acknowledged: bool,
    ) -> Answer<'a, Completed> {
        Box::pin(Store::complete(self, claim, response, is_acknowledged).map_err(text))
    }

    fn acknowledge(&self, claim: Claim) -> Answer<'_, Acknowledged> {
        Box::pin(Store::acknowledge(self, claim).map_err(text))
    }

    fn release(&self, claim: Claim) -> Answer<'_, Released> {
        Box::pin(Store::release(self, claim).map_err(text))
    }
}

fn text(error: impl fmt::Display) -> String {
    format!("{error:#}")
}

/// A twentieth of the time that WeChat waits, and far more than a store on the same network needs.
const TIMEOUT: Duration = Duration::from_millis(250);

const LONG_TIMEOUT: Duration = Duration::from_secs(2);

const FAILURES: u32 = 3;

/// The time in which every node has told a store that is back what it knows: each tells it every second.
pub(super) const SETTLES: Duration = Duration::from_secs(2);

const PAUSE: Duration = Duration::from_secs(1);
