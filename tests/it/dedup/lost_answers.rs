//! When a node stops asking the store: it has lost answers, or nobody waits for them.

use tower_wechat::{dedup::Acknowledgement, late::LateCause};

use super::{faulty::Operation, late::Late, nodes::pass, *};

/// Two nodes that share a store, and one hook.
fn nodes(store: &Faulty, late: &Late) -> [(impl Delivers + use<>, Runs); 2] {
    nodes_by([store; 2], late)
}

/// Likewise, each by its own way to the store.
fn nodes_by(ways: [&Faulty; 2], late: &Late) -> [(impl Delivers + use<>, Runs); 2] {
    ways.map(|way| stack(&late.collect(DedupLayer::builder().with_store(way.clone()))))
}

/// Delivers a message to the node that runs it. WeChat hangs up, and 10 s after the delivery its last one is due.
async fn run_until_the_last_delivery(
    node: &impl Delivers,
    runs: &mut Runs,
) -> oneshot::Sender<Verdict> {
    let first = node.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    pass(5_000).await;
    first.abort();
    pass(5_000).await;
    verdict
}

/// It holds the reply without knowing, and the other node has been told so. If it only released it, nobody would send it.
#[tokio::test(start_paused = true)]
async fn a_node_whose_deliveries_have_left_asks_until_it_knows_whether_it_holds_the_reply() {
    let (store, late) = (Faulty::new(), Late::default());
    let [(a, mut runs), (b, _)] = nodes(&store, &late);
    let first = a.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    let second = b.deliver(&text("user", "1", "hi")).await;
    pass(200).await;
    first.abort();
    second.abort();
    let never = Duration::from_hours(1);
    store.delay(Operation::Claim, Duration::ZERO, never);
    store.delay(Operation::Release, never, Duration::ZERO);
    verdict.send(Ok(ok("reply"))).unwrap();
    // Now the node that ran the message releases the reply.
    pass(5_950).await;
    store.delay(Operation::Release, Duration::ZERO, Duration::ZERO);
    pass(1_000).await;
    assert_eq!(late.causes(), []);
    store.delay(Operation::Claim, Duration::ZERO, Duration::ZERO);
    pass(30_000).await;
    assert_eq!(late.causes(), [LateCause::Unfetched]);
}

/// It holds the reply, and the other node has left the reply to it. For a while, nothing but the answer with the reply is lost.
#[tokio::test(start_paused = true)]
async fn a_node_that_was_left_a_reply_asks_for_it_until_it_has_it() {
    let (store, late) = (Faulty::new(), Late::default());
    let [(a, mut runs), (b, _)] = nodes(&store, &late);
    let first = a.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    let second = b.deliver(&text("user", "1", "hi")).await;
    pass(200).await;
    first.abort();
    second.abort();
    store.delay(Operation::Claim, Duration::ZERO, Duration::from_hours(1));
    verdict.send(Ok(ok("reply"))).unwrap();
    // The other node has given up the claim by then.
    pass(20_000).await;
    assert_eq!(late.causes(), []);
    store.delay(Operation::Claim, Duration::ZERO, Duration::ZERO);
    pass(30_000).await;
    assert_eq!(late.causes(), [LateCause::Unfetched]);
}

/// The lease, and the time for which a node that holds a reply may wait for a delivery.
#[tokio::test(start_paused = true)]
async fn a_node_whose_deliveries_have_left_gives_up_a_store_that_stays_away() {
    let store = Faulty::new();
    store.go_away();
    let builder = DedupLayer::builder().with_store(store.clone());
    let (stack, _runs) = stack(&builder.with_fail_closed().build());
    stack.deliver(&text("user", "1", "hi")).await.abort();
    pass(13_000).await;
    let asked = store.calls(Operation::Claim);
    pass(5_000).await;
    assert_eq!(store.calls(Operation::Claim), asked);
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_deliveries_have_left_leaves_the_message_to_the_other_node() {
    let (store, late) = (Faulty::new(), Late::default());
    let [(a, mut runs), (b, _)] = nodes(&store, &late);
    let _first = a.deliver(&text("user", "1", "hi")).await;
    let _held = runs.next().await;
    let second = b.deliver(&text("user", "1", "hi")).await;
    pass(200).await;
    second.abort();
    pass(1_000).await;
    let asked = store.calls(Operation::Claim);
    pass(3_000).await;
    assert_eq!(store.calls(Operation::Claim), asked);
}

/// It does not matter whose it is: nobody would send it.
#[tokio::test(start_paused = true)]
async fn a_silent_reply_is_released_once() {
    let (store, late) = (Faulty::new(), Late::default());
    let builder = DedupLayer::builder().with_store(store.clone());
    let builder = builder.with_acknowledgement(Acknowledgement::FirstDelivery);
    let (node, mut runs) = stack(&late.collect(builder));
    let delivery = node.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    check(&delivery.await.unwrap(), 200, "success");
    store.fail(Operation::Complete);
    store.fail(Operation::Release);
    verdict.send(Ok(ok("success"))).unwrap();
    pass(60_000).await;
    assert_eq!(store.calls(Operation::Release), 1);
    assert_eq!(late.causes(), []);
}

/// It knows the reply by now, and no other node asks whose it is.
#[tokio::test(start_paused = true)]
async fn a_store_that_has_kept_a_fetched_reply_is_not_told_again() {
    let (store, late) = (Faulty::new(), Late::default());
    let [(a, mut runs), _] = nodes(&store, &late);
    let delivery = a.deliver(&text("user", "1", "hi")).await;
    runs.next().await.1.send(Ok(ok("reply"))).unwrap();
    check(&delivery.await.unwrap(), 200, "reply");
    pass(5_000).await;
    assert_eq!(store.calls(Operation::Complete), 1);
}

/// A node has acknowledged the message without the store, while another one ran it. It looks for the reply once the other one's
/// deliveries are done, and the store carries that out without an answer. Neither node leaves the reply to the other then.
#[tokio::test(start_paused = true)]
async fn a_node_that_looks_once_more_for_a_reply_does_not_keep_it_from_the_others() {
    for lost_from in (24_000..=30_000).step_by(250) {
        let (store, late) = (Faulty::new(), Late::default());
        let way = store.beside();
        let node =
            |store: &Faulty| stack(&late.collect(DedupLayer::builder().with_store(store.clone())));
        let ((a, mut runs_a), (b, mut runs_b)) = (node(&store), node(&way));
        let start = Instant::now();
        let until = async |milliseconds| {
            let left = (start + Duration::from_millis(milliseconds)) - Instant::now();
            pass(u64::try_from(left.as_millis()).unwrap()).await;
        };

        let first = a.deliver(&text("user", "1", "hi")).await;
        let (_, verdict) = runs_a.next().await;
        until(5_000).await;
        first.abort();
        until(10_000).await;
        let last = b.deliver(&text("user", "1", "hi")).await;
        until(11_000).await;
        way.go_away();
        until(17_000).await;
        check(&last.await.unwrap(), 200, "success");
        let _held = runs_b.next().await;
        verdict.send(Ok(ok("reply"))).unwrap();
        until(18_000).await;
        way.come_back();
        until(20_500).await;
        // No answer to the first node's question whose the reply is.
        store.go_away();
        until(lost_from).await;
        let never = Duration::from_hours(1);
        way.delay(Operation::Claim, Duration::ZERO, never);
        until(lost_from + 1_000).await;
        way.delay(Operation::Claim, Duration::ZERO, Duration::ZERO);
        until(31_500).await;
        store.come_back();
        until(90_000).await;
        let causes = late.causes();
        assert_eq!(causes.len(), 1, "{lost_from}: {causes:?}");
    }
}

/// A node has acknowledged the message without the store, while another one ran it. The other one's deliveries get nothing, so that
/// node sends the reply.
#[tokio::test(start_paused = true)]
async fn a_node_leaves_a_reply_to_the_one_that_sends_it_after_its_deliveries() {
    let (store, late) = (Faulty::new(), Late::default());
    let way = store.beside();
    let [(a, mut runs), (b, _)] = nodes_by([&store, &way], &late);
    let verdict = run_until_the_last_delivery(&a, &mut runs).await;
    let last = b.deliver(&text("user", "1", "hi")).await;
    pass(1_000).await;
    way.go_away();
    check(&last.await.unwrap(), 200, "success");
    way.come_back();
    pass(4_000).await;
    verdict.send(Ok(ok("reply"))).unwrap();
    pass(60_000).await;
    assert_eq!(late.causes(), [LateCause::Unfetched]);
}

/// It acknowledges the message without the store, which keeps the reply meanwhile. A delivery of the other node gets it, and this
/// node need not ask again later: it has run the message.
#[tokio::test(start_paused = true)]
async fn a_node_that_has_run_the_message_leaves_the_reply_to_the_other_ones_delivery() {
    let (store, late) = (Faulty::new(), Late::default());
    let way = store.beside();
    let [(a, mut runs), (b, _)] = nodes_by([&way, &store], &late);
    let verdict = run_until_the_last_delivery(&a, &mut runs).await;
    let last = a.deliver(&text("user", "1", "hi")).await;
    pass(2_000).await;
    let beside = b.deliver(&text("user", "1", "hi")).await;
    pass(2_400).await;
    way.fail(Operation::Acknowledge);
    way.delay(
        Operation::Complete,
        Duration::ZERO,
        Duration::from_millis(200),
    );
    verdict.send(Ok(ok("reply"))).unwrap();
    check(&last.await.unwrap(), 200, "success");
    check(&beside.await.unwrap(), 200, "reply");
    pass(60_000).await;
    assert_eq!(late.causes(), []);
}
