//! Runs that end without a result.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use tower_wechat::dedup::{
    StoredResponse,
    store::{Acknowledged, Claim, ClaimId, Claimed, Completed, Released, Renewed, Run, Store},
};

use super::*;

/// A store that panics when a message is claimed.
#[derive(Clone, Default)]
struct Panicking(Arc<Mutex<HashSet<ClaimId>>>);

impl Store for Panicking {
    type Error = Infallible;

    async fn claim(&self, claim: Claim) -> Result<Claimed, Infallible> {
        self.0.lock().unwrap().insert(claim.id);
        panic!("this store panics")
    }

    async fn renew(&self, _: Claim, _: Run) -> Result<Renewed, Infallible> {
        Ok(Renewed::Lost)
    }

    async fn complete(
        &self,
        _: Claim,
        _: &StoredResponse,
        _: bool,
    ) -> Result<Completed, Infallible> {
        Ok(Completed::Lost)
    }

    async fn acknowledge(&self, _: Claim) -> Result<Acknowledged, Infallible> {
        Ok(Acknowledged::Recorded)
    }

    async fn release(&self, _: Claim) -> Result<Released, Infallible> {
        Ok(Released::Unknown)
    }
}

/// Another one would be lost as well, and each costs the store its operations.
#[tokio::test(start_paused = true)]
async fn a_delivery_gives_up_after_four_lost_runs() {
    let store = Panicking::default();
    let (stack, _runs) = stack(&DedupLayer::shared(store.clone()));
    let begun = Instant::now();
    let delivery = stack.deliver(&text("user", "1", "hi")).await;
    check(&delivery.await.unwrap(), 503, "");
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(store.0.lock().unwrap().len(), 4);
}
