//! A message among the other messages of its user: what it fetches from the mailbox, and the slot of its own reply.

use std::{pin::Pin, pin::pin, sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, Either, MaybeDone, join, maybe_done, select};
use http::Request;
use tokio::time::{self, Instant};

use super::{
    finished::{Finished, Origin},
    hand_over::{self, CUT, Lease},
    node::{FIRST_POLL, LAST_POLL, Node, RENEWAL},
    store::{Claim, ClaimId, Claimed, Ending, Released},
    table::Task,
};
use crate::{
    delivery::Verified,
    key::Key,
    late::{
        Fetching, LateCause, NextMessage,
        mailbox::{Conversation, Expected, Fetch, Fetched, Owner, Question},
        reply_of,
    },
    observe::{self, Way},
    reply::Reply,
    response::{self, StoredResponse, Taken},
};

/// The place of a message in the conversation of its user.
#[derive(Clone)]
pub(super) struct Place {
    node: Arc<Node>,
    next: NextMessage,
    conversation: Conversation,
    task: Arc<Task>,
    request: Arc<Request<Verified>>,
}

/// The runs of a message whose deliveries get something else.
pub(super) type OwnRuns = Pin<Box<MaybeDone<BoxFuture<'static, Finished>>>>;

/// What the deliveries of a message get.
pub(super) enum Answer {
    /// The result of its own runs.
    Own(Finished),
    /// A part out of the mailbox, or the fallback. Its own result is kept for a later message, if it has one.
    Other(Finished, Option<OwnRuns>),
}

impl Place {
    /// `None`: the layer has no mailbox.
    pub(super) fn of(
        node: &Arc<Node>,
        task: &Arc<Task>,
        request: &Arc<Request<Verified>>,
        conversation: Conversation,
    ) -> Option<Self> {
        let next = node.settings.sinks.next_message()?;
        Some(Self {
            node: Arc::clone(node),
            next: next.clone(),
            conversation,
            task: Arc::clone(task),
            request: Arc::clone(request),
        })
    }

    /// What the message does with what is kept.
    pub(super) fn fetching(&self) -> Fetching {
        self.next.fetching_of(self.request.body())
    }

    /// Drops what is kept.
    pub(super) async fn clear(&self) {
        if let Some(cleared) = self.next.clear(self.conversation, self.task.age()).await {
            let parts = usize::try_from(cleared.parts).unwrap_or(usize::MAX);
            observe::parts_went(self.account(), self.observed(), Way::Unsubscribed, parts);
            observe::parts_evicted(self.account(), cleared.dropped);
        }
    }

    /// Runs the message with `own`, and takes a part out of the mailbox for its deliveries if there is one.
    pub(super) async fn answer(&self, own: BoxFuture<'static, Finished>) -> Answer {
        let fetching = self.fetching();
        if fetching == Fetching::None {
            return Answer::Own(own.await);
        }
        self.task.set_fetching(fetching);
        let mut own = Box::pin(maybe_done(own));
        let fetched = if fetching == Fetching::Only {
            self.fetch(false).await
        } else {
            let fetch = pin!(self.fetch(true));
            match select(fetch, &mut own).await {
                Either::Left((fetched, _own)) => fetched,
                Either::Right(((), fetch)) => fetch.await,
            }
        };
        let is_only = fetching == Fetching::Only;
        if self.node.settings.runs_inline && !is_only && fetched.is_some() {
            // The answer to an inline delivery waits for the run. If the client leaves meanwhile, nobody settles the part, and
            // a retry or the next message gets it.
            own.as_mut().await;
        }
        match fetched {
            Some(other) => Answer::Other(other, (!is_only).then_some(own)),
            // A message that only fetches has no answer once it is acknowledged, or nobody waits for one.
            None if is_only && (self.is_acknowledged() || self.task.is_abandoned()) => {
                Answer::Other(self.finished(StoredResponse::success()), None)
            }
            None => {
                self.task.set_fetching(Fetching::Beside);
                own.as_mut().await;
                match own.as_mut().take_output() {
                    Some(finished) => Answer::Own(finished),
                    None => Answer::Own(self.finished(StoredResponse::success())),
                }
            }
        }
    }

    /// Takes the next part, and waits for it until the message is acknowledged, or no delivery waits and WeChat makes none any
    /// more. `None`: there is none, or too late.
    async fn fetch(&self, opens_slot: bool) -> Option<Finished> {
        let (mut pause, mut failures) = (FIRST_POLL, 0);
        let mut recovering = None;
        while !self.is_acknowledged() && !self.task.is_abandoned() {
            let (by, age) = (self.task.claim.key, self.task.age());
            let mut fetch = Fetch::new(self.conversation, by, age, self.owner());
            if opens_slot {
                fetch = fetch.with_slot();
            }
            let fetched = self.next.take(fetch).await;
            // Without an answer, it may have opened the slot.
            if opens_slot && fetched != Some(Fetched::Nothing) {
                self.keep_slot();
            }
            match fetched {
                Some(Fetched::Part(part)) => {
                    let taken = Taken {
                        question: part.question,
                        number: part.number,
                        owner: self.owner().to_bytes(),
                    };
                    let reply = reply_of(&part).unwrap_or_default();
                    let response = self.response_of(reply);
                    if !response.is_silent() {
                        return Some(self.finished(response.out_of_mailbox(taken)));
                    }
                    // The part cannot be shown. It is dropped, so that the next parts can be fetched.
                    self.next.settle(self.conversation, by, taken).await;
                    let (key, reason) = (taken.question.observed(), "its part cannot be shown");
                    observe::reply_is_lost(self.account(), key, reason, 1);
                    continue;
                }
                Some(Fetched::Wait) if !self.next.waits() => {
                    let fallback = self.node.settings.fallback.clone();
                    let fallback = self.response_of(fallback);
                    let (node, task) = (&self.node, &self.task);
                    return Some(Finished::new(node, task, fallback, Origin::Fallback));
                }
                // Each further fetch gets this answer until the slot is filled, so only the first one starts a recovery.
                Some(Fetched::Lapsed(question)) if recovering != Some(question.message) => {
                    recovering = Some(question.message);
                    let recovered = self.clone().recover(question);
                    let cut = self.node.cut.clone();
                    let recovered = async move { cut.run_until_cancelled(recovered).await };
                    self.node.tasks.spawn(recovered);
                }
                Some(Fetched::Wait | Fetched::Lapsed(_)) => {}
                None if failures < MAX_FAILURES => failures += 1,
                Some(Fetched::Nothing) | None => return None,
            }
            time::sleep(pause).await;
            pause = (pause * 2).min(LAST_POLL);
        }
        None
    }

    /// Finds out what became of an earlier message whose slot nobody has renewed, and fills the slot.
    async fn recover(self, of: Question) {
        let (question, lapsed) = (of.message, Instant::now());
        let claim = Claim {
            id: ClaimId::random(),
            ..self.task.claim.for_key(question)
        };
        let failure = || {
            let failure = self.node.settings.failure.clone();
            if failure.is_none() {
                let reason = "its node is lost, and there is no failure reply";
                observe::reply_is_lost(self.account(), question.observed(), reason, 1);
            }
            failure
        };
        let (is_failure, reply) = loop {
            // In this time, a node that is alive and could not renew the slot renews the lease of its message in the store.
            time::sleep(RENEWAL).await;
            if self.next.renew(of, self.owner()).await == Some(false) {
                return;
            }
            let Some(store) = &self.node.store else {
                // If only the mailbox was away, the message still runs.
                if self.node.table(question).has_task(question) {
                    continue;
                }
                break (true, failure());
            };
            time::sleep_until(store.caught_up()).await;
            let has_fetched = match store.claim(claim).await {
                // Nobody has the request any more.
                Ok(Claimed::Won(_)) => break (true, failure()),
                Ok(Claimed::TakenOver(response)) => match response.taken() {
                    Some(taken) => {
                        self.give_back_for(question, taken).await;
                        true
                    }
                    None => break (false, response.reply()),
                },
                Ok(Claimed::Replied { response, .. }) => {
                    let is_last = store.release(claim).await == Ok(Released::LastHold);
                    match response.taken() {
                        Some(taken) if is_last => {
                            self.give_back_for(question, taken).await;
                            true
                        }
                        Some(_) => true,
                        None if is_last => break (false, response.reply()),
                        None => continue,
                    }
                }
                Ok(Claimed::Done) => false,
                Ok(Claimed::Running { .. } | Claimed::Late { .. }) | Err(_) => continue,
            };
            // The slot is for the result of its own runs.
            match store.claim(claim.on_its(QUEUED)).await {
                Ok(Claimed::Won(run)) if has_fetched || run.number > 1 => break (true, failure()),
                Ok(Claimed::Won(_) | Claimed::Done) => break (false, None),
                _ => {}
            }
        };
        if let Some(reply) = reply {
            let mut of = Question {
                age: of.age + lapsed.elapsed(),
                ..of
            };
            if is_failure {
                // A node that turns out to be alive may still put the answer. So the failure reply has a slot of its own.
                of.message = claim.on_its("failure").key;
            }
            if !self.next.keep_reply(of, &reply, self.account()).await {
                let (key, reason) = (question.observed(), "the mailbox has not taken it");
                observe::reply_is_lost(self.account(), key, reason, reply.count_parts());
            }
        }
        self.next.close(of, self.owner()).await;
        if let Some(store) = &self.node.store {
            // If it does not answer, the lease runs out.
            let _ = store.publish(claim, Ending::Nothing).await;
            let _ = store.publish(claim.on_its(QUEUED), Ending::Nothing).await;
        }
    }

    /// Opens the slot of the message's reply, before it is acknowledged.
    pub(super) async fn expect(&self) {
        // The node that runs the message knows better, if it is this one.
        let is_only = match self.task.fetching() {
            Fetching::None => self.fetching() == Fetching::Only,
            fetching => fetching == Fetching::Only,
        };
        if !self.node.settings.sinks.expects_next_message() || is_only {
            return;
        }
        // Before the operation: it may be carried out although its answer does not arrive.
        self.keep_slot();
        let expected = self.next.expect(self.question(), self.owner()).await;
        if let Some(Expected::Yours { dropped }) = expected {
            observe::parts_evicted(self.account(), dropped);
        }
    }

    /// Keeps the message's slot open until the message is over. A queued result keeps it itself.
    fn keep_slot(&self) {
        if !self.task.keep_slot() {
            return;
        }
        let place = self.clone();
        self.node.tasks.spawn(async move {
            let over = place.task.over();
            if over.run_until_cancelled(place.renew()).await.is_some() {
                place.task.leave_slot();
                over.cancelled().await;
            }
            // A message that was cut, or that another node runs, is recovered by the next one, which looks for it in the store.
            let is_left = matches!(
                place.task.fetching(),
                Fetching::Queued | Fetching::Elsewhere
            );
            if !place.node.cut.is_cancelled() && !is_left {
                place.close().await;
            }
        });
    }

    /// Renews the slot until it is filled.
    async fn renew(&self) {
        loop {
            time::sleep(RENEWAL).await;
            if !self.renew_slot().await {
                return;
            }
        }
    }

    /// Returns whether it may be awaited.
    pub(super) async fn renew_slot(&self) -> bool {
        self.next.renew(self.question(), self.owner()).await != Some(false)
    }

    /// The time since the message was first seen.
    pub(super) fn age(&self) -> Duration {
        self.task.age()
    }

    /// The slot need not be filled: a delivery has got the reply, or there is none.
    pub(super) async fn close(&self) {
        self.next.close(self.question(), self.owner()).await;
    }

    /// A delivery has got the response.
    pub(super) async fn shown(&self, response: &StoredResponse) {
        match response.taken() {
            Some(taken) => {
                observe::parts_went(self.account(), taken.question.observed(), Way::Fetched, 1);
                let by = self.task.claim.key;
                if !self.next.settle(self.conversation, by, taken).await {
                    observe::reply_unconfirmed(self.account(), taken.question.observed());
                }
            }
            None => self.close().await,
        }
    }

    /// No delivery has got the part.
    pub(super) async fn give_back(&self, taken: Taken) {
        self.give_back_for(self.task.claim.key, taken).await;
    }

    async fn give_back_for(&self, by: Key, taken: Taken) {
        self.next.give_back(self.conversation, by, taken).await;
    }

    /// The message's own result is for a later message. Called before the message is over.
    ///
    /// In the store, it is a message of its own: so another node sees that this one lives.
    pub(super) fn queue(self: Arc<Self>, own: OwnRuns) -> impl Future<Output = ()> {
        self.task.set_fetching(Fetching::Queued);
        self.hand_over(own)
    }

    /// Waits for the message's own result, and hands it over.
    async fn hand_over(self: Arc<Self>, mut own: OwnRuns) {
        let (node, claim) = (&self.node, self.task.claim.on_its(QUEUED));
        let lease = Lease::Queued(Arc::clone(&self));
        let held = lease.hold(node, claim, own.as_mut());
        let runs = join(lease.renew(node, claim), held);
        if node.cut.run_until_cancelled(runs).await.is_none() {
            // The next message that fetches recovers the slot.
            return observe::reply_is_lost(self.account(), self.observed(), CUT, 1);
        }
        let finished = own.as_mut().take_output();
        let late = finished.and_then(|own| own.into_late(&self.request, LateCause::Queued));
        match late {
            Some(late) => {
                let late = late.with_first_seen(self.task.first_seen());
                hand_over::hand_over(node, claim, lease, late, true).await;
            }
            None => {
                lease.end(node, claim).await;
            }
        }
    }

    fn is_acknowledged(&self) -> bool {
        let claim = self.task.claim;
        let mut table = self.node.table(claim.key);
        table.is_acknowledged(claim, Instant::now())
    }

    fn response_of(&self, reply: Reply) -> StoredResponse {
        StoredResponse::of_own(&response::of_whole_reply(reply, self.request.body()))
    }

    fn finished(&self, response: StoredResponse) -> Finished {
        Finished::new(&self.node, &self.task, response, Origin::Run)
    }

    fn question(&self) -> Question {
        Question::new(self.conversation, self.task.claim.key, self.task.age())
    }

    fn owner(&self) -> Owner {
        Owner::new(self.task.claim.id.to_bytes())
    }

    fn account(&self) -> &str {
        self.request.body().delivery().account()
    }

    fn observed(&self) -> observe::MessageKey {
        self.task.claim.key.observed()
    }
}

/// Whether the user unsubscribes with this message.
pub(super) fn is_unsubscription(request: &Request<Verified>) -> bool {
    let head = request.body().head();
    head.is_ok_and(|head| {
        let event = head.event().unwrap_or_default();
        head.is_event() && event.eq_ignore_ascii_case("unsubscribe")
    })
}

/// After more missing answers, a message is answered without the mailbox.
const MAX_FAILURES: u32 = 3;

/// The message that the store has for the result of runs whose deliveries get something else.
const QUEUED: &str = "queued";
