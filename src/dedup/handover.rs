//! The result of a message on its way: to the late-reply hook, to the store that was away, or back to the other nodes.

use std::{
    mem,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::{FutureExt, future::select};
use http::Request;
use tokio::{
    runtime,
    time::{self, Instant},
};

use super::{
    breaker::Unavailable,
    key::Key,
    late::{LateCause, LateReply},
    node::Node,
    renewal::RENEWAL,
    response::StoredResponse,
    store::{
        ClaimId, ClaimRequest, Claimed, CompleteRequest, Completed, ReleaseRequest, Released, Ttls,
    },
    table::Abandoned,
};
use crate::{delivery::Verified, observe};

/// What this node has of a message: its claim, and the result of its runs until that has reached somebody.
///
/// Dropped with a result, it logs an error: nothing is lost in silence.
pub(super) struct Handover {
    pub(super) shared: Arc<Node>,
    pub(super) key: Key,
    pub(super) id: ClaimId,
    pub(super) ttls: Ttls,
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

impl Handover {
    /// Takes everything over, and leaves nothing behind.
    fn take(&mut self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            key: self.key,
            id: self.id,
            ttls: self.ttls,
            request: self.request.clone(),
            may_be_in_store: mem::take(&mut self.may_be_in_store),
            finished: self.finished.take(),
            late: self.late.take(),
        }
    }

    /// Releases the hold of the reply. Returns whether the reply is this node's to send.
    pub(super) async fn release_hold(&mut self) -> bool {
        // If the store has forgotten the message, or does not know yet that it is completed, no other node has the reply.
        // If the store is away, nobody can tell, and a reply given twice is better than one given never.
        self.release().await != Ok(Released::HeldElsewhere)
    }

    async fn release(&mut self) -> Result<Released, Unavailable> {
        let request = ReleaseRequest::new(self.key, self.id);
        let released = self.shared.store.release(request).await;
        self.may_be_in_store = false;
        released
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
        observe::reply_is_late(self.account(), self.key.observed(), cause.name());
        let Some(hook) = self.shared.settings.late_reply.clone() else {
            // The log already has that all runs have failed.
            if cause != LateCause::Failed {
                observe::reply_is_lost(self.account(), self.key.observed(), cause.name());
            }
            return;
        };
        let late = LateReply::new(self.key, self.request.clone(), cause, response);
        let timeout = self.shared.settings.run_timeout;
        let call = async { time::timeout(timeout, hook(late)).await };
        let mut hook_call = HookCall {
            account: self.account(),
            key: self.key,
            failure: Some("it was cut"),
        };
        hook_call.failure = match AssertUnwindSafe(call).catch_unwind().await {
            Ok(Ok(())) => None,
            Ok(Err(_elapsed)) => Some("it took too long"),
            Err(_panic) => Some("it panicked"),
        };
    }

    /// Publishes the response when the store is back. Set the flag that it returns when the reply has become late by
    /// then.
    pub(super) fn publish(&self, response: StoredResponse) -> Arc<AtomicBool> {
        let is_late = Arc::new(AtomicBool::new(false));
        let Ok(permit) = Arc::clone(&self.shared.backlog_permits).try_acquire_owned() else {
            return is_late;
        };
        let (key, id, ttls) = (self.key, self.id, self.ttls);
        let (shared, late) = (Arc::clone(&self.shared), Arc::clone(&is_late));
        let abort = shared.cut.clone();
        let tasks = shared.tasks.clone();
        let publishing = async move {
            let end = Instant::now() + ttls.reply;
            while Instant::now() < end {
                time::sleep(RENEWAL).await;
                let request = CompleteRequest::new(key, id, &response, ttls)
                    .with_acknowledged(late.load(Ordering::Acquire));
                match shared.store.publish(request).await {
                    // The reply has become late, here or on its way to the store, and the store has kept it.
                    Ok(Completed::Stored) if late.load(Ordering::Acquire) => {
                        let _ = shared.store.release(ReleaseRequest::new(key, id)).await;
                        return;
                    }
                    Ok(_) => return,
                    Err(Unavailable) => {}
                }
            }
        };
        tasks.spawn(async move {
            select(pin!(publishing), pin!(abort.cancelled())).await;
            drop(permit);
        });
        is_late
    }

    /// Makes the message vacant on this node, and hands the rest back in a task of its own.
    ///
    /// Without a runtime the lease runs out, and a result that nobody has got is an error in the log.
    pub(super) fn abandon(&mut self) {
        let local = self
            .shared
            .table()
            .abandon(self.key, self.id, Instant::now());
        let is_something_left = self.may_be_in_store || self.finished.is_some();
        if is_something_left && let Ok(runtime) = runtime::Handle::try_current() {
            let rest = self.take();
            let tasks = self.shared.tasks.clone();
            tasks.spawn_on(rest.hand_back_from(local), &runtime);
        }
    }

    /// Hands the message back to the other nodes and its result to the hook, because this node is going away.
    pub(super) async fn hand_back(&mut self) {
        let local = self
            .shared
            .table()
            .abandon(self.key, self.id, Instant::now());
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
                && let request = ClaimRequest::new(self.key, self.id, self.ttls)
                && let Ok(Claimed::Replied(response)) = self.shared.store.claim(request).await
            {
                let has_failed = false;
                self.finished = Some(Finished {
                    response,
                    has_failed,
                });
            } else if is_promised {
                observe::reply_is_cut(self.account(), self.key.observed());
            }
        }
        let is_ours = match self.release().await {
            Ok(Released::HeldElsewhere) => false,
            // A retry makes another node run the message again, unless WeChat has been told that none is needed.
            Ok(Released::NotCompleted) => is_promised,
            Ok(Released::LastHold | Released::Unknown) | Err(Unavailable) => true,
        };
        if is_ours {
            self.hand_late().await;
        } else {
            self.finished = None;
        }
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
            observe::reply_is_cut(self.account(), self.key.observed());
        }
    }
}

/// Logs an error when it is dropped, unless the call has succeeded.
struct HookCall<'a> {
    account: &'a str,
    key: Key,
    failure: Option<&'static str>,
}

impl Drop for HookCall<'_> {
    fn drop(&mut self) {
        if let Some(failure) = self.failure {
            observe::late_reply_failed(self.account, self.key.observed(), failure);
        }
    }
}
