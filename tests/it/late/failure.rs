//! What the user sees of a message whose runs have all failed.

use super::*;

/// Fails after this many seconds, with a fallback and perhaps a failure reply. Returns the chat.
async fn failing(after: u64, failure: Option<&str>) -> String {
    let wechat = wechat();
    let mut builder = DedupLayer::builder()
        .with_fallback(Reply::text("请稍候"))
        .unwrap()
        .with_retry_delays([])
        .with_late_replies(customer_service(&wechat));
    if let Some(failure) = failure {
        builder = builder.with_failure_reply(Reply::text(failure)).unwrap();
    }
    let dedup = builder.build();
    let bot = stack(
        &dedup,
        message_fn(move |_: Message| async move {
            sleep(secs(after)).await;
            Err::<Reply, _>("out of ink")
        }),
    );
    let _ = wechat.text("hi").deliver(bot).await;
    dedup.drain(secs(100)).await;
    let chat = wechat.chat(USER).to_string();
    let answers = chat.strip_prefix("at 0.0 s, the user: hi");
    answers.unwrap().trim_start().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_failure_has_a_text_of_its_own() {
    assert_eq!(failing(2, Some("出错了")).await, "at 2.0 s: 出错了");
    assert_eq!(
        failing(20, Some("出错了")).await,
        "at 4.5 s: 请稍候\nat 20.0 s: 出错了 (customer service)"
    );
}

/// Then the fallback rather says that the answer comes later, and comes once.
#[tokio::test(start_paused = true)]
async fn without_that_text_a_waiting_delivery_gets_the_fallback() {
    assert_eq!(failing(2, None).await, "at 2.0 s: 请稍候");
    assert_eq!(failing(20, None).await, "at 4.5 s: 请稍候");
}

#[test]
fn a_failure_reply_that_cannot_be_sent_is_none() {
    use tower_wechat::reply::ErrorKind;

    for (reply, kind) in [
        (Reply::text(" "), ErrorKind::TextEmpty),
        (Reply::text("x".repeat(2048)), ErrorKind::TextLength),
        (Reply::text("1").then("2"), ErrorKind::Several),
    ] {
        let error = DedupLayer::builder().with_failure_reply(reply).unwrap_err();
        assert_eq!(error.kind(), kind);
    }
}
