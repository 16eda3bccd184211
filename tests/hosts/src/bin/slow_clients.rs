//! Clients that send a byte a second are cut, and do not slow down the others.
//!
//! ```sh
//! cargo run --release --bin slow_clients -- [CONNECTIONS of each kind at a time, 300] [SECONDS, 30]
//! ```

use std::{env, error::Error, process::ExitCode, time::Duration};

use bytes::Bytes;
use hosts::load::{Host, Order, Verdict, quantile, serve};
use http::Request;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{self, Instant, MissedTickBehavior},
};
use tower_wechat::simulator::{Shown, Simulator};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some("serve") {
        serve(100_000).await;
        return Ok(ExitCode::SUCCESS);
    }
    let connections = first.map_or(Ok(300), |connections| connections.parse())?;
    let seconds = arguments.next().map_or(Ok(30), |seconds| seconds.parse())?;
    let is_sound = attack(connections, Duration::from_secs(seconds)).await?;
    Ok(if is_sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn attack(connections: u32, lasts: Duration) -> Result<bool, Box<dyn Error>> {
    let seconds = lasts.as_secs();
    println!("{connections} slow clients of each kind at a time for {seconds} s");
    let (host, mut reports) = Host::start().await?;
    tokio::spawn(async move { while reports.next().await.is_some() {} });
    let memory = host.memory();
    let empty = memory.resident();
    let [safe, plain] = host.wechats();

    let wechats = [safe.clone(), plain.clone()];
    print!("before: ");
    let _ = good_traffic(wechats, Instant::now(), ALONE).await.judge();

    let start = Instant::now();
    let mut slow = JoinSet::new();
    let all = connections * 5;
    for (number, kind) in (0..all).zip(Kind::ALL.into_iter().cycle()) {
        let client = SlowClient {
            kind,
            wechat: if kind == Kind::Plain { &plain } else { &safe }.clone(),
            port: host.port,
        };
        // Not all at once.
        let after = PAUSE * number / all;
        slow.spawn(client.come_again(start + after, start + lasts));
    }
    let good = tokio::spawn(good_traffic([safe, plain], start, lasts));
    let mut most = empty;
    while start.elapsed() < lasts {
        time::sleep(Duration::from_millis(500)).await;
        most = most.max(memory.resident());
    }

    let cuts = slow.join_all().await.into_iter().flatten();
    let cuts = cuts.collect::<Vec<_>>();
    let mut is_sound = true;
    println!(
        "{:<10}{:>13}{:>18}{:>18}{:>12}  answers",
        "kind", "connections", "median cut in s", "latest cut in s", "after 3.5 s"
    );
    for kind in Kind::ALL {
        is_sound &= kind.judge(&cuts);
    }
    println!("the host's memory: {empty} KiB before, at most {most} KiB");
    is_sound &= good.await?.judge();
    Ok(is_sound)
}

/// What is slow about a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The body of a delivery in safe mode, with a signed query.
    Safe,
    /// The same in plain mode.
    Plain,
    /// The body after a wrong signature.
    Unsigned,
    /// The head.
    Head,
    /// It never sends anything.
    Silent,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Safe,
        Self::Plain,
        Self::Unsigned,
        Self::Head,
        Self::Silent,
    ];

    /// The status before the cut; `None` where the host closes without an answer.
    fn status(self) -> Option<u16> {
        match self {
            Self::Safe | Self::Plain => Some(408),
            Self::Unsigned => Some(403),
            Self::Head | Self::Silent => None,
        }
    }

    /// Prints a row. Returns whether all clients of the kind were cut in time, with the right answer.
    fn judge(self, cuts: &[Cut]) -> bool {
        let cuts = cuts.iter().filter(|cut| cut.kind == self);
        let (mut times, statuses): (Vec<_>, Vec<_>) =
            cuts.map(|cut| (cut.after, cut.status)).unzip();
        times.sort_unstable();
        let late = times.iter().filter(|&&after| after > BOUND).count();
        let right = statuses.iter().filter(|&&it| it == self.status()).count();
        let name = format!("{self:?}");
        println!(
            "{name:<10}{:>13}{:>18.2}{:>18.2}{late:>12}  {right} as expected ({:?})",
            times.len(),
            quantile(&times, 500).as_secs_f64(),
            quantile(&times, 1000).as_secs_f64(),
            self.status(),
        );
        !times.is_empty() && late == 0 && right == times.len()
    }
}

struct SlowClient {
    kind: Kind,
    wechat: Simulator,
    port: u16,
}

/// The end of a slow client's connection.
struct Cut {
    kind: Kind,
    /// From its beginning.
    after: Duration,
    status: Option<u16>,
}

impl SlowClient {
    /// Connects again whenever it has been cut, at most once a second.
    async fn come_again(self, from: Instant, until: Instant) -> Vec<Cut> {
        let mut cuts = Vec::new();
        let mut next = from;
        while next < until {
            time::sleep_until(next).await;
            let begin = Instant::now();
            let status = self.connect().await;
            let after = begin.elapsed();
            cuts.push(Cut {
                kind: self.kind,
                after,
                status,
            });
            next = Instant::now().max(begin + PAUSE);
        }
        cuts
    }

    /// Sends a byte a second until it is cut. Returns the status of the answer.
    async fn connect(&self) -> Option<u16> {
        let push = self.wechat.text("not heard");
        let push = match self.kind {
            Kind::Unsigned => push.forge_signature(),
            _ => push,
        };
        let (head, body) = http1(&push.request().expect("a request"));
        let (at_once, slowly) = match self.kind {
            Kind::Safe | Kind::Plain | Kind::Unsigned => (head, body),
            Kind::Head => (String::new(), head.into()),
            Kind::Silent => (String::new(), Bytes::new()),
        };
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
        socket.write_all(at_once.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        let mut slowly = slowly.iter();
        // A byte that crosses the cut would reset the connection, and the answer might be lost.
        let mut tick = time::interval_at(Instant::now() + PAUSE / 2, PAUSE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let give_up = Instant::now() + GIVE_UP;
        loop {
            let mut chunk = [0; 512];
            tokio::select! {
                biased;
                read = socket.read(&mut chunk) => match read {
                    Ok(0) | Err(_) => break,
                    Ok(length) => answer.extend_from_slice(&chunk[..length]),
                },
                _ = tick.tick() => {
                    if let Some(byte) = slowly.next() && socket.write_all(&[*byte]).await.is_err() {
                        // What came before the cut can still be read.
                        let _ = time::timeout_at(give_up, socket.read_to_end(&mut answer)).await;
                        break;
                    }
                }
                () = time::sleep_until(give_up) => break,
            }
        }
        let line = String::from_utf8_lossy(&answer);
        line.split(' ').nth(1)?.parse().ok()
    }
}

/// Writes a request as HTTP/1.1 has it.
fn http1(request: &Request<Bytes>) -> (String, Bytes) {
    let path_and_query = request.uri().path_and_query().expect("a path");
    let length = request.body().len();
    let head = format!(
        "POST {path_and_query} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: text/xml\r\ncontent-length: {length}\r\n\r\n"
    );
    (head, request.body().clone())
}

/// A hundred messages a second that are answered at once.
async fn good_traffic(wechats: [Simulator; 2], start: Instant, lasts: Duration) -> Good {
    let client = Client::builder(TokioExecutor::new())
        .pool_idle_timeout(Duration::from_secs(1))
        .build_http();
    let mut tick = time::interval(Duration::from_millis(10));
    let mut messages = JoinSet::new();
    let mut id = 0;
    while start.elapsed() < lasts {
        tick.tick().await;
        id += 1;
        let order = Order {
            id,
            verdict: Verdict::Answer,
            takes: Duration::ZERO,
        };
        let push = wechats[(id % 2) as usize].text(order.to_string());
        let client = client.clone();
        messages.spawn(async move {
            let begin = Instant::now();
            let transcript = push.deliver(client).await;
            let is_answered = matches!(transcript.shown(), Shown::Reply(_))
                && transcript.shown().text() == Some(&order.answer())
                && transcript.deliveries().len() == 1;
            (begin.elapsed(), is_answered)
        });
    }
    Good(messages.join_all().await)
}

/// The time of each message, and whether its first delivery was answered with its reply.
struct Good(Vec<(Duration, bool)>);

impl Good {
    fn judge(self) -> bool {
        let failed = self
            .0
            .iter()
            .filter(|(_, is_answered)| !is_answered)
            .count();
        let mut times = self.0.into_iter().map(|(took, _)| took).collect::<Vec<_>>();
        times.sort_unstable();
        let millis = |part| quantile(&times, part).as_secs_f64() * 1e3;
        println!(
            "good traffic: {} messages, {failed} not answered at once; median {:.1} ms, p99 {:.1} ms, most {:.1} ms",
            times.len(),
            millis(500),
            millis(990),
            millis(1000),
        );
        !times.is_empty() && failed == 0 && quantile(&times, 990) < GOOD_BOUND
    }
}

/// How long the good traffic is measured without slow clients, as a measure of how busy the machine is.
const ALONE: Duration = Duration::from_secs(10);

/// By then, each slow client has to be gone.
const BOUND: Duration = Duration::from_millis(3500);

/// The bound on the time of the good traffic's 99th hundredth.
const GOOD_BOUND: Duration = Duration::from_millis(50);

/// Between two bytes, and between two connections of a client.
const PAUSE: Duration = Duration::from_secs(1);

/// A client that has not been cut by then is counted as late.
const GIVE_UP: Duration = Duration::from_secs(20);
