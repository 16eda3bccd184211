//! One message on this node: claim → run → complete → settle, in a task that no delivery's end can stop.

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::future::{Either, select};
use http::Request;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{self, Instant},
};

use super::{
    attempt::{self, Inner, RunNumber},
    breaker::Unavailable,
    handover::{Finished, Handover},
    late::LateCause,
    machine::FOREVER,
    node::{FETCH_WAIT, LEASE, Node},
    renewal::Renewal,
    response::StoredResponse,
    store::{Claimed, Completed, Run},
    table::Task,
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
        task: Task,
        request: Request<Verified>,
        observed: observe::Runs,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            held: Handover {
                shared,
                task,
                request,
                may_be_in_store: false,
                is_given: false,
                finished: None,
                late: None,
            },
            observed,
            permit: Some(permit),
        }
    }

    /// Drives the message to its end: runs it, or follows the node that does. A drain that runs out of patience aborts
    /// it.
    ///
    /// `number` is the run's by this node's count.
    pub(super) async fn drive(mut self, number: u32, inner: impl Inner) {
        let abort = self.held.shared.cut.clone();
        let is_aborted = {
            let driven = pin!(self.drive_to_end(number, inner));
            matches!(
                select(driven, pin!(abort.cancelled())).await,
                Either::Right(_)
            )
        };
        if is_aborted {
            self.held.hand_back().await;
        }
    }

    async fn drive_to_end(&mut self, own_number: u32, inner: impl Inner) {
        let mut leased_until = None;
        for _ in 0..MAX_CLAIMS {
            match self.claim_shared(own_number, leased_until).await {
                SharedClaim::Won { number } => {
                    let mut renewal =
                        Renewal::start(&self.held.shared, &self.held.task, number).await;
                    let (this, inner) = (&*self, inner.clone());
                    let runs = async move {
                        match &this.held.finished {
                            // The message was lost, and is this node's again.
                            Some(finished) => finished.clone(),
                            None => this.runs(inner, number).await,
                        }
                    };
                    let lost = || self.observed.mark_lost();
                    if let Some(finished) = renewal.unless_lost(runs, lost).await {
                        let completed = self.complete(finished).await;
                        drop(renewal);
                        if completed != Ok(Completed::Lost) {
                            return self.settle(completed).await;
                        }
                    }
                    // Another node has the message by now. If it says so, this node's result is not wanted.
                    observe::lease_lost(self.held.account(), self.held.observed_key());
                    leased_until = Some(Instant::now() + LEASE);
                }
                SharedClaim::Replied(response) => {
                    self.observed.record_reply_elsewhere();
                    self.held.finished = Some(Finished::from_store(response));
                    return self.settle(Ok(Completed::Stored)).await;
                }
                SharedClaim::Done => {
                    self.held.finished = None;
                    self.observed.record_done_elsewhere();
                    let (silent, claim) = (StoredResponse::success(), self.held.task.claim);
                    let mut table = self.held.shared.table();
                    table.complete(claim, &silent, true, Instant::now());
                    return;
                }
                SharedClaim::Unwanted => return,
            }
        }
    }

    /// Claims the message among all nodes, or waits for the node that has it.
    ///
    /// By this node's clock, another node has it until `leased_until`.
    async fn claim_shared(
        &mut self,
        own_number: u32,
        mut leased_until: Option<Instant>,
    ) -> SharedClaim {
        let own = SharedClaim::Won { number: own_number };
        if !self.held.shared.store.is_shared() {
            return own;
        }
        let mut pause = FIRST_POLL;
        let mut asked_until = None;
        let mut failures = 0;
        let mut is_leaving = false;
        loop {
            let held = &mut self.held;
            held.may_be_in_store = true;
            match held.shared.store.claim(held.task.claim).await {
                Ok(Claimed::Run(Run { age, number })) => {
                    self.seen(age);
                    return SharedClaim::Won { number };
                }
                Ok(Claimed::Running { age, lease }) => {
                    held.may_be_in_store = false;
                    held.finished = None;
                    (failures, asked_until) = (0, None);
                    // A store may answer nonsense, but not make a time that no clock can tell.
                    let lease = lease.min(FOREVER);
                    self.seen(age);
                    self.observed.record_join_elsewhere();
                    if is_leaving {
                        return SharedClaim::Unwanted;
                    }
                    leased_until = Some(Instant::now() + lease);
                    // Not a moment before the lease is over, by the store's clock.
                    let rest = lease + Duration::from_millis(1);
                    time::sleep(pause.min(rest.max(FIRST_POLL))).await;
                }
                Ok(Claimed::Replied { age, response }) => {
                    self.seen(age);
                    return SharedClaim::Replied(response);
                }
                Ok(Claimed::Done) => {
                    held.may_be_in_store = false;
                    return SharedClaim::Done;
                }
                Err(Unavailable) => {
                    failures += 1;
                    if self.may_run_alone(leased_until, failures) {
                        return own;
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
        let Handover { shared, task, .. } = &self.held;
        task.is_awaited() || shared.table().is_acknowledged(task.claim, Instant::now())
    }

    fn seen(&self, age: Duration) {
        let now = Instant::now();
        let since = now.checked_sub(age).unwrap_or(now);
        self.held.task.seen_by_store(since);
    }

    /// Runs the message until a run succeeds or there have been enough.
    async fn runs(&self, inner: impl Inner, number: u32) -> Finished {
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
                    is_from_store: false,
                };
            }
            let Some(delay) = delays.next() else {
                let key = self.held.observed_key();
                observe::message_given_up(self.held.account(), key, number.get());
                let fallback = response::of_reply(settings.fallback.clone(), request.body());
                return Finished {
                    response: StoredResponse::of_own(&fallback),
                    has_failed: true,
                    is_from_store: false,
                };
            };
            time::sleep(*delay).await;
            number = number.next();
        }
    }

    /// Ends the message for all nodes.
    async fn complete(&mut self, finished: Finished) -> Result<Completed, Unavailable> {
        let held = &mut self.held;
        let response = &held.finished.insert(finished).response;
        if !held.shared.store.is_shared() {
            return Ok(Completed::Stored);
        }
        let claim = held.task.claim;
        let is_acknowledged = held.shared.table().is_acknowledged(claim, Instant::now());
        let store = &held.shared.store;
        let completed = store.complete(claim, response, is_acknowledged).await;
        // Unless the store says otherwise, it may have kept the reply, which this claim holds then.
        held.may_be_in_store = matches!(completed, Ok(Completed::Stored) | Err(Unavailable));
        completed
    }

    /// Ends the message on this node, and sees that its reply reaches a delivery or else the hook.
    async fn settle(&mut self, mut told: Result<Completed, Unavailable>) {
        let held = &mut self.held;
        let Some(finished) = &held.finished else {
            return;
        };
        let (shared, claim) = (&held.shared, held.task.claim);
        let is_acknowledged = told == Ok(Completed::Acknowledged);
        let completed =
            shared
                .table()
                .complete(claim, &finished.response, is_acknowledged, Instant::now());
        held.late = match completed {
            Completed::Stored => {
                let is_fetched = held.wait_until_fetched(&mut told).await;
                let is_late = !is_fetched && shared.table().reclaim(claim, Instant::now());
                is_late.then_some(LateCause::Unfetched)
            }
            Completed::Acknowledged => Some(LateCause::Acknowledged),
            Completed::Lost => None,
        };
        self.permit = None;
        if held.late.is_none() {
            if told.is_err() {
                held.take().tell_in_background();
            } else if finished.is_from_store {
                held.take().remind_in_background();
            }
            held.let_go();
        } else if held.is_ours(told).await {
            held.hand_late().await;
        } else {
            held.let_go();
        }
    }
}

impl Drop for RunningMessage {
    fn drop(&mut self) {
        // A message that is over stays as it is.
        self.held.abandon();
    }
}

/// A message that is lost to another node as often is left to it: the store answers some operations, and not others.
const MAX_CLAIMS: usize = 4;

/// After as many missing answers to its claim, a message is run without the store.
const MAX_CLAIM_FAILURES: u32 = 3;

const FIRST_POLL: Duration = Duration::from_millis(50);
const LAST_POLL: Duration = Duration::from_millis(400);
