//! Two servers that share a Redis. A retry that reaches the second server gets the answer of the first, and so does the
//! user's next message if the answer is late.
//!
//! ```sh
//! cargo run --example two_nodes --features redis,simulator -- --once
//! ```
//!
//! It starts a `redis-server` on loopback, or uses the one at `--redis URL`.

#[allow(dead_code, reason = "it listens on no address")]
mod command_line;

use std::{
    net::{Ipv4Addr, TcpListener as Port},
    process::{Child, Command, ExitCode, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::Router;
use http::{Request, Response, Uri};
use hyper_util::{
    client::legacy::{Client, ResponseFuture, connect::HttpConnector},
    rt::TokioExecutor,
};
use lexopt::prelude::*;
use redis::aio::ConnectionManager;
use tokio::{net::TcpListener, runtime::Runtime};
use tower::{BoxError, Service, ServiceBuilder};
use tower_wechat::{
    Account, DedupLayer, MessageService, Reply, VerifySignatureLayer,
    dedup::{RedisStore, RunNumber},
    late::{NextMessage, mailbox::RedisMailbox},
    message::TextMessage,
    simulator::{RequestBody, Shown, Simulator},
};

/// What the user sees of a message that has no answer yet.
const WAIT: &str = "still thinking, write `more`";

/// One server. It has its own runtime, so that it can die like a process.
struct Node {
    runtime: Option<Runtime>,
    address: String,
}

impl Node {
    fn start(
        name: &'static str,
        account: Account,
        redis: &str,
        diary: &Arc<Diary>,
    ) -> Result<Self, BoxError> {
        let runtime = Runtime::new()?;
        let diary = Arc::clone(diary);
        let redis = redis::Client::open(redis)?;
        let (listener, wechat) = runtime.block_on(async {
            let connection = ConnectionManager::new(redis).await?;
            let mailbox = RedisMailbox::new(connection.clone());
            let dedup = DedupLayer::builder()
                .with_store(RedisStore::new(connection))
                .with_fallback(Reply::text(WAIT))?
                .with_failure_reply(Reply::text("sorry, no answer"))?
                .with_next_message(NextMessage::shared(mailbox).with_words(["more"])?)
                .build();
            let wechat = ServiceBuilder::new()
                .layer(VerifySignatureLayer::new(account))
                .layer(dedup)
                .service(MessageService::for_type::<TextMessage>(tower::service_fn(
                    move |request: Request<TextMessage>| think(name, Arc::clone(&diary), request),
                )));
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            Ok::<_, BoxError>((listener, wechat))
        })?;
        let address = listener.local_addr()?.to_string();
        runtime.spawn(async {
            axum::serve(listener, Router::new().route_service("/wechat", wechat)).await
        });
        Ok(Self {
            runtime: Some(runtime),
            address,
        })
    }

    /// Stops the server as a power failure does: no client and no store is told.
    fn die(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The handler: waits for the number of seconds in the message, then answers.
async fn think(
    node: &'static str,
    diary: Arc<Diary>,
    request: Request<TextMessage>,
) -> Result<String, BoxError> {
    let run = request
        .extensions()
        .get()
        .map_or(0, |run: &RunNumber| run.get());
    let seconds = request.body().content.parse()?;
    diary.note(format!("node {node} begins run {run}"));
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    diary.note(format!("node {node} has an answer"));
    Ok(format!("from node {node}"))
}

/// Prints what happens, with the time, and counts the runs.
struct Diary {
    begun: Instant,
    runs: AtomicUsize,
    lines: Mutex<Vec<String>>,
}

impl Diary {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            begun: Instant::now(),
            runs: AtomicUsize::new(0),
            lines: Mutex::default(),
        })
    }

    fn note(&self, what: String) {
        if what.contains("begins") {
            self.runs.fetch_add(1, Ordering::Relaxed);
        }
        println!("  {:4.1} s  {what}", self.begun.elapsed().as_secs_f32());
        if let Ok(mut lines) = self.lines.lock() {
            lines.push(what);
        }
    }
}

/// The worst possible load balancer: it sends each delivery to the other node, while both are alive.
#[derive(Clone)]
struct Alternating {
    client: Client<HttpConnector, RequestBody>,
    nodes: [String; 2],
    first_is_alive: Arc<AtomicBool>,
    next: Arc<AtomicUsize>,
    diary: Arc<Diary>,
}

impl Service<Request<RequestBody>> for Alternating {
    type Response = Response<hyper::body::Incoming>;
    type Error = hyper_util::client::legacy::Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<RequestBody>) -> ResponseFuture {
        let delivery = self.next.fetch_add(1, Ordering::Relaxed);
        let [a, b] = &self.nodes;
        let is_first = delivery.is_multiple_of(2) && self.first_is_alive.load(Ordering::Relaxed);
        let (name, node) = if is_first { ("A", a) } else { ("B", b) };
        self.diary
            .note(format!("delivery {} reaches node {name}", delivery + 1));
        let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
        if let Ok(uri) = format!("http://{node}{path}").parse::<Uri>() {
            *request.uri_mut() = uri;
        }
        self.client.request(request)
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("two_nodes: a timeline is not as expected");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("two_nodes: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns `false` if a timeline is not as expected.
fn run() -> Result<bool, BoxError> {
    let arguments = Arguments::parse(lexopt::Parser::from_env());
    let Some(arguments) = arguments.map_err(|error| command_line::see_help(&error))? else {
        println!("{USAGE}");
        return Ok(true);
    };
    let (url, _server) = match arguments.redis {
        Some(url) => (url, None),
        None => RedisServer::start().map(|server| (server.url(), Some(server)))?,
    };
    let shared = retry_on_the_other_node(&url)?;
    let lost = node_lost_in_mid_run(&url)?;
    let late = next_message_on_the_other_node(&url)?;
    let awaited = node_lost_while_the_answer_is_awaited(&url)?;
    if !arguments.once {
        println!("\nRedis runs at {url}. Press Ctrl-C to exit.");
        loop {
            std::thread::park();
        }
    }
    Ok(shared && lost && late && awaited)
}

fn retry_on_the_other_node(redis: &str) -> Result<bool, BoxError> {
    println!("The handler takes 7 s, and WeChat's retry reaches the other node:");
    let diary = Diary::new();
    let shown = deliver(redis, &diary, &["7"], |_| {})?;
    Ok(are(&shown, &["from node A"]) && diary.runs.load(Ordering::Relaxed) == 1)
}

fn node_lost_in_mid_run(redis: &str) -> Result<bool, BoxError> {
    println!("\nThe node that runs the message dies after 3 s:");
    let diary = Diary::new();
    let shown = deliver(redis, &diary, &["4"], |node| {
        std::thread::sleep(Duration::from_secs(3));
        node.die();
    })?;
    Ok(are(&shown, &["from node B"]) && diary.runs.load(Ordering::Relaxed) == 2)
}

fn next_message_on_the_other_node(redis: &str) -> Result<bool, BoxError> {
    println!("\nThe handler takes 16 s, and the user's next message reaches the other node:");
    let diary = Diary::new();
    let shown = deliver(redis, &diary, &["16", "more"], |_| {})?;
    Ok(are(&shown, &[WAIT, "from node A"]) && diary.runs.load(Ordering::Relaxed) == 1)
}

fn node_lost_while_the_answer_is_awaited(redis: &str) -> Result<bool, BoxError> {
    println!("\nLikewise, and the node that runs the message dies after 6 s:");
    let diary = Diary::new();
    let shown = deliver(redis, &diary, &["16", "more"], |node| {
        std::thread::sleep(Duration::from_secs(6));
        node.die();
    })?;
    Ok(are(&shown, &[WAIT, "from node B"]) && diary.runs.load(Ordering::Relaxed) == 2)
}

fn are(shown: &[Shown], expected: &[&str]) -> bool {
    let texts = shown.iter().map(Shown::text);
    texts.eq(expected.iter().map(|text| Some(*text)))
}

/// Delivers messages to two new nodes, one after the other, while `accident` happens to the first.
fn deliver(
    redis: &str,
    diary: &Arc<Diary>,
    contents: &[&str],
    accident: impl FnOnce(&mut Node) + Send,
) -> Result<Vec<Shown>, BoxError> {
    let account = Account::plain("twonodes")?;
    let mut first = Node::start("A", account.clone(), redis, diary)?;
    let second = Node::start("B", account.clone(), redis, diary)?;
    let runtime = Runtime::new()?;
    let shown = std::thread::scope(|scope| {
        let nodes = [first.address.clone(), second.address.clone()];
        let first_is_alive = Arc::new(AtomicBool::new(true));
        scope.spawn({
            let (first, first_is_alive) = (&mut first, Arc::clone(&first_is_alive));
            move || {
                accident(first);
                first_is_alive.store(first.runtime.is_some(), Ordering::Relaxed);
            }
        });
        runtime.block_on(async {
            let balancer = Alternating {
                client: Client::builder(TokioExecutor::new()).build_http(),
                nodes,
                first_is_alive,
                next: Arc::default(),
                diary: Arc::clone(diary),
            };
            let wechat = Simulator::new(account);
            let mut shown = Vec::new();
            for content in contents {
                diary.note(format!("the user writes {content}"));
                let transcript = wechat.text(*content).deliver(balancer.clone()).await;
                diary.note(format!("the user sees: {}", transcript.shown()));
                shown.push(transcript.shown().clone());
                // Nobody writes at once.
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
            shown
        })
    });
    Ok(shown)
}

/// A Redis server that writes nothing to disk and ends with this program.
struct RedisServer {
    port: u16,
    child: Child,
}

impl RedisServer {
    fn start() -> Result<Self, BoxError> {
        let port = Port::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let child = Command::new("redis-server")
            .args([
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--port",
                &port.to_string(),
            ])
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start redis-server (or pass --redis URL): {error}"))?;
        let server = Self { port, child };
        for _ in 0..100 {
            if std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err("redis-server does not listen".into())
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Arguments {
    redis: Option<String>,
    once: bool,
}

impl Arguments {
    /// Returns `None` if the user asks for help.
    fn parse(mut parser: lexopt::Parser) -> Result<Option<Self>, BoxError> {
        let mut arguments = Self {
            redis: None,
            once: false,
        };
        while let Some(argument) = parser.next()? {
            match argument {
                Long("redis") => arguments.redis = Some(url(parser.value()?.string()?)?),
                Long("once") => arguments.once = true,
                Short('h') | Long("help") => return Ok(None),
                _ => return Err(argument.unexpected().into()),
            }
        }
        Ok(Some(arguments))
    }
}

/// Checks the URL of a Redis.
fn url(url: String) -> Result<String, BoxError> {
    match redis::Client::open(&*url) {
        Ok(_) => Ok(url),
        Err(error) => {
            let expected = "--redis: expected a URL such as redis://127.0.0.1:6379/";
            Err(format!("{expected}, found {url:?}: {error}").into())
        }
    }
}

const USAGE: &str = "\
usage: two_nodes [--redis URL] [--once]

  --redis URL   use this Redis, such as redis://127.0.0.1:6379/, and start none;
                with a password: redis://:PASSWORD@HOST:PORT/
  --once        exit after the timelines, with a failure status if one is not as expected";

#[cfg(test)]
mod tests {
    use super::{Arguments, command_line::tests::in_the_docs};

    fn parse(words: &[&str]) -> Result<Option<Arguments>, String> {
        let parser = lexopt::Parser::from_args(words);
        Arguments::parse(parser).map_err(|error| error.to_string())
    }

    #[test]
    fn takes_what_the_help_says() {
        for url in [
            "redis://127.0.0.1:6379/",
            "redis://:secret@redis.local:6379/",
        ] {
            let arguments = parse(&["--redis", url, "--once"]).unwrap().unwrap();
            assert_eq!(arguments.redis.as_deref(), Some(url));
            assert!(arguments.once);
        }
        assert!(parse(&["-h"]).unwrap().is_none());
        for parser in in_the_docs("two_nodes") {
            assert!(Arguments::parse(parser).unwrap().is_some());
        }
    }

    #[test]
    fn says_which_option_is_wrong() {
        for (words, expected) in [
            (&["--twice"][..], "invalid option '--twice'"),
            (&["--redis"], "missing argument for option '--redis'"),
            (
                &["--redis", "127.0.0.1:6379"],
                "--redis: expected a URL such as redis://",
            ),
        ] {
            let error = parse(words).err().unwrap();
            assert!(error.starts_with(expected), "{words:?}: {error}");
        }
    }
}
