//! Functions of the user that panic: each is an error in the log, and has a documented answer.

use std::{convert::Infallible, fmt};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_wechat::{
    DedupLayer, MessageService, Verified, VerifySignatureLayer,
    dedup::{
        Key,
        store::{Acknowledged, Claim, Completed, Ending, Found, Released, Renewed, Run, Store},
    },
    message::TextMessage,
    reply::Reply,
    verify::{Rejection, RejectionKind},
};

use crate::assume;

fn text(id: &str) -> Request<Verified> {
    Request::new(assume(format!(
        "<xml><ToUserName>gh</ToUserName><FromUserName>user</FromUserName><CreateTime>1</CreateTime>\
         <MsgType>text</MsgType><Content>hi</Content><MsgId>{id}</MsgId></xml>"
    )))
}

/// The default key tells the messages apart.
#[tokio::test(start_paused = true)]
async fn a_key_function_that_panics_is_replaced_by_the_default() {
    let layer = DedupLayer::builder()
        .with_key(|_: &Request<Verified>| -> Key { panic!("no key") })
        .build();
    let runs = std::sync::atomic::AtomicUsize::new(0);
    let runs = std::sync::Arc::new(runs);
    let service = layer.layer(service_fn({
        let runs = std::sync::Arc::clone(&runs);
        move |_: Request<Verified>| {
            runs.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("reply"))) }
        }
    }));
    for id in ["1", "2", "1"] {
        let answer = service.clone().oneshot(text(id)).await.unwrap();
        assert_eq!(answer.body().as_bytes(), b"reply");
    }
    assert_eq!(runs.load(std::sync::atomic::Ordering::SeqCst), 2);
}

/// WeChat shows a reply to a text message, so it is left to deliver it again.
#[tokio::test(start_paused = true)]
async fn a_reply_filter_that_panics_is_replaced_by_the_default() {
    let layer = DedupLayer::builder()
        .with_reply_filter(|_| panic!("no filter"))
        .build();
    let service = layer.layer(service_fn(|_: Request<Verified>| {
        std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>()
    }));
    let answer = service.oneshot(text("1")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_function_that_picks_the_account_and_panics_is_answered_500() {
    let layer = VerifySignatureLayer::from_fn(|_| panic!("no database"));
    let service = layer.layer(service_fn(|_: Request<Verified>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let request = Request::post("/wechat")
        .body(Full::<Bytes>::default())
        .unwrap();
    let answer = service.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let rejection = answer.extensions().get::<Rejection>().unwrap();
    assert_eq!(rejection.kind(), RejectionKind::AccountPanic);
}

#[tokio::test]
async fn a_decode_error_hook_that_panics_changes_no_answer() {
    let handler =
        service_fn(|_: Request<TextMessage>| async { Ok::<_, Infallible>(Reply::success()) });
    let service = MessageService::for_type(handler).on_decode_error(|_| panic!("no ink"));
    let body = Request::new(assume("<xml><MsgType>text</MsgType>"));
    let answer = service.oneshot(body).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.body().as_bytes(), b"success");
}

/// A store whose errors cannot be written.
struct Speechless;

#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no words")
    }
}

impl Store for Speechless {
    type Error = Unspeakable;

    async fn claim(&self, _: Claim) -> Result<Found, Unspeakable> {
        Err(Unspeakable)
    }

    async fn renew(&self, _: Claim, _: Run) -> Result<Renewed, Unspeakable> {
        Err(Unspeakable)
    }

    async fn complete(&self, _: Claim, _: Ending) -> Result<Completed, Unspeakable> {
        Err(Unspeakable)
    }

    async fn acknowledge(&self, _: Claim) -> Result<Acknowledged, Unspeakable> {
        Err(Unspeakable)
    }

    async fn release(&self, _: Claim) -> Result<Released, Unspeakable> {
        Err(Unspeakable)
    }
}

/// It is away, like one that answers with any other error.
#[tokio::test(start_paused = true)]
async fn a_stores_error_that_panics_keeps_no_message_from_its_run() {
    let layer = DedupLayer::shared(Speechless);
    let service = layer.layer(service_fn(async |_: Request<Verified>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("reply")))
    }));
    let answer = service.oneshot(text("1")).await.unwrap();
    assert_eq!(answer.body().as_bytes(), b"reply");
}

#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn each_function_that_panics_is_an_error_in_the_log() {
    let log = crate::log::of(async || {
        let layer = DedupLayer::builder()
            .with_key(|_: &Request<Verified>| -> Key { panic!("no key") })
            .with_reply_filter(|_| panic!("no filter"))
            .build();
        let service = layer.layer(service_fn(|_: Request<Verified>| {
            std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>()
        }));
        service.oneshot(text("1")).await.unwrap();

        let handler =
            service_fn(async |_: Request<TextMessage>| Ok::<_, Infallible>(Reply::success()));
        let service = MessageService::for_type(handler).on_decode_error(|_| panic!("no ink"));
        let body = Request::new(assume("<xml><MsgType>text</MsgType>"));
        service.oneshot(body).await.unwrap();

        let layer = VerifySignatureLayer::from_fn(|_| panic!("no database"));
        let service = layer.layer(service_fn(async |_: Request<Verified>| {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
        let request = Request::post("/wechat").body(Full::<Bytes>::default());
        service.oneshot(request.unwrap()).await.unwrap();
    })
    .await;
    for function in [
        "with_key",
        "with_reply_filter",
        "on_decode_error",
        "from_fn",
    ] {
        let is_logged = |line: &str| {
            line.contains("ERROR")
                && line.contains("a function panicked")
                && line.contains(function)
        };
        assert!(log.lines().any(is_logged), "{function}: {log}");
    }
}
