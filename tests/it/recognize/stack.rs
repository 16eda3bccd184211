//! The finished stack, from WeChat's push to what the user sees.

use tokio::time::sleep;
use tower::ServiceBuilder;
use tower_wechat::{
    Account, DedupLayer, VerifySignatureLayer,
    api::AccessToken,
    message_fn,
    simulator::{Shown, Simulator, Transcript},
};

use super::*;

const KEY: &str = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";

async fn answer(voice: VoiceMessage) -> String {
    voice.recognition.unwrap_or_else(|| "没听清".to_owned())
}

/// Pushes a voice message whose recording `wechat` keeps.
async fn say(wechat: &WeChat, recognizer: impl Recognizes) -> Transcript {
    let account = Account::encrypted("walnut42", crate::api::APP_ID, KEY).unwrap();
    say_to(account, api(wechat), recognizer).await
}

async fn say_to(account: Account, api: Api, recognizer: impl Recognizes) -> Transcript {
    let stack = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account.clone()))
        .layer(DedupLayer::in_memory())
        .service(message_fn(answer).recognize(api, recognizer));
    // As WeChat sends it today.
    let push = Simulator::new(account).voice("Vo1").recognition("");
    push.deliver(stack).await
}

/// Its envelope, its token and the address of its API are not those of an Official Account.
#[tokio::test(start_paused = true)]
async fn an_application_of_wecom_is_served_too() {
    let (wechat, counted) = (keeping(amr(100)), Counted::default());
    let token = async || Ok::<_, Infallible>(AccessToken::new("Wecom7", secs(7200)));
    let api = Api::with_token_source(wechat.client(), "ww0f1e", token).unwrap();
    let api = api.with_base_url("https://qyapi.weixin.qq.com").unwrap();
    let account = Account::wecom("walnut42", "ww0f1e2d3c4b5a6978", KEY).unwrap();
    let transcript = say_to(account, api, slow(&counted, 8)).await;
    assert_eq!(transcript.shown().text(), Some("几点了"), "{transcript}");
    assert_eq!((wechat.count(MEDIA), counted.count()), (1, 1));
}

/// Says `words` of a recording after so many seconds.
fn slow(counted: &Counted, seconds: u64) -> impl Recognizes + use<> {
    counted.recognizer(move |_| async move {
        sleep(secs(seconds)).await;
        Ok::<_, Infallible>("几点了".to_owned())
    })
}

#[tokio::test(start_paused = true)]
async fn words_are_answered_in_the_first_delivery() {
    let transcript = say(&keeping(amr(100)), slow(&Counted::default(), 1)).await;
    assert_eq!(transcript.shown().text(), Some("几点了"), "{transcript}");
    assert_eq!(transcript.deliveries().len(), 1, "{transcript}");
}

#[tokio::test(start_paused = true)]
async fn a_recognizer_of_8_s_is_answered_in_the_second_delivery() {
    let (wechat, counted) = (keeping(amr(100)), Counted::default());
    let transcript = say(&wechat, slow(&counted, 8)).await;
    assert_eq!(transcript.shown().text(), Some("几点了"), "{transcript}");
    assert_eq!(transcript.deliveries().len(), 2, "{transcript}");
    assert_eq!((wechat.count(MEDIA), counted.count()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn no_failure_loses_the_message() {
    let fails = async |answers: Vec<Answer>, says: fn() -> Result<String, &'static str>| {
        let wechat = WeChat::new();
        wechat.script(MEDIA, answers);
        let recognizer = Counted::default().recognizer(move |_| async move { says() });
        let transcript = say(&wechat, recognizer).await;
        assert_ne!(transcript.shown(), &Shown::Fault, "{transcript}");
        assert_eq!(transcript.shown().text(), Some("没听清"), "{transcript}");
    };
    let good = || Ok("好".to_owned());
    fails(vec![file(amr(1))], || Err("no money left")).await;
    fails(vec![file(amr(1))], || panic!("!")).await;
    fails(vec![file(amr(1))], || Ok(" ".to_owned())).await;
    fails(vec![file(amr(1))], || Ok("字".repeat(40_000))).await;
    fails(vec![Answer::Code(40_007, "invalid media_id")], good).await;
    fails(vec![Answer::Code(48_001, "api unauthorized")], good).await;
    // Answered in the third delivery.
    fails(vec![Answer::Never], good).await;
    fails(vec![Answer::Bytes(11 << 20)], good).await;
}

/// The reply to what takes too long for all deliveries goes the way of all late replies.
#[tokio::test(start_paused = true)]
async fn a_recognition_that_outlasts_the_deliveries_is_a_late_reply() {
    let (late, mut replies) = tokio::sync::mpsc::unbounded_channel();
    let layer =
        DedupLayer::builder().with_late_replies(move |reply: tower_wechat::late::LateReply| {
            let late = late.clone();
            async move { late.send(format!("{:?}", reply.reply())).unwrap() }
        });
    let account = || Account::plain("walnut42").unwrap();
    let api = api(&keeping(amr(100)));
    let stack = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account()))
        .layer(layer.build())
        .service(message_fn(answer).recognize(api, slow(&Counted::default(), 18)));
    let transcript = Simulator::new(account()).voice("Vo1").deliver(stack).await;
    assert_eq!(transcript.shown().text(), None, "{transcript}");
    assert!(replies.recv().await.unwrap().contains("几点了"));
}
