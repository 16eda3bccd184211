//! What customer service sends, and when the message is acknowledged for it.

use tower_wechat::{late::LateCause, simulator::Way};

use super::*;

/// The passive reply has the text's first part and `…`.
fn passive(part: &str) -> String {
    format!("{part}…")
}

#[tokio::test(start_paused = true)]
async fn a_late_reply_is_sent_and_costs_no_hang_up() {
    let wechat = wechat();
    let builder = DedupLayer::builder()
        .with_fallback(Reply::text("请稍候"))
        .unwrap()
        .with_late_replies(customer_service(&wechat));
    let transcript = tell(wechat.text("hi"), builder, 20, "天亮了").await;
    assert_eq!(transcript.deliveries().len(), 1, "{transcript}");
    assert_eq!(
        wechat.chat(USER).to_string(),
        "at 0.0 s, the user: hi\nat 4.5 s: 请稍候\nat 20.0 s: 天亮了 (customer service)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reply_in_time_is_the_passive_one() {
    let wechat = wechat();
    let builder = DedupLayer::builder().with_late_replies(customer_service(&wechat));
    let _ = tell(wechat.text("hi"), builder, 4, "天亮了").await;
    assert_eq!(wechat.chat(USER).shown(), ["天亮了"]);
    assert_eq!(wechat.chat(USER).shown()[0].at(), secs(4));
}

/// The acknowledged delivery, and how many WeChat has made by then.
#[tokio::test(start_paused = true)]
async fn a_sink_or_the_setting_decides_which_delivery_is_acknowledged() {
    let wechat = wechat();
    let quick = || DedupLayer::builder().with_late_replies(customer_service(&wechat));
    let function = || DedupLayer::builder().with_late_replies(Collected::default().sink());
    let none = DedupLayer::builder;
    let (first, last) = (
        Acknowledgement::FirstDelivery,
        Acknowledgement::LastDelivery,
    );
    for (builder, deliveries) in [
        (none(), 3),
        (function(), 3),
        (quick(), 1),
        (function().with_late_replies(customer_service(&wechat)), 1),
        (none().with_acknowledgement(first), 1),
        (function().with_acknowledgement(first), 1),
        (quick().with_acknowledgement(last), 3),
        (none().with_acknowledgement(last), 3),
    ] {
        let transcript = tell(wechat.text("hi"), builder, 20, "天亮了").await;
        assert_eq!(transcript.deliveries().len(), deliveries, "{transcript}");
        let answered = transcript.deliveries().last().unwrap();
        assert_eq!(answered.took(), Duration::from_millis(4500), "{transcript}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_text_comes_in_as_many_messages_as_it_needs() {
    // All of it late.
    let wechat = wechat();
    let builder = || DedupLayer::builder().with_late_replies(customer_service(&wechat));
    let _ = tell(wechat.text("hi"), builder(), 20, story(5)).await;
    assert_eq!(seen(&wechat), parts(0..5));
    // The first part in time.
    let wechat = super::wechat();
    let builder = || DedupLayer::builder().with_late_replies(customer_service(&wechat));
    let _ = tell(wechat.text("hi"), builder(), 2, story(5)).await;
    let mut expected = parts(0..5);
    expected[0] = passive(&expected[0]);
    assert_eq!(seen(&wechat), expected);
    let by_customer_service: Vec<_> = wechat
        .chat(USER)
        .shown()
        .iter()
        .map(|message| message.way() == Way::CustomerService)
        .collect();
    assert_eq!(by_customer_service, [false, true, true, true, true]);
}

#[tokio::test(start_paused = true)]
async fn several_replies_come_in_their_order() {
    for after in [2, 8, 20] {
        let wechat = wechat();
        let builder = DedupLayer::builder().with_late_replies(customer_service(&wechat));
        let reply = Reply::text("潮汐表：")
            .then(Reply::image("Im1"))
            .then("天亮了");
        let push = wechat.image("Im1", "http://p");
        let _ = tell(push, builder, after, reply).await;
        let chat = wechat.chat(USER);
        let kinds: Vec<_> = chat
            .shown()
            .iter()
            .map(|message| match message.shown() {
                tower_wechat::simulator::Shown::Reply(reply) => reply.msg_type().to_owned(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(kinds, ["text", "image", "text"], "{chat}");
        let is_late = after > 4;
        let way = if is_late {
            Way::CustomerService
        } else {
            Way::Reply
        };
        assert_eq!(chat.shown()[0].way(), way, "{chat}");
        assert_eq!(chat.shown()[1].way(), Way::CustomerService, "{chat}");
    }
}

/// An answer is on its way to WeChat while customer service already sends.
#[tokio::test(start_paused = true)]
async fn the_rest_does_not_overtake_the_first_part() {
    let wechat = wechat();
    let builder = DedupLayer::builder().with_late_replies(customer_service(&wechat));
    let push = wechat.text("hi").latency(Duration::from_millis(400));
    let _ = tell(push, builder, 2, story(3)).await;
    let mut expected = parts(0..3);
    expected[0] = passive(&expected[0]);
    assert_eq!(seen(&wechat), expected);
}

/// Whatever takes part of the rest is not waited for longer than a drain is patient.
#[tokio::test(start_paused = true)]
async fn a_drain_cuts_a_sink_that_has_the_rest() {
    let dedup = DedupLayer::builder()
        .with_late_replies(|_: LateReply| std::future::pending::<()>())
        .build();
    let _ = wechat()
        .text("hi")
        .deliver(answering(&dedup, 2, story(3)))
        .await;
    let begun = tokio::time::Instant::now();
    dedup.drain(secs(10)).await;
    assert_eq!(begun.elapsed().as_secs(), 10);
}

/// A late reply says why it is late, and a rest that it is one.
#[tokio::test(start_paused = true)]
async fn a_late_reply_names_its_cause() {
    for (after, cause, left) in [
        (2, LateCause::Rest, parts(1..3)),
        (20, LateCause::Acknowledged, parts(0..3)),
    ] {
        let wechat = wechat();
        let collected = Collected::default();
        let builder = DedupLayer::builder().with_late_replies(collected.sink());
        let _ = tell(wechat.text("hi"), builder, after, story(3)).await;
        assert_eq!(collected.parts(), left);
        let late = collected.0.lock().unwrap();
        assert_eq!(late[0].cause(), cause);
        assert_eq!(late[0].response().is_some(), cause != LateCause::Rest);
    }
}
