//! Random deliveries on one node and on two: each reply is delivered or handed over, never both.

use std::{
    convert::Infallible,
    future::ready,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use proptest::prelude::*;
use tokio::{sync::oneshot, task::JoinHandle, time::advance};
use tower::{Layer, service_fn};
use tower_wechat::{
    DedupLayer, Reply, Verified,
    dedup::{DedupBuilder, Shared, store::MemoryStore},
    late::{LateCause, LateReply},
};

use super::{Delivers, settle, text};
use crate::assume;

/// One event.
#[derive(Debug, Clone)]
enum Step {
    /// A delivery reaches the first node, or the second.
    Deliver(bool),
    /// A delivery goes away.
    Leave(usize),
    /// The youngest run that goes on succeeds.
    Succeed,
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<bool>().prop_map(Step::Deliver),
        3 => (0..4_usize).prop_map(Step::Leave),
        1 => Just(Step::Succeed),
        4 => prop_oneof![Just(1), Just(49), Just(400), Just(1000), Just(4500), Just(4999), Just(6000)].prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..30)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nodes {
    One,
    Two,
    /// Each step passes as one jump of the clock, so that a lease may run out before it is renewed.
    TwoThatStall,
}

/// What became of a message.
#[derive(Default)]
struct Seen {
    runs: AtomicUsize,
    replies: AtomicUsize,
    acknowledgements: AtomicUsize,
    late: Mutex<Vec<LateCause>>,
}

async fn check<S>(
    builder: impl Fn() -> DedupBuilder<S>,
    nodes: Nodes,
    steps: &[Step],
) -> Result<(), TestCaseError> {
    let stalls = nodes == Nodes::TwoThatStall;
    let seen = Arc::new(Seen::default());
    let verdicts: Arc<Mutex<Vec<oneshot::Sender<()>>>> = Arc::default();
    let inner = service_fn({
        let (seen, verdicts) = (Arc::clone(&seen), Arc::clone(&verdicts));
        move |_: Request<Verified>| {
            seen.runs.fetch_add(1, Ordering::Relaxed);
            let (verdict, decided) = oneshot::channel();
            verdicts.lock().unwrap().push(verdict);
            async move {
                decided.await.unwrap();
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("the reply")))
            }
        }
    });
    let layer = || {
        let seen = Arc::clone(&seen);
        builder()
            // However long the steps wait, only a lost lease makes another run.
            .with_run_timeout(Duration::MAX)
            .with_late_replies(move |late: LateReply| {
                seen.late.lock().unwrap().push(late.cause());
                ready(())
            })
            .with_fallback(Reply::text("wait"))
            .unwrap()
            .build()
    };
    let first = layer();
    let second = if nodes == Nodes::One {
        first.clone()
    } else {
        layer()
    };
    let (first, second) = (first.layer(inner.clone()), second.layer(inner));

    let mut deliveries = Vec::new();
    let mut is_delivered = false;
    for step in steps {
        match step {
            Step::Deliver(to_first) => {
                is_delivered = true;
                let seen = Arc::clone(&seen);
                deliveries.push(if *to_first {
                    deliver(first.clone(), seen)
                } else {
                    deliver(second.clone(), seen)
                });
            }
            Step::Leave(which) if *which < deliveries.len() => {
                deliveries.swap_remove(*which).abort();
            }
            Step::Leave(_) => {}
            Step::Succeed => {
                let verdict = verdicts.lock().unwrap().pop();
                if let Some(verdict) = verdict {
                    let _ = verdict.send(());
                }
            }
            Step::Wait(millis) => pass(*millis, stalls).await,
        }
        settle().await;
    }
    // The rest ends by itself: longer than any deadline, shorter than a reply is kept.
    for _ in 0..3 {
        for verdict in std::mem::take(&mut *verdicts.lock().unwrap()) {
            // A run that has lost its lease is gone.
            let _ = verdict.send(());
        }
        pass(15_000, false).await;
    }

    let late = seen.late.lock().unwrap().clone();
    let replies = seen.replies.load(Ordering::Relaxed);
    if is_delivered {
        let runs = seen.runs.load(Ordering::Relaxed);
        prop_assert!(runs == 1 || (stalls && runs > 1), "{} runs", runs);
        prop_assert!(late.len() <= 1, "handed over {} times", late.len());
        prop_assert_eq!(
            replies > 0,
            late.is_empty(),
            "{} deliveries got the reply, the hook got {:?}",
            replies,
            late
        );
        if seen.acknowledgements.load(Ordering::Relaxed) > 0 {
            prop_assert_eq!(late, [LateCause::Acknowledged]);
        }
    }
    Ok(())
}

/// Lets time pass. A node that `stalls` sees the end of it only.
async fn pass(millis: u64, stalls: bool) {
    let step = if stalls { millis.max(1) } else { 250 };
    let mut left = millis;
    while left > 0 {
        advance(Duration::from_millis(step.min(left))).await;
        settle().await;
        left = left.saturating_sub(step);
    }
}

fn deliver(service: impl Delivers, seen: Arc<Seen>) -> JoinHandle<()> {
    let request = Request::new(assume(text("user", "1", "hi")));
    tokio::spawn(async move {
        match &service.send(request).await.body()[..] {
            b"the reply" => seen.replies.fetch_add(1, Ordering::Relaxed),
            // WeChat has hung up, or another delivery had been acknowledged.
            b"" | b"success" => 0,
            _ => seen.acknowledgements.fetch_add(1, Ordering::Relaxed),
        };
    })
}

pub(super) fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(crate::cases(1_000))]

    #[test]
    fn on_one_node_a_reply_is_delivered_or_handed_over(steps in steps()) {
        paused().block_on(check(DedupLayer::builder, Nodes::One, &steps))?;
    }

    #[test]
    fn on_two_nodes_a_reply_is_delivered_or_handed_over(steps in steps()) {
        paused().block_on(check(shared(), Nodes::Two, &steps))?;
    }

    /// A lease runs out, and the other node takes the message.
    #[test]
    fn on_two_nodes_that_stall_a_reply_is_delivered_or_handed_over(steps in steps()) {
        paused().block_on(check(shared(), Nodes::TwoThatStall, &steps))?;
    }
}

/// Nodes with one new store.
fn shared() -> impl Fn() -> DedupBuilder<Shared> {
    let store = MemoryStore::new();
    move || DedupLayer::builder().with_store(store.clone())
}
