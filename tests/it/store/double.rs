//! `MemoryStore` with one of the classic mistakes. The check of the contract has to notice each.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use http::HeaderValue;
use tokio::{task::yield_now, time::advance};
use tower_wechat::dedup::{
    Key, StoredResponse,
    contract::{self, Subject},
    store::{
        Acknowledged, Claim, ClaimId, Claimed, Completed, Ending, Found, MemoryStore, Released,
        Renewed, Run, Store,
    },
};

use super::SEED;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    /// A run that has lost its lease still renews and completes.
    NoClaimCheck,
    /// Of two claims at the same time, both get the message.
    TornClaim,
    /// An acknowledgement at the same time as a completion is lost.
    TornAcknowledgement,
    /// A release ends the run and the holds of all claims.
    ReleasesAll,
    /// A key lives as long as its lease.
    ForgetsWithTheLease,
    /// A message that has been lost begins anew when its lease is renewed.
    ForgetsTheAge,
    /// Releasing a message that the store has forgotten looks like a hold of another claim.
    UnclaimedIsHeld,
    /// A late reply is not kept.
    ForgetsTheLateReply,
    /// Nobody takes over a late reply.
    LeavesTheLateReply,
    /// A late reply that has been sent stays late.
    KeepsTheLateReply,
    /// Releasing a message that has not been completed looks like a hold of another claim.
    NotCompletedIsHeld,
    /// The fingerprint is the last claim's.
    ForgetsTheFingerprint,
    /// A message with a reply looks as if it had just been seen.
    ForgetsTheAgeOfReplies,
    /// A response without a content type comes back with an empty one.
    GivesAContentType,
    /// The nodes do not see each other's messages.
    KeepsToItself,
}

#[derive(Clone)]
struct Double {
    mistake: Mistake,
    store: MemoryStore,
    /// Each message's claims, the one that has got it last at the end.
    claims: Arc<Mutex<HashMap<Key, Vec<ClaimId>>>>,
    /// Operations that have begun and not ended.
    under_way: Arc<AtomicUsize>,
}

impl Double {
    fn claims(&self, key: Key) -> Vec<ClaimId> {
        let claims = self.claims.lock().unwrap();
        claims.get(&key).cloned().unwrap_or_default()
    }

    /// Lets the other operation of the same time begin. Returns whether there is one.
    async fn meet(&self) -> bool {
        self.under_way.fetch_add(1, SeqCst);
        yield_now().await;
        let meets = self.under_way.load(SeqCst) > 1;
        yield_now().await;
        self.under_way.fetch_sub(1, SeqCst);
        meets
    }

    fn changed(&self, mut claim: Claim) -> Claim {
        if self.mistake == Mistake::ForgetsWithTheLease {
            claim.ttls.mark = claim.ttls.lease;
        }
        if self.mistake == Mistake::NoClaimCheck {
            claim.id = self.claims(claim.key).pop().unwrap_or(claim.id);
        }
        claim
    }
}

impl Store for Double {
    type Error = Infallible;

    async fn claim(&self, claim: Claim) -> Result<Found, Infallible> {
        let is_torn = self.meet().await && self.mistake == Mistake::TornClaim;
        let id = claim.id;
        let mut claim = self.changed(claim);
        claim.id = id;
        let own = claim.fingerprint;
        let mut found = self.store.claim(claim).await?;
        if self.mistake == Mistake::ForgetsTheFingerprint {
            found.fingerprint = own;
        }
        found.claimed = match found.claimed {
            Claimed::Running { age, .. } if is_torn => Claimed::Won(Run::new(age, 1)),
            Claimed::TakenOver(_) if self.mistake == Mistake::LeavesTheLateReply => Claimed::Done,
            Claimed::Replied { response, .. }
                if self.mistake == Mistake::ForgetsTheAgeOfReplies =>
            {
                let age = Duration::ZERO;
                Claimed::Replied { age, response }
            }
            Claimed::Replied { age, response } if self.mistake == Mistake::GivesAContentType => {
                let content_type = response.content_type().cloned();
                let content_type = content_type.unwrap_or(HeaderValue::from_static(""));
                let (status, body) = (response.status(), response.body());
                let response = StoredResponse::new(status, Some(content_type), body);
                Claimed::Replied { age, response }
            }
            claimed => claimed,
        };
        let mut claims = self.claims.lock().unwrap();
        let claims = claims.entry(claim.key).or_default();
        if let Claimed::Won(_) | Claimed::Replied { .. } = found.claimed {
            claims.retain(|claim| *claim != id);
            claims.push(id);
        }
        Ok(found)
    }

    async fn renew(&self, claim: Claim, run: Run) -> Result<Renewed, Infallible> {
        self.meet().await;
        let age = match self.mistake {
            Mistake::ForgetsTheAge => Duration::ZERO,
            _ => run.age,
        };
        let run = Run::new(age, run.number);
        self.store.renew(self.changed(claim), run).await
    }

    async fn complete(&self, claim: Claim, ending: Ending) -> Result<Completed, Infallible> {
        self.meet().await;
        let claim = self.changed(claim);
        if self.mistake == Mistake::KeepsTheLateReply && ending == Ending::Nothing {
            let ending = Ending::Late(StoredResponse::success());
            return self.store.complete(claim, ending).await;
        }
        let completed = self.store.complete(claim, ending).await?;
        if self.mistake == Mistake::ForgetsTheLateReply && completed == Completed::Acknowledged {
            return self.store.complete(claim, Ending::Nothing).await;
        }
        Ok(completed)
    }

    async fn acknowledge(&self, claim: Claim) -> Result<Acknowledged, Infallible> {
        if self.meet().await && self.mistake == Mistake::TornAcknowledgement {
            return Ok(Acknowledged::Recorded);
        }
        self.store.acknowledge(claim).await
    }

    async fn release(&self, claim: Claim) -> Result<Released, Infallible> {
        self.meet().await;
        let released = self.store.release(claim).await?;
        Ok(match (self.mistake, released) {
            (Mistake::UnclaimedIsHeld, Released::Unclaimed)
            | (Mistake::NotCompletedIsHeld, Released::NotCompleted) => Released::HeldElsewhere,
            (Mistake::ReleasesAll, Released::HeldElsewhere) => {
                let mut last = Released::HeldElsewhere;
                for id in self.claims(claim.key) {
                    let claim = Claim::new(claim.key, id, claim.ttls);
                    last = self.store.release(claim).await?;
                }
                last
            }
            (_, released) => released,
        })
    }
}

impl Subject for Mistake {
    type Store = Double;

    fn nodes(&self) -> [Double; 2] {
        let store = Double {
            mistake: *self,
            store: MemoryStore::new(),
            claims: Arc::default(),
            under_way: Arc::default(),
        };
        let mut other = store.clone();
        if *self == Mistake::KeepsToItself {
            other.store = MemoryStore::new();
        }
        [store, other]
    }

    async fn pass(&self, _keys: &[Key], time: Duration) {
        advance(time).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_contract_is_violated_by_each_classic_mistake() {
    for mistake in [
        Mistake::NoClaimCheck,
        Mistake::TornClaim,
        Mistake::TornAcknowledgement,
        Mistake::ReleasesAll,
        Mistake::ForgetsWithTheLease,
        Mistake::ForgetsTheAge,
        Mistake::UnclaimedIsHeld,
        Mistake::ForgetsTheLateReply,
        Mistake::LeavesTheLateReply,
        Mistake::KeepsTheLateReply,
        Mistake::NotCompletedIsHeld,
        Mistake::ForgetsTheFingerprint,
        Mistake::ForgetsTheAgeOfReplies,
        Mistake::GivesAContentType,
        Mistake::KeepsToItself,
    ] {
        let checked = contract::check(&mistake, 20_000, SEED).await;
        let violation = checked.expect_err(&format!("{mistake:?} is not noticed"));
        // The shortest sequences take a few steps.
        let steps = violation.to_string().lines().count() - 1;
        assert!((1..=8).contains(&steps), "{mistake:?}: {violation}");
    }
}
