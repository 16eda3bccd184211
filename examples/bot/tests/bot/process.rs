//! The bot as a process: its start, its pages, and its end.

use std::{
    env,
    net::TcpListener,
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bot::settings::https;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    join,
    process::{Child, ChildStdout, Command},
    time::{sleep, timeout},
};
use tower::service_fn;
use tower_wechat::simulator::{RequestBody, Simulator};

use super::{REQUIRED, simulator};

/// The process of a bot. Dropping it kills it.
pub(super) struct Bot {
    child: Child,
    log: Lines<BufReader<ChildStdout>>,
    pub(super) port: u16,
}

impl Bot {
    /// Starts a bot with these variables besides the required ones, and returns when it listens.
    pub(super) async fn start<const N: usize>(variables: [(&str, &str); N]) -> Self {
        let mut child = command()
            .envs(REQUIRED)
            .env("LISTEN", "127.0.0.1:0")
            .envs(variables)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut bot = Self {
            child,
            log,
            port: 0,
        };
        let line = bot.logged("listening on").await;
        let (_, address) = line.rsplit_once("127.0.0.1:").unwrap();
        bot.port = address.trim_end_matches("/wechat").parse().unwrap();
        bot
    }

    /// Returns the next line of the log with this text in it.
    pub(super) async fn logged(&mut self, text: &str) -> String {
        let find = async {
            loop {
                let line = self.log.next_line().await.unwrap();
                let line = line.unwrap_or_else(|| panic!("the bot has ended without {text:?}"));
                if line.contains(text) {
                    return line;
                }
            }
        };
        let found = timeout(ALLOWANCE, find).await;
        found.unwrap_or_else(|_| panic!("the log has no {text:?}"))
    }

    /// A WeChat that delivers to the bot.
    fn wechat(&self) -> Simulator {
        let url = format!("http://127.0.0.1:{}/wechat", self.port);
        simulator().with_uri(url).unwrap()
    }

    /// Fetches a page.
    pub(super) async fn page(&self, path: &str) -> (StatusCode, String) {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let response = https::<Full<Bytes>>().get(url.parse().unwrap()).await;
        let (head, body) = Response::into_parts(response.unwrap());
        let body = body.collect().await.unwrap().to_bytes();
        (head.status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn terminate(&self) {
        // The shell's own `kill`, since a container may have no other.
        let kill = format!("kill -TERM {}", self.child.id().unwrap());
        let sent = Command::new("sh").args(["-c", &kill]).status().await;
        assert!(sent.unwrap().success());
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bot"));
    command.env_clear().kill_on_drop(true);
    // ffmpeg is found by it.
    command.envs(env::var_os("PATH").map(|path| ("PATH", path)));
    command
}

#[tokio::test]
async fn without_settings_it_says_which_and_fails() {
    let output = command().output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let lines = "WECHAT_TOKEN: not set\nWECHAT_APP_ID: not set\nWECHAT_AES_KEY: not set\n";
    assert_eq!(String::from_utf8_lossy(&output.stderr), lines);
}

#[tokio::test]
async fn its_pages_tell_that_it_lives_and_what_it_counts() {
    let mut bot = Bot::start([]).await;
    assert_eq!(bot.page("/health").await, (StatusCode::OK, "ok".to_owned()));

    let begun = bot.page("/metrics").await.1;
    let refused = r#"tower_wechat_rejections_total{account="wx0a1b2c3d4e5f6071",kind="signature"}"#;
    assert!(begun.contains(&format!("{refused} 0")), "{begun}");

    let wechat = bot.wechat();
    let client = https::<RequestBody>();
    assert_eq!(wechat.text("你好").deliver(&client).await, "你说的是：你好");
    let forged = wechat.text("你好").forge_signature().deliver(&client).await;
    assert_eq!(forged, "");
    let counted = bot.page("/metrics").await.1;
    assert!(counted.contains(&format!("{refused} 1")), "{counted}");
    let run = r#"tower_wechat_deliveries_total{account="wx0a1b2c3d4e5f6071",outcome="run"} 1"#;
    assert!(counted.contains(run), "{counted}");
    let bucket =
        r#"tower_wechat_handler_duration_seconds_bucket{account="wx0a1b2c3d4e5f6071",le="5"} 1"#;
    assert!(counted.contains(bucket), "{counted}");

    let line = bot.logged("close").await;
    assert!(line.contains("message_key"), "{line}");
}

/// WeChat hangs up at 5 s, when the bot is draining. The reply is ready a second later, and its second delivery gets it.
#[tokio::test]
async fn a_message_that_runs_at_sigterm_is_answered() {
    let mut bot = Bot::start([]).await;
    let (wechat, client) = (bot.wechat(), https::<RequestBody>());
    let (transcript, ()) = join!(wechat.text("计时 6").deliver(&client), async {
        while !bot
            .page("/metrics")
            .await
            .1
            .contains("tower_wechat_runs_open 1")
        {
            sleep(Duration::from_millis(20)).await;
        }
        bot.terminate().await;
    });
    assert_eq!(transcript.deliveries().len(), 2, "{transcript}");
    assert_eq!(transcript, "6 秒到了");
    bot.logged("draining").await;
    let status = timeout(ALLOWANCE, bot.child.wait()).await.unwrap();
    assert!(status.unwrap().success());
}

/// WeChat's second delivery reaches the other bot.
#[tokio::test]
async fn two_bots_share_a_redis() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    drop(listener);
    let _redis = Command::new("redis-server")
        .args([
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--loglevel",
            "warning",
        ])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("redis-server");
    let url = format!("redis://127.0.0.1:{port}/");
    let (a, b) = join!(
        Bot::start([("REDIS_URL", &url)]),
        Bot::start([("REDIS_URL", &url)])
    );
    let ports = [a.port, b.port];
    let (client, deliveries) = (https::<RequestBody>(), AtomicUsize::new(0));
    let balancer = service_fn(|mut request: Request<RequestBody>| {
        let port = ports[deliveries.fetch_add(1, Ordering::Relaxed) % 2];
        let target = request.uri().path_and_query().unwrap();
        let url = format!("http://127.0.0.1:{port}{target}");
        *request.uri_mut() = url.parse().unwrap();
        client.request(request)
    });
    let transcript = simulator().text("计时 6").deliver(balancer).await;
    assert_eq!(transcript.deliveries().len(), 2, "{transcript}");
    assert_eq!(transcript, "6 秒到了");
    for (bot, outcome) in [(a, "hung_up"), (b, "joined")] {
        let counted = bot.page("/metrics").await.1;
        assert!(
            counted.contains(&format!("outcome=\"{outcome}\"}} 1")),
            "{counted}"
        );
    }
}

/// For a busy machine.
const ALLOWANCE: Duration = Duration::from_secs(10);
