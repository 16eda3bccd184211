//! Replies that no delivery takes along.

use std::{
    sync::{Arc, Mutex},
    time::SystemTime,
};

use tokio::sync::Notify;
use tower_wechat::{
    Message, Reply,
    dedup::{LateCause, LateReply},
    message_fn,
};

use super::*;

type Late = Arc<Mutex<Vec<LateReply>>>;

/// A layer whose hook collects.
fn collecting(layer: DedupLayer) -> (DedupLayer, Late) {
    let late = Late::default();
    let layer = layer.with_late_reply({
        let late = Arc::clone(&late);
        move |reply| {
            late.lock().unwrap().push(reply);
            std::future::ready(())
        }
    });
    (layer, late)
}

fn causes(late: &Late) -> Vec<LateCause> {
    late.lock().unwrap().iter().map(LateReply::cause).collect()
}

/// Until the last delivery has been acknowledged.
async fn acknowledge(stack: &impl Delivers) {
    stack.deliver(&text("user", "1", "hi")).await.abort();
    advance(Duration::from_secs(10)).await;
    let last = stack.deliver(&text("user", "1", "hi")).await;
    check(&last.await.unwrap(), 200, "success");
}

#[tokio::test(start_paused = true)]
async fn a_reply_after_the_acknowledgement_is_handed_over_once() {
    let (layer, late) = collecting(DedupLayer::in_memory());
    let (stack, mut runs) = stack(&layer);
    acknowledge(&stack).await;
    let (_, verdict) = runs.next().await;
    verdict.send(Ok(ok("reply"))).unwrap();
    settle().await;
    assert_eq!(causes(&late), [LateCause::Acknowledged]);
    {
        let late = late.lock().unwrap();
        let reply = &late[0];
        assert_eq!(reply.response().unwrap().body(), "reply");
        assert_eq!(reply.openid().as_deref(), Some("user"));
        assert_eq!(reply.original_id().as_deref(), Some("gh_account"));
        assert_eq!(reply.reply(), None, "no `MessageService` has made it");
        assert!(!format!("{reply:?}").contains("reply\""), "{reply:?}");
    }
    // A delivery that comes all the same does not get it, and makes nothing run.
    let again = stack.deliver(&text("user", "1", "hi")).await;
    check(&again.await.unwrap(), 200, "success");
    advance(Duration::from_secs(60)).await;
    settle().await;
    assert_eq!(causes(&late).len(), 1);
    runs.check_none();
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_nobody_comes_for_is_handed_over_after_six_seconds() {
    let (layer, late) = collecting(DedupLayer::in_memory());
    let (stack, mut runs) = stack(&layer);
    stack.deliver(&text("user", "1", "hi")).await.abort();
    let (_, verdict) = runs.next().await;
    verdict.send(Ok(ok("reply"))).unwrap();
    settle().await;
    advance(Duration::from_millis(5_999)).await;
    settle().await;
    assert_eq!(causes(&late), []);
    advance(Duration::from_millis(1)).await;
    settle().await;
    assert_eq!(causes(&late), [LateCause::Unfetched]);
    let after = stack.deliver(&text("user", "1", "hi")).await;
    check(&after.await.unwrap(), 200, "success");
}

/// The store keeps the reply for as long as it may be somebody's to hand over, whatever the settings say.
#[tokio::test(start_paused = true)]
async fn a_reply_that_is_hardly_kept_is_handed_over_all_the_same() {
    let late = Late::default();
    let layer = DedupLayer::with_store(store::MemoryStore::new())
        .with_reply_ttl(Duration::ZERO)
        .with_mark_ttl(Duration::ZERO)
        .with_late_reply({
            let late = Arc::clone(&late);
            move |reply| {
                late.lock().unwrap().push(reply);
                std::future::ready(())
            }
        });
    let (stack, mut runs) = stack(&layer);
    stack.deliver(&text("user", "1", "hi")).await.abort();
    runs.next().await.1.send(Ok(ok("reply"))).unwrap();
    settle().await;
    advance(Duration::from_secs(6)).await;
    settle().await;
    assert_eq!(causes(&late), [LateCause::Unfetched]);
}

#[tokio::test(start_paused = true)]
async fn the_final_failure_of_an_acknowledged_message_is_handed_over() {
    let (layer, late) = collecting(DedupLayer::in_memory().with_retry_delays([]));
    let (stack, mut runs) = stack(&layer);
    acknowledge(&stack).await;
    drop(runs.next().await);
    settle().await;
    assert_eq!(causes(&late), [LateCause::Failed]);
    assert!(late.lock().unwrap()[0].response().is_none());
}

#[tokio::test(start_paused = true)]
async fn what_shows_nothing_is_not_handed_over() {
    for body in ["success", ""] {
        let (layer, late) = collecting(DedupLayer::in_memory());
        let (stack, mut runs) = stack(&layer);
        acknowledge(&stack).await;
        let (_, verdict) = runs.next().await;
        verdict.send(Ok(ok(body))).unwrap();
        settle().await;
        stack.deliver(&text("user", "2", "hi")).await.abort();
        let (_, verdict) = runs.next().await;
        verdict.send(Ok(ok(body))).unwrap();
        settle().await;
        advance(Duration::from_secs(10)).await;
        settle().await;
        assert_eq!(causes(&late), []);
    }
}

#[tokio::test(start_paused = true)]
async fn the_fallback_answers_for_runs_that_have_all_failed() {
    let layer = DedupLayer::in_memory()
        .with_retry_delays([])
        .with_fallback(Reply::text("sorry"));
    let (stack, mut runs) = stack(&layer);
    let first = stack.deliver(&text("user", "1", "hi")).await;
    drop(runs.next().await);
    let (status, body) = first.await.unwrap();
    assert_eq!(status, 200);
    assert!(str::from_utf8(&body).unwrap().contains("sorry"), "{body:?}");
}

#[tokio::test(start_paused = true)]
async fn our_own_handlers_reply_comes_with_its_type_and_its_time() {
    for (body, minutes) in [
        (text("user", "1", "hi"), 48 * 60),
        (event("x").replace("checked", "subscribe"), 1),
    ] {
        let (layer, late) = collecting(DedupLayer::in_memory());
        let gate = Arc::new(Notify::new());
        let stack = layer.layer(message_fn({
            let gate = Arc::clone(&gate);
            move |_: Message| {
                let gate = Arc::clone(&gate);
                async move {
                    gate.notified().await;
                    Ok::<_, Infallible>(Reply::text("done"))
                }
            }
        }));
        stack.deliver(&body).await.abort();
        settle().await;
        gate.notify_one();
        settle().await;
        advance(Duration::from_secs(7)).await;
        settle().await;
        let late = late.lock().unwrap();
        let [reply] = &late[..] else {
            panic!("{late:?}")
        };
        assert_eq!(reply.reply(), Some(&Reply::text("done")));
        let left = reply.send_until().duration_since(SystemTime::now());
        let left = left.unwrap().as_secs();
        assert!((minutes * 60 - 5..=minutes * 60).contains(&left), "{left}");
    }
}

#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn a_hook_that_fails_and_one_that_is_missing_are_in_the_log() {
    let late_one = async |layer: DedupLayer| {
        let (stack, mut runs) = stack(&layer);
        acknowledge(&stack).await;
        let (_, verdict) = runs.next().await;
        verdict.send(Ok(ok("hush"))).unwrap();
        settle().await;
        advance(Duration::from_secs(61)).await;
        settle().await;
    };
    let log = crate::log::of(async || {
        late_one(DedupLayer::in_memory()).await;
        late_one(DedupLayer::in_memory().with_late_reply(|_| async { panic!("no ink") })).await;
        late_one(DedupLayer::in_memory().with_late_reply(|_| std::future::pending())).await;
    })
    .await;
    assert!(!log.contains("hush"), "{log}");
    crate::log::check(
        &log,
        [
            &["DEBUG", "a reply is late", "Acknowledged"],
            &["ERROR", "a reply is lost", "Acknowledged"],
            &["DEBUG", "a reply is late", "Acknowledged"],
            &["ERROR", "the hook", "panicked"],
            &["DEBUG", "a reply is late", "Acknowledged"],
            &["ERROR", "the hook", "too long"],
        ],
    );
}
