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

use std::{error, fmt, time::Duration};

use bytes::Bytes;
use futures_util::future::join;
use http::{HeaderValue, StatusCode};
use tokio::time::Instant;

use super::{
    messages::{Bounds, Messages},
    store::{
        Acknowledged, Claim, ClaimId, Claimed, Completed, Released, Renewed, Run, Store, Ttls,
    },
};
use crate::{key::Key, response::StoredResponse};

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

/// A sequence in which the store's answer differs from the contract's.
///
/// [`Display`](fmt::Display) and [`Debug`] show the shortest one found, step by step.
#[derive(Clone)]
pub struct Violation {
    seed: u64,
    steps: Vec<Step>,
    difference: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "{number}: {step:?}")?;
        }
        write!(f, "{} (seed {})", self.difference, self.seed)
    }
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl error::Error for Violation {}

/// Runs `sequences` random sequences of up to 32 steps on the store. The same `seed` draws the same sequences.
///
/// # Errors
///
/// If an answer differs from the contract's, or an operation fails. The sequence is shortened first.
pub async fn check<S: Subject>(subject: &S, sequences: u32, seed: u64) -> Result<(), Violation> {
    for number in 0..sequences {
        let seed = seed.wrapping_add(number.into());
        let mut random = Random(seed);
        let count = 1 + random.below(31);
        let steps: Vec<_> = (0..count).map(|_| Step::random(&mut random)).collect();
        if let Err(difference) = sequence(subject, &steps).await {
            return Err(shorten(subject, seed, steps, difference).await);
        }
    }
    Ok(())
}

/// Leaves out steps as long as the sequence still fails.
async fn shorten<S: Subject>(
    subject: &S,
    seed: u64,
    mut steps: Vec<Step>,
    mut difference: String,
) -> Violation {
    let mut at = steps.len();
    while let Some(before) = at.checked_sub(1) {
        at = before;
        let mut fewer = steps.clone();
        fewer.remove(at);
        if let Err(found) = sequence(subject, &fewer).await {
            (steps, difference) = (fewer, found);
            at = steps.len();
        }
    }
    Violation {
        seed,
        steps,
        difference,
    }
}

#[derive(Debug, Clone)]
enum Step {
    One(Operation),
    /// Both at the same time, of the same message, on two nodes.
    Both(Operation, Operation),
    /// This many minutes pass.
    Pass(u32),
}

#[derive(Debug, Clone)]
struct Operation {
    verb: Verb,
    message: usize,
    claim: usize,
    /// In minutes.
    lease: u32,
    reply: u32,
    mark: u32,
}

#[derive(Debug, Clone, Copy)]
enum Verb {
    Claim,
    Renew(Run),
    Complete(Option<u32>),
    Acknowledge,
    Release,
}

#[derive(Debug, Clone, PartialEq)]
enum StoreAnswer {
    Claimed(Claimed),
    Renewed(Renewed),
    Completed(Completed),
    Acknowledged(Acknowledged),
    Released(Released),
}

impl Step {
    fn random(random: &mut Random) -> Self {
        match random.below(10) {
            0..6 => Self::One(Operation::random(random)),
            6..8 => {
                let (one, mut other) = (Operation::random(random), Operation::random(random));
                other.message = one.message;
                Self::Both(one, other)
            }
            _ => Self::Pass(1 + random.below(3)),
        }
    }
}

impl Operation {
    fn random(random: &mut Random) -> Self {
        let verb = match random.below(14) {
            0..4 => Verb::Claim,
            4..6 => Verb::Renew(Run::new(UNIT * random.below(3), 1 + random.below(3))),
            6..9 => {
                let is_acknowledged = random.below(5) == 0;
                Verb::Complete((!is_acknowledged).then(|| random.below(RESPONSES)))
            }
            9..11 => Verb::Acknowledge,
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
            message: usize::from(random.below(4) == 0),
            claim: random.below(3) as usize,
            lease,
            reply,
            mark,
        }
    }
}

/// Runs `steps` on the store and on the machine.
///
/// Two operations at the same time may take effect in either order. Where both orders fit, both are followed.
async fn sequence<S: Subject>(subject: &S, steps: &[Step]) -> Result<(), String> {
    let [first_node, second_node] = subject.nodes();
    let cast = Cast::new();
    let tolerance = subject.tolerance();
    let mut now = Instant::now();
    let mut orders = vec![Messages::new(BOUNDS)];
    for (at, step) in steps.iter().enumerate() {
        let answers;
        match step {
            Step::Pass(minutes) => {
                let time = UNIT * *minutes;
                subject.pass(&cast.messages, time).await;
                now += time;
                continue;
            }
            Step::One(one) => {
                let is_first = one.claim.is_multiple_of(2);
                let node = if is_first { &first_node } else { &second_node };
                let answer = cast.ask(node, one).await?;
                orders.retain_mut(|messages| {
                    cast.expect(messages, one, now).agrees(&answer, tolerance)
                });
                answers = vec![answer];
            }
            Step::Both(one, other) => {
                let both = join(cast.ask(&first_node, one), cast.ask(&second_node, other));
                let (first, second) = both.await;
                let (first, second) = (first?, second?);
                let mut fitting = Vec::new();
                for before in orders {
                    let there = [(one, &first), (other, &second)];
                    let back = [(other, &second), (one, &first)];
                    for order in [there, back] {
                        let mut after = before.clone();
                        let fits = order.iter().all(|(operation, answer)| {
                            let expected = cast.expect(&mut after, operation, now);
                            expected.agrees(answer, tolerance)
                        });
                        if fits && !fitting.contains(&after) {
                            fitting.push(after);
                        }
                    }
                }
                orders = fitting;
                answers = vec![first, second];
            }
        }
        if orders.is_empty() {
            return Err(format!("at step {at} the store answers {answers:?}"));
        }
    }
    Ok(())
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
        let answer = match operation.verb {
            Verb::Claim => store.claim(claim).await.map(StoreAnswer::Claimed),
            Verb::Renew(run) => store.renew(claim, run).await.map(StoreAnswer::Renewed),
            Verb::Complete(which) => {
                let response = which.map(response);
                let completed = store.complete(claim, response.as_ref()).await;
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
        match operation.verb {
            Verb::Claim => StoreAnswer::Claimed(messages.claim(claim, now)),
            Verb::Renew(run) => StoreAnswer::Renewed(messages.renew(claim, run, now)),
            Verb::Complete(which) => {
                let response = which.map(response);
                let completed = messages.complete(claim, response.as_ref(), now);
                StoreAnswer::Completed(completed)
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
        let key = if operation.message == 0 {
            first
        } else {
            second
        };
        let id = self.claims.get(operation.claim).copied();
        Claim::new(key, id.unwrap_or(ClaimId::NONE), ttls)
    }
}

impl StoreAnswer {
    fn agrees(&self, other: &Self, tolerance: Duration) -> bool {
        let is_near = |one: &Duration, other: &Duration| one.abs_diff(*other) <= tolerance;
        match (self, other) {
            (Self::Claimed(Claimed::Won(run)), Self::Claimed(Claimed::Won(other))) => {
                run.number == other.number && is_near(&run.age, &other.age)
            }
            (
                Self::Claimed(Claimed::Running { age, lease }),
                Self::Claimed(Claimed::Running {
                    age: other_age,
                    lease: other_lease,
                }),
            ) => is_near(age, other_age) && is_near(lease, other_lease),
            (
                Self::Claimed(Claimed::Replied { age, response }),
                Self::Claimed(Claimed::Replied {
                    age: other_age,
                    response: other,
                }),
            ) => response == other && is_near(age, other_age),
            _ => self == other,
        }
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
    StoredResponse::new(status, content_type, Bytes::from_static(body))
}

/// `SplitMix64`: small, and good enough for drawing steps.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let drawn = (mixed ^ (mixed >> 31)) % u64::from(bound.max(1));
        u32::try_from(drawn).unwrap_or_default()
    }
}

const RESPONSES: u32 = 4;

/// More than a sequence has.
const BOUNDS: Bounds = Bounds {
    messages: 16,
    reply_bytes: 1 << 20,
    spares_unfetched: false,
};

/// The unit of all times, far longer than any sequence takes.
const UNIT: Duration = Duration::from_mins(1);
