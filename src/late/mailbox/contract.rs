//! Checks whether a [`Mailbox`] keeps its contract: for the tests of a mailbox of your own.
//!
//! Random sequences of operations on two nodes are compared, answer by answer, with the machine that the
//! [contract](super#the-contract) shows.
//!
//! ```
//! use std::time::Duration;
//!
//! use tower_wechat::late::mailbox::{
//!     Conversation, Limits, MemoryMailbox, contract::{self, Subject},
//! };
//!
//! struct Memory;
//!
//! impl Subject for Memory {
//!     type Mailbox = MemoryMailbox;
//!
//!     fn nodes(&self, limits: Limits) -> [MemoryMailbox; 2] {
//!         let mailbox = MemoryMailbox::new().with_limits(limits);
//!         [mailbox.clone(), mailbox]
//!     }
//!
//!     async fn pass(&self, _conversations: &[Conversation], time: Duration) {
//!         tokio::time::advance(time).await;
//!     }
//! }
//!
//! // In a test: #[tokio::test(start_paused = true)]
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), contract::Violation> {
//! contract::check(&Memory, 100, 1).await
//! # }
//! ```

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    Conversation, Expected, Fetch, Fetched, Limits, Mailbox, Owner, Put, Question, machine::Slots,
};
pub use crate::contract::Violation;
use crate::{
    contract::{self, Contract, Random},
    key::Key,
};

/// A mailbox to check, and how time passes for it.
pub trait Subject {
    /// The type of the mailbox.
    type Mailbox: Mailbox;

    /// Returns the mailbox, with these limits, as two nodes see it. Each sequence uses new conversations.
    fn nodes(&self, limits: Limits) -> [Self::Mailbox; 2];

    /// Lets `time` pass for the conversations: by a stopped clock, or by making what they have older.
    ///
    /// All times in the sequences differ by minutes.
    fn pass(&self, conversations: &[Conversation], time: Duration) -> impl Future<Output = ()>;
}

/// Runs `sequences` random sequences of up to 32 steps on the mailbox. The same `seed` draws the same sequences.
///
/// # Errors
///
/// If an answer differs from the contract's, or an operation fails. The sequence is shortened first.
pub async fn check<S: Subject>(subject: &S, sequences: u32, seed: u64) -> Result<(), Violation> {
    contract::check(&Checked(subject), sequences, seed).await
}

struct Checked<'a, S>(&'a S);

#[derive(Debug, Clone)]
struct Operation {
    verb: Verb,
    conversation: usize,
    question: u8,
    /// The message that fetches.
    by: u8,
    owner: u8,
    /// In hours. Each message has some minutes of its own, so that no two are asked at the same time.
    age: u32,
}

#[derive(Debug, Clone)]
enum Verb {
    Peek,
    Expect,
    Renew,
    /// The sizes of the parts.
    Put(Vec<usize>),
    Close,
    Take {
        opens_slot: bool,
    },
    Settle(u32),
    GiveBack,
    Clear,
}

#[derive(Debug, PartialEq)]
enum Answer {
    Is(bool),
    Expected(Expected),
    Put(Put),
    Done,
    Fetched(Fetched),
    Dropped(u32),
}

impl<S: Subject> Contract for Checked<'_, S> {
    type Operation = Operation;
    type Answer = Answer;
    type Model = [Slots; 2];
    type Cast = ([S::Mailbox; 2], [Conversation; 2]);

    const UNIT: Duration = Duration::from_hours(1);

    fn operation(&self, random: &mut Random) -> Operation {
        let verb = match random.below(22) {
            0 => Verb::Peek,
            1..4 => Verb::Expect,
            4 => Verb::Renew,
            5..10 => {
                let count = random.below(9).min(3);
                let sizes =
                    (0..count).map(|_| SIZES.get(random.below(4) as usize).copied().unwrap_or(0));
                Verb::Put(sizes.collect())
            }
            10 => Verb::Close,
            11..17 => Verb::Take {
                opens_slot: random.below(2) == 0,
            },
            17..20 => Verb::Settle(random.below(5).saturating_sub(2)),
            20 => Verb::GiveBack,
            _ => Verb::Clear,
        };
        Operation {
            verb,
            conversation: usize::from(random.below(5) == 0),
            question: random.message(0, 6),
            by: random.message(4, 3),
            owner: random.message(0, 3),
            age: random.below(4),
        }
    }

    /// Both are of the same conversation.
    fn join(&self, other: &mut Operation, one: &Operation) {
        other.conversation = one.conversation;
    }

    fn begin(&self) -> (Self::Cast, Self::Model) {
        let random = || RandomState::new().hash_one(0).to_string();
        let conversations = [(); 2].map(|()| Conversation::new("account", &random()));
        let cast = (self.0.nodes(limits()), conversations);
        (cast, Default::default())
    }

    fn node(&self, operation: &Operation) -> usize {
        usize::from(operation.owner % 2)
    }

    async fn ask(
        &self,
        ([first, second], conversations): &Self::Cast,
        node: usize,
        operation: &Operation,
    ) -> Result<Answer, String> {
        let mailbox = if node == 0 { first } else { second };
        let [one, other] = *conversations;
        let conversation = if operation.conversation == 0 {
            one
        } else {
            other
        };
        let Parties { question, fetch } = operation.parties(conversation);
        let (by, owner) = (fetch.by, fetch.owner);
        let answer = match &operation.verb {
            Verb::Peek => mailbox.peek(conversation).await.map(Answer::Is),
            Verb::Expect => mailbox.expect(question, owner).await.map(Answer::Expected),
            Verb::Renew => mailbox.renew(question, owner).await.map(Answer::Is),
            Verb::Put(sizes) => {
                let parts = parts(sizes, operation.question);
                mailbox.put(question, &parts).await.map(Answer::Put)
            }
            Verb::Close => mailbox.close(question, owner).await.map(|()| Answer::Done),
            Verb::Take { .. } => mailbox.take(fetch).await.map(Answer::Fetched),
            Verb::Settle(number) => {
                let settled = mailbox.settle(conversation, by, question.message, *number);
                settled.await.map(Answer::Is)
            }
            Verb::GiveBack => {
                let given = mailbox.give_back(conversation, by, owner);
                given.await.map(|()| Answer::Done)
            }
            Verb::Clear => {
                let cleared = mailbox.clear(conversation, operation.age());
                cleared.await.map(|cleared| Answer::Dropped(cleared.parts))
            }
        };
        answer.map_err(|error| format!("{operation:?} failed: {error:#}"))
    }

    fn expect(
        &self,
        (_nodes, conversations): &Self::Cast,
        [one, other]: &mut [Slots; 2],
        operation: &Operation,
        now: Instant,
    ) -> Answer {
        let [first, _] = *conversations;
        let slots = if operation.conversation == 0 {
            one
        } else {
            other
        };
        // Which one does not matter to the slots.
        let Parties { question, fetch } = operation.parties(first);
        let (by, owner) = (fetch.by, fetch.owner);
        let limits = &limits();
        if let Verb::Peek = operation.verb {
            return Answer::Is(slots.peek(now));
        }
        slots.step(limits, now, |slots| match &operation.verb {
            Verb::Peek => Answer::Is(slots.peek(now)),
            Verb::Expect => Answer::Expected(slots.expect(question, owner, limits, now)),
            Verb::Renew => Answer::Is(slots.renew(question, owner, limits, now)),
            Verb::Put(sizes) => {
                let parts = parts(sizes, operation.question);
                Answer::Put(slots.put(question, &parts, limits, now))
            }
            Verb::Close => {
                slots.close(question, owner);
                Answer::Done
            }
            Verb::Take { .. } => Answer::Fetched(slots.take(fetch, limits, now)),
            Verb::Settle(number) => {
                Answer::Is(slots.settle(by, question.message, *number, limits, now))
            }
            Verb::GiveBack => {
                slots.give_back(by, owner);
                Answer::Done
            }
            Verb::Clear => Answer::Dropped(slots.clear(operation.age(), limits, now)),
        })
    }

    fn agrees(&self, expected: &Answer, answer: &Answer) -> bool {
        match (expected, answer) {
            // The model's conversation is always the first, and the mailbox has a clock of its own.
            (
                Answer::Fetched(Fetched::Lapsed(expected)),
                Answer::Fetched(Fetched::Lapsed(lapsed)),
            ) => {
                let off = expected.age.abs_diff(lapsed.age);
                expected.message == lapsed.message && off < Duration::from_mins(1)
            }
            _ => expected == answer,
        }
    }

    async fn pass(&self, (_nodes, conversations): &Self::Cast, time: Duration) {
        self.0.pass(conversations, time).await;
    }
}

struct Parties {
    question: Question,
    fetch: Fetch,
}

impl Operation {
    fn parties(&self, conversation: Conversation) -> Parties {
        let age = |message: u8| self.age() + Duration::from_mins(7 * u64::from(message + 1));
        let question = Question::new(conversation, key(self.question), age(self.question));
        let owner = Owner::new([self.owner; 16]);
        let mut fetch = Fetch::new(conversation, key(self.by), age(self.by), owner);
        fetch.opens_slot = matches!(self.verb, Verb::Take { opens_slot: true });
        Parties { question, fetch }
    }

    fn age(&self) -> Duration {
        Duration::from_hours(self.age.into())
    }
}

impl Random {
    fn message(&mut self, first: u8, count: u8) -> u8 {
        first + u8::try_from(self.below(count.into())).unwrap_or_default()
    }
}

fn key(message: u8) -> Key {
    Key::new([[message]])
}

/// Parts that the mailbox has to return unchanged.
fn parts(sizes: &[usize], question: u8) -> Vec<Bytes> {
    let parts = sizes.iter().enumerate().map(|(number, size)| {
        let bytes = [
            question,
            u8::try_from(number).unwrap_or_default(),
            0,
            b'\r',
            0xff,
        ];
        bytes.into_iter().cycle().take(*size).collect()
    });
    parts.collect()
}

/// Of parts.
const SIZES: [usize; 4] = [0, 1, 30, 300];

/// Small enough that a sequence reaches the bounds.
fn limits() -> Limits {
    Limits {
        awaited_lease: Duration::from_hours(1),
        taken_lease: Duration::from_hours(2),
        keep: Duration::from_hours(5),
        mark: Duration::from_hours(4),
        answers: 2,
        bytes: 900,
    }
}
