//! The access token, and its cache.

use std::{
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{
    call::Call,
    error::{Cause, Error},
};

/// An access token (`access_token`). Until it ends, its holder can act as the account.
///
/// `Debug` does not show it. Its memory is wiped when the last clone is dropped.
#[derive(Clone)]
pub struct AccessToken(Arc<Secret>);

struct Secret {
    token: Zeroizing<String>,
    ends_at: Instant,
}

impl AccessToken {
    /// Makes the token that ends in `expires_in`, which is at most a day.
    pub fn new(token: impl Into<String>, expires_in: Duration) -> Self {
        Self(Arc::new(Secret {
            token: Zeroizing::new(token.into()),
            ends_at: Instant::now() + expires_in.min(MAX_LIFE),
        }))
    }

    /// Returns the token as a URL's parameter `access_token` takes it, but not percent-encoded. Do not log it.
    pub fn as_str(&self) -> &str {
        &self.0.token
    }

    /// Returns how long the token is still valid.
    pub fn expires_in(&self) -> Duration {
        self.0.ends_at.saturating_duration_since(Instant::now())
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("expires_in", &self.expires_in())
            .finish_non_exhaustive()
    }
}

/// The latest token. At most one task fetches another one.
#[derive(Clone, Default)]
pub(super) struct TokenCache(Arc<Mutex<Slot>>);

#[derive(Default)]
enum Slot {
    #[default]
    Empty,
    /// With the former token, which is valid for a few minutes more.
    InFlight(Flight, Option<AccessToken>),
    Cached(AccessToken),
}

impl Slot {
    /// Takes the token that is there, which leaves nothing.
    fn take_token(&mut self) -> Option<AccessToken> {
        match mem::take(self) {
            Self::Empty => None,
            Self::InFlight(_, token) => token,
            Self::Cached(token) => Some(token),
        }
    }
}

type Flight = Shared<BoxFuture<'static, Result<AccessToken, Error>>>;

impl TokenCache {
    /// Returns the cached token. If too little is left of it, returns the one that `fetch` makes.
    ///
    /// The fetch is a task of its own: a caller that leaves cancels nothing.
    pub(super) async fn get<F>(&self, fetch: impl FnOnce() -> F) -> Result<AccessToken, Error>
    where
        F: Future<Output = Result<AccessToken, Error>> + Send + 'static,
    {
        // The guard does not live across the await.
        let flight = {
            let mut slot = self.lock();
            match &*slot {
                Slot::Cached(token) if token.expires_in() >= RENEWAL => return Ok(token.clone()),
                Slot::InFlight(flight, _) => flight.clone(),
                Slot::Empty | Slot::Cached(_) => {
                    let flight = self.fly(fetch());
                    let former = slot.take_token();
                    *slot = Slot::InFlight(flight.clone(), former);
                    flight
                }
            }
        };
        flight.await
    }

    /// Drops the token that WeChat has rejected, unless there is another one by now.
    pub(super) fn reject(&self, rejected: &AccessToken) {
        let mut slot = self.lock();
        let is_rejected = |token: &AccessToken| Arc::ptr_eq(&token.0, &rejected.0);
        match &mut *slot {
            Slot::Cached(token) if is_rejected(token) => *slot = Slot::Empty,
            Slot::InFlight(_, former) if former.as_ref().is_some_and(is_rejected) => *former = None,
            _ => {}
        }
    }

    fn fly(
        &self,
        fetch: impl Future<Output = Result<AccessToken, Error>> + Send + 'static,
    ) -> Flight {
        let landing = Landing(self.clone());
        async move {
            // Not before the first poll: if the runtime is shutting down, `spawn` drops the landing, which takes the lock.
            let task = tokio::spawn(async move { landing.land(fetch.await) });
            let no_result = |_| Err(Error::new(Call::Token, Cause::TokenTask));
            task.await.unwrap_or_else(no_result)
        }
        .boxed()
        .shared()
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        // Each change is one assignment, so a poisoned lock guards a whole slot.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a flight, also if its task panics or its runtime shuts down.
struct Landing(TokenCache);

impl Landing {
    /// Caches what was fetched. If the fetch failed, returns the former token as long as it is valid.
    fn land(self, fetched: Result<AccessToken, Error>) -> Result<AccessToken, Error> {
        let mut slot = self.0.lock();
        let former = slot.take_token();
        let landed = fetched.or_else(|error| match former {
            Some(former) if !former.expires_in().is_zero() => Ok(former),
            _ => Err(error),
        });
        if let Ok(token) = &landed {
            *slot = Slot::Cached(token.clone());
        }
        drop(slot);
        landed
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut slot = self.0.lock();
        if matches!(*slot, Slot::InFlight(..)) {
            *slot = Slot::Empty;
        }
    }
}

/// WeChat makes another token five minutes before the end of one, and accepts both for these minutes.
const RENEWAL: Duration = Duration::from_mins(5);

/// WeChat's tokens have two hours.
const MAX_LIFE: Duration = Duration::from_hours(24);
