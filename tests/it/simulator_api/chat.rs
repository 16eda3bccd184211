//! What the user sees of a whole bot, and when.

use tower::ServiceBuilder;
use tower_wechat::{
    DedupLayer, VerifySignatureLayer,
    late::LateReply,
    message::VoiceMessage,
    message_fn,
    simulator::{Part, Shown, Transcript, Way},
};

use super::*;

/// A bot that thinks about a recording `after` it has fetched it, and answers with its length. What is late goes to
/// customer service.
async fn deliver(wechat: &Simulator, push: Push, after: Duration) -> Transcript {
    let api = api(wechat);
    let late = api.clone();
    let dedup = DedupLayer::builder()
        .with_fallback(Reply::text("请稍候"))
        .unwrap()
        .with_late_replies(move |reply: LateReply| {
            let late = late.clone();
            async move {
                let _ = late.typing(reply.openid().unwrap(), true).await;
                let sent = late.send(reply.openid().unwrap(), reply.reply().unwrap());
                sent.await.unwrap();
            }
        })
        .build();
    let answer = move |voice: VoiceMessage| {
        let api = api.clone();
        async move {
            let recording = api.recording(&voice).await?;
            tokio::time::sleep(after).await;
            Ok::<_, api::Error>(format!("{} bytes", recording.as_bytes().len()))
        }
    };
    let bot = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account()))
        .layer(dedup.clone())
        .service(message_fn(answer));
    let transcript = push.deliver(bot).await;
    dedup.drain(secs(60)).await;
    transcript
}

#[tokio::test(start_paused = true)]
async fn a_slow_bot_is_tested_in_a_few_lines() {
    let bytes = format!("{} bytes", AMR.len());
    for (after, deliveries, chat) in [
        (1, 1, format!("at 1.0 s: {bytes}")),
        (8, 2, format!("at 8.0 s: {bytes}")),
        (
            20,
            3,
            format!("at 14.5 s: 请稍候\nat 20.0 s: {bytes} (customer service)"),
        ),
    ] {
        let wechat = wechat();
        let voice = wechat.voice("Vo1").sound(AMR);
        let transcript = deliver(&wechat, voice, secs(after)).await;
        assert_eq!(transcript.deliveries().len(), deliveries, "{transcript}");
        let chat = format!("at 0.0 s, the user: [voice]\n{chat}");
        assert_eq!(wechat.chat(USER).to_string(), chat);
        assert_eq!(format!("{:?}", wechat.chat(USER)), chat);
        assert!(!wechat.chat(USER).is_typing());
    }
}

#[tokio::test(start_paused = true)]
async fn each_message_says_when_and_how_it_came() {
    let wechat = wechat();
    let api = api(&wechat);
    advance(secs(100)).await;
    let _ = deliver(&wechat, wechat.voice("Vo1").sound(AMR), secs(2)).await;
    advance(secs(3)).await;
    api.send(USER, &"语音".into()).await.unwrap();
    // WeChat shows the fault text for a bot that is broken.
    let broken = service_fn(async |_: Request<RequestBody>| {
        Ok::<_, Infallible>(Response::new("Success".to_owned()))
    });
    let transcript = wechat.text("hi").deliver(broken).await;
    assert_eq!(transcript.shown(), &Shown::Fault);
    // Nothing is shown of an acknowledgement, nor of a failed attack.
    hear(wechat.text("hi")).await;
    let _ = wechat.text("hi").tamper(Part::Nonce).deliver(broken).await;

    let chat = wechat.chat(USER);
    assert!(chat == wechat.clone().chat(USER) && chat != wechat.chat("o1"));
    let [passive, late, fault] = chat.shown() else {
        panic!("{chat}");
    };
    assert_eq!((passive.at(), passive.way()), (secs(2), Way::Reply));
    assert_eq!((late.at(), late.way()), (secs(5), Way::CustomerService));
    assert_eq!(fault.way(), Way::Fault);
    assert_eq!(
        (late.text(), late.to_string()),
        (Some("语音"), "语音".to_owned())
    );
    let Shown::Reply(reply) = late.shown() else {
        panic!("{chat}");
    };
    assert_eq!(reply.msg_type(), "text");
    assert_eq!(reply.fields()["touser"].as_str(), Some(USER));
    assert_eq!((fault.shown(), fault.text()), (&Shown::Fault, None));
}

#[tokio::test(start_paused = true)]
async fn each_user_has_a_chat() {
    let wechat = wechat();
    let api = api(&wechat);
    for user in ["o1", "o2"] {
        hear(wechat.text("hi").from_user(user)).await;
    }
    api.send("o2", &"2".into()).await.unwrap();
    api.send("o1", &"1".into()).await.unwrap();
    assert_eq!(wechat.chat("o1").shown(), ["1"]);
    assert_eq!(wechat.chat("o2").shown(), ["2"]);
    assert_eq!(wechat.chat("o3").shown(), [""; 0]);
    assert_ne!(wechat.chat("o1").shown(), ["2"]);
}

/// The playground runs for days.
#[tokio::test(start_paused = true)]
async fn what_is_kept_has_bounds() {
    let wechat = wechat();
    let api = api(&wechat);
    for number in 0..1000 {
        hear(wechat.text("hi")).await;
        for part in 0..5 {
            api.send(USER, &format!("{number}.{part}").into())
                .await
                .unwrap();
        }
    }
    let chat = wechat.chat(USER);
    // A message in six is the user's.
    assert_eq!(chat.shown().len(), 3414);
    assert_eq!(*chat.shown().last().unwrap(), "999.4");
    assert_eq!(chat.shown()[0], "317.1");

    // Of too many users, the ones who have been silent longest are forgotten.
    for number in 0..10_000 {
        hear(wechat.text("hi").from_user(format!("o{number}"))).await;
    }
    for (user, errcode) in [
        (USER, Some(40_003)),
        ("o4999", Some(40_003)),
        ("o5000", None),
        ("o9999", None),
    ] {
        assert_eq!(
            super::errcode(api.send(user, &"1".into()).await),
            errcode,
            "{user}"
        );
    }

    // 64 MiB of media.
    let sound = Bytes::from(vec![1; 1 << 20]);
    for number in 0..100 {
        hear(wechat.voice(format!("Vo{number}")).sound(sound.clone())).await;
    }
    for (id, errcode) in [("Vo35", Some(40_007)), ("Vo36", None), ("Vo99", None)] {
        assert_eq!(super::errcode(api.media(id).await), errcode, "{id}");
    }
    let large = Bytes::from(vec![1; 65 << 20]);
    hear(wechat.voice("Large").sound(large)).await;
    let large = api.media("Large").await;
    assert_eq!(kind(large), Some(ErrorKind::TooLarge));
    assert_eq!(errcode(api.media("Vo99").await), Some(40_007));
}
