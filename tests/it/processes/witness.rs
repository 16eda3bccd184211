//! A store that logs each operation and its answer.

use std::{future::Future, process};

use tower_wechat::dedup::{
    Key,
    store::{
        Acknowledged, Claim, ClaimId, Claimed, Completed, Ending, Found, Released, Renewed, Run,
        Store,
    },
};

use super::log::{Answer, Event, Log, Operation, now};

pub(super) struct Witness<St> {
    store: St,
    log: Log,
}

impl<St> Witness<St> {
    pub(super) fn new(store: St, log: Log) -> Self {
        Self { store, log }
    }

    async fn noted<T, E>(
        &self,
        operation: Operation,
        (key, id): (Key, ClaimId),
        call: impl Future<Output = Result<T, E>>,
        said: impl FnOnce(&T) -> Answer,
    ) -> Result<T, E> {
        let mut note = Note {
            log: &self.log,
            operation,
            key,
            id,
            since: now(),
            answer: Answer::Silent,
        };
        let answer = call.await;
        note.answer = answer.as_ref().map_or(Answer::Error, said);
        answer
    }
}

impl<St: Store> Store for Witness<St> {
    type Error = St::Error;

    async fn claim(&self, claim: Claim) -> Result<Found, St::Error> {
        let call = self.store.claim(claim);
        let said = |found: &Found| match &found.claimed {
            Claimed::Won(run) => Answer::Run(run.number),
            Claimed::Running { .. } => Answer::Running,
            Claimed::Replied { .. } => Answer::Replied,
            Claimed::Late { .. } => Answer::Late,
            Claimed::TakenOver(_) => Answer::TakenOver,
            Claimed::Done => Answer::Done,
            claimed => panic!("{claimed:?} is new"),
        };
        let of = (claim.key, claim.id);
        self.noted(Operation::Claim, of, call, said).await
    }

    async fn renew(&self, claim: Claim, run: Run) -> Result<Renewed, St::Error> {
        let call = self.store.renew(claim, run);
        let said = |renewed: &Renewed| match renewed {
            Renewed::Yours => Answer::Yours,
            Renewed::Lost => Answer::Lost,
            _ => panic!("{renewed:?} is new"),
        };
        let (operation, of) = (Operation::Renew(run.number), (claim.key, claim.id));
        self.noted(operation, of, call, said).await
    }

    async fn complete(&self, claim: Claim, ending: Ending) -> Result<Completed, St::Error> {
        let call = self.store.complete(claim, ending);
        let said = |completed: &Completed| match completed {
            Completed::Stored => Answer::Stored,
            Completed::Acknowledged => Answer::Acknowledged,
            Completed::Lost => Answer::Lost,
            _ => panic!("{completed:?} is new"),
        };
        let of = (claim.key, claim.id);
        self.noted(Operation::Complete, of, call, said).await
    }

    async fn acknowledge(&self, claim: Claim) -> Result<Acknowledged, St::Error> {
        let call = self.store.acknowledge(claim);
        let said = |acknowledged: &Acknowledged| match acknowledged {
            Acknowledged::Recorded => Answer::Recorded,
            Acknowledged::Replied(_) => Answer::Replied,
            _ => panic!("{acknowledged:?} is new"),
        };
        let of = (claim.key, claim.id);
        self.noted(Operation::Acknowledge, of, call, said).await
    }

    async fn release(&self, claim: Claim) -> Result<Released, St::Error> {
        let call = self.store.release(claim);
        let said = |released: &Released| match released {
            Released::LastHold => Answer::LastHold,
            Released::HeldElsewhere => Answer::HeldElsewhere,
            Released::SentElsewhere => Answer::SentElsewhere,
            Released::RunningElsewhere => Answer::RunningElsewhere,
            Released::NotCompleted => Answer::NotCompleted,
            Released::Unclaimed => Answer::Unclaimed,
            _ => panic!("{released:?} is new"),
        };
        let of = (claim.key, claim.id);
        self.noted(Operation::Release, of, call, said).await
    }
}

/// Written when the operation has ended, or when the node has stopped waiting for it.
struct Note<'a> {
    log: &'a Log,
    operation: Operation,
    key: Key,
    id: ClaimId,
    since: u64,
    answer: Answer,
}

impl Drop for Note<'_> {
    fn drop(&mut self) {
        let event = Event::Store {
            operation: self.operation,
            id: self.id.to_string(),
            since: self.since,
            answer: self.answer,
        };
        self.log.write(process::id(), &self.key, event);
    }
}
