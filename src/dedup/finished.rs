//! The result of a message, and how the store is told of it again after it was away.

use std::{mem, pin::Pin, sync::Arc, time::Duration};

use futures_util::future::{Either, select};
use http::Request;
use tokio::time::{self, Instant};

use super::{
    guarded::GuardedStore,
    node::{FETCH_WAIT, Node, RENEWAL},
    store::{Claim, Claimed, Completed, Ending, Released},
    table::Task,
};
use crate::{
    breaker::{CATCH_UP, TIMEOUT, Unavailable},
    delivery::Verified,
    late::{LateCause, LateReply},
    reply::Reply,
    response::StoredResponse,
};

/// The result of all runs of a message, which the claim has until a delivery or a sink has got it.
#[derive(Clone)]
pub(super) struct Finished {
    pub(super) node: Arc<Node>,
    pub(super) task: Arc<Task>,
    pub(super) response: StoredResponse,
    pub(super) origin: Origin,
    /// Whether a sink has got it: it is kept for no delivery.
    pub(super) is_handed_over: bool,
    /// Whether the store keeps it only as long as its deliveries may fetch it.
    pub(super) is_kept_briefly: bool,
}

/// What the store knows of a result.
pub(super) type Told = Result<Completed, Unconfirmed>;

/// Why the store does not know of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unconfirmed {
    /// It has not answered.
    Silent,
    /// It has lost the message, and nobody has completed it since.
    Forgotten,
    /// Another node runs the message, although it has ended here: the store was away, or has lost its data.
    RunsElsewhere,
}

impl From<Unavailable> for Unconfirmed {
    fn from(Unavailable: Unavailable) -> Self {
        Self::Silent
    }
}

/// Where a result comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A run on this node.
    Run,
    /// The last run on this node, which has failed.
    FailedRun,
    /// The fallback, in place of a reply that the message would fetch and that is still awaited.
    Fallback,
    /// The store: another node has run the message.
    Store,
}

impl Finished {
    pub(super) fn new(
        node: &Arc<Node>,
        task: &Arc<Task>,
        response: StoredResponse,
        origin: Origin,
    ) -> Self {
        Self {
            node: Arc::clone(node),
            task: Arc::clone(task),
            response,
            origin,
            is_handed_over: false,
            is_kept_briefly: false,
        }
    }

    /// Whether WeChat retries the message after it: it is a failure, or not the reply that WeChat wants. The next delivery runs
    /// the message.
    pub(super) fn is_retried_after(&self) -> bool {
        let is_wanted = |wants| self.origin != Origin::FailedRun && self.response.is_wanted(wants);
        self.task.wants.is_some_and(|wants| !is_wanted(wants))
    }

    /// The claim that has it.
    pub(super) fn claim(&self) -> Claim {
        self.task.claim_for(self.is_kept_briefly)
    }

    /// Whether it says something that is worth handing over: a reply of the handler, or a part of one.
    pub(super) fn is_reply(&self) -> bool {
        !matches!(self.origin, Origin::FailedRun | Origin::Fallback) && !self.response.is_silent()
    }

    /// Whether it is the result of the message's own runs.
    pub(super) fn is_own(&self) -> bool {
        self.origin != Origin::Fallback && self.response.taken().is_none()
    }

    /// How many messages of customer service it takes. One if it is no reply.
    pub(super) fn count_parts(&self) -> usize {
        let reply = self.response.reply();
        reply.map_or(1, |reply| reply.count_parts())
    }

    /// The late reply that it is, or the news that there is none. `None` if it shows nothing.
    pub(super) fn into_late(
        self,
        request: &Request<Verified>,
        cause: LateCause,
    ) -> Option<LateReply> {
        let (key, request) = (self.task.claim.key, request.clone());
        if self.origin == Origin::FailedRun {
            let failure = self.node.settings.failure.clone().unwrap_or_default();
            return Some(LateReply::new(key, request, LateCause::Failed, failure));
        }
        let is_reply = self.is_reply();
        let late = LateReply::new(key, request, cause, Reply::success());
        is_reply.then(|| late.with_response(self.response))
    }

    /// Tells the store once more how the message has ended, and takes hold of the reply.
    ///
    /// A store that has forgotten the message knows it again. If another node has run the message as well, the hold tells
    /// that node that there are two replies.
    pub(super) async fn confirm(&self) -> Told {
        let Some(store) = &self.node.store else {
            return Ok(Completed::Stored);
        };
        let is_own = self.origin != Origin::Store;
        let ending = || {
            if self.is_handed_over {
                Ending::Nothing
            } else {
                Ending::Reply(self.response.clone())
            }
        };
        if is_own {
            let completed = store.publish(self.claim(), ending()).await?;
            if completed != Completed::Lost {
                return Ok(completed);
            }
        }
        match store.claim_again(self.claim(), TIMEOUT).await? {
            Claimed::Replied { .. } => Ok(Completed::Stored),
            // Another node's reply to a message that is retried may be a failure, whose time is over.
            Claimed::Won(_) if !is_own && self.task.wants.is_some() => {
                store.release(self.claim()).await?;
                Ok(Completed::Lost)
            }
            Claimed::Won(_) if !is_own => Ok(store.publish(self.claim(), ending()).await?),
            Claimed::Won(_) => Err(Unconfirmed::Forgotten),
            Claimed::Running { .. } if is_own => Err(Unconfirmed::RunsElsewhere),
            // The answer to a release was lost, or the node is gone that had it.
            Claimed::TakenOver(_) => Ok(Completed::Acknowledged),
            Claimed::Running { .. } | Claimed::Late { .. } | Claimed::Done => Ok(Completed::Lost),
        }
    }

    /// Confirms the result every second until `fetched` ends: the store may lose its data. `told` is what the store knows
    /// last. Returns whether `fetched` has succeeded.
    pub(super) async fn confirm_until<E>(
        &self,
        fetched: Pin<&mut impl Future<Output = Result<(), E>>>,
        told: &mut Told,
    ) -> bool {
        if self.node.store.is_none() {
            return fetched.await.is_ok();
        }
        let confirming = async {
            loop {
                time::sleep(RENEWAL).await;
                match self.confirm().await {
                    // The store has known it, and keeps it.
                    Err(Unconfirmed::Silent) => {}
                    answer => *told = answer,
                }
            }
        };
        match select(fetched, Box::pin(confirming)).await {
            Either::Left((fetched, _confirming)) => fetched.is_ok(),
            Either::Right(((), _fetched)) => false,
        }
    }

    /// Confirms a result that a delivery or a sink has got, in a task of its own. A result of this node's own run is confirmed
    /// until the store has answered. After that, any result is confirmed in [`REMINDERS`] answers: another node that may still ask
    /// which node the reply belongs to has met the same silence. Both end with the reply's time at the latest.
    pub(super) fn confirm_in_background(self) {
        let node = Arc::clone(&self.node);
        let is_own = self.origin != Origin::Store;
        let permits = if is_own {
            &node.backlog_permits
        } else {
            &node.reminder_permits
        };
        let Ok(permit) = Arc::clone(permits).try_acquire_owned() else {
            return;
        };
        let confirming = async move {
            let heard = self.confirm_times(1);
            if !is_own || self.node.cut.run_until_cancelled(heard).await == Some(true) {
                let reminded = self.confirm_times(REMINDERS);
                self.node.draining.run_until_cancelled(reminded).await;
            }
            drop(permit);
        };
        node.tasks.spawn(confirming);
    }

    /// Confirms the result every second until the store has heard it as many `times`. Returns whether it has before the
    /// reply's time is over.
    async fn confirm_times(&self, times: u64) -> bool {
        let start = Instant::now();
        let mut heard = 0;
        while start.elapsed() < self.claim().ttls.reply {
            time::sleep(RENEWAL).await;
            heard += u64::from(self.confirm_end().await.is_ok());
            if heard == times {
                return true;
            }
        }
        false
    }

    /// Confirms a result that a delivery or a sink has got. No node sends a late reply of the message after it.
    async fn confirm_end(&self) -> Told {
        let told = self.confirm().await;
        if let (Ok(Completed::Acknowledged), Some(store)) = (told, &self.node.store) {
            // Another node has left a late reply, and this claim has taken it over.
            store.publish(self.claim(), Ending::Nothing).await?;
        }
        told
    }

    /// Releases the claim. `told` is what the store knows of the message's end.
    ///
    /// A store that is away is asked again ten times, and 30 times if its last answer was that another node runs the
    /// message. `None` means that it has not answered, so nobody can tell whose the reply is; a reply given twice is better
    /// than one given never. If it has lost a message that another node had ended, the reply is that node's.
    pub(super) async fn release(&self, store: &dyn GuardedStore, told: Told) -> Option<Released> {
        let mut is_elsewhere = false;
        // The permit bounds the messages that wait.
        let asked = match self.node.backlog_permits.try_acquire() {
            Ok(_permit) => {
                let asking = self.ask_to_release(store, told, &mut is_elsewhere);
                self.node.cut.run_until_cancelled(asking).await.flatten()
            }
            Err(_) => None,
        };
        let released = match asked {
            None => self.try_to_release(store).await,
            released => released,
        };
        match released {
            Some(Released::Unclaimed) if is_elsewhere => Some(Released::SentElsewhere),
            released => released,
        }
    }

    /// Waits until the other nodes are done whose deliveries have not got the reply, and asks again whose it is. `None` means that
    /// a delivery has got it, or that nobody can tell.
    pub(super) async fn release_again(&self, store: &dyn GuardedStore) -> Option<Released> {
        // A node that goes away cannot wait.
        let waited = self.node.cut.run_until_cancelled(time::sleep(ASKED_FOR));
        waited.await?;
        match store.claim(self.claim()).await {
            Ok(Claimed::Replied { .. }) => None,
            Ok(Claimed::TakenOver(_)) => Some(Released::LastHold),
            Ok(Claimed::Late { .. } | Claimed::Done) => Some(Released::SentElsewhere),
            Ok(Claimed::Running { .. }) => Some(Released::RunningElsewhere),
            // The claim may have been carried out, and hold the reply: then the others leave it to this node.
            Ok(Claimed::Won(_)) | Err(Unavailable) => {
                self.release(store, Err(Unconfirmed::Silent)).await
            }
        }
    }

    async fn try_to_release(&self, store: &dyn GuardedStore) -> Option<Released> {
        if let Ok(released) = store.release(self.claim()).await {
            return Some(released);
        }
        time::sleep(ONCE_MORE).await;
        store.release(self.claim()).await.ok()
    }

    async fn ask_to_release(
        &self,
        store: &dyn GuardedStore,
        mut told: Told,
        is_elsewhere: &mut bool,
    ) -> Option<Released> {
        let mut tries = 0;
        let mut was_unclaimed = false;
        loop {
            while let Err(unconfirmed) = told {
                if unconfirmed != Unconfirmed::Silent {
                    *is_elsewhere = unconfirmed == Unconfirmed::RunsElsewhere;
                }
                if tries >= if *is_elsewhere { ASK_ON } else { ASK_AGAIN } {
                    return None;
                }
                tries += 1;
                time::sleep(RENEWAL).await;
                told = self.confirm().await;
            }
            let was_elsewhere = mem::replace(is_elsewhere, told == Ok(Completed::Lost));
            if was_elsewhere && told == Ok(Completed::Stored) {
                // The store has lost its data: the other node tells it again.
                time::sleep(CATCH_UP).await;
            }
            // The other nodes tell a store that was away, or has lost its data, which replies their deliveries have got.
            time::sleep_until(store.caught_up()).await;
            match store.release(self.claim()).await {
                Ok(Released::Unclaimed) if !was_unclaimed && !*is_elsewhere => {
                    was_unclaimed = true;
                    told = self.confirm().await;
                    time::sleep(CATCH_UP).await;
                }
                // The store has lost the reply since. The other node may not run the message, but look for that reply.
                Ok(Released::RunningElsewhere) if told != Ok(Completed::Lost) => {
                    told = Err(Unconfirmed::RunsElsewhere);
                }
                Ok(released) => return Some(released),
                Err(unavailable) => told = Err(unavailable.into()),
            }
        }
    }
}

/// How many times a store that is away is asked which node a late reply belongs to, or for the reply, a second after each try.
/// Counted, since a node that stands still asks nothing. The customer-service API accepts the reply for at least a minute.
pub(super) const ASK_AGAIN: u32 = 10;

/// Likewise, if another node runs the message and is going to send its own reply. With its time-outs, that is up to 52 s.
const ASK_ON: u32 = 30;

/// How long a node may ask whose a reply is that another one's delivery has got.
const ASKED_FOR: Duration = FETCH_WAIT.saturating_add(CATCH_UP).saturating_add(RENEWAL);

/// One a second.
const REMINDERS: u64 = ASKED_FOR.as_secs();

/// A node that goes away asks twice.
const ONCE_MORE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
