//! Which messages are recognized, in which types, formats and stacks.

use std::io;

use futures_util::FutureExt as _;
use serde::Deserialize;
use tower::{BoxError, ServiceBuilder, limit::ConcurrencyLimitLayer};
use tower_wechat::{
    DedupLayer, Message, MessageService, Verified, VerifySignatureLayer,
    api::AccessToken,
    message::{TextMessage, from_slice},
    message_fn,
};

use super::*;
use crate::assume;

#[tokio::test(start_paused = true)]
async fn a_voice_message_without_words_gets_them() {
    for recognition in [None, Some(""), Some(" \n\u{3000}")] {
        let wechat = keeping(amr(100));
        let layer = RecognizeLayer::new(
            api(&wechat),
            Counted::default().recognizer(async |recording: Recording| {
                assert_eq!(recording.to_bytes(), amr(100));
                Ok::<_, Infallible>("  明天下雨吗\u{3000}\n".to_owned())
            }),
        );
        let mut voice = voice("Vo1");
        voice.recognition = recognition.map(str::to_owned);
        let mut expected = voice.clone();
        expected.recognition = Some("明天下雨吗".to_owned());
        assert_eq!(seen(&layer, voice).await.into_body(), expected);
        assert_eq!(wechat.seen(MEDIA)[0].query["media_id"], "Vo1");
    }
}

#[tokio::test(start_paused = true)]
async fn everything_else_passes_at_once_and_unchanged() {
    let (wechat, counted) = (WeChat::new(), Counted::default());
    let layer = RecognizeLayer::new(api(&wechat), counted.saying("no"));
    for body in [
        xml("Vo1", "<Recognition><![CDATA[ 你好 ]]></Recognition>"),
        xml("Vo1", "").replace("voice", "shortvideo"),
        xml("Vo1", "<Content>Vo1</Content>").replace("voice", "text"),
        xml("Vo1", "<Event>CLICK</Event>").replace("voice", "event"),
        // It does not fit its type.
        xml("Vo1", "").replace("MediaId", "Media"),
    ] {
        let message: Message = from_slice(body.as_bytes()).unwrap();
        let request = seen(&layer, message.clone())
            .now_or_never()
            .expect("at once");
        assert_eq!(request.body(), &message);
        assert!(request.extensions().get::<Error>().is_none());
    }
    assert_eq!((wechat.count(MEDIA), counted.count()), (0, 0));
}

/// The rest of the request passes as well.
#[tokio::test(start_paused = true)]
async fn a_recognized_request_keeps_its_parts() {
    let layer = RecognizeLayer::new(api(&keeping(amr(1))), Counted::default().saying("好"));
    let handler = service_fn(async |request: Request<VoiceMessage>| Ok::<_, Infallible>(request));
    let mut request = Request::post("/wechat?a=1").body(voice("Vo1")).unwrap();
    request.extensions_mut().insert(7_u8);
    let request = layer.layer(handler).oneshot(request).await.unwrap();
    assert_eq!(request.uri(), "/wechat?a=1");
    assert_eq!(request.extensions().get(), Some(&7_u8));
    assert_eq!(request.body().recognition.as_deref(), Some("好"));
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Question {
    Spoken(VoiceMessage),
    Written(TextMessage),
}

impl HasVoice for Question {
    fn voice_mut(&mut self) -> Option<&mut VoiceMessage> {
        match self {
            Self::Spoken(voice) => Some(voice),
            Self::Written(_) => None,
        }
    }
}

async fn ask(question: Question) -> Option<String> {
    match question {
        Question::Spoken(voice) => voice.recognition,
        Question::Written(text) => Some(text.content),
    }
}

#[tokio::test(start_paused = true)]
async fn a_users_own_type_may_have_a_voice() {
    let service =
        message_fn(ask).recognize(api(&keeping(amr(1))), Counted::default().saying("说的"));
    let text = xml("Vo1", "<Content>写的</Content>").replace("voice", "text");
    for (body, expected) in [(xml("Vo1", ""), "说的"), (text, "写的")] {
        let answer = service.clone().oneshot(Request::new(assume(body))).await;
        let answer = answer.unwrap().into_body();
        let answer = std::str::from_utf8(answer.as_bytes()).unwrap();
        assert!(answer.contains(expected), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wecom_apps_voice_message_gets_its_words() {
    let handler = |message: Message| async move {
        let Message::Voice(voice) = message else {
            panic!("{message:?}")
        };
        assert_eq!(voice.agent_id.as_deref(), Some("1000007"));
        voice.recognition
    };
    let service =
        message_fn(handler).recognize(api(&keeping(amr(1))), Counted::default().saying("六点"));
    let body = xml("Vo1", "<AgentID>1000007</AgentID><AppType>wxwork</AppType>");
    let answer = service.oneshot(Request::new(assume(body))).await.unwrap();
    let answer = std::str::from_utf8(answer.body().as_bytes())
        .unwrap()
        .to_owned();
    assert!(answer.contains("六点"), "{answer}");
}

/// The functions of the first example of the docs.
async fn answer_voice(voice: VoiceMessage) -> String {
    voice.recognition.unwrap_or_default()
}

async fn answer_message(message: Message) -> Option<String> {
    match message {
        Message::Voice(voice) => voice.recognition,
        _ => None,
    }
}

/// Services whose errors have no bound but `Display`, and Tower's layers around them.
#[tokio::test(start_paused = true)]
async fn all_kinds_of_recognizers_work_in_a_spawned_task() {
    async fn fetched<S>(service: S)
    where
        S: Service<
                Request<Verified>,
                Response = http::Response<tower_wechat::ResponseBody>,
                Error = Infallible,
                Future: Send + 'static,
            > + Clone
            + Send
            + Sync
            + 'static,
    {
        let stack = DedupLayer::in_memory().layer(service);
        let body = xml("Vo1", "");
        let answer = tokio::spawn(async { stack.oneshot(Request::new(assume(body))).await });
        let answer = answer.await.unwrap().unwrap().into_body();
        assert!(answer.as_bytes().windows(3).any(|part| part == b"yes"));
    }
    let yes = || "yes".to_owned();
    let api = api(&keeping(amr(1)));

    let plain = service_fn(move |_: Recording| async move { Ok::<_, BoxError>(yes()) });
    fetched(message_fn(answer_voice).recognize(api.clone(), plain)).await;
    let closure = service_fn(async |_: Recording| Ok::<_, io::Error>("yes".to_owned()));
    fetched(message_fn(answer_message).recognize(api.clone(), closure)).await;
    let of_text = service_fn(async |_: Recording| Ok::<_, &'static str>("yes".to_owned()));
    let limited = ServiceBuilder::new()
        .layer(ConcurrencyLimitLayer::new(1))
        .boxed_clone_sync()
        .service(of_text);
    fetched(message_fn(answer_message).recognize(api.clone(), limited.clone())).await;
    let layer = RecognizeLayer::new(api.clone(), limited);
    let handler = service_fn(async |request: Request<VoiceMessage>| {
        Ok::<_, Infallible>(request.into_body().recognition)
    });
    fetched(MessageService::for_type::<VoiceMessage>(handler).layer(layer)).await;
}

/// The example that a new user copies compiles with the layers of the account around it.
#[tokio::test(start_paused = true)]
async fn the_first_example_compiles() {
    let account = tower_wechat::Account::plain("walnut42").unwrap();
    let (api, recognizer) = (api(&WeChat::new()), Counted::default().saying("好"));
    let wechat = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account))
        .layer(DedupLayer::in_memory())
        .service(message_fn(answer_voice).recognize(api, recognizer));
    let _: axum::Router = axum::Router::new().route_service("/wechat", wechat);
}

#[cfg(feature = "json")]
#[tokio::test(start_paused = true)]
async fn a_push_in_json_is_recognized_too() {
    let service = message_fn(answer_message)
        .recognize(api(&keeping(amr(1))), Counted::default().saying("好"));
    let body = format!(
        r#"{{"ToUserName":"gh_7a","FromUserName":"{OPENID}","CreateTime":1790000000,
            "MsgType":"voice","MediaId":"Vo1","Format":"amr","MsgId":77,"Recognition":""}}"#
    );
    let answer = service.oneshot(Request::new(assume(body))).await.unwrap();
    let answer = std::str::from_utf8(answer.body().as_bytes()).unwrap();
    assert!(answer.contains('好'), "{answer}");
}

/// WeCom's token comes from another call, and its API has another address.
#[tokio::test(start_paused = true)]
async fn an_api_with_another_base_and_token_serves_wecom() {
    let wechat = keeping(amr(1));
    let source = async || Ok::<_, Infallible>(AccessToken::new("Wecom7", secs(7200)));
    let wecom = Api::with_token_source(wechat.client(), "ww0f1e", source).unwrap();
    let wecom = wecom.with_base_url("https://qyapi.weixin.qq.com").unwrap();
    let layer = RecognizeLayer::new(wecom, Counted::default().saying("收到"));
    assert_eq!(
        words(&layer, voice("1G6nrLmr5EC3MMb")).await.unwrap(),
        "收到"
    );
    let fetched = &wechat.seen(MEDIA)[0];
    assert!(
        fetched
            .uri
            .starts_with("https://qyapi.weixin.qq.com/cgi-bin/media/get?")
    );
    assert_eq!(fetched.query["access_token"], "Wecom7");
}

/// Neither waits for a permit: only what is recognized does, and only what reaches the handler does.
#[tokio::test(start_paused = true)]
async fn the_layer_is_always_ready_and_waits_for_permits_itself() {
    let counted = Counted::default();
    let recognizer = ServiceBuilder::new()
        .layer(ConcurrencyLimitLayer::new(1))
        .service(counted.recognizer(async |_| {
            tokio::time::sleep(secs(3)).await;
            Ok::<_, Infallible>("好".to_owned())
        }));
    let layer = RecognizeLayer::new(api(&keeping(amr(1))), recognizer);
    let begun = tokio::time::Instant::now();
    let mut spoken = voice("Vo3");
    spoken.recognition = Some("有".to_owned());
    let messages = [voice("Vo1"), voice("Vo2"), spoken].map(|voice| async {
        words(&layer, voice).await.unwrap();
        begun.elapsed().as_secs()
    });
    let mut took = futures_util::future::join_all(messages).await;
    took.sort_unstable();
    assert_eq!(took, [0, 3, 6]);
}
