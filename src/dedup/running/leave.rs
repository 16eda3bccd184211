//! Hands a message back to the other nodes if its task is dropped before the message has ended.

use std::{mem, pin::pin, sync::Arc};

use tokio::{runtime::Handle, time::Instant};

use super::{RunningMessage, Stage};
use crate::{
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
        let left = match self.stage {
            Stage::InTable => self.leave_table(),
            Stage::Late(cause) => Left::Late(cause),
            Stage::HandedBack(cause) => {
                self.task.end();
                return self.report_cut(cause);
            }
            Stage::Over => Left::Over,
        };
        let stage = match left {
            Left::Over => return self.task.end(),
            Left::Delivered => Stage::Over,
            Left::Late(cause) => Stage::HandedBack(cause),
        };
        // Without a runtime the lease runs out.
        let Ok(runtime) = Handle::try_current() else {
            return match left {
                Left::Over => {}
                Left::Delivered => self.report_cut_rest(),
                Left::Late(cause) => self.report_cut(cause),
            };
        };
        let mut rest = Self {
            node: Arc::clone(&self.node),
            task: Arc::clone(&self.task),
            claim: self.claim,
            request: Arc::clone(&self.request),
            conversation: self.conversation,
            observed: Arc::clone(&self.observed),
            permit: None,
            turn: None,
            stream: None,
            may_be_in_store: self.may_be_in_store,
            finished: mem::take(&mut self.finished),
            stage,
            _token: self.node.tasks.token(),
        };
        match left {
            Left::Over => {}
            // Whether the store has heard of its end is not known here.
            Left::Delivered => {
                let end = self.node.end.clone();
                runtime.spawn(async move {
                    let told = Err(Unconfirmed::Silent);
                    end.run_until_cancelled(pin!(rest.has_been_delivered(told)))
                        .await
                });
            }
            Left::Late(cause) => {
                runtime.spawn(rest.hand_back(cause));
            }
        }
    }
}

/// What a task that ends leaves of its message.
#[derive(Debug, Clone, Copy)]
pub(super) enum Left {
    /// Nothing.
    Over,
    /// A result that a delivery has fetched, and what comes after that.
    Delivered,
    /// A result that is late, or the claim of a message that is vacant on this node.
    Late(LateCause),
}

impl RunningMessage {
    /// Hands the message back to the other nodes, and its result to the sinks, because this node goes away.
    ///
    /// Stops at the node's end. A reply that is left then is an error in the log.
    async fn hand_back(mut self, cause: LateCause) {
        let end = self.node.end.clone();
        let handed_back = async {
            if self.finished.is_none() {
                self.finished = self.held_in_store().await;
            }
            // Otherwise a retry would make another node run the message again, and there may be none.
            let told = match &self.finished {
                Some(finished) => finished.confirm().await,
                None => Ok(Completed::Lost),
            };
            self.hand_over(cause, told).await;
        };
        end.run_until_cancelled(pin!(handed_back)).await;
    }

    /// The reply that the claim holds although its answer was lost.
    async fn held_in_store(&self) -> Option<Finished> {
        let store = self.node.store.as_ref()?;
        if !self.may_be_in_store {
            return None;
        }
        match store.claim_patiently(self.claim).await {
            Ok(Claimed::Replied { response, .. } | Claimed::TakenOver(response)) => {
                Some(self.finished(response, Origin::Store))
            }
            _ => None,
        }
    }

    /// Logs an error if a part of the fetched reply is lost that no delivery shows.
    fn report_cut_rest(&self) {
        let finished = self.finished.as_ref();
        if let Some(rest) = finished.and_then(|finished| finished.response.rest()) {
            self.report_lost(rest.count_parts());
        }
    }

    /// Logs an error if a reply is lost with this message. It is late for this `cause`.
    fn report_cut(&self, cause: LateCause) {
        match &self.finished {
            Some(finished) if finished.is_reply() => self.report_lost(finished.count_parts()),
            None if cause == LateCause::Acknowledged => self.report_lost(1),
            _ => {}
        }
    }

    pub(super) fn report_lost(&self, parts: usize) {
        observe::reply_is_lost(self.account(), self.observed_key(), hand_over::CUT, parts);
    }

    /// Takes the message out of the table, and returns what is left of it.
    pub(super) fn leave_table(&self) -> Left {
        let (claim, now) = (self.claim, Instant::now());
        let mut table = self.node.table();
        let is_acknowledged = table.is_acknowledged(claim, now);
        let cause = match table.release(claim, now) {
            Released::NotCompleted if is_acknowledged => LateCause::Acknowledged,
            Released::NotCompleted | Released::LastHold => LateCause::Unfetched,
            // A delivery has fetched the reply, which stays held.
            _ if self.finished.is_some() => return Left::Delivered,
            _ => return Left::Over,
        };
        let is_something = self.may_be_in_store || self.finished.is_some() || is_acknowledged;
        if is_something {
            Left::Late(cause)
        } else {
            Left::Over
        }
    }
}
