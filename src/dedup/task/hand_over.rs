//! The end of a message: its outcome goes to all nodes, and its reply one way.

use std::{
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::{FutureExt, future::select};
use tokio::{
    sync::oneshot,
    time::{self, Instant},
};

use super::{
    super::{
        Outcome,
        late::{LateCause, LateReply},
        remote::Away,
        store::{self, Store},
        table::{self, Completion},
    },
    FETCH_WAIT, Message, RENEWAL, Verdict,
};
use crate::observe;

impl<St: Store> Message<St> {
    /// Ends the message for all nodes. `false` if it is another's by now.
    pub(super) async fn complete(&mut self, verdict: Verdict) -> bool {
        let acknowledged = self.shared.table().is_acknowledged(self.key, self.owner);
        let completed = self.shared.remote.complete(
            self.key,
            self.owner,
            &verdict.outcome,
            acknowledged,
            self.times,
        );
        let completed = completed.await;
        if completed == Ok(store::Completed::Lost) {
            return false;
        }
        self.is_claimed_in_store = false;
        self.hand_over(verdict, completed).await;
        true
    }

    /// Ends the message on this node, and sees that its reply reaches a delivery, or else the hook.
    pub(super) async fn hand_over(
        &mut self,
        verdict: Verdict,
        stored: Result<store::Completed, Away>,
    ) {
        let completion = Completion {
            outcome: verdict.outcome.clone(),
            acknowledged: stored == Ok(store::Completed::Acknowledged),
            mark_ttl: self.times.mark,
        };
        let (now, limits) = (Instant::now(), self.shared.limits());
        let completed = self
            .shared
            .table()
            .complete(self.key, self.owner, completion, now, limits);
        let unpublished = stored
            .is_err()
            .then(|| self.publish(verdict.outcome.clone()));
        let late = match completed {
            Some(table::Completed::Kept(fetched)) => self.unless_fetched(fetched).await,
            Some(table::Completed::Acknowledged) => {
                let is_ours = stored != Ok(store::Completed::Kept) || self.give_up_hold().await;
                is_ours.then_some((LateCause::Acknowledged, verdict.outcome))
            }
            None => None,
        };
        self.permit = None;
        if let Some((cause, outcome)) = late {
            if let Some(is_late) = unpublished {
                is_late.store(true, Ordering::Release);
            }
            if verdict.has_failed {
                self.hand_late(LateCause::Failed, None).await;
            } else if !outcome.is_silent() {
                self.hand_late(cause, Some(outcome)).await;
            }
        }
    }

    /// The reply, if no delivery on any node has come for it in time; none will.
    async fn unless_fetched(&self, fetched: oneshot::Receiver<()>) -> Option<(LateCause, Outcome)> {
        // It is never sent anything: it closes.
        if time::timeout(FETCH_WAIT, fetched).await.is_ok() {
            return None;
        }
        self.take_back().await
    }

    pub(super) async fn take_back(&self) -> Option<(LateCause, Outcome)> {
        let now = Instant::now();
        let outcome = self.shared.table().take_back(self.key, self.owner, now)?;
        let is_ours = self.give_up_hold().await;
        is_ours.then_some((LateCause::Unfetched, outcome))
    }

    /// Whether no other node may give the reply to a delivery. Without the store, nobody can tell.
    async fn give_up_hold(&self) -> bool {
        let released = self.shared.remote.release(self.key, self.owner).await;
        released.unwrap_or(true)
    }

    pub(super) async fn hand_late(&self, cause: LateCause, outcome: Option<Outcome>) {
        observe::reply_is_late(self.account(), self.key, cause);
        let Some(hook) = self.shared.settings.late_reply.clone() else {
            // That all runs have failed is in the log already.
            if cause != LateCause::Failed {
                observe::reply_is_lost(self.account(), self.key, cause);
            }
            return;
        };
        let late = LateReply::new(self.key, self.request.clone(), cause, outcome);
        let timeout = self.shared.settings.run_timeout;
        let call = async { time::timeout(timeout, hook(late)).await };
        match AssertUnwindSafe(call).catch_unwind().await {
            Ok(Ok(())) => {}
            Ok(Err(_elapsed)) => {
                observe::late_reply_failed(self.account(), self.key, "it took too long");
            }
            Err(_panic) => observe::late_reply_failed(self.account(), self.key, "it panicked"),
        }
    }

    /// Makes the outcome known to the store when that is back. The flag that it returns says whether the
    /// reply has gone another way by then.
    fn publish(&self, outcome: Outcome) -> Arc<AtomicBool> {
        let is_late = Arc::new(AtomicBool::new(false));
        let Ok(permit) = Arc::clone(&self.shared.node.unpublished).try_acquire_owned() else {
            return is_late;
        };
        let (key, owner, times) = (self.key, self.owner, self.times);
        let (remote, late) = (Arc::clone(&self.shared.remote), Arc::clone(&is_late));
        let draining = self.shared.node.draining.clone();
        let publishing = async move {
            let end = Instant::now() + times.reply;
            while Instant::now() < end {
                time::sleep(RENEWAL).await;
                let acknowledged = late.load(Ordering::Acquire);
                let published = remote
                    .publish(key, owner, &outcome, acknowledged, times)
                    .await;
                match published {
                    // The store had kept it before the reply went another way.
                    Ok(store::Completed::Kept) if acknowledged => {
                        let _ = remote.release(key, owner).await;
                        return;
                    }
                    Ok(_) => return,
                    Err(Away) => {}
                }
            }
        };
        self.shared.node.tasks.spawn(async move {
            select(pin!(publishing), pin!(draining.cancelled())).await;
            drop(permit);
        });
        is_late
    }
}
