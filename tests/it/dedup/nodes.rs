//! Several nodes with one store, and a store that is away.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tower_wechat::dedup::{
    Outcome,
    store::{Acknowledged, Claim, Completed, MemoryStore, Owner, Store, Times},
};

use super::*;

/// Lets time go by as it does: no task sleeps through a renewal.
async fn pass(millis: u64) {
    for _ in 0..millis.div_ceil(50) {
        advance(Duration::from_millis(50)).await;
        settle().await;
    }
}

/// Two nodes that share `store`.
fn nodes<St: Store + Clone>(store: &St) -> [((impl Delivers, Runs), DedupLayer<St>); 2] {
    [(); 2].map(|()| {
        let layer = DedupLayer::with_store(store.clone());
        (stack(&layer), layer)
    })
}

#[tokio::test(start_paused = true)]
async fn a_retry_on_another_node_joins_the_run_and_gets_its_reply() {
    let [((a, mut runs), _), ((b, mut none), _)] = nodes(&MemoryStore::new());
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
    // And one that comes later finds it on either node.
    for node in [
        &a.deliver(&text("user", "1", "hi")).await,
        &b.deliver(&text("user", "1", "hi")).await,
    ] {
        assert!(node.is_finished());
    }
}

#[tokio::test(start_paused = true)]
async fn acknowledging_on_one_node_hands_the_reply_over_on_the_other() {
    let store = MemoryStore::new();
    let late = Arc::new(AtomicUsize::new(0));
    let layer = DedupLayer::with_store(store.clone()).with_late_reply({
        let late = Arc::clone(&late);
        move |_| {
            late.fetch_add(1, Ordering::Relaxed);
            std::future::ready(())
        }
    });
    let (a, mut runs) = stack(&layer);
    let (b, _) = stack(&DedupLayer::with_store(store));
    let first = a.deliver(&text("user", "1", "hi")).await;
    pass(10_000).await;
    drop(first);
    // It is new to this node; the store knows how old it is.
    let last = b.deliver(&text("user", "1", "hi")).await;
    pass(4_500).await;
    check(&last.await.unwrap(), 200, "success");
    let (_, verdict) = runs.next().await;
    verdict.send(Ok(ok("reply"))).unwrap();
    pass(100).await;
    assert_eq!(late.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_lost_is_followed_by_another_with_a_later_run() {
    let store = MemoryStore::new();
    let (b, mut runs) = stack(&DedupLayer::with_store(store.clone()));
    // A node with a runtime of its own, on a thread of its own: it claims, and dies without a word.
    let key = Key::of(&Request::new(Verified::assume(text("user", "1", "hi"))));
    let lost = Owner::random();
    let times = Times::new(
        Duration::from_secs(5),
        Duration::from_secs(60),
        Duration::from_secs(600),
    );
    assert!(matches!(
        store.claim(key, lost, times).await,
        Ok(Claim::Run { number: 1, .. })
    ));
    let delivery = b.deliver(&text("user", "1", "hi")).await;
    pass(4_900).await;
    runs.check_none();
    delivery.abort();
    let retry = b.deliver(&text("user", "1", "hi")).await;
    pass(500).await;
    let (run, verdict) = runs.next().await;
    assert!(
        run.number() > 3,
        "later than all that the first node may have done: {run:?}"
    );
    // It was not dead but slow, and finds that it is too late.
    assert_eq!(store.renew(key, lost, 1, times).await, Ok(false));
    let outcome = Outcome::success();
    assert_eq!(
        store.complete(key, lost, &outcome, false, times).await,
        Ok(Completed::Lost)
    );
    verdict.send(Ok(ok("reply"))).unwrap();
    check(&retry.await.unwrap(), 200, "reply");
}

/// WeChat has been told not to come again, so the node that said so sees to it that the message is run.
#[tokio::test(start_paused = true)]
async fn what_a_node_has_acknowledged_it_takes_over_from_one_that_is_lost() {
    let store = MemoryStore::new();
    let late = Arc::new(AtomicUsize::new(0));
    let layer = DedupLayer::with_store(store.clone())
        .with_answerable(|_| false)
        .with_late_reply({
            let late = Arc::clone(&late);
            move |_| {
                late.fetch_add(1, Ordering::Relaxed);
                std::future::ready(())
            }
        });
    let (b, mut runs) = stack(&layer);
    let key = Key::of(&Request::new(Verified::assume(text("user", "1", "hi"))));
    let minute = Duration::from_secs(60);
    let times = Times::new(Duration::from_secs(5), minute, 10 * minute);
    store.claim(key, Owner::random(), times).await.unwrap();
    let delivery = b.deliver(&text("user", "1", "hi")).await;
    pass(4_500).await;
    check(&delivery.await.unwrap(), 200, "success");
    pass(1_000).await;
    let verdict = runs.verdict().expect("a run");
    verdict.send(Ok(ok("reply"))).unwrap();
    pass(100).await;
    assert_eq!(late.load(Ordering::Relaxed), 1);
    let retry = b.deliver(&text("user", "1", "hi")).await;
    check(&retry.await.unwrap(), 200, "success");
    runs.check_none();
}

/// The other node goes on, for all that this one knows, until its lease is over.
#[tokio::test(start_paused = true)]
async fn a_store_that_goes_away_does_not_end_another_nodes_lease() {
    let store = Flaky::default();
    let [((a, mut runs), _), ((b, mut others), _)] = nodes(&store);
    let _first = a.deliver(&text("user", "1", "hi")).await;
    let _held = runs.next().await;
    let _second = b.deliver(&text("user", "1", "hi")).await;
    pass(1_000).await;
    store.is_away.store(true, Ordering::Relaxed);
    pass(3_000).await;
    others.check_none();
    pass(2_500).await;
    others.verdict().expect("a run");
}

/// A store that is away as long as somebody says so.
#[derive(Clone, Default)]
struct Flaky {
    store: MemoryStore,
    is_away: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
}

impl Flaky {
    async fn unless_away<T>(
        &self,
        operation: impl Future<Output = Result<T, Infallible>>,
    ) -> Result<T, BoxError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if self.is_away.load(Ordering::Relaxed) {
            return Err("out of town".into());
        }
        operation.await.map_err(Into::into)
    }
}

impl Store for Flaky {
    type Error = BoxError;

    async fn claim(&self, key: Key, owner: Owner, times: Times) -> Result<Claim, BoxError> {
        self.unless_away(async { self.store.claim(key, owner, times).await })
            .await
    }

    async fn renew(
        &self,
        key: Key,
        owner: Owner,
        number: u32,
        times: Times,
    ) -> Result<bool, BoxError> {
        self.unless_away(async { self.store.renew(key, owner, number, times).await })
            .await
    }

    async fn complete(
        &self,
        key: Key,
        owner: Owner,
        outcome: &Outcome,
        acknowledged: bool,
        times: Times,
    ) -> Result<Completed, BoxError> {
        self.unless_away(async {
            self.store
                .complete(key, owner, outcome, acknowledged, times)
                .await
        })
        .await
    }

    async fn acknowledge(&self, key: Key, owner: Owner) -> Result<Acknowledged, BoxError> {
        self.unless_away(async { self.store.acknowledge(key, owner).await })
            .await
    }

    async fn release(&self, key: Key, owner: Owner) -> Result<bool, BoxError> {
        self.unless_away(async { self.store.release(key, owner).await })
            .await
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_away_a_node_goes_on_alone_and_tells_it_afterwards() {
    let store = Flaky::default();
    let [((a, mut runs), _), ((b, mut none), _)] = nodes(&store);
    store.is_away.store(true, Ordering::Relaxed);
    let first = a.deliver(&text("user", "1", "hi")).await;
    runs.next().await.1.send(Ok(ok("reply"))).unwrap();
    check(&first.await.unwrap(), 200, "reply");
    let again = a.deliver(&text("user", "1", "hi")).await;
    check(&again.await.unwrap(), 200, "reply");

    store.is_away.store(false, Ordering::Relaxed);
    pass(2_000).await;
    let elsewhere = b.deliver(&text("user", "1", "hi")).await;
    check(&elsewhere.await.unwrap(), 200, "reply");
    none.check_none();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_three_times_is_left_alone_for_a_second() {
    let store = Flaky::default();
    store.is_away.store(true, Ordering::Relaxed);
    let (stack, mut runs) = stack(&DedupLayer::with_store(store.clone()));
    for id in 0..50 {
        let delivery = stack.deliver(&text("user", &format!("1{id}"), "hi")).await;
        runs.next().await.1.send(Ok(ok("reply"))).unwrap();
        check(&delivery.await.unwrap(), 200, "reply");
    }
    assert_eq!(store.calls.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_fails_closed_runs_nothing_without_its_store() {
    let store = Flaky::default();
    store.is_away.store(true, Ordering::Relaxed);
    let (stack, mut runs) = stack(&DedupLayer::with_store(store.clone()).with_fail_closed());
    let begun = Instant::now();
    let first = stack.deliver(&text("user", "1", "hi")).await;
    check(&first.await.unwrap(), 503, "");
    assert_eq!(begun.elapsed(), Duration::from_secs(6));
    runs.check_none();

    let second = stack.deliver(&text("user", "1", "hi")).await;
    store.is_away.store(false, Ordering::Relaxed);
    pass(1_500).await;
    runs.next().await.1.send(Ok(ok("reply"))).unwrap();
    check(&second.await.unwrap(), 200, "reply");
}

#[tokio::test(start_paused = true)]
async fn draining_refuses_what_is_new_and_waits_for_the_rest() {
    let store = MemoryStore::new();
    let layer = DedupLayer::with_store(store.clone());
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

#[tokio::test(start_paused = true)]
async fn what_does_not_end_in_time_is_cut_and_given_to_the_other_nodes_at_once() {
    let store = MemoryStore::new();
    let layer = DedupLayer::with_store(store.clone());
    let (a, mut runs) = stack(&layer);
    let (b, mut elsewhere) = stack(&DedupLayer::with_store(store));
    let _first = a.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    let drained = tokio::spawn(async move { layer.drain(Duration::from_secs(1)).await });
    pass(1_100).await;
    assert!(
        drained.is_finished() && verdict.is_closed(),
        "the run is gone"
    );
    let retry = b.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = elsewhere.next().await;
    verdict.send(Ok(ok("reply"))).unwrap();
    check(&retry.await.unwrap(), 200, "reply");
}

/// On a host where nothing goes on after the response.
#[tokio::test(start_paused = true)]
async fn an_inline_run_ends_before_its_delivery_is_answered() {
    let layer = DedupLayer::with_store(MemoryStore::new()).with_inline_runs();
    let (stack, mut runs) = stack(&layer);
    let delivery = stack.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    pass(8_000).await;
    assert!(!delivery.is_finished(), "its run goes on");
    verdict.send(Ok(ok("reply"))).unwrap();
    pass(7_000).await;
    check(&delivery.await.unwrap(), 503, "");

    // The delivery is the run: with it, the claim goes.
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
