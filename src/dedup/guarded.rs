//! Which operations of the store are tried while it is away, and how long each may take.

use std::time::Duration;

use futures_util::{TryFutureExt as _, future::BoxFuture};
use tokio::time::Instant;

use super::{
    store::{Acknowledged, Claim, Claimed, Completed, Ending, Released, Renewed, Run, Store},
    table::Task,
};
use crate::{
    breaker::{Guarded, TIMEOUT, Unavailable},
    key::differ,
    observe,
};

/// A [`Store`] whose operations end soon, with an answer or without one.
///
/// The operations that cost a reply or a lease if they are left out are tried although it is away: all but `claim`, `claim_for`,
/// `complete` and `acknowledge`.
pub(super) trait GuardedStore: Send + Sync {
    /// Whether the store is left alone.
    fn is_away(&self) -> bool;

    /// Whether it has failed lately, during the life of a message.
    fn was_away(&self) -> bool;

    /// When the other nodes have told a store that was away what they know.
    fn caught_up(&self) -> Instant;

    fn claim(&self, claim: Claim) -> Answer<'_, Claimed>;

    /// [`claim`](Self::claim) for a task. Its message may have begun with another body, which is reported once.
    fn claim_for<'a>(
        &'a self,
        claim: Claim,
        task: &'a Task,
        account: &'a str,
    ) -> Answer<'a, Claimed>;

    /// [`claim`](Self::claim) by a task that has ended or ends, to learn what became of the reply, or to make the store know it
    /// again. The answer may take as long as `timeout`.
    fn claim_again(&self, claim: Claim, timeout: Duration) -> Answer<'_, Claimed>;

    fn renew(&self, claim: Claim, run: Run) -> Answer<'_, Renewed>;

    fn complete(&self, claim: Claim, ending: Ending) -> Answer<'_, Completed>;

    /// [`complete`](Self::complete) once more.
    fn publish(&self, claim: Claim, ending: Ending) -> Answer<'_, Completed>;

    fn acknowledge(&self, claim: Claim) -> Answer<'_, Acknowledged>;

    fn release(&self, claim: Claim) -> Answer<'_, Released>;
}

type Answer<'a, T> = BoxFuture<'a, Result<T, Unavailable>>;

impl<St: Store> GuardedStore for Guarded<St> {
    fn is_away(&self) -> bool {
        Guarded::is_away(self)
    }

    fn was_away(&self) -> bool {
        Guarded::was_away(self)
    }

    fn caught_up(&self) -> Instant {
        Guarded::caught_up(self)
    }

    fn claim(&self, claim: Claim) -> Answer<'_, Claimed> {
        let asked = self.unless_away("claim", move |store| store.claim(claim));
        Box::pin(asked.map_ok(|found| found.claimed))
    }

    fn claim_for<'a>(
        &'a self,
        claim: Claim,
        task: &'a Task,
        account: &'a str,
    ) -> Answer<'a, Claimed> {
        let asked = self.unless_away("claim", move |store| store.claim(claim));
        Box::pin(asked.map_ok(move |found| {
            if differ(claim.fingerprint, found.fingerprint) && task.differs_for_the_first_time() {
                observe::retry_differs(account, claim.key.observed());
            }
            found.claimed
        }))
    }

    fn claim_again(&self, claim: Claim, timeout: Duration) -> Answer<'_, Claimed> {
        let asked = self.ask("claim", timeout, move |store| store.claim(claim));
        Box::pin(asked.map_ok(|found| found.claimed))
    }

    fn renew(&self, claim: Claim, run: Run) -> Answer<'_, Renewed> {
        Box::pin(self.ask("renew", TIMEOUT, move |store| store.renew(claim, run)))
    }

    fn complete(&self, claim: Claim, ending: Ending) -> Answer<'_, Completed> {
        Box::pin(self.unless_away("complete", move |store| store.complete(claim, ending)))
    }

    fn publish(&self, claim: Claim, ending: Ending) -> Answer<'_, Completed> {
        Box::pin(self.ask("publish", TIMEOUT, move |store| {
            store.complete(claim, ending)
        }))
    }

    fn acknowledge(&self, claim: Claim) -> Answer<'_, Acknowledged> {
        Box::pin(self.unless_away("acknowledge", move |store| store.acknowledge(claim)))
    }

    fn release(&self, claim: Claim) -> Answer<'_, Released> {
        Box::pin(self.ask("release", TIMEOUT, move |store| store.release(claim)))
    }
}
