//! The verifying layer, from the outside: what reaches the inner service, and what is rejected how.

mod allow_list;
mod body;
mod cloud_hosting;
mod delivery;
#[cfg(feature = "tracing")]
mod log;
mod mounting;
mod properties;
mod rejections;
mod shown;
mod strangers;

use std::{
    convert::Infallible,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_wechat::{
    Account, Verified, VerifySignatureLayer,
    verify::{Rejection, RejectionKind},
};

use crate::callback::{
    NONCE, NOW, TOKEN,
    query::{at, query, signature, signed, signed_at},
};

const MESSAGE: &str = "<xml><MsgType>text</MsgType></xml>";

/// A layer for the account of [`TOKEN`], at [`NOW`].
fn layer() -> VerifySignatureLayer {
    VerifySignatureLayer::new(Account::plain(TOKEN).unwrap().with_name("post-office"))
        .with_clock(|| at(NOW))
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
    fn rejection(&self) -> Option<RejectionKind> {
        self.response.extensions().get().map(Rejection::kind)
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
fn check_rejected(
    layer: &VerifySignatureLayer,
    request: Request<Full<Bytes>>,
    kind: RejectionKind,
) {
    let line = format!("{} {}", request.method(), request.uri());
    let outcome = block_on(send(layer, request));
    assert_eq!(outcome.rejection(), Some(kind), "{line}");
    assert_eq!(outcome.runs, 0, "{line}");
    assert_eq!(outcome.body, "", "{line}");
}

#[track_caller]
fn check_accepted(layer: &VerifySignatureLayer, request: Request<Full<Bytes>>) {
    let line = format!("{} {}", request.method(), request.uri());
    let outcome = block_on(send(layer, request));
    assert_eq!(outcome.rejection(), None, "{line}");
    assert_eq!(outcome.response.status(), 200, "{line}");
    assert_eq!(
        (outcome.runs, &*outcome.body),
        (1, MESSAGE.as_bytes()),
        "{line}"
    );
}
