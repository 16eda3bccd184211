//! One message on this node: claim → run → complete → hand over, in a task that no delivery's end can stop.

use std::{
    mem,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{self, BoxFuture, Either, OptionFuture, select},
};
use http::Request;
use tokio::{
    runtime::Handle,
    sync::OwnedSemaphorePermit,
    task::{JoinHandle, yield_now},
    time::{self, Instant},
};
use tokio_util::task::{AbortOnDropHandle, task_tracker::TaskTrackerToken};

use super::{
    attempt::{Inner, runs},
    conversation::{Answer, Place, is_unsubscription},
    finished::{ASKED_FOR, Finished, Origin, Told},
    guarded::GuardedStore,
    hand_over::{self, Lease},
    machine::FOREVER,
    node::{FETCH_WAIT, FIRST_POLL, LAST_POLL, LEASE, MAX_CLAIM_FAILURES, Node, RENEWAL},
    store::{Claim, Claimed, Completed, Ending, Released, Renewed, Run},
    streams,
    table::{Milestone, Task},
    turns::Turn,
};
use crate::{
    breaker::Unavailable,
    delivery::Verified,
    late::{Fetching, LateCause, LateReply, mailbox::Conversation},
    observe,
    reply::Reply,
    response::StoredResponse,
};

/// A message that a delivery has claimed on this node.
///
/// If this is dropped before the message is over, even before its first poll, the message is vacant again on this node. Then
/// another task hands the message back to the other nodes, and its result to the sinks.
pub(super) struct RunningMessage {
    node: Arc<Node>,
    task: Arc<Task>,
    /// The task's, or with shorter times.
    claim: Claim,
    request: Arc<Request<Verified>>,
    /// Its user, if the layer has a mailbox or runs in turn.
    conversation: Option<Conversation>,
    observed: Arc<observe::Runs>,
    /// Held until a delivery has got the reply, or until no delivery can get it. If the mailbox keeps something for the user,
    /// it is held only while the message runs.
    permit: Option<OwnedSemaphorePermit>,
    /// When it may run, until it has.
    turn: Option<Turn>,
    /// What answers a smart bot's message while it runs here.
    stream: Option<streams::Open>,
    /// Whether the store may know the claim, as the one that runs the message or as a holder of its reply.
    may_be_in_store: bool,
    /// The result, from the end of the runs on.
    finished: Option<Finished>,
    stage: Stage,
    /// A drain waits for it.
    _token: TaskTrackerToken,
}

/// What a delivery needs to make its message run.
pub(super) struct ToRun {
    pub(super) permit: OwnedSemaphorePermit,
    /// A drain waits for the delivery, then for the message.
    pub(super) token: TaskTrackerToken,
    pub(super) turn: Option<Turn>,
}

/// How a message has ended on this node.
struct Ended {
    /// What the store knows of it.
    told: Told,
    at: Instant,
    /// Whether the reply is kept for a delivery.
    is_kept: bool,
    /// The task that keeps the message's own result for a later message.
    queued: Option<JoinHandle<()>>,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// The table has its state.
    InTable,
    /// No delivery on this node gets its reply.
    Late(LateCause),
    /// Likewise, and this node goes away.
    HandedBack(LateCause),
    Over,
}

impl RunningMessage {
    pub(super) fn new(
        node: Arc<Node>,
        task: Arc<Task>,
        request: Arc<Request<Verified>>,
        conversation: Option<Conversation>,
        observed: observe::Runs,
        to_run: ToRun,
    ) -> Self {
        Self {
            node,
            claim: task.claim,
            task,
            request,
            conversation,
            observed: Arc::new(observed),
            permit: Some(to_run.permit),
            turn: to_run.turn,
            stream: None,
            may_be_in_store: false,
            finished: None,
            stage: Stage::InTable,
            _token: to_run.token,
        }
    }

    /// Drives the message to its end: runs it, or follows the node that does. A drain that runs out of patience aborts
    /// it.
    ///
    /// `number` is the run's by this node's count.
    #[expect(
        clippy::manual_async_fn,
        reason = "an `async fn` has room for `self` twice"
    )]
    pub(super) fn drive(
        mut self,
        number: u32,
        mut inner: impl Inner,
    ) -> impl Future<Output = ()> + Send {
        async move {
            let node = Arc::clone(&self.node);
            let ended = {
                let driven = pin!(self.drive_to_end(&node, number, &mut inner));
                match select(driven, pin!(node.cut.cancelled())).await {
                    Either::Left((ended, _cut)) => ended,
                    Either::Right(_) => None,
                }
            };
            let Some(ended) = ended else { return };
            // The deliveries first: what they fetch at once needs no timer.
            yield_now().await;
            let seen_off = pin!(self.see_off(ended));
            select(seen_off, pin!(node.cut.cancelled())).await;
        }
    }

    /// Returns how the message has ended on this node. `None`: it goes on elsewhere, or is over.
    async fn drive_to_end(
        &mut self,
        node: &Arc<Node>,
        own_number: u32,
        inner: &mut impl Inner,
    ) -> Option<Ended> {
        let mut leased_until = None;
        let mailbox = node.settings.sinks.next_message().zip(self.conversation);
        for _ in 0..MAX_CLAIMS {
            let claim = async {
                match node.store.as_deref() {
                    Some(store) => Box::pin(self.claim(store, own_number, leased_until)).await,
                    None => Some(Claimed::Won(Run::new(Duration::ZERO, own_number))),
                }
            };
            let peek = mailbox.map(|(mailbox, of)| mailbox.peek(of));
            let (claimed, kept) = future::join(claim, OptionFuture::from(peek)).await;
            if self.task.wants.is_some() && !matches!(claimed, Some(Claimed::Won(_))) {
                // Only the store knows whether the answer is a failure, and for how long it is kept.
                self.claim.keep_shortly();
            }
            match claimed {
                Some(Claimed::Won(run)) => {
                    if mailbox.is_some()
                        && is_unsubscription(&self.request)
                        && let Some(place) = self.place()
                    {
                        let mut cleared = Box::pin(place.clear());
                        self.unless_lost(cleared.as_mut(), run.number).await;
                    }
                    let place = (kept.flatten() == Some(true))
                        .then(|| self.place())
                        .flatten();
                    let turn = self.turn.take();
                    let turn = turn.or_else(|| Turn::of(node, self.conversation));
                    let permit = place.as_ref().and_then(|_| self.permit.take());
                    self.stream = None;
                    self.stream = streams::Open::new(node, &self.request, || self.task.over());
                    let answer = {
                        let place = place.as_ref();
                        let answer = pin!(self.answer(place, turn, permit, inner, run.number));
                        self.unless_lost(answer, run.number).await
                    };
                    if let Some(answer) = answer {
                        let (finished, own) = match answer {
                            Answer::Own(finished) => (finished, None),
                            Answer::Other(finished, own) => (finished, own),
                        };
                        // Spawned before the next await, where this task may be cut.
                        let queued = own
                            .zip(place)
                            .map(|(own, place)| self.node.tasks.spawn(place.queue(own)));
                        self.finish(finished);
                        let completed = self.complete().await;
                        if completed != Ok(Completed::Lost) {
                            return self.end(completed, queued);
                        }
                        if let Some(queued) = queued {
                            queued.abort();
                            self.task.set_fetching(Fetching::None);
                        }
                    }
                    // Another node has the message by now. If the next claim confirms that, this node's result is dropped.
                    observe::lease_lost(self.account(), self.observed_key());
                    leased_until = Some(Instant::now() + LEASE);
                }
                Some(Claimed::Replied { response, .. }) => {
                    self.turn = None;
                    self.observed.record_reply_elsewhere();
                    self.finished = Some(self.finished(response, Origin::Store));
                    if Box::pin(self.leaves_reply()).await {
                        return None;
                    }
                    return self.end(Ok(Completed::Stored), None);
                }
                Some(Claimed::TakenOver(response)) => {
                    self.turn = None;
                    self.observed.record_reply_elsewhere();
                    self.finished = Some(self.finished(response, Origin::Store));
                    return self.end(Ok(Completed::Acknowledged), None);
                }
                Some(claimed @ (Claimed::Late { .. } | Claimed::Done)) => {
                    self.turn = None;
                    self.observed.record_done_elsewhere();
                    let claim = self.claim;
                    self.node.table().complete(claim, None, Instant::now());
                    self.stage = Stage::Over;
                    if let Claimed::Late { lease } = claimed {
                        Box::pin(self.watch(lease)).await;
                    }
                    return None;
                }
                Some(Claimed::Running { .. }) => {
                    // An acknowledged message is not followed: the answer to the delivery does not wait for another node.
                    if self.node.settings.runs_inline && self.is_acknowledged() {
                        self.task.set_fetching(Fetching::Elsewhere);
                        self.leave_table();
                        self.stage = Stage::Over;
                    }
                    return None;
                }
                None => return None,
            }
        }
        None
    }

    /// Waits for a task that the delivery of an inline run must not leave behind.
    async fn ends_with_delivery<T>(&self, task: JoinHandle<T>) {
        if self.node.settings.runs_inline {
            // A panic is in the log.
            let _ = task.await;
        }
    }

    /// Its place among the other messages of its user. `None` if there is no mailbox.
    fn place(&self) -> Option<Arc<Place>> {
        let place = Place::of(&self.node, &self.task, &self.request, self.conversation?)?;
        Some(Arc::new(place))
    }

    /// Claims the message among all nodes, or waits for the node that has it. Returns `Running` if no delivery here waits
    /// for that node any more, and `None` if nobody can tell who has the message then.
    ///
    /// By this node's clock, another node has it until `leased_until`.
    async fn claim(
        &mut self,
        store: &dyn GuardedStore,
        own_number: u32,
        mut leased_until: Option<Instant>,
    ) -> Option<Claimed> {
        let mut next_pause = FIRST_POLL;
        let mut asked_until = None;
        let mut failures = 0;
        let mut is_leaving = false;
        loop {
            let pause = next_pause;
            next_pause = (pause * 2).min(LAST_POLL);
            self.may_be_in_store = true;
            let claimed = store
                .claim_for(self.claim, &self.task, self.account())
                .await;
            if let Ok(
                Claimed::Won(Run { age, .. })
                | Claimed::Running { age, .. }
                | Claimed::Replied { age, .. },
            ) = &claimed
            {
                self.seen_by_store(*age);
            }
            match claimed {
                Ok(Claimed::Running { age, lease }) => {
                    self.may_be_in_store = false;
                    self.finished = None;
                    // It may never run here.
                    self.turn = None;
                    (failures, asked_until) = (0, None);
                    // A store may answer nonsense, but not make a time that no clock can tell.
                    let lease = lease.min(FOREVER);
                    self.observed.record_join_elsewhere();
                    if is_leaving && !self.is_wanted() {
                        return Some(Claimed::Running { age, lease });
                    }
                    leased_until = Some(Instant::now() + lease);
                    // Not a moment before the lease is over, by the store's clock.
                    let rest = lease + Duration::from_millis(1);
                    let paused = time::sleep(pause.min(rest.max(FIRST_POLL)));
                    if self.node.settings.runs_inline {
                        let answered = self.task.is_left();
                        select(pin!(paused), pin!(answered)).await;
                    } else {
                        paused.await;
                    }
                }
                Ok(claimed) => return Some(claimed),
                Err(Unavailable) => {
                    failures += 1;
                    let is_away = failures >= MAX_CLAIM_FAILURES || store.is_away();
                    if is_away && self.may_run_alone(leased_until) {
                        return Some(Claimed::Won(Run::new(Duration::ZERO, own_number)));
                    }
                    time::sleep(pause).await;
                    // The claim may have been carried out, and may hold the reply. So this task stays until the store answers,
                    // or until the reply's time is over.
                    let now = Instant::now();
                    if now < *asked_until.get_or_insert(now + LEASE + FETCH_WAIT) {
                        continue;
                    }
                }
            }
            // An acknowledgement on this node may have taken hold of the reply meanwhile, so the store is asked once more.
            is_leaving = !self.is_wanted();
            if is_leaving && failures > 0 {
                return None;
            }
        }
    }

    /// Watches the node that hands the late reply over, and takes it over if that node is lost.
    async fn watch(&mut self, mut lease: Duration) {
        let node = Arc::clone(&self.node);
        let Some(store) = &node.store else { return };
        self.permit = None;
        loop {
            // Not a moment before the lease is over, by the store's clock.
            time::sleep(lease.min(LEASE) + Duration::from_millis(1)).await;
            match store.claim(self.claim).await {
                Ok(Claimed::Late { lease: its }) => lease = its,
                Ok(Claimed::TakenOver(response)) => {
                    self.finished = Some(self.finished(response, Origin::Store));
                    let cause = LateCause::Acknowledged;
                    self.stage = Stage::Late(cause);
                    return self.hand_over(cause, Ok(Completed::Acknowledged)).await;
                }
                Ok(Claimed::Won(_)) => {
                    // The store has lost the message: the other node sends what it has.
                    let _ = store.release(self.claim).await;
                    return;
                }
                Ok(Claimed::Running { .. } | Claimed::Replied { .. } | Claimed::Done) => return,
                Err(Unavailable) => lease = RENEWAL,
            }
        }
    }

    /// Whether another node may have run the message as well.
    fn was_store_away(&self) -> bool {
        let store = self.node.store.as_ref();
        store.is_some_and(|store| store.was_away())
    }

    fn seen_by_store(&self, age: Duration) {
        if self.task.seen_by_store(age) {
            let delivery = self.request.body().delivery();
            let seen = self.task.age_at(delivery.arrived());
            self.node.clock.note_seen(delivery, seen);
        }
    }

    /// Leaves the reply of another node to that node if no delivery here waits for it. Otherwise this node could hand over
    /// a reply that a delivery has got, once the store loses its data. Returns whether it has left.
    async fn leaves_reply(&mut self) -> bool {
        if self.is_wanted() {
            return false;
        }
        // The next delivery here claims the message anew.
        let Some(cause) = self.leave_table() else {
            return false;
        };
        self.stage = Stage::Late(cause);
        self.permit = None;
        let node = Arc::clone(&self.node);
        if let Some(store) = &node.store
            && store.release(self.claim).await == Ok(Released::HeldElsewhere)
        {
            self.stage = Stage::Over;
        } else {
            self.hand_over(cause, Ok(Completed::Stored)).await;
        }
        true
    }

    /// Whether this node may run the message although the store is away. If another node had the lease, only once it is over
    /// and the message is still wanted here. Never if the layer fails closed.
    fn may_run_alone(&self, leased_until: Option<Instant>) -> bool {
        let is_free = leased_until.is_none_or(|until| until <= Instant::now() && self.is_wanted());
        is_free && !self.node.settings.is_fail_closed
    }

    /// Whether a delivery waits for the message, or this node has acknowledged it. After an acknowledgement no retry comes, so
    /// only this node would take the message over from a lost node. An inline run ends with its delivery.
    fn is_wanted(&self) -> bool {
        self.task.is_awaited() || !self.node.settings.runs_inline && self.is_acknowledged()
    }

    fn is_acknowledged(&self) -> bool {
        let mut table = self.node.table();
        table.is_acknowledged(self.claim, Instant::now())
    }

    /// Runs the message when its turn comes, and looks for what is kept for its user if it has a `place` in a
    /// conversation. Waiting for it is no run, and holds no permit.
    #[expect(
        clippy::manual_async_fn,
        reason = "an `async fn` has room for its arguments twice"
    )]
    fn answer(
        &self,
        place: Option<&Arc<Place>>,
        mut turn: Option<Turn>,
        permit: Option<OwnedSemaphorePermit>,
        inner: &mut impl Inner,
        number: u32,
    ) -> impl Future<Output = Answer> + Send {
        async move {
            // The message was lost, and is this node's again: its own result need not be made again. A part that it has fetched
            // is fetched again.
            if let Some(finished) = &self.finished
                && finished.is_own()
            {
                return Answer::Own(finished.clone());
            }
            if let Some(place) = place {
                let own = self.own_runs(place, turn, permit, inner.clone(), number);
                return Box::pin(place.answer(own)).await;
            }
            let (node, claim) = (&self.node, &self.claim);
            if let Some(turn) = &mut turn {
                Box::pin(turn.comes(node, *claim)).await;
            }
            let own = runs(node, claim, &self.request, &self.observed, inner, number);
            Answer::Own(own.await)
        }
    }

    /// The runs of a message whose deliveries may get something else meanwhile.
    fn own_runs(
        &self,
        place: &Place,
        mut turn: Option<Turn>,
        permit: Option<OwnedSemaphorePermit>,
        mut inner: impl Inner,
        number: u32,
    ) -> BoxFuture<'static, Finished> {
        let (node, request) = (Arc::clone(&self.node), Arc::clone(&self.request));
        let (claim, conversation) = (self.claim, self.conversation);
        let observed = Arc::clone(&self.observed);
        if place.fetching() == Fetching::Only {
            turn = None;
        }
        let permit = permit.filter(|_| place.fetching() != Fetching::Only);
        let own = async move {
            // The permit before the turn, like every message: a turn that waits for a permit would wait for messages that wait
            // for the turn.
            let _permit = match permit {
                None => Arc::clone(&node.run_permits).acquire_owned().await.ok(),
                permit => permit,
            };
            let mut turn = turn.or_else(|| Turn::of(&node, conversation));
            if let Some(turn) = &mut turn {
                turn.comes(&node, claim).await;
            }
            runs(&node, &claim, &request, &observed, &mut inner, number).await
        };
        own.boxed()
    }

    fn finished(&self, response: StoredResponse, origin: Origin) -> Finished {
        let is_retried = self.task.wants.is_some();
        Finished {
            is_retried,
            ..Finished::new(&self.node, self.claim, response, origin)
        }
    }

    /// Renews the lease until `work` ends. If the lease is lost before, drops the work and returns `None`.
    ///
    /// The renewal is a task of its own, so that a handler that blocks its thread does not lose the lease; on a runtime
    /// with one thread it does all the same.
    async fn unless_lost<T>(
        &self,
        work: Pin<&mut impl Future<Output = T>>,
        number: u32,
    ) -> Option<T> {
        let mut renewing = None;
        if self.node.store.is_some() {
            let (node, task) = (Arc::clone(&self.node), Arc::clone(&self.task));
            let renewal = renew(node, task, self.claim, number);
            renewing = Some(AbortOnDropHandle::new(tokio::spawn(renewal)));
            // No other thread takes over a task that has just been spawned, so it is polled before a handler can block
            // this one.
            yield_now().await;
        }
        let lost = async {
            if let Some(renewing) = renewing
                && renewing.await.is_ok()
            {
                return;
            }
            // Without a store nobody takes the message.
            future::pending::<()>().await;
        };
        match select(work, pin!(lost)).await {
            Either::Left((result, _)) => Some(result),
            Either::Right(((), _work)) => {
                self.observed.mark_lost();
                None
            }
        }
    }

    /// Takes the result.
    fn finish(&mut self, mut finished: Finished) {
        if let Some(wants) = self.task.wants {
            // An earlier failure, or another node's reply, may have shortened them.
            finished.claim.ttls = self.task.claim.ttls;
            finished.keep_failure_shortly(wants);
            self.claim = finished.claim;
        }
        self.finished = Some(finished);
    }

    /// Ends the message for all nodes, with its result.
    async fn complete(&mut self) -> Told {
        let (Some(store), Some(finished)) = (&self.node.store, &self.finished) else {
            return Ok(Completed::Stored);
        };
        let failure = &self.node.settings.failure;
        let is_failure = finished.origin == Origin::FailedRun && failure.is_none()
            || finished.origin == Origin::Fallback;
        let response = finished.response.clone();
        let is_late = self.is_acknowledged() || self.goes_whole(&response);
        let ending = if !is_late {
            Ending::Reply(response)
        } else if is_failure || response.is_silent() {
            Ending::Nothing
        } else {
            Ending::Late(response)
        };
        let completed = store.complete(self.claim, ending).await;
        // Unless the store says otherwise, it may have kept the reply, which this claim holds then.
        self.may_be_in_store = matches!(completed, Ok(Completed::Stored) | Err(Unavailable));
        Ok(completed?)
    }

    /// Whether the sinks get the whole reply: they would send its rest after the answer to the delivery, which an inline run
    /// must not outlive.
    fn goes_whole(&self, response: &StoredResponse) -> bool {
        let settings = &self.node.settings;
        settings.runs_inline && response.rest().is_some() && settings.sinks.send_at_once()
    }

    /// Ends the message on this node. `told` is the store's answer to its end.
    fn end(&mut self, told: Told, queued: Option<JoinHandle<()>>) -> Option<Ended> {
        let finished = self.finished.as_ref()?;
        let is_whole = self.goes_whole(&finished.response) && !self.is_acknowledged();
        let kept = (told != Ok(Completed::Acknowledged)).then_some(&finished.response);
        let mut table = self.node.table();
        let at = Instant::now();
        let completed = table.complete(self.claim, kept, at);
        drop(table);
        if completed == Completed::Acknowledged {
            self.stage = Stage::Late(if is_whole {
                LateCause::Whole
            } else {
                LateCause::Acknowledged
            });
        }
        Some(Ended {
            told,
            at,
            is_kept: completed == Completed::Stored,
            queued,
        })
    }

    /// Sees that the reply reaches a delivery or else the sinks.
    async fn see_off(&mut self, ended: Ended) {
        let mut told = ended.told;
        if ended.is_kept
            && let Some(finished) = &self.finished
        {
            let fetched = self.task.reaches(Milestone::Fetched);
            let fetched = pin!(time::timeout_at(ended.at + FETCH_WAIT, fetched));
            let is_fetched = finished.confirm_until(fetched, &mut told).await;
            // Once it is fetched, the deliveries hold it.
            let release = || self.node.table().release(self.claim, Instant::now());
            if !is_fetched && release() == Released::LastHold {
                self.stage = Stage::Late(LateCause::Unfetched);
            }
        }
        self.permit = None;
        match self.stage {
            Stage::Late(cause) => Box::pin(self.hand_over(cause, told)).await,
            _ => self.has_been_delivered(told).await,
        }
        if let Some(queued) = ended.queued {
            self.ends_with_delivery(queued).await;
        }
    }

    /// Does what comes after the answer to the delivery.
    async fn has_been_delivered(&mut self, told: Told) {
        self.stage = Stage::Over;
        let Some(finished) = &self.finished else {
            return;
        };
        if let Some(rest) = finished.response.rest() {
            let handed_over = self.hand_over_rest(rest.clone());
            // Customer service waits for the answer to the delivery.
            if !self.node.settings.sinks.send_at_once() {
                self.ends_with_delivery(handed_over).await;
            }
        }
        let has_place = self.task.fetching() == Fetching::Beside;
        if (has_place || finished.response.taken().is_some())
            && let Some(place) = self.place()
        {
            let response = finished.response.clone();
            let end = self.node.end.clone();
            let shown = async move { end.run_until_cancelled(pin!(place.shown(&response))).await };
            let mut shown = shown.boxed();
            // A mailbox in this process needs no task.
            if (&mut shown).now_or_never().is_none() {
                let shown = self.node.tasks.spawn(shown);
                self.ends_with_delivery(shown).await;
            }
        }
        let reminds = finished.origin == Origin::Store
            && !self.node.settings.runs_inline
            && !finished.is_retried;
        if (told.is_err() || reminds || self.was_store_away())
            && let Some(finished) = self.finished.take()
        {
            finished.confirm_in_background();
        }
    }

    /// Hands the late result to the sinks, unless another node has it. `told` is the store's last answer to its end.
    async fn hand_over(&mut self, cause: LateCause, told: Told) {
        let is_acknowledged_beside = self.is_acknowledged_beside(cause, told);
        let released = self.release(told).await;
        match released {
            Some(Released::HeldElsewhere)
                if is_acknowledged_beside && self.is_still_held_elsewhere().await =>
            {
                observe::reply_unconfirmed(self.account(), self.observed_key());
            }
            Some(
                Released::HeldElsewhere | Released::SentElsewhere | Released::RunningElsewhere,
            ) if self.finished.is_some() => {
                self.stage = Stage::Over;
                return;
            }
            // If the store has forgotten the message, or does not know that it is completed, no other node has the reply.
            _ => {}
        }
        self.stage = Stage::Over;
        let Some(finished) = self.finished.take() else {
            // WeChat waits for no reply, or this claim has held one.
            if cause == LateCause::Acknowledged || released == Some(Released::LastHold) {
                self.report_lost(1);
            }
            return;
        };
        let told_later = self.was_store_away().then(|| Finished {
            is_handed_over: true,
            ..finished.clone()
        });
        let (node, claim) = (&self.node, self.claim);
        let lease = Lease::Late(finished.response.clone());
        let taken = finished.response.taken();
        if let (Some(taken), Some(place)) = (taken, self.place()) {
            lease.hold(node, claim, pin!(place.give_back(taken))).await;
            lease.end(node, claim).await;
        } else if let Some(late) = finished.into_late(&self.request, cause) {
            let late = late.with_first_seen(self.task.first_seen());
            hand_over::hand_over(node, claim, lease, late).await;
        } else {
            lease.end(node, claim).await;
        }
        // After the handing over: a confirmation says that the message is over.
        if let Some(handed_over) = told_later {
            handed_over.confirm_in_background();
        }
    }

    /// Whether this node has acknowledged the message, without the store, although a delivery of another node may have got
    /// the reply. WeChat has sent the delivery here all the same, so it may not have accepted that answer.
    fn is_acknowledged_beside(&self, cause: LateCause, told: Told) -> bool {
        let mut finished = self.finished.iter();
        cause == LateCause::Acknowledged
            && told == Ok(Completed::Stored)
            && finished.any(|finished| finished.origin == Origin::Store)
    }

    /// Whether a delivery of another node has got the reply. The others release one that no delivery has got.
    async fn is_still_held_elsewhere(&self) -> bool {
        let Some(store) = &self.node.store else {
            return false;
        };
        // A node that goes away cannot wait.
        let waited = time::sleep(ASKED_FOR);
        if self.node.cut.run_until_cancelled(waited).await.is_none() {
            return true;
        }
        let claimed = store.claim(self.claim).await;
        matches!(claimed, Ok(Claimed::Replied { .. }))
    }

    /// Hands over what the delivery that has got the reply does not show of it, in a task of its own.
    fn hand_over_rest(&self, rest: Reply) -> JoinHandle<()> {
        let claim = self.claim;
        let request = Request::clone(&self.request);
        let late = LateReply::new(claim.key, request, LateCause::Rest, rest)
            .with_first_seen(self.task.first_seen());
        let node = Arc::clone(&self.node);
        self.node
            .tasks
            .spawn(hand_over::hand_over_rest(node, claim, late))
    }

    /// Releases the claim in the store. `None` means that nobody can tell whose the reply is.
    async fn release(&self, told: Told) -> Option<Released> {
        let Some(store) = self.node.store.as_deref() else {
            return Some(Released::LastHold);
        };
        if told == Ok(Completed::Acknowledged) {
            return Some(Released::LastHold);
        }
        match &self.finished {
            Some(finished) if !finished.response.is_silent() => {
                let released = finished.release(store, told).await;
                if released.is_none() {
                    observe::reply_unconfirmed(self.account(), self.observed_key());
                }
                released
            }
            _ => store.release(self.claim).await.ok(),
        }
    }

    /// Hands the message back to the other nodes, and its result to the sinks, because this node goes away.
    ///
    /// Stops at the node's end. A reply that is left then is an error in the log.
    async fn hand_back(mut self, cause: LateCause) {
        let end = self.node.end.clone();
        let handed_back = async {
            if self.finished.is_none() {
                self.finished = self.held_in_store().await;
            }
            // Otherwise a retry would make another node run the message again, and there may be none.
            let told = match &self.finished {
                Some(finished) => finished.confirm().await,
                None => Ok(Completed::Lost),
            };
            self.hand_over(cause, told).await;
        };
        end.run_until_cancelled(pin!(handed_back)).await;
    }

    /// The reply that the claim holds although its answer was lost.
    async fn held_in_store(&self) -> Option<Finished> {
        let store = self.node.store.as_ref()?;
        if !self.may_be_in_store {
            return None;
        }
        match store.claim_patiently(self.claim).await {
            Ok(Claimed::Replied { response, .. } | Claimed::TakenOver(response)) => {
                Some(self.finished(response, Origin::Store))
            }
            _ => None,
        }
    }

    /// Logs an error if a reply is lost with this message. It is late for this `cause`.
    fn report_cut(&self, cause: LateCause) {
        match &self.finished {
            Some(finished) if finished.is_reply() => self.report_lost(finished.count_parts()),
            None if cause == LateCause::Acknowledged => self.report_lost(1),
            _ => {}
        }
    }

    fn report_lost(&self, parts: usize) {
        observe::reply_is_lost(self.account(), self.observed_key(), hand_over::CUT, parts);
    }

    /// Takes the message out of the table, and returns why its result is late. `None` if there is nothing to hand back.
    fn leave_table(&self) -> Option<LateCause> {
        let (claim, now) = (self.claim, Instant::now());
        let mut table = self.node.table();
        let is_acknowledged = table.is_acknowledged(claim, now);
        let cause = match table.release(claim, now) {
            Released::NotCompleted if is_acknowledged => LateCause::Acknowledged,
            Released::NotCompleted | Released::LastHold => LateCause::Unfetched,
            // A delivery has fetched the reply, which stays held.
            _ => {
                drop(table);
                self.leave_rest();
                return None;
            }
        };
        let is_something = self.may_be_in_store || self.finished.is_some() || is_acknowledged;
        is_something.then_some(cause)
    }

    /// Hands over what the delivery that has fetched the reply does not show of it, although this task ends.
    fn leave_rest(&self) {
        let finished = self.finished.as_ref();
        let Some(rest) = finished.and_then(|finished| finished.response.rest()) else {
            return;
        };
        if Handle::try_current().is_ok() {
            self.hand_over_rest(rest.clone());
        } else {
            self.report_lost(rest.count_parts());
        }
    }

    fn observed_key(&self) -> observe::MessageKey {
        self.claim.key.observed()
    }

    fn account(&self) -> &str {
        self.request.body().delivery().account()
    }
}

impl Drop for RunningMessage {
    fn drop(&mut self) {
        let cause = match self.stage {
            Stage::InTable => self.leave_table(),
            Stage::Late(cause) => Some(cause),
            Stage::HandedBack(cause) => {
                self.task.end();
                return self.report_cut(cause);
            }
            Stage::Over => None,
        };
        let Some(cause) = cause else {
            self.task.end();
            return;
        };
        // Without a runtime the lease runs out.
        let Ok(runtime) = Handle::try_current() else {
            return self.report_cut(cause);
        };
        let rest = Self {
            node: Arc::clone(&self.node),
            task: Arc::clone(&self.task),
            claim: self.claim,
            request: Arc::clone(&self.request),
            conversation: self.conversation,
            observed: Arc::clone(&self.observed),
            permit: None,
            turn: None,
            stream: None,
            may_be_in_store: self.may_be_in_store,
            finished: mem::take(&mut self.finished),
            stage: Stage::HandedBack(cause),
            _token: self.node.tasks.token(),
        };
        runtime.spawn(rest.hand_back(cause));
    }
}

/// Renews the lease of the task's run with this number, until it is lost.
async fn renew(node: Arc<Node>, task: Arc<Task>, claim: Claim, number: u32) {
    let Some(store) = &node.store else {
        return;
    };
    loop {
        time::sleep(RENEWAL).await;
        let run = Run::new(task.age(), number);
        if store.renew(claim, run).await == Ok(Renewed::Lost) {
            return;
        }
    }
}

/// A message that is lost this many times is left to the other node: the store answers some operations, and not others.
const MAX_CLAIMS: usize = 4;
