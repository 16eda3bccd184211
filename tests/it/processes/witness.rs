//! A store that writes down what it was asked and what it said.

use std::{future::Future, process};

use tower_wechat::dedup::{
    Key, Outcome,
    store::{Acknowledged, Claim, Completed, Owner, Store, Times},
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
        (key, owner): (Key, Owner),
        call: impl Future<Output = Result<T, E>>,
        said: impl FnOnce(&T) -> Answer,
    ) -> Result<T, E> {
        let mut note = Note {
            log: &self.log,
            operation,
            key,
            owner,
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

    async fn claim(&self, key: Key, owner: Owner, times: Times) -> Result<Claim, St::Error> {
        let call = self.store.claim(key, owner, times);
        let said = |claim: &Claim| match claim {
            Claim::Run { number, .. } => Answer::Run(*number),
            Claim::Running { .. } => Answer::Running,
            Claim::Replied(_) => Answer::Replied,
            Claim::Done => Answer::Done,
        };
        self.noted(Operation::Claim, (key, owner), call, said).await
    }

    async fn renew(
        &self,
        key: Key,
        owner: Owner,
        number: u32,
        times: Times,
    ) -> Result<bool, St::Error> {
        let call = self.store.renew(key, owner, number, times);
        let operation = Operation::Renew(number);
        let said = |yes: &bool| yes_or_no(*yes);
        self.noted(operation, (key, owner), call, said).await
    }

    async fn complete(
        &self,
        key: Key,
        owner: Owner,
        outcome: &Outcome,
        acknowledged: bool,
        times: Times,
    ) -> Result<Completed, St::Error> {
        let call = self
            .store
            .complete(key, owner, outcome, acknowledged, times);
        let said = |completed: &Completed| match completed {
            Completed::Kept => Answer::Kept,
            Completed::Acknowledged => Answer::Acknowledged,
            Completed::Lost => Answer::Lost,
        };
        let operation = Operation::Complete;
        self.noted(operation, (key, owner), call, said).await
    }

    async fn acknowledge(&self, key: Key, owner: Owner) -> Result<Acknowledged, St::Error> {
        let call = self.store.acknowledge(key, owner);
        let said = |acknowledged: &Acknowledged| match acknowledged {
            Acknowledged::Acknowledged => Answer::Acknowledged,
            Acknowledged::Replied(_) => Answer::Replied,
        };
        let operation = Operation::Acknowledge;
        self.noted(operation, (key, owner), call, said).await
    }

    async fn release(&self, key: Key, owner: Owner) -> Result<bool, St::Error> {
        let call = self.store.release(key, owner);
        let operation = Operation::Release;
        let said = |yes: &bool| yes_or_no(*yes);
        self.noted(operation, (key, owner), call, said).await
    }
}

fn yes_or_no(yes: bool) -> Answer {
    if yes { Answer::Yes } else { Answer::No }
}

/// Written when the operation has ended, or nobody waits for it any longer.
struct Note<'a> {
    log: &'a Log,
    operation: Operation,
    key: Key,
    owner: Owner,
    since: u64,
    answer: Answer,
}

impl Drop for Note<'_> {
    fn drop(&mut self) {
        let event = Event::Store {
            operation: self.operation,
            owner: self.owner.to_string(),
            since: self.since,
            answer: self.answer,
        };
        self.log.write(process::id(), &self.key, event);
    }
}
