//! A store and a mailbox that all nodes share, each at the end of a long way.

use std::{convert::Infallible, future::pending, time::Duration};

use bytes::Bytes;
use tokio::time::{Instant, sleep};
use tower_wechat::{
    dedup::{
        Key,
        store::{
            Acknowledged, Claim, Completed, Ending, Found, MemoryStore, Released, Renewed, Run,
            Store,
        },
    },
    late::mailbox::{
        Cleared, Conversation, Expected, Fetch, Fetched, Mailbox, MemoryMailbox, Owner, Put,
        Question,
    },
};

use super::draws::Draws;

/// The way of one node to what is shared.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) draws: Draws,
    /// From when on the node is lost: nothing that it does is seen any more.
    pub(super) lost: Option<Instant>,
    pub(super) outage: Option<Outage>,
}

/// Some time in which nothing is answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outage {
    pub(super) from: Instant,
    pub(super) until: Instant,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Fails,
    /// Neither carried out nor answered.
    Hangs,
    /// Carried out, and not answered.
    LosesAnswers,
}

impl Way {
    pub(super) fn is_lost(&self) -> bool {
        self.lost.is_some_and(|lost| lost <= Instant::now())
    }

    async fn pass(&self) {
        let millis = if self.draws.once_in(3) {
            self.draws.below(60)
        } else {
            0
        };
        // A sleep of zero would still wait for the next tick of the timer.
        if millis > 0 {
            sleep(Duration::from_millis(millis)).await;
        }
        if self.is_lost() {
            pending::<()>().await;
        }
    }

    async fn there_and_back<T>(
        &self,
        operation: impl Future<Output = Result<T, Infallible>>,
    ) -> Result<T, &'static str> {
        self.pass().await;
        let now = Instant::now();
        let outage = self
            .outage
            .filter(|outage| outage.from <= now && now < outage.until);
        match outage.map(|outage| outage.kind) {
            Some(Kind::Fails) => return Err("away"),
            Some(Kind::Hangs) => pending::<()>().await,
            Some(Kind::LosesAnswers) | None => {}
        }
        let Ok(answer) = operation.await;
        if outage.is_some() {
            pending::<()>().await;
        }
        self.pass().await;
        Ok(answer)
    }
}

#[derive(Clone)]
pub(super) struct FarStore(pub(super) MemoryStore, pub(super) Way);

impl Store for FarStore {
    type Error = &'static str;

    async fn claim(&self, claim: Claim) -> Result<Found, Self::Error> {
        self.1.there_and_back(self.0.claim(claim)).await
    }

    async fn renew(&self, claim: Claim, run: Run) -> Result<Renewed, Self::Error> {
        self.1.there_and_back(self.0.renew(claim, run)).await
    }

    async fn complete(&self, claim: Claim, ending: Ending) -> Result<Completed, Self::Error> {
        self.1.there_and_back(self.0.complete(claim, ending)).await
    }

    async fn acknowledge(&self, claim: Claim) -> Result<Acknowledged, Self::Error> {
        self.1.there_and_back(self.0.acknowledge(claim)).await
    }

    async fn release(&self, claim: Claim) -> Result<Released, Self::Error> {
        self.1.there_and_back(self.0.release(claim)).await
    }
}

#[derive(Clone)]
pub(super) struct FarMailbox(pub(super) MemoryMailbox, pub(super) Way);

impl Mailbox for FarMailbox {
    type Error = &'static str;

    async fn peek(&self, of: Conversation) -> Result<bool, Self::Error> {
        self.1.there_and_back(self.0.peek(of)).await
    }

    async fn expect(&self, question: Question, owner: Owner) -> Result<Expected, Self::Error> {
        self.1.there_and_back(self.0.expect(question, owner)).await
    }

    async fn renew(&self, question: Question, owner: Owner) -> Result<bool, Self::Error> {
        self.1.there_and_back(self.0.renew(question, owner)).await
    }

    async fn put(&self, question: Question, parts: &[Bytes]) -> Result<Put, Self::Error> {
        self.1.there_and_back(self.0.put(question, parts)).await
    }

    async fn close(&self, question: Question, owner: Owner) -> Result<(), Self::Error> {
        self.1.there_and_back(self.0.close(question, owner)).await
    }

    async fn take(&self, fetch: Fetch) -> Result<Fetched, Self::Error> {
        self.1.there_and_back(self.0.take(fetch)).await
    }

    async fn settle(
        &self,
        of: Conversation,
        by: Key,
        question: Key,
        number: u32,
    ) -> Result<bool, Self::Error> {
        let settled = self.0.settle(of, by, question, number);
        self.1.there_and_back(settled).await
    }

    async fn give_back(&self, of: Conversation, by: Key, owner: Owner) -> Result<(), Self::Error> {
        self.1.there_and_back(self.0.give_back(of, by, owner)).await
    }

    async fn clear(&self, of: Conversation, age: Duration) -> Result<Cleared, Self::Error> {
        self.1.there_and_back(self.0.clear(of, age)).await
    }
}
