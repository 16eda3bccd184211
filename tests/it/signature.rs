//! The signature layer, from the outside: what reaches the inner service, and what is refused how.

mod body;
mod delivery;
mod digest;
#[cfg(feature = "tracing")]
mod log;
mod mounting;
mod properties;
mod query;
mod refusals;

use std::{
    convert::Infallible,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_wechat::{
    Account, Verified, VerifySignatureLayer,
    account::Token,
    signature::{Refusal, RefusalKind, Signature},
};

const TOKEN: &str = "rosebud7";
const NOW: u64 = 1_735_689_600;
const NONCE: &str = "90817";
const MESSAGE: &str = "<xml><MsgType>text</MsgType></xml>";

/// A layer for the account of [`TOKEN`], at [`NOW`].
fn layer() -> VerifySignatureLayer {
    VerifySignatureLayer::new(Account::plain(TOKEN).unwrap().with_name("post-office"))
        .with_clock(|| at(NOW))
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn signature(token: &str, timestamp: &str, nonce: &str) -> String {
    Signature::new(&Token::new(token).unwrap(), &[timestamp, nonce]).to_string()
}

fn query(signature: &str, timestamp: &str, nonce: &str) -> String {
    format!("signature={signature}&timestamp={timestamp}&nonce={nonce}")
}

/// A query that verifies at [`NOW`].
fn signed() -> String {
    signed_at(NOW)
}

fn signed_at(seconds: u64) -> String {
    let timestamp = format!("{seconds:010}");
    query(&signature(TOKEN, &timestamp, NONCE), &timestamp, NONCE)
}

fn get(query: &str) -> Request<Full<Bytes>> {
    Request::get(format!("/wechat?{query}"))
        .body(Full::default())
        .unwrap()
}

fn post(query: &str) -> Request<Full<Bytes>> {
    Request::post(format!("/wechat?{query}"))
        .body(Full::from(MESSAGE))
        .unwrap()
}

/// What became of a request.
struct Outcome {
    response: Response<()>,
    body: Bytes,
    /// How often the inner service was called; it echoes the body.
    runs: usize,
}

impl Outcome {
    fn refusal(&self) -> Option<RefusalKind> {
        self.response.extensions().get().map(Refusal::kind)
    }
}

async fn send<B: http_body::Body>(layer: &VerifySignatureLayer, request: Request<B>) -> Outcome {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let service = layer.layer(service_fn(move |request: Request<Verified>| {
        counter.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, Infallible>(Response::new(request.into_body())) }
    }));
    let (head, body) = service.oneshot(request).await.unwrap().into_parts();
    Outcome {
        response: Response::from_parts(head, ()),
        body: body.collect().await.unwrap().to_bytes(),
        runs: runs.load(Ordering::Relaxed),
    }
}

/// Runs a test's future where every assertion in the caller can be tracked; the clock is paused.
fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

#[track_caller]
fn check_refused(layer: &VerifySignatureLayer, request: Request<Full<Bytes>>, kind: RefusalKind) {
    let line = format!("{} {}", request.method(), request.uri());
    let outcome = block_on(send(layer, request));
    assert_eq!(outcome.refusal(), Some(kind), "{line}");
    assert_eq!(outcome.runs, 0, "{line}");
    assert_eq!(outcome.body, "", "{line}");
}

#[track_caller]
fn check_accepted(layer: &VerifySignatureLayer, request: Request<Full<Bytes>>) {
    let line = format!("{} {}", request.method(), request.uri());
    let outcome = block_on(send(layer, request));
    assert_eq!(outcome.refusal(), None, "{line}");
    assert_eq!(outcome.response.status(), 200, "{line}");
    assert_eq!(
        (outcome.runs, &*outcome.body),
        (1, MESSAGE.as_bytes()),
        "{line}"
    );
}
