//! One delivery of a message: it waits for 4.5 s at most, then is acknowledged or left to WeChat's retry.

use std::{
    mem,
    ops::ControlFlow,
    pin::pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, join},
};
use http::{HeaderValue, Request, Response, StatusCode, header::CONNECTION};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{self, Instant},
};

use super::{
    attempt::Inner,
    conversation::Place,
    node::Node,
    running::{RunningMessage, ToRun, after_others},
    store::{Acknowledged, Ttls},
    streams,
    table::{Admission, Milestone, Task, Waiting},
    turns::Turns,
};
use crate::{
    delivery::{Delivery, Verified},
    key::{Key, Keyed},
    late::{conversation_of, mailbox::Conversation},
    message::Head,
    observe,
    partial::Partial,
    response::{self, ResponseBody},
};

/// A delivery that waits for an answer. Dropping its future stops no run.
pub(super) struct Waiter {
    node: Arc<Node>,
    request: Arc<Request<Verified>>,
    keyed: Keyed,
    ttls: Ttls,
    conversation: OnceLock<Option<Conversation>>,
    /// How far this machine's clock may have been ahead on arrival. `None`: it had proven right.
    clock_ahead: Option<Duration>,
    /// Whether a stream answers the message while it runs. An inline run ends with its delivery.
    is_streamed: bool,
    /// Whether the message has been found to have another body.
    differs: AtomicBool,
    observed: observe::Deduped,
}

impl Waiter {
    pub(super) fn new(node: Arc<Node>, mut request: Request<Verified>) -> Self {
        let is_streamed = !node.settings.runs_inline && streams::is_streamed(&request);
        if is_streamed {
            request.extensions_mut().insert(Partial::new());
        }
        let clock_ahead = node.clock.note_arrival(request.body().delivery());
        let keyed = node.key_of(&request);
        let body = request.body();
        Self {
            ttls: node.ttls(body.delivery(), keyed.is_retried_for()),
            differs: AtomicBool::new(false),
            clock_ahead,
            conversation: OnceLock::new(),
            is_streamed,
            observed: observe::Deduped::new(keyed.key().observed(), body.trace()),
            keyed,
            node,
            request: Arc::new(request),
        }
    }

    /// Goes on from `next` until there is an answer, after this many runs of the message have been lost.
    pub(super) async fn answer(
        &self,
        mut next: Next,
        mut lost: u32,
        inner: impl Inner,
    ) -> Response<ResponseBody> {
        loop {
            let permit = match next {
                Next::Wait(waiting) => {
                    if let Some(response) = self.wait(waiting.task()).await {
                        return response;
                    }
                    lost += 1;
                    None
                }
                Next::Inline(waiting, run) => {
                    return self.answer_inline(waiting, run, lost, inner).await;
                }
                Next::LookAgain(later) => match later.await {
                    Ok(acquired) => acquired,
                    Err(reason) => return self.turn_away(reason),
                },
                Next::TooLate => return self.outlast().await,
            };
            next = match self.admit(permit, lost, &inner) {
                ControlFlow::Break(response) => return response,
                ControlFlow::Continue(next) => next,
            };
        }
    }

    /// Looks at the table, and makes the message run if it is vacant. Returns the answer, or how to go on.
    pub(super) fn admit(
        &self,
        permit: Option<OwnedSemaphorePermit>,
        lost: u32,
        inner: &impl Inner,
    ) -> ControlFlow<Response<ResponseBody>, Next> {
        if lost > MAX_LOST_RUNS {
            return ControlFlow::Break(self.turn_away("its runs were lost"));
        }
        let Some(admission) = self.claim(permit) else {
            return ControlFlow::Continue(Next::TooLate);
        };
        let arrival = self.delivery().arrived();
        let patience = arrival + PATIENCE;
        let draining = &self.node.draining;
        ControlFlow::Continue(match admission {
            Admission::Replied(response) => {
                self.observed
                    .record_kept_reply(self.account(), response.taken().is_some());
                return ControlFlow::Break(response.into_response());
            }
            Admission::Done => {
                self.observed.record_done();
                let stream = self.node.streams.answer(&self.request);
                return ControlFlow::Break(stream.unwrap_or_else(response::success));
            }
            Admission::Join(waiting) => {
                self.observed.record_join(self.account());
                let seen = || waiting.task().age_at(arrival);
                self.node.clock.note(self.delivery(), seen, false);
                Next::Wait(waiting)
            }
            Admission::Run(waiting, run, to_run) => {
                // With a store, its answer tells how long the message has been seen.
                if self.node.store.is_none() {
                    let task = waiting.task();
                    let is_first = task.begins_with(run.number);
                    let seen = || task.age_at(arrival);
                    self.node.clock.note(self.delivery(), seen, is_first);
                }
                let message = RunningMessage::new(
                    Arc::clone(&self.node),
                    Arc::clone(waiting.task()),
                    Arc::clone(&self.request),
                    self.conversation(),
                    self.observed.start_runs(),
                    to_run,
                );
                // Boxed, it is moved as a pointer.
                let run = Box::pin(message.drive(run.number, inner.clone()));
                if self.node.settings.runs_inline {
                    Next::Inline(waiting, run)
                } else {
                    tokio::spawn(run);
                    Next::Wait(waiting)
                }
            }
            Admission::NoPermit if draining.is_cancelled() => {
                return ControlFlow::Break(self.turn_away("shutting down"));
            }
            Admission::NoPermit => {
                let permits = Arc::clone(&self.node.run_permits);
                let draining = draining.clone();
                let permit_or_end = draining.run_until_cancelled_owned(permits.acquire_owned());
                let acquired = time::timeout_at(patience, permit_or_end);
                Next::LookAgain(Box::pin(acquired.map(|acquired| match acquired {
                    // At the drain's begin, looks again without a permit.
                    Ok(acquired) => acquired.transpose().map_err(|_closed| TOO_MANY),
                    Err(_elapsed) => Err(TOO_MANY),
                })))
            }
            Admission::Full if Instant::now() < patience => {
                Next::LookAgain(Box::pin(time::sleep(LOOK_AGAIN).map(|()| Ok(None))))
            }
            Admission::Full => return ControlFlow::Break(self.turn_away("too many deliveries")),
        })
    }

    /// Claims the message, with the `permit` that this delivery has waited for, or another one that is free. Returns `None`
    /// if WeChat has hung up.
    fn claim(&self, permit: Option<OwnedSemaphorePermit>) -> Option<Admission<ToRun>> {
        let turns = self.node.turns.as_ref();
        let user = turns.and_then(|turns| Some((turns, self.conversation()?.key())));
        let mut table = self.node.table(self.keyed.key());
        // The time is read under the lock: no other delivery of the message has seen a later one.
        let now = Instant::now();
        if self.is_hung_up_on(now) {
            return None;
        }
        let arrival = self.delivery().arrived();
        // A duplicate takes no permit and no turn.
        let to_run = || self.to_run(permit, user);
        let admission = table.claim(self.keyed, self.ttls, arrival, now, to_run);
        let is_known = !matches!(admission, Admission::Run(..) | Admission::NoPermit);
        let differs = is_known && table.differs(self.keyed, now);
        drop(table);
        if differs && !self.differs.swap(true, Ordering::Relaxed) {
            observe::retry_differs(self.account(), self.keyed.key().observed());
        }
        Some(admission)
    }

    fn to_run(
        &self,
        permit: Option<OwnedSemaphorePermit>,
        user: Option<(&Arc<Turns>, Key)>,
    ) -> Result<ToRun, Admission<ToRun>> {
        // Before the drain is looked for.
        let token = self.node.tasks.token();
        if self.node.draining.is_cancelled() {
            return Err(Admission::NoPermit);
        }
        let free = || Arc::clone(&self.node.run_permits).try_acquire_owned().ok();
        let permit = permit.or_else(free).ok_or(Admission::NoPermit)?;
        let turn = user.map(|(turns, user)| turns.try_take(user).ok_or(Admission::Full));
        Ok(ToRun {
            permit,
            token,
            turn: turn.transpose()?,
        })
    }

    /// Answers with the run as part of the delivery. The run ends when its reply has been fetched.
    ///
    /// The box keeps a run's size away from the deliveries that make none.
    fn answer_inline(
        &self,
        waiting: Waiting,
        run: BoxFuture<'static, ()>,
        lost: u32,
        inner: impl Inner,
    ) -> BoxFuture<'_, Response<ResponseBody>> {
        let answer = async move {
            if let Some(response) = self.wait(waiting.task()).await {
                return response;
            }
            let lost = lost + 1;
            match self.admit(None, lost, &inner) {
                ControlFlow::Break(response) => response,
                ControlFlow::Continue(next) => self.answer(next, lost, inner).await,
            }
        };
        // The answer is polled first: a reply that it fetches is sent before the host can drop it.
        Box::pin(join(answer, run).map(|(response, ())| response))
    }

    /// Waits until the message is over, and returns `None`: the caller looks at the table again. Returns an answer if
    /// waiting ends earlier.
    async fn wait(&self, task: &Arc<Task>) -> Option<Response<ResponseBody>> {
        let arrival = self.delivery().arrived();
        // What ends at once needs no timer.
        after_others().await;
        if task.has_reached(Milestone::Ended) {
            return None;
        }
        let mut ended = pin!(task.reaches(Milestone::Ended));
        let patience = if self.is_streamed {
            STREAM_AFTER
        } else {
            PATIENCE
        };
        let outcome = time::timeout_at(arrival + patience, &mut ended);
        if outcome.await.is_ok() {
            return None;
        }
        if !self.may_hang(task) {
            return Box::pin(self.acknowledge(task)).await;
        }
        let hang_up = HangUp { waiter: self, task };
        let outcome = time::timeout_at(arrival + HANG_UP, ended);
        if outcome.await.is_ok() && !self.is_hung_up_on(Instant::now()) {
            mem::forget(hang_up);
            return None;
        }
        Some(self.outlast().await)
    }

    fn is_hung_up_on(&self, now: Instant) -> bool {
        now >= self.delivery().arrived() + HANG_UP
    }

    /// Waits a second longer than WeChat, and turns the delivery away. An outcome that comes now is for the next delivery.
    ///
    /// WeChat's clock may be a little behind, and an answer before it hangs up would make it retry at once.
    async fn outlast(&self) -> Response<ResponseBody> {
        time::sleep_until(self.delivery().arrived() + CAP).await;
        self.turn_away("no outcome in time")
    }

    /// Whether WeChat may be left to hang up and deliver again.
    fn may_hang(&self, task: &Task) -> bool {
        // It takes the fallback for a failure, and retries all the same.
        if task.wants.is_some() {
            return true;
        }
        let (first_seen, is_in_store) = task.seen();
        // Without the store's answer a message that fails closed does not run, so there is nothing to acknowledge.
        if self.node.settings.is_fail_closed && !is_in_store {
            return true;
        }
        let (account, hang_ups) = (self.account(), &self.node.hang_ups);
        // WeCom is not known to send a smart bot's pushes again.
        let is_bots = self.request.body().head().is_ok_and(Head::is_smart_bot);
        !is_bots
            && !self.node.acknowledges_first()
            && self.age(first_seen, is_in_store) < LAST_DELIVERY
            && self.node.accepts_reply(&self.request)
            && !hang_ups.are_spent(account, Instant::now())
    }

    /// The age of the message on this delivery's arrival.
    ///
    /// Where neither the store nor this node can have seen an earlier delivery, the timestamp counts as it is. Elsewhere it
    /// counts if this machine's clock has proven right, or what was seen explains it: a store may have lost its data.
    fn age(&self, first_seen: Instant, is_in_store: bool) -> Duration {
        let delivery = self.delivery();
        let is_known = if self.node.store.is_some() {
            is_in_store
        } else {
            self.node.has_seen_all(first_seen)
        };
        let seen = delivery.arrived().saturating_duration_since(first_seen);
        let signed = if is_known {
            self.node.clock.age(delivery, seen, self.clock_ahead)
        } else {
            delivery.age()
        };
        signed.max(seen)
    }

    /// Acknowledges the message, or sends the reply if it is there by now. Returns `None` if the run was lost.
    async fn acknowledge(&self, task: &Arc<Task>) -> Option<Response<ResponseBody>> {
        let claim = task.claim;
        let stream = self.stream();
        let expect = async {
            // The stream gets the reply, before any message can fetch it.
            if stream.is_none()
                && let Some(conversation) = self.conversation()
                && let Some(place) = Place::of(&self.node, task, &self.request, conversation)
            {
                place.expect().await;
            }
        };
        let acknowledge = async {
            let store = self.node.store.as_ref()?;
            task.note_asked();
            match store.acknowledge(claim).await {
                Ok(Acknowledged::Replied(response)) => Some(response),
                _ => None,
            }
        };
        // Side by side: there is half a second for both.
        let ((), stored) = join(expect, acknowledge).await;
        let mut table = self.node.table(claim.key);
        let acknowledged = table.acknowledge(claim, stored.as_ref(), Instant::now());
        drop(table);
        match acknowledged? {
            Acknowledged::Recorded => {
                self.observed.record_acknowledged();
                if let Some(stream) = stream {
                    return Some(stream);
                }
                let fallback = self.node.settings.fallback.clone();
                Some(response::of_whole_reply(fallback, self.request.body()))
            }
            Acknowledged::Replied(response) => {
                self.observed
                    .record_kept_reply(self.account(), response.taken().is_some());
                task.end();
                Some(response.into_response())
            }
        }
    }

    /// The answer of a smart bot to a message that still runs, on this node or on another.
    fn stream(&self) -> Option<Response<ResponseBody>> {
        if !self.is_streamed {
            return None;
        }
        let elsewhere = || self.node.store.is_some();
        let begun = self.node.streams.begin(&self.request);
        begun.or_else(|| elsewhere().then(|| streams::unfinished(&self.request, "")))
    }

    /// Answers 503, so that WeChat delivers the message again. The connection is closed, since
    /// WeChat has given up on it, or will.
    fn turn_away(&self, reason: &'static str) -> Response<ResponseBody> {
        self.observed.record_turned_away(self.account(), reason);
        let mut response = Response::new(ResponseBody::default());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
        response
    }

    /// The user's, if the layer has a mailbox or runs in turn, and the message names its sender.
    fn conversation(&self) -> Option<Conversation> {
        let node = &self.node;
        if node.turns.is_none() && node.settings.sinks.next_message().is_none() {
            return None;
        }
        let conversation = || conversation_of(&self.request);
        *self.conversation.get_or_init(conversation)
    }

    fn account(&self) -> &Arc<str> {
        self.delivery().shared_account()
    }

    fn delivery(&self) -> &Delivery {
        self.request.body().delivery()
    }
}

/// How a delivery goes on that has no answer yet.
pub(super) enum Next {
    /// It waits for the message to be over.
    Wait(Waiting),
    /// It waits, and runs the message as a part of itself.
    Inline(Waiting, BoxFuture<'static, ()>),
    /// It looks at the table again, perhaps with a permit. Or it is turned away, for this reason.
    LookAgain(BoxFuture<'static, Result<Option<OwnedSemaphorePermit>, &'static str>>),
    /// WeChat has hung up: a reply would be lost with this delivery.
    TooLate,
}

/// Counts a hang-up when it is dropped. It is forgotten if the message ends within 5 s of the delivery's arrival.
///
/// Hang-ups are counted at most four times per message, so replaying one message cannot exhaust the account's budget.
struct HangUp<'a> {
    waiter: &'a Waiter,
    task: &'a Task,
}

impl Drop for HangUp<'_> {
    fn drop(&mut self) {
        self.waiter.observed.record_hang_up(self.waiter.account());
        if self.task.hang_up() {
            let account = self.waiter.account();
            let hang_ups = &self.waiter.node.hang_ups;
            hang_ups.count(account, Instant::now());
        }
    }
}

/// From a delivery's arrival: half a second is left for the answer's way back.
const PATIENCE: Duration = Duration::from_millis(4500);

/// From the arrival of a smart bot's message: a reply that comes sooner needs no stream.
const STREAM_AFTER: Duration = Duration::from_secs(1);

/// From a delivery's arrival: WeChat has hung up.
const HANG_UP: Duration = Duration::from_secs(5);

/// From a delivery's arrival: a client that still waits is not WeChat.
const CAP: Duration = Duration::from_secs(6);

/// The least age of a message in its last delivery. WeChat makes that delivery after 10 s; half a second less allows for the
/// network.
const LAST_DELIVERY: Duration = Duration::from_millis(9500);

/// Why a delivery is turned away that has got no permit.
const TOO_MANY: &str = "too many messages running";

/// How often a delivery looks whether there is room to wait.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// After more lost runs than this, a delivery gives up: they have a common reason, such as the runtime's end.
const MAX_LOST_RUNS: u32 = 3;
