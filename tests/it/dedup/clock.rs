//! The age of a message: by the store, by this node, or by the signed timestamp where neither can know.

use std::time::SystemTime;

use tower_wechat::Timestamp;

use super::{
    faulty::{Faulty, Operation},
    nodes::Losing,
    *,
};

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

/// A layer whose store has lost its data, and one without a store that has been up for long. Both take a message for a new one.
async fn layers() -> [DedupLayer; 2] {
    let alone = DedupLayer::in_memory();
    advance(Duration::from_secs(16)).await;
    [DedupLayer::shared(Faulty::new()), alone]
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_has_proven_right_tells_a_last_delivery() {
    for layer in layers().await {
        layer.layer(replying()).send(aged(0, "2")).await;
        assert!(is_acknowledged(&layer, 10).await);
    }
    // Without a young delivery, nobody can tell.
    for layer in layers().await {
        assert!(!is_acknowledged(&layer, 10).await);
    }
}

/// 20 s, of which the layer learns from the first deliveries of five messages.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_ahead_is_found_out_by_five_messages() {
    for (old, is_last) in [(3, true), (4, false)] {
        for layer in layers().await {
            let node = layer.layer(replying());
            node.clone().send(aged(0, "young")).await;
            for message in 0..old {
                node.clone().send(aged(20, &message.to_string())).await;
            }
            assert_eq!(is_acknowledged(&layer, 20).await, is_last, "{old} before");
        }
    }
}

/// Here the store is silent about its message, so it is no first delivery of a new one.
#[tokio::test(start_paused = true)]
async fn any_young_delivery_proves_the_clock_right() {
    let store = Faulty::new();
    let layer = DedupLayer::shared(store.clone());
    let node = layer.layer(replying());
    for message in ["1", "2", "3", "4", "5"] {
        node.clone().send(aged(20, message)).await;
    }
    store.go_away();
    node.send(aged(0, "young")).await;
    store.come_back();
    advance(Duration::from_secs(5)).await;
    assert!(is_acknowledged(&layer, 10).await);
}

/// Its retries, replays and runs do not count.
#[tokio::test(start_paused = true)]
async fn each_message_counts_once_against_the_clock() {
    for layer in layers().await {
        let node = layer.layer(replying());
        node.send(aged(0, "young")).await;
        let (node, _runs) = stack(&layer);
        for seconds in [20, 20, 25, 25, 30, 30] {
            tokio::spawn(node.clone().send(aged(seconds, "old")));
            settle().await;
        }
        assert!(is_acknowledged(&layer, 10).await);
    }
    // Each run of a message is lost.
    let layer = DedupLayer::shared(Losing);
    let node = layer.layer(replying());
    node.clone().send(aged(0, "young")).await;
    for _ in 0..2 {
        node.clone().send(aged(20, "old")).await;
    }
    assert!(is_acknowledged(&layer, 10).await);
}

/// WeChat sends such a push again for hours, with the first timestamp or a new one.
#[tokio::test(start_paused = true)]
async fn a_push_that_is_retried_for_long_does_not_count_against_the_clock() {
    let goods = include_str!("../fixtures/event/xpay_goods_deliver_notify.xml");
    for layer in layers().await {
        let node = layer.layer(replying());
        node.clone().send(aged(0, "young")).await;
        for message in ["1", "2", "3", "4", "5"] {
            let push = goods.replace("trade-20240605-7", message);
            let (head, old) = aged(20, message).into_parts();
            let push = Verified::insecure_assume(push, old.delivery().clone());
            node.clone().send(Request::from_parts(head, push)).await;
        }
        assert!(is_acknowledged(&layer, 10).await);
    }
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

/// By the store, or by this node: 5 s, if the first delivery was turned away.
#[tokio::test(start_paused = true)]
async fn a_last_delivery_of_a_known_message_is_no_sign_of_a_wrong_clock() {
    for (by_store, seen) in [(true, 10), (true, 5), (false, 10), (false, 5)] {
        let store = Faulty::new();
        let layer = DedupLayer::shared(store.clone());
        let (node, _runs) = stack(&layer);
        let (other, _other_runs) = stack(&DedupLayer::shared(store.clone()));
        let known = if by_store { &other } else { &node };
        let first = tokio::spawn(known.clone().send(aged(10 - seen, "1")));
        settle().await;
        advance(Duration::from_secs(seen)).await;
        first.abort();
        for message in ["3", "4", "5", "6", "7"] {
            tokio::spawn(node.clone().send(aged(20, message)));
            settle().await;
        }
        let last = tokio::spawn(node.clone().send(aged(10, "1")));
        settle().await;
        store.forget();
        let answer = node.send(aged(10, "2")).await;
        assert_eq!(answer.status(), StatusCode::OK, "by store: {by_store}");
        assert_eq!(last.await.unwrap().status(), StatusCode::OK);
    }
}

/// Each was seen at its third delivery, 10 s after it was sent. Its reply is kept, or has been dropped.
#[tokio::test(start_paused = true)]
async fn deliveries_of_messages_that_are_over_elsewhere_are_no_sign_of_a_wrong_clock() {
    for later in [10, 120] {
        let store = Faulty::new();
        let layer = DedupLayer::shared(store.clone());
        let node = layer.layer(replying());
        let other = DedupLayer::shared(store).layer(replying());
        let messages = ["1", "2", "3", "4", "5", "6"];
        for message in messages {
            other.clone().send(aged(10, message)).await;
        }
        node.clone().send(aged(0, "young")).await;
        advance(Duration::from_secs(later)).await;
        for message in messages {
            node.clone().send(aged(10 + later, message)).await;
        }
        assert!(is_acknowledged(&layer, 10).await, "{later} s later");
    }
}

#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn a_wrong_clock_is_one_warning_with_the_difference_until_it_is_right_again() {
    let logged = async || {
        let layer = DedupLayer::in_memory();
        advance(Duration::from_secs(16)).await;
        let right = [(4, "3")];
        let again = ["4", "5", "6", "7", "8", "9"].map(|message| (30, message));
        for (seconds, message) in [(20, "1"), (21, "2")].into_iter().chain(right).chain(again) {
            let (stack, _runs) = stack(&layer);
            stack.send(aged(seconds, message)).await;
        }
    };
    // This machine's clock tells the timestamp, then its age. If a second ends meanwhile, the age is a second longer.
    let log = loop {
        let before = Timestamp::from(SystemTime::now());
        let log = crate::log::of(logged).await;
        if Timestamp::from(SystemTime::now()) == before {
            break log;
        }
    };
    let clock: Vec<_> = log.lines().filter(|line| line.contains("clock")).collect();
    crate::log::check(
        &clock.join("\n"),
        [
            &["WARN", "seconds=20"],
            &["DEBUG", "seconds=20"],
            &["WARN", "seconds=30"],
            &["DEBUG", "seconds=30"],
        ],
    );
}
