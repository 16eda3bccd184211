use std::{convert::Infallible, io};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_wechat::Verified;

use super::{NONCE, TOKEN, get, layer, post, query, send, signature, signed};
use crate::log;

#[tokio::test(start_paused = true)]
async fn the_log_says_what_failed_and_nothing_of_the_query() {
    let log = log::of(async || {
        let forged = query(&"0".repeat(40), "1735689600", NONCE);
        send(&layer(), post(&forged)).await;
        send(&layer(), get(&format!("{}&echostr=a%20b", signed()))).await;
        let service = layer().layer(service_fn(async |_: Request<Verified>| {
            let parts = [Err::<Frame<Bytes>, _>(io::Error::other("out of ink"))];
            Ok::<_, Infallible>(Response::new(StreamBody::new(stream::iter(parts))))
        }));
        service.oneshot(post(&signed())).await.unwrap();
        let service = layer().layer(service_fn(async |_: Request<Verified>| {
            let body = Bytes::from(vec![b'x'; 1024 * 1024 + 1]);
            Ok::<_, Infallible>(Response::new(Full::new(body)))
        }));
        service.oneshot(post(&signed())).await.unwrap();
    })
    .await;
    for secret in [
        TOKEN,
        NONCE,
        &signature(TOKEN, "1735689600", NONCE),
        "a b",
        "00000",
    ] {
        assert!(!log.contains(secret), "{log}");
    }
    log::check(
        &log,
        [
            &["DEBUG", "account=\"post-office\"", "kind=\"signature\""],
            &["WARN", "account=\"post-office\"", "kind=\"echostr\""],
            &["ERROR", "account=\"post-office\"", "out of ink"],
            &[
                "ERROR",
                "account=\"post-office\"",
                "the body is over the limit",
            ],
        ],
    );
}
