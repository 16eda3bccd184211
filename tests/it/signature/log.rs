use std::{
    convert::Infallible,
    io,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_wechat::Verified;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::{NONCE, TOKEN, get, layer, post, query, send, signature, signed};

#[tokio::test(start_paused = true)]
async fn the_log_says_what_was_refused_and_nothing_of_the_query() {
    async fn cause_every_event() {
        let forged = query(&"0".repeat(40), "1735689600", NONCE);
        send(&layer(), post(&forged)).await;
        send(&layer(), get(&format!("{}&echostr=a%20b", signed()))).await;
        let service = layer().layer(service_fn(async |_: Request<Verified>| {
            let parts = [Err::<Frame<Bytes>, _>(io::Error::other("out of ink"))];
            Ok::<_, Infallible>(Response::new(StreamBody::new(stream::iter(parts))))
        }));
        service.oneshot(post(&signed())).await.unwrap();
    }

    if !cfg!(feature = "tracing") {
        return;
    }
    // While one subscriber is all there is, tracing asks only the thread that first reaches an event
    // whether anybody listens. So each is reached before there is one, lest another test be first.
    cause_every_event().await;

    let log = Log::default();
    let writer = log.clone();
    let guard = tracing_subscriber::fmt()
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .set_default();
    cause_every_event().await;
    drop(guard);

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for secret in [
        TOKEN,
        NONCE,
        &signature(TOKEN, "1735689600", NONCE),
        "a b",
        "00000",
    ] {
        assert!(!log.contains(secret), "{log}");
    }
    let lines: Vec<_> = log.lines().map(str::trim_start).collect();
    let expected: [&[&str]; 3] = [
        &["WARN", "account=\"post-office\"", "kind=Signature"],
        &["WARN", "account=\"post-office\"", "kind=Echostr"],
        &["ERROR", "account=\"post-office\"", "out of ink"],
    ];
    assert_eq!(lines.len(), expected.len(), "{log}");
    for (line, parts) in lines.iter().zip(expected) {
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
