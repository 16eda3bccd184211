//! A message among the other messages of its user: what it fetches from the mailbox, and the slot of its own reply.

use std::{pin::Pin, pin::pin, sync::Arc, time::Duration};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Either, MaybeDone, maybe_done, select},
};
use http::Request;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{self, Instant},
};

use super::{
    finished::{Finished, Origin},
    node::{Node, RENEWAL},
    store::{Claim, ClaimId, Claimed, Ending, Released},
    table::Task,
};
use crate::{
    delivery::Verified,
    key::Key,
    late::{
        Fetching, LateCause, LateReply, NextMessage, conversation_of,
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
    task: Task,
    request: Request<Verified>,
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
    /// `None`: the layer has no mailbox, or the message names no sender.
    pub(super) fn of(node: &Arc<Node>, task: &Task, request: &Request<Verified>) -> Option<Self> {
        let next = node.settings.sinks.next_message()?;
        Some(Self {
            node: Arc::clone(node),
            next: next.clone(),
            conversation: conversation_of(request)?,
            task: task.clone(),
            request: request.clone(),
        })
    }

    /// Whether something may be kept for the user.
    pub(super) async fn peek(&self) -> bool {
        self.next.peek(self.conversation).await == Some(true)
    }

    /// Drops what is kept, if the user unsubscribes.
    pub(super) async fn clear_if_unsubscribed(&self) {
        let head = self.request.body().head();
        let is_unsubscribe = head.is_ok_and(|head| {
            let event = head.event().unwrap_or_default();
            head.is_event() && event.eq_ignore_ascii_case("unsubscribe")
        });
        if is_unsubscribe
            && let Some(parts) = self.next.clear(self.conversation, self.task.age()).await
        {
            let parts = usize::try_from(parts).unwrap_or(usize::MAX);
            observe::parts_went(self.account(), self.observed(), Way::Unsubscribed, parts);
        }
    }

    /// Runs the message with `own`, and takes a part out of the mailbox for its deliveries if there is one.
    pub(super) async fn answer(&self, own: BoxFuture<'static, Finished>) -> Answer {
        let fetching = self.next.fetching_of(self.request.body());
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
        match fetched {
            Some(other) => Answer::Other(other, (!is_only).then_some(own)),
            // An acknowledged message that only fetches has no answer.
            None if is_only && self.is_acknowledged() => {
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

    /// Takes the next part, and waits for it as long as a delivery waits. `None`: there is none, or too late.
    async fn fetch(&self, opens_slot: bool) -> Option<Finished> {
        let (mut pause, mut failures) = (FIRST_POLL, 0);
        while !self.is_acknowledged() {
            let (by, age) = (self.task.claim.key, self.task.age());
            let mut fetch = Fetch::new(self.conversation, by, age, self.owner());
            if opens_slot {
                fetch = fetch.with_slot();
            }
            match self.next.take(fetch).await {
                Some(Fetched::Part(part)) => {
                    let taken = Taken {
                        question: part.question,
                        number: part.number,
                        owner: self.owner().to_bytes(),
                    };
                    let reply = reply_of(&part).unwrap_or_default();
                    let response = self.response_of(reply);
                    if !response.is_silent() {
                        return Some(self.finished(response.from_mailbox(taken)));
                    }
                    // It cannot be shown, which the log has. It must not keep back the others.
                    self.next.settle(self.conversation, by, taken).await;
                    observe::parts_went(self.account(), self.observed(), Way::Lost, 1);
                    continue;
                }
                Some(Fetched::Nothing) => return None,
                Some(Fetched::Wait) if !self.next.waits() => {
                    let fallback = self.node.settings.fallback.clone();
                    return Some(self.finished(self.response_of(fallback)));
                }
                Some(Fetched::Wait) => {}
                Some(Fetched::Lapsed(question)) => {
                    let recovered = self.clone().recover(question);
                    let cut = self.node.cut.clone();
                    let recovered = async move { cut.run_until_cancelled(recovered).await };
                    self.node.tasks.spawn(recovered);
                }
                None if failures < MAX_FAILURES => failures += 1,
                None => return None,
            }
            time::sleep(pause).await;
            pause = (pause * 2).min(LAST_POLL);
        }
        None
    }

    /// Finds out what became of an earlier message whose slot nobody has renewed, and fills the slot.
    async fn recover(self, question: Key) {
        let of = Question::new(self.conversation, question, Duration::ZERO);
        let claim = Claim {
            key: question,
            id: ClaimId::random(),
            ..self.task.claim
        };
        let failure = || self.node.settings.failure.clone();
        let reply = loop {
            if self.next.renew(of, self.owner()).await == Some(false) {
                return;
            }
            let Some(store) = &self.node.store else {
                break failure();
            };
            match store.claim(claim).await {
                // Nobody has the request any more.
                Ok(Claimed::Won(_)) => break failure(),
                Ok(Claimed::TakenOver(response)) => match response.taken() {
                    Some(taken) => {
                        self.next
                            .give_back(self.conversation, question, taken)
                            .await;
                        break failure();
                    }
                    None => break response.reply(),
                },
                Ok(Claimed::Replied { response, .. }) => {
                    if store.release(claim).await == Ok(Released::LastHold) {
                        break response.reply();
                    }
                }
                Ok(Claimed::Done) => break None,
                Ok(Claimed::Running { .. } | Claimed::Late { .. }) | Err(_) => {}
            }
            time::sleep(RENEWAL).await;
        };
        if let Some(reply) = reply {
            self.next.keep_reply(of, &reply, self.account()).await;
        }
        self.next.close(of, self.owner()).await;
        if let Some(store) = &self.node.store {
            // If it does not answer, the lease runs out.
            let _ = store.publish(claim, Ending::Nothing).await;
        }
    }

    /// Opens the slot of the message's reply, before it is acknowledged. Keeps it open until the message is over.
    pub(super) async fn expect(&self) {
        if !self.node.settings.sinks.expects_next_message()
            || self.task.fetching() == Fetching::Only
        {
            return;
        }
        if let Some(Expected::Yours { dropped }) =
            self.next.expect(self.question(), self.owner()).await
        {
            observe::parts_evicted(self.account(), dropped);
            let place = self.clone();
            self.node.tasks.spawn(async move {
                let over = place.task.over.clone();
                over.run_until_cancelled(place.renew()).await;
                // A message that was cut is recovered by the next one, which looks for it in the store.
                if !place.node.cut.is_cancelled() {
                    place.close().await;
                }
            });
        }
    }

    /// Renews the slot until it is filled.
    async fn renew(&self) {
        loop {
            time::sleep(RENEWAL).await;
            if self.next.renew(self.question(), self.owner()).await == Some(false) {
                return;
            }
        }
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
                self.next.settle(self.conversation, by, taken).await;
            }
            None if self.task.fetching() == Fetching::Beside => self.close().await,
            None => {}
        }
    }

    /// No delivery has got the part.
    pub(super) async fn give_back(&self, taken: Taken) {
        let by = self.task.claim.key;
        self.next.give_back(self.conversation, by, taken).await;
    }

    /// Waits for the message's own result, and hands it over.
    pub(super) async fn queue(self, mut own: OwnRuns, permit: Option<OwnedSemaphorePermit>) {
        let queued = Queued(&self);
        let runs = async {
            own.as_mut().await;
            own.as_mut().take_output()
        };
        let renewing = pin!(self.renew().then(|()| std::future::pending::<()>()));
        let finished = match select(pin!(runs), renewing).await {
            Either::Left((finished, _)) => finished,
            Either::Right(((), _)) => None,
        };
        drop(permit);
        std::mem::forget(queued);
        let Some(finished) = finished else { return };
        let key = self.task.claim.key;
        let late = LateReply::new(
            key,
            self.request.clone(),
            LateCause::Queued,
            Reply::success(),
        )
        .with_first_seen(self.task.first_seen());
        let late = match finished.origin {
            Origin::FailedRun => self.node.settings.failure.clone().map(|failure| {
                LateReply::new(key, self.request.clone(), LateCause::Failed, failure)
                    .with_first_seen(self.task.first_seen())
            }),
            _ if finished.is_reply() => Some(late.with_response(finished.response)),
            _ => None,
        };
        if let Some(late) = late {
            let settings = &self.node.settings;
            settings
                .sinks
                .hand_over(late, settings.run_timeout, false)
                .await;
        }
        self.close().await;
    }

    fn is_acknowledged(&self) -> bool {
        let mut table = self.node.table();
        table.is_acknowledged(self.task.claim, Instant::now())
    }

    fn response_of(&self, reply: Reply) -> StoredResponse {
        StoredResponse::of_own(&response::of_whole_reply(reply, self.request.body()))
    }

    fn finished(&self, response: StoredResponse) -> Finished {
        Finished::new(&self.node, self.task.claim, response, Origin::Run)
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

/// Logs an error when it is dropped: the message was cut, and its reply with it.
struct Queued<'a>(&'a Place);

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        observe::reply_is_cut(self.0.account(), self.0.observed());
    }
}

/// After more missing answers, a message is answered without the mailbox.
const MAX_FAILURES: u32 = 3;

const FIRST_POLL: Duration = Duration::from_millis(50);
const LAST_POLL: Duration = Duration::from_millis(400);
