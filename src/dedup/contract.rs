//! Checks whether a [`Store`] keeps its contract: for the tests of a store of your own.
//!
//! Random sequences of operations on two nodes are compared, answer by answer, with the machine that the
//! [contract](super::store#the-contract) shows.
//!
//! ```
//! use std::time::Duration;
//!
//! use tower_wechat::dedup::{Key, contract::{self, Subject}, store::MemoryStore};
//!
//! struct Memory;
//!
//! impl Subject for Memory {
//!     type Store = MemoryStore;
//!
//!     fn nodes(&self) -> [MemoryStore; 2] {
//!         let store = MemoryStore::new();
//!         [store.clone(), store]
//!     }
//!
//!     async fn pass(&self, _keys: &[Key], time: Duration) {
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

use std::time::Duration;

use http::{HeaderValue, StatusCode};
use tokio::time::Instant;

use super::{
    messages::{Bounds, Messages},
    store::{
        Acknowledged, Claim, ClaimId, Claimed, Completed, Ending, Found, Released, Renewed, Run,
        Store, Ttls,
    },
};
pub use crate::contract::Violation;
use crate::{
    contract::{self, Contract, Random},
    key::{Fingerprint, Key},
    response::StoredResponse,
};

/// A store to check, and how time passes for it.
pub trait Subject {
    /// The type of the store.
    type Store: Store;

    /// Returns the store as two nodes see it. Each sequence uses new keys.
    fn nodes(&self) -> [Self::Store; 2];

    /// Lets `time` pass for the messages of `keys`: by a stopped clock, or by making the entries older.
    fn pass(&self, keys: &[Key], time: Duration) -> impl Future<Output = ()>;

    /// Returns by how much the store's times may differ. The default is zero, for a clock that can be stopped.
    ///
    /// All times in the sequences are multiples of a minute.
    fn tolerance(&self) -> Duration {
        Duration::ZERO
    }
}

/// Runs `sequences` random sequences of up to 32 steps on the store. The same `seed` draws the same sequences.
///
/// # Errors
///
/// If an answer differs from the contract's, or an operation fails. The sequence is shortened first.
pub async fn check<S: Subject>(subject: &S, sequences: u32, seed: u64) -> Result<(), Violation> {
    contract::check(&Checked(subject), sequences, seed).await
}

#[derive(Debug, Clone)]
struct Operation {
    verb: Verb,
    of_second_message: bool,
    claim: usize,
    /// What its fingerprint is of.
    body: u32,
    /// In minutes.
    lease: u32,
    reply: u32,
    mark: u32,
}

#[derive(Debug, Clone)]
enum Verb {
    Claim,
    Renew(Run),
    Complete(Ending),
    Acknowledge,
    Release,
}

#[derive(Debug, Clone, PartialEq)]
enum StoreAnswer {
    Claimed(Found),
    Renewed(Renewed),
    Completed(Completed),
    Acknowledged(Acknowledged),
    Released(Released),
}

impl Operation {
    fn random(random: &mut Random) -> Self {
        let verb = match random.below(16) {
            0..4 => Verb::Claim,
            4..6 => Verb::Renew(Run::new(UNIT * random.below(3), 1 + random.below(3))),
            6..9 => Verb::Complete(Ending::Reply(response(random.below(4)))),
            9 => Verb::Complete(Ending::Late(response(random.below(4)))),
            10 => Verb::Complete(Ending::Nothing),
            11..13 => Verb::Acknowledge,
            _ => Verb::Release,
        };
        // The mark is the longest of the times.
        let (lease, reply, mark) = if random.below(9) == 0 {
            (0, 0, 0)
        } else {
            (random.below(3), random.below(3), 3 + random.below(5))
        };
        Self {
            verb,
            of_second_message: random.below(4) == 0,
            claim: random.below(3) as usize,
            body: random.below(3),
            lease,
            reply,
            mark,
        }
    }
}

struct Checked<'a, S>(&'a S);

impl<S: Subject> Contract for Checked<'_, S> {
    type Operation = Operation;
    type Answer = StoreAnswer;
    type Model = Messages;
    type Cast = ([S::Store; 2], Cast);

    const UNIT: Duration = UNIT;

    fn operation(&self, random: &mut Random) -> Operation {
        Operation::random(random)
    }

    /// Both are of the same message.
    fn join(&self, other: &mut Operation, one: &Operation) {
        other.of_second_message = one.of_second_message;
    }

    fn begin(&self) -> (Self::Cast, Messages) {
        ((self.0.nodes(), Cast::new()), Messages::new(BOUNDS))
    }

    fn node(&self, operation: &Operation) -> usize {
        operation.claim % 2
    }

    async fn ask(
        &self,
        ([first, second], cast): &Self::Cast,
        node: usize,
        operation: &Operation,
    ) -> Result<StoreAnswer, String> {
        let store = if node == 0 { first } else { second };
        cast.ask(store, operation).await
    }

    fn expect(
        &self,
        (_nodes, cast): &Self::Cast,
        messages: &mut Messages,
        operation: &Operation,
        now: Instant,
    ) -> StoreAnswer {
        cast.expect(messages, operation, now)
    }

    fn agrees(&self, expected: &StoreAnswer, answer: &StoreAnswer) -> bool {
        expected.agrees(answer, self.0.tolerance())
    }

    async fn pass(&self, (_nodes, cast): &Self::Cast, time: Duration) {
        self.0.pass(&cast.messages, time).await;
    }
}

/// The messages and claims of a sequence.
struct Cast {
    messages: [Key; 2],
    claims: [ClaimId; 3],
}

impl Cast {
    fn new() -> Self {
        Self {
            messages: [(); 2].map(|()| Key::new([ClaimId::random().to_bytes()])),
            claims: [(); 3].map(|()| ClaimId::random()),
        }
    }

    async fn ask(&self, store: &impl Store, operation: &Operation) -> Result<StoreAnswer, String> {
        let claim = self.claim(operation);
        let answer = match &operation.verb {
            Verb::Claim => store.claim(claim).await.map(StoreAnswer::Claimed),
            Verb::Renew(run) => store.renew(claim, *run).await.map(StoreAnswer::Renewed),
            Verb::Complete(ending) => {
                let completed = store.complete(claim, ending.clone()).await;
                completed.map(StoreAnswer::Completed)
            }
            Verb::Acknowledge => store
                .acknowledge(claim)
                .await
                .map(StoreAnswer::Acknowledged),
            Verb::Release => store.release(claim).await.map(StoreAnswer::Released),
        };
        answer.map_err(|error| format!("{operation:?} failed: {error:#}"))
    }

    fn expect(&self, messages: &mut Messages, operation: &Operation, now: Instant) -> StoreAnswer {
        let claim = self.claim(operation);
        match &operation.verb {
            Verb::Claim => StoreAnswer::Claimed(messages.find(claim, now)),
            Verb::Renew(run) => StoreAnswer::Renewed(messages.renew(claim, *run, now)),
            Verb::Complete(ending) => {
                StoreAnswer::Completed(messages.complete(claim, ending.clone(), now))
            }
            Verb::Acknowledge => StoreAnswer::Acknowledged(messages.acknowledge(claim, now)),
            Verb::Release => StoreAnswer::Released(messages.release(claim, now)),
        }
    }

    fn claim(&self, operation: &Operation) -> Claim {
        let ttls = Ttls {
            lease: UNIT * operation.lease,
            reply: UNIT * operation.reply,
            mark: UNIT * operation.mark,
        };
        let [first, second] = self.messages;
        let key = if operation.of_second_message {
            second
        } else {
            first
        };
        let id = self.claims.get(operation.claim).copied();
        let fingerprint = operation.body.checked_sub(1).map(|body| {
            let bytes = (u64::MAX - u64::from(body)).to_be_bytes();
            Fingerprint::from_bytes(bytes)
        });
        Claim::new(key, id.unwrap_or(ClaimId::NONE), ttls).with_fingerprint(fingerprint)
    }
}

impl StoreAnswer {
    fn agrees(&self, other: &Self, tolerance: Duration) -> bool {
        let (Self::Claimed(found), Self::Claimed(other)) = (self, other) else {
            return self == other;
        };
        let is_near = |one: &Duration, other: &Duration| one.abs_diff(*other) <= tolerance;
        let is_alike = match (&found.claimed, &other.claimed) {
            (Claimed::Won(run), Claimed::Won(other)) => {
                run.number == other.number && is_near(&run.age, &other.age)
            }
            (
                Claimed::Running { age, lease },
                Claimed::Running {
                    age: other_age,
                    lease: other_lease,
                },
            ) => is_near(age, other_age) && is_near(lease, other_lease),
            (
                Claimed::Replied { age, response },
                Claimed::Replied {
                    age: other_age,
                    response: other,
                },
            ) => response == other && is_near(age, other_age),
            (Claimed::Late { lease }, Claimed::Late { lease: other }) => is_near(lease, other),
            (claimed, other) => claimed == other,
        };
        is_alike && found.fingerprint == other.fingerprint
    }
}

/// A response that the store has to return unchanged.
fn response(which: u32) -> StoredResponse {
    let (status, content_type, body) = match which {
        0 => (StatusCode::OK, Some("application/xml"), &b"<xml></xml>"[..]),
        1 => (StatusCode::OK, None, &b"success"[..]),
        2 => (StatusCode::NOT_FOUND, Some(""), &b""[..]),
        _ => (
            StatusCode::OK,
            Some("text/plain; charset=\"é\""),
            &b"\0\r\n\xff,'$"[..],
        ),
    };
    let content_type = content_type.and_then(|text| HeaderValue::from_bytes(text.as_bytes()).ok());
    let response = StoredResponse::new(status, content_type, body);
    match which {
        // As a reply of several messages has it.
        0 => response.with_attachment(b"<xml><item><MsgType>text</MsgType><Content>a</Content></item><item><MsgType>text</MsgType><Content>b</Content></item></xml>"),
        _ => response,
    }
}

/// More than a sequence has.
const BOUNDS: Bounds = Bounds {
    messages: 16,
    reply_bytes: 1 << 20,
    spares_unfetched: false,
};

/// The unit of all times, far longer than any sequence takes.
const UNIT: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests;
