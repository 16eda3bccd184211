//! One node, as a process: an ordinary server that also logs what it does.

use std::{
    convert::Infallible,
    env,
    io::{self, BufRead},
    net::Ipv4Addr,
    path::PathBuf,
    process,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use axum::Router;
use futures_util::future::{BoxFuture, join_all};
use http::{Request, Response};
use redis::{
    Client,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::{net::TcpListener, runtime, sync::oneshot};
use tower::{BoxError, Service, ServiceBuilder, layer::layer_fn};
use tower_wechat::{
    Account, DedupLayer, MessageService, Reply, ResponseBody, Verified, VerifySignatureLayer,
    dedup::{Key, RedisStore, RunNumber},
    late::LateReply,
    message::TextMessage,
};

use super::{
    late::node as late,
    listener::Listener,
    log::{Event, Log, note_starvation},
    witness::Witness,
};

/// What a process has to know to be a node.
pub(super) struct Node {
    redis: u16,
    /// The port of WeChat's API, if the node also has the accounts whose replies are late.
    api: Option<u16>,
    log: Log,
}

impl Node {
    /// Reads the environment. `None` if this process is no node.
    pub(super) fn asked_for() -> Option<Self> {
        Some(Self {
            redis: env::var(REDIS).ok()?.parse().unwrap(),
            api: env::var(API).ok().map(|port| port.parse().unwrap()),
            log: Log::open(&PathBuf::from(env::var_os(LOG)?)),
        })
    }

    /// Serves until it reads `drain` from standard input, then drains. `clock` and a number set its clock fast by as many
    /// seconds. It exits at the end of the input: the process that has started it is gone.
    pub(super) fn serve(self) {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (enough, is_enough) = oneshot::channel();
        std::thread::spawn(move || {
            let mut enough = Some(enough);
            for line in io::stdin().lock().lines().map_while(Result::ok) {
                if line == DRAIN {
                    enough.take().map(|enough| enough.send(()));
                } else if let Some(seconds) = line.strip_prefix(CLOCK) {
                    FAST_BY.store(seconds.parse().unwrap(), Ordering::Relaxed);
                }
            }
            process::exit(1);
        });
        tracing::subscriber::set_global_default(Listener(self.log.clone())).unwrap();
        let starving = self.log.clone();
        runtime.block_on(async {
            let config = ConnectionManagerConfig::new()
                .set_min_delay(Duration::from_millis(5))
                .set_max_delay(Duration::from_millis(50));
            let client = Client::open(("127.0.0.1", self.redis)).unwrap();
            // A node starts without its Redis, too.
            let connection = ConnectionManager::new_lazy_with_config(client, config).unwrap();
            let (late, late_layers) = match self.api {
                Some(api) => late::routes(api, &connection, &self.log),
                None => (Router::new(), Vec::new()),
            };
            let store = Witness::new(RedisStore::new(connection), self.log.clone());
            let dedup = DedupLayer::builder()
                .with_store(store)
                .with_late_replies({
                    let log = self.log.clone();
                    move |late| {
                        note_late(&log, &late);
                        std::future::ready(())
                    }
                })
                .build();
            let log = self.log.clone();
            let wechat = ServiceBuilder::new()
                .layer(
                    VerifySignatureLayer::from_fn(|head| {
                        account(head.uri.path().strip_prefix(PATH)?)
                    })
                    .with_clock(clock),
                )
                .layer(layer_fn(move |inner| Desk::new(inner, log.clone())))
                .layer(dedup.clone())
                .service(MessageService::for_type::<TextMessage>(tower::service_fn(
                    move |request| think(self.log.clone(), request),
                )));
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            println!("{LISTENING}{}", listener.local_addr().unwrap().port());
            let app = late.route_service("/wechat/{account}", wechat);
            tokio::spawn(async { axum::serve(listener, app).await });
            tokio::spawn(note_starvation(starving, process::id()));
            is_enough.await.unwrap();
            let layers = late_layers.iter().chain([&dedup]);
            join_all(layers.map(|layer| layer.drain(DRAIN_PATIENCE))).await;
            println!("{DRAINED}");
        });
    }
}

/// What this node takes for the time. The log keeps the machine's.
pub(super) fn clock() -> SystemTime {
    let by = FAST_BY.load(Ordering::Relaxed);
    let distance = Duration::from_secs(by.unsigned_abs());
    let now = SystemTime::now();
    if by < 0 {
        now - distance
    } else {
        now + distance
    }
}

/// In seconds.
static FAST_BY: AtomicI64 = AtomicI64::new(0);

/// The accounts differ in the name only.
pub(super) fn account(name: &str) -> Option<Account> {
    Some(Account::plain("twonodes").ok()?.with_name(name))
}

/// A bot that does as the message says: `<message> <milliseconds to think> <runs that fail>`.
async fn think(log: Log, request: Request<TextMessage>) -> Result<Reply, BoxError> {
    let run = request.extensions().get::<RunNumber>().unwrap().get();
    let key = *request.extensions().get::<Key>().unwrap();
    let content = request.into_body().content;
    let mut words = content.split(' ').map(str::parse);
    let (message, milliseconds, failures) = (
        words.next().unwrap()?,
        words.next().unwrap()?,
        words.next().unwrap()?,
    );
    log.write(process::id(), &key, Event::Begun { run });
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    if u64::from((run - 1) % RUNS) < failures {
        log.write(process::id(), &key, Event::Failed { run });
        return Err("by design".into());
    }
    log.write(process::id(), &key, Event::Ended { run });
    Ok(Reply::text(reply_text(message, process::id(), run)))
}

/// A reply that tells its message, node and run.
pub(super) fn reply_text(message: u64, process: u32, run: u32) -> String {
    format!("{message} {process} {run}")
}

fn note_late(log: &Log, late: &LateReply) {
    let response = late.response();
    let text = response.map(|response| {
        let body = String::from_utf8_lossy(response.body());
        let (_, text) = body.split_once("<Content><![CDATA[").unwrap();
        text.split_once("]]>").unwrap().0.to_owned()
    });
    let cause = format!("{:?}", late.cause());
    log.write(process::id(), &late.key(), Event::Late { cause, text });
}

/// Logs the deliveries, between the signature and dedup.
#[derive(Clone)]
pub(super) struct Desk<S> {
    inner: S,
    log: Log,
}

impl<S> Desk<S> {
    pub(super) fn new(inner: S, log: Log) -> Self {
        Self { inner, log }
    }
}

impl<S> Service<Request<Verified>> for Desk<S>
where
    S: Service<Request<Verified>, Response = Response<ResponseBody>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Verified>) -> Self::Future {
        static DELIVERIES: AtomicU64 = AtomicU64::new(0);
        let delivery = DELIVERIES.fetch_add(1, Ordering::Relaxed);
        let key = Key::of(&request);
        request.extensions_mut().insert(key);
        let query = request.uri().query().unwrap();
        let message = query.strip_prefix(MESSAGE).unwrap().split('&').next();
        let message = message.unwrap().parse().unwrap();
        let arrived = Event::Arrived { delivery, message };
        self.log.write(process::id(), &key, arrived);
        let mut left = Leaving {
            log: self.log.clone(),
            key,
            event: Event::Left { delivery },
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            let status = answer.status().as_u16();
            left.with(Event::Answered { delivery, status });
            Ok(answer)
        })
    }
}

/// Logs the end of a delivery when it is dropped.
struct Leaving {
    log: Log,
    key: Key,
    event: Event,
}

impl Leaving {
    fn with(&mut self, event: Event) {
        self.event = event;
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.log.write(process::id(), &self.key, self.event.clone());
    }
}

pub(super) const REDIS: &str = "TOWER_WECHAT_NODE_REDIS";
pub(super) const API: &str = "TOWER_WECHAT_NODE_API";
pub(super) const LOG: &str = "TOWER_WECHAT_NODE_LOG";

/// Lines on a node's standard output, and on its input.
pub(super) const LISTENING: &str = "listening on ";
pub(super) const DRAIN: &str = "drain";
pub(super) const CLOCK: &str = "clock ";
pub(super) const DRAINED: &str = "drained";

pub(super) const PATH: &str = "/wechat/";
pub(super) const MESSAGE: &str = "message=";

/// The runs of a claim, by default.
pub(super) const RUNS: u32 = 3;

/// Longer than any handler here takes, plus the time that a reply waits for a delivery.
pub(super) const DRAIN_PATIENCE: Duration = Duration::from_secs(40);
