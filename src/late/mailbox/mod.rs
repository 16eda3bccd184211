//! Answers kept until the user's next message: the [`Mailbox`] trait.
//!
//! An account without the customer-service API can send nothing by itself. So an answer that is late, or the rest of one
//! that is too long, is kept in a mailbox. The user's next message fetches it as its own passive reply.
//!
//! # The slots of a conversation
//!
//! A **conversation** is one user of one account. A **question** is a message whose answer is late, and has a **slot** in
//! its conversation. An answer is a list of **parts**, each of them one passive reply.
//!
//! ```text
//! absent ─expect→ awaited(owner, lease) ─put→ ready ─take→ taken(by, lease) ─settle of the last part→ gone → absent
//!    ↑               │                         ↑ ↑           │     │
//!    └─────close─────┘                         │ └─give_back─┘     │ settle of another part
//!                                              └───────────────────┘
//! ```
//!
//! The slots are in the order of their questions: by the time at which a question was asked, then by its key. The operation
//! that opens a slot sets this time, for good. It is the mailbox's own clock minus the `age` in the operation.
//!
//! A message fetches from the earliest slot that is not gone, if that slot's question was asked before the message. If the
//! answer is still awaited, or another message has taken it, the message waits. So the user sees the answers in the order
//! of the questions.
//!
//! # The contract
//!
//! Every operation is atomic and looks at one conversation alone. [The machine](#the-machine) is the contract: each operation
//! is one `Slots::step` of it.
//!
//! - An operation may be carried out **twice**: a node repeats one whose answer it did not get.
//! - An operation may be carried out **late**, after its caller has given up, and after later ones. The owner, the fetching
//!   message and the number of the part decide. A late `take` makes others wait for at most a lease. If the first operation
//!   of a question is late, the delay makes the question younger: its slot may stand behind that of a later question, or open
//!   although the user has unsubscribed meanwhile.
//! - A part is dropped without being counted in an answer only when it has been kept for [`Limits::keep`].
//!
//! With the feature `simulator`, the module `late::mailbox::contract` checks whether a mailbox of your own does all this.
//!
//! # What is kept, where, and for how long
//!
//! | what | where | for how long |
//! |---|---|---|
//! | a conversation: a hash of the account's name and the OpenID, which are not kept themselves | [`MemoryMailbox`]: this process; `RedisMailbox`: the name of a key | as long as one of the rows below |
//! | the parts of an answer, unencrypted | likewise; in Redis the value of that key | until the user has seen them or unsubscribes. They are given out for at most [`Limits::keep`] (30 minutes) and a lease. Their bytes may stay until the conversation is used next or its last slot's time is over; in a `MemoryMailbox`, until the next `expect` or `put` of any conversation after that |
//! | an awaited slot: the key of its question, an owner, times | likewise | [`Limits::keep`] after its lease was renewed last |
//! | a slot that is gone: the key of its question, times | likewise | [`Limits::mark`] (10 minutes) |
//! | that the user has unsubscribed: two times | likewise | [`Limits::mark`] |
//!
//! # Bounds
//!
//! | what | default | at the bound |
//! |---|---|---|
//! | [answers](Limits::answers) of a conversation | 8 | the answer of the earliest question is dropped, and counted; never one that a message has taken |
//! | [bytes](Limits::bytes) of a conversation's parts, each counted with 64 bytes more | 64 KiB | likewise; an answer that is larger is refused |
//! | slots of a conversation | twice the answers | the earliest awaited slot is given up: its answer will be refused |
//! | slots that are gone | twice the answers | the one that went first is forgotten |
//! | [conversations](MemoryMailbox::with_capacity) of a `MemoryMailbox` | 100 000 | the one that was used least recently is dropped, and its parts counted |
//! | [bytes](MemoryMailbox::with_max_bytes) of a `MemoryMailbox`: its parts, 192 for each slot, and 64 for each that is gone | 64 MiB | likewise |
//!
//! # The machine
//!
//! <details><summary>The source of the slots, as a program without I/O and without a clock</summary>
//!
//! ```ignore
#![doc = include_str!("machine.rs")]
//! ```
//!
//! </details>

#[cfg(feature = "simulator")]
pub mod contract;
mod machine;
mod memory;
#[cfg(feature = "redis")]
pub mod redis;

use std::{fmt, time::Duration};

use bytes::Bytes;

pub use self::memory::MemoryMailbox;
#[cfg(feature = "redis")]
pub use self::redis::RedisMailbox;
use crate::key::Key;

/// Answers that are kept until the user's next message, shared between nodes.
///
/// The [module docs](self) show what each operation does, as a program. The suite `late::mailbox::contract` (feature
/// `simulator`) checks it. An error means that the caller does not know whether the operation was carried out.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no mailbox of late answers",
    label = "this must be a `Mailbox`, such as `RedisMailbox` or `MemoryMailbox`"
)]
pub trait Mailbox: Send + Sync + 'static {
    /// Why an operation could not be carried out, for the log.
    type Error: fmt::Display + Send;

    /// Returns whether an answer is awaited, ready or taken. Changes nothing, and is as cheap as it can be.
    ///
    /// It may be `true` for a slot whose time is over, until the next operation drops it.
    fn peek(
        &self,
        conversation: Conversation,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// Opens the question's slot, or takes it over if its lease is over. Renews the lease of the owner's own slot.
    fn expect(
        &self,
        question: Question,
        owner: Owner,
    ) -> impl Future<Output = Result<Expected, Self::Error>> + Send;

    /// Renews the lease of the owner's awaited slot. Returns whether the slot is still awaited by the owner.
    fn renew(
        &self,
        question: Question,
        owner: Owner,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// Puts the question's answer into its slot, unless it has been put before. Any node may do so.
    ///
    /// An answer without parts is gone at once.
    fn put(
        &self,
        question: Question,
        parts: &[Bytes],
    ) -> impl Future<Output = Result<Put, Self::Error>> + Send;

    /// Closes the owner's awaited slot: its question has got its own reply.
    fn close(
        &self,
        question: Question,
        owner: Owner,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Takes the next part for a message. A message that has taken a part gets the same part again, until `settle`.
    fn take(&self, fetch: Fetch) -> impl Future<Output = Result<Fetched, Self::Error>> + Send;

    /// Drops a part that the message `by` has taken and shown: the part `number` of `question`.
    ///
    /// Returns `false` if the part is still kept: it has been given back, or another message has taken it. The user
    /// may see it once more.
    fn settle(
        &self,
        conversation: Conversation,
        by: Key,
        question: Key,
        number: u32,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// Gives back what the message `by` has taken and not shown, unless another owner has taken it for the same message
    /// since.
    fn give_back(
        &self,
        conversation: Conversation,
        by: Key,
        owner: Owner,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Drops every slot whose question was asked `age` ago or before: the user unsubscribed then. Such questions stay
    /// closed for [`Limits::mark`].
    fn clear(
        &self,
        conversation: Conversation,
        age: Duration,
    ) -> impl Future<Output = Result<Cleared, Self::Error>> + Send;
}

/// Identifies one user of one account, by a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Conversation(Key);

impl Conversation {
    /// Identifies the user `openid` of the account with this name.
    pub fn new(account: &str, openid: &str) -> Self {
        Self(Key::new(["user", account, openid]))
    }

    /// Identifies the member `user_id` of a group chat in which a smart bot is addressed.
    pub fn in_chat(account: &str, user_id: &str, chat_id: &str) -> Self {
        Self(Key::new(["conversation", account, user_id, chat_id]))
    }

    /// Returns the hash, under which a mailbox keeps the conversation.
    pub fn key(self) -> Key {
        self.0
    }
}

/// A message whose answer has a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Question {
    /// The conversation that the message belongs to.
    pub conversation: Conversation,
    /// The key of the message.
    pub message: Key,
    /// The time since the message was first seen.
    pub age: Duration,
}

impl Question {
    /// Makes a question that was first seen `age` ago.
    pub fn new(conversation: Conversation, message: Key, age: Duration) -> Self {
        Self {
            conversation,
            message,
            age,
        }
    }
}

/// A message that fetches what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetch {
    /// The conversation that the message belongs to.
    pub conversation: Conversation,
    /// The key of the message that fetches.
    pub by: Key,
    /// The time since the message was first seen.
    pub age: Duration,
    /// The owner of the fetch. It becomes the owner of an awaited slot whose lease is over, and of the message's own slot.
    pub owner: Owner,
    /// Whether to open the message's own slot if it has to wait or gets a part: its own answer queues behind.
    pub opens_slot: bool,
}

impl Fetch {
    /// Makes a fetch by a message that was first seen `age` ago, and that has no answer of its own.
    pub fn new(conversation: Conversation, by: Key, age: Duration, owner: Owner) -> Self {
        Self {
            conversation,
            by,
            age,
            owner,
            opens_slot: false,
        }
    }

    /// Opens the message's own slot if it has to wait or gets a part.
    #[must_use]
    pub fn with_slot(mut self) -> Self {
        self.opens_slot = true;
        self
    }
}

/// Who is responsible for the answer in an awaited slot: a claim of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner([u8; 16]);

impl Owner {
    /// Makes an owner of an id that no other one has.
    pub fn new(id: [u8; 16]) -> Self {
        Self(id)
    }

    /// Returns the id.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

/// How much a mailbox keeps of a conversation, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The lease of an awaited slot; the default is 5 s. It is at most 48 hours. After it, another owner may take the slot.
    pub awaited_lease: Duration,
    /// The lease of a taken part; the default is 30 s, more than WeChat's retries need. It is at most 48 hours. After it,
    /// another message may take the part.
    pub taken_lease: Duration,
    /// How long an answer is kept, and an awaited slot after its last renewal; the default is 30 minutes. A shorter time than
    /// `mark` counts as `mark`, and a longer one than 48 hours as 48 hours.
    pub keep: Duration,
    /// How long a slot that is gone is remembered, and an unsubscription; the default is 10 minutes. It is at most 48 hours.
    ///
    /// A late `put` must not show an answer again. So the mark is longer than any run and its retries, as
    /// deduplication's mark is. What it costs does not depend on `keep`. But `keep` may not be shorter: an answer whose
    /// time is over leaves no mark of its own.
    pub mark: Duration,
    /// How many answers are kept; the default is 8, and 0 means 1. At the bound, the answer of the earliest question is
    /// dropped. There are at most twice as many slots, awaited ones included, and twice as many marks.
    pub answers: usize,
    /// How many bytes of parts are kept; the default is 64 KiB. Each part counts with 64 bytes more than its length. At the
    /// bound, the answer of the earliest question is dropped. A larger answer is refused.
    pub bytes: usize,
}

impl Limits {
    /// The nearest limits that keep what the fields promise.
    fn checked(mut self) -> Self {
        self.awaited_lease = self.awaited_lease.min(LONGEST);
        self.taken_lease = self.taken_lease.min(LONGEST);
        self.mark = self.mark.min(LONGEST);
        self.keep = self.keep.clamp(self.mark, LONGEST);
        self.answers = self.answers.max(1);
        self
    }

    fn slots(&self) -> usize {
        self.answers.saturating_mul(2)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            awaited_lease: Duration::from_secs(5),
            taken_lease: Duration::from_secs(30),
            keep: Duration::from_mins(30),
            mark: Duration::from_mins(10),
            answers: 8,
            bytes: 64 * 1024,
        }
    }
}

/// The answer to [`Mailbox::expect`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// The slot is awaited by the owner, for another lease.
    Yours {
        /// How many parts of other conversations were dropped to make room.
        dropped: u32,
    },
    /// Another owner awaits it, and its lease is not over.
    Awaited,
    /// Its answer has been put, or the slot was given up at a bound.
    Answered,
    /// The user has unsubscribed since the question was asked.
    Closed,
}

/// The answer to [`Mailbox::put`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Put {
    /// The answer is kept, or has been: an earlier `put` has brought it.
    Kept {
        /// How many parts of other answers were dropped to make room, this time.
        dropped: u32,
    },
    /// The slot was given up at a bound. The answer is not kept.
    GivenUp,
    /// The user has unsubscribed since the question was asked. The answer is not kept.
    Closed,
    /// The answer is larger than the mailbox may keep of one conversation, beside what has been taken. Nothing has
    /// changed.
    NoRoom,
}

/// The answer to [`Mailbox::clear`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cleared {
    /// How many parts of the conversation were dropped.
    pub parts: u32,
    /// How many parts of other conversations were dropped to make room.
    pub dropped: u32,
}

impl Cleared {
    /// Makes an answer of its parts.
    pub fn new(parts: u32, dropped: u32) -> Self {
        Self { parts, dropped }
    }
}

/// The answer to [`Mailbox::take`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fetched {
    /// A part, which the message has now.
    Part(Part),
    /// An earlier answer is awaited, or another message has taken it.
    Wait,
    /// The lease of the awaited slot of this earlier question is over. The owner of the fetch owns the slot now, and has to
    /// find out what became of the answer.
    Lapsed(Question),
    /// Nothing is kept for this message.
    Nothing,
}

/// A part of an answer, which a message has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// The message that it answers.
    pub question: Key,
    /// Its number among the parts of the answer, from 0.
    pub number: u32,
    /// The part, as [`Mailbox::put`] got it.
    pub bytes: Bytes,
}

/// 48 hours.
const LONGEST: Duration = Duration::from_hours(48);
