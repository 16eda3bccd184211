//! The age of a message: by the store, by this node, or by the signed timestamp where neither can know.

use std::time::SystemTime;

use tower_wechat::Timestamp;

use super::{faulty::Operation, *};

/// A delivery whose timestamp is this old by the clock of this machine.
fn aged(seconds: u64, msg_id: &str) -> Request<Verified> {
    let timestamp = Timestamp::from(SystemTime::now() - Duration::from_secs(seconds));
    let delivery = Delivery::new("shop").with_timestamp(timestamp);
    Request::new(Verified::insecure_assume(
        text("user", msg_id, "hi"),
        delivery,
    ))
}

/// Whether a delivery that is `seconds` old is acknowledged while its message runs.
async fn is_acknowledged(layer: &DedupLayer, seconds: u64) -> bool {
    let (stack, _runs) = stack(layer);
    let answer = stack.send(aged(seconds, "of its own")).await;
    answer.status() == StatusCode::OK
}

#[tokio::test(start_paused = true)]
async fn the_timestamp_counts_on_a_node_that_has_just_started() {
    for (up, is_last) in [(0, true), (15_499, true), (15_500, false)] {
        let layer = DedupLayer::in_memory();
        advance(Duration::from_millis(up)).await;
        assert_eq!(is_acknowledged(&layer, 20).await, is_last, "up {up} ms");
        let layer = DedupLayer::in_memory();
        advance(Duration::from_millis(up)).await;
        assert!(!is_acknowledged(&layer, 5).await, "a first delivery");
    }
}

/// A clock that is fast makes every delivery look old.
#[tokio::test(start_paused = true)]
async fn the_store_knows_better_than_the_timestamp() {
    let store = Faulty::new();
    let layer = DedupLayer::shared(store.clone());
    assert!(!is_acknowledged(&layer, 20).await);

    let away = Faulty::new();
    away.fail(Operation::Claim);
    let layer = DedupLayer::shared(away);
    advance(Duration::from_mins(1)).await;
    assert!(is_acknowledged(&layer, 20).await, "nobody knows");
}

/// 20 s ahead, and a handler that takes 7 s: the second delivery gets the reply.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_fast_costs_no_reply() {
    let layer = DedupLayer::in_memory();
    advance(Duration::from_secs(16)).await;
    let (stack, mut runs) = stack(&layer);
    let first = tokio::spawn(stack.clone().send(aged(20, "1")));
    let (_, verdict) = runs.next().await;
    advance(Duration::from_secs(5)).await;
    first.abort();
    let second = tokio::spawn(stack.send(aged(25, "1")));
    settle().await;
    advance(Duration::from_secs(2)).await;
    verdict.send(Ok(ok("reply"))).unwrap();
    assert_eq!(second.await.unwrap().body(), "reply");
}

/// A store that has lost its data takes every message for a new one.
#[tokio::test(start_paused = true)]
async fn a_clock_that_has_proven_right_tells_a_last_delivery() {
    let store = Faulty::new();
    let layer = DedupLayer::shared(store);
    let stack = layer.layer(replying());
    let young = Delivery::new("shop");
    let young = Verified::insecure_assume(text("user", "2", "hi"), young);
    stack.send(Request::new(young)).await;
    assert!(is_acknowledged(&layer, 10).await);
    // Without a young delivery among the latest, nobody can tell.
    let layer = DedupLayer::shared(Faulty::new());
    assert!(!is_acknowledged(&layer, 10).await);
}

/// All that come after it look old.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_ahead_meanwhile_hides_no_last_delivery() {
    for ahead in [12, 20] {
        let layer = DedupLayer::shared(Faulty::new());
        let node = layer.layer(replying());
        node.clone().send(aged(0, "2")).await;
        let (waiting, _runs) = stack(&layer);
        let last = tokio::spawn(waiting.send(aged(10, "1")));
        settle().await;
        for message in ["3", "4", "5", "6", "7"] {
            node.clone().send(aged(ahead, message)).await;
        }
        let answer = last.await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{ahead} s");
    }
}

/// Last deliveries of messages that the store, or this node, has seen before prove the clock right.
#[tokio::test(start_paused = true)]
async fn a_last_delivery_of_a_known_message_is_no_sign_of_a_wrong_clock() {
    for by_store in [true, false] {
        let store = Faulty::new();
        let layer = DedupLayer::shared(store.clone());
        let (node, _runs) = stack(&layer);
        let (other, _other_runs) = stack(&DedupLayer::shared(store.clone()));
        let known = if by_store { &other } else { &node };
        let first = tokio::spawn(known.clone().send(aged(0, "1")));
        settle().await;
        advance(Duration::from_secs(5)).await;
        first.abort();
        advance(Duration::from_secs(5)).await;
        for _ in 0..3 {
            tokio::spawn(node.clone().send(aged(10, "1")));
            settle().await;
        }
        store.forget();
        let answer = node.send(aged(10, "2")).await;
        assert_eq!(answer.status(), StatusCode::OK, "by store: {by_store}");
    }
}

/// Of a message that is over, any number of old deliveries may come.
#[tokio::test(start_paused = true)]
async fn the_deliveries_of_a_message_that_is_over_are_no_sign_of_a_wrong_clock() {
    for by_store in [true, false] {
        let store = Faulty::new();
        let layer = DedupLayer::shared(store.clone());
        let node = layer.layer(replying());
        let other = DedupLayer::shared(store.clone()).layer(replying());
        let known = if by_store { &other } else { &node };
        node.clone().send(aged(0, "1")).await;
        known.clone().send(aged(0, "2")).await;
        advance(Duration::from_secs(10)).await;
        for _ in 0..6 {
            node.clone().send(aged(10, "2")).await;
        }
        assert!(is_acknowledged(&layer, 10).await, "by store: {by_store}");
    }
}

/// Copies of one delivery count once, and a retry counts as a delivery of its own.
#[tokio::test(start_paused = true)]
async fn a_copy_is_no_further_sign_of_a_wrong_clock() {
    for (later, copies, age, is_right) in [
        (999, 6, 20, true),
        (1000, 2, 20, true),
        (1000, 3, 20, false),
        // It is young, so it proves the clock right.
        (1000, 1, 0, true),
        (999, 1, 0, false),
    ] {
        let layer = DedupLayer::shared(Faulty::new());
        let node = layer.layer(replying());
        node.clone().send(aged(0, "right")).await;
        let old = if age == 0 { 4 } else { 0 };
        for message in 0..old {
            node.clone().send(aged(20, &message.to_string())).await;
        }
        let (running, _runs) = stack(&layer);
        tokio::spawn(running.clone().send(aged(age.max(20), "runs")));
        settle().await;
        advance(Duration::from_millis(later)).await;
        for _ in 0..copies {
            tokio::spawn(running.clone().send(aged(age, "runs")));
            settle().await;
        }
        let is_last = is_acknowledged(&layer, 10).await;
        assert_eq!(is_last, is_right, "{copies} of {age} s after {later} ms");
    }
}

#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn a_wrong_clock_is_one_warning_with_the_difference() {
    let log = crate::log::of(async || {
        let layer = DedupLayer::in_memory();
        advance(Duration::from_secs(16)).await;
        for (seconds, message) in [(20, "1"), (21, "2"), (4, "3")] {
            let (stack, _runs) = stack(&layer);
            let timestamp = SystemTime::now() - Duration::from_secs(seconds);
            let delivery = Delivery::new("shop").with_timestamp(timestamp.into());
            let body = Verified::insecure_assume(text("user", message, "hi"), delivery);
            stack.send(Request::new(body)).await;
        }
    })
    .await;
    let mut warnings = log.lines().filter(|line| line.contains("clock"));
    let (first, second) = (warnings.next().unwrap(), warnings.next().unwrap());
    assert!(
        first.contains("WARN") && first.contains("seconds=20"),
        "{log}"
    );
    assert!(second.contains("DEBUG"), "{log}");
    assert!(warnings.next().is_none(), "{log}");
}
