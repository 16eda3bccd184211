//! A million distinct messages: what is remembered stays within its bound, and resident memory flat.
//!
//! `cargo bench --bench memory` runs it, and fails if it does not hold. Resident memory is what Linux says.
#![allow(
    clippy::expect_used,
    reason = "a program that cannot measure has to say so"
)]

use std::{
    convert::Infallible,
    fs,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::runtime::Builder;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_wechat::{DedupLayer, Delivery, Verified};

fn main() -> ExitCode {
    // `cargo bench` asks for it; `cargo test --benches` does not.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("run it by `cargo bench --bench memory`");
        return ExitCode::SUCCESS;
    }
    let runtime = Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(measure())
}

async fn measure() -> ExitCode {
    let runs = AtomicU64::new(0);
    let runs: &'static AtomicU64 = Box::leak(Box::new(runs));
    // As a bot of short answers has it, with the default bounds.
    let service = DedupLayer::in_memory().layer(service_fn(move |_: Request<Verified>| {
        runs.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(REPLY))) }
    }));
    let empty = resident();
    println!("resident memory without messages: {} KiB", empty / KIB);
    let mut full = 0;
    let mut most = 0;
    for number in 0..MESSAGES {
        deliver(&service, number).await;
        if (number + 1).is_multiple_of(BOUND) {
            let now = resident();
            println!("after {} messages: {} KiB", number + 1, now / KIB);
            // The first round fills the table, the second one its spare room.
            if number + 1 == 2 * BOUND {
                full = now;
            }
            most = most.max(now);
        }
    }
    println!(
        "a remembered message with its reply of {} bytes: {} bytes",
        REPLY.len(),
        (full - empty) / BOUND
    );

    let before = runs.load(Ordering::Relaxed);
    deliver(&service, MESSAGES - BOUND).await;
    let is_remembered = runs.load(Ordering::Relaxed) == before;
    deliver(&service, MESSAGES - BOUND - 1).await;
    let is_forgotten = runs.load(Ordering::Relaxed) == before + 1;
    let is_flat = most <= full + full / 20;
    println!(
        "before: {before} runs; the bound's oldest is remembered: {is_remembered}, the one before is forgotten: {is_forgotten}, memory is flat: {is_flat}"
    );
    if before == MESSAGES && is_remembered && is_forgotten && is_flat {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn deliver<S>(service: &S, number: u64)
where
    S: Service<Request<Verified>, Error = Infallible> + Clone,
{
    let body = format!(
        "<xml><ToUserName>gh_5d1c0e94a7b3</ToUserName><FromUserName>oW3xTt0mZr6uQkYb1LsNdEvCjPhA</FromUserName>\
         <CreateTime>1718000000</CreateTime><MsgType>text</MsgType><Content>hi</Content><MsgId>{number}</MsgId></xml>"
    );
    let request = Request::new(Verified::insecure_assume(
        body,
        Delivery::new("gh_5d1c0e94a7b3"),
    ));
    // The error is `Infallible`.
    let _ = service.clone().oneshot(request).await;
}

/// In bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells of its processes");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse::<u64>().ok())
        .expect("a number of KiB")
        * KIB
}

const MESSAGES: u64 = 1_000_000;

/// The default of `with_capacity`.
const BOUND: u64 = 100_000;

const KIB: u64 = 1024;

const REPLY: &str = "<xml><ToUserName><![CDATA[oW3xTt0mZr6uQkYb1LsNdEvCjPhA]]></ToUserName>\
    <FromUserName><![CDATA[gh_5d1c0e94a7b3]]></FromUserName><CreateTime>1718000001</CreateTime>\
    <MsgType><![CDATA[text]]></MsgType><Content><![CDATA[ok]]></Content></xml>";
