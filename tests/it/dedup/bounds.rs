//! What happens at each bound, and that nobody is passed over there.

use super::*;

/// Whoever has waited longest for room gets it.
#[tokio::test(start_paused = true)]
async fn room_is_given_in_the_order_of_asking() {
    let (stack, mut runs) = stack(&DedupLayer::in_memory().with_max_running(1));
    let bodies = ["1", "2", "3"].map(|id| text("user", id, "hi"));
    let mut deliveries = Vec::new();
    for body in &bodies {
        deliveries.push(stack.deliver(body).await);
        advance(Duration::from_millis(10)).await;
    }
    for (delivery, reply) in deliveries.into_iter().zip(["first", "second", "third"]) {
        let (_, verdict) = runs.next().await;
        runs.check_none();
        verdict.send(Ok(ok(reply))).unwrap();
        check(&delivery.await.unwrap(), 200, reply);
    }
}

/// A delivery that goes away leaves its place to the next one.
#[tokio::test(start_paused = true)]
async fn a_place_among_the_waiting_is_freed() {
    let (stack, mut runs) = stack(&DedupLayer::in_memory().with_max_waiting(1));
    let body = text("user", "1", "hi");
    let first = stack.deliver(&body).await;
    let (_, verdict) = runs.next().await;
    first.abort();
    settle().await;
    let begun = Instant::now();
    let second = stack.deliver(&body).await;
    let third = stack.deliver(&body).await;
    // Without a place it is turned away before WeChat hangs up; with one it waits on.
    check(&third.await.unwrap(), 503, "");
    assert_eq!(begun.elapsed(), Duration::from_millis(4500));
    assert!(!second.is_finished());
    verdict.send(Ok(ok("reply"))).unwrap();
    check(&second.await.unwrap(), 200, "reply");
}

/// A delivery that waited for room and went away has not taken any with it.
#[tokio::test(start_paused = true)]
async fn who_goes_away_while_waiting_for_room_takes_none() {
    let (stack, mut runs) = stack(&DedupLayer::in_memory().with_max_running(1));
    let first = stack.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    stack.deliver(&text("user", "2", "hi")).await.abort();
    let third = stack.deliver(&text("user", "3", "hi")).await;
    verdict.send(Ok(ok("first"))).unwrap();
    check(&first.await.unwrap(), 200, "first");
    runs.next().await.1.send(Ok(ok("third"))).unwrap();
    check(&third.await.unwrap(), 200, "third");
    runs.check_none();
}

/// Replies that nobody comes for would pile up behind a bound on runs alone.
#[tokio::test(start_paused = true)]
async fn a_message_counts_until_its_reply_has_gone_somewhere() {
    let (stack, mut runs) = stack(&DedupLayer::in_memory().with_max_running(1));
    stack.deliver(&text("user", "1", "hi")).await.abort();
    runs.next().await.1.send(Ok(ok("reply"))).unwrap();
    settle().await;
    advance(Duration::from_secs(3)).await;
    let begun = Instant::now();
    let second = stack.deliver(&text("user", "2", "hi")).await;
    runs.check_none();
    let (_, verdict) = runs.next().await;
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
    verdict.send(Ok(ok("second"))).unwrap();
    check(&second.await.unwrap(), 200, "second");
}

/// Failing runs hold their permit between them too: a failing service is not asked for more and more.
#[tokio::test(start_paused = true)]
async fn a_message_counts_between_its_runs() {
    let layer = DedupLayer::in_memory()
        .with_max_running(1)
        .with_retry_delays([Duration::from_secs(2)]);
    let (stack, mut runs) = stack(&layer);
    let _first = stack.deliver(&text("user", "1", "hi")).await;
    drop(runs.next().await);
    let _second = stack.deliver(&text("user", "2", "hi")).await;
    runs.check_none();
    let (run, _verdict) = runs.next().await;
    assert_eq!(run.number(), 2);
}

/// Nothing runs that cannot be told apart, and the next message is another matter.
#[tokio::test(start_paused = true)]
async fn a_key_function_that_panics_harms_one_delivery() {
    let layer = DedupLayer::in_memory().with_key(|request| {
        assert_ne!(request.body().as_bytes(), b"strange");
        Key::new([request.body().as_bytes()])
    });
    let (stack, mut runs) = stack(&layer);
    assert!(stack.deliver("strange").await.await.is_err());
    let delivery = stack.deliver("usual").await;
    runs.next().await.1.send(Ok(ok("reply"))).unwrap();
    check(&delivery.await.unwrap(), 200, "reply");
}
