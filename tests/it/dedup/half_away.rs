//! A store that answers some operations, and never the others.

use std::sync::{Arc, Mutex};

use tokio::time::sleep;
use tower_wechat::{
    Message, Reply,
    late::{LateCause, LateReply},
    message_fn,
};

use super::{
    faulty::{Faulty, Operation},
    *,
};

/// What becomes of the operations that the store does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// They fail at once.
    Refused,
    /// They are not carried out.
    Lost,
    /// They are carried out.
    AnswerLost,
}

/// Who delivers the message when, and when the client leaves.
struct Story {
    name: &'static str,
    is_event: bool,
    /// Milliseconds until the reply.
    takes: u64,
    is_long: bool,
    /// Milliseconds that the hook takes.
    hook_takes: u64,
    /// Milliseconds, the node, and milliseconds until the client leaves.
    deliveries: &'static [(u64, usize, u64)],
}

const STORIES: [Story; 10] = [
    Story {
        name: "a late reply on its way",
        is_event: true,
        takes: 5_000,
        is_long: false,
        hook_takes: 20_000,
        deliveries: &[(0, 0, 9_000), (6_000, 1, 9_000)],
    },
    Story {
        name: "a retry of an answered message",
        is_event: false,
        takes: 1_000,
        is_long: false,
        hook_takes: 0,
        deliveries: &[(0, 0, 9_000), (2_000, 1, 9_000)],
    },
    Story {
        name: "an acknowledged event",
        is_event: true,
        takes: 7_000,
        is_long: false,
        hook_takes: 0,
        deliveries: &[(0, 0, 9_000)],
    },
    Story {
        name: "an event on both nodes",
        is_event: true,
        takes: 7_000,
        is_long: false,
        hook_takes: 0,
        deliveries: &[(0, 0, 9_000), (700, 1, 9_000)],
    },
    Story {
        name: "a client that leaves",
        is_event: false,
        takes: 2_000,
        is_long: false,
        hook_takes: 0,
        deliveries: &[(0, 0, 1_000)],
    },
    Story {
        name: "a retry on the other node",
        is_event: false,
        takes: 7_000,
        is_long: false,
        hook_takes: 0,
        deliveries: &[(0, 0, 5_000), (5_000, 1, 5_000)],
    },
    Story {
        name: "a retry on the other node that leaves",
        is_event: false,
        takes: 7_000,
        is_long: false,
        hook_takes: 0,
        deliveries: &[(0, 0, 5_000), (5_000, 1, 1_000)],
    },
    Story {
        name: "a copy",
        is_event: false,
        takes: 3_000,
        is_long: false,
        hook_takes: 0,
        deliveries: &[(0, 0, 9_000), (1, 1, 9_000)],
    },
    Story {
        name: "a long reply",
        is_event: false,
        takes: 1_000,
        is_long: true,
        hook_takes: 0,
        deliveries: &[(0, 0, 9_000), (2_000, 1, 9_000)],
    },
    Story {
        name: "a late long reply",
        is_event: false,
        takes: 20_000,
        is_long: true,
        hook_takes: 0,
        deliveries: &[(0, 0, 5_000), (5_000, 1, 5_000), (10_000, 0, 5_000)],
    },
];

/// Since when the store does not answer, in milliseconds.
const SINCE: [u64; 3] = [0, 2_500, 6_500];

/// Each operation alone, all but each, and all.
fn operations() -> Vec<Vec<Operation>> {
    use Operation::{Acknowledge, Claim, Complete, Release, Renew};
    let all = [Claim, Renew, Complete, Acknowledge, Release];
    let alone = all.map(|operation| vec![operation]);
    let but = |left: Operation| all.into_iter().filter(|it| *it != left).collect();
    let mut sets = Vec::from(all.map(but));
    sets.extend(alone);
    sets.push(all.into());
    sets
}

#[derive(Debug, Default)]
struct Seen {
    late: Vec<(usize, LateCause)>,
    given: usize,
}

impl Seen {
    fn violations(&self, story: &Story) -> Vec<String> {
        let mut violations = Vec::new();
        let count = |node: usize, is_rest: bool| {
            let late = self.late.iter();
            late.filter(|(of, cause)| *of == node && (*cause == LateCause::Rest) == is_rest)
                .count()
        };
        let replies = count(0, false) + count(1, false);
        if self.given + replies == 0 {
            violations.push("the reply is lost".to_owned());
        }
        if story.is_long && replies + count(0, true) + count(1, true) == 0 {
            violations.push("the rest is lost".to_owned());
        }
        if (0..2).any(|node| count(node, false) > 1 || count(node, true) > 1) {
            violations.push("a node has called the hook twice".to_owned());
        }
        if !violations.is_empty() {
            violations.push(format!("{self:?}"));
        }
        violations
    }
}

struct World {
    seen: Arc<Mutex<Seen>>,
    stores: [Faulty; 2],
}

impl World {
    fn new(takes: u64, is_long: bool, hook_takes: u64) -> (Self, Vec<impl Delivers + use<>>) {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let first = Faulty::new();
        let stores = [first.clone(), first.beside()];
        let mut services = Vec::new();
        for (node, store) in stores.iter().enumerate() {
            let hook = Arc::clone(&seen);
            let hook = move |late: LateReply| {
                hook.lock().unwrap().late.push((node, late.cause()));
                sleep(Duration::from_millis(hook_takes))
            };
            let builder = DedupLayer::builder().with_store(store.clone());
            let builder = builder.with_late_replies(hook).with_max_concurrent_runs(1);
            let layer = builder.build();
            services.push(layer.layer(message_fn(move |message: Message| async move {
                if matches!(&message, Message::Text(text) if text.content == "next") {
                    return Reply::text("at once");
                }
                sleep(Duration::from_millis(takes)).await;
                Reply::text("the reply ".repeat(if is_long { 500 } else { 1 }))
            })));
        }
        (Self { seen, stores }, services)
    }

    fn break_stores(&self, operations: &[Operation], way: Way, nodes: &[usize]) {
        for node in nodes {
            for operation in operations.iter().copied() {
                let store = &self.stores[*node];
                match way {
                    Way::Refused => store.fail(operation),
                    Way::Lost => store.delay(operation, Duration::MAX, Duration::ZERO),
                    Way::AnswerLost => store.delay(operation, Duration::ZERO, Duration::MAX),
                }
            }
        }
    }

    fn calls(&self) -> usize {
        self.stores.iter().map(Faulty::all_calls).sum()
    }
}

async fn play(
    story: &Story,
    since: u64,
    operations: &[Operation],
    way: Way,
    broken: &[usize],
) -> Result<(), String> {
    let (world, services) = World::new(story.takes, story.is_long, story.hook_takes);
    let start = Instant::now();
    let body = if story.is_event {
        event("a")
    } else {
        text("user", "1", "hi")
    };
    let mut deliveries = Vec::new();
    for (at, node, leaves) in story.deliveries.iter().copied() {
        let (service, body, seen) = (
            services[node].clone(),
            body.clone(),
            Arc::clone(&world.seen),
        );
        deliveries.push(tokio::spawn(async move {
            sleep(Duration::from_millis(at)).await;
            let answer = service.send(Request::new(assume(body)));
            let answered = timeout(Duration::from_millis(leaves), answer).await;
            let Ok(answer) = answered else { return };
            let text = String::from_utf8_lossy(answer.body()).into_owned();
            seen.lock().unwrap().given += usize::from(text.contains("the reply"));
        }));
    }
    sleep(Duration::from_millis(since)).await;
    world.break_stores(operations, way, broken);
    for delivery in deliveries {
        delivery.await.unwrap();
    }
    // Longer than a message is remembered.
    sleep(Duration::from_mins(12).saturating_sub(start.elapsed())).await;
    let calls = world.calls();
    sleep(Duration::from_mins(1)).await;
    let asked = world.calls() - calls;
    let mut violations = Vec::new();
    if asked > 0 {
        violations.push(format!(
            "the store is still asked: {asked} times in a minute"
        ));
    }
    let tasks = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    if tasks > 0 {
        violations.push(format!("{tasks} tasks are left"));
    }
    violations.extend(world.seen.lock().unwrap().violations(story));
    for (node, service) in services.iter().enumerate() {
        let next = Instant::now();
        let answer = service
            .clone()
            .send(Request::new(assume(text("user", ["2", "3"][node], "next"))))
            .await;
        if !answer.body().windows(7).any(|it| it == b"at once")
            || next.elapsed() > Duration::from_millis(1_500)
        {
            violations.push(format!(
                "node {node} answers the next message {} after {:?}",
                answer.status(),
                next.elapsed()
            ));
        }
    }
    if violations.is_empty() {
        Ok(())
    } else {
        Err(violations.join("; "))
    }
}

/// Plays every story with every store that treats operations in this way.
#[track_caller]
fn check(way: Way) {
    for story in &STORIES {
        for since in SINCE {
            for operations in operations() {
                // A claim takes hold of the reply. If its answer never comes, the reply is lost, and the log has an error.
                if way == Way::AnswerLost && operations.contains(&Operation::Claim) {
                    continue;
                }
                for broken in [&[0][..], &[1], &[0, 1]] {
                    let played = play(story, since, &operations, way, broken);
                    if let Err(violation) = super::races::paused().block_on(played) {
                        let name = story.name;
                        panic!(
                            "{name}, {operations:?} since {since} ms on {broken:?}: {violation}"
                        );
                    }
                }
            }
        }
    }
}

/// The claim of a node that never hears of it holds the reply, which nobody can have then.
#[cfg(feature = "tracing")]
#[test]
fn a_reply_that_an_unanswered_claim_holds_is_lost_with_an_error() {
    let mut lost = 0;
    for story in &STORIES {
        for since in SINCE {
            for broken in [&[0][..], &[1], &[0, 1]] {
                super::races::paused().block_on(async {
                    let violations = Mutex::new(None);
                    let log = crate::log::of(async || {
                        let played =
                            play(story, since, &[Operation::Claim], Way::AnswerLost, broken);
                        *violations.lock().unwrap() = played.await.err();
                    })
                    .await;
                    let violations = violations.into_inner().unwrap().unwrap_or_default();
                    if violations.contains("the reply is lost") {
                        lost += 1;
                        let errors = log.lines().filter(|line| {
                            line.contains("ERROR") && line.contains("a late reply is lost")
                        });
                        assert!(
                            errors.count() > 0,
                            "{}, {since} on {broken:?}: {log}",
                            story.name
                        );
                    }
                });
            }
        }
    }
    assert!(lost > 0);
}

#[test]
fn operations_that_fail_for_ever_lose_no_reply_and_leave_no_task() {
    check(Way::Refused);
}

#[test]
fn operations_that_never_arrive_lose_no_reply_and_leave_no_task() {
    check(Way::Lost);
}

#[test]
fn operations_whose_answers_never_arrive_lose_no_reply_and_leave_no_task() {
    check(Way::AnswerLost);
}
