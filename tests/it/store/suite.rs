//! The suite: random sequences of operations. Each answer is compared with the reference's.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use proptest::{
    prelude::*,
    test_runner::{TestError, TestRunner},
};
use tokio::{runtime::Runtime, time::Instant};
use tower_wechat::dedup::{
    Key, StoredResponse,
    store::{
        AcknowledgeRequest, Acknowledged, ClaimId, ClaimRequest, Claimed, CompleteRequest,
        Completed, ReleaseRequest, Released, RenewRequest, Renewed, Store, Ttls,
    },
};

use super::reference::Reference;

/// A store to test, and how time passes for it.
pub(super) trait Harness {
    type Store: Store;

    /// By how much its times may differ. Zero where the clock can be stopped.
    const TOLERANCE: Duration;

    /// The store as two nodes see it.
    fn nodes(&self) -> [Self::Store; 2];

    /// Lets `time` pass for the entries of `keys`.
    fn pass(&self, keys: &[Key], time: Duration) -> impl Future<Output = ()>;
}

/// Returns the shortest sequence found in which the store and the reference differ.
pub(super) fn suite<H: Harness>(
    runtime: &Runtime,
    harness: &H,
    sequences: u32,
) -> Result<(), String> {
    let mut runner = TestRunner::new(ProptestConfig {
        cases: sequences,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let steps = prop::collection::vec(step(), 1..32);
    let result = runner.run(&steps, |steps| {
        runtime
            .block_on(sequence(harness, &steps))
            .map_err(TestCaseError::fail)
    });
    result.map_err(|error| match error {
        TestError::Fail(reason, steps) => format!("{reason}\nin {steps:#?}"),
        TestError::Abort(reason) => reason.to_string(),
    })
}

#[derive(Debug, Clone)]
enum Step {
    One(Operation),
    /// Both at the same time, of the same message, on two nodes.
    Both(Operation, Operation),
    /// This many units pass.
    Pass(u32),
}

#[derive(Debug, Clone)]
struct Operation {
    verb: Verb,
    message: usize,
    claim: usize,
    /// In units.
    lease: u32,
    reply: u32,
    mark: u32,
}

#[derive(Debug, Clone, Copy)]
enum Verb {
    Claim,
    Renew {
        number: u32,
    },
    Complete {
        response: usize,
        is_acknowledged: bool,
    },
    Acknowledge,
    Release,
}

#[derive(Debug, Clone, PartialEq)]
enum Answer {
    Claimed(Claimed),
    Renewed(Renewed),
    Completed(Completed),
    Acknowledged(Acknowledged),
    Released(Released),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => operation().prop_map(Step::One),
        2 => (operation(), operation()).prop_map(|(one, mut other)| {
            other.message = one.message;
            Step::Both(one, other)
        }),
        2 => (1..4_u32).prop_map(Step::Pass),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let verb = prop_oneof![
        4 => Just(Verb::Claim),
        2 => (1..4_u32).prop_map(|number| Verb::Renew { number }),
        3 => (0..RESPONSES, prop::bool::weighted(0.2))
            .prop_map(|(response, is_acknowledged)| Verb::Complete { response, is_acknowledged }),
        2 => Just(Verb::Acknowledge),
        3 => Just(Verb::Release),
    ];
    // The mark is the longest of the times.
    let ttls = prop_oneof![
        8 => (0..3_u32, 0..3_u32, 3..8_u32),
        1 => Just((0, 0, 0)),
    ];
    let message = prop_oneof![3 => Just(0_usize), 1 => Just(1)];
    (verb, message, 0..3_usize, ttls).prop_map(|(verb, message, claim, (lease, reply, mark))| {
        Operation {
            verb,
            message,
            claim,
            lease,
            reply,
            mark,
        }
    })
}

/// Runs `steps` on the store and on the reference.
///
/// Two operations at the same time may take effect in either order. Where both orders fit, both are followed.
async fn sequence<H: Harness>(harness: &H, steps: &[Step]) -> Result<(), String> {
    let nodes = harness.nodes();
    let cast = Cast {
        messages: [(); 2].map(|()| Key::new([ClaimId::random().to_string()])),
        claims: [(); 3].map(|()| ClaimId::random()),
    };
    let mut now = Instant::now();
    let mut references = vec![Reference::default()];
    for (at, step) in steps.iter().enumerate() {
        let answers;
        match step {
            Step::Pass(units) => {
                harness.pass(&cast.messages, UNIT * *units).await;
                now += UNIT * *units;
                continue;
            }
            Step::One(one) => {
                let answer = cast.ask(&nodes[one.claim % 2], one).await;
                references.retain_mut(|reference| {
                    let expected = cast.expect(reference, one, now);
                    expected.agrees(&answer, H::TOLERANCE)
                });
                answers = vec![answer];
            }
            Step::Both(one, other) => {
                let (first, second) =
                    tokio::join!(cast.ask(&nodes[0], one), cast.ask(&nodes[1], other));
                let mut fitting = Vec::new();
                for reference in references {
                    let there = [(one, &first), (other, &second)];
                    let back = [(other, &second), (one, &first)];
                    for order in [there, back] {
                        let mut reference = reference.clone();
                        let fits = order.iter().all(|(operation, answer)| {
                            let expected = cast.expect(&mut reference, operation, now);
                            expected.agrees(answer, H::TOLERANCE)
                        });
                        if fits && !fitting.contains(&reference) {
                            fitting.push(reference);
                        }
                    }
                }
                references = fitting;
                answers = vec![first, second];
            }
        }
        if references.is_empty() {
            return Err(format!(
                "step {at}, {step:?}: the store answers {answers:?}"
            ));
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
    async fn ask(&self, store: &impl Store, operation: &Operation) -> Answer {
        let (key, id, ttls) = self.of(operation);
        let answer = match operation.verb {
            Verb::Claim => {
                let claimed = store.claim(ClaimRequest::new(key, id, ttls)).await;
                claimed.map(Answer::Claimed)
            }
            Verb::Renew { number } => {
                let renewed = store.renew(RenewRequest::new(key, id, number, ttls)).await;
                renewed.map(Answer::Renewed)
            }
            Verb::Complete {
                response: which,
                is_acknowledged,
            } => {
                let response = response(which);
                let request = CompleteRequest::new(key, id, &response, ttls);
                let completed = store.complete(request.acknowledged(is_acknowledged)).await;
                completed.map(Answer::Completed)
            }
            Verb::Acknowledge => {
                let acknowledged = store.acknowledge(AcknowledgeRequest::new(key, id)).await;
                acknowledged.map(Answer::Acknowledged)
            }
            Verb::Release => {
                let released = store.release(ReleaseRequest::new(key, id)).await;
                released.map(Answer::Released)
            }
        };
        answer.unwrap_or_else(|error| panic!("{operation:?}: {error}"))
    }

    fn expect(&self, reference: &mut Reference, operation: &Operation, now: Instant) -> Answer {
        let (key, id, ttls) = self.of(operation);
        match operation.verb {
            Verb::Claim => Answer::Claimed(reference.claim(ClaimRequest::new(key, id, ttls), now)),
            Verb::Renew { number } => {
                let request = RenewRequest::new(key, id, number, ttls);
                Answer::Renewed(reference.renew(request, now))
            }
            Verb::Complete {
                response: which,
                is_acknowledged,
            } => {
                let response = response(which);
                let request = CompleteRequest::new(key, id, &response, ttls);
                let request = request.acknowledged(is_acknowledged);
                Answer::Completed(reference.complete(request, now))
            }
            Verb::Acknowledge => {
                let request = AcknowledgeRequest::new(key, id);
                Answer::Acknowledged(reference.acknowledge(request, now))
            }
            Verb::Release => Answer::Released(reference.release(ReleaseRequest::new(key, id), now)),
        }
    }

    fn of(&self, operation: &Operation) -> (Key, ClaimId, Ttls) {
        let ttls = Ttls::with_lease(UNIT * operation.lease)
            .with_reply(UNIT * operation.reply)
            .with_mark(UNIT * operation.mark);
        let (message, claim) = (operation.message, operation.claim);
        (self.messages[message], self.claims[claim], ttls)
    }
}

impl Answer {
    fn agrees(&self, other: &Self, tolerance: Duration) -> bool {
        let near = |one: &Duration, other: &Duration| one.abs_diff(*other) <= tolerance;
        match (self, other) {
            (
                Self::Claimed(Claimed::Run { age, number }),
                Self::Claimed(Claimed::Run {
                    age: other_age,
                    number: other_number,
                }),
            ) => number == other_number && near(age, other_age),
            (
                Self::Claimed(Claimed::Running { age, lease }),
                Self::Claimed(Claimed::Running {
                    age: other_age,
                    lease: other_lease,
                }),
            ) => near(age, other_age) && near(lease, other_lease),
            _ => self == other,
        }
    }
}

/// A response that the store has to return unchanged.
fn response(which: usize) -> StoredResponse {
    let (status, content_type, body) = match which {
        0 => (200, Some("application/xml"), &b"<xml></xml>"[..]),
        1 => (200, None, &b"success"[..]),
        2 => (404, Some(""), &b""[..]),
        _ => (
            200,
            Some("text/plain; charset=\"é\""),
            &b"\0\r\n\xff,'$"[..],
        ),
    };
    let content_type = content_type.map(|value| HeaderValue::from_bytes(value.as_bytes()).unwrap());
    let status = StatusCode::from_u16(status).unwrap();
    StoredResponse::new(status, content_type, Bytes::from_static(body))
}

const RESPONSES: usize = 4;

/// The unit of all times, far longer than any sequence takes.
pub(super) const UNIT: Duration = Duration::from_secs(60);
