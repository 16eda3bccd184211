//! The result of a message, and what the other nodes know of it.

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::future::select;
use tokio::time::{self, Instant};

use super::{
    breaker::{CATCH_UP, GuardedStore, Unavailable},
    node::{FETCH_WAIT, Node, RENEWAL},
    response::StoredResponse,
    store::{Claim, Claimed, Completed, Released},
};

/// The result of all runs of a message, which the claim has until a delivery or the hook has got it.
#[derive(Clone)]
pub(super) struct Finished {
    pub(super) node: Arc<Node>,
    pub(super) claim: Claim,
    pub(super) response: StoredResponse,
    pub(super) origin: Origin,
}

/// Where a result comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A run on this node.
    Run,
    /// The last run on this node, which has failed.
    FailedRun,
    /// The store: another node has run the message.
    Store,
}

impl Finished {
    /// Whether the user would see a reply of the handler.
    pub(super) fn is_reply(&self) -> bool {
        self.origin != Origin::FailedRun && !self.response.is_silent()
    }

    /// Tells the store once more how the message has ended, and takes hold of the reply.
    ///
    /// A store that has forgotten the message knows it again. If another node has run the message as well, the hold tells
    /// that node that there are two replies.
    pub(super) async fn confirm(&self) -> Result<Completed, Unavailable> {
        let Some(store) = &self.node.store else {
            return Ok(Completed::Stored);
        };
        let is_own = self.origin != Origin::Store;
        if is_own {
            let completed = store.publish(self.claim, &self.response).await?;
            if completed != Completed::Lost {
                return Ok(completed);
            }
        }
        match store.claim(self.claim).await? {
            Claimed::Replied { .. } => Ok(Completed::Stored),
            Claimed::Won(_) if !is_own => store.publish(self.claim, &self.response).await,
            // Nobody has completed it yet.
            Claimed::Won(_) => Err(Unavailable),
            Claimed::Running { .. } if is_own => Err(Unavailable),
            Claimed::Running { .. } | Claimed::Done => Ok(Completed::Lost),
        }
    }

    /// Confirms the result every second until `fetched` ends: the store may lose its data. The store's last answer is in
    /// `told`.
    pub(super) async fn confirm_until(
        &self,
        fetched: impl Future,
        told: &mut Result<Completed, Unavailable>,
    ) {
        let confirming = async {
            loop {
                time::sleep(RENEWAL).await;
                if let Ok(completed) = self.confirm().await {
                    *told = Ok(completed);
                }
            }
        };
        select(pin!(fetched), pin!(confirming)).await;
    }

    /// Confirms a result that a delivery has got, in a task of its own.
    ///
    /// This node's own is confirmed until the store has heard. Another node's is confirmed as long as that node may ask
    /// whose the reply is.
    pub(super) fn confirm_in_background(self) {
        let node = Arc::clone(&self.node);
        let (permits, stop, least) = match self.origin {
            Origin::Store => {
                let asks_until = FETCH_WAIT + CATCH_UP + RENEWAL;
                (&node.reminder_permits, node.draining.clone(), asks_until)
            }
            _ => (&node.backlog_permits, node.cut.clone(), Duration::ZERO),
        };
        let Ok(permit) = Arc::clone(permits).try_acquire_owned() else {
            return;
        };
        let start = Instant::now();
        let confirming = async move {
            loop {
                time::sleep(RENEWAL).await;
                let has_heard = self.confirm().await.is_ok();
                let time = start.elapsed();
                if (has_heard && time >= least) || time >= self.claim.ttls.reply {
                    return;
                }
            }
        };
        node.tasks.spawn(async move {
            stop.run_until_cancelled(confirming).await;
            drop(permit);
        });
    }

    /// Releases the claim. `told` is the store's last answer to the message's end.
    ///
    /// A store that is away is asked again for some seconds. `None` means that it has not answered, so nobody can tell
    /// whose the reply is; a reply given twice is better than one given never.
    pub(super) async fn release(
        &self,
        store: &dyn GuardedStore,
        told: Result<Completed, Unavailable>,
    ) -> Option<Released> {
        let asking = time::timeout(ASK_AGAIN, self.ask_to_release(store, told));
        // The permit bounds the messages that wait.
        let released = match self.node.backlog_permits.try_acquire() {
            Ok(_permit) => self.node.cut.run_until_cancelled(asking).await,
            Err(_) => None,
        };
        if let Some(Ok(released)) = released {
            return Some(released);
        }
        if let Ok(released) = store.release(self.claim).await {
            return Some(released);
        }
        time::sleep(ONCE_MORE).await;
        store.release(self.claim).await.ok()
    }

    async fn ask_to_release(
        &self,
        store: &dyn GuardedStore,
        mut told: Result<Completed, Unavailable>,
    ) -> Released {
        let mut was_unclaimed = false;
        loop {
            while told.is_err() {
                time::sleep(RENEWAL).await;
                told = self.confirm().await;
            }
            // The other nodes tell a store that was away, or has lost its data, which replies their deliveries have got.
            time::sleep_until(store.caught_up()).await;
            match store.release(self.claim).await {
                Ok(Released::Unclaimed) if !was_unclaimed => {
                    was_unclaimed = true;
                    told = self.confirm().await;
                    time::sleep(CATCH_UP).await;
                }
                Ok(released) => return released,
                Err(Unavailable) => told = Err(Unavailable),
            }
        }
    }
}

/// How long a store that is away is asked whose a late reply is. The customer-service API takes it for a minute at least.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// A node that goes away asks twice.
const ONCE_MORE: Duration = Duration::from_millis(100);
