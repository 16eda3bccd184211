//! Whatever a client sends, the handler never runs without a valid signature.
//!
//! The first line of the input is the query, the rest the body.

#![no_main]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use tower::{Layer, ServiceExt};
use tower_wechat::{Account, DedupLayer, Message, VerifySignatureLayer, message_fn};

#[path = "../../tests/it/hostile/oracle.rs"]
mod oracle;

fuzz_target!(|input: &[u8]| {
    let line = input
        .iter()
        .position(|&byte| byte == b'\n')
        .unwrap_or(input.len());
    let (query, body) = input.split_at(line);
    let Ok(query) = str::from_utf8(query) else {
        return;
    };
    let body = Bytes::copy_from_slice(body);
    let request = Request::post(format!("/wechat?{query}")).body(Full::new(body));
    let Ok(request) = request else {
        return;
    };
    // As HTTP sees it: without a fragment.
    let query = request.uri().query().unwrap_or_default().to_owned();

    let ran = Arc::new(AtomicBool::new(false));
    let handler = message_fn({
        let ran = Arc::clone(&ran);
        move |_: Message| {
            ran.store(true, Ordering::Relaxed);
            async { "heard" }
        }
    });
    let account = Account::plain(oracle::TOKEN).expect("a token");
    let stack = VerifySignatureLayer::new(account)
        .with_clock(|| SystemTime::UNIX_EPOCH + Duration::from_secs(oracle::NOW))
        .layer(DedupLayer::in_memory().layer(handler));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let response = runtime.expect("a runtime").block_on(stack.oneshot(request));
    let accepted = response.expect("a rejection is a response").status() == 200;

    let signed = oracle::is_signed(&query);
    assert!(signed || !accepted, "accepted: {query}");
    assert!(
        signed || !ran.load(Ordering::Relaxed),
        "the handler ran: {query}"
    );
});
