//! `MemoryMailbox` with one of the classic mistakes. The check of the contract has to notice each.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use tokio::{task::yield_now, time::advance};
use tower_wechat::{
    dedup::Key,
    late::mailbox::{
        Cleared, Conversation, Expected, Fetch, Fetched, Limits, Mailbox, MemoryMailbox, Owner,
        Put, Question,
        contract::{self, Subject},
    },
};

use super::SEED;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    /// A slot may be renewed by another owner.
    NoOwnerCheck,
    /// What one message has taken, another one gets as well.
    TakenByAll,
    /// Two takes at the same time look at what is kept before either has taken it.
    TornTake,
    /// Another delivery's part is given back.
    GivesBackForAll,
    /// A message settles any part.
    SettlesForAll,
    /// Every question counts as asked now.
    ForgetsTheAge,
    /// The fetching message's own answer does not queue.
    OpensNoSlot,
    /// A bare message has an answer.
    OpensEverySlot,
    /// A late operation drops what came after the user subscribed again.
    ClearsAll,
    /// The slot that was taken over is its first owner's.
    LapsesWithoutOwner,
    /// All users are one.
    OneConversation,
    /// Other limits than it was told.
    ForgetsTheLimits,
}

#[derive(Clone)]
struct Double {
    mistake: Mistake,
    mailbox: MemoryMailbox,
}

impl Double {
    fn is(&self, mistake: Mistake) -> bool {
        self.mistake == mistake
    }

    fn conversation(&self, conversation: Conversation) -> Conversation {
        match self.mistake {
            Mistake::OneConversation => Conversation::new("", ""),
            _ => conversation,
        }
    }

    fn question(&self, mut question: Question) -> Question {
        question.conversation = self.conversation(question.conversation);
        if self.is(Mistake::ForgetsTheAge) {
            question.age = Duration::ZERO;
        }
        question
    }
}

/// The messages and owners of the sequences do not matter here: these are the first few of any kind.
fn owners() -> impl Iterator<Item = Owner> {
    (0..3).map(|id| Owner::new([id; 16]))
}

impl Mailbox for Double {
    type Error = Infallible;

    async fn peek(&self, conversation: Conversation) -> Result<bool, Infallible> {
        self.mailbox.peek(self.conversation(conversation)).await
    }

    async fn expect(&self, question: Question, owner: Owner) -> Result<Expected, Infallible> {
        self.mailbox.expect(self.question(question), owner).await
    }

    async fn renew(&self, question: Question, owner: Owner) -> Result<bool, Infallible> {
        let question = self.question(question);
        if self.is(Mistake::NoOwnerCheck) {
            for owner in owners() {
                if self.mailbox.renew(question, owner).await? {
                    return Ok(true);
                }
            }
        }
        self.mailbox.renew(question, owner).await
    }

    async fn put(&self, question: Question, parts: &[Bytes]) -> Result<Put, Infallible> {
        self.mailbox.put(self.question(question), parts).await
    }

    async fn close(&self, question: Question, owner: Owner) -> Result<(), Infallible> {
        self.mailbox.close(self.question(question), owner).await
    }

    async fn take(&self, mut fetch: Fetch) -> Result<Fetched, Infallible> {
        fetch.conversation = self.conversation(fetch.conversation);
        match self.mistake {
            Mistake::OpensNoSlot => fetch.opens_slot = false,
            Mistake::OpensEverySlot => fetch.opens_slot = true,
            Mistake::ForgetsTheAge => fetch.age = Duration::ZERO,
            Mistake::TakenByAll => fetch.by = Key::new(["all"]),
            Mistake::LapsesWithoutOwner => fetch.owner = Owner::new([99; 16]),
            _ => {}
        }
        let fetched = self.mailbox.take(fetch).await?;
        if self.is(Mistake::TornTake) {
            let conversation = fetch.conversation;
            let fetched = fetched.clone();
            yield_now().await;
            if let Fetched::Part(_) = fetched {
                self.mailbox
                    .give_back(conversation, fetch.by, fetch.owner)
                    .await?;
            }
        }
        Ok(fetched)
    }

    async fn settle(
        &self,
        conversation: Conversation,
        by: Key,
        question: Key,
        number: u32,
    ) -> Result<bool, Infallible> {
        let conversation = self.conversation(conversation);
        if self.is(Mistake::SettlesForAll) {
            for by in (0..8_u8).map(|message| Key::new([[message]])) {
                self.mailbox
                    .settle(conversation, by, question, number)
                    .await?;
            }
        }
        self.mailbox
            .settle(conversation, by, question, number)
            .await
    }

    async fn give_back(
        &self,
        conversation: Conversation,
        by: Key,
        owner: Owner,
    ) -> Result<(), Infallible> {
        let conversation = self.conversation(conversation);
        if self.is(Mistake::GivesBackForAll) {
            for owner in owners() {
                self.mailbox.give_back(conversation, by, owner).await?;
            }
        }
        self.mailbox.give_back(conversation, by, owner).await
    }

    async fn clear(
        &self,
        conversation: Conversation,
        age: Duration,
    ) -> Result<Cleared, Infallible> {
        let age = match self.mistake {
            Mistake::ClearsAll => Duration::ZERO,
            _ => age,
        };
        let conversation = self.conversation(conversation);
        self.mailbox.clear(conversation, age).await
    }
}

impl Subject for Mistake {
    type Mailbox = Double;

    fn nodes(&self, mut limits: Limits) -> [Double; 2] {
        if *self == Self::ForgetsTheLimits {
            limits = Limits::default();
        }
        let mailbox = MemoryMailbox::new().with_limits(limits);
        let mistake = *self;
        let node = Double { mistake, mailbox };
        [node.clone(), node]
    }

    async fn pass(&self, _conversations: &[Conversation], time: Duration) {
        advance(time).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_check_notices_each_classic_mistake() {
    let mistakes = [
        Mistake::NoOwnerCheck,
        Mistake::TakenByAll,
        Mistake::TornTake,
        Mistake::GivesBackForAll,
        Mistake::SettlesForAll,
        Mistake::ForgetsTheAge,
        Mistake::OpensNoSlot,
        Mistake::OpensEverySlot,
        Mistake::ClearsAll,
        Mistake::LapsesWithoutOwner,
        Mistake::OneConversation,
        Mistake::ForgetsTheLimits,
    ];
    for mistake in mistakes {
        let checked = contract::check(&mistake, 10_000, SEED).await;
        let violation = checked.expect_err(&format!("{mistake:?} passes"));
        let shown = violation.to_string();
        assert!(shown.lines().count() <= 12, "{mistake:?}: {shown}");
    }
    contract::check(&Mistake::None, 1000, SEED).await.unwrap();
}
