//! A bot that answers a voice message with the words that were spoken.
//!
//! ```sh
//! cargo run --example voice_bot --features simulator
//! ```
//!
//! WeChat cannot reach a developer's machine. So a simulated WeChat sends requests to the bot, over its socket. The bot
//! fetches the recordings from it.

mod command_line;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    process::{ExitCode, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::Router;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use lexopt::prelude::*;
use tokio::{io::AsyncWriteExt, process::Command, time::sleep};
use tower::{BoxError, ServiceBuilder, service_fn};
use tower_wechat::{
    Account, Api, DedupLayer, Message, Reply, VerifySignatureLayer,
    api::Recording,
    message_fn,
    simulator::{
        APP_SECRET, ApiCall, ApiFailure, DeliveryRecord, FaultKind, Push, Shown, Simulator,
    },
};

/// Makes the bot. `runs` counts the runs of its handler.
fn bot(account: Account, api: Api, recognizer: Recognizer, runs: Arc<AtomicUsize>) -> Router {
    let answer = move |message: Message| {
        runs.fetch_add(1, Ordering::Relaxed);
        async move {
            match message {
                // WeChat has recognized the words, or the recognizer has.
                Message::Voice(voice) => Reply::text(match voice.recognition {
                    Some(words) => words,
                    None => UNRECOGNIZED.to_owned(),
                }),
                _ => Reply::success(),
            }
        }
    };
    let recognizer = service_fn(move |recording| recognizer.clone().recognize(recording));
    let wechat = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account))
        .layer(DedupLayer::in_memory())
        .service(message_fn(answer).recognize(api, recognizer));
    Router::new().route_service("/wechat", wechat)
}

const UNRECOGNIZED: &str = "没听清，请再说一遍";

#[derive(Clone)]
enum Recognizer {
    /// Knows the sample recordings of this file, and no others.
    Samples,
    /// A shell command that gets the recording on its standard input, and prints the words.
    Command(Arc<str>),
}

impl Recognizer {
    async fn recognize(self, recording: Recording) -> Result<String, BoxError> {
        match self {
            Self::Samples => Sample::recognize(&recording).await,
            Self::Command(command) => pipe(&command, &recording)
                .await
                .inspect_err(|error| eprintln!("voice_bot: {error}")),
        }
    }
}

async fn pipe(command: &str, recording: &Recording) -> Result<String, BoxError> {
    // `timeout` ends all commands of a pipe. `kill_on_drop` would end the shell alone.
    let mut process = Command::new("timeout")
        .args(["20", "sh", "-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let input = process.stdin.take();
    let write = async {
        if let Some(mut input) = input {
            // A command that does not read to the end has the last word.
            let _ = input.write_all(recording.as_bytes()).await;
        }
    };
    let ((), output) = tokio::join!(write, process.wait_with_output());
    let output = output?;
    if !output.status.success() {
        return Err(format!("{command}: {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

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
    let arguments = Arguments::parse(lexopt::Parser::from_env());
    let Some(arguments) = arguments.map_err(|error| command_line::see_help(&error))? else {
        println!("{USAGE}");
        return Ok(true);
    };
    let account = arguments.account;
    let listener = command_line::listen(arguments.listen).await?;
    let url = format!("http://{}/wechat", listener.local_addr()?);
    let wechat = Simulator::new(account.clone()).with_uri(&url)?;

    // A real bot passes an HTTP client. This one is a simulated WeChat behind a simulated network.
    let api = Api::new(wechat.api(), APP_ID, APP_SECRET)?;
    let recognizer = match arguments.recognizer {
        Some(command) => Recognizer::Command(command.into()),
        None => Recognizer::Samples,
    };
    if let Recognizer::Samples = recognizer {
        println!(
            "The recognizer knows two recordings of silence. --help says how to use another recognizer.\n"
        );
    }
    let runs = Arc::new(AtomicUsize::new(0));
    let bot = bot(account, api, recognizer, Arc::clone(&runs));
    let server = tokio::spawn(async { axum::serve(listener, bot).await });

    let rows = match arguments.recording {
        Some(path) => vec![Row::of_recording(&wechat, &path)?],
        None => Row::all(&wechat),
    };
    let is_as_expected = show(&rows, &wechat, &runs).await;
    if !arguments.once {
        println!("\nListening on {url}. Send a voice message within five minutes:\n");
        println!("{}", curl(&wechat.voice("media-3").recognition("你好"))?);
        server.await??;
    }
    Ok(is_as_expected)
}

/// A recording that the recognizer of this example knows. It is silence, in AMR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sample {
    Short,
    /// It takes 8 s to recognize.
    Long,
    Noise,
}

impl Sample {
    const ALL: [Self; 3] = [Self::Short, Self::Long, Self::Noise];

    /// A second of frames that differ from those of the other samples.
    fn recording(self) -> Vec<u8> {
        let frame = [&[0x04][..], &[self as u8; 12]].concat();
        [b"#!AMR\n".to_vec(), frame.repeat(50)].concat()
    }

    async fn recognize(recording: &Recording) -> Result<String, BoxError> {
        let sample = Self::ALL
            .into_iter()
            .find(|sample| sample.recording() == recording.as_bytes());
        match sample {
            Some(Self::Short) => Ok("今天星期几".to_owned()),
            Some(Self::Long) => {
                sleep(Duration::from_secs(8)).await;
                Ok("明天会下雨吗".to_owned())
            }
            Some(Self::Noise) | None => {
                Err("this recognizer knows two recordings, and this is another one".into())
            }
        }
    }
}

/// What WeChat sends, what is wrong with its API meanwhile, and what comes of it.
struct Row {
    sent: String,
    /// `None` for the verification of the URL.
    push: Option<Push>,
    failure: Option<ApiFailure>,
    /// HTTP status, handler runs, what the user sees. `None` if that depends on the recognizer.
    expected: Option<[&'static str; 3]>,
}

impl Row {
    fn new(sent: &str, push: Push, expected: [&'static str; 3]) -> Self {
        Self {
            sent: sent.to_owned(),
            push: Some(push),
            failure: None,
            expected: Some(expected),
        }
    }

    fn all(wechat: &Simulator) -> Vec<Self> {
        let voice = |media_id| wechat.voice(media_id);
        let short = Sample::Short.recording();
        vec![
            Self {
                sent: "URL verification".to_owned(),
                push: None,
                failure: None,
                expected: Some(["200", "0", NOTHING]),
            },
            Self::new(
                "voice without Recognition",
                voice("short").sound(short.clone()),
                ["200", "1", "今天星期几"],
            ),
            Self::new(
                "… which takes 8 s to recognize",
                voice("long").sound(Sample::Long.recording()),
                ["none, 200", "1", "明天会下雨吗"],
            ),
            Self::new(
                "… which the recognizer does not know",
                voice("noise").sound(Sample::Noise.recording()),
                ["200", "1", UNRECOGNIZED],
            ),
            Self::new(
                "… whose recording has expired",
                voice("expired"),
                ["200", "1", UNRECOGNIZED],
            ),
            Self {
                failure: Some(ApiFailure::EndedToken),
                ..Self::new(
                    "… while the access token ends",
                    voice("again").sound(short),
                    ["200", "1", "今天星期几"],
                )
            },
            Self::new(
                "voice 腾讯微信团队, its answer lost once",
                voice("lost").recognition("腾讯微信团队").lose_answers(1),
                ["lost, 200", "1", "腾讯微信团队"],
            ),
            Self::new("text 你好", wechat.text("你好"), ["200", "1", NOTHING]),
            Self::new(
                "voice with a forged signature",
                voice("forged").forge_signature(),
                ["403", "0", NOTHING],
            ),
        ]
    }

    fn of_recording(wechat: &Simulator, path: &str) -> Result<Self, BoxError> {
        let recording = fs::read(path).map_err(|error| format!("{path}: {error}"))?;
        Ok(Self {
            sent: path.to_owned(),
            push: Some(wechat.voice("media-1").sound(recording)),
            failure: None,
            expected: None,
        })
    }
}

/// Sends each row's request, and prints what comes of it. Returns whether all is as expected.
async fn show(rows: &[Row], wechat: &Simulator, runs: &AtomicUsize) -> bool {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let head = ["WeChat sends", "HTTP", "handler runs", "the user sees"];
    let mut widths = head.map(width);
    for row in rows {
        widths[0] = widths[0].max(width(&row.sent));
        for (widest, cell) in widths[1..]
            .iter_mut()
            .zip(row.expected.into_iter().flatten())
        {
            *widest = width(cell).max(*widest);
        }
    }
    print(head, widths);
    let mut is_as_expected = true;
    for row in rows {
        if let Some(failure) = row.failure {
            wechat.api().fail_next(1, ApiCall::Media, failure);
        }
        let (deliveries, shown) = match &row.push {
            None => (vec![wechat.verify_url(&client).await], NOTHING.to_owned()),
            Some(push) => {
                let transcript = push.clone().deliver(&client).await;
                let shown = match transcript.shown() {
                    Shown::Nothing => NOTHING.to_owned(),
                    shown => shown.to_string(),
                };
                (transcript.deliveries().to_vec(), shown)
            }
        };
        let found = [statuses(&deliveries), count(runs), shown];
        print([&row.sent, &found[0], &found[1], &found[2]], widths);
        if let Some(expected) = row.expected.filter(|expected| found != *expected) {
            let [status, runs, shown] = expected;
            is_as_expected = false;
            print(["  expected:", status, runs, shown], widths);
        }
        if row.expected.is_none() && [UNRECOGNIZED, NOTHING].contains(&&*found[2]) {
            is_as_expected = false;
            println!("The recognizer failed, found no words, or took longer than 14 s.");
        }
    }
    is_as_expected
}

fn print(line: [&str; 4], widths: [usize; 4]) {
    let cells = line.iter().zip(widths).map(|(cell, widest)| {
        let padding = widest.saturating_sub(width(cell));
        format!("{cell}{:padding$}", "")
    });
    println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
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
    account: Account,
    recognizer: Option<String>,
    recording: Option<String>,
    once: bool,
}

impl Arguments {
    /// Returns `None` if the user asks for help.
    fn parse(mut parser: lexopt::Parser) -> Result<Option<Self>, BoxError> {
        let mut listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut token = "voicebot".to_owned();
        let (mut recognizer, mut recording) = (None, None);
        let (mut is_encrypted, mut once) = (false, false);
        while let Some(argument) = parser.next()? {
            match argument {
                Long("listen") => listen = command_line::address(&parser.value()?.string()?)?,
                Long("token") => token = parser.value()?.string()?,
                Long("encrypted") => is_encrypted = true,
                Long("recognizer") => recognizer = Some(parser.value()?.string()?),
                Long("recording") => recording = Some(parser.value()?.string()?),
                Long("once") => once = true,
                Short('h') | Long("help") => return Ok(None),
                _ => return Err(argument.unexpected().into()),
            }
        }
        if recognizer.is_some() != recording.is_some() {
            return Err("--recognizer and --recording: expected both or neither".into());
        }
        let account = if is_encrypted {
            Account::encrypted(&token, APP_ID, AES_KEY)
        } else {
            Account::plain(&token)
        };
        Ok(Some(Self {
            listen,
            account: account.map_err(|error| format!("--token: {error}"))?,
            recognizer,
            recording,
            once,
        }))
    }
}

const USAGE: &str = "\
usage: voice_bot [OPTION...]

  --recognizer COMMAND  a shell command that reads a recording from its standard input, usually AMR, and
                        prints the words; default: a recognizer that knows two recordings of its own
  --recording FILE      what the user says, for a command that recognizes it
  --listen ADDRESS      a port of loopback, such as 8080, or an address, such as localhost:8080 or 0.0.0.0:8080;
                        default: a free port of loopback
  --token TOKEN         the account's token, 3 to 32 letters or digits
  --encrypted           safe mode: messages and replies are encrypted
  --once                exit after the table, with a failure status if a row is not as expected, or if your recognizer
                        finds no words in time";

const NOTHING: &str = "(nothing)";

// These are no secrets: they are published in this file.
const APP_ID: &str = "wx0a1b2c3d4e5f6071";
const AES_KEY: &str = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";

#[cfg(test)]
mod tests {
    use tower_wechat::account::Mode;

    use super::{Arguments, command_line::tests::in_the_docs};

    fn parse(words: &[&str]) -> Result<Option<Arguments>, String> {
        let parser = lexopt::Parser::from_args(words);
        Arguments::parse(parser).map_err(|error| error.to_string())
    }

    #[test]
    fn takes_what_the_help_says() {
        let arguments = parse(&["--listen", "8080", "--token=t0ken", "--encrypted", "--once"]);
        let arguments = arguments.unwrap().unwrap();
        assert_eq!(arguments.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(arguments.account.mode(), Mode::Encrypted);
        assert!(arguments.once);
        assert!(parse(&["--help"]).unwrap().is_none());
        for parser in in_the_docs("voice_bot") {
            assert!(Arguments::parse(parser).unwrap().is_some());
        }
    }

    #[test]
    fn says_which_option_is_wrong() {
        for (words, expected) in [
            (&["--port", "80"][..], "invalid option '--port'"),
            (&["8080"], "unexpected argument \"8080\""),
            (&["--listen"], "missing argument for option '--listen'"),
            (&["--listen", "localhost"], "--listen: expected 8080, "),
            (&["--token", "no"], "--token: "),
            (
                &["--recording", "voice.amr"],
                "--recognizer and --recording: ",
            ),
        ] {
            let error = parse(words).err().unwrap();
            assert!(error.starts_with(expected), "{words:?}: {error}");
        }
    }
}
