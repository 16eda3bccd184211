//! Tasks that end early: with their runtime, or by a drain that runs out of patience.

use std::{future::pending, pin::pin, sync::atomic::AtomicUsize, sync::atomic::Ordering};

use futures_util::poll;
use tower_wechat::{
    Reply,
    dedup::{Acknowledgement, DedupBuilder},
    late::{LateCause, LateReply},
};

use super::{faulty::Operation, late::Late, nodes::pass, races::paused, *};

/// A drain in a task of its own.
fn drain(layer: &DedupLayer, patience: Duration) -> JoinHandle<()> {
    let layer = layer.clone();
    tokio::spawn(async move { layer.drain(patience).await })
}

/// The runtime that claimed the message ends, and another one shares the layer.
#[test]
fn a_message_whose_task_is_dropped_before_its_first_poll_is_vacant_again() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let service = DedupLayer::in_memory().layer(service_fn(|_: Request<Verified>| {
        RUNS.fetch_add(1, Ordering::Relaxed);
        ready(Ok::<_, Infallible>(ok("reply")))
    }));
    let request = || Request::new(assume(text("user", "1", "hi")));
    let first = paused();
    first.block_on(async {
        // One poll claims the message and spawns its task, which is not polled.
        assert!(poll!(pin!(service.clone().send(request()))).is_pending());
    });
    drop(first);
    assert_eq!(RUNS.load(Ordering::Relaxed), 0);
    let answer = paused().block_on(service.send(request()));
    assert_eq!(
        (answer.status().as_u16(), &answer.body()[..]),
        (200, &b"reply"[..])
    );
    assert_eq!(RUNS.load(Ordering::Relaxed), 1);
}

#[test]
fn a_message_whose_runtime_ends_during_its_run_is_vacant_again() {
    for store in [None, Some(MemoryStore::new())] {
        let layer = store.as_ref().map_or_else(DedupLayer::in_memory, |store| {
            DedupLayer::shared(store.clone())
        });
        let (stack, mut runs) = stack(&layer);
        let first = paused();
        first.block_on(stack.deliver(&text("user", "1", "hi")));
        let verdict = runs.verdict().expect("a run");
        drop(first);
        assert!(verdict.is_closed(), "the run has ended with its runtime");
        paused().block_on(async {
            let retry = stack.deliver(&text("user", "1", "hi")).await;
            // Without a runtime, the claim could not be released in the store. Its lease runs out.
            let waits = Duration::from_millis(if store.is_some() { 5_500 } else { 0 });
            tokio::time::sleep(waits).await;
            runs.verdict()
                .expect("a run")
                .send(Ok(ok("reply")))
                .unwrap();
            let again = stack.deliver(&text("user", "1", "hi")).await;
            check(&again.await.unwrap(), 200, "reply");
            drop(retry);
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_a_drain_cuts_is_repeated_by_another_node_at_once() {
    let store = MemoryStore::new();
    let layer = DedupLayer::shared(store.clone());
    let (a, mut runs) = stack(&layer);
    let (b, mut elsewhere) = stack(&DedupLayer::shared(store));
    let _first = a.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    let drained = drain(&layer, Duration::from_secs(1));
    pass(1_100).await;
    assert!(drained.is_finished());
    assert!(verdict.is_closed(), "the run is cut");
    let retry = b.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = elsewhere.next().await;
    verdict.send(Ok(ok("reply"))).unwrap();
    check(&retry.await.unwrap(), 200, "reply");
}

/// What became of a reply whose node is drained.
#[derive(Debug, Default, PartialEq)]
struct Fate {
    /// The answer to a delivery to the other node, which came `before` the cut or after it.
    answer: String,
    late: Vec<LateCause>,
    /// Whether the other node ran the message as well.
    is_repeated: bool,
}

/// Ends a run on one node, and cuts its message while an operation of the store is under way.
///
/// The operation takes 100 ms to be carried out, then as long to be answered. The cut comes `at` this time of it.
async fn cut(operation: Operation, at: u64, retries_first: bool) -> Fate {
    let (store, late) = (Faulty::new(), Late::default());
    let builder = || DedupLayer::builder().with_store(store.clone());
    let layer = late.collect(builder());
    let (a, mut runs) = stack(&layer);
    let (b, mut elsewhere) = stack(&late.collect(builder()));
    let first = a.deliver(&text("user", "1", "hi")).await;
    first.abort();
    let tenth = Duration::from_millis(100);
    store.delay(operation, tenth, tenth);
    let _ = runs.next().await.1.send(Ok(ok("reply")));
    settle().await;
    if operation == Operation::Release {
        // No delivery has fetched the reply.
        pass(6_000).await;
    }
    let retry = async || b.deliver(&text("user", "1", "hi")).await;
    let mut answer = None;
    if retries_first {
        pass(at - 50).await;
        answer = Some(retry().await);
        pass(50).await;
    } else {
        pass(at).await;
    }
    let drained = drain(&layer, Duration::ZERO);
    settle().await;
    advance(Duration::from_millis(1)).await;
    settle().await;
    // Longer than two operations take.
    pass(500).await;
    assert!(drained.is_finished());
    let answer = match answer {
        Some(answer) => answer,
        None => retry().await,
    };
    let repeated = elsewhere.verdict();
    let is_repeated = repeated.is_some();
    if let Some(verdict) = repeated {
        verdict.send(Ok(ok("another reply"))).unwrap();
    }
    pass(10_000).await;
    let (_, answer) = answer.await.unwrap();
    Fate {
        answer: String::from_utf8(answer.to_vec()).unwrap(),
        late: late.causes(),
        is_repeated,
    }
}

/// The store has the reply, and the node does not know it yet.
#[tokio::test(start_paused = true)]
async fn a_reply_survives_a_cut_while_its_completion_is_answered() {
    assert_eq!(
        cut(Operation::Complete, 150, false).await,
        Fate {
            answer: "success".to_owned(),
            late: vec![LateCause::Unfetched],
            is_repeated: false,
        }
    );
    // A delivery to the other node has got it.
    assert_eq!(
        cut(Operation::Complete, 150, true).await,
        Fate {
            answer: "reply".to_owned(),
            late: vec![],
            is_repeated: false,
        }
    );
}

/// The store does not have the reply yet, and is told before the node goes: there may be no further delivery.
#[tokio::test(start_paused = true)]
async fn a_reply_is_handed_over_after_a_cut_before_its_completion_is_carried_out() {
    assert_eq!(
        cut(Operation::Complete, 50, false).await,
        Fate {
            answer: "success".to_owned(),
            late: vec![LateCause::Unfetched],
            is_repeated: false,
        }
    );
}

/// No delivery has fetched the reply, and the node is about to hand it over.
#[tokio::test(start_paused = true)]
async fn a_reply_survives_a_cut_while_its_hold_is_released() {
    for at in [50, 150] {
        assert_eq!(
            cut(Operation::Release, at, false).await,
            Fate {
                answer: "success".to_owned(),
                late: vec![LateCause::Unfetched],
                is_repeated: false,
            },
            "after {at} ms"
        );
    }
}

/// No sink would send it. A delivery that waits at another node looks into the store every 400 ms, and one that comes later
/// gets it too.
#[tokio::test(start_paused = true)]
async fn a_reply_stays_for_the_other_nodes_if_there_is_no_sink() {
    for waits in [true, false] {
        let store = MemoryStore::new();
        let layer = DedupLayer::shared(store.clone());
        let (a, mut runs) = stack(&layer);
        let (b, mut elsewhere) = stack(&DedupLayer::shared(store));
        a.deliver(&text("user", "1", "hi")).await.abort();
        let (_, verdict) = runs.next().await;
        let second = b.deliver(&text("user", "1", "hi")).await;
        if !waits {
            second.abort();
        }
        verdict.send(Ok(ok("reply"))).unwrap();
        settle().await;
        drain(&layer, Duration::ZERO).await.unwrap();
        let answer = if waits {
            second.await.unwrap()
        } else {
            b.deliver(&text("user", "1", "hi")).await.await.unwrap()
        };
        check(&answer, 200, "reply");
        assert!(elsewhere.verdict().is_none(), "no second run");
    }
}

/// As it does without a cut.
#[tokio::test(start_paused = true)]
async fn the_failure_of_all_runs_survives_a_cut_as_a_failure() {
    let late = Late::default();
    let builder = DedupLayer::builder()
        .with_retry_delays([])
        .with_fallback(Reply::text("sorry"))
        .unwrap();
    let layer = late.collect(builder);
    let (stack, mut runs) = stack(&layer);
    stack.deliver(&text("user", "1", "hi")).await.abort();
    drop(runs.next().await);
    settle().await;
    drain(&layer, Duration::ZERO).await.unwrap();
    assert_eq!(late.causes(), [LateCause::Failed]);
}

/// There is no reply, and the user has got the fallback.
#[tokio::test(start_paused = true)]
async fn the_failure_of_all_runs_is_not_taken_over_from_a_lost_node() {
    let store = MemoryStore::new();
    let builder = || {
        DedupLayer::builder()
            .with_store(store.clone())
            .with_acknowledgement(Acknowledgement::FirstDelivery)
            .with_retry_delays([])
            .with_fallback(Reply::text("sorry"))
            .unwrap()
    };
    let lost = builder()
        .with_late_replies(|_: LateReply| pending::<()>())
        .build();
    let late = Late::default();
    let (a, mut runs) = stack(&lost);
    let (b, mut elsewhere) = stack(&late.collect(builder()));
    let acknowledged = a.deliver(&text("user", "1", "hi")).await;
    pass(5_000).await;
    let (_, answer) = acknowledged.await.unwrap();
    assert!(answer.windows(5).any(|it| it == b"sorry"), "{answer:?}");
    drop(runs.next().await);
    settle().await;
    drain(&lost, Duration::ZERO).await.unwrap();
    b.deliver(&text("user", "1", "hi")).await;
    pass(20_000).await;
    assert_eq!(late.causes(), []);
    elsewhere.check_none();
}

/// A reply that waits for the store is published during a drain, if the store comes back in time.
#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_the_store() {
    let store = Faulty::new();
    let layer = DedupLayer::shared(store.clone());
    let (a, mut runs) = stack(&layer);
    let (b, mut none) = stack(&DedupLayer::shared(store.clone()));
    store.go_away();
    let first = a.deliver(&text("user", "1", "hi")).await;
    runs.next().await.1.send(Ok(ok("reply"))).unwrap();
    check(&first.await.unwrap(), 200, "reply");
    let drained = drain(&layer, Duration::from_secs(5));
    pass(2_000).await;
    assert!(!drained.is_finished());
    store.come_back();
    pass(1_500).await;
    assert!(drained.is_finished());
    let elsewhere = b.deliver(&text("user", "1", "hi")).await;
    check(&elsewhere.await.unwrap(), 200, "reply");
    none.check_none();
}

/// A node has to end in time, whatever its hooks and its store do.
#[tokio::test(start_paused = true)]
async fn a_drain_takes_a_second_longer_than_its_patience_at_most() {
    let hanging = |builder: DedupBuilder| {
        builder
            .with_late_replies(|_: LateReply| pending::<()>())
            .build()
    };
    let acknowledging = DedupLayer::builder().with_reply_filter(|_| false);
    let away = Faulty::new();
    for layer in [
        hanging(DedupLayer::builder()),
        hanging(acknowledging),
        DedupLayer::shared(away.clone()),
    ] {
        let (stack, mut runs) = stack(&layer);
        let first = stack.deliver(&text("user", "1", "hi")).await;
        let (_, verdict) = runs.next().await;
        // Until the first delivery has been acknowledged or has given up.
        assert!(first.await.is_ok());
        away.delay(Operation::Complete, Duration::MAX, Duration::ZERO);
        away.delay(Operation::Release, Duration::MAX, Duration::ZERO);
        verdict.send(Ok(ok("reply"))).unwrap();
        let begun = Instant::now();
        layer.drain(Duration::from_secs(2)).await;
        let took = begun.elapsed();
        assert!(took <= Duration::from_secs(3), "{took:?}");
    }
}

#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn the_log_has_an_error_for_a_hook_that_a_drain_cuts() {
    let log = crate::log::of(async || {
        let layer = DedupLayer::builder()
            .with_reply_filter(|_| false)
            .with_late_replies(|_: LateReply| pending::<()>())
            .build();
        let (stack, mut runs) = stack(&layer);
        let first = stack.deliver(&text("user", "1", "hush")).await;
        let (_, verdict) = runs.next().await;
        check(&first.await.unwrap(), 200, "success");
        verdict.send(Ok(ok("hush"))).unwrap();
        settle().await;
        layer.drain(Duration::from_secs(1)).await;
    })
    .await;
    assert!(!log.contains("hush"), "{log}");
    crate::log::check(
        &log,
        [
            &["DEBUG", "a reply is late", "acknowledged"],
            &["ERROR", "a late reply is lost", "it was cut"],
        ],
    );
}

/// Another node runs the message, and hands its reply over.
#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn a_cut_of_a_node_that_has_acknowledged_another_nodes_message_is_no_lost_reply() {
    let log = crate::log::of(async || {
        let (store, late) = (Faulty::new(), Late::default());
        let builder = || DedupLayer::builder().with_store(store.clone());
        let (a, mut runs) = stack(&late.collect(builder()));
        let layer = late.collect(builder().with_reply_filter(|_| false));
        let (b, _) = stack(&layer);
        a.deliver(&text("user", "1", "hi")).await.abort();
        let (_, verdict) = runs.next().await;
        let delivery = b.deliver(&text("user", "1", "hi")).await;
        check(&delivery.await.unwrap(), 200, "success");
        layer.drain(Duration::ZERO).await;
        pass(1_000).await;
        verdict.send(Ok(ok("reply"))).unwrap();
        pass(40_000).await;
        assert_eq!(late.causes(), [LateCause::Acknowledged]);
    })
    .await;
    assert!(!log.contains("ERROR"), "{log}");
}

/// There is no reply yet. A retry makes another node run the message.
#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn a_run_that_a_drain_cuts_is_no_lost_reply() {
    let log = crate::log::of(async || {
        let layer = DedupLayer::shared(MemoryStore::new());
        let (stack, mut runs) = stack(&layer);
        let first = stack.deliver(&text("user", "1", "hi")).await;
        let _run = runs.next().await;
        first.abort();
        layer.drain(Duration::ZERO).await;
    })
    .await;
    assert!(!log.contains("a late reply is lost"), "{log}");
}
