//! What stands behind the layer: the inner service, its errors, its limits, its response.

use std::{
    collections::HashMap,
    convert::Infallible,
    io, iter,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use tokio::sync::Notify;
use tower::{Layer as _, Service as _, ServiceExt as _, limit::ConcurrencyLimit, service_fn};
use tower_wechat::{
    Delivery, Message, Reply, Timestamp, Verified, message_fn, verify::RejectionKind,
};

use super::{MESSAGE, NONCE, NOW, get, layer, post, query, signed, signed_at};

#[tokio::test(start_paused = true)]
async fn the_request_keeps_its_head_and_carries_the_delivery() {
    let arrival = tokio::time::Instant::now().into_std();
    let service = layer()
        .with_timestamp_tolerance(Duration::from_mins(1))
        .layer(service_fn(move |request: Request<Verified>| async move {
            let delivery = request.body().delivery();
            assert_eq!(delivery.account(), "post-office");
            assert_eq!(delivery.timestamp(), Timestamp::from_secs(NOW - 7));
            assert_eq!(delivery.age(), Duration::from_secs(7));
            assert_eq!(delivery.timestamp_tolerance(), Duration::from_mins(1));
            assert_eq!(delivery.arrival(), arrival);
            assert_eq!(request.uri().path(), "/wechat");
            assert_eq!(request.headers()["x-forwarded-for"], "192.0.2.7");
            assert_eq!(request.extensions().get(), Some(&"from outside"));
            assert_eq!(request.body().as_bytes(), MESSAGE.as_bytes());
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("success")))
        }));
    let mut request = post(&signed_at(NOW - 7));
    request
        .headers_mut()
        .insert("x-forwarded-for", "192.0.2.7".parse().unwrap());
    request.extensions_mut().insert("from outside");
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "success"
    );
}

/// For tests of handlers and hooks, and for servers with a check of their own.
#[test]
fn a_delivery_is_made_of_its_parts() {
    let start = SystemTime::now();
    let delivery = Delivery::new("news");
    assert_eq!(delivery.account(), "news");
    let signed = SystemTime::from(delivery.timestamp()) + Duration::from_secs(1);
    assert!(signed > start, "signed now");
    assert_eq!(delivery.age(), Duration::ZERO);
    assert_eq!(delivery.timestamp_tolerance(), Duration::from_mins(5));

    let arrival = delivery.arrival() + Duration::from_secs(3);
    let sent = Timestamp::from(start - Duration::from_secs(70));
    let delivery = delivery
        .with_arrival(arrival)
        .with_timestamp(sent)
        .with_timestamp_tolerance(Duration::ZERO);
    assert_eq!(delivery.arrival(), arrival);
    assert_eq!(delivery.timestamp(), sent);
    let age = delivery.age().as_secs();
    assert!((70..90).contains(&age), "{age}");
    assert_eq!(delivery.timestamp_tolerance(), Duration::ZERO);

    // A clock that is behind WeChat's.
    let ahead = Timestamp::from(start + Duration::from_hours(1));
    let early = delivery.clone().with_timestamp(ahead);
    assert_eq!(early.age(), Duration::ZERO);

    let verified = Verified::insecure_assume(MESSAGE, delivery);
    assert_eq!(verified.delivery().account(), "news");
    assert_eq!(verified.to_bytes(), MESSAGE);
    let shown = format!("{verified:?}");
    assert!(!shown.contains("xml"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn the_inner_error_stays_what_it_is() {
    let service = layer().layer(service_fn(async |_: Request<Verified>| {
        Err::<Response<Full<Bytes>>, _>(io::ErrorKind::OutOfMemory)
    }));
    let error = service.oneshot(post(&signed())).await.unwrap_err();
    assert_eq!(error, io::ErrorKind::OutOfMemory);
}

#[tokio::test(start_paused = true)]
async fn the_inner_response_is_collected() {
    let service = layer().layer(service_fn(async |_: Request<Verified>| {
        let parts =
            ["suc", "", "cess"].map(|part| Ok::<_, io::Error>(Frame::data(part.as_bytes())));
        Response::builder()
            .status(StatusCode::ACCEPTED)
            .header(header::CONTENT_TYPE, "application/xml")
            .body(StreamBody::new(stream::iter(parts)))
    }));
    let response = service.oneshot(post(&signed())).await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/xml");
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "success"
    );
}

#[tokio::test(start_paused = true)]
async fn a_response_that_breaks_off_is_an_empty_500() {
    let service = layer().layer(service_fn(async |_: Request<Verified>| {
        let parts = [
            Ok(Frame::data(Bytes::from("<xml>"))),
            Err(io::Error::from(io::ErrorKind::BrokenPipe)),
        ];
        Response::builder()
            .header(header::CONTENT_TYPE, "application/xml")
            .body(StreamBody::new(stream::iter(parts)))
    }));
    let response = service.oneshot(post(&signed())).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(response.headers().is_empty());
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "");
}

/// One MiB, which is far more than WeChat takes of any reply. An endless body is not read on.
#[tokio::test(start_paused = true)]
async fn a_response_of_more_than_a_mebibyte_is_an_empty_500() {
    const LIMIT: usize = 1024 * 1024;
    const PART: usize = LIMIT / 16;
    for (parts, last, status, length) in [
        (16, 0, StatusCode::OK, LIMIT),
        (16, 1, StatusCode::INTERNAL_SERVER_ERROR, 0),
        (usize::MAX, 0, StatusCode::INTERNAL_SERVER_ERROR, 0),
    ] {
        let read = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&read);
        let service = layer().layer(service_fn(move |_: Request<Verified>| {
            let counter = Arc::clone(&counter);
            let parts = iter::repeat_n(PART, parts).chain([last]);
            let parts = parts.map(move |length| {
                counter.fetch_add(length, Ordering::Relaxed);
                Ok::<_, Infallible>(Frame::data(Bytes::from(vec![b'x'; length])))
            });
            let response = Response::builder()
                .header(header::CONTENT_TYPE, "application/xml")
                .body(StreamBody::new(stream::iter(parts)));
            async { response }
        }));
        let response = service.oneshot(post(&signed())).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers().is_empty(), length == 0);
        assert_eq!(response.body().as_bytes().len(), length);
        assert!(read.load(Ordering::Relaxed) <= LIMIT + PART);
    }
    // One that is there at once is no exception.
    let service = layer().layer(service_fn(async |_: Request<Verified>| {
        let body = Bytes::from(vec![b'x'; LIMIT + 1]);
        Ok::<_, Infallible>(Response::new(Full::new(body)))
    }));
    let response = service.oneshot(post(&signed())).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(response.body().as_bytes(), b"");
    // Nor is one that this crate has made.
    let service = layer().layer(message_fn(async |_: Message| {
        Reply::custom(&HashMap::from([("a", "x".repeat(LIMIT))]))
    }));
    let response = service.oneshot(post(&signed())).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(response.body().as_bytes(), b"");
}

/// Readiness is asked for behind the check: a client that cannot sign must not fill the limit, nor
/// wait for it.
#[tokio::test(start_paused = true)]
async fn only_signed_deliveries_wait_for_an_inner_limit() {
    let release = Arc::new(Notify::new());
    let running = Arc::clone(&release);
    let inner = service_fn(move |_: Request<Verified>| {
        let running = Arc::clone(&running);
        async move {
            running.notified().await;
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }
    });
    let mut service = layer().layer(ConcurrencyLimit::new(inner, 1));
    let first = tokio::spawn(service.call(post(&signed())));
    tokio::task::yield_now().await;
    let second = tokio::spawn(service.call(post(&signed())));
    tokio::task::yield_now().await;

    let forged = post(&query(&"0".repeat(40), "1735689600", NONCE));
    let verification = get(&format!("{}&echostr=1", signed()));
    for (request, status) in [(forged, 403), (verification, 200)] {
        let response = service.clone().oneshot(request);
        let response = tokio::time::timeout(Duration::from_secs(1), response);
        assert_eq!(response.await.unwrap().unwrap().status(), status);
    }
    assert!(!first.is_finished());
    assert!(!second.is_finished());

    release.notify_one();
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    release.notify_one();
    assert_eq!(second.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn clones_share_the_settings_and_a_change_makes_a_copy() {
    let narrow = layer().with_body_limit(3);
    let wide = narrow.clone().with_body_limit(64);
    let rejection = super::send(&narrow, post(&signed())).await.rejection();
    assert_eq!(rejection, Some(RejectionKind::BodyTooLarge));
    assert_eq!(super::send(&wide, post(&signed())).await.runs, 1);
}
