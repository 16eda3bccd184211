//! The spans and metrics of a whole stack, from WeChat's side to the handler's.

#[cfg(feature = "metrics")]
mod meters;
#[cfg(feature = "metrics")]
pub(crate) mod recorder;
#[cfg(feature = "tracing")]
mod spans;
#[cfg(feature = "tracing")]
mod subscriber;

use std::{
    cell::RefCell,
    convert::Infallible,
    future::pending,
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use tokio::time::{sleep, timeout};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_wechat::{
    Account, DedupLayer, Message, MessageService, Reply, ResponseBody, Verified,
    VerifySignatureLayer,
    dedup::{
        RunNumber,
        store::{
            Acknowledged, Claim, Claimed, Completed, Ending, Found, MemoryStore, Released, Renewed,
            Run, Store,
        },
    },
    simulator::{RequestBody, Simulator, Transcript},
};

use crate::dedup::faulty::Faulty;

fn account() -> Account {
    let account = Account::encrypted(TOKEN, APP_ID, KEY).unwrap();
    account.with_name("post-office")
}

fn wechat() -> Simulator {
    Simulator::new(account())
}

/// A stack under test.
trait Serves:
    Service<
        Request<Full<Bytes>>,
        Response = Response<ResponseBody>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    + 'static
{
    /// Returns the status of the answer; `None` if WeChat hangs up before there is one.
    async fn answer(&self, request: &Request<Bytes>) -> Option<u16> {
        let call = self.clone().oneshot(request.clone().map(Full::new));
        let response = timeout(Duration::from_secs(5), call).await.ok()?;
        Some(response.unwrap().status().as_u16())
    }
}

impl<S> Serves for S where
    S: Service<
            Request<Full<Bytes>>,
            Response = Response<ResponseBody>,
            Error = Infallible,
            Future: Send,
        > + Clone
        + Send
        + 'static
{
}

fn stack(dedup: &DedupLayer) -> impl Serves + use<> {
    let handler = MessageService::new(service_fn(handle));
    overheard(VerifySignatureLayer::new(account()).layer(dedup.layer(handler)))
}

/// Notes each request to `service` in [`SENT`].
fn overheard(service: impl Serves) -> impl Serves {
    service.map_request(|request: Request<Full<Bytes>>| {
        let body = read(request.body().clone()).to_vec();
        let query = request.uri().query().unwrap().to_owned();
        SENT.with_borrow_mut(|sent| sent.push((query, String::from_utf8(body).unwrap())));
        request
    })
}

/// Makes a service that takes the simulator's requests.
fn simulated(
    service: impl Serves,
) -> impl Service<Request<RequestBody>, Response = Response<ResponseBody>, Error = Infallible> {
    service.map_request(|request: Request<RequestBody>| request.map(|body| Full::new(read(body))))
}

/// Reads a body that is all there.
fn read(body: impl Body<Data = Bytes, Error = Infallible>) -> Bytes {
    let body = body.collect().now_or_never().expect("all there");
    body.unwrap().to_bytes()
}

thread_local! {
    /// The queries and bodies that the services of this thread have got. Each test has its own thread.
    static SENT: RefCell<Vec<(String, String)>> = const { RefCell::new(Vec::new()) };
}

/// Does as the text says.
async fn handle(request: Request<Message>) -> Result<Reply, BoxError> {
    let run = request.extensions().get::<RunNumber>().copied();
    let Message::Text(text) = request.into_body() else {
        return Ok(Reply::success());
    };
    #[cfg(feature = "tracing")]
    tracing::info!("thinking");
    let (_, todo) = text.content.split_once(' ').unwrap();
    match (todo, run.map_or(0, RunNumber::get)) {
        ("trouble", 1) => return Err("out of ink".into()),
        ("trouble", 2) => panic!("out of paper"),
        ("trouble", 3) => pending().await,
        ("trouble", _) => panic!("out of nothing"),
        (seconds, _) => sleep(Duration::from_secs(seconds.parse().unwrap())).await,
    }
    Ok(Reply::text(ANSWER))
}

/// The request that WeChat delivers for the text [`CONTENT`] with this `todo`.
fn text(todo: &str) -> Request<Bytes> {
    let push = wechat().text(format!("{CONTENT} {todo}"));
    push.from_user(OPENID).msg_id(MSG_ID).request().unwrap()
}

async fn deliver(service: impl Serves, todo: &str) -> Transcript {
    let push = wechat().text(format!("{CONTENT} {todo}"));
    let push = push.from_user(OPENID).msg_id(MSG_ID);
    push.deliver(simulated(service)).await
}

async fn rejected() {
    let service = stack(&DedupLayer::in_memory());
    let transcript = wechat()
        .text(CONTENT)
        .forge_signature()
        .deliver(simulated(service))
        .await;
    assert_eq!(transcript.deliveries()[0].status().unwrap(), 403);
}

/// The layer picks the account by the path, and names it after the path. Three paths get a wrong signature, and one
/// of them a right one.
async fn named_by_the_path() {
    let layer = VerifySignatureLayer::from_fn(|head| Some(account().with_name(head.uri.path())));
    let service = layer.layer(MessageService::new(service_fn(handle)));
    for path in ["/one", "/two", "/three"] {
        let wechat = wechat().with_uri(path).unwrap();
        let forged = wechat.text(CONTENT).forge_signature().request().unwrap();
        assert_eq!(service.answer(&forged).await, Some(403));
    }
    let wechat = wechat().with_uri("/one").unwrap();
    let request = wechat.text(format!("{CONTENT} 0")).request().unwrap();
    assert_eq!(service.answer(&request).await, Some(200));
}

async fn for_no_account() {
    let layer = VerifySignatureLayer::from_fn(|_| None);
    let service = overheard(layer.layer(MessageService::new(service_fn(handle))));
    assert_eq!(service.answer(&text("0")).await, Some(404));
}

async fn url_verified() {
    let service = stack(&DedupLayer::in_memory());
    let delivery = wechat().verify_url(simulated(service)).await;
    assert_eq!(delivery.fault(), None);
}

/// The handler answers. A copy of the delivery gets the kept reply, and a later one `success`.
async fn answered() {
    let service = stack(&DedupLayer::in_memory());
    let request = text("2");
    assert_eq!(service.answer(&request).await, Some(200));
    assert_eq!(service.answer(&request).await, Some(200));
    sleep(Duration::from_mins(1)).await;
    assert_eq!(service.answer(&request).await, Some(200));
}

/// WeChat hangs up, and the next delivery joins the run.
async fn joined() {
    let transcript = deliver(stack(&DedupLayer::in_memory()), "7").await;
    assert_eq!(transcript.shown().text(), Some(ANSWER));
}

/// The last delivery is acknowledged, and the reply comes late.
async fn acknowledged() {
    let layer = DedupLayer::builder()
        .with_late_replies(async |_| {})
        .build();
    let transcript = deliver(stack(&layer), "17").await;
    assert_eq!(transcript.deliveries().len(), 3);
}

/// All runs fail, each in another way.
async fn failed() {
    let layer = DedupLayer::builder()
        .with_run_timeout(Duration::from_secs(3))
        .build();
    let transcript = deliver(stack(&layer), "trouble").await;
    assert_eq!(transcript.shown().text(), None);
}

/// One delivery may wait for a message, and another one comes. After a hang-up there is room again.
async fn turned_away() {
    let layer = DedupLayer::builder().with_max_waiters_per_message(1);
    let service = stack(&layer.build());
    let request = text("7");
    let answers = tokio::join!(service.answer(&request), service.answer(&request));
    assert_eq!(answers, (None, Some(503)));
    assert_eq!(service.answer(&request).await, Some(200));
}

/// The node shuts down while a message runs.
async fn cut() {
    let layer = DedupLayer::in_memory();
    let service = stack(&layer);
    let request = text("20");
    let shut_down = async {
        sleep(Duration::from_secs(1)).await;
        layer.drain(Duration::ZERO).await;
    };
    let (answer, ()) = tokio::join!(service.answer(&request), shut_down);
    assert_eq!(answer, Some(503));
}

/// Without dedup, the handler answers in the delivery.
async fn passed() {
    let handler = MessageService::new(service_fn(handle));
    let service = overheard(VerifySignatureLayer::new(account()).layer(handler));
    assert_eq!(service.answer(&text("1")).await, Some(200));
    assert_eq!(service.answer(&text("7")).await, None);
    let request = text("trouble");
    let answer = AssertUnwindSafe(service.answer(&request)).catch_unwind();
    assert!(answer.await.is_err());
    let broken = service_fn(async |_: Request<Verified>| {
        let mut response = Response::new(Full::<Bytes>::default());
        *response.status_mut() = http::StatusCode::BAD_GATEWAY;
        Ok::<_, Infallible>(response)
    });
    let service = overheard(VerifySignatureLayer::new(account()).layer(broken));
    assert_eq!(service.answer(&text("1")).await, Some(502));
}

/// The second node joins the first one's run, and the third gets the kept reply.
async fn on_two_nodes() {
    let store = MemoryStore::new();
    let nodes = [(); 3].map(|()| stack(&DedupLayer::shared(store.clone())));
    let request = text("7");
    assert_eq!(nodes[0].answer(&request).await, None);
    assert_eq!(nodes[1].answer(&request).await, Some(200));
    assert_eq!(nodes[2].answer(&request).await, Some(200));
}

async fn without_the_store() {
    let store = Faulty::new();
    store.go_away();
    let service = stack(&DedupLayer::shared(store));
    assert_eq!(service.answer(&text("0")).await, Some(200));
}

/// The store does not come back, so it cannot say whose the late reply is.
#[cfg(feature = "metrics")]
async fn unconfirmed() {
    let store = Faulty::new();
    store.go_away();
    let service = stack(&DedupLayer::shared(store));
    assert_eq!(service.answer(&text("7")).await, None);
    sleep(Duration::from_secs(30)).await;
}

/// Another node has taken the message, and ended it.
async fn with_a_lost_lease() {
    let service = stack(&DedupLayer::shared(Losing::default()));
    assert_eq!(service.answer(&text("4")).await, Some(200));
}

/// A store that gives the message to the first claim, takes it away at the first renewal, and says then that it is
/// over.
#[derive(Default)]
struct Losing {
    is_claimed: AtomicBool,
}

impl Store for Losing {
    type Error = Infallible;

    async fn claim(&self, _: Claim) -> Result<Found, Infallible> {
        if self.is_claimed.swap(true, Ordering::SeqCst) {
            return Ok(Found::new(Claimed::Done, None));
        }
        Ok(Found::new(Claimed::Won(Run::new(Duration::ZERO, 1)), None))
    }

    async fn renew(&self, _: Claim, _: Run) -> Result<Renewed, Infallible> {
        Ok(Renewed::Lost)
    }

    async fn complete(&self, _: Claim, _: Ending) -> Result<Completed, Infallible> {
        Ok(Completed::Lost)
    }

    async fn acknowledge(&self, _: Claim) -> Result<Acknowledged, Infallible> {
        Ok(Acknowledged::Recorded)
    }

    async fn release(&self, _: Claim) -> Result<Released, Infallible> {
        Ok(Released::HeldElsewhere)
    }
}

/// Checks that `told` quotes no secret, no content and no part of the requests.
#[track_caller]
fn check_tells_no_secret(told: &str) {
    let check = |secret: &str| {
        assert!(secret.len() > 2, "{secret} is too short to look for");
        assert!(!told.contains(secret), "{secret} in {told}");
    };
    for secret in [TOKEN, KEY, APP_ID, OPENID, CONTENT, ANSWER, "gh_"] {
        check(secret);
    }
    let sent = SENT.take();
    assert!(!sent.is_empty());
    for (query, body) in sent {
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            if !matches!(name, "timestamp" | "encrypt_type") {
                check(value);
            }
        }
        // The verification of a URL has no body.
        if let Some((_, section)) = body.split_once("<Encrypt><![CDATA[") {
            check(section.split_once(']').unwrap().0);
        }
    }
}

const TOKEN: &str = "walnut42";
const APP_ID: &str = "wx0a1b2c3d4e5f6071";
const KEY: &str = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
const OPENID: &str = "oW3xTt0mZr6uQkYb1LsNdEvCjPhA";
const CONTENT: &str = "悄悄话";
const ANSWER: &str = "保密的回答";
const MSG_ID: u64 = 2_459_170_863;

/// Longer than a message takes to end in any case here.
const ALL_OVER: Duration = Duration::from_secs(70);
