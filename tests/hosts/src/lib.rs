//! What the tests of all hosts share: a bot that counts its runs, and a WeChat that tries it.

pub mod load;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{Request, Response};
use http_body::Body;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::TcpListener;
use tower::{BoxError, Service, ServiceBuilder};
use tower_wechat::{
    Account, DedupLayer, Message, Reply, ResponseBody, VerifySignatureLayer, message_fn,
    simulator::{Push, RequestBody, Shown, Simulator, Transcript},
};

/// The account of every example.
///
/// # Panics
///
/// If the crate does not take its own examples' settings.
pub fn account() -> Account {
    let aes_key = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
    Account::encrypted("rosebud7", "wx0a1b2c3d4e5f6071", aes_key).expect("an account")
}

/// How often a bot has run.
#[derive(Debug, Clone, Default)]
pub struct Runs(Arc<AtomicUsize>);

impl Runs {
    /// Counts a run.
    pub fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many runs there were since the last time this was asked.
    pub fn since_last(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// The finished stack, for whichever body the host has.
pub fn stack<B>(
    runs: &Runs,
    dedup: DedupLayer,
) -> impl Service<
    Request<B>,
    Response = Response<ResponseBody>,
    Error = Infallible,
    Future: Send + 'static,
> + Clone
+ Send
+ Sync
+ 'static
where
    B: Body<Data: Send, Error: Send> + Send + 'static,
{
    let runs = runs.clone();
    let answer = move |message: Message| {
        runs.count();
        async {
            match message {
                Message::Voice(voice) => Reply::text(voice.recognition.unwrap_or_default()),
                _ => Reply::success(),
            }
        }
    };
    stack_with(answer, dedup)
}

/// The finished stack around another handler.
pub fn stack_with<B, F, A>(
    answer: F,
    dedup: DedupLayer,
) -> impl Service<
    Request<B>,
    Response = Response<ResponseBody>,
    Error = Infallible,
    Future: Send + 'static,
> + Clone
+ Send
+ Sync
+ 'static
where
    B: Body<Data: Send, Error: Send> + Send + 'static,
    F: Fn(Message) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Reply> + Send + 'static,
{
    ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account()))
        .layer(dedup)
        .service(message_fn(answer))
}

/// A client that speaks HTTP/1.1.
pub fn http1() -> Client<HttpConnector, RequestBody> {
    Client::builder(TokioExecutor::new()).build_http()
}

/// A client that speaks HTTP/2 from its first byte, as behind a proxy.
pub fn http2() -> Client<HttpConnector, RequestBody> {
    Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http()
}

/// A listener on loopback, and a WeChat that delivers to it.
///
/// # Panics
///
/// If there is no free port.
pub async fn listen() -> (TcpListener, Simulator) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, wechat_at(port))
}

/// A WeChat that delivers to this port.
///
/// # Panics
///
/// Never: it is a URL.
pub fn wechat_at(port: u16) -> Simulator {
    Simulator::new(account())
        .with_uri(format!("http://127.0.0.1:{port}/wechat"))
        .expect("a URL")
}

/// Tries a mounted stack: verification, a message, one whose first answer is lost, a forged one.
///
/// # Panics
///
/// If something is not as it should be.
pub async fn check<S, B>(wechat: &Simulator, mut service: S, runs: &Runs)
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Error: Into<BoxError>>,
{
    let verification = wechat.verify_url(&mut service).await;
    assert_eq!(verification.fault(), None);
    for (push, statuses, ran, shown) in tries(wechat) {
        let transcript = push.deliver(&mut service).await;
        assert_eq!(statuses_of(&transcript), statuses, "{transcript}");
        assert_eq!(transcript.shown().text(), shown, "{transcript}");
        assert_ne!(transcript.shown(), &Shown::Fault, "{transcript}");
        assert_eq!(runs.since_last(), ran, "{transcript}");
    }
}

/// Tries a whole example, whose runs nobody counts.
///
/// # Panics
///
/// If something is not as it should be.
pub async fn check_example<S, B>(wechat: &Simulator, mut service: S)
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Error: Into<BoxError>>,
{
    let verification = wechat.verify_url(&mut service).await;
    assert_eq!(verification.fault(), None);
    for (push, statuses, _, shown) in tries(wechat) {
        let transcript = push.deliver(&mut service).await;
        assert_eq!(statuses_of(&transcript), statuses, "{transcript}");
        assert_eq!(transcript.shown().text(), shown, "{transcript}");
    }
    // Nobody has recognized what was said, as usual.
    let transcript = wechat.voice("media-1").deliver(&mut service).await;
    assert_eq!(transcript, "我没听清，请打字");
}

type Try = (Push, Vec<Option<u16>>, usize, Option<&'static str>);

/// What is sent, and the statuses, the runs and the text that have to come of it.
fn tries(wechat: &Simulator) -> Vec<Try> {
    let voice = |words: &str| wechat.voice("media-1").recognition(words);
    vec![
        (voice("你好"), vec![Some(200)], 1, Some("你好")),
        (
            voice("又一次").lose_answers(2),
            vec![None, None, Some(200)],
            1,
            Some("又一次"),
        ),
        (wechat.text("hi"), vec![Some(200)], 1, None),
        (voice("伪造").forge_signature(), vec![Some(403)], 0, None),
        (voice("明文").downgrade(), vec![Some(400)], 0, None),
    ]
}

/// The status of each delivery, if there was an answer.
#[must_use]
pub fn statuses_of(transcript: &Transcript) -> Vec<Option<u16>> {
    let deliveries = transcript.deliveries().iter();
    deliveries
        .map(|delivery| delivery.status().map(|status| status.as_u16()))
        .collect()
}
