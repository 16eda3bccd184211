//! Replies that no delivery has fetched: whether they are handed to the hook, and by whom.

use tower_wechat::late::{LateCause, LateReply};
use tower_wechat::{Message, Reply, message_fn};

use super::{faulty::Operation, late::Late, nodes::pass, *};

/// A message whose reply is complete, and whose only delivery has left.
async fn finish(stack: &impl Delivers, runs: &mut Runs) {
    stack.deliver(&text("user", "1", "hi")).await.abort();
    runs.next().await.1.send(Ok(ok("reply"))).unwrap();
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn a_late_reply_is_released_once() {
    let (store, late) = (Faulty::new(), Late::default());
    let builder = DedupLayer::builder().with_store(store.clone());
    let (stack, mut runs) = stack(&late.collect(builder));
    finish(&stack, &mut runs).await;
    pass(6_500).await;
    assert_eq!(late.causes(), [LateCause::Unfetched]);
    assert_eq!(store.calls(Operation::Release), 1);
}

/// Another node may be about to tell the store that it has the reply as well.
#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_know_the_message_is_asked_again_after_two_seconds() {
    let (store, late) = (Faulty::new(), Late::default());
    let builder = DedupLayer::builder().with_store(store.clone());
    let (stack, mut runs) = stack(&late.collect(builder));
    finish(&stack, &mut runs).await;
    pass(5_500).await;
    store.forget();
    pass(1_500).await;
    assert_eq!(late.causes(), []);
    pass(1_500).await;
    assert_eq!(late.causes(), [LateCause::Unfetched]);
}

/// No other node can have it, and no sink is there.
#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn a_reply_that_a_drained_node_has_for_nobody_is_an_error() {
    let log = crate::log::of(async || {
        let layer = DedupLayer::in_memory();
        let (stack, mut runs) = stack(&layer);
        finish(&stack, &mut runs).await;
        pass(1_000).await;
        layer.drain(Duration::ZERO).await;
    })
    .await;
    assert!(log.contains("a late reply is lost"), "{log}");
    assert!(!log.contains("left to the other nodes"), "{log}");
}

/// The delivery has got it from the store, and the task has not had the store's answer.
#[tokio::test(start_paused = true)]
async fn a_reply_that_a_delivery_has_fetched_from_the_store_survives_a_cut_as_fetched() {
    let (store, late) = (Faulty::new(), Late::default());
    let builder = DedupLayer::builder().with_store(store.clone());
    let layer = late.collect(builder.with_reply_filter(|_| false));
    let (stack, mut runs) = stack(&layer);
    let delivery = stack.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    pass(4_400).await;
    let delay = Duration::from_millis(200);
    store.delay(Operation::Complete, Duration::ZERO, delay);
    verdict.send(Ok(ok("reply"))).unwrap();
    settle().await;
    pass(150).await;
    check(&delivery.await.unwrap(), 200, "reply");
    layer.drain(Duration::ZERO).await;
    pass(20_000).await;
    assert_eq!(late.causes(), []);
}

/// Plays a message that runs on one node and ends after `takes`, while its last delivery waits on another node. That delivery gets
/// the first part of the reply from the store, whose answer takes `answered_in`. The other node is drained `cut` after
/// the delivery has asked. Returns the causes of what is handed over, and the answer. `None`: the client `leaves` before that.
async fn cut_while_following(
    takes: Duration,
    answered_in: Duration,
    cut: Duration,
    leaves: bool,
) -> (Vec<LateCause>, Option<(StatusCode, Bytes)>) {
    let (store, late) = (Faulty::new(), Late::default());
    let builder = || DedupLayer::builder().with_store(store.clone());
    let answer = move |_: Message| async move {
        tokio::time::sleep(takes).await;
        Reply::text("part ".repeat(1_000))
    };
    let a = late.collect(builder()).layer(message_fn(answer));
    let layer = late.collect(builder().with_reply_filter(|_| false));
    let (b, mut runs_b) = stack(&layer);
    a.deliver(&text("user", "1", "hi")).await.abort();
    let delivery = b.deliver(&text("user", "1", "hi")).await;
    store.delay(Operation::Acknowledge, Duration::ZERO, answered_in);
    pass(4_500).await;
    tokio::time::sleep(cut).await;
    if leaves {
        delivery.abort();
    }
    layer.drain(Duration::ZERO).await;
    let answer = delivery.await.ok();
    pass(40_000).await;
    runs_b.check_none();
    (late.causes(), answer)
}

/// The message's task on that node has not asked the store since.
#[tokio::test(start_paused = true)]
async fn the_rest_of_another_nodes_reply_survives_a_cut_of_the_node_whose_delivery_has_got_the_first_part()
 {
    for takes in (4_000..4_500).step_by(20).map(Duration::from_millis) {
        for cut in [0, 1, 100].map(Duration::from_millis) {
            let (causes, answer) = cut_while_following(takes, Duration::ZERO, cut, false).await;
            assert!(shows_a_part(answer), "{takes:?}");
            assert_eq!(causes, [LateCause::Rest], "{takes:?}, cut {cut:?}");
        }
    }
}

/// The store has given the reply to the delivery, and that answer is on its way, or comes too late.
#[tokio::test(start_paused = true)]
async fn another_nodes_reply_survives_a_cut_while_a_delivery_asks_the_store_for_it() {
    for (answered_in, leaves) in [(200, false), (300, false), (1_000, false), (200, true)] {
        let answered_in = Duration::from_millis(answered_in);
        for takes in (4_000..4_500).step_by(20).map(Duration::from_millis) {
            for cut in (0..=200).step_by(50).map(Duration::from_millis) {
                let (causes, answer) = cut_while_following(takes, answered_in, cut, leaves).await;
                let shown = usize::from(shows_a_part(answer));
                let rests = causes.iter().filter(|cause| **cause == LateCause::Rest);
                let rests = rests.count();
                assert_eq!(
                    (shown + causes.len() - rests, rests),
                    (1, shown),
                    "{takes:?}, answered in {answered_in:?}, leaves: {leaves}, cut {cut:?}: {causes:?}"
                );
            }
        }
    }
}

fn shows_a_part(answer: Option<(StatusCode, Bytes)>) -> bool {
    answer.is_some_and(|(_, body)| body.windows(4).any(|it| it == b"part"))
}

/// The message was over, so another one has taken its place. The store, which is asked whose the reply is, is silent.
#[tokio::test(start_paused = true)]
async fn a_late_reply_survives_a_cut_after_its_message_was_forgotten() {
    let (store, late) = (Faulty::new(), Late::default());
    let builder = DedupLayer::builder().with_store(store.clone());
    let layer = late.collect(builder.with_capacity(1));
    let (stack, mut runs) = stack(&layer);
    finish(&stack, &mut runs).await;
    let never = Duration::from_hours(1);
    store.delay(Operation::Release, never, Duration::ZERO);
    pass(7_000).await;
    let _next = stack.deliver(&text("user", "2", "hi")).await;
    runs.next().await;
    store.delay(Operation::Claim, never, Duration::ZERO);
    assert_eq!(late.causes(), []);
    layer.drain(Duration::ZERO).await;
    assert_eq!(late.causes(), [LateCause::Unfetched]);
}

/// The user would get it twice.
#[tokio::test(start_paused = true)]
async fn a_delivery_that_comes_while_the_hook_sends_the_reply_does_not_get_it() {
    let layer = DedupLayer::builder()
        .with_late_replies(|_: LateReply| std::future::pending::<()>())
        .build();
    let (stack, mut runs) = stack(&layer);
    finish(&stack, &mut runs).await;
    pass(6_500).await;
    let retry = stack.deliver(&text("user", "1", "hi")).await;
    check(&retry.await.unwrap(), 200, "success");
}

#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn the_log_has_an_error_for_a_hook_that_takes_longer_than_a_drain() {
    let log = crate::log::of(async || {
        let layer = DedupLayer::builder()
            .with_late_replies(|_: LateReply| std::future::pending::<()>())
            .build();
        let (stack, mut runs) = stack(&layer);
        finish(&stack, &mut runs).await;
        layer.drain(Duration::ZERO).await;
    })
    .await;
    crate::log::check(
        &log,
        [
            &["DEBUG", "a reply is late", "unfetched"],
            &["ERROR", "a late reply is lost", "it was cut"],
        ],
    );
}

/// Returns what is logged while `played` runs on a runtime, which then ends: nothing is left that could hand a reply over.
#[cfg(feature = "tracing")]
fn log_until_the_runtime_ends(played: impl AsyncFn()) -> String {
    use futures_util::FutureExt as _;

    let log = crate::log::of(async || super::races::paused().block_on(played()));
    log.now_or_never().unwrap()
}

#[cfg(feature = "tracing")]
#[track_caller]
fn check_lost(log: &str, parts: &str) {
    let lost = [
        "ERROR",
        "a late reply is lost",
        "its message was cut",
        parts,
    ];
    crate::log::check(log, [&lost]);
}

#[cfg(feature = "tracing")]
#[test]
fn the_log_has_an_error_for_a_reply_that_ends_with_its_runtime() {
    let log = log_until_the_runtime_ends(async || {
        let (stack, mut runs) = stack(&DedupLayer::in_memory());
        let delivery = Delivery::new("the shop");
        let message = Verified::insecure_assume(text("user", "1", "hush"), delivery);
        let delivery = tokio::spawn(stack.send(Request::new(message)));
        let (_, verdict) = runs.next().await;
        delivery.abort();
        verdict.send(Ok(ok("hush"))).unwrap();
        settle().await;
    });
    assert!(!log.contains("hush"), "{log}");
    crate::log::check(
        &log,
        [&[
            "ERROR",
            "the shop",
            "a late reply is lost",
            "its message was cut",
        ]],
    );
}

/// The delivery has got the first part, and the message's task has not heard of it.
#[cfg(feature = "tracing")]
#[test]
fn the_log_has_an_error_for_a_rest_that_ends_with_its_runtime() {
    let log = log_until_the_runtime_ends(async || {
        let answer = async |_: Message| Reply::text("hush ".repeat(1_000));
        let stack = DedupLayer::in_memory().layer(message_fn(answer));
        let delivery = stack.send(Request::new(assume(text("user", "1", "hi"))));
        assert!(delivery.await.body().windows(4).any(|it| it == b"hush"));
    });
    assert!(!log.contains("hush"), "{log}");
    check_lost(&log, "parts=2");
}

/// WeChat has been told not to wait, so nobody makes the reply any more.
#[cfg(feature = "tracing")]
#[test]
fn the_log_has_an_error_for_an_acknowledged_run_that_ends_with_its_runtime() {
    let log = log_until_the_runtime_ends(async || {
        let layer = DedupLayer::builder().with_reply_filter(|_| false).build();
        let (stack, mut runs) = stack(&layer);
        let delivery = stack.deliver(&text("user", "1", "hi")).await;
        let _held = runs.next().await;
        check(&delivery.await.unwrap(), 200, "success");
    });
    check_lost(&log, "parts=1");
}

/// The fallback, which waits for a delivery, is no reply of the handler.
#[cfg(feature = "tracing")]
#[test]
fn a_failure_that_ends_with_its_runtime_is_no_lost_reply() {
    let log = log_until_the_runtime_ends(async || {
        let builder = DedupLayer::builder().with_retry_delays([]);
        let builder = builder.with_fallback(Reply::text("sorry")).unwrap();
        let (stack, mut runs) = stack(&builder.build());
        stack.deliver(&text("user", "1", "hi")).await.abort();
        let (_, verdict) = runs.next().await;
        verdict.send(Err("no ink".into())).unwrap();
        settle().await;
    });
    crate::log::check(
        &log,
        [
            &["WARN", "no ink"],
            &["ERROR", "all runs of a message failed"],
        ],
    );
}

/// The store, which is told that the message is over, is silent.
#[cfg(feature = "tracing")]
#[test]
fn a_reply_that_shows_nothing_and_ends_with_its_runtime_is_no_lost_reply() {
    let log = log_until_the_runtime_ends(async || {
        let store = Faulty::new();
        let builder = DedupLayer::builder().with_store(store.clone());
        let (stack, mut runs) = stack(&builder.with_reply_filter(|_| false).build());
        let delivery = stack.deliver(&text("user", "1", "hi")).await;
        let (_, verdict) = runs.next().await;
        pass(4_500).await;
        check(&delivery.await.unwrap(), 200, "success");
        let never = Duration::from_hours(1);
        store.delay(Operation::Complete, never, Duration::ZERO);
        verdict.send(Ok(ok("success"))).unwrap();
        settle().await;
        assert_eq!(store.calls(Operation::Complete), 1);
    });
    crate::log::check(&log, []);
}
