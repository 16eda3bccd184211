//! Whatever deliveries do, on one node or on two: each message's reply goes one way.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use tokio::{sync::oneshot, task::JoinHandle, time::advance};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_wechat::{
    DedupLayer, Reply, Verified,
    dedup::{
        LateCause, LateReply,
        store::{MemoryStore, Store},
    },
};

use super::{settle, text};

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    /// A delivery reaches the first node, or the second.
    Deliver(bool),
    /// A delivery goes away.
    Leave(usize),
    /// The oldest run that goes on succeeds.
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

/// What has been seen of a message.
#[derive(Default)]
struct Seen {
    runs: AtomicUsize,
    replies: AtomicUsize,
    acknowledgements: AtomicUsize,
    late: Mutex<Vec<LateCause>>,
}

async fn check<A: Store, B: Store>(
    first: DedupLayer<A>,
    second: DedupLayer<B>,
    steps: &[Step],
    stalls: bool,
) -> Result<(), TestCaseError> {
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
    let hook = |seen: Arc<Seen>| {
        move |late: LateReply| {
            seen.late.lock().unwrap().push(late.cause());
            std::future::ready(())
        }
    };
    let fallback = Reply::text("wait");
    // However long the steps wait, only a lost lease makes another run.
    let endless = Duration::MAX;
    let first = first
        .with_run_timeout(endless)
        .with_late_reply(hook(Arc::clone(&seen)))
        .with_fallback(fallback.clone())
        .layer(inner.clone());
    let second = second
        .with_run_timeout(endless)
        .with_late_reply(hook(Arc::clone(&seen)))
        .with_fallback(fallback)
        .layer(inner);

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

/// Lets time go by; a node that `stalls` sees none of it but the end.
async fn pass(millis: u64, stalls: bool) {
    let step = if stalls { millis.max(1) } else { 250 };
    let mut left = millis;
    while left > 0 {
        advance(Duration::from_millis(step.min(left))).await;
        settle().await;
        left = left.saturating_sub(step);
    }
}

fn deliver<S>(service: S, seen: Arc<Seen>) -> JoinHandle<()>
where
    S: Service<Request<Verified>, Response = Response<Full<Bytes>>, Error = Infallible>
        + Send
        + 'static,
    S::Future: Send,
{
    let request = Request::new(Verified::assume(text("user", "1", "hi")));
    tokio::spawn(async move {
        let response = service.oneshot(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        match &body[..] {
            b"the reply" => seen.replies.fetch_add(1, Ordering::Relaxed),
            // WeChat has hung up, or a delivery had the word before this one.
            b"" | b"success" => 0,
            _ => seen.acknowledgements.fetch_add(1, Ordering::Relaxed),
        };
    })
}

fn paused() -> tokio::runtime::Runtime {
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
        let layer = DedupLayer::in_memory();
        paused().block_on(check(layer.clone(), layer, &steps, false))?;
    }

    #[test]
    fn on_two_nodes_a_reply_is_delivered_or_handed_over(steps in steps()) {
        let store = MemoryStore::new();
        paused().block_on(check(
            DedupLayer::with_store(store.clone()),
            DedupLayer::with_store(store),
            &steps,
            false,
        ))?;
    }

    /// Its lease runs out, and the other node takes the message.
    #[test]
    fn though_a_node_stalls_a_reply_is_delivered_or_handed_over(steps in steps()) {
        let store = MemoryStore::new();
        paused().block_on(check(
            DedupLayer::with_store(store.clone()),
            DedupLayer::with_store(store),
            &steps,
            true,
        ))?;
    }
}
