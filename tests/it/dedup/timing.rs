//! The 5-second rule: which deliveries wait, which are acknowledged, and when.

use std::{pin::pin, time::SystemTime};

use futures_util::poll;
use tower_wechat::{
    Account, Reply, ResponseBody, VerifySignatureLayer, account::Token, callback::Signature,
};

use super::*;

/// Delivers up to three times, as WeChat does: again each time that it hangs up.
/// Returns which delivery was answered, after how many milliseconds, and the answer.
async fn as_wechat_does(stack: &impl Delivers, body: &str) -> (usize, u128, (StatusCode, Bytes)) {
    let begun = Instant::now();
    for delivery in 1..=3 {
        let mut task = stack.deliver(body).await;
        match tokio::time::timeout(Duration::from_secs(5), &mut task).await {
            Ok(answer) => return (delivery, begun.elapsed().as_millis(), answer.unwrap()),
            Err(_hangs_up) => task.abort(),
        }
    }
    panic!("no answer to any delivery")
}

/// A service whose runs never end.
fn forever()
-> impl Service<Request<Verified>, Response = Response<Full<Bytes>>, Error = BoxError, Future: Send>
+ Clone
+ Send
+ 'static {
    service_fn(|_: Request<Verified>| std::future::pending::<Verdict>())
}

#[tokio::test(start_paused = true)]
async fn a_message_is_acknowledged_on_its_last_delivery_with_the_fallback() {
    for (fallback, expected) in [
        (Reply::success(), "success"),
        (Reply::text("later"), "<Content><![CDATA[later]]></Content>"),
    ] {
        let layer = DedupLayer::builder()
            .with_fallback(fallback)
            .unwrap()
            .build();
        let stack = layer.layer(forever());
        let (delivery, millis, (status, body)) =
            as_wechat_does(&stack, &text("user", "1", "hi")).await;
        assert_eq!((delivery, millis, status.as_u16()), (3, 14_500, 200));
        let body = str::from_utf8(&body).unwrap();
        assert!(body.contains(expected), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_is_the_last_one_nine_and_a_half_seconds_after_the_first() {
    for (after, is_last) in [(9_499, false), (9_500, true)] {
        let stack = DedupLayer::in_memory().layer(forever());
        stack.deliver(&text("user", "1", "hi")).await.abort();
        advance(Duration::from_millis(after)).await;
        let (status, _) = stack.deliver(&text("user", "1", "hi")).await.await.unwrap();
        assert_eq!(status == StatusCode::OK, is_last, "{after} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_accepts_no_reply_is_acknowledged_on_its_first_delivery() {
    let view = event("x").replace("checked", "VIEW");
    for body in [
        &*view,
        &event("x"),
        "<xml><InfoType>suite_ticket</InfoType></xml>",
        "no document",
    ] {
        let stack = DedupLayer::in_memory().layer(forever());
        let (delivery, millis, answer) = as_wechat_does(&stack, body).await;
        assert_eq!((delivery, millis), (1, 4_500), "{body}");
        check(&answer, 200, "success");
    }
}

#[tokio::test(start_paused = true)]
async fn four_events_wait_like_messages_do() {
    for name in ["subscribe", "SCAN", "scan", "CLICK", "scancode_waitmsg"] {
        let stack = DedupLayer::in_memory().layer(forever());
        let body = event("x").replace("checked", name);
        let (delivery, millis, _) = as_wechat_does(&stack, &body).await;
        assert_eq!((delivery, millis), (3, 14_500), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn with_reply_filter_decides_which_messages_accept_a_reply() {
    let layer = DedupLayer::builder()
        .with_reply_filter(|request| request.body().as_bytes() == b"yes")
        .build();
    let stack = layer.layer(forever());
    assert_eq!(as_wechat_does(&stack, "yes").await.0, 3);
    assert_eq!(as_wechat_does(&stack, "no").await.0, 1);
}

/// WeChat has hung up by then: a reply would be lost with the delivery.
#[tokio::test(start_paused = true)]
async fn a_reply_after_five_seconds_is_for_the_next_delivery() {
    for (millis, is_delivered) in [(4_400, true), (4_900, true), (5_000, false), (5_900, false)] {
        let (stack, mut runs) = stack(&DedupLayer::in_memory());
        let first = stack.deliver(&text("user", "1", "hi")).await;
        let (_, verdict) = runs.next().await;
        advance(Duration::from_millis(millis)).await;
        settle().await;
        verdict.send(Ok(ok("reply"))).unwrap();
        let answer = first.await.unwrap();
        if is_delivered {
            check(&answer, 200, "reply");
        } else {
            check(&answer, 503, "");
        }
        // The next delivery gets it in either case.
        let next = stack.deliver(&text("user", "1", "hi")).await;
        check(&next.await.unwrap(), 200, "reply");
    }
}

/// The host was busy from the run's end until WeChat hung up. At an answer now, WeChat would retry while it still waits.
#[tokio::test(start_paused = true)]
async fn a_delivery_that_looks_too_late_has_been_hung_up_on() {
    let (stack, mut runs) = stack(&DedupLayer::in_memory());
    let id = |id: u8| text("user", &id.to_string(), "hi");
    for message in 1..=20 {
        let begun = Instant::now();
        let mut first = pin!(stack.clone().send(Request::new(assume(id(message)))));
        assert!(poll!(&mut first).is_pending());
        let (_, verdict) = runs.next().await;
        for millis in [4_500, 400] {
            advance(Duration::from_millis(millis)).await;
            assert!(poll!(&mut first).is_pending());
        }
        verdict.send(Ok(ok("reply"))).unwrap();
        settle().await;
        advance(Duration::from_millis(100)).await;
        assert!(poll!(&mut first).is_pending());
        assert_eq!(first.await.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(begun.elapsed(), Duration::from_secs(6));
        let next = stack.deliver(&id(message)).await;
        check(&next.await.unwrap(), 200, "reply");
    }
    // Each was counted as a hang-up.
    let begun = Instant::now();
    let delivery = stack.deliver(&id(21)).await;
    let _held = runs.next().await;
    check(&delivery.await.unwrap(), 200, "success");
    assert_eq!(begun.elapsed().as_millis(), 4_500);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_the_host_has_held_for_five_seconds_runs_nothing() {
    let (stack, mut runs) = stack(&DedupLayer::in_memory());
    let held = Request::new(assume(text("user", "1", "hi")));
    advance(Duration::from_secs(5)).await;
    let begun = Instant::now();
    let answer = stack.send(held).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
    runs.check_none();
}

/// WeChat counts each as a failure, and raises an alarm at 30 in five minutes.
#[tokio::test(start_paused = true)]
async fn after_twenty_hang_ups_first_deliveries_are_acknowledged() {
    let stack = DedupLayer::in_memory().layer(forever());
    for id in 1..=20 {
        let delivery = stack.deliver(&text("user", &id.to_string(), "hi")).await;
        check(&delivery.await.unwrap(), 503, "");
    }
    let begun = Instant::now();
    let delivery = stack.deliver(&text("user", "21", "hi")).await;
    check(&delivery.await.unwrap(), 200, "success");
    assert_eq!(begun.elapsed().as_millis(), 4_500);
    // The window passes.
    advance(Duration::from_mins(5)).await;
    let delivery = stack.deliver(&text("user", "22", "hi")).await;
    check(&delivery.await.unwrap(), 503, "");
}

/// A captured delivery can be replayed many times while its message runs.
#[tokio::test(start_paused = true)]
async fn replays_of_one_message_do_not_spend_the_budget_of_hang_ups() {
    let layer = DedupLayer::builder()
        .with_max_waiters_per_message(100)
        .build();
    let stack = layer.layer(forever());
    let mut replayed = Vec::new();
    for _ in 0..50 {
        replayed.push(stack.deliver(&text("user", "1", "hi")).await);
    }
    for delivery in replayed {
        check(&delivery.await.unwrap(), 503, "");
    }
    let delivery = stack.deliver(&text("user", "2", "hi")).await;
    check(&delivery.await.unwrap(), 503, "");
}

const NOW: u64 = 1_735_689_600;

/// A request that WeChat signed `age` seconds ago, for the account called `account`.
fn signed(account: &str, age: u64, body: &str) -> Request<Full<Bytes>> {
    let timestamp = (NOW - age).to_string();
    let signature = Signature::sign(&Token::new("rosebud7").unwrap(), [&*timestamp, "1"]);
    Request::post(format!(
        "/{account}?signature={signature}&timestamp={timestamp}&nonce=1"
    ))
    .body(Full::from(body.to_owned()))
    .unwrap()
}

fn whole(
    dedup: &DedupLayer,
) -> impl Service<
    Request<Full<Bytes>>,
    Response = Response<ResponseBody>,
    Error = Infallible,
    Future: Send,
> + Clone {
    let accounts = |head: &http::request::Parts| {
        let account = Account::plain("rosebud7").ok()?;
        Some(account.with_name(head.uri.path()))
    };
    VerifySignatureLayer::from_fn(accounts)
        .with_clock(|| SystemTime::UNIX_EPOCH + Duration::from_secs(NOW))
        .layer(dedup.layer(forever()))
}

/// A node that has lost its memory still learns how old a message is.
#[tokio::test(start_paused = true)]
async fn the_signed_timestamp_tells_which_delivery_is_the_last() {
    for (age, status) in [(0, 503), (9, 503), (10, 200), (200, 200)] {
        let layer = DedupLayer::in_memory();
        let stack = whole(&layer);
        let response = stack
            .oneshot(signed("a", age, &text("user", "1", "hi")))
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), status, "{age} s");
    }
}

#[tokio::test(start_paused = true)]
async fn each_account_has_its_own_hang_ups_and_its_own_messages() {
    let layer = DedupLayer::in_memory();
    let stack = whole(&layer);
    for id in 0..20 {
        let body = text("user", &id.to_string(), "hi");
        // Id 0 is a placeholder, and the whole text counts.
        let response = stack.clone().oneshot(signed("a", 0, &body)).await.unwrap();
        assert_eq!(response.status(), 503);
    }
    let body = text("user", "99", "hi");
    let spent = stack.clone().oneshot(signed("a", 0, &body)).await.unwrap();
    assert_eq!(spent.status(), 200);
    // The same message to another account is another message.
    let fresh = stack.oneshot(signed("b", 0, &body)).await.unwrap();
    assert_eq!(fresh.status(), 503);
}
