//! The result of a message on its way: to the late-reply hook, to the store that was away, or back to the other nodes.

use std::{mem, panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Duration};

use futures_util::{
    FutureExt,
    future::{Either, select},
};
use http::Request;
use tokio::{
    runtime,
    sync::Semaphore,
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

use super::{
    breaker::{SETTLES, Unavailable},
    late::{LateCause, LateReply},
    node::{FETCH_WAIT, Node},
    renewal::RENEWAL,
    response::StoredResponse,
    store::{Claimed, Completed, Released},
    table::{Abandoned, Stage, Task},
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
    /// Whether a delivery has got the result: it cannot be lost any more.
    pub(super) is_given: bool,
    /// Why the result is late, once no delivery on this node can get it.
    pub(super) late: Option<LateCause>,
}

/// The result of all runs of a message.
#[derive(Clone)]
pub(super) struct Finished {
    pub(super) response: StoredResponse,
    pub(super) has_failed: bool,
    /// Whether another node has run the message.
    pub(super) is_from_store: bool,
}

impl Finished {
    pub(super) fn from_store(response: StoredResponse) -> Self {
        Self {
            response,
            has_failed: false,
            is_from_store: true,
        }
    }
}

impl Handover {
    /// Takes everything over, and leaves nothing behind.
    pub(super) fn take(&mut self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            task: self.task.clone(),
            request: self.request.clone(),
            may_be_in_store: mem::take(&mut self.may_be_in_store),
            is_given: self.is_given,
            finished: self.finished.take(),
            late: self.late.take(),
        }
    }

    /// Tells the store once more how the message has ended, and takes hold of the reply.
    ///
    /// A store that has forgotten the message knows it again. If another node has run the message as well, the hold tells
    /// that node that there are two replies.
    async fn tell(&self) -> Result<Completed, Unavailable> {
        let (store, claim) = (&self.shared.store, self.task.claim);
        let Some(finished) = &self.finished else {
            return Ok(Completed::Lost);
        };
        if !finished.is_from_store {
            let completed = store.publish(claim, &finished.response).await?;
            if completed != Completed::Lost {
                return Ok(completed);
            }
        }
        match store.claim(claim).await? {
            Claimed::Replied { .. } => Ok(Completed::Stored),
            Claimed::Run(_) if finished.is_from_store => {
                store.publish(claim, &finished.response).await
            }
            // Nobody has completed it yet.
            Claimed::Run(_) => Err(Unavailable),
            Claimed::Running { .. } if !finished.is_from_store => Err(Unavailable),
            Claimed::Running { .. } | Claimed::Done => Ok(Completed::Lost),
        }
    }

    /// Waits until a delivery has got the reply, or no longer.
    ///
    /// Until then the store may lose its memory of the message, so it is told every second. Its last answer is in `told`.
    pub(super) async fn wait_until_fetched(
        &self,
        told: &mut Result<Completed, Unavailable>,
    ) -> bool {
        let mut progress = self.task.progress.subscribe();
        let fetched = progress.wait_for(|progress| progress.stage == Stage::Fetched);
        let fetched = pin!(async { time::timeout(FETCH_WAIT, fetched).await.is_ok() });
        if !self.shared.store.is_shared() {
            return fetched.await;
        }
        let telling = pin!(async {
            loop {
                time::sleep(RENEWAL).await;
                if let Ok(completed) = self.tell().await {
                    *told = Ok(completed);
                }
            }
        });
        match select(fetched, telling).await {
            Either::Left((is_fetched, _telling)) => is_fetched,
            Either::Right((never, _fetched)) => never,
        }
    }

    /// Tells the store that a delivery has got the reply, in a task of its own: until it has heard.
    pub(super) fn tell_in_background(self) {
        let node = Arc::clone(&self.shared);
        let end = Instant::now() + self.task.claim.ttls.reply;
        let telling = move |this: Self| async move {
            while this.tell().await.is_err() && Instant::now() < end {
                time::sleep(RENEWAL).await;
            }
            this
        };
        self.in_background(&node.backlog_permits, &node.cut, telling);
    }

    /// Keeps telling the store that a delivery has got the reply of another node, in a task of its own: as long as that node
    /// may ask whose the reply is.
    pub(super) fn remind_in_background(self) {
        let node = Arc::clone(&self.shared);
        let reminding = |this: Self| async move {
            let start = Instant::now();
            let (least, end) = (
                start + FETCH_WAIT + SETTLES,
                start + this.task.claim.ttls.reply,
            );
            loop {
                let has_heard = this.tell().await.is_ok();
                let now = Instant::now();
                if (has_heard && now >= least) || now >= end {
                    return this;
                }
                time::sleep(RENEWAL).await;
            }
        };
        self.in_background(&node.reminder_permits, &node.draining, reminding);
    }

    /// Works for a reply that a delivery has got. The permit bounds the replies that are worked for.
    fn in_background<F>(
        mut self,
        permits: &Arc<Semaphore>,
        stop: &CancellationToken,
        work: impl FnOnce(Self) -> F,
    ) where
        F: Future<Output = Self> + Send + 'static,
    {
        let Ok(permit) = Arc::clone(permits).try_acquire_owned() else {
            return self.let_go();
        };
        self.is_given = true;
        let (tasks, stop) = (self.shared.tasks.clone(), stop.clone());
        let work = work(self);
        tasks.spawn(async move {
            let work = async {
                time::sleep(RENEWAL).await;
                work.await
            };
            stop.run_until_cancelled(work).await;
            drop(permit);
        });
    }

    /// Returns whether the late reply is this node's to send. `told` is the store's last answer to the message's end.
    pub(super) async fn is_ours(&mut self, told: Result<Completed, Unavailable>) -> bool {
        // If the store has forgotten the message, or does not know that it is completed, no other node has the reply.
        told == Ok(Completed::Acknowledged)
            || self.release(told).await != Some(Released::HeldElsewhere)
    }

    /// Releases the claim.
    ///
    /// A store that is away is asked again for some seconds. If it does not answer, the result is `None`: nobody can tell
    /// whose the reply is, and a reply given twice is better than one given never.
    async fn release(&mut self, told: Result<Completed, Unavailable>) -> Option<Released> {
        let is_silent = |finished: &Finished| finished.response.is_silent();
        let is_shown = !self.finished.as_ref().is_none_or(is_silent);
        let released = if is_shown {
            self.ask_to_release(told).await
        } else {
            self.shared.store.release(self.task.claim).await.ok()
        };
        self.may_be_in_store = false;
        if released.is_none() && is_shown {
            observe::reply_unconfirmed(self.account(), self.observed_key());
        }
        released
    }

    async fn ask_to_release(&self, mut told: Result<Completed, Unavailable>) -> Option<Released> {
        let (store, claim) = (&self.shared.store, self.task.claim);
        let asking = async {
            let mut was_unknown = false;
            loop {
                while told.is_err() {
                    time::sleep(RENEWAL).await;
                    told = self.tell().await;
                }
                // The other nodes tell a store that was away, or has lost its data, which replies their deliveries have got.
                store.settled().await;
                match store.release(claim).await {
                    Ok(Released::Unknown) if !was_unknown => {
                        was_unknown = true;
                        told = self.tell().await;
                        time::sleep(SETTLES).await;
                    }
                    Ok(released) => return released,
                    Err(Unavailable) => told = Err(Unavailable),
                }
            }
        };
        let asking = time::timeout(ASK_AGAIN, asking);
        // The permit bounds the messages that wait.
        let released = match self.shared.backlog_permits.try_acquire() {
            Ok(_permit) => self.shared.cut.run_until_cancelled(asking).await,
            Err(_) => None,
        };
        if let Some(Ok(released)) = released {
            return Some(released);
        }
        if let Ok(released) = store.release(claim).await {
            return Some(released);
        }
        time::sleep(ONCE_MORE).await;
        store.release(claim).await.ok()
    }

    /// The result has reached somebody, or nobody wants it.
    pub(super) fn let_go(&mut self) {
        self.may_be_in_store = false;
        self.finished = None;
        self.late = None;
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

    /// Makes the message vacant on this node, and hands the rest back in a task of its own.
    ///
    /// Without a runtime the lease runs out, and a result that nobody has got is an error in the log.
    pub(super) fn abandon(&mut self) {
        let local = self.shared.table().abandon(self.task.claim, Instant::now());
        if local == Abandoned::Over && self.late.is_none() {
            // A delivery has fetched the reply, which stays held.
            return self.let_go();
        }
        let is_promised = local == PROMISED;
        if !(self.may_be_in_store || self.finished.is_some() || is_promised) {
            return;
        }
        match runtime::Handle::try_current() {
            Ok(runtime) => {
                let rest = self.take();
                let tasks = self.shared.tasks.clone();
                tasks.spawn_on(rest.hand_back_from(local), &runtime);
            }
            Err(_) if is_promised => observe::reply_is_cut(self.account(), self.observed_key()),
            Err(_) => {}
        }
    }

    /// Hands the message back to the other nodes and its result to the hook, because this node is going away.
    pub(super) async fn hand_back(&mut self) {
        let local = self.shared.table().abandon(self.task.claim, Instant::now());
        self.take().hand_back_from(local).await;
    }

    /// Stops 0.9 s after the cut. A result that is left then is an error in the log.
    async fn hand_back_from(mut self, local: Abandoned) {
        let cut = self.shared.cut.clone();
        let is_cut = async {
            cut.cancelled().await;
            time::sleep(HAND_BACK).await;
        };
        select(pin!(self.hand_rest_back(local)), pin!(is_cut)).await;
    }

    async fn hand_rest_back(&mut self, local: Abandoned) {
        match local {
            // A delivery has fetched the reply.
            Abandoned::Over if self.late.is_none() => return self.let_go(),
            PROMISED => self.late = Some(LateCause::Acknowledged),
            _ => {
                self.late.get_or_insert(LateCause::Unfetched);
            }
        }
        // The claim may hold a reply whose answer was lost.
        if self.finished.is_none()
            && self.may_be_in_store
            && let claimed = self.shared.store.claim_patiently(self.task.claim).await
            && let Ok(Claimed::Replied { response, .. }) = claimed
        {
            self.finished = Some(Finished::from_store(response));
        }
        let has_reply = self.finished.is_some();
        // Otherwise a retry would make another node run the message again, and there may be none.
        let is_shared = self.shared.store.is_shared();
        let told = if is_shared {
            self.tell().await
        } else {
            Ok(Completed::Stored)
        };
        let released = match told {
            Ok(Completed::Acknowledged) => Some(Released::LastHold),
            told => self.release(told).await,
        };
        // WeChat waits for no reply, or this claim has held one.
        let is_promised = self.late == Some(LateCause::Acknowledged);
        let was_held = is_shared && released == Some(Released::LastHold);
        if !has_reply && (is_promised || was_held) {
            observe::reply_is_cut(self.account(), self.observed_key());
        }
        if released == Some(Released::HeldElsewhere) {
            self.let_go();
        } else {
            self.hand_late().await;
        }
    }

    pub(super) fn observed_key(&self) -> observe::MessageKey {
        self.task.claim.key.observed()
    }

    pub(super) fn account(&self) -> &str {
        self.request.body().delivery().account()
    }
}

/// A message that is running, and of which WeChat has been told not to wait for a reply.
const PROMISED: Abandoned = Abandoned::Running {
    is_acknowledged: true,
};

impl Drop for Handover {
    fn drop(&mut self) {
        if let Some(finished) = &self.finished
            && !self.is_given
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

/// The time to hand a message back after a drain has run out of patience. It is part of the second that a drain takes
/// longer than its patience at most.
const HAND_BACK: Duration = Duration::from_millis(900);

/// A node that goes away asks twice.
const ONCE_MORE: Duration = Duration::from_millis(100);
