//! Answers that come too late for the node that waits for them, though the store has carried the operation out.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::time::{sleep, sleep_until};
use tower_wechat::{
    dedup::store::{Acknowledged, Claim, Completed, Ending, Found, Released, Renewed, Run, Store},
    late::LateReply,
};

use super::{faulty::Operation, *};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What a store does with one operation.
#[derive(Debug, Clone, Copy, Default)]
struct Act {
    /// Before it is carried out, even if the node does not wait any more.
    there: u64,
    back: u64,
    /// It fails without being carried out.
    fails: bool,
}

type Data = Arc<MemoryStore>;
type Script = Arc<dyn Fn(usize, Operation, u64) -> Act + Send + Sync>;

/// A store whose operations are carried out even if the node has given them up, as a server's are.
#[derive(Clone)]
struct Wild {
    data: Data,
    node: usize,
    begun: Instant,
    script: Script,
}

impl Wild {
    async fn carry<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        operation: Operation,
        work: impl FnOnce(MemoryStore) -> F + Send + 'static,
    ) -> Result<T, &'static str> {
        let at = u64::try_from(self.begun.elapsed().as_millis()).unwrap();
        let act = (self.script)(self.node, operation, at);
        let data = Arc::clone(&self.data);
        let carried = tokio::spawn(async move {
            if act.there > 0 {
                sleep(ms(act.there)).await;
            }
            if act.fails {
                return Err("away");
            }
            let store = MemoryStore::clone(&data);
            let answer = work(store).await;
            if act.back > 0 {
                sleep(ms(act.back)).await;
            }
            Ok(answer)
        });
        carried.await.unwrap()
    }
}

impl Store for Wild {
    type Error = &'static str;

    async fn claim(&self, claim: Claim) -> Result<Found, &'static str> {
        self.carry(Operation::Claim, move |s| async move {
            s.claim(claim).await.unwrap()
        })
        .await
    }
    async fn renew(&self, claim: Claim, run: Run) -> Result<Renewed, &'static str> {
        self.carry(Operation::Renew, move |s| async move {
            s.renew(claim, run).await.unwrap()
        })
        .await
    }
    async fn complete(&self, claim: Claim, ending: Ending) -> Result<Completed, &'static str> {
        self.carry(Operation::Complete, move |s| async move {
            s.complete(claim, ending).await.unwrap()
        })
        .await
    }
    async fn acknowledge(&self, claim: Claim) -> Result<Acknowledged, &'static str> {
        self.carry(Operation::Acknowledge, move |s| async move {
            s.acknowledge(claim).await.unwrap()
        })
        .await
    }
    async fn release(&self, claim: Claim) -> Result<Released, &'static str> {
        self.carry(Operation::Release, move |s| async move {
            s.release(claim).await.unwrap()
        })
        .await
    }
}

#[derive(Clone)]
struct Case {
    nodes: usize,
    takes: u64,
    /// When, to which node, and when its client leaves.
    deliveries: Vec<(u64, usize, u64)>,
    /// When a node is drained without patience.
    drains: Vec<(u64, usize)>,
    script: Script,
    until: u64,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            nodes: 2,
            takes: 1_000,
            deliveries: vec![(0, 0, 5_000)],
            drains: vec![],
            script: Arc::new(|_, _, _| Act::default()),
            until: 90_000,
        }
    }
}

/// What became of a message.
#[derive(Debug, Default, Clone)]
struct Fate {
    runs: usize,
    finished: usize,
    given: Vec<Bytes>,
    late: usize,
}

impl Fate {
    fn is_lost(&self) -> bool {
        self.finished > 0 && self.given.is_empty() && self.late == 0
    }
}

fn node(
    case: &Case,
    number: usize,
    data: &Data,
    fate: &Arc<Mutex<Fate>>,
) -> (DedupLayer, impl Delivers + use<>) {
    let store = Wild {
        data: Arc::clone(data),
        node: number,
        begun: Instant::now(),
        script: Arc::clone(&case.script),
    };
    let late = Arc::clone(fate);
    let hook = move |_: LateReply| {
        late.lock().unwrap().late += 1;
        ready(())
    };
    let builder = DedupLayer::builder().with_store(store);
    let layer = builder.with_late_replies(hook).build();
    let (takes, fate) = (case.takes, Arc::clone(fate));
    let stack = layer.layer(service_fn(move |_: Request<Verified>| {
        let fate = Arc::clone(&fate);
        async move {
            let number = {
                let mut fate = fate.lock().unwrap();
                fate.runs += 1;
                fate.runs
            };
            sleep(ms(takes)).await;
            fate.lock().unwrap().finished += 1;
            let reply = Full::<Bytes>::from(format!("reply {number}"));
            Ok::<_, Infallible>(Response::new(reply))
        }
    }));
    (layer, stack)
}

async fn play(case: &Case) -> Fate {
    let begun = Instant::now();
    let fate = Arc::new(Mutex::new(Fate::default()));
    let data = Data::default();
    let nodes = (0..case.nodes).map(|number| node(case, number, &data, &fate));
    let (layers, stacks): (Vec<_>, Vec<_>) = nodes.unzip();
    let (deliveries, given) = (case.deliveries.clone(), Arc::clone(&fate));
    // As WeChat does: the next one only after one that had no answer.
    tokio::spawn(async move {
        for (when, node, leaves) in deliveries {
            let takes = ms(leaves - when);
            sleep_until(begun + ms(when)).await;
            let delivery = stacks[node]
                .clone()
                .send(Request::new(assume(text("user", "1", "hi"))));
            if let Ok(answer) = timeout(takes, delivery).await
                && answer.status() == 200
            {
                if answer.body() != "success" {
                    given.lock().unwrap().given.push(answer.into_body());
                }
                return;
            }
        }
    });
    for (when, node) in case.drains.clone() {
        let layer = layers[node].clone();
        tokio::spawn(async move {
            sleep_until(begun + ms(when)).await;
            layer.drain(Duration::ZERO).await;
        });
    }
    sleep_until(begun + ms(case.until)).await;
    fate.lock().unwrap().clone()
}

fn script(act: impl Fn(usize, Operation, u64) -> Act + Send + Sync + 'static) -> Script {
    Arc::new(act)
}

/// Each node has run the message, and one run has ended. One reply reaches the user. Node 1 claims the message for the last
/// time at `last`: no node asks for longer than a reply is kept, a minute.
#[track_caller]
fn check_ended(fate: &Fate, last: u64) {
    assert_eq!((fate.runs, fate.finished), (2, 1), "{fate:?}");
    assert_eq!(fate.given.len() + fate.late, 1, "{fate:?}");
    assert!(last < 90_000, "a claim after {last} ms");
}

/// Node 1 gets every answer to a claim 10 ms too late, and all others in time. It runs the message itself, but not for
/// ever: its lease is answered `Lost`.
#[tokio::test(start_paused = true)]
async fn claims_that_are_answered_too_late_end() {
    for takes in (1_500..9_000).step_by(100) {
        let last = Arc::new(AtomicU64::new(0));
        let at_last = Arc::clone(&last);
        let fate = play(&Case {
            takes,
            deliveries: vec![(0, 0, 1_000), (1_000, 1, 6_000)],
            script: script(move |node, operation, at| {
                let is_late = node == 1 && operation == Operation::Claim;
                if is_late {
                    at_last.store(at, Relaxed);
                }
                Act {
                    back: if is_late { 260 } else { 0 },
                    ..Act::default()
                }
            }),
            until: 200_000,
            ..Case::default()
        })
        .await;
        check_ended(&fate, last.load(Relaxed));
    }
}

/// As before, but the claims of node 1 are refused, and are not carried out.
#[tokio::test(start_paused = true)]
async fn claims_that_fail_end() {
    let last = Arc::new(AtomicU64::new(0));
    let at_last = Arc::clone(&last);
    let fate = play(&Case {
        takes: 3_000,
        deliveries: vec![(0, 0, 1_000), (1_000, 1, 1_500)],
        script: script(move |node, operation, at| {
            let fails = node == 1 && operation == Operation::Claim;
            if fails {
                at_last.store(at, Relaxed);
            }
            Act {
                fails,
                ..Act::default()
            }
        }),
        until: 200_000,
        ..Case::default()
    })
    .await;
    check_ended(&fate, last.load(Relaxed));
}

/// The store is away for a moment at the run's end, and back again when the drain cuts the message: `NotCompleted`.
/// WeChat makes no other delivery.
#[tokio::test(start_paused = true)]
async fn a_finished_reply_survives_a_cut_after_a_moment_without_the_store() {
    let mut lost = vec![];
    // Longer than WeChat delivers.
    {
        let takes = 16_000;
        for cut in (takes..takes + 8_000).step_by(100) {
            let fate = play(&Case {
                nodes: 1,
                takes,
                deliveries: vec![(0, 0, 500)],
                drains: vec![(cut, 0)],
                script: script(move |_, operation, at| Act {
                    fails: operation == Operation::Complete && at.abs_diff(takes) < 100,
                    ..Act::default()
                }),
                until: 40_000,
            })
            .await;
            if fate.is_lost() {
                lost.push(cut);
            }
        }
    }
    assert!(lost.is_empty(), "lost for cuts at {lost:?}");
}

/// Node 0 gets the answers to its completions too late. The breaker keeps it from the one question that would tell it
/// that the reply has been given on node 1.
#[tokio::test(start_paused = true)]
async fn completions_that_are_answered_too_late_give_the_reply_once() {
    let fate = play(&Case {
        takes: 5_900,
        deliveries: vec![(0, 0, 5_000), (5_100, 1, 10_000)],
        script: script(|node, operation, _| Act {
            back: if node == 0 && operation == Operation::Complete {
                260
            } else {
                0
            },
            ..Act::default()
        }),
        ..Case::default()
    })
    .await;
    assert_eq!(
        (fate.runs, fate.given.len() + fate.late),
        (1, 1),
        "{fate:?}"
    );
}
