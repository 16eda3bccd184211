//! A circuit breaker around the store.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{TryFutureExt, future::BoxFuture};
use tokio::time::{self, Instant};

use super::store::{
    AcknowledgeRequest, Acknowledged, ClaimRequest, Claimed, CompleteRequest, Completed,
    ReleaseRequest, Released, RenewRequest, Renewed, Store,
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

    pub(super) async fn claim(&self, request: ClaimRequest) -> Result<Claimed, Unavailable> {
        let Some(store) = &self.store else {
            let age = Duration::ZERO;
            return Ok(Claimed::Run { age, number: 1 });
        };
        self.unless_away("claim", || store.claim(request)).await
    }

    /// Tried also while the store is left alone.
    pub(super) async fn renew(&self, request: RenewRequest) -> Result<Renewed, Unavailable> {
        let Some(store) = &self.store else {
            return Ok(Renewed::Yours);
        };
        self.attempt("renew", store.renew(request)).await
    }

    pub(super) async fn complete(
        &self,
        request: CompleteRequest<'_>,
    ) -> Result<Completed, Unavailable> {
        let Some(store) = &self.store else {
            return Ok(if request.is_acknowledged {
                Completed::Acknowledged
            } else {
                Completed::Stored
            });
        };
        self.unless_away("complete", || store.complete(request))
            .await
    }

    /// [`complete`](Self::complete), tried also while the store is left alone.
    pub(super) async fn publish(
        &self,
        request: CompleteRequest<'_>,
    ) -> Result<Completed, Unavailable> {
        match &self.store {
            Some(store) => self.attempt("publish", store.complete(request)).await,
            None => self.complete(request).await,
        }
    }

    pub(super) async fn acknowledge(
        &self,
        request: AcknowledgeRequest,
    ) -> Result<Acknowledged, Unavailable> {
        let Some(store) = &self.store else {
            return Ok(Acknowledged::Recorded);
        };
        self.unless_away("acknowledge", || store.acknowledge(request))
            .await
    }

    pub(super) async fn release(&self, request: ReleaseRequest) -> Result<Released, Unavailable> {
        let Some(store) = &self.store else {
            return Ok(Released::LastHold);
        };
        self.unless_away("release", || store.release(request)).await
    }

    async fn unless_away<'a, T>(
        &self,
        name: &'static str,
        operation: impl FnOnce() -> BoxFuture<'a, Result<T, String>>,
    ) -> Result<T, Unavailable> {
        if self.breaker().is_away(Instant::now()) {
            return Err(Unavailable);
        }
        self.attempt(name, operation()).await
    }

    async fn attempt<T>(
        &self,
        name: &'static str,
        operation: BoxFuture<'_, Result<T, String>>,
    ) -> Result<T, Unavailable> {
        match time::timeout(TIMEOUT, operation).await {
            Ok(Ok(answer)) => {
                if self.breaker().succeeded() {
                    observe::store_back();
                }
                return Ok(answer);
            }
            Ok(Err(error)) => {
                let is_known = self.breaker().failed(Instant::now());
                observe::store_failed(name, is_known, &error);
            }
            Err(_elapsed) => {
                let is_known = self.breaker().failed(Instant::now());
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
    fn succeeded(&mut self) -> bool {
        self.failures = 0;
        self.away_until.take().is_some()
    }

    /// Returns whether the operation before had failed as well, so that the log has a warning already.
    fn failed(&mut self, now: Instant) -> bool {
        let is_known = self.failures > 0;
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES {
            self.away_until = Some(now + PAUSE);
        }
        is_known
    }
}

impl fmt::Debug for GuardedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedStore").finish_non_exhaustive()
    }
}

/// A [`Store`] behind a pointer, so that the layers need not name its type. An error is its text.
pub(super) trait DynStore: Send + Sync {
    fn claim(&self, request: ClaimRequest) -> BoxFuture<'_, Result<Claimed, String>>;
    fn renew(&self, request: RenewRequest) -> BoxFuture<'_, Result<Renewed, String>>;
    fn complete<'a>(
        &'a self,
        request: CompleteRequest<'a>,
    ) -> BoxFuture<'a, Result<Completed, String>>;
    fn acknowledge(
        &self,
        request: AcknowledgeRequest,
    ) -> BoxFuture<'_, Result<Acknowledged, String>>;
    fn release(&self, request: ReleaseRequest) -> BoxFuture<'_, Result<Released, String>>;
}

impl<St: Store> DynStore for St {
    fn claim(&self, request: ClaimRequest) -> BoxFuture<'_, Result<Claimed, String>> {
        Box::pin(Store::claim(self, request).map_err(text))
    }

    fn renew(&self, request: RenewRequest) -> BoxFuture<'_, Result<Renewed, String>> {
        Box::pin(Store::renew(self, request).map_err(text))
    }

    fn complete<'a>(
        &'a self,
        request: CompleteRequest<'a>,
    ) -> BoxFuture<'a, Result<Completed, String>> {
        Box::pin(Store::complete(self, request).map_err(text))
    }

    fn acknowledge(
        &self,
        request: AcknowledgeRequest,
    ) -> BoxFuture<'_, Result<Acknowledged, String>> {
        Box::pin(Store::acknowledge(self, request).map_err(text))
    }

    fn release(&self, request: ReleaseRequest) -> BoxFuture<'_, Result<Released, String>> {
        Box::pin(Store::release(self, request).map_err(text))
    }
}

fn text(error: impl fmt::Display) -> String {
    format!("{error:#}")
}

/// A twentieth of the time that WeChat waits, and far more than a store on the same network needs.
const TIMEOUT: Duration = Duration::from_millis(250);

const FAILURES: u32 = 3;

const PAUSE: Duration = Duration::from_secs(1);
