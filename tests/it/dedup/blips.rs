//! Short failures: a store that misses one question, and a handler that blocks its thread.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
    mpsc,
};

use tokio::time::{interval, timeout};
use tower_wechat::dedup::store::{self, ClaimId, MemoryStore, Store};

use super::{
    faulty::{Faulty, Operation},
    nodes::pass,
    *,
};

#[tokio::test(start_paused = true)]
async fn a_store_that_misses_one_claim_does_not_make_a_second_run() {
    let store = Faulty::new();
    let [(a, mut runs), (b, mut none)] =
        [(); 2].map(|()| stack(&DedupLayer::shared(store.clone())));
    store.go_away();
    let first = a.deliver(&text("user", "1", "hi")).await;
    store.come_back();
    let second = b.deliver(&text("user", "1", "hi")).await;
    // The first node asks again, and finds that the other one has claimed the message meanwhile.
    let (_, verdict) = none.next().await;
    pass(1_000).await;
    runs.check_none();
    verdict.send(Ok(ok("reply"))).unwrap();
    pass(1_000).await;
    check(&first.await.unwrap(), 200, "reply");
    check(&second.await.unwrap(), 200, "reply");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_known_to_be_away_is_not_asked() {
    let store = Faulty::new();
    let (a, mut runs) = stack(&DedupLayer::shared(store.clone()));
    store.go_away();
    let _first = a.deliver(&text("user", "1", "hi")).await;
    pass(500).await;
    let _first_run = runs.next().await;
    let asked = store.calls(Operation::Claim);
    let _second = a.deliver(&text("user", "2", "hi")).await;
    let _second_run = runs.next().await;
    assert_eq!(store.calls(Operation::Claim), asked);
}

/// With a thread of its own to spare, the renewal does not depend on the handler's. So no other node runs the message.
#[test]
fn a_handler_may_block_its_thread_for_longer_than_a_lease() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let (store, runs) = (Faulty::new(), Arc::new(AtomicU32::new(0)));
    let (unblock, blocked) = mpsc::channel::<Infallible>();
    let blocked = Arc::new(Mutex::new(blocked));
    let [a, b] = [(); 2].map(|()| {
        let (runs, blocked) = (Arc::clone(&runs), Arc::clone(&blocked));
        DedupLayer::shared(store.clone()).layer(service_fn(move |_: Request<Verified>| {
            runs.fetch_add(1, Ordering::SeqCst);
            // Until the sender is dropped.
            let _ = blocked.lock().unwrap().recv();
            async { Ok::<_, Infallible>(ok("reply")) }
        }))
    });
    let request = || Request::new(assume(text("user", "1", "hi")));
    let answer = runtime.block_on(async {
        let reach = async |operation, calls| {
            let mut looks = interval(Duration::from_millis(50));
            let reached = async {
                while store.calls(operation) < calls {
                    looks.tick().await;
                }
            };
            timeout(Duration::from_secs(20), reached).await.unwrap();
        };
        tokio::spawn(a.oneshot(request()));
        // One a second. The lease is one of 5 s.
        reach(Operation::Renew, 6).await;
        let second = tokio::spawn(b.oneshot(request()));
        reach(Operation::Claim, 2).await;
        drop(unblock);
        second.await.unwrap()
    });
    assert_eq!(answer.unwrap().body().as_bytes(), b"reply");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

/// A full `MemoryStore` forgets messages that have ended. It never forgets a running one.
#[tokio::test(start_paused = true)]
async fn a_memory_store_is_bounded() {
    let store = MemoryStore::new();
    let ttls = store::Ttls::new(Duration::from_secs(5));
    let claim = |number: u32| {
        let key = Key::new([number.to_be_bytes()]);
        store::Claim::new(key, ClaimId::random(), ttls)
    };
    let running = claim(0);
    store.claim(running).await.unwrap();
    for number in 1..150_000 {
        let claim = claim(number);
        store.claim(claim).await.unwrap();
        store.release(claim).await.unwrap();
        if number % 1000 == 0 {
            advance(Duration::from_millis(1)).await;
        }
    }
    let debug = format!("{store:?}");
    assert!(debug.contains("messages: 100000"), "{debug}");
    let again = store::Claim::new(running.key, ClaimId::random(), ttls);
    let claimed = store.claim(again).await.unwrap().claimed;
    assert!(
        matches!(claimed, store::Claimed::Running { .. }),
        "{claimed:?}"
    );
}
