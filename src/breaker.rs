//! A circuit breaker around a store or a mailbox.

use std::{
    fmt,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::time::{self, Instant};

use crate::observe;

/// It is away: nobody knows whether it has carried the operation out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unavailable;

/// A store or a mailbox whose operations end soon, with an answer or without one.
///
/// After [`FAILURES`] in a row it is left alone for [`PAUSE`], so that not every message waits for one that is away.
pub(crate) struct Guarded<T> {
    inner: T,
    /// What it is, for the log.
    name: &'static str,
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

impl<T> Guarded<T> {
    pub(crate) fn new(inner: T, name: &'static str) -> Self {
        Self {
            inner,
            name,
            breaker: Mutex::default(),
        }
    }

    /// Whether it is left alone.
    pub(crate) fn is_away(&self) -> bool {
        let away_until = self.breaker().away_until;
        away_until.is_some_and(|until| Instant::now() < until)
    }

    /// Whether it has failed lately, during the life of a message.
    pub(crate) fn was_away(&self) -> bool {
        let failed = self.breaker().failed;
        failed.is_some_and(|failed| failed.elapsed() < LATELY)
    }

    /// When the nodes have told one that was away what they know.
    pub(crate) fn caught_up(&self) -> Instant {
        let back = self.breaker().back;
        back.map_or_else(Instant::now, |back| back + CATCH_UP)
    }

    /// Asks for an operation, unless it is left alone.
    pub(crate) async fn unless_away<'a, A, E, F>(
        &'a self,
        operation: &'static str,
        asked: impl FnOnce(&'a T) -> F,
    ) -> Result<A, Unavailable>
    where
        F: Future<Output = Result<A, E>>,
        E: fmt::Display,
    {
        if self.is_away() {
            return Err(Unavailable);
        }
        self.ask(operation, TIMEOUT, asked).await
    }

    /// Asks for an operation.
    pub(crate) async fn ask<'a, A, E, F>(
        &'a self,
        operation: &'static str,
        timeout: Duration,
        asked: impl FnOnce(&'a T) -> F,
    ) -> Result<A, Unavailable>
    where
        F: Future<Output = Result<A, E>>,
        E: fmt::Display,
    {
        // The text is the inner one's too, and may panic.
        let asked = async { asked(&self.inner).await.map_err(|it| format!("{it:#}")) };
        let asked = AssertUnwindSafe(asked).catch_unwind();
        let mut asked = pin!(asked);
        // One in this process answers at once, and needs no clock.
        let mut started = None;
        let answer = if let Some(answer) = asked.as_mut().now_or_never() {
            Ok(answer)
        } else {
            started = Some(Instant::now());
            time::timeout(timeout, asked).await
        };
        let error = match answer {
            Ok(Ok(Ok(answer))) => {
                if self.breaker().succeeded() {
                    observe::is_back(self.name);
                }
                return Ok(answer);
            }
            Ok(Ok(Err(error))) => Some(error),
            Ok(Err(_panic)) => Some("it panicked".to_owned()),
            Err(_elapsed) => None,
        };
        let now = Instant::now();
        let is_known = self.breaker().failed(started.unwrap_or(now), now);
        match error {
            Some(error) => observe::store_failed(self.name, operation, is_known, &error),
            None => observe::store_silent(self.name, operation, is_known, timeout),
        }
        Err(Unavailable)
    }

    /// Each method of the breaker makes its change at once, so a poisoned lock guards a whole one.
    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Breaker {
    /// Returns whether it had been left alone.
    fn succeeded(&mut self) -> bool {
        if self.failures > 0 {
            self.back = Some(Instant::now());
        }
        self.failures = 0;
        self.away_until.take().is_some()
    }

    /// Returns whether the operation before had failed as well, so that the log has a warning already.
    ///
    /// Operations that were under way when it failed before are of the same failure, such as a lost connection.
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
pub(crate) const TIMEOUT: Duration = Duration::from_millis(250);

const FAILURES: u32 = 3;

/// The time in which every node has told a store that is back what it knows: each tells it every second.
pub(crate) const CATCH_UP: Duration = Duration::from_secs(2);

/// A message that takes longer has been acknowledged, or failed.
const LATELY: Duration = Duration::from_secs(30);

const PAUSE: Duration = Duration::from_secs(1);
