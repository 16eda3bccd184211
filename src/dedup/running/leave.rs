//! A task that is dropped before its message is over: another one hands the message back to the other nodes, or does what
//! comes after its answer.

use std::{mem, pin::pin, sync::Arc, time::Duration};

use futures_util::future::{Either, select};
use tokio::{
    runtime::Handle,
    time::{self, Instant},
};

use super::{RunningMessage, Stage};
use crate::{
    breaker::{TIMEOUT, Unavailable},
    dedup::{
        finished::{Finished, Origin, Unconfirmed},
        hand_over,
        store::{Claimed, Completed, Released},
    },
    late::LateCause,
    observe,
};

impl Drop for RunningMessage {
    fn drop(&mut self) {
        let stage = match self.stage {
            Stage::InTable => self.leave_table(),
            stage => stage,
        };
        if let Stage::Over = stage {
            return self.task.end();
        }
        // Without a runtime the lease runs out. An heir has none: this node goes away.
        let runtime = Handle::try_current().ok().filter(|_| !self.is_heir);
        let Some(runtime) = runtime else {
            self.task.end();
            return self.report_cut(stage);
        };
        let heir = Self {
            node: Arc::clone(&self.node),
            task: Arc::clone(&self.task),
            is_kept_briefly: self.is_kept_briefly,
            request: Arc::clone(&self.request),
            conversation: self.conversation,
            observed: Arc::clone(&self.observed),
            permit: None,
            turn: None,
            stream: None,
            in_store: self.in_store,
            finished: mem::take(&mut self.finished),
            stage,
            is_heir: true,
            _token: self.node.tasks.token(),
        };
        runtime.spawn(heir.inherit());
    }
}

impl RunningMessage {
    /// Does what the task that had the message has left.
    ///
    /// Stops at the node's end. A reply that is left then is an error in the log.
    async fn inherit(mut self) {
        let end = self.node.end.clone();
        let done = async {
            if self.task.has_asked() {
                // The store may be about to answer a delivery. After that, the claim holds the reply or does not.
                let _ = time::timeout(TIMEOUT, self.task.is_left()).await;
            }
            if self.finished.is_none() {
                self.finished = self.held_in_store().await.ok().flatten();
            }
            match self.stage {
                Stage::Late(cause) => self.hand_back(cause).await,
                Stage::Delivered => {
                    if self.may_hold_unheard() {
                        // A rest goes with the reply that the delivery has got.
                        self.finished = self.left_in_store().await;
                    }
                    if self.may_hold_unheard() {
                        observe::reply_unheard(self.account(), self.observed_key());
                    }
                    // Whether the store has heard of the message's end is not known here.
                    let told = match self.node.store {
                        Some(_) => Err(Unconfirmed::Silent),
                        None => Ok(Completed::Stored),
                    };
                    self.has_been_delivered(told).await;
                }
                Stage::InTable | Stage::Over => {}
            }
        };
        end.run_until_cancelled(pin!(done)).await;
    }

    /// Hands the message back to the other nodes, and its result to the sinks, because this node goes away.
    async fn hand_back(&mut self, cause: LateCause) {
        // Otherwise a retry would make another node run the message again, and there may be none.
        let told = match &self.finished {
            Some(finished) => finished.confirm().await,
            None => Ok(Completed::Lost),
        };
        let is_fetchable = cause == LateCause::Unfetched && told == Ok(Completed::Stored);
        if is_fetchable && self.node.store.is_some() && self.node.settings.sinks.are_none() {
            // Nobody would send it from here. In the store, a delivery to another node can fetch it.
            self.stage = Stage::Over;
            return observe::reply_is_left(self.account(), self.observed_key());
        }
        self.hand_over(cause, told).await;
    }

    /// The reply that the claim holds although this task has not heard of it.
    pub(super) async fn held_in_store(&self) -> Result<Option<Finished>, Unavailable> {
        let store = self.node.store.as_ref().filter(|_| self.may_be_held());
        let Some(store) = store else {
            return Ok(None);
        };
        let claimed = store.claim_again(self.own_claim(), LONG_TIMEOUT);
        // Before its end, a node has to release what the claim may take hold of.
        let cut = async {
            self.node.cut.cancelled().await;
            time::sleep(TIMEOUT).await;
        };
        let Either::Left((claimed, _cut)) = select(claimed, pin!(cut)).await else {
            return Err(Unavailable);
        };
        Ok(match claimed? {
            Claimed::Replied { response, .. } | Claimed::TakenOver(response) => {
                Some(self.finished(response, Origin::Store))
            }
            _ => None,
        })
    }

    /// Logs an error if a reply, or the rest of one, is lost with this message.
    fn report_cut(&self, stage: Stage) {
        if self.task.wants.is_some() {
            // A retry gets the reply, or makes it again.
            return;
        }
        let finished = self.finished.as_ref();
        match (stage, finished) {
            (Stage::Delivered, Some(finished)) => {
                if let Some(rest) = finished.response.rest() {
                    self.report_lost(rest.count_parts());
                }
            }
            (Stage::Late(_), Some(finished)) if finished.is_reply() => {
                self.report_lost(finished.count_parts());
            }
            (Stage::Late(LateCause::Acknowledged), None) => self.report_lost(1),
            (Stage::Late(_) | Stage::Delivered, None) if self.may_hold_unheard() => {
                observe::reply_unheard(self.account(), self.observed_key());
            }
            _ => {}
        }
    }

    pub(super) fn report_lost(&self, parts: usize) {
        observe::reply_is_lost(self.account(), self.observed_key(), hand_over::CUT, parts);
    }

    /// Takes the message out of the table, and returns what is left of it.
    pub(super) fn leave_table(&self) -> Stage {
        let (claim, now) = (self.own_claim(), Instant::now());
        let mut table = self.table();
        let is_acknowledged = table.is_acknowledged(claim, now);
        let cause = match table.release(claim, now) {
            Released::NotCompleted if is_acknowledged => LateCause::Acknowledged,
            Released::NotCompleted | Released::LastHold => LateCause::Unfetched,
            // A delivery has fetched the reply, which stays held.
            _ if self.finished.is_some() || self.task.has_asked() => return Stage::Delivered,
            _ => return Stage::Over,
        };
        let is_something = self.may_be_held() || self.finished.is_some() || is_acknowledged;
        if is_something {
            Stage::Late(cause)
        } else {
            Stage::Over
        }
    }

    /// Whether the claim may hold a reply of another node that this task has not heard.
    pub(super) fn may_hold_unheard(&self) -> bool {
        let in_store = self.in_store;
        let may_hold = self.task.has_asked() || in_store.may_have_claim && !in_store.runs_here;
        self.finished.is_none() && may_hold
    }

    /// Whether the store may know the claim: this task or a delivery has asked it.
    fn may_be_held(&self) -> bool {
        self.in_store.may_have_claim || self.task.has_asked()
    }
}

/// Nothing waits for the store's answer.
const LONG_TIMEOUT: Duration = Duration::from_secs(2);
