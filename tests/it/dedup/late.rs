//! Replies that are not the answer to a delivery.

use std::sync::{Arc, Mutex};

use tokio::{sync::Notify, time::sleep};
use tower_wechat::{
    Message, Reply, Timestamp,
    dedup::{Acknowledgement, DedupBuilder, Keyed, StoredResponse},
    late::{LateCause, LateReply},
    message_fn,
    reply::ErrorKind,
};

use super::*;

/// The late replies of a hook that collects them.
#[derive(Clone, Default)]
pub(super) struct Late(Arc<Mutex<Vec<LateReply>>>);

impl Late {
    pub(super) fn causes(&self) -> Vec<LateCause> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .map(LateReply::cause)
            .collect()
    }

    /// Makes a layer whose hook collects here.
    pub(super) fn collect<S>(&self, builder: DedupBuilder<S>) -> DedupLayer {
        let late = self.clone();
        let hook = move |reply| {
            late.0.lock().unwrap().push(reply);
            ready(())
        };
        builder.with_late_replies(hook).build()
    }

    /// Makes a layer whose hook collects here, and takes some time for it.
    pub(super) fn collect_slowly<S>(
        &self,
        builder: DedupBuilder<S>,
        takes: Duration,
    ) -> DedupLayer {
        let late = self.clone();
        let hook = move |reply| {
            late.0.lock().unwrap().push(reply);
            sleep(takes)
        };
        builder.with_late_replies(hook).build()
    }

    /// Returns the only reply so far.
    #[track_caller]
    fn only(&self) -> LateReply {
        let late = self.0.lock().unwrap();
        let [reply] = &late[..] else {
            panic!("{late:?}")
        };
        reply.clone()
    }
}

/// Makes a layer without a store whose hook collects.
fn collecting(builder: DedupBuilder) -> (DedupLayer, Late) {
    let late = Late::default();
    (late.collect(builder), late)
}

/// Delivers until the last delivery has been acknowledged.
async fn acknowledge(stack: &impl Delivers) {
    stack.deliver(&text("user", "1", "hi")).await.abort();
    advance(Duration::from_secs(10)).await;
    let last = stack.deliver(&text("user", "1", "hi")).await;
    check(&last.await.unwrap(), 200, "success");
}

#[tokio::test(start_paused = true)]
async fn a_reply_after_the_acknowledgement_is_handed_over_once() {
    let (layer, late) = collecting(DedupLayer::builder());
    let (stack, mut runs) = stack(&layer);
    acknowledge(&stack).await;
    let (_, verdict) = runs.next().await;
    verdict.send(Ok(ok("reply"))).unwrap();
    settle().await;
    assert_eq!(late.causes(), [LateCause::Acknowledged]);
    let reply = late.only();
    assert_eq!(reply.response().unwrap().body(), b"reply");
    assert_eq!(reply.account(), "");
    assert_eq!(reply.openid(), Some("user"));
    assert_eq!(reply.original_id(), Some("gh_account"));
    assert_eq!(reply.reply(), None, "no `MessageService` has made it");
    assert!(!format!("{reply:?}").contains("reply\""), "{reply:?}");
    // A further delivery does not get it, and does not run the message.
    let again = stack.deliver(&text("user", "1", "hi")).await;
    check(&again.await.unwrap(), 200, "success");
    advance(Duration::from_mins(1)).await;
    settle().await;
    assert_eq!(late.causes().len(), 1);
    runs.check_none();
}

/// The run ends some steps before the delivery looks for the last time, or after it.
#[tokio::test(start_paused = true)]
async fn a_reply_around_the_acknowledgement_is_delivered_or_handed_over() {
    let mut outcomes = [0, 0];
    for steps in -16_i32..16 {
        let (layer, late) = collecting(DedupLayer::builder().with_reply_filter(|_| false));
        let (stack, mut runs) = stack(&layer);
        let delivery = stack.deliver(&text("user", "1", "hi")).await;
        let (_, verdict) = runs.next().await;
        advance(Duration::from_millis(4499)).await;
        settle().await;
        let pass = async || {
            for _ in 0..steps.abs() {
                tokio::task::yield_now().await;
            }
        };
        if steps < 0 {
            verdict.send(Ok(ok("reply"))).unwrap();
            pass().await;
            advance(Duration::from_millis(1)).await;
        } else {
            advance(Duration::from_millis(1)).await;
            pass().await;
            verdict.send(Ok(ok("reply"))).unwrap();
        }
        settle().await;
        let (_, answer) = delivery.await.unwrap();
        settle().await;
        let is_delivered = answer == "reply";
        let given = usize::from(is_delivered) + late.causes().len();
        assert_eq!(given, 1, "step {steps}");
        outcomes[usize::from(is_delivered)] += 1;
    }
    assert!(outcomes.iter().all(|times| *times > 0), "{outcomes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_no_delivery_fetches_is_handed_over_after_six_seconds() {
    let (layer, late) = collecting(DedupLayer::builder());
    let (stack, mut runs) = stack(&layer);
    stack.deliver(&text("user", "1", "hi")).await.abort();
    let (_, verdict) = runs.next().await;
    verdict.send(Ok(ok("reply"))).unwrap();
    settle().await;
    advance(Duration::from_millis(5_999)).await;
    settle().await;
    assert_eq!(late.causes(), []);
    advance(Duration::from_millis(1)).await;
    settle().await;
    assert_eq!(late.causes(), [LateCause::Unfetched]);
    let after = stack.deliver(&text("user", "1", "hi")).await;
    check(&after.await.unwrap(), 200, "success");
}

/// The store keeps a reply until it is fetched or handed over, even with TTLs of zero.
#[tokio::test(start_paused = true)]
async fn a_reply_is_handed_over_even_with_ttls_of_zero() {
    let late = Late::default();
    let layer = late.collect(
        DedupLayer::builder()
            .with_store(MemoryStore::new())
            .with_reply_ttl(Duration::ZERO)
            .with_dedup_ttl(Duration::ZERO),
    );
    let (stack, mut runs) = stack(&layer);
    stack.deliver(&text("user", "1", "hi")).await.abort();
    runs.next().await.1.send(Ok(ok("reply"))).unwrap();
    settle().await;
    advance(Duration::from_secs(6)).await;
    settle().await;
    assert_eq!(late.causes(), [LateCause::Unfetched]);
}

#[tokio::test(start_paused = true)]
async fn the_final_failure_of_an_acknowledged_message_is_handed_over() {
    let (layer, late) = collecting(DedupLayer::builder().with_retry_delays([]));
    let (stack, mut runs) = stack(&layer);
    acknowledge(&stack).await;
    drop(runs.next().await);
    settle().await;
    assert_eq!(late.causes(), [LateCause::Failed]);
    assert!(late.only().response().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_shows_nothing_is_not_handed_over() {
    for body in ["success", ""] {
        let (layer, late) = collecting(DedupLayer::builder());
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
        assert_eq!(late.causes(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn the_fallback_is_the_answer_when_all_runs_have_failed() {
    let layer = DedupLayer::builder()
        .with_retry_delays([])
        .with_fallback(Reply::text("sorry"))
        .unwrap()
        .build();
    let (stack, mut runs) = stack(&layer);
    let first = stack.deliver(&text("user", "1", "hi")).await;
    drop(runs.next().await);
    let (status, body) = first.await.unwrap();
    assert_eq!(status, 200);
    assert!(str::from_utf8(&body).unwrap().contains("sorry"), "{body:?}");
}

#[tokio::test(start_paused = true)]
async fn a_late_reply_of_a_message_service_has_the_typed_reply_and_the_time_limit() {
    for (body, minutes) in [
        (text("user", "1", "hi"), Some(48 * 60)),
        (event("x").replace("checked", "subscribe"), Some(1)),
        (event("x").replace("checked", "scancode_push"), Some(1)),
        (event("x").replace("checked", "VIEW"), None),
        (
            text("user", "1", "hi").replace("</xml>", "<bizmsgmenuid>7</bizmsgmenuid></xml>"),
            Some(1),
        ),
    ] {
        let (layer, late) = collecting(DedupLayer::builder());
        let gate = Arc::new(Notify::new());
        let stack = layer.layer(message_fn({
            let gate = Arc::clone(&gate);
            move |_: Message| {
                let gate = Arc::clone(&gate);
                async move {
                    gate.notified().await;
                    "done"
                }
            }
        }));
        let sent = Timestamp::from_secs(1_735_689_600);
        let delivery = Delivery::new("shop").with_timestamp(sent);
        let request = Request::new(Verified::insecure_assume(body, delivery));
        let first = tokio::spawn(stack.send(request));
        settle().await;
        first.abort();
        gate.notify_one();
        settle().await;
        advance(Duration::from_secs(7)).await;
        settle().await;
        let reply = late.only();
        assert_eq!(reply.reply(), Some(&Reply::text("done")));
        assert_eq!(reply.account(), "shop");
        let limit = reply
            .send_until()
            .map(|until| until.as_secs() - sent.as_secs());
        assert_eq!(limit, minutes.map(|minutes| minutes * 60));
    }
}

#[test]
fn a_fallback_that_cannot_be_sent_is_no_fallback() {
    for (reply, kind) in [
        (Reply::text(""), ErrorKind::TextEmpty),
        (Reply::text("x".repeat(2048)), ErrorKind::TextLength),
        (Reply::image(""), ErrorKind::MediaIdEmpty),
    ] {
        let error = DedupLayer::builder().with_fallback(reply).unwrap_err();
        assert_eq!(error.kind(), kind);
    }
    let longest = Reply::text("x".repeat(2047));
    DedupLayer::builder().with_fallback(longest).unwrap();
}

/// For tests of a hook.
#[test]
fn a_late_reply_can_be_made_by_hand() {
    let request = Request::new(assume(text("user", "1", "hi")));
    let key = Key::of(&request);
    let response = StoredResponse::new(StatusCode::OK, None, "reply");
    let late = LateReply::new(key, request, LateCause::Unfetched, Reply::success())
        .with_response(response.clone());
    assert_eq!((late.key(), late.cause()), (key, LateCause::Unfetched));
    assert_eq!(late.response(), Some(&response));
    assert_eq!(late.openid(), Some("user"));
}

#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn the_log_has_an_error_for_a_hook_that_fails_and_for_a_missing_one() {
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
        let builder = DedupLayer::builder;
        let panicking = builder().with_late_replies(|_: LateReply| async {
            assert!(std::hint::black_box(false), "no ink");
        });
        late_one(panicking.build()).await;
        let hanging = builder().with_late_replies(|_: LateReply| std::future::pending::<()>());
        late_one(hanging.build()).await;
    })
    .await;
    assert!(!log.contains("hush"), "{log}");
    crate::log::check(
        &log,
        [
            &["DEBUG", "a reply is late", "acknowledged"],
            &["ERROR", "a late reply is lost", "no sink"],
            &["DEBUG", "a reply is late", "acknowledged"],
            &["ERROR", "a late reply is lost", "panicked"],
            &["DEBUG", "a reply is late", "acknowledged"],
            &["ERROR", "a late reply is lost", "too long"],
        ],
    );
}

/// An inline run sends nothing after its answer, so the hook gets all of a long reply.
#[tokio::test(start_paused = true)]
async fn a_long_inline_reply_says_why_it_is_late() {
    let story = || "涨潮落潮。".repeat(400);
    for (seconds, cause) in [(1, LateCause::Whole), (6, LateCause::Acknowledged)] {
        let late = Late::default();
        let builder = DedupLayer::builder().with_store(MemoryStore::new());
        let builder = builder.with_acknowledgement(Acknowledgement::FirstDelivery);
        let bot = message_fn(move |_: Message| async move {
            sleep(Duration::from_secs(seconds)).await;
            story()
        });
        let stack = late.collect(builder.with_inline_runs()).layer(bot);
        let delivery = stack.deliver(&text("user", "1", "hi")).await;
        check(&delivery.await.unwrap(), 200, "success");
        assert_eq!(late.causes(), [cause]);
        assert_eq!(late.only().reply(), Some(&Reply::text(story())));
    }
}

/// A push that is retried until it is answered gets the reply's first part as its answer, and the hook the rest.
#[tokio::test(start_paused = true)]
async fn a_long_inline_reply_to_a_push_that_is_retried_is_its_answer() {
    let late = Late::default();
    let builder = DedupLayer::builder().with_store(MemoryStore::new());
    let builder = builder.with_key(|request: &Request<Verified>| {
        Keyed::of(request).retried_for(Duration::from_hours(1))
    });
    let bot = message_fn(async |_: Message| "涨潮落潮。".repeat(400));
    let stack = late.collect(builder.with_inline_runs()).layer(bot);
    for _retry in 0..2 {
        let delivery = stack.deliver(&text("user", "1", "hi")).await;
        let (status, body) = delivery.await.unwrap();
        assert_eq!(status, 200);
        assert!(body.len() > "success".len());
    }
    sleep(Duration::from_secs(2)).await;
    assert_eq!(late.causes(), [LateCause::Rest]);
}
