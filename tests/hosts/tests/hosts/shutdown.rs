//! SIGTERM in the middle of a run: each host in a process of its own, over its socket, in real time.

use std::{
    env,
    future::pending,
    io::{self, Read},
    pin::pin,
    process::{self, Stdio},
    thread,
    time::Duration,
};

use ::axum::Router;
use ::poem::{Route, endpoint::TowerCompatExt, listener::TcpAcceptor};
use futures_util::{
    FutureExt,
    future::{Either, join_all, select},
};
use hosts::{account, http1, stack_with, statuses_of, wechat_at};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    join,
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdin, Command},
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};
use tower::util::BoxCloneSyncService;
use tower_wechat::{DedupLayer, Message, Reply, simulator::Shown};

use crate::{actix, axum, hyper, poem};

/// The second delivery finds the run, and gets its reply. Before, the server stopped accepting first: the retry was
/// refused, and the user saw the fault text.
#[tokio::test]
async fn a_retry_gets_the_reply_of_a_run_in_which_sigterm_came() {
    join_all(HOSTS.map(async |host| {
        let mut server = Server::start(host, "8 s").await;
        let wechat = wechat_at(server.port);
        // Open connections do not hold up the end: an unused one, half a request, and an idle one after a request.
        let _unused = server.connect().await;
        let mut half = server.connect().await;
        half.write_all(b"POST /wechat HTTP/1.1\r\nHost: ")
            .await
            .unwrap();
        let client = http1();
        assert_eq!(wechat.verify_url(&client).await.fault(), None);

        let begun = Instant::now();
        let (running, new, ()) = join!(
            wechat.text("running").deliver(http1()),
            async {
                sleep_until(begun + Duration::from_secs(3)).await;
                wechat.text("new").deliver(http1()).await
            },
            async {
                sleep_until(begun + Duration::from_secs(2)).await;
                server.terminate().await;
            }
        );
        let replied = Instant::now();
        assert_eq!(
            statuses_of(&running),
            [None, Some(200)],
            "{host}: {running}"
        );
        assert_eq!(running.shown().text(), Some("running"), "{host}: {running}");
        assert_eq!(statuses_of(&new), [Some(503); 3], "{host}: {new}");
        server.ends_by(replied + Duration::from_secs(1)).await;
    }))
    .await;
}

/// A handler that never ends is cut when the patience is over.
#[tokio::test]
async fn a_process_ends_although_a_handler_does_not() {
    let runs = HOSTS.map(|host| (host, "never")).into_iter();
    join_all(runs.chain([("axum", "blocks")]).map(async |(host, takes)| {
        let mut server = Server::start(host, takes).await;
        let wechat = wechat_at(server.port);
        let begun = Instant::now();
        let (transcript, terminated) = join!(wechat.text("running").deliver(http1()), async {
            sleep_until(begun + Duration::from_secs(1)).await;
            server.terminate().await;
            Instant::now()
        });
        let statuses = statuses_of(&transcript);
        assert_eq!(
            statuses,
            [None, None, Some(200)],
            "{host}, {takes}: {transcript}"
        );
        assert_eq!(transcript.shown(), &Shown::Nothing, "{host}: {transcript}");
        server
            .ends_by(terminated + PATIENCE + Duration::from_secs(1))
            .await;
    }))
    .await;
}

/// With nothing to wait for, SIGTERM ends an example at once.
#[tokio::test]
async fn sigterm_ends_an_idle_example_at_once() {
    let mut server = Server::start("hyper's example", "").await;
    let wechat = wechat_at(server.port);
    let client = http1();
    let transcript = wechat
        .voice("media-1")
        .recognition("你好")
        .deliver(&client)
        .await;
    assert_eq!(transcript.shown().text(), Some("你好"), "{transcript}");
    server.terminate().await;
    server
        .ends_by(Instant::now() + Duration::from_secs(1))
        .await;
}

/// Not a test: the process of a host, if the environment says which.
#[test]
fn a_host() {
    let (Ok(host), Ok(takes)) = (env::var(HOST), env::var(TAKES)) else {
        return;
    };
    // It ends with the process that has started it.
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        process::exit(1);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(serve(&host, takes.clone()));
    if takes == "blocks" {
        // The end of the runtime waits for the thread that the handler blocks.
        process::exit(0);
    }
}

async fn serve(host: &str, takes: String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    println!("{LISTENING}{port}");
    let dedup = DedupLayer::in_memory();
    let answer = move |message| answer(message, takes.clone());
    match host {
        "axum" => {
            let app = Router::new().route_service("/wechat", stack_with(answer, dedup.clone()));
            axum::example::serve(listener, app, dedup).await.unwrap();
        }
        "poem" => {
            let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
            let app = Route::new().at("/wechat", stack_with(answer, dedup.clone()).compat());
            poem::example::serve(acceptor, app, dedup).await.unwrap();
        }
        "actix" => {
            let listener = listener.into_std().unwrap();
            let stack = BoxCloneSyncService::new(stack_with(answer, dedup.clone()));
            let server = actix::example::serve(listener, stack, dedup).unwrap();
            server.await.unwrap();
        }
        "hyper" => serve_with_hyper(listener, answer, dedup).await,
        "hyper's example" => hyper::example::serve(listener, account()).await.unwrap(),
        _ => panic!("an unknown host: {host}"),
    }
}

/// As the example does, which takes no other handler than its own.
async fn serve_with_hyper<A>(
    listener: TcpListener,
    answer: impl Fn(Message) -> A + Clone + Send + Sync + 'static,
    dedup: DedupLayer,
) where
    A: Future<Output = Reply> + Send + 'static,
{
    let wechat = stack_with(answer, dedup.clone());
    let server = auto::Builder::new(TokioExecutor::new());
    let open = GracefulShutdown::new();
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    let mut drained = pin!(terminate.recv().then(|_| dedup.drain(PATIENCE)));
    while let Either::Left((accepted, _)) = select(pin!(listener.accept()), &mut drained).await {
        let service = TowerToHyperService::new(wechat.clone());
        let connection = server.serve_connection(TokioIo::new(accepted.unwrap().0), service);
        tokio::spawn(open.watch(connection.into_owned()));
    }
    let _ = timeout(Duration::from_secs(1), open.shutdown()).await;
}

/// Answers a text with itself, after the time that the environment tells.
async fn answer(message: Message, takes: String) -> Reply {
    match takes.as_str() {
        "8 s" => sleep(Duration::from_secs(8)).await,
        "never" => pending().await,
        "blocks" => thread::sleep(Duration::from_secs(3600)),
        _ => panic!("an unknown time: {takes}"),
    }
    match message {
        Message::Text(text) => Reply::text(text.content),
        _ => Reply::success(),
    }
}

/// The process of a host, as the test sees it. Dropping it kills the process.
struct Server {
    name: String,
    child: Child,
    /// Waiting for the child would close it, and so end the child.
    _input: ChildStdin,
    port: u16,
}

impl Server {
    /// Starts this program as a host, and returns when it listens.
    async fn start(host: &str, takes: &str) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["shutdown::a_host", "--exact", "--nocapture"])
            .envs([(HOST, host), (TAKES, takes)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = loop {
            // The test harness may write in front of it.
            let line = lines.next_line().await.unwrap().unwrap();
            if let Some((_, port)) = line.split_once(LISTENING) {
                break port.parse().unwrap();
            }
        };
        // The pipe stays open, and is emptied.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let name = format!("{host}, {takes}");
        let _input = child.stdin.take().unwrap();
        Self {
            name,
            child,
            _input,
            port,
        }
    }

    async fn connect(&self) -> TcpStream {
        let connection = TcpStream::connect(("127.0.0.1", self.port)).await;
        connection.unwrap()
    }

    /// Sends SIGTERM.
    async fn terminate(&self) {
        // The shell's own `kill`, since a container may have no other.
        let command = format!("kill -TERM {}", self.child.id().unwrap());
        let sent = Command::new("sh").args(["-c", &command]).status().await;
        assert!(sent.unwrap().success(), "{command}");
    }

    /// Asserts that the process ends by itself, with success, by this time.
    async fn ends_by(&mut self, time: Instant) {
        let end = timeout_at(time + ALLOWANCE, self.child.wait()).await;
        let status = end.unwrap_or_else(|_| panic!("{} has not ended", self.name));
        assert!(status.unwrap().success(), "{}", self.name);
    }
}

const HOSTS: [&str; 4] = ["axum", "poem", "hyper", "actix"];

/// The patience of the examples.
const PATIENCE: Duration = Duration::from_secs(20);

/// For the start and the end of a process on a busy machine.
const ALLOWANCE: Duration = Duration::from_secs(2);

const HOST: &str = "HOSTS_SHUTDOWN_HOST";
const TAKES: &str = "HOSTS_SHUTDOWN_TAKES";
const LISTENING: &str = "listening on ";
