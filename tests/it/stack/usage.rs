//! Ways to use the stack that have to compile, in places that want a future that is `Send`.
//!
//! While a handler's error had to be `Into<BoxError>`, most of these failed with "implementation of `From` is not general
//! enough".

use std::{convert::Infallible, time::Duration};

use axum::{Router, extract, routing::any};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
use tower_wechat::{
    DedupLayer, Message, MessageService, Reply, ResponseBody, Verified, VerifySignatureLayer,
    message::TextMessage,
    message_fn,
    simulator::{Shown, Simulator},
};

use super::{account, client, listen};

/// The stack as the README writes it.
macro_rules! stack {
    ($service:expr) => {
        ServiceBuilder::new()
            .layer(VerifySignatureLayer::new(account()))
            .layer(DedupLayer::in_memory())
            .service($service)
    };
}

fn request() -> Request<Full<Bytes>> {
    let text = Simulator::new(account()).text("hi");
    text.request().unwrap().map(Full::new)
}

/// What handlers wait for, and what their errors come from.
async fn look_up(words: &str) -> Result<String, BoxError> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    if words.is_empty() {
        return Err("no words".into());
    }
    Ok(words.to_uppercase())
}

async fn answer(text: TextMessage) -> Result<Reply, BoxError> {
    Ok(Reply::text(look_up(&text.content).await?))
}

#[track_caller]
fn check(response: &Response<ResponseBody>) {
    assert_eq!(response.status(), StatusCode::OK);
    let body = str::from_utf8(response.body().as_bytes()).unwrap();
    assert!(body.contains("<Content><![CDATA[HI]]></Content>"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn inside_a_task() {
    let responses = [
        tokio::spawn(async {
            let bot = stack!(message_fn(|text: TextMessage| async move {
                look_up(&text.content).await.ok()
            }));
            bot.oneshot(request()).await
        }),
        tokio::spawn(async {
            let bot = stack!(message_fn(async |text: TextMessage| {
                look_up(&text.content).await
            }));
            bot.oneshot(request()).await
        }),
        tokio::spawn(async {
            let bot = stack!(message_fn(|text: TextMessage| async move {
                let words = look_up(&text.content).await?;
                Ok::<_, BoxError>(Reply::text(words))
            }));
            bot.oneshot(request()).await
        }),
        tokio::spawn(async { stack!(message_fn(answer)).oneshot(request()).await }),
        tokio::spawn(async {
            let handler = service_fn(|request: Request<TextMessage>| async move {
                look_up(&request.body().content).await
            });
            let bot = stack!(MessageService::for_type::<TextMessage>(handler));
            bot.oneshot(request()).await
        }),
    ];
    for response in responses {
        check(&response.await.unwrap().unwrap());
    }
}

/// A service of one's own in the place of the handler, with the error that most services have.
#[tokio::test(start_paused = true)]
async fn around_a_service_whose_error_is_boxed() {
    let response = tokio::spawn(async {
        let service = service_fn(|request: Request<Verified>| async move {
            let head = request.body().head().map_err(ToString::to_string)?;
            let words = look_up(head.msg_type().unwrap_or_default()).await?;
            Ok::<_, BoxError>(Response::new(Full::<Bytes>::from(words)))
        });
        stack!(service).oneshot(request()).await
    });
    let response = response.await.unwrap().unwrap();
    assert_eq!(response.into_body().to_bytes(), "TEXT");

    let failing = async |_: Request<Verified>| {
        look_up("").await?;
        Ok::<_, BoxError>(Response::new(Full::<Bytes>::default()))
    };
    // Dedup makes a response of it, and the check alone passes it on.
    let response = tokio::spawn(stack!(service_fn(failing)).oneshot(request()));
    let response = response.await.unwrap().unwrap();
    assert_eq!(response.body().as_bytes(), b"success");
    let alone = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account()))
        .service_fn(failing);
    let error = tokio::spawn(alone.oneshot(request())).await.unwrap();
    assert_eq!(error.unwrap_err().to_string(), "no words");
}

#[tokio::test]
async fn inside_an_axum_handler() {
    async fn function(request: extract::Request) -> Result<Response<ResponseBody>, Infallible> {
        let bot = stack!(message_fn(async |text: TextMessage| {
            look_up(&text.content).await
        }));
        bot.oneshot(request).await
    }

    let shared = stack!(message_fn(|text: TextMessage| async move {
        look_up(&text.content).await.ok()
    }));
    let closure = move |request: extract::Request| {
        let bot = shared.clone();
        async move { bot.oneshot(request).await }
    };
    let app = Router::new()
        .route("/closure", any(closure))
        .route("/function", any(function))
        .route_service("/service", stack!(message_fn(answer)));
    let (listener, wechat) = listen().await;
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    for path in ["closure", "function", "service"] {
        let uri = format!("http://{address}/{path}");
        let transcript = wechat.clone().with_uri(uri).unwrap().text("hi");
        let transcript = transcript.deliver(client()).await;
        assert_eq!(transcript.shown().text(), Some("HI"), "{path} {transcript}");
    }
}

/// As a user tests a bot, with the bot written on the spot.
#[tokio::test(start_paused = true)]
async fn delivered_to_by_the_simulator() {
    let wechat = Simulator::new(account());
    let bot = stack!(message_fn(|message: Message| async move {
        match message {
            Message::Text(text) => Some(look_up(&text.content).await),
            _ => None,
        }
    }));
    let push = wechat.text("hi");
    let delivered = tokio::spawn(async move {
        let first = push.deliver(bot.clone()).await;
        let second = wechat.event("subscribe").deliver(bot).await;
        (first, second)
    });
    let (first, second) = delivered.await.unwrap();
    assert_eq!(first.shown().text(), Some("HI"), "{first}");
    assert_eq!(second.shown(), &Shown::Nothing, "{second}");

    let boxed = service_fn(async |_: Request<Verified>| {
        let words = look_up("success").await?;
        Ok::<_, BoxError>(Response::new(Full::<Bytes>::from(words.to_lowercase())))
    });
    let push = Simulator::new(account()).text("hi");
    let shown = tokio::spawn(push.deliver(stack!(boxed))).await.unwrap();
    assert_eq!(shown.shown(), &Shown::Nothing, "{shown}");
}
