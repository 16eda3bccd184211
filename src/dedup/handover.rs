//! The result of a message on its way: to the late-reply hook, to the store that was away, or back to the other nodes.

use std::{
    mem,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt, future::select};
use http::Request;
use tokio::{
    runtime,
    sync::oneshot,
    time::{self, Instant},
};

use super::{
    breaker::Unavailable,
    late::{LateCause, LateReply},
    node::Node,
    renewal::RENEWAL,
    response::StoredResponse,
    store::{Claimed, Completed, Released},
    table::{Abandoned, Task},
};
use crate::{delivery::Verified, observe};

/// What this node has of a message: its claim, and the result of its runs until that has reached somebody.
///
/// Dropped with a result, it logs an error: nothing is lost in silence.
pub(super) struct Handover {
    pub(super) shared: Arc<Node>,
    pub(super) task: Task,
    pub(super) request: Request<Verified>,
    /// Whether the store may know the claim, as the one that runs the message or as a holder of its reply.
    pub(super) may_be_in_store: bool,
    /// From the end of the runs until a delivery or the hook has it.
    pub(super) finished: Option<Finished>,
    /// Why the result is late, once no delivery on this node can get it.
    pub(super) late: Option<LateCause>,
}

/// The result of all runs of a message.
#[derive(Clone)]
pub(super) struct Finished {
    pub(super) response: StoredResponse,
    pub(super) has_failed: bool,
}

/// Whether the store has been told of the message's end.
pub(super) enum Publication {
    /// It has, with this answer.
    Told(Completed),
    /// It is away, and will be told when it is back.
    Waiting {
        told: oneshot::Receiver<Completed>,
        /// Set when the reply is taken for this node's before that.
        is_late: Arc<AtomicBool>,
    },
    /// It is away, and as many messages wait for it as may.
    Dropped,
}

impl Handover {
    /// Takes everything over, and leaves nothing behind.
    fn take(&mut self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            task: self.task.clone(),
            request: self.request.clone(),
            may_be_in_store: mem::take(&mut self.may_be_in_store),
            finished: self.finished.take(),
            late: self.late.take(),
        }
    }

    /// Returns whether the late reply is this node's to send.
    ///
    /// A store that is away is asked again for some seconds. If it does not answer, nobody can tell, and a reply given
    /// twice is better than one given never.
    pub(super) async fn is_ours(&mut self, publication: Publication) -> bool {
        let completed = match publication {
            Publication::Told(completed) => Ok(completed),
            Publication::Waiting { told, is_late } => {
                let told = async {
                    let completed = time::timeout(ASK_AGAIN, told).await.ok()?.ok()?;
                    // The other nodes tell the store of the replies that their deliveries have got.
                    time::sleep(2 * RENEWAL).await;
                    Some(completed)
                };
                let told = self.shared.cut.run_until_cancelled(told).await.flatten();
                if told.is_none() {
                    is_late.store(true, Ordering::Release);
                }
                told.ok_or(Unavailable)
            }
            Publication::Dropped => Err(Unavailable),
        };
        match completed {
            Ok(Completed::Acknowledged) => true,
            // If the store has forgotten the message, or does not know that it is completed, no other node has the reply.
            Ok(Completed::Stored | Completed::Lost) => {
                self.release_patiently().await != Some(Released::HeldElsewhere)
            }
            Err(Unavailable) => {
                observe::reply_unconfirmed(self.account(), self.observed_key());
                true
            }
        }
    }

    /// Releases the claim. Returns `None` if the store has not answered for some seconds.
    async fn release_patiently(&mut self) -> Option<Released> {
        // The permit bounds the messages that wait.
        let permit = self.shared.backlog_permits.try_acquire();
        let patience = if permit.is_ok() {
            ASK_AGAIN
        } else {
            Duration::ZERO
        };
        let end = Instant::now() + patience;
        loop {
            if let Ok(released) = self.shared.store.release(self.task.claim).await {
                self.may_be_in_store = false;
                return Some(released);
            }
            let pause = time::sleep(RENEWAL);
            if Instant::now() >= end || self.shared.cut.run_until_cancelled(pause).await.is_none() {
                self.may_be_in_store = false;
                observe::reply_unconfirmed(self.account(), self.observed_key());
                return None;
            }
        }
    }

    /// Hands the late result to the hook, unless it shows nothing.
    pub(super) async fn hand_late(&mut self) {
        let (Some(cause), Some(finished)) = (self.late.take(), self.finished.take()) else {
            return;
        };
        if finished.has_failed {
            self.call_late_hook(LateCause::Failed, None).await;
        } else if !finished.response.is_silent() {
            self.call_late_hook(cause, Some(finished.response)).await;
        }
    }

    async fn call_late_hook(&self, cause: LateCause, response: Option<StoredResponse>) {
        observe::reply_is_late(self.account(), self.observed_key(), cause.name());
        let Some(hook) = self.shared.settings.late_reply.clone() else {
            // The log already has that all runs have failed.
            if cause != LateCause::Failed {
                observe::reply_is_lost(self.account(), self.observed_key(), cause.name());
            }
            return;
        };
        let late = LateReply::new(self.task.claim.key, self.request.clone(), cause, response);
        let timeout = self.shared.settings.run_timeout;
        let call = async { time::timeout(timeout, hook(late)).await };
        let mut hook_call = HookCall {
            account: self.account(),
            key: self.observed_key(),
            failure: Some("it was cut"),
        };
        hook_call.failure = match AssertUnwindSafe(call).catch_unwind().await {
            Ok(Ok(())) => None,
            Ok(Err(_elapsed)) => Some("it took too long"),
            Err(_panic) => Some("it panicked"),
        };
    }

    /// Tells the store of the message's end when it is back.
    pub(super) fn publish(&self, response: StoredResponse) -> Publication {
        let Ok(permit) = Arc::clone(&self.shared.backlog_permits).try_acquire_owned() else {
            return Publication::Dropped;
        };
        let is_late = Arc::new(AtomicBool::new(false));
        let (tell, told) = oneshot::channel();
        let (shared, late) = (Arc::clone(&self.shared), Arc::clone(&is_late));
        let claim = self.task.claim;
        let publishing = async move {
            let end = Instant::now() + claim.ttls.reply;
            while Instant::now() < end {
                time::sleep(RENEWAL).await;
                let is_late = || late.load(Ordering::Acquire);
                match shared.store.publish(claim, &response, is_late()).await {
                    // The reply has become late on its way to the store, and the store has kept it.
                    Ok(Completed::Stored) if is_late() => {
                        let _ = shared.store.release(claim).await;
                        return;
                    }
                    Ok(Completed::Lost) => match shared.store.claim(claim).await {
                        // Another node has run the message as well, and replied. That this claim holds the reply tells it
                        // that there are two.
                        Ok(Claimed::Replied(_)) => {
                            let _ = tell.send(Completed::Stored);
                            return;
                        }
                        Ok(Claimed::Done) => {
                            let _ = tell.send(Completed::Lost);
                            return;
                        }
                        Ok(Claimed::Run(_) | Claimed::Running { .. }) | Err(Unavailable) => {}
                    },
                    Ok(completed) => {
                        let _ = tell.send(completed);
                        return;
                    }
                    Err(Unavailable) => {}
                }
            }
        };
        let abort = self.shared.cut.clone();
        self.shared.tasks.spawn(async move {
            select(pin!(publishing), pin!(abort.cancelled())).await;
            drop(permit);
        });
        Publication::Waiting { told, is_late }
    }

    /// Makes the message vacant on this node, and hands the rest back in a task of its own.
    ///
    /// Without a runtime the lease runs out, and a result that nobody has got is an error in the log.
    pub(super) fn abandon(&mut self) {
        let local = self.shared.table().abandon(self.task.claim, Instant::now());
        let is_something_left = self.may_be_in_store || self.finished.is_some();
        if is_something_left && let Ok(runtime) = runtime::Handle::try_current() {
            let rest = self.take();
            let tasks = self.shared.tasks.clone();
            tasks.spawn_on(rest.hand_back_from(local), &runtime);
        }
    }

    /// Hands the message back to the other nodes and its result to the hook, because this node is going away.
    pub(super) async fn hand_back(&mut self) {
        let local = self.shared.table().abandon(self.task.claim, Instant::now());
        self.take().hand_back_from(local).await;
    }

    async fn hand_back_from(mut self, local: Abandoned) {
        match local {
            // A delivery has fetched the reply.
            Abandoned::Over if self.late.is_none() => self.finished = None,
            Abandoned::Running {
                is_acknowledged: true,
            } => self.late = Some(LateCause::Acknowledged),
            _ => {
                self.late.get_or_insert(LateCause::Unfetched);
            }
        }
        let is_promised = self.late == Some(LateCause::Acknowledged);
        if self.finished.is_none() {
            // The claim may hold a reply whose answer was lost.
            if self.may_be_in_store
                && let Ok(Claimed::Replied(response)) =
                    self.shared.store.claim(self.task.claim).await
            {
                let has_failed = false;
                self.finished = Some(Finished {
                    response,
                    has_failed,
                });
            } else if is_promised {
                observe::reply_is_cut(self.account(), self.observed_key());
            }
        }
        let is_ours = match self.release_patiently().await {
            Some(Released::HeldElsewhere) => false,
            // A retry makes another node run the message again, unless WeChat has been told that none is needed.
            Some(Released::NotCompleted) => is_promised,
            Some(Released::LastHold | Released::Unknown) | None => true,
        };
        if is_ours {
            self.hand_late().await;
        } else {
            self.finished = None;
        }
    }

    pub(super) fn observed_key(&self) -> observe::MessageKey {
        self.task.claim.key.observed()
    }

    pub(super) fn account(&self) -> &str {
        self.request.body().delivery().account()
    }
}

impl Drop for Handover {
    fn drop(&mut self) {
        if let Some(finished) = &self.finished
            && !finished.has_failed
            && !finished.response.is_silent()
        {
            observe::reply_is_cut(self.account(), self.observed_key());
        }
    }
}

/// Logs an error when it is dropped, unless the call has succeeded.
struct HookCall<'a> {
    account: &'a str,
    key: observe::MessageKey,
    failure: Option<&'static str>,
}

impl Drop for HookCall<'_> {
    fn drop(&mut self) {
        if let Some(failure) = self.failure {
            observe::late_reply_failed(self.account, self.key, failure);
        }
    }
}

/// How long a store that is away is asked whose a late reply is. The customer-service API takes it for a minute at least.
const ASK_AGAIN: Duration = Duration::from_secs(10);
