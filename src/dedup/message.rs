//! One message on this node: claim → run → complete → settle, in a task that no delivery's end can stop.

use std::{
    fmt,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{Either, select},
};
use http::{Request, Response};
use http_body::Body;
use tokio::{
    runtime::Handle,
    sync::OwnedSemaphorePermit,
    time::{self, Instant},
};
use tower::Service;

use super::{
    attempt::{self, RunNumber},
    breaker::Unavailable,
    key::Key,
    late::{LateCause, LateReply},
    machine::{FOREVER, after},
    renewal::{RENEWAL, Renewal},
    response::StoredResponse,
    shared::{FETCH_WAIT, Shared},
    store::{
        ClaimId, ClaimRequest, Claimed, CompleteRequest, Completed, ReleaseRequest, Released,
        RenewRequest, Ttls,
    },
    table::{Completion, Ended},
};
use crate::{delivery::Verified, observe, response};

/// A message that a delivery has claimed on this node.
///
/// Dropped before it is over, even before it is first polled, it makes the message vacant again, here and in the store.
pub(super) struct Message {
    shared: Arc<Shared>,
    key: Key,
    id: ClaimId,
    ttls: Ttls,
    request: Request<Verified>,
    observed: observe::Runs,
    /// Held while the message runs and until its reply has been delivered or handed to the hook.
    permit: Option<OwnedSemaphorePermit>,
    is_claimed_in_store: bool,
    /// The result of the runs, from their end until it is delivered or handed to the hook.
    finished: Option<Finished>,
    /// Why the result is late, from the moment when no delivery to this node gets it any more.
    late: Option<LateCause>,
}

/// The state of the message among all nodes, from this node's view.
enum SharedClaim {
    /// This node runs it.
    Won { number: u32 },
    /// Another node has run it, and this one holds the reply.
    Replied(StoredResponse),
    /// It is over.
    Done,
    /// Another node runs it, and no delivery here waits for it any more.
    Unwanted,
}

/// The result of all runs of a message.
#[derive(Clone)]
struct Finished {
    response: StoredResponse,
    has_failed: bool,
}

impl Message {
    pub(super) fn new(
        shared: Arc<Shared>,
        key: Key,
        id: ClaimId,
        request: Request<Verified>,
        observed: observe::Runs,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        // It can be replayed until its timestamp is rejected: at first from the tolerance ahead of the clock, at last
        // until the tolerance behind it.
        let tolerance = request.body().delivery().timestamp_tolerance();
        Self {
            ttls: shared.ttls(tolerance.saturating_mul(2)),
            shared,
            key,
            id,
            request,
            observed,
            permit: Some(permit),
            is_claimed_in_store: false,
            finished: None,
            late: None,
        }
    }

    /// Drives the message to its end: runs it, or follows the node that does. A drain that runs out of patience aborts
    /// it.
    pub(super) async fn drive<S, B>(mut self, inner: S)
    where
        S: Service<Request<Verified>, Response = Response<B>, Error: fmt::Display> + Clone,
        B: Body<Error: fmt::Display> + 'static,
    {
        let abort = self.shared.cut.clone();
        let is_aborted = {
            let driven = pin!(self.drive_to_end(inner));
            matches!(
                select(driven, pin!(abort.cancelled())).await,
                Either::Right(_)
            )
        };
        if is_aborted {
            // What this cuts logs an error.
            let _ = time::timeout(HAND_BACK, self.hand_back()).await;
        }
    }

    async fn drive_to_end<S, B>(&mut self, inner: S)
    where
        S: Service<Request<Verified>, Response = Response<B>, Error: fmt::Display> + Clone,
        B: Body<Error: fmt::Display> + 'static,
    {
        loop {
            match self.claim_shared().await {
                SharedClaim::Won { number } => {
                    let renewal = RenewRequest::new(self.key, self.id, number, self.ttls);
                    let mut renewal = Renewal::start(&self.shared, renewal);
                    let runs = self.runs(inner.clone(), number);
                    let lost = || self.observed.are_lost();
                    if let Some(finished) = renewal.unless_lost(runs, lost).await {
                        let completed = self.complete(&finished).await;
                        drop(renewal);
                        if completed != Ok(Completed::Lost) {
                            return self.settle(finished, completed).await;
                        }
                    }
                    // Another node has the message by now, and this node's result is not wanted.
                    observe::lease_lost(self.account(), self.key.observed());
                    self.is_claimed_in_store = false;
                    self.finished = None;
                }
                SharedClaim::Replied(response) => {
                    self.observed.have_reply();
                    let finished = Finished {
                        response,
                        has_failed: false,
                    };
                    return self.settle(finished, Ok(Completed::Stored)).await;
                }
                SharedClaim::Done => {
                    self.observed.are_done();
                    let (now, mark_ttl) = (Instant::now(), self.ttls.mark);
                    return self.shared.table().end(self.key, self.id, now, mark_ttl);
                }
                SharedClaim::Unwanted => return,
            }
        }
    }

    /// Claims the message among all nodes, or waits for the node that has it.
    async fn claim_shared(&mut self) -> SharedClaim {
        let mut pause = FIRST_POLL;
        // By this node's clock.
        let mut leased_until = None;
        let asked_until = after(Instant::now(), self.ttls.reply);
        loop {
            let request = ClaimRequest::new(self.key, self.id, self.ttls);
            match self.shared.store.claim(request).await {
                Ok(Claimed::Run { age, number }) => {
                    self.is_claimed_in_store = true;
                    self.seen(age);
                    return SharedClaim::Won { number };
                }
                Ok(Claimed::Running { age, lease }) => {
                    // A store may answer nonsense, but not make a time that no clock can tell.
                    let lease = lease.min(FOREVER);
                    self.seen(age);
                    self.observed.are_elsewhere();
                    leased_until = Some(Instant::now() + lease);
                    // Not a moment before the lease is over, by the store's clock.
                    time::sleep(pause.min(lease + Duration::from_millis(1))).await;
                }
                Ok(Claimed::Replied(response)) => return SharedClaim::Replied(response),
                Ok(Claimed::Done) => return SharedClaim::Done,
                Err(Unavailable) if self.may_run_alone(leased_until) => {
                    return SharedClaim::Won { number: 1 };
                }
                // The claim may have been carried out, and may hold the reply: it is not left before an answer says so, or
                // before the reply's time is over.
                Err(Unavailable) if Instant::now() < asked_until => {
                    time::sleep(pause).await;
                    pause = (pause * 2).min(LAST_POLL);
                    continue;
                }
                Err(Unavailable) => time::sleep(pause).await,
            }
            if !self.is_wanted() {
                return SharedClaim::Unwanted;
            }
            pause = (pause * 2).min(LAST_POLL);
        }
    }

    /// Whether this node runs the message although the store has not answered.
    ///
    /// One missing answer is no reason: the store is asked until it is known to be away. Nor is it one as long as another
    /// node has the lease, or if no delivery waits for the message that another node had.
    fn may_run_alone(&self, leased_until: Option<Instant>) -> bool {
        let is_free = leased_until.is_none_or(|until| until <= Instant::now() && self.is_wanted());
        is_free && !self.shared.settings.is_fail_closed && self.shared.store.is_away()
    }

    /// Whether a delivery waits for the message, or this node has acknowledged it: then no retry would make another
    /// node take it over from a lost one.
    fn is_wanted(&self) -> bool {
        let table = self.shared.table();
        table.is_awaited(self.key, self.id) || table.is_acknowledged(self.key, self.id)
    }

    fn seen(&self, age: Duration) {
        if let Some(since) = Instant::now().checked_sub(age) {
            self.shared.table().seen(self.key, self.id, since);
        }
    }

    /// Runs the message until a run succeeds or there have been enough.
    async fn runs<S, B>(&self, inner: S, number: u32) -> Finished
    where
        S: Service<Request<Verified>, Response = Response<B>, Error: fmt::Display> + Clone,
        B: Body<Error: fmt::Display> + 'static,
    {
        let settings = &self.shared.settings;
        let mut delays = settings.retry_delays.iter();
        let mut number = RunNumber::first(number, settings.retry_delays.len());
        loop {
            let mut request = self.request.clone();
            request.extensions_mut().insert(number);
            let run = attempt::attempt(inner.clone(), request, settings.run_timeout);
            let head = || self.request.body().head();
            if let Ok(response) = self.observed.run(number.get(), head, run).await {
                return Finished {
                    response,
                    has_failed: false,
                };
            }
            let Some(delay) = delays.next() else {
                observe::message_given_up(self.account(), self.key.observed(), number.get());
                let fallback = response::of_reply(settings.fallback.clone(), self.request.body());
                return Finished {
                    response: StoredResponse::of_own(&fallback),
                    has_failed: true,
                };
            };
            time::sleep(*delay).await;
            number = number.next();
        }
    }

    /// Ends the message for all nodes.
    async fn complete(&mut self, finished: &Finished) -> Result<Completed, Unavailable> {
        self.finished = Some(finished.clone());
        let is_acknowledged = self.shared.table().is_acknowledged(self.key, self.id);
        let request = CompleteRequest::new(self.key, self.id, &finished.response, self.ttls)
            .acknowledged(is_acknowledged);
        let completed = self.shared.store.complete(request).await;
        self.is_claimed_in_store = completed == Ok(Completed::Lost);
        completed
    }

    /// Ends the message on this node, and sees that its reply reaches a delivery or else the hook.
    async fn settle(&mut self, finished: Finished, stored: Result<Completed, Unavailable>) {
        let response = finished.response.clone();
        self.finished = Some(finished);
        let completion = Completion {
            response: response.clone(),
            is_acknowledged: stored == Ok(Completed::Acknowledged),
            mark_ttl: self.ttls.mark,
        };
        let (now, limits) = (Instant::now(), self.shared.limits());
        let ended = self
            .shared
            .table()
            .complete(self.key, self.id, completion, now, limits);
        let unpublished = stored.is_err().then(|| self.publish(response));
        let is_ours = match ended {
            Some(Ended::Unfetched(fetched)) => {
                // The sender never sends; it is dropped.
                let is_fetched = time::timeout(FETCH_WAIT, fetched).await.is_ok();
                !is_fetched && self.reclaim().await
            }
            Some(Ended::Acknowledged) => {
                self.late = Some(LateCause::Acknowledged);
                stored != Ok(Completed::Stored) || self.release_hold().await
            }
            None => false,
        };
        self.permit = None;
        if is_ours {
            if let Some(is_late) = unpublished {
                is_late.store(true, Ordering::Release);
            }
            self.hand_late().await;
        }
    }

    /// Hands the late result to the hook, unless it shows nothing.
    async fn hand_late(&mut self) {
        let (Some(cause), Some(finished)) = (self.late.take(), self.finished.take()) else {
            return;
        };
        if finished.has_failed {
            self.call_late_hook(LateCause::Failed, None).await;
        } else if !finished.response.is_silent() {
            self.call_late_hook(cause, Some(finished.response)).await;
        }
    }

    /// Reclaims the reply if no delivery has fetched it; none will. Returns whether it is this node's to send.
    async fn reclaim(&mut self) -> bool {
        let now = Instant::now();
        let reclaimed = self.shared.table().reclaim(self.key, self.id, now);
        if reclaimed.is_none() {
            return false;
        }
        self.late = Some(LateCause::Unfetched);
        self.release_hold().await
    }

    /// Releases the hold of the reply. Returns whether the reply is this node's to send.
    async fn release_hold(&self) -> bool {
        let request = ReleaseRequest::new(self.key, self.id);
        // If the store has forgotten the message, or does not know yet that it is completed, no other node has the reply.
        // If the store is away, nobody can tell, and a reply given twice is better than one given never.
        self.shared.store.release(request).await != Ok(Released::HeldElsewhere)
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
            failure: Some("a drain cut it"),
        };
        hook_call.failure = match AssertUnwindSafe(call).catch_unwind().await {
            Ok(Ok(())) => None,
            Ok(Err(_elapsed)) => Some("it took too long"),
            Err(_panic) => Some("it panicked"),
        };
    }

    /// Publishes the response when the store is back. Set the flag that it returns when the reply has become late by
    /// then.
    fn publish(&self, response: StoredResponse) -> Arc<AtomicBool> {
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
                let is_acknowledged = late.load(Ordering::Acquire);
                let request =
                    CompleteRequest::new(key, id, &response, ttls).acknowledged(is_acknowledged);
                match shared.store.publish(request).await {
                    // The store had kept the reply before it became late.
                    Ok(Completed::Stored) if is_acknowledged => {
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

    /// Hands the message back to the other nodes, because this one is going away.
    async fn hand_back(&mut self) {
        let is_ours = if self.is_claimed_in_store {
            self.is_claimed_in_store = false;
            self.late = Some(LateCause::Unfetched);
            let request = ReleaseRequest::new(self.key, self.id);
            // Then the store has completed the message, and this node has not learned of it.
            self.shared.store.release(request).await == Ok(Released::LastHold)
        } else if self.late.is_some() {
            // The drain came before the store's answer.
            self.release_hold().await
        } else {
            self.reclaim().await
        };
        if is_ours {
            self.hand_late().await;
        }
    }

    fn account(&self) -> &str {
        self.request.body().delivery().account()
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // A message that is over stays as it is.
        self.shared.table().release(self.key, self.id);
        if self.is_claimed_in_store
            && let Ok(runtime) = Handle::try_current()
        {
            let shared = Arc::clone(&self.shared);
            let request = ReleaseRequest::new(self.key, self.id);
            // Without a runtime its lease runs out.
            runtime.spawn(async move { shared.store.release(request).await });
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

/// The time to hand a message back after a drain has run out of patience. It is part of the second that a drain takes
/// longer than its patience at most.
const HAND_BACK: Duration = Duration::from_millis(900);

const FIRST_POLL: Duration = Duration::from_millis(50);
const LAST_POLL: Duration = Duration::from_millis(400);
