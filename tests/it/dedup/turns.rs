//! The messages of one user, one after the other.

use std::sync::{Arc, Mutex};

use tokio::time::sleep;
use tower_wechat::{Message, message_fn};

use super::{
    faulty::Faulty,
    nodes::{claim_by_a_lost_node, pass},
    *,
};

/// Delivers these messages of a user, 10 ms apart, to the nodes of a bot that thinks 3 s, in turn. Returns when which run began and ended.
async fn deliver(layers: &[&DedupLayer], messages: &[(&'static str, &'static str)]) -> Vec<String> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let bot = message_fn({
        let log = Arc::clone(&log);
        move |message: Message| {
            let log = Arc::clone(&log);
            async move {
                let Message::Text(text) = message else { return };
                log.lock().unwrap().push(format!("begin {}", text.content));
                sleep(Duration::from_secs(3)).await;
                log.lock().unwrap().push(format!("end {}", text.content));
            }
        }
    });
    let mut deliveries = Vec::new();
    for (position, (user, words)) in messages.iter().enumerate() {
        let stack = layers[position % layers.len()].layer(bot.clone());
        deliveries.push(
            stack
                .deliver(&text(user, &position.to_string(), words))
                .await,
        );
        sleep(Duration::from_millis(10)).await;
    }
    sleep(Duration::from_mins(1)).await;
    drop(deliveries);
    log.lock().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn the_runs_of_a_user_follow_each_other_and_those_of_others_do_not_wait() {
    let messages = [("anna", "a"), ("anna", "b"), ("bert", "c"), ("anna", "d")];
    let layer = DedupLayer::builder().with_runs_in_turn().build();
    let log = deliver(&[&layer], &messages).await;
    let expected = "begin a, begin c, end a, begin b, end c, end b, begin d, end d";
    assert_eq!(log.join(", "), expected);

    let log = deliver(&[&DedupLayer::in_memory()], &messages).await;
    let expected = "begin a, begin b, begin c, begin d, end a, end b, end c, end d";
    assert_eq!(log.join(", "), expected);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_after_the_first_is_over_waits_for_the_second() {
    let layer = DedupLayer::builder().with_runs_in_turn().build();
    let (stack, mut runs) = stack(&layer);
    let message = |id| text("anna", id, "hi");
    let _one = stack.deliver(&message("1")).await;
    let (_, first) = runs.next().await;
    let _two = stack.deliver(&message("2")).await;
    runs.check_none();
    first.send(Ok(ok("1"))).unwrap();
    let (_, second) = runs.next().await;
    let _three = stack.deliver(&message("3")).await;
    runs.check_none();
    second.send(Ok(ok("2"))).unwrap();
    runs.next().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_has_its_turn_without_the_store() {
    let store = Faulty::new();
    store.go_away();
    let builder = DedupLayer::builder().with_store(store);
    let (stack, mut runs) = stack(&builder.with_runs_in_turn().build());
    let _delivery = stack.deliver(&text("anna", "1", "hi")).await;
    pass(4_000).await;
    assert!(runs.verdict().is_some());
}

/// Two nodes with a store.
fn nodes() -> [DedupLayer; 2] {
    let store = MemoryStore::new();
    [(); 2].map(|()| {
        let builder = DedupLayer::builder().with_store(store.clone());
        builder.with_runs_in_turn().build()
    })
}

#[tokio::test(start_paused = true)]
async fn the_runs_of_a_user_follow_each_other_on_all_nodes() {
    let messages = [("anna", "a"), ("anna", "b"), ("bert", "c"), ("bert", "d")];
    let [one, two] = nodes();
    let log = deliver(&[&one, &two], &messages).await;
    for other in ["b", "d"] {
        let first = if other == "b" { "a" } else { "c" };
        let of = |entry: &&String| entry.ends_with(first) || entry.ends_with(other);
        let of_user: Vec<_> = log.iter().filter(of).map(String::as_str).collect();
        let expected = [
            ("begin", first),
            ("end", first),
            ("begin", other),
            ("end", other),
        ];
        let expected = expected.map(|(what, message)| format!("{what} {message}"));
        assert_eq!(of_user, expected);
    }
    assert!(log[1].starts_with("begin"), "{log:?}");
}

/// The node that has had it gives it back at once.
#[tokio::test(start_paused = true)]
async fn a_turn_comes_as_soon_as_the_run_before_it_has_ended() {
    let [one, two] = nodes();
    let [(a, mut runs_a), (b, mut runs_b)] = [stack(&one), stack(&two)];
    let _first = a.deliver(&text("anna", "1", "hi")).await;
    let (_, verdict) = runs_a.next().await;
    let _second = b.deliver(&text("anna", "2", "hi")).await;
    pass(2_000).await;
    runs_b.check_none();
    verdict.send(Ok(ok("1"))).unwrap();
    pass(1_000).await;
    assert!(runs_b.verdict().is_some());
}

/// A store that is away for a moment has not said that the turn is over.
#[tokio::test(start_paused = true)]
async fn a_node_that_cannot_ask_waits_for_its_turn() {
    let store = Faulty::new();
    let way = store.beside();
    let [one, two] = [&store, &way].map(|way| {
        let builder = DedupLayer::builder().with_store(way.clone());
        builder.with_runs_in_turn().build()
    });
    let blip = async {
        sleep(Duration::from_secs(1)).await;
        way.go_away();
        sleep(Duration::from_millis(500)).await;
        way.come_back();
    };
    let layers = [&one, &two];
    let messages = [("anna", "a"), ("anna", "b")];
    let (log, ()) = tokio::join!(deliver(&layers, &messages), blip);
    assert_eq!(log.join(", "), "begin a, end a, begin b, end b");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_taken_over_from_a_lost_node_waits_for_its_turn() {
    let store = MemoryStore::new();
    claim_by_a_lost_node(&store).await;
    let builder = DedupLayer::builder().with_store(store);
    let (node, mut runs) = stack(&builder.with_runs_in_turn().build());
    let _of_lost = node.deliver(&text("user", "1", "hi")).await;
    let _other = node.deliver(&text("user", "2", "hello")).await;
    let (number, verdict) = runs.next().await;
    assert_eq!(number.get(), 1);
    // The lease is over, and the run of the other message is not.
    pass(7_000).await;
    runs.check_none();
    verdict.send(Ok(ok("reply"))).unwrap();
    let (number, _verdict) = runs.next().await;
    assert_eq!(number.get(), 4, "later than all runs of the lost node");
}

/// A lost node keeps the turn for its lease.
#[tokio::test(start_paused = true)]
async fn a_turn_of_a_lost_node_goes_to_the_next_node() {
    let [lost, other] = nodes();
    // A drain with no patience is a node's end. The run is dropped, and nobody gives the turn back.
    let (stack, mut runs) = stack(&lost);
    let first = stack.deliver(&text("anna", "1", "a")).await;
    let _run = runs.next().await;
    drop(first);
    lost.drain(Duration::ZERO).await;
    let start = tokio::time::Instant::now();
    let (stack, mut runs) = super::stack(&other);
    let _second = stack.deliver(&text("anna", "2", "b")).await;
    let _run = runs.next().await;
    assert!(
        start.elapsed() <= Duration::from_secs(6),
        "{:?}",
        start.elapsed()
    );
}

/// Nobody waits behind a message that has been dropped.
#[tokio::test(start_paused = true)]
async fn a_run_that_panics_gives_its_turn_to_the_next() {
    let layer = DedupLayer::builder()
        .with_runs_in_turn()
        .with_retry_delays([])
        .build();
    let runs = Arc::new(Mutex::new(0));
    let stack = layer.layer(message_fn({
        let runs = Arc::clone(&runs);
        move |_: Message| {
            let runs = Arc::clone(&runs);
            async move {
                let mut runs = runs.lock().unwrap();
                *runs += 1;
                if *runs == 1 {
                    drop(runs);
                    panic!("no ink");
                }
            }
        }
    }));
    let first = stack.deliver(&text("anna", "1", "a")).await;
    let second = stack.deliver(&text("anna", "2", "b")).await;
    assert_eq!(first.await.unwrap().0, 200);
    assert_eq!(second.await.unwrap().0, 200);
    assert_eq!(*runs.lock().unwrap(), 2);
}

/// A user cannot take the room of others: the further messages wait for room, then get 503.
#[tokio::test(start_paused = true)]
async fn sixteen_messages_of_a_user_run_or_wait() {
    let layer = DedupLayer::builder().with_runs_in_turn().build();
    let (stack, mut runs) = stack(&layer);
    let mut deliveries = Vec::new();
    for id in 0..17 {
        deliveries.push(stack.deliver(&text("anna", &id.to_string(), "hi")).await);
    }
    let last = deliveries.pop().unwrap();
    let other = stack.deliver(&text("bert", "99", "hi")).await;
    assert_eq!(last.await.unwrap().0, 503);
    let (_, first) = runs.next().await;
    let (_, second) = runs.next().await;
    first.send(Ok(ok("a"))).unwrap();
    second.send(Ok(ok("b"))).unwrap();
    check(&other.await.unwrap(), 200, "b");
    check(&deliveries.remove(0).await.unwrap(), 200, "a");
}

/// A store keeps little of a user who writes no more, even if it remembers messages for a day.
#[tokio::test(start_paused = true)]
async fn a_store_forgets_a_turn_after_ten_minutes() {
    let store = MemoryStore::new();
    let builder = DedupLayer::builder().with_store(store.clone());
    let builder = builder.with_dedup_ttl(Duration::from_hours(24));
    let layer = builder.with_runs_in_turn().build();
    deliver(&[&layer], &[("anna", "a")]).await;
    let known = || format!("{store:?}");
    assert_eq!(known(), "MemoryStore { messages: 2, .. }");
    advance(Duration::from_mins(10)).await;
    deliver(&[&layer], &[("bert", "b")]).await;
    // Two messages, and the turn of the second user.
    assert_eq!(known(), "MemoryStore { messages: 3, .. }");
}
