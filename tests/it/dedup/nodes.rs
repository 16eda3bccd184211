//! Several nodes with one store, and a store that is away.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tower_wechat::{
    dedup::{
        StoredResponse,
        store::{
            Acknowledged, Claim, ClaimId, Claimed, Completed, Ending, Found, Released, Renewed,
            Run, Store, Ttls,
        },
    },
    late::{LateCause, LateReply},
};

use super::{faulty::Operation, late::Late, *};

/// Lets time pass in small steps, so that no task misses a renewal.
pub(super) async fn pass(millis: u64) {
    for _ in 0..millis.div_ceil(50) {
        advance(Duration::from_millis(50)).await;
        settle().await;
    }
}

/// Two nodes that share `store`.
fn nodes<St: Store + Clone>(store: &St) -> [(impl Delivers + use<St>, Runs); 2] {
    [(); 2].map(|()| {
        let layer = DedupLayer::shared(store.clone());
        stack(&layer)
    })
}

/// The claim of a node that never says another word.
pub(super) async fn claim_by_a_lost_node<St: Store>(store: &St) -> Claim {
    let key = Key::of(&Request::new(assume(text("user", "1", "hi"))));
    let lost = Claim::new(key, ClaimId::random(), Ttls::new(Duration::from_secs(5)));
    let claimed = store.claim(lost).await.ok();
    let won = Claimed::Won(Run::new(Duration::ZERO, 1));
    assert_eq!(claimed, Some(Found::new(won, None)));
    lost
}

#[tokio::test(start_paused = true)]
async fn a_retry_on_another_node_joins_the_run_and_gets_its_reply() {
    let [(a, mut runs), (b, mut none)] = nodes(&MemoryStore::new());
    let first = a.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    pass(4_900).await;
    first.abort();
    let second = b.deliver(&text("user", "1", "hi")).await;
    pass(1_000).await;
    verdict.send(Ok(ok("reply"))).unwrap();
    pass(500).await;
    check(&second.await.unwrap(), 200, "reply");
    none.check_none();
    // Both nodes keep it for further deliveries.
    for later in [
        a.deliver(&text("user", "1", "hi")).await,
        b.deliver(&text("user", "1", "hi")).await,
    ] {
        assert!(later.is_finished());
        check(&later.await.unwrap(), 200, "reply");
    }
    runs.check_none();
    none.check_none();
}

/// A program that may be given the address of a store, or none.
#[tokio::test(start_paused = true)]
async fn an_optional_store_is_shared_if_it_is_there() {
    for (store, runs_again) in [(Some(MemoryStore::new()), false), (None, true)] {
        let node = || DedupLayer::builder().with_optional_store(store.clone());
        let [(a, mut runs), (b, mut others)] = [(); 2].map(|()| stack(&node().build()));
        let first = a.deliver(&text("user", "1", "hi")).await;
        runs.next().await.1.send(Ok(ok("reply"))).unwrap();
        check(&first.await.unwrap(), 200, "reply");
        let retry = b.deliver(&text("user", "1", "hi")).await;
        if runs_again {
            others.next().await.1.send(Ok(ok("another"))).unwrap();
            check(&retry.await.unwrap(), 200, "another");
        } else {
            check(&retry.await.unwrap(), 200, "reply");
            others.check_none();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn acknowledging_on_one_node_hands_the_reply_over_on_the_other() {
    let store = MemoryStore::new();
    let late = Late::default();
    let (a, mut runs) = stack(&late.collect(DedupLayer::builder().with_store(store.clone())));
    let (b, _) = stack(&DedupLayer::shared(store));
    let first = a.deliver(&text("user", "1", "hi")).await;
    pass(10_000).await;
    drop(first);
    // The message is new to this node, and the store knows its age.
    let last = b.deliver(&text("user", "1", "hi")).await;
    pass(4_500).await;
    check(&last.await.unwrap(), 200, "success");
    let (_, verdict) = runs.next().await;
    verdict.send(Ok(ok("reply"))).unwrap();
    pass(100).await;
    assert_eq!(late.causes(), [LateCause::Acknowledged]);
}

#[tokio::test(start_paused = true)]
async fn after_a_lost_node_another_one_runs_the_message_with_a_later_number() {
    let store = MemoryStore::new();
    let (b, mut runs) = stack(&DedupLayer::shared(store.clone()));
    let lost = claim_by_a_lost_node(&store).await;
    let delivery = b.deliver(&text("user", "1", "hi")).await;
    pass(4_900).await;
    runs.check_none();
    delivery.abort();
    let retry = b.deliver(&text("user", "1", "hi")).await;
    pass(500).await;
    let (number, verdict) = runs.next().await;
    assert_eq!(number.get(), 4, "later than all runs of the first claim");
    // The first node was not dead but slow. It learns that it is too late.
    let run = Run::new(Duration::ZERO, 1);
    assert_eq!(store.renew(lost, run).await, Ok(Renewed::Lost));
    let completed = store
        .complete(lost, Ending::Reply(StoredResponse::success()))
        .await;
    assert_eq!(completed, Ok(Completed::Lost));
    verdict.send(Ok(ok("reply"))).unwrap();
    check(&retry.await.unwrap(), 200, "reply");
}

#[tokio::test(start_paused = true)]
async fn a_node_takes_over_a_late_reply_from_a_lost_node_when_the_lease_is_over() {
    for (after, is_over) in [(4_900, false), (5_000, true)] {
        let store = MemoryStore::new();
        let late = Late::default();
        let lost = claim_by_a_lost_node(&store).await;
        let ending = Ending::Late(StoredResponse::new(StatusCode::OK, None, "reply"));
        let completed = store.complete(lost, ending).await;
        assert_eq!(completed, Ok(Completed::Acknowledged));
        pass(after).await;
        for _node in 0..2 {
            let layer = late.collect(DedupLayer::builder().with_store(store.clone()));
            let (node, mut runs) = stack(&layer);
            let delivery = node.deliver(&text("user", "1", "hi")).await;
            check(&delivery.await.unwrap(), 200, "success");
            runs.check_none();
        }
        assert_eq!(late.causes().len(), usize::from(is_over));
    }
}

/// So another node can take it over. The fallback and silence are nothing to take over.
#[tokio::test(start_paused = true)]
async fn the_store_has_a_late_reply_while_it_is_handed_over() {
    for (verdict, is_late) in [
        (Ok(ok("reply")), true),
        (Ok(ok("success")), false),
        (Err("no answer".into()), false),
    ] {
        let store = MemoryStore::new();
        let builder = DedupLayer::builder().with_store(store.clone());
        let builder = builder.with_reply_filter(|_| false).with_retry_delays([]);
        let layer = builder
            .with_late_replies(|_: LateReply| pending::<()>())
            .build();
        let (node, mut runs) = stack(&layer);
        let delivery = node.deliver(&text("user", "1", "hi")).await;
        pass(4_500).await;
        check(&delivery.await.unwrap(), 200, "success");
        let (_, decide) = runs.next().await;
        decide.send(verdict).unwrap();
        pass(100).await;
        let key = Key::of(&Request::new(assume(text("user", "1", "hi"))));
        let other = Claim::new(key, ClaimId::random(), Ttls::new(Duration::from_secs(5)));
        let claimed = store.claim(other).await.unwrap().claimed;
        assert_eq!(
            matches!(claimed, Claimed::Late { .. }),
            is_late,
            "{claimed:?}"
        );
    }
}

/// Even if the store loses its data then: the reply has been given to a delivery at the other node.
#[tokio::test(start_paused = true)]
async fn a_node_whose_deliveries_have_left_does_not_hand_over_the_reply_of_another() {
    let store = Faulty::new();
    let late = Late::default();
    let (one, mut runs) = stack(&DedupLayer::shared(store.clone()));
    let layer = late.collect(DedupLayer::builder().with_store(store.clone()));
    let (other, mut other_runs) = stack(&layer);
    let first = one.deliver(&text("user", "1", "hi")).await;
    let copy = other.deliver(&text("user", "1", "hi")).await;
    // It asks again every 0.4 s by now.
    pass(1_200).await;
    copy.abort();
    let (_, verdict) = runs.next().await;
    verdict.send(Ok(ok("reply"))).unwrap();
    pass(500).await;
    check(&first.await.unwrap(), 200, "reply");
    store.forget();
    pass(20_000).await;
    assert_eq!(late.causes(), []);
    other_runs.check_none();
}

#[tokio::test(start_paused = true)]
async fn a_node_takes_over_a_late_reply_though_the_store_has_been_away_meanwhile() {
    let store = Faulty::new();
    let late = Late::default();
    let lost = claim_by_a_lost_node(&store).await;
    let ending = Ending::Late(StoredResponse::new(StatusCode::OK, None, "reply"));
    let completed = store.complete(lost, ending).await.ok();
    assert_eq!(completed, Some(Completed::Acknowledged));
    let layer = late.collect(DedupLayer::builder().with_store(store.clone()));
    let (node, _runs) = stack(&layer);
    let delivery = node.deliver(&text("user", "1", "hi")).await;
    check(&delivery.await.unwrap(), 200, "success");
    pass(4_000).await;
    store.go_away();
    // The lease is over.
    pass(3_000).await;
    store.come_back();
    pass(3_000).await;
    assert_eq!(late.causes(), [LateCause::Acknowledged]);
}

/// A store that takes each message for a new one, and each completion for a lost one.
#[derive(Clone)]
pub(super) struct Losing;

impl Store for Losing {
    type Error = Infallible;

    async fn claim(&self, claim: Claim) -> Result<Found, Infallible> {
        MemoryStore::new().claim(claim).await
    }

    async fn renew(&self, _claim: Claim, _run: Run) -> Result<Renewed, Infallible> {
        Ok(Renewed::Lost)
    }

    async fn complete(&self, _claim: Claim, _ending: Ending) -> Result<Completed, Infallible> {
        Ok(Completed::Lost)
    }

    async fn acknowledge(&self, _claim: Claim) -> Result<Acknowledged, Infallible> {
        Ok(Acknowledged::Recorded)
    }

    async fn release(&self, _claim: Claim) -> Result<Released, Infallible> {
        Ok(Released::Unclaimed)
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_whose_runs_are_lost_has_the_message_run_three_more_times() {
    let layer = DedupLayer::shared(Losing);
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let stack = layer.layer(service_fn(move |_: Request<Verified>| {
        counted.fetch_add(1, Ordering::Relaxed);
        ready(Ok::<_, Infallible>(ok("reply")))
    }));
    let answer = stack
        .send(Request::new(assume(text("user", "1", "hi"))))
        .await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(runs.load(Ordering::Relaxed), 4);
}

/// WeChat will not deliver it again, so the node that acknowledged it has to look after it.
#[tokio::test(start_paused = true)]
async fn a_node_takes_over_a_message_that_it_has_acknowledged_from_a_lost_node() {
    let store = MemoryStore::new();
    let late = Late::default();
    let builder = DedupLayer::builder().with_store(store.clone());
    let layer = late.collect(builder.with_reply_filter(|_| false));
    let (b, mut runs) = stack(&layer);
    claim_by_a_lost_node(&store).await;
    let delivery = b.deliver(&text("user", "1", "hi")).await;
    pass(4_500).await;
    check(&delivery.await.unwrap(), 200, "success");
    pass(1_000).await;
    let verdict = runs.verdict().expect("a run");
    verdict.send(Ok(ok("reply"))).unwrap();
    pass(100).await;
    assert_eq!(late.causes(), [LateCause::Acknowledged]);
    let retry = b.deliver(&text("user", "1", "hi")).await;
    check(&retry.await.unwrap(), 200, "success");
    runs.check_none();
}

/// As far as this node knows, the other one goes on until its lease is over.
#[tokio::test(start_paused = true)]
async fn a_store_that_goes_away_does_not_end_the_lease_of_another_node() {
    let store = Faulty::new();
    let [(a, mut runs), (b, mut others)] = nodes(&store);
    let _first = a.deliver(&text("user", "1", "hi")).await;
    let _held = runs.next().await;
    let _second = b.deliver(&text("user", "1", "hi")).await;
    pass(1_000).await;
    store.go_away();
    pass(3_000).await;
    others.check_none();
    pass(2_500).await;
    others.verdict().expect("a run");
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_away_a_node_goes_on_alone_and_publishes_its_reply_later() {
    let store = Faulty::new();
    let [(a, mut runs), (b, mut none)] = nodes(&store);
    store.go_away();
    let first = a.deliver(&text("user", "1", "hi")).await;
    runs.next().await.1.send(Ok(ok("reply"))).unwrap();
    check(&first.await.unwrap(), 200, "reply");
    let again = a.deliver(&text("user", "1", "hi")).await;
    check(&again.await.unwrap(), 200, "reply");

    store.come_back();
    pass(2_000).await;
    let elsewhere = b.deliver(&text("user", "1", "hi")).await;
    check(&elsewhere.await.unwrap(), 200, "reply");
    none.check_none();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_three_times_is_left_alone_for_a_second() {
    let store = Faulty::new();
    store.go_away();
    let (stack, mut runs) = stack(&DedupLayer::shared(store.clone()));
    for id in 0..50 {
        // The last one comes a millisecond before the second is over.
        if id == 49 {
            advance(Duration::from_millis(999)).await;
        }
        let delivery = stack.deliver(&text("user", &format!("1{id}"), "hi")).await;
        runs.next().await.1.send(Ok(ok("reply"))).unwrap();
        check(&delivery.await.unwrap(), 200, "reply");
    }
    assert_eq!(store.all_calls(), 3);
    advance(Duration::from_millis(1)).await;
    settle().await;
    assert!(store.all_calls() > 3, "the store is asked again");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_fails_closed_runs_no_message_without_its_store() {
    let store = Faulty::new();
    store.go_away();
    let builder = DedupLayer::builder().with_store(store.clone());
    let (stack, mut runs) = stack(&builder.with_fail_closed().build());
    let begun = Instant::now();
    let first = stack.deliver(&text("user", "1", "hi")).await;
    check(&first.await.unwrap(), 503, "");
    assert_eq!(begun.elapsed(), Duration::from_secs(6));
    runs.check_none();

    let second = stack.deliver(&text("user", "1", "hi")).await;
    store.come_back();
    pass(1_500).await;
    runs.next().await.1.send(Ok(ok("reply"))).unwrap();
    check(&second.await.unwrap(), 200, "reply");
}

#[tokio::test(start_paused = true)]
async fn drain_turns_new_messages_away_and_waits_for_the_running_ones() {
    let store = MemoryStore::new();
    let layer = DedupLayer::shared(store.clone());
    let (a, mut runs) = stack(&layer);
    let first = a.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    let drained = tokio::spawn(async move { layer.drain(Duration::from_secs(20)).await });
    settle().await;
    let new = a.deliver(&text("user", "2", "hi")).await;
    check(&new.await.unwrap(), 503, "");
    runs.check_none();
    assert!(!drained.is_finished());
    verdict.send(Ok(ok("reply"))).unwrap();
    check(&first.await.unwrap(), 200, "reply");
    settle().await;
    assert!(drained.is_finished());
}

/// For hosts on which no task outlives the response.
#[tokio::test(start_paused = true)]
async fn an_inline_run_ends_before_its_delivery_is_answered() {
    let layer = DedupLayer::builder()
        .with_store(MemoryStore::new())
        .with_inline_runs()
        .build();
    let (stack, mut runs) = stack(&layer);
    let delivery = stack.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    pass(8_000).await;
    assert!(!delivery.is_finished(), "its run goes on");
    verdict.send(Ok(ok("reply"))).unwrap();
    pass(7_000).await;
    check(&delivery.await.unwrap(), 503, "");

    // The run is part of the delivery. When the delivery ends, the claim is released.
    let delivery = stack.deliver(&text("user", "2", "hi")).await;
    let (_, verdict) = runs.next().await;
    delivery.abort();
    pass(100).await;
    assert!(verdict.is_closed());
    let again = stack.deliver(&text("user", "2", "hi")).await;
    runs.next().await.1.send(Ok(ok("reply"))).unwrap();
    pass(100).await;
    check(&again.await.unwrap(), 200, "reply");
}

/// Another node runs the message for longer. The host may stop, or bill, what goes on after the answer.
#[tokio::test(start_paused = true)]
async fn an_inline_delivery_ends_with_its_acknowledgement() {
    let store = MemoryStore::new();
    let (runner, mut runs) = stack(&DedupLayer::shared(store.clone()));
    runner.deliver(&text("user", "1", "hi")).await;
    let _verdict = runs.next().await;
    let builder = DedupLayer::builder().with_store(store).with_inline_runs();
    let (follower, _) = stack(&builder.with_reply_filter(|_| false).build());
    let arrival = Instant::now();
    let delivery = follower.deliver(&text("user", "1", "hi")).await;
    check(&delivery.await.unwrap(), 200, "success");
    assert_eq!(arrival.elapsed(), Duration::from_millis(4500));
}

/// Without a client, so that the reply is unfetched 6 s after the end of the run.
async fn finish_unfetched(stack: &impl Delivers, runs: &mut Runs) {
    stack.deliver(&text("user", "1", "hi")).await.abort();
    pass(1_000).await;
    runs.next().await.1.send(Ok(ok("reply"))).unwrap();
    settle().await;
}

/// As a Redis without persistence does when it restarts. No other node can have the reply.
#[tokio::test(start_paused = true)]
async fn a_reply_is_handed_over_though_the_store_has_forgotten_the_message() {
    let (store, late) = (Faulty::new(), Late::default());
    let layer = late.collect(DedupLayer::builder().with_store(store.clone()));
    let (stack, mut runs) = stack(&layer);
    finish_unfetched(&stack, &mut runs).await;
    pass(1_000).await;
    store.forget();
    pass(4_950).await;
    assert_eq!(late.causes(), []);
    pass(100).await;
    assert_eq!(late.causes(), [LateCause::Unfetched]);
    pass(60_000).await;
    assert_eq!(late.causes().len(), 1);
}

/// The same for a message that has been acknowledged.
#[tokio::test(start_paused = true)]
async fn an_acknowledged_reply_is_handed_over_though_the_store_has_forgotten_the_message() {
    let (store, late) = (Faulty::new(), Late::default());
    let builder = DedupLayer::builder().with_store(store.clone());
    let (stack, mut runs) = stack(&late.collect(builder.with_reply_filter(|_| false)));
    let first = stack.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    pass(4_500).await;
    check(&first.await.unwrap(), 200, "success");
    store.forget();
    verdict.send(Ok(ok("reply"))).unwrap();
    settle().await;
    assert_eq!(late.causes(), [LateCause::Acknowledged]);
}

/// The reply could not be published, so for the store the message still runs, by this very claim.
#[tokio::test(start_paused = true)]
async fn a_reply_is_handed_over_though_the_store_takes_its_message_for_running() {
    let (store, late) = (Faulty::new(), Late::default());
    let layer = late.collect(DedupLayer::builder().with_store(store.clone()));
    let (stack, mut runs) = stack(&layer);
    store.fail(Operation::Complete);
    finish_unfetched(&stack, &mut runs).await;
    // An operation that succeeds, so that the node does not leave the store alone when it releases the reply.
    pass(5_500).await;
    stack.deliver(&text("user", "2", "hi")).await.abort();
    // It asks the store ten times more.
    pass(10_600).await;
    assert_eq!(late.causes(), [LateCause::Unfetched]);
}

/// The store goes away just before the end of the run, and comes back at any time.
#[tokio::test(start_paused = true)]
async fn replies_are_handed_over_once_whenever_the_store_comes_back() {
    for back in (0..=8_000).step_by(100) {
        let (store, late) = (Faulty::new(), Late::default());
        let layer = late.collect(DedupLayer::builder().with_store(store.clone()));
        let (stack, mut runs) = stack(&layer);
        let mut verdicts = Vec::new();
        for number in 0..11 {
            let message = text("user", &number.to_string(), "hi");
            stack.deliver(&message).await.abort();
            verdicts.push(runs.next().await.1);
        }
        pass(900).await;
        store.go_away();
        pass(100).await;
        for verdict in verdicts {
            verdict.send(Ok(ok("reply"))).unwrap();
        }
        pass(back).await;
        store.come_back();
        pass(20_000 - back).await;
        assert_eq!(
            late.causes(),
            [LateCause::Unfetched; 11],
            "back after {back} ms"
        );
    }
}

/// A store that answers with the longest times there are.
struct Endless;

impl Store for Endless {
    type Error = Infallible;

    async fn claim(&self, _: Claim) -> Result<Found, Infallible> {
        let (age, lease) = (Duration::MAX, Duration::MAX);
        Ok(Found::new(Claimed::Running { age, lease }, None))
    }

    async fn renew(&self, _: Claim, _: Run) -> Result<Renewed, Infallible> {
        Ok(Renewed::Yours)
    }

    async fn complete(&self, _: Claim, _: Ending) -> Result<Completed, Infallible> {
        Ok(Completed::Stored)
    }

    async fn acknowledge(&self, _: Claim) -> Result<Acknowledged, Infallible> {
        Ok(Acknowledged::Recorded)
    }

    async fn release(&self, _: Claim) -> Result<Released, Infallible> {
        Ok(Released::HeldElsewhere)
    }
}

/// A panic of the message's task would lose the run, and the delivery would give up at once.
#[tokio::test(start_paused = true)]
async fn no_lease_is_too_long() {
    let (stack, mut runs) = stack(&DedupLayer::shared(Endless));
    let begun = Instant::now();
    let delivery = stack.deliver(&text("user", "1", "hi")).await;
    check(&delivery.await.unwrap(), 503, "");
    assert_eq!(begun.elapsed(), Duration::from_secs(6));
    runs.check_none();
}
