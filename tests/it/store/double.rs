//! A store that makes one of the classic mistakes, which the suite has to notice.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    task::yield_now,
    time::{Instant, advance},
};
use tower_wechat::dedup::{
    Key, Outcome,
    store::{Acknowledged, Claim, Completed, Owner, Store, Times},
};

use super::{
    memory::paused,
    reference::Reference,
    suite::{Harness, suite},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    /// A run that has lost its lease still renews and completes.
    NoOwnerCheck,
    /// Claiming reads, then writes.
    TornClaim,
    /// Completing reads, then writes.
    TornCompletion,
    /// Acknowledging reads, then writes.
    TornAcknowledgement,
    /// Whoever releases ends everybody's lease and everybody's hold.
    AnybodyReleases,
    /// A key lives as long as its lease.
    ForgetsWithTheLease,
}

/// The model as a store.
#[derive(Clone)]
struct Double {
    mistake: Mistake,
    messages: Arc<Mutex<Reference>>,
}

impl Double {
    fn new(mistake: Mistake) -> Self {
        Self {
            mistake,
            messages: Arc::default(),
        }
    }

    /// Does what `change` does; in two steps, if `torn`, between which others have their way.
    async fn change<T>(
        &self,
        key: Key,
        torn: Option<Mistake>,
        change: impl FnOnce(&mut Reference) -> T,
    ) -> T {
        if Some(self.mistake) != torn {
            return change(&mut self.messages.lock().unwrap());
        }
        let mut read = self.messages.lock().unwrap().clone();
        yield_now().await;
        let answer = change(&mut read);
        self.messages.lock().unwrap().restore(key, &read);
        answer
    }

    fn checked(&self, key: Key, owner: Owner) -> Owner {
        let owns = || self.messages.lock().unwrap().owner(key);
        match self.mistake {
            Mistake::NoOwnerCheck => owns().unwrap_or(owner),
            _ => owner,
        }
    }

    fn times(&self, mut times: Times) -> Times {
        if self.mistake == Mistake::ForgetsWithTheLease {
            times.mark = times.lease;
        }
        times
    }
}

impl Store for Double {
    type Error = Infallible;

    async fn claim(&self, key: Key, owner: Owner, times: Times) -> Result<Claim, Infallible> {
        let times = self.times(times);
        Ok(self
            .change(key, Some(Mistake::TornClaim), |messages| {
                messages.claim(key, owner, Instant::now(), times)
            })
            .await)
    }

    async fn renew(
        &self,
        key: Key,
        owner: Owner,
        number: u32,
        times: Times,
    ) -> Result<bool, Infallible> {
        let (owner, times) = (self.checked(key, owner), self.times(times));
        Ok(self
            .change(key, None, |messages| {
                messages.renew(key, owner, number, Instant::now(), times)
            })
            .await)
    }

    async fn complete(
        &self,
        key: Key,
        owner: Owner,
        outcome: &Outcome,
        acknowledged: bool,
        times: Times,
    ) -> Result<Completed, Infallible> {
        let owner = self.checked(key, owner);
        Ok(self
            .change(key, Some(Mistake::TornCompletion), |messages| {
                messages.complete(key, owner, outcome, acknowledged, Instant::now(), times)
            })
            .await)
    }

    async fn acknowledge(&self, key: Key, owner: Owner) -> Result<Acknowledged, Infallible> {
        Ok(self
            .change(key, Some(Mistake::TornAcknowledgement), |messages| {
                messages.acknowledge(key, owner, Instant::now())
            })
            .await)
    }

    async fn release(&self, key: Key, owner: Owner) -> Result<bool, Infallible> {
        let mut messages = self.messages.lock().unwrap();
        if self.mistake != Mistake::AnybodyReleases {
            return Ok(messages.release(key, owner, Instant::now()));
        }
        let everybody = messages.owner(key).into_iter().chain(messages.holders(key));
        let everybody: Vec<_> = everybody.collect();
        let releases = everybody
            .into_iter()
            .map(|anybody| messages.release(key, anybody, Instant::now()));
        Ok(releases.fold(false, |last, is_last| last | is_last))
    }
}

impl Harness for Mistake {
    type Store = Double;

    const TOLERANCE: Duration = Duration::ZERO;

    fn nodes(&self) -> [Double; 2] {
        let store = Double::new(*self);
        [store.clone(), store]
    }

    async fn pass(&self, _keys: &[Key], time: Duration) {
        advance(time).await;
    }
}

#[track_caller]
fn check_noticed(mistake: Mistake) {
    let difference = suite(&paused(), &mistake, 20_000);
    assert!(difference.is_err(), "the suite does not notice {mistake:?}");
}

#[test]
fn the_suite_passes_a_store_without_mistakes() {
    suite(&paused(), &Mistake::None, 2_000).unwrap_or_else(|difference| panic!("{difference}"));
}

#[test]
fn the_suite_notices_each_classic_mistake() {
    check_noticed(Mistake::NoOwnerCheck);
    check_noticed(Mistake::TornClaim);
    check_noticed(Mistake::TornCompletion);
    check_noticed(Mistake::TornAcknowledgement);
    check_noticed(Mistake::AnybodyReleases);
    check_noticed(Mistake::ForgetsWithTheLease);
}
