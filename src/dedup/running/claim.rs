//! How a message is claimed in the store, or the node that has it is followed.

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::future::select;
use tokio::time::{self, Instant};

use super::{InStore, RunningMessage, Stage};
use crate::{
    breaker::Unavailable,
    dedup::{
        finished::Origin,
        guarded::GuardedStore,
        machine::FOREVER,
        node::{FETCH_WAIT, FIRST_POLL, LAST_POLL, LEASE, MAX_CLAIM_FAILURES, RENEWAL},
        store::{Claimed, Completed, Released, Run},
    },
    late::LateCause,
};

impl RunningMessage {
    /// Claims the message among all nodes, or waits for the node that has it. Returns `Running` if no delivery here waits
    /// for that node any more, and `None` if nobody can tell who has the message then.
    ///
    /// By this node's clock, another node has it until `leased_until`.
    pub(super) async fn claim(
        &mut self,
        store: &dyn GuardedStore,
        own_number: u32,
        mut leased_until: Option<Instant>,
    ) -> Option<Claimed> {
        let mut next_pause = FIRST_POLL;
        let mut asked_until = None;
        let mut failures = 0;
        loop {
            let pause = next_pause;
            next_pause = (pause * 2).min(LAST_POLL);
            self.in_store = InStore::ASKED;
            let claimed = store
                .claim_for(self.own_claim(), &self.task, self.account())
                .await;
            match &claimed {
                Ok(Claimed::Won(run)) => {
                    self.in_store.runs_here = true;
                    let is_first = self.task.begins_with(run.number.max(own_number));
                    self.seen_by_store(run.age, is_first);
                }
                Ok(Claimed::Running { age, .. } | Claimed::Replied { age, .. }) => {
                    self.seen_by_store(*age, false);
                }
                _ => {}
            }
            match claimed {
                Ok(Claimed::Running { age, lease }) => {
                    self.in_store.may_have_claim = false;
                    // A result of its own is there if the other node is lost. A part is fetched again, and what WeChat retries
                    // after is made again.
                    self.finished
                        .take_if(|finished| !finished.is_own() || finished.is_retried_after());
                    if self.finished.is_some() {
                        self.permit = None;
                    }
                    // It may never run here.
                    self.turn = None;
                    (failures, asked_until) = (0, None);
                    // A store may answer nonsense, but not make a time that no clock can tell.
                    let lease = lease.min(FOREVER);
                    self.observed.record_join_elsewhere(self.account());
                    // What an acknowledgement here may have taken hold of meanwhile, the heir asks for.
                    if !self.is_wanted() {
                        return Some(Claimed::Running { age, lease });
                    }
                    leased_until = Some(Instant::now() + lease);
                    // Not a moment before the lease is over, by the store's clock.
                    let rest = lease + Duration::from_millis(1);
                    let paused = time::sleep(pause.min(rest.max(FIRST_POLL)));
                    if self.node.settings.runs_inline {
                        let answered = self.task.is_left();
                        select(pin!(paused), pin!(answered)).await;
                    } else {
                        paused.await;
                    }
                }
                Ok(claimed) => return Some(claimed),
                Err(Unavailable) => {
                    failures += 1;
                    let is_away = failures >= MAX_CLAIM_FAILURES || store.is_away();
                    if is_away && self.may_run_alone(leased_until) {
                        return Some(Claimed::Won(Run::new(Duration::ZERO, own_number)));
                    }
                    time::sleep(pause).await;
                    // The claim may have been carried out, and may hold the reply. So this task stays until the store answers,
                    // or until the reply's time is over.
                    let now = Instant::now();
                    let until = asked_until.get_or_insert(now + LEASE + FETCH_WAIT);
                    if now >= *until && !self.has_audience() {
                        // The other node is not known to be lost.
                        self.finished = None;
                        return None;
                    }
                }
            }
        }
    }

    /// Watches the node that hands the late reply over, and takes it over if that node is lost.
    pub(super) async fn watch(&mut self, mut lease: Duration) {
        let node = Arc::clone(&self.node);
        let Some(store) = &node.store else { return };
        self.permit = None;
        // Unless that node renews it, the store has forgotten the message by then.
        let forgotten = || Instant::now() + self.task.claim.ttls.mark;
        let mut until = forgotten();
        loop {
            // Not a moment before the lease is over, by the store's clock.
            time::sleep(lease.clamp(FIRST_POLL, LEASE) + Duration::from_millis(1)).await;
            // If the answer does not come, the heir asks what the claim holds, and releases it.
            self.stage = Stage::Late(LateCause::Unfetched);
            self.in_store = InStore::ASKED;
            match store.claim(self.own_claim()).await {
                Ok(Claimed::Late { lease: its }) => {
                    self.stage = Stage::Over;
                    (lease, until) = (its, forgotten());
                }
                Ok(Claimed::TakenOver(response)) => {
                    self.finished = Some(self.finished(response, Origin::Store));
                    let cause = LateCause::Acknowledged;
                    self.stage = Stage::Late(cause);
                    return self.hand_over(cause, Ok(Completed::Acknowledged)).await;
                }
                Ok(Claimed::Won(_)) => {
                    // The store has lost the message: the other node sends what it has.
                    if store.release(self.own_claim()).await.is_ok() {
                        self.stage = Stage::Over;
                    }
                    return;
                }
                Ok(Claimed::Replied { response, .. }) => {
                    // The store has lost the message, and the other node has told it again. That node may leave the reply to this
                    // one.
                    self.finished = Some(self.finished(response, Origin::Store));
                    let told = Ok(Completed::Stored);
                    return self.hand_over(LateCause::Unfetched, told).await;
                }
                Err(Unavailable) if Instant::now() < until => lease = RENEWAL,
                Ok(Claimed::Running { .. } | Claimed::Done) => {
                    self.stage = Stage::Over;
                    return;
                }
                Err(Unavailable) => return,
            }
        }
    }

    /// Whether another node may have run the message as well.
    pub(super) fn was_store_away(&self) -> bool {
        let store = self.node.store.as_ref();
        store.is_some_and(|store| store.was_away())
    }

    fn seen_by_store(&self, age: Duration, is_first: bool) {
        if self.task.seen_by_store(age) {
            let delivery = self.request.body().delivery();
            let seen = || self.task.age_at(delivery.arrived());
            self.node.clock.note(delivery, seen, is_first);
        }
    }

    /// Leaves the reply of another node to that node if no delivery here waits for it. Otherwise this node could hand over
    /// a reply that a delivery has got, once the store loses its data. Returns whether it has left.
    pub(super) async fn leaves_reply(&mut self) -> bool {
        if self.has_audience() {
            return false;
        }
        // The next delivery here claims the message anew.
        let Stage::Late(cause) = self.leave_table() else {
            return false;
        };
        self.stage = Stage::Late(cause);
        self.permit = None;
        let node = Arc::clone(&self.node);
        if let Some(store) = &node.store
            && self.task.wants.is_none()
            && store.release(self.own_claim()).await == Ok(Released::HeldElsewhere)
        {
            self.stage = Stage::Over;
        } else {
            self.hand_over(cause, Ok(Completed::Stored)).await;
        }
        true
    }

    /// Whether this node may run the message although the store is away. If another node had the lease, only once it is over
    /// and the message is still wanted here. Never if the layer fails closed.
    fn may_run_alone(&self, leased_until: Option<Instant>) -> bool {
        let is_free =
            leased_until.is_none_or(|until| until <= Instant::now() && self.has_audience());
        is_free && !self.node.settings.is_fail_closed
    }

    /// Whether this node follows the message: somebody gets its reply here, or it has a result in case the other node is lost.
    fn is_wanted(&self) -> bool {
        self.has_audience() || !self.node.settings.runs_inline && self.finished.is_some()
    }

    /// Whether a delivery waits for the message, or this node has acknowledged it. After an acknowledgement no retry comes, so
    /// only this node would take the message over from a lost node. An inline run ends with its delivery.
    fn has_audience(&self) -> bool {
        self.task.is_awaited() || !self.node.settings.runs_inline && self.is_acknowledged()
    }

    pub(super) fn is_acknowledged(&self) -> bool {
        let claim = self.own_claim();
        self.table().is_acknowledged(claim, Instant::now())
    }
}
