//! What spans and metrics tell of the finished stack, from WeChat's side to the handler's.

#[cfg(feature = "metrics")]
mod meters;
#[cfg(feature = "metrics")]
mod recorder;
#[cfg(feature = "tracing")]
mod spans;
#[cfg(feature = "tracing")]
mod subscriber;

use std::{
    cell::RefCell,
    convert::Infallible,
    future::pending,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tokio::time::{sleep, timeout};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_wechat::{
    Account, DedupLayer, Message, MessageService, Reply, Verified, VerifySignatureLayer,
    dedup::{
        Key, Outcome, Run,
        store::{Acknowledged, Claim, Completed, MemoryStore, Owner, Store, Times},
    },
    simulator::{Simulator, Transcript},
};

fn account() -> Account {
    let account = Account::encrypted(TOKEN, APP_ID, KEY).unwrap();
    account.with_name("post-office")
}

fn wechat() -> Simulator {
    Simulator::new(account())
}

/// What every service here is.
trait Serves:
    Service<
        Request<Full<Bytes>>,
        Response = Response<Full<Bytes>>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    + 'static
{
    /// The status with which `request` is answered, if WeChat does not hang up before.
    async fn answer(&self, request: &Request<Bytes>) -> Option<u16> {
        let call = self.clone().oneshot(request.clone().map(Full::new));
        let response = timeout(Duration::from_secs(5), call).await.ok()?;
        Some(response.unwrap().status().as_u16())
    }
}

impl<S> Serves for S where
    S: Service<
            Request<Full<Bytes>>,
            Response = Response<Full<Bytes>>,
            Error = Infallible,
            Future: Send,
        > + Clone
        + Send
        + 'static
{
}

fn stack<St: Store>(dedup: &DedupLayer<St>) -> impl Serves + use<St> {
    let handler = MessageService::new(service_fn(handle));
    overheard(VerifySignatureLayer::new(account()).layer(dedup.layer(handler)))
}

/// Notes what is sent to `service`, in [`SENT`].
fn overheard(service: impl Serves) -> impl Serves {
    service.map_request(|request: Request<Full<Bytes>>| {
        let body = request.body().clone().collect().now_or_never();
        let body = body.unwrap().unwrap().to_bytes().to_vec();
        let query = request.uri().query().unwrap().to_owned();
        SENT.with_borrow_mut(|sent| sent.push((query, String::from_utf8(body).unwrap())));
        request
    })
}

thread_local! {
    /// The queries and bodies that this thread's services have got; each test has a thread of its own.
    static SENT: RefCell<Vec<(String, String)>> = const { RefCell::new(Vec::new()) };
}

/// Does what the text says.
async fn handle(request: Request<Message>) -> Result<Reply, BoxError> {
    let run = request.extensions().get::<Run>().copied();
    let Message::Text(text) = request.into_body() else {
        return Ok(Reply::success());
    };
    #[cfg(feature = "tracing")]
    tracing::info!("thinking");
    let (_, todo) = text.content.split_once(' ').unwrap();
    match (todo, run.map_or(0, Run::number)) {
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
    push.from_user(OPENID).msg_id(MSG_ID).deliver(service).await
}

async fn rejected() {
    let service = stack(&DedupLayer::in_memory());
    let transcript = wechat()
        .text(CONTENT)
        .forge_signature()
        .deliver(service)
        .await;
    assert_eq!(transcript.deliveries()[0].status().unwrap(), 403);
}

/// The layer picks the account by the path, and names it so; three paths get a signature that is wrong, and one
/// a signature that holds.
async fn named_by_the_path() {
    let layer =
        VerifySignatureLayer::with_accounts(|head| Some(account().with_name(head.uri.path())));
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

async fn nobodys() {
    let layer = VerifySignatureLayer::with_accounts(|_| None);
    let service = overheard(layer.layer(MessageService::new(service_fn(handle))));
    assert_eq!(service.answer(&text("0")).await, Some(404));
}

async fn url_verified() {
    let service = stack(&DedupLayer::in_memory());
    assert_eq!(wechat().verify_url(service).await.fault(), None);
}

/// The handler answers; a copy of the delivery gets the kept reply, and later no more than a mark.
async fn answered() {
    let service = stack(&DedupLayer::in_memory());
    let request = text("2");
    assert_eq!(service.answer(&request).await, Some(200));
    assert_eq!(service.answer(&request).await, Some(200));
    sleep(Duration::from_secs(60)).await;
    assert_eq!(service.answer(&request).await, Some(200));
}

/// WeChat hangs up, and the next delivery joins the run.
async fn joined() {
    let transcript = deliver(stack(&DedupLayer::in_memory()), "7").await;
    assert_eq!(transcript.shown().text(), Some(ANSWER));
}

/// The last delivery is acknowledged, and the reply comes late.
async fn acknowledged() {
    let layer = DedupLayer::in_memory().with_late_reply(async |_| {});
    let transcript = deliver(stack(&layer), "17").await;
    assert_eq!(transcript.deliveries().len(), 3);
}

/// All runs fail, each in another way.
async fn failed() {
    let layer = DedupLayer::in_memory().with_run_timeout(Duration::from_secs(3));
    let transcript = deliver(stack(&layer), "trouble").await;
    assert_eq!(transcript.shown().text(), None);
}

async fn turned_away() {
    let service = stack(&DedupLayer::in_memory().with_max_running(0));
    assert_eq!(service.answer(&text("0")).await, Some(503));
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

/// The second node joins the first one's run, and then has a copy of its reply.
async fn on_two_nodes() {
    let store = MemoryStore::new();
    let nodes = [(); 3].map(|()| stack(&DedupLayer::with_store(store.clone())));
    let request = text("7");
    assert_eq!(nodes[0].answer(&request).await, None);
    assert_eq!(nodes[1].answer(&request).await, Some(200));
    assert_eq!(nodes[2].answer(&request).await, Some(200));
}

async fn without_the_store() {
    let service = stack(&DedupLayer::with_store(Flaky::Down));
    assert_eq!(service.answer(&text("0")).await, Some(200));
}

/// Another node has taken the message, and ended it.
async fn with_a_lost_lease() {
    let service = stack(&DedupLayer::with_store(Flaky::new_losing()));
    assert_eq!(service.answer(&text("4")).await, Some(200));
}

/// A store in trouble.
#[derive(Clone)]
enum Flaky {
    Down,
    /// It gives the message to nobody twice, and takes it away at the first renewal.
    Losing(Arc<AtomicBool>),
}

impl Flaky {
    fn new_losing() -> Self {
        Self::Losing(Arc::default())
    }

    fn is_down(&self) -> Result<(), BoxError> {
        match self {
            Self::Down => Err("nobody there".into()),
            Self::Losing(_) => Ok(()),
        }
    }
}

impl Store for Flaky {
    type Error = BoxError;

    async fn claim(&self, _: Key, _: Owner, _: Times) -> Result<Claim, BoxError> {
        match self {
            Self::Losing(is_claimed) if !is_claimed.swap(true, Ordering::SeqCst) => {
                Ok(Claim::Run {
                    age: Duration::ZERO,
                    number: 1,
                })
            }
            Self::Losing(_) => Ok(Claim::Done),
            Self::Down => Err("nobody there".into()),
        }
    }

    async fn renew(&self, _: Key, _: Owner, _: u32, _: Times) -> Result<bool, BoxError> {
        self.is_down().map(|()| false)
    }

    async fn complete(
        &self,
        _: Key,
        _: Owner,
        _: &Outcome,
        _: bool,
        _: Times,
    ) -> Result<Completed, BoxError> {
        self.is_down().map(|()| Completed::Lost)
    }

    async fn acknowledge(&self, _: Key, _: Owner) -> Result<Acknowledged, BoxError> {
        self.is_down().map(|()| Acknowledged::Acknowledged)
    }

    async fn release(&self, _: Key, _: Owner) -> Result<bool, BoxError> {
        self.is_down().map(|()| false)
    }
}

/// Nothing that is told quotes a secret, a content or anything of what was sent.
#[track_caller]
fn check_tells_no_secret(told: &str) {
    let check = |secret: &str| {
        assert!(secret.len() > 2, "{secret} is anywhere");
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
        // A verification has none.
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

/// Until a message is over, whatever became of it.
const ALL_OVER: Duration = Duration::from_secs(70);
