//! A store that fails: how long a node leaves it alone, and what the log says of it.

use super::{
    faulty::{Faulty, Operation},
    *,
};

/// A node that runs nothing without the store's answer, so that it asks for nothing but claims. The store has just
/// failed the first of them three times.
async fn after_three_failures() -> (impl Delivers, Runs, Faulty) {
    let store = Faulty::new();
    let builder = DedupLayer::builder().with_store(store.clone());
    let (stack, runs) = stack(&builder.with_fail_closed().build());
    store.go_away();
    stack.deliver(&text("user", "1", "hi")).await;
    while store.calls(Operation::Claim) < 3 {
        advance(Duration::from_millis(1)).await;
        settle().await;
    }
    (stack, runs, store)
}

#[tokio::test(start_paused = true)]
async fn a_store_is_left_alone_for_a_second_after_three_failures() {
    let (stack, _runs, store) = after_three_failures().await;
    for (message, wait) in [("2", 0), ("3", 500), ("4", 499)] {
        advance(Duration::from_millis(wait)).await;
        stack.deliver(&text("user", message, "hi")).await;
        assert_eq!(store.calls(Operation::Claim), 3, "message {message}");
    }
    advance(Duration::from_millis(1)).await;
    stack.deliver(&text("user", "5", "hi")).await;
    assert!(store.calls(Operation::Claim) > 3);
}

/// An answer in between begins the count anew.
#[tokio::test(start_paused = true)]
async fn failures_that_are_not_in_a_row_do_not_count() {
    let store = Faulty::new();
    let builder = DedupLayer::builder().with_store(store.clone());
    let (stack, _runs) = stack(&builder.with_fail_closed().build());
    for message in 0..10 {
        let asked = store.calls(Operation::Claim);
        store.go_away();
        stack
            .deliver(&text("user", &message.to_string(), "hi"))
            .await;
        assert_eq!(
            store.calls(Operation::Claim),
            asked + 1,
            "message {message}"
        );
        store.come_back();
        advance(Duration::from_secs(1)).await;
        settle().await;
    }
}

#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn the_log_has_one_warning_when_the_store_fails_and_one_line_when_it_is_back() {
    let log = crate::log::of(async || {
        let (stack, mut runs, store) = after_three_failures().await;
        store.come_back();
        runs.next().await.1.send(Ok(ok("reply"))).unwrap();
        settle().await;
        // The store does all that it is asked, which is not news.
        let next = stack.deliver(&text("user", "2", "hi")).await;
        runs.next().await.1.send(Ok(ok("reply"))).unwrap();
        check(&next.await.unwrap(), 200, "reply");
    })
    .await;
    let log: Vec<_> = log
        .lines()
        .filter(|line| line.contains("the store"))
        .collect();
    crate::log::check(
        &log.join("\n"),
        [
            &["WARN", "the store failed", "claim", "error=away"],
            &["DEBUG", "the store failed", "claim", "error=away"],
            &["DEBUG", "the store failed", "claim", "error=away"],
            &["INFO", "the store is back"],
        ],
    );
}

/// A store that does not answer counts as one that fails.
#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn the_log_has_one_warning_when_the_store_is_silent() {
    let log = crate::log::of(async || {
        let store = Faulty::new();
        let never = Duration::from_hours(1);
        store.delay(Operation::Claim, never, Duration::ZERO);
        let builder = DedupLayer::builder().with_store(store.clone());
        let (stack, _runs) = stack(&builder.with_fail_closed().build());
        stack.deliver(&text("user", "1", "hi")).await;
        for _ in 0..10 {
            advance(Duration::from_millis(250)).await;
            settle().await;
        }
    })
    .await;
    let log: Vec<_> = log
        .lines()
        .filter(|line| line.contains("the store"))
        .collect();
    let (first, others) = log.split_first().unwrap();
    for part in ["WARN", "the store did not answer in time", "250ms"] {
        assert!(first.contains(part), "{first}");
    }
    assert!(others.len() >= 2);
    assert!(
        others.iter().all(|line| line.contains("DEBUG")),
        "{others:?}"
    );
}
