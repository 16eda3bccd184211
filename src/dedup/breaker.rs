//! A circuit breaker around the store.

use std::{
    panic::AssertUnwindSafe,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::time::{self, Instant};

use super::store::{
    Acknowledged, Claim, Claimed, Completed, Ending, Released, Renewed, Run, Store,
};
use crate::observe;

/// A [`Store`] whose operations end soon, with an answer or without one.
///
/// After [`FAILURES`] in a row the store is left alone for [`PAUSE`], so that not every message waits for a store that is
/// away. The operations that cost a reply or a lease if they are left out are tried all the same: all but `claim`,
/// `complete` and `acknowledge`.
pub(super) trait GuardedStore: Send + Sync {
    /// Whether the store is left alone.
    fn is_away(&self) -> bool;

    /// Whether it has failed lately, during the life of a message.
    fn was_away(&self) -> bool;

    /// When the other nodes have told a store that was away what they know.
    fn caught_up(&self) -> Instant;

    fn claim(&self, claim: Claim) -> Answer<'_, Claimed>;

    /// [`claim`](Self::claim) at the end of a message, to learn what reply the claim holds. Nothing waits for it, so it may
    /// take long.
    fn claim_patiently(&self, claim: Claim) -> Answer<'_, Claimed>;

    fn renew(&self, claim: Claim, run: Run) -> Answer<'_, Renewed>;

    fn complete(&self, claim: Claim, ending: Ending) -> Answer<'_, Completed>;

    /// [`complete`](Self::complete) once more.
    fn publish(&self, claim: Claim, ending: Ending) -> Answer<'_, Completed>;

    fn acknowledge(&self, claim: Claim) -> Answer<'_, Acknowledged>;

    fn release(&self, claim: Claim) -> Answer<'_, Released>;
}

type Answer<'a, T> = BoxFuture<'a, Result<T, Unavailable>>;

/// The store is away: it is not known whether the operation was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unavailable;

pub(super) struct Guarded<St> {
    store: St,
    breaker: Mutex<Breaker>,
}

#[derive(Debug, Default)]
struct Breaker {
    failures: u32,
    failed: Option<Instant>,
    /// When it answered again after it had failed last.
    back: Option<Instant>,
    away_until: Option<Instant>,
}

impl<St: Store> GuardedStore for Guarded<St> {
    fn is_away(&self) -> bool {
        let away_until = self.breaker().away_until;
        away_until.is_some_and(|until| Instant::now() < until)
    }

    fn was_away(&self) -> bool {
        let failed = self.breaker().failed;
        failed.is_some_and(|failed| failed.elapsed() < LATELY)
    }

    fn caught_up(&self) -> Instant {
        let back = self.breaker().back;
        back.map_or_else(Instant::now, |back| back + CATCH_UP)
    }

    fn claim(&self, claim: Claim) -> Answer<'_, Claimed> {
        self.unless_away("claim", move |store| store.claim(claim))
    }

    fn claim_patiently(&self, claim: Claim) -> Answer<'_, Claimed> {
        self.ask("claim", LONG_TIMEOUT, move |store| store.claim(claim))
    }

    fn renew(&self, claim: Claim, run: Run) -> Answer<'_, Renewed> {
        self.ask("renew", TIMEOUT, move |store| store.renew(claim, run))
    }

    fn complete(&self, claim: Claim, ending: Ending) -> Answer<'_, Completed> {
        self.unless_away("complete", move |store| store.complete(claim, ending))
    }

    fn publish(&self, claim: Claim, ending: Ending) -> Answer<'_, Completed> {
        self.ask("publish", TIMEOUT, move |store| {
            store.complete(claim, ending)
        })
    }

    fn acknowledge(&self, claim: Claim) -> Answer<'_, Acknowledged> {
        self.unless_away("acknowledge", move |store| store.acknowledge(claim))
    }

    fn release(&self, claim: Claim) -> Answer<'_, Released> {
        self.ask("release", TIMEOUT, move |store| store.release(claim))
    }
}

impl<St: Store> Guarded<St> {
    pub(super) fn new(store: St) -> Self {
        Self {
            store,
            breaker: Mutex::default(),
        }
    }

    fn unless_away<'a, T, F>(
        &'a self,
        name: &'static str,
        operation: impl FnOnce(&'a St) -> F + Send + 'a,
    ) -> Answer<'a, T>
    where
        F: Future<Output = Result<T, St::Error>> + Send,
        T: Send + 'a,
    {
        if self.is_away() {
            return Box::pin(async { Err(Unavailable) });
        }
        self.ask(name, TIMEOUT, operation)
    }

    fn ask<'a, T, F>(
        &'a self,
        name: &'static str,
        timeout: Duration,
        operation: impl FnOnce(&'a St) -> F + Send + 'a,
    ) -> Answer<'a, T>
    where
        F: Future<Output = Result<T, St::Error>> + Send,
    {
        Box::pin(async move {
            let started = Instant::now();
            let asked = AssertUnwindSafe(async { operation(&self.store).await }).catch_unwind();
            let answer = time::timeout(timeout, asked).await;
            let now = Instant::now();
            let error = match answer {
                Ok(Ok(Ok(answer))) => {
                    if self.breaker().succeeded(now) {
                        observe::store_back();
                    }
                    return Ok(answer);
                }
                Ok(Ok(Err(error))) => Some(format!("{error:#}")),
                Ok(Err(_panic)) => Some("it panicked".to_owned()),
                Err(_elapsed) => None,
            };
            let is_known = self.breaker().failed(started, now);
            match error {
                Some(error) => observe::store_failed(name, is_known, &error),
                None => observe::store_silent(name, is_known, timeout),
            }
            Err(Unavailable)
        })
    }

    /// Each method of the breaker makes its change at once, so a poisoned lock guards a whole one.
    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Breaker {
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

/// A twentieth of the time that WeChat waits, and far more than a store on the same network needs.
const TIMEOUT: Duration = Duration::from_millis(250);

const LONG_TIMEOUT: Duration = Duration::from_secs(2);

const FAILURES: u32 = 3;

/// The time in which every node has told a store that is back what it knows: each tells it every second.
pub(super) const CATCH_UP: Duration = Duration::from_secs(2);

/// A message that takes longer has been acknowledged, or failed.
const LATELY: Duration = Duration::from_secs(30);

const PAUSE: Duration = Duration::from_secs(1);
