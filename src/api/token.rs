//! The access token: kept, renewed before its end, and dropped when WeChat refuses it.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::{
    Api,
    call::Call,
    error::{Cause, Error},
};
use crate::observe;

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
    /// Makes a token that is valid for `expires_in`. A time of more than a day counts as a day.
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

    pub(super) fn is_usable(&self) -> bool {
        (1..=MAX_TOKEN).contains(&self.0.token.len())
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
pub(super) struct TokenCache(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// The latest token that WeChat has not rejected. Its end may have come.
    token: Option<AccessToken>,
    flight: Option<Flight>,
    /// The number of flights so far.
    flights: u64,
    /// A valid token is not renewed before.
    renewal_from: Option<Instant>,
}

/// A fetch of another token.
#[derive(Clone)]
struct Flight {
    number: u64,
    begun: Instant,
    /// How long callers wait for it.
    limit: Duration,
    landing: Shared<BoxFuture<'static, Result<AccessToken, Error>>>,
}

impl State {
    /// Ends the flight with this number. Returns `false` if there is another one by now, or none.
    fn end(&mut self, number: u64) -> bool {
        let ended = self.flight.take_if(|flight| flight.number == number);
        if ended.is_some() {
            self.renewal_from = Some(Instant::now() + RENEWAL_PAUSE);
        }
        ended.is_some()
    }
}

impl TokenCache {
    /// Returns the cached token while it is valid, and has it renewed if too little is left of it. Only a caller without a
    /// valid token waits.
    ///
    /// The fetch is a task of its own: a caller that leaves cancels nothing.
    pub(super) async fn get(&self, api: &Api) -> Result<AccessToken, Error> {
        // The guard does not live across the await.
        let (flight, valid) = {
            let mut state = self.lock();
            let now = Instant::now();
            let valid = state.token.as_ref().filter(|token| token.0.ends_at > now);
            let valid = valid.cloned();
            let is_stuck = |flight: &mut Flight| now >= flight.begun + flight.limit;
            state.flight.take_if(is_stuck);
            if let Some(token) = &valid
                && (token.0.ends_at >= now + RENEWAL
                    || state.flight.is_some()
                    || state.renewal_from.is_some_and(|from| now < from))
            {
                return Ok(token.clone());
            }
            let flight = state.flight.take();
            let flight = flight.unwrap_or_else(|| {
                state.flights += 1;
                Flight::begin(api, state.flights, now)
            });
            (state.flight.insert(flight).clone(), valid)
        };
        if let Some(token) = valid {
            // The first poll starts the task, which needs no other.
            let _ = flight.landing.now_or_never();
            return Ok(token);
        }
        let landed = timeout_at(flight.begun + flight.limit, flight.landing).await;
        landed.unwrap_or_else(|_elapsed| {
            let error = Error::new(Call::Token, Cause::Timeout(flight.limit));
            if self.lock().end(flight.number) {
                api.ended(Call::Token, flight.begun, Some(&error));
            }
            Err(error)
        })
    }

    /// Drops the token that WeChat has rejected, unless there is another one by now.
    pub(super) fn reject(&self, rejected: &AccessToken) {
        let is_rejected = |token: &mut AccessToken| Arc::ptr_eq(&token.0, &rejected.0);
        self.lock().token.take_if(is_rejected);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What a panic leaves behind is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    fn begin(api: &Api, number: u64, begun: Instant) -> Self {
        let landing = Landing {
            api: api.clone(),
            number,
            begun,
            has_landed: false,
        };
        let landing = async move {
            // Not before the first poll: if the runtime is shutting down, `spawn` drops the landing, which takes the lock.
            let task = async move {
                let api = landing.api.clone();
                landing.land(api.observed(Call::Token, api.fetch_token()).await)
            };
            let task = tokio::spawn(observe::in_current_span(task));
            let no_result = |_| Err(Error::new(Call::Token, Cause::TokenTask));
            task.await.unwrap_or_else(no_result)
        };
        Self {
            number,
            begun,
            limit: api.longest_call(),
            landing: landing.boxed().shared(),
        }
    }
}

/// Ends a flight, also if its task panics or its runtime shuts down.
struct Landing {
    api: Api,
    number: u64,
    begun: Instant,
    has_landed: bool,
}

impl Landing {
    /// Caches what was fetched, unless the flight was given up.
    fn land(mut self, fetched: Result<AccessToken, Error>) -> Result<AccessToken, Error> {
        self.has_landed = true;
        let mut state = self.api.tokens.lock();
        if state.end(self.number)
            && let Ok(token) = &fetched
        {
            state.token = Some(token.clone());
        }
        drop(state);
        fetched
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if !self.has_landed && self.api.tokens.lock().end(self.number) {
            // All who wait for it return the error, so none of them logs it.
            let error = Error::new(Call::Token, Cause::TokenTask);
            self.api.ended(Call::Token, self.begun, Some(&error));
        }
    }
}

/// WeChat makes another token five minutes before the end of one, and accepts both for these minutes.
const RENEWAL: Duration = Duration::from_mins(5);

/// Between two renewals. The first may have failed, or have brought a token that ends soon.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);

/// WeChat's tokens have two hours.
const MAX_LIFE: Duration = Duration::from_hours(24);

/// In bytes. WeChat's have 512 characters and more.
pub(super) const MAX_TOKEN: usize = 4096;
