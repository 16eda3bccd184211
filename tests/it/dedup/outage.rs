//! A store that is away while replies become late: who gives them, and how often.

use tower_wechat::dedup::Acknowledgement;

use super::{faulty::Operation, late::Late, nodes::pass, *};

/// Two nodes that share a store, and one hook.
fn nodes(store: &Faulty, late: &Late) -> [(impl Delivers + use<>, Runs); 2] {
    [(); 2].map(|()| stack(&late.collect(DedupLayer::builder().with_store(store.clone()))))
}

/// Lets one node hand a reply over, for as many seconds as its hook `takes`, while another one watches the lease. Returns the
/// first one's way to the store.
async fn hand_over_while_watched(late: &Late, takes: u64) -> Faulty {
    let store = Faulty::new();
    let way = store.beside();
    let [(a, mut runs), (b, _)] = [&way, &store].map(|store| {
        let builder = DedupLayer::builder().with_store(store.clone());
        let builder = builder.with_acknowledgement(Acknowledgement::FirstDelivery);
        stack(&late.collect_slowly(builder, Duration::from_secs(takes)))
    });
    let first = a.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    check(&first.await.unwrap(), 200, "success");
    verdict.send(Ok(ok("reply"))).unwrap();
    pass(1_000).await;
    let second = b.deliver(&text("user", "1", "hi")).await;
    check(&second.await.unwrap(), 200, "success");
    way
}

#[cfg(feature = "tracing")]
#[track_caller]
fn check_warned_once(log: &str) {
    let warnings = log
        .lines()
        .filter(|line| line.contains("may be given twice"));
    assert_eq!(warnings.count(), 1, "{log}");
}

/// Lets the node run the message until the store goes away and WeChat hangs up, at 5 s.
async fn run_until_the_store_is_away(
    node: &impl Delivers,
    runs: &mut Runs,
    store: &Faulty,
) -> oneshot::Sender<Verdict> {
    let first = node.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    pass(4_500).await;
    store.go_away();
    pass(500).await;
    first.abort();
    verdict
}

/// Lets the node run the message while the store is away, and the client leave after a second.
async fn run_alone(node: &impl Delivers, runs: &mut Runs) -> oneshot::Sender<Verdict> {
    // A node asks three times before it runs a message alone.
    let delivery = node.deliver(&text("user", "1", "hi")).await;
    pass(1_000).await;
    delivery.abort();
    runs.next().await.1
}

/// Lets both nodes run the message while the store is away, and the second one end its run. Then the store is back, and hears from
/// the first one, whose verdict is returned, that it still runs the message.
async fn end_one_of_two_runs<D: Delivers>(
    (a, runs_a): (&D, &mut Runs),
    (b, runs_b): (&D, &mut Runs),
    store: &Faulty,
) -> oneshot::Sender<Verdict> {
    store.go_away();
    let verdict_a = run_alone(a, runs_a).await;
    let verdict_b = run_alone(b, runs_b).await;
    // The first node tells the store first, which it does every second.
    pass(450).await;
    verdict_b.send(Ok(ok("reply of b"))).unwrap();
    pass(50).await;
    store.come_back();
    verdict_a
}

/// Both nodes run the message while the store is away, and every client leaves. The hook gets one of the replies.
#[tokio::test(start_paused = true)]
async fn a_reply_is_handed_over_once_if_the_store_is_back_within_ten_tries() {
    for back in (0..=16_000).step_by(500) {
        let (store, late) = (Faulty::new(), Late::default());
        let [(a, mut runs_a), (b, mut runs_b)] = nodes(&store, &late);
        store.go_away();
        let verdict_a = run_alone(&a, &mut runs_a).await;
        let verdict_b = run_alone(&b, &mut runs_b).await;
        verdict_a.send(Ok(ok("reply of a"))).unwrap();
        pass(200).await;
        verdict_b.send(Ok(ok("reply of b"))).unwrap();
        pass(back).await;
        store.come_back();
        pass(40_000).await;
        let expected = if back < 15_000 { 1 } else { 2 };
        // Between them, it depends on when the store is next asked.
        if !(14_500..16_500).contains(&back) {
            assert_eq!(late.causes().len(), expected, "back after {back} ms");
        }
        assert!(!late.causes().is_empty(), "back after {back} ms");
    }
}

/// The store goes away while one node runs the message. The retry reaches the other node, which runs it as well, and its
/// delivery gets the reply.
#[tokio::test(start_paused = true)]
async fn a_reply_that_a_delivery_of_another_node_has_got_is_not_handed_over() {
    for back in (0..=9_000).step_by(500) {
        let (store, late) = (Faulty::new(), Late::default());
        let [(a, mut runs_a), (b, mut runs_b)] = nodes(&store, &late);
        let verdict_a = run_until_the_store_is_away(&a, &mut runs_a, &store).await;
        verdict_a.send(Ok(ok("reply of a"))).unwrap();
        let second = b.deliver(&text("user", "1", "hi")).await;
        let (_, verdict_b) = runs_b.next().await;
        verdict_b.send(Ok(ok("reply of b"))).unwrap();
        check(&second.await.unwrap(), 200, "reply of b");
        pass(back).await;
        store.come_back();
        pass(40_000).await;
        assert_eq!(late.causes(), [], "back after {back} ms");
    }
}

/// The store does not come back: the node hands over what it has, and says so.
#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn the_log_warns_of_a_reply_that_may_be_given_twice() {
    let log = crate::log::of(async || {
        let (store, late) = (Faulty::new(), Late::default());
        let (stack, mut runs) =
            stack(&late.collect(DedupLayer::builder().with_store(store.clone())));
        store.go_away();
        let delivery = stack.deliver(&text("user", "1", "hi")).await;
        pass(500).await;
        let (_, verdict) = runs.next().await;
        delivery.abort();
        verdict.send(Ok(ok("reply"))).unwrap();
        pass(15_500).await;
        assert_eq!(late.causes(), []);
        pass(1_000).await;
        assert_eq!(late.causes(), [tower_wechat::late::LateCause::Unfetched]);
        pass(10_000).await;
    })
    .await;
    check_warned_once(&log);
}

/// Likewise, if the store loses its data twice: after the node's last word, and while the other nodes may tell it again.
#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn the_log_warns_of_a_reply_that_the_store_has_lost() {
    let log = crate::log::of(async || {
        let (store, late) = (Faulty::new(), Late::default());
        let (stack, mut runs) =
            stack(&late.collect(DedupLayer::builder().with_store(store.clone())));
        let delivery = stack.deliver(&text("user", "1", "hi")).await;
        let (_, verdict) = runs.next().await;
        pass(500).await;
        delivery.abort();
        verdict.send(Ok(ok("reply"))).unwrap();
        pass(5_900).await;
        store.forget();
        pass(1_000).await;
        store.forget();
        pass(10_000).await;
        assert_eq!(late.causes(), [tower_wechat::late::LateCause::Unfetched]);
    })
    .await;
    check_warned_once(&log);
}

/// A node hands a reply over for longer than the store is away from it, so the other node does that too.
#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn the_log_warns_of_a_reply_whose_lease_another_node_has_taken_over() {
    let log = crate::log::of(async || {
        let late = Late::default();
        let way = hand_over_while_watched(&late, 20).await;
        way.go_away();
        pass(10_000).await;
        way.come_back();
        pass(60_000).await;
        assert_eq!(
            late.causes(),
            [tower_wechat::late::LateCause::Acknowledged; 2]
        );
    })
    .await;
    check_warned_once(&log);
}

/// The store is away for a moment just when a node has handed a reply over. The other node watches the lease.
#[tokio::test(start_paused = true)]
async fn a_store_that_is_back_before_the_lease_ends_hears_that_a_reply_was_handed_over() {
    let late = Late::default();
    let way = hand_over_while_watched(&late, 2).await;
    pass(500).await;
    way.go_away();
    pass(1_000).await;
    way.come_back();
    pass(60_000).await;
    assert_eq!(late.causes().len(), 1);
}

/// The store hears of the message when it is back, and then a delivery reaches the other node.
#[tokio::test(start_paused = true)]
async fn a_reply_that_was_handed_over_without_the_store_goes_nowhere_else() {
    for loses_data in [false, true] {
        let (store, late) = (Faulty::new(), Late::default());
        let [(a, mut runs_a), (b, mut runs_b)] = nodes(&store, &late);
        let verdict = run_until_the_store_is_away(&a, &mut runs_a, &store).await;
        verdict.send(Ok(ok("reply"))).unwrap();
        pass(20_000).await;
        assert_eq!(late.causes().len(), 1);
        if loses_data {
            store.forget();
        }
        store.come_back();
        pass(2_000).await;
        let last = b.deliver(&text("user", "1", "hi")).await;
        check(&last.await.unwrap(), 200, "success");
        runs_b.check_none();
        pass(40_000).await;
        assert_eq!(late.causes().len(), 1, "loses data: {loses_data}");
    }
}

/// Both nodes run the message, and a delivery of the first one gets its reply. The store loses its data once more while the
/// second one, whose client has left, still knows a reply.
#[tokio::test(start_paused = true)]
async fn a_reply_that_a_delivery_has_got_is_not_handed_over_after_data_is_lost_again() {
    // The second node hears of the first one's reply, or ends a run of its own.
    for ends_at in [None, Some(12_900)] {
        for forgets_at in (11_500..=22_000).step_by(500) {
            let (store, late) = (Faulty::new(), Late::default());
            let [(a, mut runs_a), (b, mut runs_b)] = nodes(&store, &late);
            let verdict_a = run_until_the_store_is_away(&a, &mut runs_a, &store).await;
            let second = b.deliver(&text("user", "1", "hi")).await;
            // It asks the store for 150 ms.
            let (_, verdict_b) = runs_b.next().await;
            pass(2_500).await;
            verdict_a.send(Ok(ok("reply of a"))).unwrap();
            pass(1_850).await;
            if ends_at.is_none() {
                store.come_back();
            }
            pass(500).await;
            second.abort();
            let third = a.deliver(&text("user", "1", "hi")).await;
            check(&third.await.unwrap(), 200, "reply of a");
            let mut verdict_b = Some(verdict_b);
            for now in (10_100..=40_000).step_by(100) {
                pass(100).await;
                // The second node is the first to tell the store.
                if now == 10_900 && ends_at.is_some() {
                    store.forget();
                    store.come_back();
                }
                if now == forgets_at {
                    store.forget();
                }
                if ends_at == Some(now) {
                    // It may have lost the message again.
                    _ = verdict_b.take().unwrap().send(Ok(ok("reply of b")));
                }
            }
            assert_eq!(late.causes(), [], "forgets at {forgets_at} ms, {ends_at:?}");
        }
    }
}

/// A node that has run the message while the store was away hears that another one still runs it. Then the store goes away
/// again and loses its data. Only the other one hands its reply over.
#[tokio::test(start_paused = true)]
async fn a_reply_is_left_to_the_node_that_runs_the_message() {
    for back_at in (8_000..=30_000).step_by(1_000) {
        let (store, late) = (Faulty::new(), Late::default());
        let [(a, mut runs_a), (b, mut runs_b)] = nodes(&store, &late);
        let verdict_a = end_one_of_two_runs((&a, &mut runs_a), (&b, &mut runs_b), &store).await;
        pass(4_500).await;
        store.go_away();
        pass(500).await;
        verdict_a.send(Ok(ok("reply of a"))).unwrap();
        pass(back_at - 7_500).await;
        store.forget();
        store.come_back();
        pass(40_000).await;
        assert_eq!(late.causes().len(), 1, "back at {back_at} ms");
    }
}

/// Two nodes run the message, and the one that has acknowledged it hands its reply over. Then the store loses its data, while
/// the other one still asks whose its own reply is.
#[tokio::test(start_paused = true)]
async fn a_reply_that_has_been_handed_over_is_not_handed_over_again() {
    for lasts in [0, 500, 3_000] {
        for forgets_after in (100..=4_000).step_by(100) {
            let (store, late) = (Faulty::new(), Late::default());
            let [(a, mut runs_a), (b, mut runs_b)] = nodes(&store, &late);
            let verdict_a = run_until_the_store_is_away(&a, &mut runs_a, &store).await;
            let second = b.deliver(&text("user", "1", "hi")).await;
            let (_, verdict_b) = runs_b.next().await;
            // The other node tells the store first.
            pass(1_900).await;
            verdict_a.send(Ok(ok("reply of a"))).unwrap();
            pass(50).await;
            store.forget();
            store.come_back();
            pass(7_500).await;
            second.abort();
            // It is 9.5 s old.
            let third = b.deliver(&text("user", "1", "hi")).await;
            pass(4_500).await;
            check(&third.await.unwrap(), 200, "success");
            verdict_b.send(Ok(ok("reply of b"))).unwrap();
            pass(forgets_after).await;
            store.go_away();
            store.forget();
            pass(lasts).await;
            store.come_back();
            pass(40_000).await;
            let causes = late.causes();
            assert_eq!(
                causes.len(),
                1,
                "after {forgets_after} ms for {lasts}: {causes:?}"
            );
        }
    }
}

/// The first node ends its run while the store is away, and nobody fetches the reply. The second one is known to the store
/// when it ends its own, and a delivery gets that reply. Then the store goes away again and loses its data.
#[tokio::test(start_paused = true)]
async fn a_reply_that_was_told_in_time_is_told_again() {
    for away_after in (100..=3_000).step_by(100) {
        let (store, late) = (Faulty::new(), Late::default());
        let [(a, mut runs_a), (b, mut runs_b)] = nodes(&store, &late);
        let verdict_a = run_until_the_store_is_away(&a, &mut runs_a, &store).await;
        let second = b.deliver(&text("user", "1", "hi")).await;
        let (_, verdict_b) = runs_b.next().await;
        verdict_a.send(Ok(ok("reply of a"))).unwrap();
        // The second node tells the store first.
        pass(900).await;
        store.forget();
        store.come_back();
        pass(1_900).await;
        verdict_b.send(Ok(ok("reply of b"))).unwrap();
        check(&second.await.unwrap(), 200, "reply of b");
        pass(away_after).await;
        store.go_away();
        store.forget();
        pass(4_000).await;
        store.come_back();
        pass(40_000).await;
        assert_eq!(late.causes(), [], "away after {away_after} ms");
    }
}

/// The store is away. A delivery of one node gets the reply, but WeChat has hung up. It sends the last delivery to the other
/// node, which runs the message as well and acknowledges it.
#[tokio::test(start_paused = true)]
async fn a_reply_that_was_sent_to_nobody_reaches_the_hook_of_the_node_that_acknowledges() {
    for back in (0..=30_000).step_by(500) {
        let (store, late) = (Faulty::new(), Late::default());
        let [(a, mut runs_a), _] = nodes(&store, &late);
        // It acknowledges as on the last delivery.
        let builder = DedupLayer::builder().with_store(store.clone());
        let builder = builder.with_acknowledgement(Acknowledgement::FirstDelivery);
        let (b, mut runs_b) = stack(&late.collect(builder));
        let verdict_a = run_until_the_store_is_away(&a, &mut runs_a, &store).await;
        let second = a.deliver(&text("user", "1", "hi")).await;
        pass(4_950).await;
        verdict_a.send(Ok(ok("reply of a"))).unwrap();
        check(&second.await.unwrap(), 200, "reply of a");
        let third = b.deliver(&text("user", "1", "hi")).await;
        let (_, _verdict_b) = runs_b.next().await;
        pass(back).await;
        store.come_back();
        pass(40_000).await;
        let (_, shown) = third.await.unwrap();
        let given = usize::from(shown == "reply of a") + late.causes().len();
        assert_eq!(given, 1, "back after {back} ms");
    }
}

/// The process stands still while it asks the store, which is away, whose its reply is.
#[tokio::test(start_paused = true)]
async fn a_node_that_stands_still_asks_as_often_as_another_one() {
    for back in (0..=7_500).step_by(500) {
        let (store, late) = (Faulty::new(), Late::default());
        let [(a, mut runs_a), (b, mut runs_b)] = nodes(&store, &late);
        let verdict_a = run_until_the_store_is_away(&a, &mut runs_a, &store).await;
        verdict_a.send(Ok(ok("reply of a"))).unwrap();
        let second = b.deliver(&text("user", "1", "hi")).await;
        let (_, verdict_b) = runs_b.next().await;
        verdict_b.send(Ok(ok("reply of b"))).unwrap();
        check(&second.await.unwrap(), 200, "reply of b");
        pass(7_000).await;
        advance(Duration::from_secs(20)).await;
        pass(back).await;
        store.come_back();
        pass(40_000).await;
        assert_eq!(late.causes(), [], "back after {back} ms");
    }
}

/// A node tells the store that its delivery has got another node's reply. The store goes away after a while, and loses its data
/// after it is back, when the node that has run the message has asked it once.
#[tokio::test(start_paused = true)]
async fn silence_does_not_count_as_a_reminder() {
    for away_after in (500..=3_500).step_by(1_000) {
        for forgets_after in (200..=2_000).step_by(100) {
            let (store, late) = (Faulty::new(), Late::default());
            let [(a, mut runs_a), (b, _)] = nodes(&store, &late);
            let first = a.deliver(&text("user", "1", "hi")).await;
            let (_, verdict_a) = runs_a.next().await;
            pass(5_000).await;
            first.abort();
            verdict_a.send(Ok(ok("reply of a"))).unwrap();
            let second = b.deliver(&text("user", "1", "hi")).await;
            check(&second.await.unwrap(), 200, "reply of a");
            pass(away_after).await;
            store.go_away();
            pass(11_000 - away_after).await;
            store.come_back();
            pass(forgets_after).await;
            store.forget();
            pass(40_000).await;
            let causes = late.causes();
            assert_eq!(
                causes,
                [],
                "away after {away_after} ms, forgets after {forgets_after} ms"
            );
        }
    }
}

/// Other messages have found it away just before.
#[tokio::test(start_paused = true)]
async fn a_reminder_is_tried_although_the_store_is_left_alone() {
    let (store, late) = (Faulty::new(), Late::default());
    let [(a, mut runs_a), (b, _runs_b)] = nodes(&store, &late);
    let first = a.deliver(&text("user", "1", "hi")).await;
    let (_, verdict_a) = runs_a.next().await;
    verdict_a.send(Ok(ok("reply of a"))).unwrap();
    check(&first.await.unwrap(), 200, "reply of a");
    let second = b.deliver(&text("user", "1", "hi")).await;
    check(&second.await.unwrap(), 200, "reply of a");
    pass(500).await;
    store.go_away();
    let _other = b.deliver(&text("user", "2", "hi")).await;
    pass(400).await;
    let asked = store.calls(Operation::Claim);
    pass(200).await;
    assert_eq!(store.calls(Operation::Claim), asked + 1);
}

/// A node has asked for long, since another one ran the message. When that one has ended, the store releases nothing any more.
#[tokio::test(start_paused = true)]
async fn a_node_that_has_waited_for_another_one_hands_its_reply_over_in_the_end() {
    let (store, late) = (Faulty::new(), Late::default());
    let [(a, mut runs_a), (b, mut runs_b)] = nodes(&store, &late);
    let verdict_a = end_one_of_two_runs((&a, &mut runs_a), (&b, &mut runs_b), &store).await;
    // It keeps the reply for a delivery for 6 s, then it asks.
    pass(21_000).await;
    store.fail(Operation::Release);
    verdict_a.send(Ok(ok("reply of a"))).unwrap();
    pass(60_000).await;
    assert_eq!(late.causes().len(), 2);
}
