//! Deliveries at the bounds: who waits, in which order, and who is turned away.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_delivery_that_has_waited_longest_for_room_gets_it() {
    let (stack, mut runs) = stack(&one_run_at_a_time());
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

#[tokio::test(start_paused = true)]
async fn a_waiting_delivery_that_goes_away_makes_room_for_the_next() {
    let layer = DedupLayer::builder()
        .with_max_waiters_per_message(1)
        .build();
    let (stack, mut runs) = stack(&layer);
    let body = text("user", "1", "hi");
    let first = stack.deliver(&body).await;
    let (_, verdict) = runs.next().await;
    first.abort();
    settle().await;
    let begun = Instant::now();
    let second = stack.deliver(&body).await;
    let third = stack.deliver(&body).await;
    // Without room the third is turned away before WeChat hangs up. The second waits on.
    check(&third.await.unwrap(), 503, "");
    assert_eq!(begun.elapsed(), Duration::from_millis(4500));
    assert!(!second.is_finished());
    verdict.send(Ok(ok("reply"))).unwrap();
    check(&second.await.unwrap(), 200, "reply");
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_goes_away_while_it_waits_for_room_keeps_no_permit() {
    let (stack, mut runs) = stack(&one_run_at_a_time());
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

/// With a bound on runs alone, replies that no delivery fetches would pile up.
#[tokio::test(start_paused = true)]
async fn a_message_counts_as_running_until_its_reply_is_fetched_or_handed_over() {
    let (stack, mut runs) = stack(&one_run_at_a_time());
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

/// Else a failing service would get ever more messages to run.
#[tokio::test(start_paused = true)]
async fn a_message_counts_as_running_between_its_runs() {
    let layer = DedupLayer::builder()
        .with_max_concurrent_runs(1)
        .with_retry_delays([Duration::from_secs(2)])
        .build();
    let (stack, mut runs) = stack(&layer);
    let _first = stack.deliver(&text("user", "1", "hi")).await;
    drop(runs.next().await);
    let _second = stack.deliver(&text("user", "2", "hi")).await;
    runs.check_none();
    let (number, _verdict) = runs.next().await;
    assert_eq!(number.get(), 2);
}

/// With bounds of zero, no message would ever run.
#[tokio::test(start_paused = true)]
async fn a_bound_of_zero_means_one() {
    let layer = DedupLayer::builder()
        .with_capacity(0)
        .with_max_concurrent_runs(0)
        .with_max_waiters_per_message(0)
        .build();
    let (stack, mut runs) = stack(&layer);
    for id in ["1", "2"] {
        let body = text("user", id, "hi");
        let first = stack.deliver(&body).await;
        let (_, verdict) = runs.next().await;
        let another_delivery = stack.deliver(&body).await;
        let another_message = stack.deliver(&text("user", "3", "hi")).await;
        check(&another_delivery.await.unwrap(), 503, "");
        check(&another_message.await.unwrap(), 503, "");
        verdict.send(Ok(ok("reply"))).unwrap();
        check(&first.await.unwrap(), 200, "reply");
    }
}
