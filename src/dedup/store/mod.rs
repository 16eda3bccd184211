//! What several nodes know together: the [`Store`] trait.
//!
//! A node keeps a table of its own. A store is asked beside it, so that a message which one node runs is
//! not run by another, and so that a retry that reaches another node gets the first one's reply.
//!
//! # The states of a message
//!
//! ```text
//! vacant ─claim→ running(owner, lease) ─complete→ replied(holders) ─release by the last→ done → vacant
//!                  │      ↑                              │
//!                  └──────┘ lease over: claim            └ reply's time over → done
//! ```
//!
//! An **owner** is one node's dealing with one message. A running message is its owner's until its lease is
//! over; then the next claim takes it. A reply is **held** by those who may give it to a delivery: the
//! owner that has run the message, and each that has claimed it since. An owner whose deliveries have all
//! gone away releases its hold, and the last one to do so sends the reply by another channel. So a reply is
//! given to a delivery or sent by another channel, and never both.
//!
//! # The contract
//!
//! Every operation is atomic, looks at one key alone, and may be carried out twice: a node repeats one
//! whose answer it did not get. In the words of a program, without the locking and the forgetting:
//!
//! ```
#![doc = include_str!("model.rs")]
//!
//! let mut messages = Messages::default();
//! let (key, now, lease) = (Key::new(["a message"]), Instant::now(), Duration::from_secs(5));
//! let (one, other) = (Owner::random(), Owner::random());
//! assert_eq!(messages.claim(key, one, now, lease), Claim::Run { age: Duration::ZERO, number: 1 });
//! // The node goes away; a retry reaches the other one.
//! let later = now + lease;
//! assert_eq!(messages.claim(key, other, later, lease), Claim::Run { age: lease, number: 2 });
//! // It was only slow.
//! assert!(!messages.renew(key, one, 1, later, lease));
//! let reply = || Outcome::success();
//! assert_eq!(messages.complete(key, one, reply(), later, false), Completed::Lost);
//! assert_eq!(messages.complete(key, other, reply(), later, false), Completed::Kept);
//! assert_eq!(messages.claim(key, one, later, lease), Claim::Replied(reply()));
//! assert!(!messages.release(key, one, later));
//! assert!(messages.release(key, other, later));
//! assert_eq!(messages.acknowledge(key, one), Acknowledged::Acknowledged);
//! ```
//!
//! [`MemoryStore`] is this with the locking and the forgetting.

mod alone;
mod memory;

use std::{fmt, hash::BuildHasher, time::Duration};

use tower::BoxError;

pub use self::{alone::Alone, memory::MemoryStore};
use super::{Key, Outcome};

/// What several nodes know together about each message.
///
/// See the [module docs](self) for what each operation does, in the words of a program. An error means that
/// the caller does not know whether it was done.
///
/// A node gives an operation 250 ms, then goes on without it, see
/// [`DedupLayer::with_store`](crate::DedupLayer::with_store).
pub trait Store: Send + Sync + 'static {
    /// Why an operation could not be carried out, for the log.
    type Error: Into<BoxError>;

    /// Makes the message `owner`'s if it is nobody's, or if its owner's lease is over; takes hold of its
    /// reply if there is one.
    fn claim(
        &self,
        key: Key,
        owner: Owner,
        times: Times,
    ) -> impl Future<Output = Result<Claim, Self::Error>> + Send;

    /// Lengthens `owner`'s lease, from now on. `false`: the message is not `owner`'s, and what its run does
    /// is not wanted any more.
    ///
    /// A message that the store does not know becomes `owner`'s, in its run `number`: the store has lost it,
    /// or was away when it was claimed.
    fn renew(
        &self,
        key: Key,
        owner: Owner,
        number: u32,
        times: Times,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// Ends `owner`'s run with its outcome, which `owner` holds; unless the message has been acknowledged,
    /// here or on the owner's own node.
    fn complete(
        &self,
        key: Key,
        owner: Owner,
        outcome: &Outcome,
        acknowledged: bool,
        times: Times,
    ) -> impl Future<Output = Result<Completed, Self::Error>> + Send;

    /// Marks that WeChat is told not to wait for a reply; takes hold of the reply if there is one already.
    fn acknowledge(
        &self,
        key: Key,
        owner: Owner,
    ) -> impl Future<Output = Result<Acknowledged, Self::Error>> + Send;

    /// Lets go: ends the lease of a message that `owner` runs, or `owner`'s hold of its reply. `true`: it
    /// was the last hold, and the reply is `owner`'s to send by another channel.
    fn release(
        &self,
        key: Key,
        owner: Owner,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;
}

/// One node's dealing with one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner(u128);

impl Owner {
    /// Owns nothing.
    pub const NOBODY: Self = Self(0);

    /// An owner that no other call has returned, on any node.
    pub fn random() -> Self {
        // Both halves of the keys that std draws from the operating system, and counts up from.
        let half = || u128::from(std::hash::RandomState::new().hash_one(0));
        Self((half() << 64 | half()).max(1))
    }

    /// The owner after this one. Who counts on from a random owner meets nobody else's.
    pub(super) fn next(self) -> Self {
        Self(self.0.checked_add(1).unwrap_or(1))
    }
}

/// In hexadecimal.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// How long a store keeps what it is told, from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Times {
    /// How long a running message is its owner's.
    pub lease: Duration,
    /// How long a reply is kept for later deliveries. It is at most `mark`.
    pub reply: Duration,
    /// How long the message is known at all, whatever its state: never less than `lease`.
    pub mark: Duration,
}

/// The answer to [`Store::claim`]. An `age` is the time since the message was first claimed, by the store's
/// clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The message is the claiming owner's.
    Run {
        /// Since the first claim.
        age: Duration,
        /// 1 for the first owner, one more for each that took it from another.
        number: u32,
    },
    /// It is another owner's.
    Running {
        /// Since the first claim.
        age: Duration,
        /// How long it is the other's if that does not renew its lease.
        lease: Duration,
    },
    /// It has ended with a reply, which the claiming owner holds now.
    Replied(Outcome),
    /// It has ended, and there is nothing to answer but `success`.
    Done,
}

/// The answer to [`Store::complete`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completed {
    /// The reply is kept for deliveries.
    Kept,
    /// The message had been acknowledged: the reply is the owner's to send by another channel.
    Acknowledged,
    /// The message is another owner's by now, and has not been changed.
    Lost,
}

/// The answer to [`Store::acknowledge`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acknowledged {
    /// No delivery gets the reply any more.
    Acknowledged,
    /// There is a reply: it is what WeChat is to be told. The owner holds it now.
    Replied(Outcome),
}
