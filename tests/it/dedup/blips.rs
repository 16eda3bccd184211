//! Short failures: a store that misses one question, and a handler that blocks its thread.

use std::time::Instant;

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

/// With a thread of its own to spare, the renewal does not depend on the handler's.
#[test]
fn the_lease_is_renewed_beside_a_handler_that_blocks_its_thread() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let store = Faulty::new();
    let service = DedupLayer::shared(store.clone()).layer(service_fn({
        let store = store.clone();
        move |_: Request<Verified>| {
            let store = store.clone();
            async move {
                let begun = Instant::now();
                while store.calls(Operation::Renew) == 0 && begun.elapsed().as_secs() < 10 {
                    std::thread::yield_now();
                }
                let is_renewed = store.calls(Operation::Renew) > 0;
                Ok::<_, Infallible>(ok(if is_renewed { "renewed" } else { "lost" }))
            }
        }
    }));
    let answer = runtime.block_on(async {
        let request = Request::new(assume(text("user", "1", "hi")));
        tokio::spawn(service.oneshot(request)).await.unwrap()
    });
    assert_eq!(answer.unwrap().body().as_bytes(), b"renewed");
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
