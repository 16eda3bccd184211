//! One message on this node: claim → run → complete → settle, in a task that no delivery's end can stop.

use std::{
    fmt,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::future::{Either, select};
use http::{Request, Response};
use http_body::Body;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{self, Instant},
};
use tower::Service;

use super::{
    attempt::{self, RunNumber},
    breaker::Unavailable,
    handover::{Finished, Handover},
    key::Key,
    late::LateCause,
    machine::FOREVER,
    node::{FETCH_WAIT, LEASE, Node},
    renewal::Renewal,
    response::StoredResponse,
    store::{ClaimId, ClaimRequest, Claimed, CompleteRequest, Completed, RenewRequest},
    table::{Completion, Ended},
};
use crate::{delivery::Verified, observe, response};

/// A message that a delivery has claimed on this node.
///
/// Dropped before it is over, even before it is first polled, it makes the message vacant again, here and in the store,
/// and hands on the result that it has.
pub(super) struct RunningMessage {
    held: Handover,
    observed: observe::Runs,
    /// Held while the message runs and until its reply has been delivered or handed to the hook.
    permit: Option<OwnedSemaphorePermit>,
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

impl RunningMessage {
    pub(super) fn new(
        shared: Arc<Node>,
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
            held: Handover {
                ttls: shared.ttls(tolerance.saturating_mul(2)),
                shared,
                key,
                id,
                request,
                may_be_in_store: false,
                finished: None,
                late: None,
            },
            observed,
            permit: Some(permit),
        }
    }

    /// Drives the message to its end: runs it, or follows the node that does. A drain that runs out of patience aborts
    /// it.
    pub(super) async fn drive<S, B>(mut self, inner: S)
    where
        S: Service<Request<Verified>, Response = Response<B>, Error: fmt::Display> + Clone,
        B: Body<Error: fmt::Display> + 'static,
    {
        let abort = self.held.shared.cut.clone();
        let is_aborted = {
            let driven = pin!(self.drive_to_end(inner));
            matches!(
                select(driven, pin!(abort.cancelled())).await,
                Either::Right(_)
            )
        };
        if is_aborted {
            // What this cuts logs an error.
            let _ = time::timeout(HAND_BACK, self.held.hand_back()).await;
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
                    let held = &self.held;
                    let renewal = RenewRequest::new(held.key, held.id, number, held.ttls);
                    let mut renewal = Renewal::start(&held.shared, renewal).await;
                    let runs = self.runs(inner.clone(), number);
                    let lost = || self.observed.mark_lost();
                    if let Some(finished) = renewal.unless_lost(runs, lost).await {
                        let completed = self.complete(finished).await;
                        drop(renewal);
                        if completed != Ok(Completed::Lost) {
                            return self.settle(completed).await;
                        }
                    }
                    // Another node has the message by now, and this node's result is not wanted.
                    observe::lease_lost(self.held.account(), self.held.key.observed());
                    self.held.finished = None;
                }
                SharedClaim::Replied(response) => {
                    self.observed.record_reply_elsewhere();
                    let has_failed = false;
                    self.held.finished = Some(Finished {
                        response,
                        has_failed,
                    });
                    return self.settle(Ok(Completed::Stored)).await;
                }
                SharedClaim::Done => {
                    self.observed.record_done_elsewhere();
                    let Handover {
                        shared,
                        key,
                        id,
                        ttls,
                        ..
                    } = &self.held;
                    return shared.table().end(*key, *id, Instant::now(), ttls.mark);
                }
                SharedClaim::Unwanted => return,
            }
        }
    }

    /// Claims the message among all nodes, or waits for the node that has it.
    async fn claim_shared(&mut self) -> SharedClaim {
        if !self.held.shared.store.is_shared() {
            return SharedClaim::Won { number: 1 };
        }
        let mut pause = FIRST_POLL;
        // By this node's clock.
        let mut leased_until = None;
        let mut asked_until = None;
        let mut failures = 0;
        let mut is_leaving = false;
        loop {
            let held = &mut self.held;
            held.may_be_in_store = true;
            let request = ClaimRequest::new(held.key, held.id, held.ttls);
            match held.shared.store.claim(request).await {
                Ok(Claimed::Run { age, number }) => {
                    self.seen(age);
                    return SharedClaim::Won { number };
                }
                Ok(Claimed::Running { age, lease }) => {
                    held.may_be_in_store = false;
                    failures = 0;
                    // A store may answer nonsense, but not make a time that no clock can tell.
                    let lease = lease.min(FOREVER);
                    self.seen(age);
                    self.observed.record_join_elsewhere();
                    if is_leaving {
                        return SharedClaim::Unwanted;
                    }
                    leased_until = Some(Instant::now() + lease);
                    // Not a moment before the lease is over, by the store's clock.
                    time::sleep(pause.min(lease + Duration::from_millis(1))).await;
                }
                Ok(Claimed::Replied(response)) => return SharedClaim::Replied(response),
                Ok(Claimed::Done) => {
                    held.may_be_in_store = false;
                    return SharedClaim::Done;
                }
                Err(Unavailable) => {
                    failures += 1;
                    if self.may_run_alone(leased_until, failures) {
                        return SharedClaim::Won { number: 1 };
                    }
                    time::sleep(pause).await;
                    // The claim may have been carried out, and may hold the reply: it does not leave before an answer
                    // says so, or the reply's time is over.
                    let now = Instant::now();
                    if now < *asked_until.get_or_insert(now + LEASE + FETCH_WAIT) {
                        pause = (pause * 2).min(LAST_POLL);
                        continue;
                    }
                }
            }
            // An acknowledgement on this node may have taken hold of the reply meanwhile, so the store is asked once more.
            is_leaving = !self.is_wanted();
            if is_leaving && failures > 0 {
                return SharedClaim::Unwanted;
            }
            pause = (pause * 2).min(LAST_POLL);
        }
    }

    /// Whether this node runs the message although the store has not answered.
    ///
    /// One missing answer is no reason. Nor are several as long as another node has the lease, or if no delivery waits for
    /// the message that another node had.
    fn may_run_alone(&self, leased_until: Option<Instant>, failures: u32) -> bool {
        let shared = &self.held.shared;
        let is_free = leased_until.is_none_or(|until| until <= Instant::now() && self.is_wanted());
        let is_away = failures >= MAX_CLAIM_FAILURES || shared.store.is_away();
        is_free && is_away && !shared.settings.is_fail_closed
    }

    /// Whether a delivery waits for the message, or this node has acknowledged it: then no retry would make another
    /// node take it over from a lost one.
    fn is_wanted(&self) -> bool {
        let Handover {
            shared, key, id, ..
        } = &self.held;
        let table = shared.table();
        table.is_awaited(*key, *id) || table.is_acknowledged(*key, *id)
    }

    fn seen(&self, age: Duration) {
        let now = Instant::now();
        let since = now.checked_sub(age).unwrap_or(now);
        let held = &self.held;
        held.shared.table().seen(held.key, held.id, since);
    }

    /// Runs the message until a run succeeds or there have been enough.
    async fn runs<S, B>(&self, inner: S, number: u32) -> Finished
    where
        S: Service<Request<Verified>, Response = Response<B>, Error: fmt::Display> + Clone,
        B: Body<Error: fmt::Display> + 'static,
    {
        let request = &self.held.request;
        let settings = &self.held.shared.settings;
        let mut delays = settings.retry_delays.iter();
        let mut number = RunNumber::first(number, settings.retry_delays.len());
        loop {
            let mut numbered = request.clone();
            numbered.extensions_mut().insert(number);
            let run = attempt::attempt(inner.clone(), numbered, settings.run_timeout);
            let head = || request.body().head();
            if let Ok(response) = self.observed.run(number.get(), head, run).await {
                return Finished {
                    response,
                    has_failed: false,
                };
            }
            let Some(delay) = delays.next() else {
                observe::message_given_up(
                    self.held.account(),
                    self.held.key.observed(),
                    number.get(),
                );
                let fallback = response::of_reply(settings.fallback.clone(), request.body());
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
    async fn complete(&mut self, finished: Finished) -> Result<Completed, Unavailable> {
        let held = &mut self.held;
        let finished = &*held.finished.insert(finished);
        if !held.shared.store.is_shared() {
            return Ok(Completed::Stored);
        }
        let is_acknowledged = held.shared.table().is_acknowledged(held.key, held.id);
        let request = CompleteRequest::new(held.key, held.id, &finished.response, held.ttls)
            .with_acknowledged(is_acknowledged);
        let completed = held.shared.store.complete(request).await;
        // Unless the store says otherwise, it may have kept the reply, which this claim holds then.
        held.may_be_in_store = matches!(completed, Ok(Completed::Stored) | Err(Unavailable));
        completed
    }

    /// Ends the message on this node, and sees that its reply reaches a delivery or else the hook.
    async fn settle(&mut self, stored: Result<Completed, Unavailable>) {
        let held = &mut self.held;
        let Some(finished) = &held.finished else {
            return;
        };
        let completion = Completion {
            response: finished.response.clone(),
            is_acknowledged: stored == Ok(Completed::Acknowledged),
            mark_ttl: held.ttls.mark,
        };
        let (now, limits) = (Instant::now(), held.shared.limits());
        let ended = held
            .shared
            .table()
            .complete(held.key, held.id, completion, now, limits);
        let unpublished = stored
            .is_err()
            .then(|| held.publish(finished.response.clone()));
        let is_ours = match ended {
            Some(Ended::Unfetched(fetched)) => {
                // The sender never sends; it is dropped.
                let is_fetched = time::timeout(FETCH_WAIT, fetched).await.is_ok();
                if !is_fetched
                    && held
                        .shared
                        .table()
                        .reclaim(held.key, held.id, Instant::now())
                {
                    held.late = Some(LateCause::Unfetched);
                    held.release_hold().await
                } else {
                    false
                }
            }
            Some(Ended::Acknowledged) => {
                held.late = Some(LateCause::Acknowledged);
                stored != Ok(Completed::Stored) || held.release_hold().await
            }
            None => false,
        };
        self.permit = None;
        held.may_be_in_store = false;
        if is_ours {
            if let Some(is_late) = unpublished {
                is_late.store(true, Ordering::Release);
            }
            held.hand_late().await;
        } else {
            held.finished = None;
        }
    }
}

impl Drop for RunningMessage {
    fn drop(&mut self) {
        // A message that is over stays as it is.
        self.held.abandon();
    }
}

/// The time to hand a message back after a drain has run out of patience. It is part of the second that a drain takes
/// longer than its patience at most.
const HAND_BACK: Duration = Duration::from_millis(900);

/// After as many missing answers to its claim, a message is run without the store.
const MAX_CLAIM_FAILURES: u32 = 3;

const FIRST_POLL: Duration = Duration::from_millis(50);
const LAST_POLL: Duration = Duration::from_millis(400);
