//! The reference as a store, also with one of the classic mistakes. The check of the contract has to notice each.

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
    Key,
    contract::{self, Subject},
    store::{
        AcknowledgeRequest, Acknowledged, ClaimId, ClaimRequest, Claimed, CompleteRequest,
        Completed, ReleaseRequest, Released, RenewRequest, Renewed, Store, Ttls,
    },
};

use super::{SEED, reference::Reference};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    /// A run that has lost its lease still renews and completes.
    NoClaimCheck,
    /// Claiming reads, then writes.
    TornClaim,
    /// Completing reads, then writes.
    TornCompletion,
    /// Acknowledging reads, then writes.
    TornAcknowledgement,
    /// A release ends the leases and holds of all claims.
    ReleasesAll,
    /// A key lives as long as its lease.
    ForgetsWithTheLease,
    /// Releasing a message that the store has forgotten looks like a hold of another claim.
    UnknownIsHeld,
    /// Releasing a message that has not been completed looks like a hold of another claim.
    NotCompletedIsHeld,
}

/// The reference as a store.
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

    /// Makes a change. With the mistake `torn`, it is made in two steps, and others may act between them.
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

    fn checked(&self, key: Key, id: ClaimId) -> ClaimId {
        let current = || self.messages.lock().unwrap().claim_of(key);
        match self.mistake {
            Mistake::NoClaimCheck => current().unwrap_or(id),
            _ => id,
        }
    }

    fn ttls(&self, ttls: Ttls) -> Ttls {
        if self.mistake == Mistake::ForgetsWithTheLease {
            return ttls.with_mark(ttls.lease);
        }
        ttls
    }
}

impl Store for Double {
    type Error = Infallible;

    async fn claim(&self, mut request: ClaimRequest) -> Result<Claimed, Infallible> {
        request.ttls = self.ttls(request.ttls);
        Ok(self
            .change(request.key, Some(Mistake::TornClaim), |messages| {
                messages.claim(request, Instant::now())
            })
            .await)
    }

    async fn renew(&self, mut request: RenewRequest) -> Result<Renewed, Infallible> {
        request.id = self.checked(request.key, request.id);
        request.ttls = self.ttls(request.ttls);
        Ok(self
            .change(request.key, None, |messages| {
                messages.renew(request, Instant::now())
            })
            .await)
    }

    async fn complete(&self, mut request: CompleteRequest<'_>) -> Result<Completed, Infallible> {
        request.id = self.checked(request.key, request.id);
        Ok(self
            .change(request.key, Some(Mistake::TornCompletion), |messages| {
                messages.complete(request, Instant::now())
            })
            .await)
    }

    async fn acknowledge(&self, request: AcknowledgeRequest) -> Result<Acknowledged, Infallible> {
        let torn = Some(Mistake::TornAcknowledgement);
        Ok(self
            .change(request.key, torn, |messages| {
                messages.acknowledge(request, Instant::now())
            })
            .await)
    }

    async fn release(&self, request: ReleaseRequest) -> Result<Released, Infallible> {
        let ReleaseRequest { key, .. } = request;
        let mut messages = self.messages.lock().unwrap();
        let released = messages.release(request, Instant::now());
        Ok(match (self.mistake, released) {
            (Mistake::UnknownIsHeld, Released::Unknown)
            | (Mistake::NotCompletedIsHeld, Released::NotCompleted) => Released::HeldElsewhere,
            (Mistake::ReleasesAll, Released::HeldElsewhere) => {
                let claims = messages.claim_of(key).into_iter();
                let claims: Vec<_> = claims.chain(messages.holders(key)).collect();
                let released = claims.into_iter().map(|id| {
                    let request = ReleaseRequest::new(key, id);
                    messages.release(request, Instant::now())
                });
                released.last().unwrap_or(Released::HeldElsewhere)
            }
            (_, released) => released,
        })
    }
}

impl Subject for Mistake {
    type Store = Double;

    fn nodes(&self) -> [Double; 2] {
        let store = Double::new(*self);
        [store.clone(), store]
    }

    async fn pass(&self, _keys: &[Key], time: Duration) {
        advance(time).await;
    }
}

/// The machine that the contract shows, and so `MemoryStore`, does what the reference does.
#[tokio::test(start_paused = true)]
async fn the_contract_agrees_with_the_reference() {
    contract::check(&Mistake::None, crate::cases(20_000).cases, SEED)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_contract_is_violated_by_each_classic_mistake() {
    for mistake in [
        Mistake::NoClaimCheck,
        Mistake::TornClaim,
        Mistake::TornCompletion,
        Mistake::TornAcknowledgement,
        Mistake::ReleasesAll,
        Mistake::ForgetsWithTheLease,
        Mistake::UnknownIsHeld,
        Mistake::NotCompletedIsHeld,
    ] {
        let checked = contract::check(&mistake, 20_000, SEED).await;
        let violation = checked.expect_err(&format!("{mistake:?} is not noticed"));
        // The shortest sequences take a few steps.
        let steps = violation.to_string().lines().count() - 1;
        assert!((1..=8).contains(&steps), "{mistake:?}: {violation}");
    }
}
