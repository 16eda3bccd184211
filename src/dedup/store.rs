//! Deduplication state shared between nodes: the [`Store`] trait.
//!
//! Each node has a table of its own. It asks the store as well, so that a message which one node runs is
//! not run by another, and so that a retry that reaches another node gets the first node's reply.
//!
//! # The states of a message
//!
//! ```text
//! vacant ─claim→ running(claim, lease) ─complete→ replied(holders) ─the reply's time over→ done → vacant
//!                  │      ↑         │                    │                                  ↑
//!                  └──────┘         │                    └ release by the last ──┐          │
//!      lease over or released:      │                                            ↓          │
//!               claim               └ complete, acknowledged ──────→ late(claim, lease) ────┘
//!                                                                      │      ↑     complete
//!                                                                      └──────┘
//!                                                                 lease over: claim
//! ```
//!
//! A [`ClaimId`] identifies one node's claim on one message. A running message belongs to its claim until the lease is
//! over; then the next claim takes it. A reply is **held** by the claims that may give it to a delivery: the one that has
//! run the message, and each that claimed it since. A claim whose deliveries have all gone away releases its hold. When a
//! reply is dropped, its holders are still remembered.
//!
//! A reply is **late** when no delivery gets it any more: the message was acknowledged before it was completed, or the
//! last hold of the reply has been released. The claim that completed the message, or that released the last hold, hands
//! the reply over to the sinks ("another channel" below), and then completes the message with [`Ending::Nothing`]. Until
//! then it renews the lease. If the lease ends, the next claim takes the reply over. So a reply is given to a delivery or
//! handed over, never both. A reply whose node has crashed is still there for the next delivery, or for another node that
//! watches the lease. If no other node has had a delivery of the message, nobody sends it.
//!
//! # The contract
//!
//! Every operation is atomic and looks at one key alone. [`MemoryStore`] is [the machine](#the-machine) behind a lock. The
//! machine's answers are the contract, step by step.
//!
//! - A message is **vacant** before its first claim, and again when its [mark](Ttls::mark) is over, in any state. An operation
//!   on a vacant message begins with the message that `vacant` makes. A running message whose lease is over is not vacant:
//!   it keeps its number and its acknowledgement for the next claim. A late message keeps its reply until it is vacant.
//! - An operation may be carried out **twice**: a node repeats one whose answer it did not get.
//! - An operation may be carried out **late**, after its caller has given up, and after later ones of the same claim. A
//!   store treats it as one that is sent now: the claim's id and the message's state decide. It needs no order of its own.
//!   A node that has given up releases the claim in the end. A claim that is carried out after that costs one lease, and if
//!   the message has a reply by then, the claim holds it for nobody. So let the operations of one node keep their order, as
//!   those of one connection do.
//!
//! A store keeps a reply for [`Ttls::reply`], and a message for [`Ttls::mark`], by its own clock. With the feature
//! `simulator`, the module `dedup::contract` checks whether a store of your own does all this.
//!
//! # The machine
//!
//! <details><summary>The source of one message's state, as a program without I/O</summary>
//!
//! ```ignore
#![doc = include_str!("machine.rs")]
//! ```
//!
//! </details>

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

pub use super::memory::MemoryStore;
use super::node::LEAST_TTL;
pub use crate::key::Fingerprint;
use crate::{key::Key, response::StoredResponse};

/// Deduplication state of each message, shared between nodes.
///
/// The [module docs](self) show what each operation does, as a program. The suite `dedup::contract` (feature `simulator`)
/// checks it. An error means that the caller does not know whether the operation was carried out.
///
/// A node waits 250 ms for most operations, and 2 s at most, then goes on without it, see
/// [`DedupLayer::shared`](crate::DedupLayer::shared).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no store of deduplication state",
    label = "this must be a `Store`, such as `RedisStore` or `MemoryStore`",
    note = "without a store, use `DedupLayer::in_memory()`; fail-closed and inline runs need a store"
)]
pub trait Store: Send + Sync + 'static {
    /// Why an operation could not be carried out, for the log.
    type Error: fmt::Display + Send;

    /// Gives the message to the claim if it is vacant, or running or late and its lease is over. Takes hold of its reply
    /// if it is kept for deliveries.
    fn claim(&self, claim: Claim) -> impl Future<Output = Result<Found, Self::Error>> + Send;

    /// Renews the claim's lease of a running or late message, from now on.
    ///
    /// A message that the store does not know is given to the claim with this `run`: the store has lost it, or was
    /// away when it was claimed. One that the store knows for less than the run's age is as old as that: its claim was
    /// carried out late.
    fn renew(
        &self,
        claim: Claim,
        run: Run,
    ) -> impl Future<Output = Result<Renewed, Self::Error>> + Send;

    /// Ends the claim's run, or the sending of its late reply.
    fn complete(
        &self,
        claim: Claim,
        ending: Ending,
    ) -> impl Future<Output = Result<Completed, Self::Error>> + Send;

    /// Records that WeChat is told not to wait for a reply. Takes hold of the reply if there is one already.
    fn acknowledge(
        &self,
        claim: Claim,
    ) -> impl Future<Output = Result<Acknowledged, Self::Error>> + Send;

    /// Ends the lease of a message that the claim runs, or the claim's hold of its reply. After the last hold the reply is
    /// late, and the claim's.
    fn release(&self, claim: Claim) -> impl Future<Output = Result<Released, Self::Error>> + Send;
}

/// One node's claim on one message: whose operation it is, and how long the store keeps what it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim {
    /// The key of the message.
    pub key: Key,
    /// The id that tells this claim from all others.
    pub id: ClaimId,
    /// How long the store keeps the lease, the reply and the mark.
    pub ttls: Ttls,
    /// The fingerprint that the store keeps with a message whose first operation has this claim.
    pub fingerprint: Option<Fingerprint>,
}

impl Claim {
    /// Makes a claim.
    pub fn new(key: Key, id: ClaimId, ttls: Ttls) -> Self {
        Self {
            key,
            id,
            ttls,
            fingerprint: None,
        }
    }

    /// Sets the message's fingerprint.
    #[must_use]
    pub fn with_fingerprint(mut self, fingerprint: Option<Fingerprint>) -> Self {
        self.fingerprint = fingerprint;
        self
    }

    /// Makes the same claim on what the message leaves behind, which is a message of its own in the store.
    pub(super) fn on_its(self, what: &str) -> Self {
        self.for_key(Key::new([self.key.as_bytes(), what.as_bytes()]))
    }

    /// Makes the same claim on another message.
    pub(super) fn for_key(self, key: Key) -> Self {
        Self::new(key, self.id, self.ttls)
    }

    /// Makes the same claim on the message, which is kept only as long as its deliveries may fetch the reply.
    pub(super) fn kept_briefly(mut self) -> Self {
        (self.ttls.reply, self.ttls.mark) = (LEAST_TTL, LEAST_TTL);
        self
    }
}

/// Identifies one node's claim on one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClaimId([u8; 16]);

impl ClaimId {
    /// The id of no claim.
    pub(super) const NONE: Self = Self([0; 16]);

    /// Holds a reply for the deliveries that have got it.
    pub(super) const DELIVERED: Self = Self([u8::MAX; 16]);

    /// Returns an id that no other call returns, on any node.
    pub fn random() -> Self {
        // The keys of std's hash maps are random in each thread, and differ from call to call.
        let half = || u128::from(RandomState::new().hash_one(0));
        Self::of(half() << 64 | half())
    }

    /// Returns the id's bytes, as a store may keep it.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Returns the id after this one. Ids counted on from a random one do not meet another node's.
    pub(super) fn next(self) -> Self {
        Self::of(u128::from_be_bytes(self.0).wrapping_add(1))
    }

    fn of(number: u128) -> Self {
        Self(number.max(1).to_be_bytes())
    }
}

/// In hexadecimal.
impl fmt::Display for ClaimId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// How long a store keeps what it is told, from the operation on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ttls {
    /// How long a running message belongs to its claim.
    pub lease: Duration,
    /// How long a reply is kept for later deliveries. It is at most `mark`.
    pub reply: Duration,
    /// How long the message is known at all, whatever its state. It is at least `lease`.
    pub mark: Duration,
}

impl Ttls {
    /// Makes times with this `lease`; a reply is kept for a minute and a mark for ten.
    pub fn new(lease: Duration) -> Self {
        let mark = Duration::from_mins(10).max(lease);
        Self {
            lease,
            reply: Duration::from_mins(1),
            mark,
        }
    }
}

/// What a store knows of a running message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run {
    /// The time since the message was first claimed, by the store's clock.
    pub age: Duration,
    /// 1 for the first claim, one more for each that took the message from another.
    pub number: u32,
}

impl Run {
    /// Makes a run.
    pub fn new(age: Duration, number: u32) -> Self {
        Self { age, number }
    }
}

/// How a claim ends a message, for [`Store::complete`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// With a reply for a delivery, which the claim holds. It is late if the message has been acknowledged in the store.
    Reply(StoredResponse),
    /// With a late reply: the message has been acknowledged on the claim's own node.
    Late(StoredResponse),
    /// With no reply, or none any more: the claim has sent its late reply by another channel.
    Nothing,
}

/// The answer to [`Store::claim`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Whose the message is now.
    pub claimed: Claimed,
    /// The fingerprint of the claim that the message began with.
    pub fingerprint: Option<Fingerprint>,
}

impl Found {
    /// Makes the answer.
    pub fn new(claimed: Claimed, fingerprint: Option<Fingerprint>) -> Self {
        Self {
            claimed,
            fingerprint,
        }
    }
}

/// Whose a message is after a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claimed {
    /// The message belongs to the claim, which runs it.
    Won(Run),
    /// It belongs to another claim, which runs it.
    Running {
        /// The time since the message was first claimed, by the store's clock.
        age: Duration,
        /// How long the lease of the other claim still lasts.
        lease: Duration,
    },
    /// It has ended with a reply, which the claim holds now.
    Replied {
        /// The time since the message was first claimed, by the store's clock.
        age: Duration,
        /// The reply.
        response: StoredResponse,
    },
    /// Its reply is late, and another claim sends it by another channel.
    Late {
        /// How long the lease of the other claim still lasts.
        lease: Duration,
    },
    /// Its reply is late, and the claim has it now: it sends the reply by another channel.
    TakenOver(StoredResponse),
    /// It has ended, and the only answer left is `success`.
    Done,
}

/// The answer to [`Store::renew`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Renewed {
    /// The message belongs to the claim, for another lease.
    Yours,
    /// It does not, and the result of the claim's run is not wanted any more.
    Lost,
}

/// The answer to [`Store::complete`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Completed {
    /// The reply is kept for deliveries.
    Stored,
    /// No delivery gets the reply. If there is one, it is late, and the claim sends it by another channel.
    Acknowledged,
    /// The message belongs to another claim by now, or another claim has ended it. It has not been changed.
    Lost,
}

/// The answer to [`Store::acknowledge`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Acknowledged {
    /// There is no reply for the delivery. A running message is acknowledged now: no delivery gets its reply.
    Recorded,
    /// There is a reply, which WeChat is to be told. The claim holds it now.
    Replied(StoredResponse),
}

/// The answer to [`Store::release`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Released {
    /// It was the last hold: the reply is late, and the claim sends it by another channel.
    LastHold,
    /// Another claim holds the reply, and gives it to a delivery or sends it by another channel.
    HeldElsewhere,
    /// The reply is late, and another claim sends it by another channel, or has sent it.
    SentElsewhere,
    /// Another claim runs the message.
    RunningElsewhere,
    /// The message was still the claim's to run, and has not been completed. Its lease is over now.
    NotCompleted,
    /// No claim has the message: it is vacant, or the lease of another claim is over.
    Unclaimed,
}
