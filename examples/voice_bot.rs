//! A bot that answers a voice message with the text that WeChat's speech recognition found in it.
//!
//! ```sh
//! cargo run --example voice_bot --features simulator
//! ```
//!
//! WeChat cannot reach a developer's machine. So [`show`] lets a simulated WeChat send requests to the
//! bot, over its socket.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::Router;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use lexopt::prelude::*;
use tokio::net::TcpListener;
use tower::{BoxError, ServiceBuilder};
use tower_wechat::{
    Account, DedupLayer, Message, Reply, VerifySignatureLayer, message_fn,
    simulator::{DeliveryRecord, FaultKind, Push, Shown, Simulator},
};

/// Makes the bot. `runs` counts the runs of its handler.
fn bot(account: Account, runs: Arc<AtomicUsize>) -> Router {
    let wechat = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account))
        .layer(DedupLayer::in_memory())
        .service(message_fn(move |message: Message| {
            runs.fetch_add(1, Ordering::Relaxed);
            async move {
                match message {
                    Message::Voice(voice) => match voice.recognition {
                        Some(words) if !words.is_empty() => Reply::text(words),
                        _ => Reply::text(UNRECOGNISED),
                    },
                    _ => Reply::success(),
                }
            }
        }));
    Router::new().route_service("/wechat", wechat)
}

const UNRECOGNISED: &str = "没听清，请再说一遍";

// The rest of this file shows the bot at work.

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("voice_bot: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns `false` if a row is not as expected.
async fn run() -> Result<bool, BoxError> {
    let Some(arguments) = Arguments::parse()? else {
        println!("{USAGE}");
        return Ok(true);
    };
    let account = if arguments.encrypted {
        Account::encrypted(&arguments.token, APP_ID, AES_KEY)?
    } else {
        Account::plain(&arguments.token)?
    };
    let runs = Arc::new(AtomicUsize::new(0));
    let bot = bot(account.clone(), Arc::clone(&runs));

    let listener = TcpListener::bind(arguments.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", arguments.listen))?;
    let url = format!("http://{}/wechat", listener.local_addr()?);
    let server = tokio::spawn(async { axum::serve(listener, bot).await });

    let wechat = Simulator::new(account).with_uri(&url)?;
    let rows = show(&wechat, &runs).await;
    print(&rows);
    if !arguments.once {
        println!("\nListening on {url}. Send a voice message within five minutes:\n");
        println!("{}", curl(&wechat.voice("media-3").recognition("你好"))?);
        server.await??;
    }
    Ok(rows.iter().all(Row::is_as_expected))
}

/// Sends each kind of request, and returns a row for each.
async fn show(wechat: &Simulator, runs: &AtomicUsize) -> Vec<Row> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut rows = Vec::new();

    let verification = wechat.verify_url(&client).await;
    rows.push(Row {
        sent: "URL verification",
        found: [statuses(&[verification]), count(runs), NOTHING.to_owned()],
        expected: ["200", "0", NOTHING],
    });

    for (sent, push, expected) in [
        (
            "voice without Recognition",
            wechat.voice("media-1"),
            ["200", "1", UNRECOGNISED],
        ),
        (
            "voice 腾讯微信团队, its answer lost once",
            wechat
                .voice("media-2")
                .recognition("腾讯微信团队")
                .lose_answers(1),
            ["lost, 200", "1", "腾讯微信团队"],
        ),
        ("text 你好", wechat.text("你好"), ["200", "1", NOTHING]),
        (
            "voice with a forged signature",
            wechat.voice("media-1").forge_signature(),
            ["403", "0", NOTHING],
        ),
    ] {
        let transcript = push.deliver(&client).await;
        let shown = match transcript.shown() {
            Shown::Nothing => NOTHING.to_owned(),
            shown => shown.to_string(),
        };
        rows.push(Row {
            sent,
            found: [statuses(transcript.deliveries()), count(runs), shown],
            expected,
        });
    }
    rows
}

/// One line of the table.
struct Row {
    sent: &'static str,
    /// HTTP status, handler runs, what the user sees.
    found: [String; 3],
    expected: [&'static str; 3],
}

impl Row {
    fn is_as_expected(&self) -> bool {
        self.found == self.expected
    }
}

fn statuses(deliveries: &[DeliveryRecord]) -> String {
    let each: Vec<_> = deliveries
        .iter()
        .map(|delivery| match (delivery.status(), delivery.fault()) {
            (Some(status), _) => status.as_u16().to_string(),
            (None, Some(fault)) if fault.kind() == FaultKind::Lost => "lost".to_owned(),
            (None, _) => "none".to_owned(),
        })
        .collect();
    each.join(", ")
}

/// Returns the number of runs since the last call.
fn count(runs: &AtomicUsize) -> String {
    runs.swap(0, Ordering::Relaxed).to_string()
}

fn print(rows: &[Row]) {
    let mut table = vec![["WeChat sends", "HTTP", "handler runs", "the user sees"]];
    for row in rows {
        let [status, runs, shown] = &row.found;
        table.push([row.sent, status, runs, shown]);
        if !row.is_as_expected() {
            let [status, runs, shown] = row.expected;
            table.push(["  expected:", status, runs, shown]);
        }
    }
    let mut widths = [0; 4];
    for line in &table {
        for (widest, cell) in widths.iter_mut().zip(line) {
            *widest = width(cell).max(*widest);
        }
    }
    for line in &table {
        let cells = line.iter().zip(widths).map(|(cell, widest)| {
            let padding = widest - width(cell);
            format!("{cell}{:padding$}", "")
        });
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// Returns the width in columns of a terminal. A Chinese character or punctuation mark takes two columns.
fn width(text: &str) -> usize {
    let is_wide =
        |character| matches!(character, '\u{2e80}'..='\u{9fff}' | '\u{ff00}'..='\u{ff60}');
    text.chars().count() + text.chars().filter(|character| is_wide(*character)).count()
}

/// Makes the bash command that sends `push`.
fn curl(push: &Push) -> Result<String, BoxError> {
    let request = push.request()?;
    // White space between fields has no meaning. Without the line breaks, the command is one line.
    let body = str::from_utf8(request.body())?.replace('\n', "");
    let uri = request.uri();
    Ok(format!(
        "curl '{uri}' -H 'Content-Type: text/xml' -d '{body}'"
    ))
}

struct Arguments {
    listen: SocketAddr,
    token: String,
    encrypted: bool,
    once: bool,
}

impl Arguments {
    /// Returns `None` if the user asks for help.
    fn parse() -> Result<Option<Self>, lexopt::Error> {
        let mut arguments = Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            token: "voicebot".to_owned(),
            encrypted: false,
            once: false,
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("listen") => arguments.listen = parser.value()?.parse()?,
                Long("token") => arguments.token = parser.value()?.string()?,
                Long("encrypted") => arguments.encrypted = true,
                Long("once") => arguments.once = true,
                Short('h') | Long("help") => return Ok(None),
                _ => return Err(argument.unexpected()),
            }
        }
        Ok(Some(arguments))
    }
}

const USAGE: &str = "\
usage: voice_bot [--listen ADDR] [--token TOKEN] [--encrypted] [--once]

  --listen ADDR   the address to listen on, such as 127.0.0.1:8080; default: a free port on loopback
  --token TOKEN   the account's token, 3 to 32 letters or digits
  --encrypted     safe mode: messages and replies are encrypted
  --once          exit after the table, with a failure status if a row is not as expected";

const NOTHING: &str = "(nothing)";

// These are no secrets: they are published in this file.
const APP_ID: &str = "wx0a1b2c3d4e5f6071";
const AES_KEY: &str = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
