//! What the long campaigns share: a host in a process of its own, the messages that it understands, and a WeChat.

use std::{
    convert::Infallible,
    env,
    error::Error,
    fmt, fs,
    io::{self, Write},
    panic,
    process::Stdio,
    time::Duration,
};

use axum::Router;
use http::Request;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines},
    net::{TcpListener, TcpSocket},
    process::{Child, ChildStdin, ChildStdout, Command},
    time,
};
use tower::{ServiceBuilder, service_fn};
use tower_wechat::{
    Account, DedupLayer, Message, MessageService, Reply, VerifySignatureLayer, dedup::RunNumber,
    late::LateReply, message::Event, simulator::Simulator,
};

/// How a handler answers a message. It stands in the message's own text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    pub id: u64,
    pub verdict: Verdict,
    /// How long a run takes.
    pub takes: Duration,
}

/// How the runs of a message end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// With [`Order::answer`].
    Answer,
    /// With nothing to show.
    Nothing,
    /// The first one with an error or, for every second pair of ids, with a panic. The second one with the answer.
    Second,
    /// All of them with an error.
    Never,
}

impl Order {
    /// The text of the message's reply.
    pub fn answer(&self) -> String {
        format!("answer {}", self.id)
    }

    /// Reads what `Display` has written.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut word = || words.next();
        Some(Self {
            id: word()?.parse().ok()?,
            verdict: match word()? {
                "answer" => Verdict::Answer,
                "nothing" => Verdict::Nothing,
                "second" => Verdict::Second,
                "never" => Verdict::Never,
                _ => return None,
            },
            takes: Duration::from_millis(word()?.parse().ok()?),
        })
    }

    async fn carry_out(self, run: u32) -> Result<Reply, &'static str> {
        time::sleep(self.takes).await;
        match self.verdict {
            Verdict::Nothing => Ok(Reply::success()),
            Verdict::Second if run == 1 && self.id / 2 % 2 == 1 => panic::panic_any(Ordered),
            Verdict::Second if run == 1 => Err("as ordered"),
            Verdict::Never => Err("as ordered"),
            Verdict::Answer | Verdict::Second => Ok(Reply::text(self.answer())),
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Answer => "answer",
            Verdict::Nothing => "nothing",
            Verdict::Second => "second",
            Verdict::Never => "never",
        };
        write!(f, "{} {verdict} {}", self.id, self.takes.as_millis())
    }
}

/// The panic of a run that is ordered to panic.
struct Ordered;

fn order(message: &Message) -> Option<Order> {
    match message {
        Message::Text(text) => Order::parse(&text.content),
        Message::Event(event) => match &event.event {
            Event::Click(click) => Order::parse(click.event_key.as_deref()?),
            _ => None,
        },
        _ => None,
    }
}

/// The reply to a message whose own reply is late or missing.
pub const FALLBACK: &str = "later";

/// The two accounts of the host. Messages with even ids come to the one in safe mode.
pub fn accounts() -> [(&'static str, Account); 2] {
    let aes_key = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
    let safe = Account::encrypted("rosebud7", "wx0a1b2c3d4e5f6071", aes_key);
    let plain = Account::plain("walnut42");
    [
        ("/safe", safe.expect("an account")),
        ("/plain", plain.expect("an account").with_name("plain")),
    ]
}

/// Both accounts on axum's router, with state in common.
fn app(dedup: &DedupLayer) -> Router {
    accounts()
        .into_iter()
        .fold(Router::new(), |app, (path, account)| {
            let handler = service_fn(|request: Request<Message>| async move {
                let run = request.extensions().get::<RunNumber>().map(|run| run.get());
                let (Some(order), Some(run)) = (order(request.body()), run) else {
                    return Ok::<_, Infallible>(Err("expected an order"));
                };
                tell(&Report::Run(order.id));
                Ok(order.carry_out(run).await)
            });
            let stack = ServiceBuilder::new()
                .layer(VerifySignatureLayer::new(account))
                .layer(dedup.clone())
                .service(MessageService::new(handler));
            app.route_service(path, stack)
        })
}

/// Serves until standard input ends, then drains. Tells its port and what it does on standard output.
///
/// # Panics
///
/// If there is no free port.
pub async fn serve(capacity: usize) {
    let default = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !info.payload().is::<Ordered>() {
            default(info);
        }
    }));
    let dedup = DedupLayer::builder()
        .with_capacity(capacity)
        .with_fallback(Reply::text(FALLBACK))
        .expect("a text")
        .with_late_replies(|late: LateReply| async move {
            let message = late.request().body().as_bytes();
            let message = tower_wechat::xml::from_slice(message).ok();
            let id = message.as_ref().and_then(order).map(|order| order.id);
            tell(&Report::Late(id.expect("an order")));
        })
        .build();
    let app = app(&dedup);
    let listener = listen().expect("a port");
    tell(&Report::Port(
        listener.local_addr().expect("an address").port(),
    ));
    let accepting = tokio::spawn(accept(listener, app));
    let mut rest = Vec::new();
    let _ = tokio::io::stdin().read_to_end(&mut rest).await;
    dedup.drain(Duration::from_secs(20)).await;
    accepting.abort();
}

/// Listens with a longer queue than usual, since a busy machine accepts late. The operating system may drop a
/// connection that finds the queue full without telling its client.
fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    socket.listen(4096)
}

/// Serves as `axum::serve` does, and closes a connection whose client sends no whole head in time.
///
/// `axum::serve` has no such limit. hyper has one, but only if it has a timer. It counts for the first head of a
/// connection and, while the connection is kept alive, for each further one. hyper-util's builder for both versions of
/// HTTP waits for a client's first bytes without any limit, unless it is told the version.
async fn accept(listener: TcpListener, app: Router) -> io::Result<Infallible> {
    let mut server = auto::Builder::new(TokioExecutor::new()).http1_only();
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT);
    loop {
        let (stream, _) = listener.accept().await?;
        let connection =
            server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app.clone()));
        tokio::spawn(connection.into_owned());
    }
}

/// A line of the host's output.
#[derive(Debug, Clone, Copy)]
pub enum Report {
    Port(u16),
    /// A run of the message with this id has begun.
    Run(u64),
    /// The message's reply, or the news that there is none, has gone to the hook for late replies.
    Late(u64),
}

fn tell(report: &Report) {
    let line = match report {
        Report::Port(port) => format!("port {port}\n"),
        Report::Run(id) => format!("run {id}\n"),
        Report::Late(id) => format!("late {id}\n"),
    };
    // The campaign has gone if nobody reads.
    let _ = io::stdout().lock().write_all(line.as_bytes());
}

impl Report {
    fn parse(line: &str) -> Option<Self> {
        let (name, number) = line.split_once(' ')?;
        match name {
            "port" => Some(Self::Port(number.parse().ok()?)),
            "run" => Some(Self::Run(number.parse().ok()?)),
            "late" => Some(Self::Late(number.parse().ok()?)),
            _ => None,
        }
    }
}

/// The host's process. It ends when this is dropped.
pub struct Host {
    pub process: Child,
    /// The host serves until this is dropped.
    pub stdin: ChildStdin,
    pub port: u16,
}

/// What the host tells.
pub struct Reports(Lines<BufReader<ChildStdout>>);

impl Host {
    /// Starts this program again, with the argument `serve`.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub async fn start() -> Result<(Self, Reports), Box<dyn Error>> {
        let mut process = Command::new(env::current_exe()?)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdin = process.stdin.take().ok_or("no input")?;
        let stdout = process.stdout.take().ok_or("no output")?;
        let mut reports = Reports(BufReader::new(stdout).lines());
        let Some(Report::Port(port)) = reports.next().await else {
            return Err("the host does not serve".into());
        };
        let host = Self {
            process,
            stdin,
            port,
        };
        Ok((host, reports))
    }

    /// The memory of its process.
    pub fn memory(&self) -> Memory {
        Memory(self.process.id().unwrap_or_default())
    }

    /// WeChat's servers for both accounts.
    ///
    /// # Panics
    ///
    /// Never: they are URLs.
    pub fn wechats(&self) -> [Simulator; 2] {
        accounts().map(|(path, account)| {
            Simulator::new(account)
                .with_uri(format!("http://127.0.0.1:{}{path}", self.port))
                .expect("a URL")
        })
    }
}

impl Reports {
    /// The next report; `None` once the host has ended.
    pub async fn next(&mut self) -> Option<Report> {
        Report::parse(&self.0.next_line().await.ok()??)
    }
}

/// The memory of a process, as Linux tells it.
#[derive(Debug, Clone, Copy)]
pub struct Memory(u32);

impl Memory {
    /// In KiB.
    ///
    /// # Panics
    ///
    /// If the process has ended.
    pub fn resident(self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse().ok())
            .expect("a number of KiB")
    }
}

/// The `part`-th part of a thousand of the sorted times.
pub fn quantile(sorted: &[Duration], part: usize) -> Duration {
    let index = (sorted.len() * part / 1000).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or_default()
}

/// Numbers that are the same for the same seed (SplitMix64).
#[derive(Debug, Clone, Copy)]
pub struct Random(pub u64);

impl Random {
    /// A number less than `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// A number of milliseconds.
    pub fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

/// The seed in WECHAT_SEED, or the pinned one.
pub fn seed() -> u64 {
    let seed = env::var("WECHAT_SEED").ok();
    seed.and_then(|seed| seed.parse().ok())
        .unwrap_or(20_261_123)
}

/// As long as the layer waits for a body by default.
const HEAD_TIMEOUT: Duration = Duration::from_secs(2);
