//! One message on this node, in a task that no delivery's end can stop: claims it, runs it while the lease is renewed,
//! completes it, hands its result over.

mod claim;
mod end;
mod leave;

use std::{
    future::poll_fn,
    mem,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{self, BoxFuture, Either, OptionFuture, select},
};
use http::Request;
use tokio::{
    sync::OwnedSemaphorePermit,
    task::{JoinHandle, yield_now},
    time::{self, Instant},
};
use tokio_util::task::{AbortOnDropHandle, task_tracker::TaskTrackerToken};

use self::end::Ended;
use super::{
    attempt::{Inner, runs},
    conversation::{Answer, Place, is_unsubscription},
    finished::{Finished, Origin},
    node::{LEASE, Node, RENEWAL},
    shards::TableGuard,
    store::{Claim, Claimed, Completed, Renewed, Run},
    streams,
    table::Task,
    turns::Turn,
};
use crate::{
    delivery::Verified,
    late::{Fetching, LateCause, mailbox::Conversation},
    observe,
    response::StoredResponse,
};

/// A message that a delivery has claimed on this node.
///
/// If this is dropped before the message is over, even before its first poll, the message is vacant again on this node. Then
/// another task hands the message back to the other nodes, and its result to the sinks. If a delivery has the result by then,
/// that task does what comes after the answer.
pub(super) struct RunningMessage {
    node: Arc<Node>,
    task: Arc<Task>,
    /// Whether the store keeps what it is told only as long as the deliveries may fetch the reply.
    is_kept_briefly: bool,
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
    in_store: InStore,
    /// The result, from the end of the runs on.
    finished: Option<Finished>,
    stage: Stage,
    /// Whether it does what a task that was dropped has left.
    is_heir: bool,
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

/// What the store may know.
#[derive(Debug, Clone, Copy, Default)]
struct InStore {
    /// Whether it may know the claim, as the one that runs the message or as a holder of its reply.
    may_have_claim: bool,
    /// Whether it has given the message to the claim, to run it.
    runs_here: bool,
}

impl InStore {
    /// A claim is on its way.
    const ASKED: Self = Self {
        may_have_claim: true,
        runs_here: false,
    };
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// The table has its state.
    InTable,
    /// No delivery on this node gets its reply.
    Late(LateCause),
    /// A delivery has its reply. What comes after that is still to be done.
    Delivered,
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
            is_kept_briefly: false,
            task,
            request,
            conversation,
            observed: Arc::new(observed),
            permit: Some(to_run.permit),
            turn: to_run.turn,
            stream: None,
            in_store: InStore::default(),
            finished: None,
            stage: Stage::InTable,
            is_heir: false,
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
            after_others().await;
            let seen_off = pin!(self.see_off(ended));
            select(seen_off, pin!(node.cut.cancelled())).await;
        }
    }

    /// Returns how the message has ended on this node. `None`: it goes on elsewhere, or is over.
    #[expect(
        clippy::manual_async_fn,
        reason = "an `async fn` has room for its arguments twice"
    )]
    fn drive_to_end(
        &mut self,
        node: &Arc<Node>,
        own_number: u32,
        inner: &mut impl Inner,
    ) -> impl Future<Output = Option<Ended>> + Send {
        async move {
            let mut leased_until = None;
            for _ in 0..MAX_CLAIMS {
                let mailbox = node.settings.sinks.next_message().zip(self.conversation);
                let peek = mailbox.map(|(mailbox, of)| mailbox.peek(of));
                let claim = async {
                    match node.store.as_deref() {
                        Some(store) => Box::pin(self.claim(store, own_number, leased_until)).await,
                        None => Some(Claimed::Won(Run::new(Duration::ZERO, own_number))),
                    }
                };
                let (run, kept) = {
                    // If an outcome lived over an `await`, each run would keep room for it.
                    let next = match future::join(claim, OptionFuture::from(peek)).await {
                        (Some(Claimed::Won(run)), kept) => Either::Left((run, kept.flatten())),
                        (claimed, _) => Either::Right(Box::pin(self.follow(claimed))),
                    };
                    match next {
                        Either::Left(won) => won,
                        Either::Right(following) => return following.await,
                    }
                };
                if node.settings.sinks.next_message().is_some()
                    && is_unsubscription(&self.request)
                    && let Some(place) = self.place()
                {
                    let mut cleared = Box::pin(place.clear());
                    self.unless_lost(cleared.as_mut(), run.number).await;
                }
                let place = (kept == Some(true)).then(|| self.place()).flatten();
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
                let settled = answer.map(|answer| self.settle(answer, place));
                if let Some(queued) = settled {
                    let completed = self.complete().await;
                    if completed != Ok(Completed::Lost) {
                        return self.end(completed, queued);
                    }
                    if let Some(queued) = queued {
                        queued.abort();
                        self.task.set_fetching(Fetching::None);
                    }
                }
                // Another node has the message by now. This node's result is dropped when that one has ended it.
                observe::lease_lost(self.account(), self.observed_key());
                leased_until = Some(Instant::now() + LEASE);
            }
            None
        }
    }

    /// Follows the node that has the message or has had it; nobody knows of one if `claimed` is `None`. Returns how the message
    /// has ended on this node, as `drive_to_end` does.
    async fn follow(&mut self, claimed: Option<Claimed>) -> Option<Ended> {
        if self.task.wants.is_some() {
            // Only the store knows whether the answer is a failure, and for how long it is kept.
            self.is_kept_briefly = true;
        }
        match claimed? {
            Claimed::Replied { response, .. } => {
                self.turn = None;
                self.observed.record_reply_elsewhere(self.account());
                self.finished = Some(self.finished(response, Origin::Store));
                if self.leaves_reply().await {
                    return None;
                }
                self.end(Ok(Completed::Stored), None)
            }
            Claimed::TakenOver(response) => {
                self.turn = None;
                self.observed.record_reply_elsewhere(self.account());
                self.finished = Some(self.finished(response, Origin::Store));
                self.end(Ok(Completed::Acknowledged), None)
            }
            claimed @ (Claimed::Late { .. } | Claimed::Done) => {
                self.turn = None;
                self.observed.record_done_elsewhere();
                let claim = self.own_claim();
                self.table().complete(claim, None, Instant::now());
                self.stage = Stage::Over;
                if let Claimed::Late { lease } = claimed {
                    self.watch(lease).await;
                }
                None
            }
            Claimed::Running { .. } => {
                // An acknowledged message is not followed: the answer to the delivery does not wait for another node.
                if self.node.settings.runs_inline && self.is_acknowledged() {
                    self.task.set_fetching(Fetching::Elsewhere);
                    self.leave_table();
                    self.stage = Stage::Over;
                }
                None
            }
            // `drive_to_end` runs it.
            Claimed::Won(_) => None,
        }
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
            let (node, task) = (&self.node, &self.task);
            if let Some(turn) = &mut turn {
                Box::pin(turn.comes(node, task.claim)).await;
            }
            let own = runs(node, task, &self.request, &self.observed, inner, number);
            Answer::Own(own.await)
        }
    }

    /// Settles what the deliveries get. Returns the task that keeps the message's own result for a later message, if that is
    /// something else.
    fn settle(&mut self, answer: Answer, place: Option<Arc<Place>>) -> Option<JoinHandle<()>> {
        let (finished, own) = match answer {
            Answer::Own(finished) => (finished, None),
            Answer::Other(finished, own) => (finished, own),
        };
        self.finish(finished);
        // Spawned before the next await, where this task may be cut.
        let (own, place) = own.zip(place)?;
        Some(self.node.tasks.spawn(place.queue(own)))
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
        let (task, conversation) = (Arc::clone(&self.task), self.conversation);
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
                turn.comes(&node, task.claim).await;
            }
            runs(&node, &task, &request, &observed, &mut inner, number).await
        };
        own.boxed()
    }

    fn finished(&self, response: StoredResponse, origin: Origin) -> Finished {
        Finished {
            is_kept_briefly: self.is_kept_briefly,
            ..Finished::new(&self.node, &self.task, response, origin)
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
        if self.node.store.is_none() {
            // Nobody takes the message.
            return Some(work.await);
        }
        let (node, task) = (Arc::clone(&self.node), Arc::clone(&self.task));
        let renewal = renew(node, task, self.own_claim(), number);
        let renewing = AbortOnDropHandle::new(tokio::spawn(renewal));
        // No other thread takes over a task that has just been spawned, so it is polled before a handler can block this one.
        yield_now().await;
        let lost = async {
            if renewing.await.is_err() {
                // The renewal has panicked, or the runtime goes away.
                future::pending::<()>().await;
            }
        };
        match select(work, pin!(lost)).await {
            Either::Left((result, _)) => Some(result),
            Either::Right(((), _work)) => {
                self.observed.mark_lost();
                None
            }
        }
    }

    fn own_claim(&self) -> Claim {
        self.task.claim_for(self.is_kept_briefly)
    }

    fn observed_key(&self) -> observe::MessageKey {
        self.task.claim.key.observed()
    }

    fn account(&self) -> &Arc<str> {
        self.request.body().delivery().shared_account()
    }

    fn table(&self) -> TableGuard<'_> {
        self.node.table(self.task.claim.key)
    }
}

/// Goes on after the tasks that are ready to run.
///
/// tokio's `yield_now` goes on when there is no other task, or after 60 of them. The request would stay in memory until then.
pub(super) async fn after_others() {
    let mut is_first = true;
    poll_fn(|cx| {
        if mem::take(&mut is_first) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
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
