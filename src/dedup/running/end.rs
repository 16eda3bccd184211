//! Ends a message after its runs: in the store, in this node's table, and with the sinks for late replies.

use std::pin::pin;

use futures_util::FutureExt;
use tokio::{
    task::JoinHandle,
    time::{self, Instant},
};

use super::{RunningMessage, Stage};
use crate::{
    breaker::Unavailable,
    dedup::{
        finished::{ASK_AGAIN, Finished, Origin, Told},
        guarded::GuardedStore,
        hand_over::{self, Lease},
        node::{FETCH_WAIT, RENEWAL},
        store::{Completed, Ending, Released},
        table::Milestone,
    },
    late::{Fetching, LateCause},
    observe,
    response::StoredResponse,
};

/// How a message has ended on this node.
pub(super) struct Ended {
    /// What the store knows of it.
    told: Told,
    at: Instant,
    /// Whether the reply is kept for a delivery.
    is_kept: bool,
    /// The task that keeps the message's own result for a later message.
    queued: Option<JoinHandle<()>>,
}

impl RunningMessage {
    /// Takes the result.
    pub(super) fn finish(&mut self, mut finished: Finished) {
        // An earlier failure, or another node's reply, may have been kept briefly.
        self.is_kept_briefly = finished.is_retried_after();
        finished.is_kept_briefly = self.is_kept_briefly;
        self.finished = Some(finished);
    }

    /// Ends the message for all nodes, with its result.
    pub(super) async fn complete(&mut self) -> Told {
        let (Some(store), Some(finished)) = (&self.node.store, &self.finished) else {
            return Ok(Completed::Stored);
        };
        let failure = &self.node.settings.failure;
        let is_failure = finished.origin == Origin::FailedRun && failure.is_none()
            || finished.origin == Origin::Fallback;
        let response = finished.response.clone();
        let is_late = self.is_acknowledged() || self.goes_whole(&response);
        let ending = if !is_late {
            Ending::Reply(response)
        } else if is_failure || response.is_silent() {
            Ending::Nothing
        } else {
            Ending::Late(response)
        };
        let completed = store.complete(self.own_claim(), ending).await;
        // Unless the store says otherwise, it may have kept the reply, which this claim holds then.
        self.in_store.may_have_claim =
            matches!(completed, Ok(Completed::Stored) | Err(Unavailable));
        Ok(completed?)
    }

    /// Whether the sinks get the whole reply: they would send its rest after the answer to the delivery, which an inline run
    /// must not outlive.
    pub(super) fn goes_whole(&self, response: &StoredResponse) -> bool {
        let settings = &self.node.settings;
        settings.runs_inline
            && self.task.wants.is_none()
            && response.rest().is_some()
            && settings.sinks.send_at_once()
    }

    /// Ends the message on this node. `told` is the store's answer to its end.
    pub(super) fn end(&mut self, told: Told, queued: Option<JoinHandle<()>>) -> Option<Ended> {
        let finished = self.finished.as_ref()?;
        let is_whole = self.goes_whole(&finished.response) && !self.is_acknowledged();
        let kept = (told != Ok(Completed::Acknowledged)).then_some(&finished.response);
        let mut table = self.table();
        let at = Instant::now();
        let completed = table.complete(self.own_claim(), kept, at);
        drop(table);
        if completed == Completed::Acknowledged {
            self.stage = Stage::Late(if is_whole {
                LateCause::Whole
            } else {
                LateCause::Acknowledged
            });
        }
        Some(Ended {
            told,
            at,
            is_kept: completed == Completed::Stored,
            queued,
        })
    }

    /// Sees that the reply reaches a delivery or else the sinks.
    pub(super) async fn see_off(&mut self, ended: Ended) {
        let mut told = ended.told;
        if ended.is_kept
            && let Some(finished) = &self.finished
        {
            let mut is_fetched = self.task.has_reached(Milestone::Fetched);
            if !is_fetched {
                let fetched = self.task.reaches(Milestone::Fetched);
                let fetched = pin!(time::timeout_at(ended.at + FETCH_WAIT, fetched));
                is_fetched = finished.confirm_until(fetched, &mut told).await;
            }
            // Once it is fetched, the deliveries hold it.
            let release = || self.table().release(self.own_claim(), Instant::now());
            if !is_fetched && release() == Released::LastHold {
                self.stage = Stage::Late(LateCause::Unfetched);
            }
        }
        self.permit = None;
        match self.stage {
            Stage::Late(cause) => Box::pin(self.hand_over(cause, told)).await,
            _ => self.has_been_delivered(told).await,
        }
        if let Some(queued) = ended.queued {
            self.ends_with_delivery(queued).await;
        }
    }

    /// Does what comes after the answer to the delivery.
    pub(super) async fn has_been_delivered(&mut self, told: Told) {
        self.stage = Stage::Over;
        let Some(finished) = &self.finished else {
            return;
        };
        // All of it begins before the first await, where this task may be cut.
        let mut begun = Vec::new();
        if let Some(rest) = finished.response.rest() {
            let handed_over = hand_over::spawn_rest(
                &self.node,
                &self.task,
                self.own_claim(),
                &self.request,
                rest.clone(),
            );
            // Customer service waits for the answer to the delivery.
            if !self.node.settings.sinks.send_at_once() {
                begun.push(handed_over);
            }
        }
        let has_place = self.task.fetching() == Fetching::Beside;
        if (has_place || finished.response.taken().is_some())
            && let Some(place) = self.place()
        {
            let response = finished.response.clone();
            let end = self.node.end.clone();
            let shown = async move { end.run_until_cancelled(pin!(place.shown(&response))).await };
            let mut shown = shown.boxed();
            // A mailbox in this process needs no task.
            if (&mut shown).now_or_never().is_none() {
                begun.push(self.node.tasks.spawn(shown.map(|_| ())));
            }
        }
        // Another node's reply to a message that is retried may be a failure, whose time is over.
        let reminds = finished.origin == Origin::Store
            && !self.node.settings.runs_inline
            && self.task.wants.is_none();
        if (told.is_err() || reminds || self.was_store_away())
            && let Some(finished) = self.finished.take()
        {
            finished.confirm_in_background();
        }
        for task in begun {
            self.ends_with_delivery(task).await;
        }
    }

    /// Hands the late result to the sinks, unless another node has it. `told` is the store's last answer to its end.
    pub(super) async fn hand_over(&mut self, cause: LateCause, told: Told) {
        if self.task.wants.is_some() {
            return self.leave_to_retry().await;
        }
        let is_acknowledged_beside = self.is_acknowledged_beside(cause, told);
        let mut released = self.release(told).await;
        if is_acknowledged_beside && released == Some(Released::HeldElsewhere) {
            released = self.release_again().await;
        }
        if self.finished.is_none() && released == Some(Released::LastHold) {
            self.finished = self.left_in_store().await;
        }
        self.stage = Stage::Over;
        // Otherwise the store has given the reply to this node, or cannot say whose it is.
        let is_elsewhere = matches!(
            released,
            Some(Released::HeldElsewhere | Released::SentElsewhere | Released::RunningElsewhere)
        );
        if is_elsewhere {
            return;
        }
        let Some(finished) = self.finished.take() else {
            // WeChat waits for no reply, or this claim has held one.
            if cause == LateCause::Acknowledged || released == Some(Released::LastHold) {
                self.report_lost(1);
            } else if released.is_none() && self.may_hold_unheard() {
                observe::reply_unheard(self.account(), self.observed_key());
            }
            return;
        };
        let told_later = self.was_store_away().then(|| Finished {
            is_handed_over: true,
            ..finished.clone()
        });
        let (node, claim) = (&self.node, self.own_claim());
        let lease = Lease::Late(finished.response.clone());
        let taken = finished.response.taken();
        let is_confirmed = !matches!(released, None | Some(Released::Unclaimed));
        if let (Some(taken), Some(place)) = (taken, self.place()) {
            lease.hold(node, claim, pin!(place.give_back(taken))).await;
            lease.end(node, claim).await;
        } else if let Some(late) = finished.into_late(&self.request, cause) {
            let late = late.with_first_seen(self.task.first_seen());
            hand_over::hand_over(node, claim, lease, late, is_confirmed).await;
        } else {
            lease.end(node, claim).await;
        }
        // After the handing over: a confirmation says that the message is over.
        if let Some(handed_over) = told_later {
            handed_over.confirm_in_background();
        }
    }

    /// Leaves a message that WeChat retries until it gets the reply. A result stays held for the retries, and no sink gets it.
    async fn leave_to_retry(&mut self) {
        self.stage = Stage::Over;
        if self.finished.is_none()
            && let Some(store) = &self.node.store
        {
            // If it does not answer, the lease runs out.
            let _ = store.release(self.own_claim()).await;
        }
    }

    /// Whether this node has acknowledged the message, without the store, although a delivery of another node may have got
    /// the reply. WeChat has sent the delivery here all the same, so it may not have accepted that answer.
    fn is_acknowledged_beside(&self, cause: LateCause, told: Told) -> bool {
        let mut finished = self.finished.iter();
        cause == LateCause::Acknowledged
            && told == Ok(Completed::Stored)
            && finished.any(|finished| finished.origin == Origin::Store && finished.is_reply())
    }

    async fn release_again(&self) -> Option<Released> {
        let store = self.node.store.as_deref()?;
        let finished = self.finished.as_ref()?;
        finished.release_again(store).await
    }

    /// The reply that the store keeps for this claim alone, which has not heard it.
    pub(super) async fn left_in_store(&self) -> Option<Finished> {
        for _ in 0..ASK_AGAIN {
            match self.held_in_store().await {
                Err(Unavailable) => time::sleep(RENEWAL).await,
                Ok(held) => return held,
            }
        }
        None
    }

    /// Releases the claim in the store. `None` means that nobody can tell whose the reply is.
    async fn release(&self, told: Told) -> Option<Released> {
        let Some(store) = self.node.store.as_deref() else {
            return Some(Released::LastHold);
        };
        if told == Ok(Completed::Acknowledged) {
            return Some(Released::LastHold);
        }
        match &self.finished {
            Some(finished) if !finished.response.is_silent() => finished.release(store, told).await,
            None if self.may_hold_unheard() => {
                let asking = self.release_unheard(store);
                let released = self.node.cut.run_until_cancelled(asking).await;
                match released {
                    Some(released) => released,
                    None => store.release(self.own_claim()).await.ok(),
                }
            }
            _ => store.release(self.own_claim()).await.ok(),
        }
    }

    /// Releases a claim that may hold a reply which this task has not heard. Otherwise no node would give it.
    async fn release_unheard(&self, store: &dyn GuardedStore) -> Option<Released> {
        for _ in 0..ASK_AGAIN {
            if let Ok(released) = store.release(self.own_claim()).await {
                return Some(released);
            }
            time::sleep(RENEWAL).await;
        }
        None
    }
}
