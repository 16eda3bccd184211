//! A server of one thread. It says its port, and for each line of input its CPU time and the requests handled.

use std::{
    fs, io, process,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use axum::{Router, routing::post};
use bytes::Bytes;
use tokio::{net::TcpListener, runtime::Builder};
use tower::ServiceBuilder;
use tower_wechat::{Account, DedupLayer, VerifySignatureLayer, message::VoiceMessage, message_fn};

use crate::fixture::{account, echo, encrypted_account};

pub(crate) fn serve(mode: &str) {
    let app = match mode {
        "bare" => Router::new().route("/wechat", post(bare)),
        "stack, plain" => stack(account()),
        "stack, encrypted" => stack(encrypted_account()),
        _ => panic!("no mode {mode}"),
    };
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("{}", listener.local_addr().expect("bound").port());
        thread::spawn(|| {
            for _ in io::stdin().lines() {
                println!("{} {}", cpu_time(), REQUESTS.load(Ordering::Relaxed));
            }
            process::exit(0);
        });
        axum::serve(listener, app).await.expect("serves");
    });
}

/// Reads the body, and answers as the stack does.
async fn bare(body: Bytes) -> &'static str {
    REQUESTS.fetch_add(1, Ordering::Relaxed);
    assert!(body.ends_with(b"</xml>"));
    REPLY
}

fn stack(account: Account) -> Router {
    let stack = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account))
        .layer(DedupLayer::builder().with_capacity(CAPACITY).build())
        .service(message_fn(|voice: VoiceMessage| {
            REQUESTS.fetch_add(1, Ordering::Relaxed);
            echo(voice)
        }));
    Router::new().route_service("/wechat", stack)
}

/// Of all threads, in nanoseconds.
fn cpu_time() -> u64 {
    let threads = fs::read_dir("/proc/self/task").expect("Linux tells of its threads");
    let times = threads.map(|thread| {
        let path = thread.expect("a thread").path().join("schedstat");
        let times = fs::read_to_string(path).expect("Linux tells of its scheduler");
        let time = times.split(' ').next().and_then(|time| time.parse().ok());
        time.unwrap_or(0_u64)
    });
    times.sum()
}

static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// Messages that are remembered.
pub(crate) const CAPACITY: usize = 10_000;

const REPLY: &str = "<xml><ToUserName><![CDATA[oW3xTt0mZr6uQkYb1LsNdEvCjPhA]]></ToUserName>\
    <FromUserName><![CDATA[gh_5d1c0e94a7b3]]></FromUserName><CreateTime>1718000001</CreateTime>\
    <MsgType><![CDATA[text]]></MsgType><Content><![CDATA[腾讯微信团队]]></Content></xml>";
