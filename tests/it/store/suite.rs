//! The suite: random sequences of operations, each answer compared with the model's.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use proptest::{
    prelude::*,
    test_runner::{TestError, TestRunner},
};
use tokio::{runtime::Runtime, time::Instant};
use tower_wechat::dedup::{
    Key, Outcome,
    store::{Acknowledged, Claim, Completed, Owner, Store, Times},
};

use super::reference::Reference;

/// A store to test, and how time passes for it.
pub(super) trait Harness {
    type Store: Store;

    /// By how much its times may differ: by what really passes where that cannot be stopped.
    const TOLERANCE: Duration;

    /// The store as two nodes see it.
    fn nodes(&self) -> [Self::Store; 2];

    /// Lets `time` pass for what is known of `keys`.
    fn pass(&self, keys: &[Key], time: Duration) -> impl Future<Output = ()>;
}

/// The first sequence, made as short as may be, in which the store and the model differ.
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
    /// So many units pass.
    Pass(u32),
}

#[derive(Debug, Clone)]
struct Operation {
    verb: Verb,
    message: usize,
    owner: usize,
    /// In units.
    lease: u32,
    reply: u32,
    mark: u32,
}

#[derive(Debug, Clone, Copy)]
enum Verb {
    Claim,
    Renew { number: u32 },
    Complete { outcome: usize, acknowledged: bool },
    Acknowledge,
    Release,
}

#[derive(Debug, Clone, PartialEq)]
enum Answer {
    Claimed(Claim),
    Renewed(bool),
    Completed(Completed),
    Acknowledged(Acknowledged),
    Released(bool),
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
        3 => (0..OUTCOMES, prop::bool::weighted(0.2))
            .prop_map(|(outcome, acknowledged)| Verb::Complete { outcome, acknowledged }),
        2 => Just(Verb::Acknowledge),
        3 => Just(Verb::Release),
    ];
    // A message is known for at least as long as anything about it.
    let times = prop_oneof![
        8 => (0..3_u32, 0..3_u32, 3..8_u32),
        1 => Just((0, 0, 0)),
    ];
    let message = prop_oneof![3 => Just(0_usize), 1 => Just(1)];
    (verb, message, 0..3_usize, times).prop_map(|(verb, message, owner, (lease, reply, mark))| {
        Operation {
            verb,
            message,
            owner,
            lease,
            reply,
            mark,
        }
    })
}

/// Runs `steps` on the store and on the model.
///
/// Two operations at the same time may take effect in either order. Where both fit, both are pursued.
async fn sequence<H: Harness>(harness: &H, steps: &[Step]) -> Result<(), String> {
    let nodes = harness.nodes();
    let cast = Cast {
        messages: [(); 2].map(|()| Key::new([Owner::random().to_string()])),
        owners: [(); 3].map(|()| Owner::random()),
    };
    let mut now = Instant::now();
    let mut models = vec![Reference::default()];
    for (at, step) in steps.iter().enumerate() {
        let answers;
        match step {
            Step::Pass(units) => {
                harness.pass(&cast.messages, UNIT * *units).await;
                now += UNIT * *units;
                continue;
            }
            Step::One(one) => {
                let answer = cast.ask(&nodes[one.owner % 2], one).await;
                models.retain_mut(|model| {
                    let expected = cast.expect(model, one, now);
                    expected.agrees(&answer, H::TOLERANCE)
                });
                answers = vec![answer];
            }
            Step::Both(one, other) => {
                let (first, second) =
                    tokio::join!(cast.ask(&nodes[0], one), cast.ask(&nodes[1], other));
                let mut fitting = Vec::new();
                for model in models {
                    let there = [(one, &first), (other, &second)];
                    let back = [(other, &second), (one, &first)];
                    for order in [there, back] {
                        let mut model = model.clone();
                        let fits = order.iter().all(|(operation, answer)| {
                            let expected = cast.expect(&mut model, operation, now);
                            expected.agrees(answer, H::TOLERANCE)
                        });
                        if fits && !fitting.contains(&model) {
                            fitting.push(model);
                        }
                    }
                }
                models = fitting;
                answers = vec![first, second];
            }
        }
        if models.is_empty() {
            return Err(format!("step {at}, {step:?}: the store says {answers:?}"));
        }
    }
    Ok(())
}

/// Who is who in a sequence.
struct Cast {
    messages: [Key; 2],
    owners: [Owner; 3],
}

impl Cast {
    async fn ask(&self, store: &impl Store, operation: &Operation) -> Answer {
        let (key, owner, times) = self.of(operation);
        let answer = match operation.verb {
            Verb::Claim => store.claim(key, owner, times).await.map(Answer::Claimed),
            Verb::Renew { number } => {
                let renewed = store.renew(key, owner, number, times).await;
                renewed.map(Answer::Renewed)
            }
            Verb::Complete {
                outcome: which,
                acknowledged,
            } => {
                let outcome = outcome(which);
                let completed = store.complete(key, owner, &outcome, acknowledged, times);
                completed.await.map(Answer::Completed)
            }
            Verb::Acknowledge => {
                let acknowledged = store.acknowledge(key, owner).await;
                acknowledged.map(Answer::Acknowledged)
            }
            Verb::Release => store.release(key, owner).await.map(Answer::Released),
        };
        answer.unwrap_or_else(|error| panic!("{operation:?}: {}", error.into()))
    }

    fn expect(&self, model: &mut Reference, operation: &Operation, now: Instant) -> Answer {
        let (key, owner, times) = self.of(operation);
        match operation.verb {
            Verb::Claim => Answer::Claimed(model.claim(key, owner, now, times)),
            Verb::Renew { number } => Answer::Renewed(model.renew(key, owner, number, now, times)),
            Verb::Complete {
                outcome: which,
                acknowledged,
            } => {
                let outcome = outcome(which);
                Answer::Completed(model.complete(key, owner, &outcome, acknowledged, now, times))
            }
            Verb::Acknowledge => Answer::Acknowledged(model.acknowledge(key, owner, now)),
            Verb::Release => Answer::Released(model.release(key, owner, now)),
        }
    }

    fn of(&self, operation: &Operation) -> (Key, Owner, Times) {
        let times = Times::new(
            UNIT * operation.lease,
            UNIT * operation.reply,
            UNIT * operation.mark,
        );
        (
            self.messages[operation.message],
            self.owners[operation.owner],
            times,
        )
    }
}

impl Answer {
    fn agrees(&self, other: &Self, tolerance: Duration) -> bool {
        let near = |one: &Duration, other: &Duration| one.abs_diff(*other) <= tolerance;
        match (self, other) {
            (
                Self::Claimed(Claim::Run { age, number }),
                Self::Claimed(Claim::Run {
                    age: other_age,
                    number: other_number,
                }),
            ) => number == other_number && near(age, other_age),
            (
                Self::Claimed(Claim::Running { age, lease }),
                Self::Claimed(Claim::Running {
                    age: other_age,
                    lease: other_lease,
                }),
            ) => near(age, other_age) && near(lease, other_lease),
            _ => self == other,
        }
    }
}

/// What a store has to give back as it was.
fn outcome(which: usize) -> Outcome {
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
    Outcome::new(status, content_type, Bytes::from_static(body))
}

const OUTCOMES: usize = 4;

/// The unit of all times, far longer than any sequence takes.
pub(super) const UNIT: Duration = Duration::from_secs(60);
