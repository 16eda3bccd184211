//! From a verified delivery to the handler and back.

use std::{
    convert::Infallible,
    future::{Pending, pending},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::SystemTime,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use serde::Deserialize;
use tokio::sync::mpsc;
use tower::{
    BoxError, Service, ServiceBuilder, ServiceExt, layer::util::Identity, service_fn,
    util::MapRequestLayer,
};
use tower_wechat::{
    DedupLayer, Delivery, Message, MessageService, Reply, ResponseBody, Verified,
    dedup::RunNumber,
    message::{LocationMessage, TextMessage, VoiceMessage},
    message_fn, reply, xml,
};

use crate::assume;
#[cfg(feature = "tracing")]
use crate::log;

const VOICE: &str = "<xml><ToUserName><![CDATA[gh_account]]></ToUserName>\
    <FromUserName><![CDATA[openid-of-a-user]]></FromUserName><CreateTime>1700000000</CreateTime>\
    <MsgType><![CDATA[voice]]></MsgType><MediaId><![CDATA[media-1]]></MediaId>\
    <Format><![CDATA[amr]]></Format><MsgId>7001</MsgId>\
    <Recognition><![CDATA[今天的天气]]></Recognition></xml>";

const TEXT: &str = "<xml><ToUserName><![CDATA[gh_account]]></ToUserName>\
    <FromUserName><![CDATA[openid-of-a-user]]></FromUserName><CreateTime>1700000000</CreateTime>\
    <MsgType><![CDATA[text]]></MsgType><Content><![CDATA[hush-hush]]></Content>\
    <MsgId>7002</MsgId></xml>";

/// Signed by WeChat, and no XML.
const BROKEN: &str = "<xml><MsgType><![CDATA[text]]></MsgType><Content>hush-hush</Cont";

type Answer = (StatusCode, Option<String>, String);

async fn send<S>(service: S, plaintext: &'static str) -> Answer
where
    S: Service<Request<Verified>, Response = Response<ResponseBody>, Error = Infallible>,
{
    let delivery = Delivery::new("news");
    let request = Request::new(Verified::insecure_assume(plaintext, delivery));
    let response = service.oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let content_type = head.headers.get("content-type");
    (
        head.status,
        content_type.map(|value| value.to_str().unwrap().to_owned()),
        String::from_utf8(body.as_bytes().to_vec()).unwrap(),
    )
}

fn success() -> Answer {
    (
        StatusCode::OK,
        Some("text/plain".into()),
        "success".to_owned(),
    )
}

#[track_caller]
fn check_reply(answer: &Answer, content: &str) {
    let (status, content_type, body) = answer;
    assert_eq!(*status, StatusCode::OK);
    assert_eq!(content_type.as_deref(), Some("application/xml"));

    let (before, rest) = body.split_once("<CreateTime>").expect(body);
    assert_eq!(
        before,
        "<xml><ToUserName><![CDATA[openid-of-a-user]]></ToUserName>\
         <FromUserName><![CDATA[gh_account]]></FromUserName>"
    );
    let (create_time, after) = rest.split_once("</CreateTime>").expect(body);
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let age = now - create_time.parse::<u64>().unwrap();
    assert!(age < 60, "seconds of now, not {create_time}");
    assert_eq!(
        after,
        format!(
            "<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{content}]]></Content></xml>"
        )
    );
}

/// Counts what `on_decode_error` is given.
#[derive(Clone, Default)]
struct Hook(Arc<Mutex<Vec<(Bytes, xml::ErrorKind, String)>>>);

impl Hook {
    fn on<H, M>(&self, service: MessageService<H, M>) -> MessageService<H, M> {
        let Self(calls) = self.clone();
        service.on_decode_error(move |failure| {
            assert_eq!(failure.delivery().account(), "news");
            calls.lock().unwrap().push((
                failure.body().to_bytes(),
                failure.error().kind(),
                format!("{failure:?}"),
            ));
        })
    }

    fn calls(&self) -> Vec<(Bytes, xml::ErrorKind, String)> {
        self.0.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_voice_message_is_answered() {
    let service = message_fn(|message: Message| async move {
        match message {
            Message::Voice(voice) => Reply::text(voice.recognition.unwrap_or_default()),
            _ => Reply::success(),
        }
    });
    check_reply(&send(service.clone(), VOICE).await, "今天的天气");
    assert_eq!(send(service, TEXT).await, success());
}

#[tokio::test]
async fn another_type_is_acknowledged_and_never_handled() {
    let hook = Hook::default();
    let service = hook.on(message_fn(
        |voice: VoiceMessage| async move { voice.media_id },
    ));
    check_reply(&send(service.clone(), VOICE).await, "media-1");
    assert_eq!(send(service, TEXT).await, success());
    assert_eq!(hook.calls(), []);
}

/// A suite's pushes have no MsgType, and so nothing that a voice message's could contradict.
#[tokio::test]
async fn a_push_that_is_named_otherwise_is_of_another_type() {
    let hook = Hook::default();
    let service = hook.on(message_fn(
        |voice: VoiceMessage| async move { voice.media_id },
    ));
    let ticket = "<xml><SuiteId>s</SuiteId><InfoType>suite_ticket</InfoType></xml>";
    assert_eq!(send(service, ticket).await, success());
    assert_eq!(hook.calls(), []);

    // One that does not say what it is, and one of the right type that lacks a field.
    for failing in [
        "<xml><SuiteId>s</SuiteId></xml>",
        "<xml><MsgType>voice</MsgType></xml>",
    ] {
        let hook = Hook::default();
        let service = hook.on(message_fn(
            |voice: VoiceMessage| async move { voice.media_id },
        ));
        assert_eq!(send(service, failing).await, success());
        let kinds: Vec<_> = hook.calls().into_iter().map(|(_, kind, _)| kind).collect();
        assert_eq!(kinds, [xml::ErrorKind::MissingField], "{failing}");
    }
}

/// A user's own type tells types apart with a unit enum, at each of the three elements that may.
#[tokio::test]
async fn a_users_type_tells_types_apart() {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Scan {
        event: ScanOnly,
        event_key: String,
    }

    #[derive(Deserialize)]
    enum ScanOnly {
        #[serde(rename = "SCAN")]
        Scan,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Ticket {
        #[expect(dead_code, reason = "checked while it is read")]
        info_type: TicketOnly,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum TicketOnly {
        ComponentVerifyTicket,
    }

    let hook = Hook::default();
    let scan = hook.on(message_fn(|scan: Scan| async move {
        let ScanOnly::Scan = scan.event;
        scan.event_key
    }));
    let clicked = "<xml><MsgType>event</MsgType><Event>CLICK</Event><EventKey>k</EventKey></xml>";
    assert_eq!(send(scan.clone(), clicked).await, success());
    let scanned = "<xml><ToUserName>gh_account</ToUserName>\
        <FromUserName>openid-of-a-user</FromUserName>\
        <Event>SCAN</Event><EventKey>12</EventKey></xml>";
    check_reply(&send(scan, scanned).await, "12");

    let ticket = hook.on(message_fn(|_: Ticket| async {}));
    let authorized = "<xml><InfoType>authorized</InfoType></xml>";
    assert_eq!(send(ticket, authorized).await, success());

    assert_eq!(hook.calls(), []);
}

/// Only the elements that name the type, and only directly under the root: an unknown word anywhere
/// else says that the handler's type does not fit.
#[tokio::test]
async fn an_unknown_word_elsewhere_is_a_decode_error() {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Push {
        #[serde(default)]
        #[expect(dead_code, reason = "checked while it is read")]
        format: Option<Word>,
        #[serde(default)]
        #[expect(dead_code, reason = "checked while it is read")]
        inner: Option<Inner>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Inner {
        #[expect(dead_code, reason = "checked while it is read")]
        msg_type: Word,
    }

    #[derive(Deserialize)]
    enum Word {
        #[serde(rename = "known")]
        Known,
    }

    for plaintext in [
        "<xml><Format>unknown</Format></xml>",
        "<xml><Inner><MsgType>unknown</MsgType></Inner></xml>",
    ] {
        let hook = Hook::default();
        let service = hook.on(message_fn(|_: Push| async {}));
        assert_eq!(send(service, plaintext).await, success());
        let kinds: Vec<_> = hook.calls().into_iter().map(|(_, kind, _)| kind).collect();
        assert_eq!(kinds, [xml::ErrorKind::UnknownVariant], "{plaintext}");
    }
}

#[tokio::test]
async fn a_decode_error_is_acknowledged_and_reported() {
    let runs = Arc::new(AtomicUsize::new(0));
    let hook = Hook::default();
    let counted = Arc::clone(&runs);
    let service = hook.on(message_fn(move |_: Message| {
        counted.fetch_add(1, Ordering::Relaxed);
        async { "handled" }
    }));
    assert_eq!(send(service.clone(), BROKEN).await, success());
    assert_eq!(send(service, "").await, success());
    assert_eq!(runs.load(Ordering::Relaxed), 0);

    let calls = hook.calls();
    let bodies: Vec<_> = calls.iter().map(|(body, ..)| &body[..]).collect();
    assert_eq!(bodies, [BROKEN.as_bytes(), b""]);
    for (_, _, debug) in &calls {
        assert!(!debug.contains("hush"), "{debug}");
        assert!(debug.contains("account: \"news\""), "{debug}");
    }
}

#[tokio::test]
async fn a_failed_handler_is_a_500() {
    let service =
        message_fn(|_: TextMessage| async { Err::<Reply, BoxError>("out of paper".into()) });
    assert_eq!(
        send(service, TEXT).await,
        (StatusCode::INTERNAL_SERVER_ERROR, None, String::new())
    );
}

/// Layers around the service see the reply as the handler made it, before anybody parses XML.
#[tokio::test]
async fn the_response_carries_the_typed_reply() {
    async fn reply_to(plaintext: &'static str) -> ResponseBody {
        let service = message_fn(|voice: VoiceMessage| async move { voice.recognition });
        let request = Request::new(assume(plaintext));
        let response = service.oneshot(request).await.unwrap();
        response.into_body()
    }

    let body = reply_to(VOICE).await;
    assert_eq!(*body.reply().unwrap(), Reply::text("今天的天气"));
    assert_eq!(body.to_bytes(), body.as_bytes());
    // A clone shares it, and it outlives the bytes.
    let clone = body.clone();
    assert!(std::ptr::eq(clone.reply().unwrap(), body.reply().unwrap()));
    assert_eq!(
        body.size_hint().exact(),
        Some(clone.as_bytes().len() as u64)
    );
    let mut body = body;
    let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(frame, clone.as_bytes());
    assert!(body.is_end_stream() && body.as_bytes().is_empty());
    assert!(body.frame().await.is_none());
    assert!(body.reply().is_some());
    // And none is shown.
    assert!(!format!("{clone:?}").contains("今天"));

    // An answer that no handler has made carries none.
    for plaintext in [TEXT, BROKEN] {
        let body = reply_to(plaintext).await;
        assert_eq!((body.as_bytes(), body.reply()), (&b"success"[..], None));
    }
}

#[tokio::test]
async fn a_reply_that_cannot_be_sent_is_acknowledged() {
    for reply in [Reply::text(""), Reply::image("")] {
        let service = message_fn(move |_: Message| {
            let reply = reply.clone();
            async move { reply }
        });
        assert_eq!(send(service, TEXT).await, success());
    }
}

#[tokio::test]
async fn a_message_without_a_sender_is_acknowledged() {
    #[derive(Deserialize)]
    struct Anything {}

    let service = message_fn(|_: Anything| async { "hi" });
    for plaintext in [
        "<xml><SuiteId>s</SuiteId></xml>",
        "<xml><ToUserName>gh_account</ToUserName><FromUserName/></xml>",
        "<xml><ToUserName>gh_account</ToUserName><FromUserName><![CDATA[]]></FromUserName></xml>",
        "<xml><FromUserName>openid</FromUserName></xml>",
    ] {
        assert_eq!(
            send(service.clone(), plaintext).await,
            success(),
            "{plaintext}"
        );
    }
}

#[tokio::test]
async fn the_handler_sees_the_delivery() {
    #[derive(Clone, PartialEq, Debug)]
    struct Tenant(&'static str);

    let handler = service_fn(|request: Request<VoiceMessage>| async move {
        let tenant: &Tenant = request.extensions().get().unwrap();
        let delivery: &Delivery = request.extensions().get().unwrap();
        Ok::<_, Infallible>(format!(
            "{} {} {} {} {} {}",
            request.method(),
            request.uri(),
            request.headers()["user-agent"].to_str().unwrap(),
            tenant.0,
            delivery.account(),
            request.body().media_id,
        ))
    });
    let request = Request::post("/wechat?nonce=1")
        .header("user-agent", "Mozilla/4.0")
        .extension(Tenant("north"))
        .body(Verified::insecure_assume(VOICE, Delivery::new("news")))
        .unwrap();
    let response = MessageService::for_type::<VoiceMessage>(handler)
        .oneshot(request)
        .await
        .unwrap();
    let body = str::from_utf8(response.body().as_bytes()).unwrap();
    assert!(
        body.contains("POST /wechat?nonce=1 Mozilla/4.0 north news media-1"),
        "{body}"
    );
}

/// The function itself sees the message alone.
#[tokio::test]
async fn a_layer_around_a_function_sees_the_delivery_and_the_run() {
    let (sender, mut seen) = mpsc::unbounded_channel();
    let look = MapRequestLayer::new(move |request: Request<VoiceMessage>| {
        let extensions = request.extensions();
        let account = extensions
            .get()
            .map(|delivery: &Delivery| delivery.account().to_owned());
        let run = extensions.get().map(|run: &RunNumber| run.get());
        sender.send((account, run)).unwrap();
        request
    });
    let handler = message_fn(|voice: VoiceMessage| async move { voice.media_id }).layer(look);
    for (front, run) in [(None, None), (Some(DedupLayer::in_memory()), Some(1))] {
        let service = ServiceBuilder::new()
            .option_layer(front)
            .service(handler.clone());
        let request = Request::new(Verified::insecure_assume(VOICE, Delivery::new("news")));
        service.oneshot(request).await.unwrap();
        assert_eq!(seen.recv().await, Some((Some("news".to_owned()), run)));
    }
}

/// A layer in front may have replaced it.
#[tokio::test]
async fn the_handler_sees_the_delivery_that_the_request_has() {
    let handler = service_fn(|request: Request<VoiceMessage>| async move {
        let delivery: &Delivery = request.extensions().get().unwrap();
        Ok::<_, Infallible>(delivery.account().to_owned())
    });
    let request = Request::post("/wechat")
        .extension(Delivery::new("weekly"))
        .body(Verified::insecure_assume(VOICE, Delivery::new("news")))
        .unwrap();
    let service = MessageService::for_type::<VoiceMessage>(handler);
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.body().reply(), Some(&Reply::text("weekly")));
}

/// A permit of a limit around the handler belongs to messages for the handler: nothing is taken
/// when the service is polled for readiness, nor for a body that is not for it.
#[tokio::test]
async fn readiness_of_the_handler_is_awaited_after_reading() {
    #[derive(Clone)]
    struct NeverReady;

    impl Service<Request<VoiceMessage>> for NeverReady {
        type Response = Reply;
        type Error = Infallible;
        type Future = Pending<Result<Reply, Infallible>>;

        fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Pending
        }

        fn call(&mut self, _request: Request<VoiceMessage>) -> Self::Future {
            panic!("called before it was ready");
        }
    }

    let mut service = MessageService::for_type::<VoiceMessage>(NeverReady);
    let mut cx = Context::from_waker(Waker::noop());
    let ready = Service::<Request<Verified>>::poll_ready(&mut service, &mut cx);
    assert!(ready.is_ready());

    assert_eq!(send(service.clone(), TEXT).await, success());

    let voice = pin!(service.call(Request::new(assume(VOICE))));
    assert!(voice.poll(&mut cx).is_pending());
}

#[test]
fn the_service_and_its_future_move_between_threads() {
    fn check<T: Send + Sync + Clone + 'static>(_: &T) {}
    fn check_future<T: Send + 'static>(_: &T) {}

    /// A message that is neither `Clone` nor `Sync` is no hindrance.
    #[derive(Deserialize)]
    struct Local(#[expect(dead_code, reason = "only its type matters")] std::cell::Cell<u8>);

    let mut service = message_fn(|_: Local| pending::<Result<Reply, BoxError>>());
    check(&service);
    check_future(&service.call(Request::new(assume(VOICE))));
}

/// What a user wrote stays out of the log, whatever goes wrong with it; what the handler says about
/// its own error does not.
#[cfg(feature = "tracing")]
#[tokio::test]
async fn the_log_names_faults_and_quotes_nothing() {
    #[derive(Deserialize)]
    struct Strict {
        #[serde(rename = "Content")]
        _content: u32,
    }

    let log = log::of(async || {
        let strict = message_fn(|_: Strict| async {});
        send(strict, TEXT).await;
        let voice = message_fn(|_: VoiceMessage| async {});
        send(voice, TEXT).await;
        let failing =
            message_fn(|_: Message| async { Err::<Reply, BoxError>("out of paper".into()) });
        send(failing, TEXT).await;
        let echo = message_fn(|text: TextMessage| async move { text.content.repeat(1000) });
        send(echo, TEXT).await;
    })
    .await;
    assert!(!log.contains("hush"), "{log}");
    log::check(
        &log,
        [
            &["ERROR", "kind=Number", "path=\"xml.Content\""],
            &["DEBUG", "path=\"xml.MsgType\""],
            &["ERROR", "out of paper"],
            &["WARN", "account=\"news\"", "messages=4"],
        ],
    );
}

/// Returns the text of a reply.
fn content((_, _, body): &Answer) -> &str {
    let (_, content) = body.split_once("<Content><![CDATA[").expect(body);
    content.split_once("]]></Content>").expect(body).0
}

#[tokio::test]
async fn a_long_text_ends_in_a_marker() {
    let story = "涨潮了。\n".repeat(300);
    let answer = {
        let story = story.clone();
        message_fn(move |_: Message| {
            let story = story.clone();
            async move { story }
        })
    };
    // 157 lines of 13 bytes, the last one without its end, and `…`.
    let first = format!("{}…", "涨潮了。\n".repeat(157).trim_end());
    assert_eq!(content(&send(answer.clone(), TEXT).await), first);
    // A layer around the service has the whole text.
    let request = Request::new(Verified::insecure_assume(TEXT, Delivery::new("news")));
    let response = answer.clone().oneshot(request).await.unwrap();
    assert_eq!(response.body().reply().unwrap().as_text(), Some(&*story));

    let marked = answer.clone().with_cut_marker("\n（未完\u{1}）").unwrap();
    let answered = send(marked.layer(Identity::new()), TEXT).await;
    let first = format!("{}\n（未完）", "涨潮了。\n".repeat(156).trim_end());
    assert_eq!(content(&answered), first);

    answer.clone().with_cut_marker("m".repeat(1023)).unwrap();
    let error = answer.with_cut_marker("m".repeat(1024)).unwrap_err();
    assert_eq!(error.kind(), reply::ErrorKind::TextLength);
}

/// A location that is none: it arrives with all its fields.
const MISFIT: &str = "<xml><ToUserName>gh_account</ToUserName>\
    <FromUserName>openid-of-a-user</FromUserName><CreateTime>1700000000</CreateTime>\
    <MsgType>location</MsgType><Location_X>hush-hush</Location_X><Label>Pier 7</Label></xml>";

#[tokio::test]
async fn what_does_not_fit_its_type_is_handled() {
    let hook = Hook::default();
    let service = hook.on(message_fn(|message: Message| async move {
        let Message::Other(other) = message else {
            panic!("{message:?}");
        };
        assert!(other.misfit().is_some());
        other.fields()["Label"].as_str().map(ToOwned::to_owned)
    }));
    check_reply(&send(service, MISFIT).await, "Pier 7");
    assert_eq!(hook.calls(), []);
    // A handler of one type gets no other.
    let service = hook.on(message_fn(|_: LocationMessage| async { "handled" }));
    assert_eq!(send(service, MISFIT).await, success());
    assert_eq!(hook.calls().len(), 1);
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn what_does_not_fit_its_type_is_one_warning() {
    let location = "<MsgType>location</MsgType>";
    let event = MISFIT.replace(
        location,
        "<MsgType>event</MsgType><Event>LOCATION</Event><Latitude>hush-hush</Latitude>",
    );
    let event: &'static str = event.leak();
    let log = log::of(async || {
        send(message_fn(|_: Message| async {}), MISFIT).await;
        send(message_fn(|_: Message| async {}), event).await;
        send(
            message_fn(|_: tower_wechat::message::EventMessage| async {}),
            event,
        )
        .await;
        send(message_fn(|_: Message| async {}), TEXT).await;
    })
    .await;
    let warning = |path| ["WARN", "account=\"news\"", "kind=Number", "offset=", path];
    let event = warning("path=\"Latitude\"");
    log::check(&log, [&warning("path=\"Location_X\""), &event, &event]);
    assert!(!log.contains("hush"), "{log}");
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn a_push_that_is_no_message_is_one_line() {
    let ticket = "<xml><SuiteId>ww1</SuiteId><InfoType>suite_ticket</InfoType><SuiteTicket>hush-hush</SuiteTicket></xml>";
    let log = log::of(async || {
        send(message_fn(|_: Message| async {}), ticket).await;
        // These are another type's, and a message that has the field by chance.
        let suite = message_fn(|_: tower_wechat::message::wecom::SuiteMessage| async {});
        send(suite, ticket).await;
        let message = "<xml><MsgType>made_up</MsgType><InfoType>suite_ticket</InfoType></xml>";
        send(message_fn(|_: Message| async {}), message).await;
    })
    .await;
    log::check(&log, [&["DEBUG", "account=\"news\"", "InfoType"]]);
    assert!(!log.contains("hush"), "{log}");
}

/// Dedup repeats a run that fails, not the warning.
#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn a_repeated_run_does_not_repeat_the_warning() {
    let log = log::of(async || {
        let failing = message_fn(|_: Message| async { Err::<Reply, _>("out of ink") });
        let service = tower::Layer::layer(&tower_wechat::DedupLayer::in_memory(), failing);
        let request = Request::new(Verified::insecure_assume(MISFIT, Delivery::new("news")));
        service.oneshot(request).await.expect("infallible");
    })
    .await;
    assert_eq!(log.matches("does not fit its type").count(), 1, "{log}");
    assert!(log.matches("out of ink").count() > 1, "{log}");
}
