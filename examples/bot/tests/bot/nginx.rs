//! Behind a real nginx with the snippet of `nginx.conf`: `.ci/nginx` installs it.

use std::{fs, net::TcpListener, path::PathBuf, process, time::Duration};

use bot::settings::https;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};
use tower_wechat::simulator::{RequestBody, Transcript};

use super::{process::Bot, simulator};

const SNIPPET: &str = include_str!("../../nginx.conf");

/// What the snippet passes requests on to.
const PASS: &str = "proxy_pass http://127.0.0.1:8080/wechat;";

struct Nginx {
    _child: Child,
    folder: PathBuf,
    port: u16,
}

impl Nginx {
    /// Starts an nginx with this snippet in its only server, and returns when it listens.
    async fn start(snippet: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let folder = std::env::temp_dir().join(format!("bot-nginx-{}-{port}", process::id()));
        fs::create_dir(&folder).unwrap();
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|path| format!("{path}_temp_path {path};"))
            .concat();
        // One process, which the test can end.
        let configuration = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr crit; events {{}}
             http {{ {paths} access_log off; server {{ listen 127.0.0.1:{port}; {snippet} }} }}"
        );
        fs::write(folder.join("nginx.conf"), configuration).unwrap();
        let child = Command::new("nginx")
            .arg("-p")
            .arg(&folder)
            .args(["-e", "stderr", "-c", "nginx.conf"])
            .kill_on_drop(true)
            .spawn()
            .expect("nginx");
        let listens = async {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(10), listens)
            .await
            .expect("nginx listens");
        Self {
            _child: child,
            folder,
            port,
        }
    }

    /// Sends a signed text to this path.
    async fn deliver(&self, text: &str, path: &str) -> Transcript {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let wechat = simulator().with_uri(url).unwrap();
        wechat.text(text).deliver(https::<RequestBody>()).await
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test]
#[ignore = "needs nginx: .ci/nginx"]
async fn the_snippet_passes_on_the_query_and_takes_off_the_prefix() {
    let bot = Bot::start([]).await;
    let address = format!("127.0.0.1:{}", bot.port);
    let nginx = Nginx::start(&SNIPPET.replace("127.0.0.1:8080", &address)).await;
    assert_eq!(nginx.deliver("你好", "/bot/wechat").await, "你说的是：你好");
    // The bot's other pages are not for the world.
    for path in ["/metrics", "/bot/metrics", "/health", "/wechat"] {
        let transcript = nginx.deliver("你好", path).await;
        let status = transcript.deliveries()[0].status();
        assert_eq!(status.map(|status| status.as_u16()), Some(404), "{path}");
    }
}

/// WeChat hangs up after 5 s, and so does nginx. It leaves the retry to WeChat.
#[tokio::test]
#[ignore = "needs nginx: .ci/nginx"]
async fn a_slow_answer_reaches_the_second_delivery() {
    let bot = Bot::start([]).await;
    let address = format!("127.0.0.1:{}", bot.port);
    let nginx = Nginx::start(&SNIPPET.replace("127.0.0.1:8080", &address)).await;
    let transcript = nginx.deliver("计时 6", "/bot/wechat").await;
    assert_eq!(transcript, "6 秒到了");
    let counted = bot.page("/metrics").await.1;
    for outcome in ["hung_up", "joined"] {
        let count = format!("outcome=\"{outcome}\"}} 1");
        assert!(counted.contains(&count), "{counted}");
    }
}

/// nginx adds the query to an address by itself, but not to one with a variable.
#[tokio::test]
#[ignore = "needs nginx: .ci/nginx"]
async fn a_lost_query_is_a_400_that_the_log_explains() {
    let mut bot = Bot::start([("RUST_LOG", "info,tower_wechat=debug")]).await;
    let variable = format!("set $bot 127.0.0.1:{};", bot.port);
    for (pass, is_answered) in [
        ("proxy_pass http://$bot/wechat;", false),
        ("proxy_pass http://$bot/wechat$is_args$args;", true),
    ] {
        assert!(SNIPPET.contains(PASS));
        let snippet = SNIPPET.replace(PASS, &format!("{variable} {pass}"));
        let transcript = Nginx::start(&snippet)
            .await
            .deliver("你好", "/bot/wechat")
            .await;
        let first = transcript.deliveries()[0].status().unwrap();
        if is_answered {
            assert_eq!(
                (first.as_u16(), transcript.shown().text()),
                (200, Some("你说的是：你好"))
            );
        } else {
            assert_eq!(first.as_u16(), 400, "{transcript}");
            let reason = bot.logged("rejected an unsigned callback").await;
            assert!(reason.contains("kind=\"parameters\""), "{reason}");
        }
    }
}
