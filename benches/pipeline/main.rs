//! One delivery, plain and encrypted, through the finished stack in process, and what the parts of it cost alone.
//!
//! `cargo bench --bench pipeline` runs it. Compare ratios within one run: absolute times depend on the
//! machine and on its other guests. The first group is whole requests, each made before the clock
//! starts; what a row has more than the one above it in "behind the
//! signature" is what a layer adds. With the feature `redis` it starts a `redis-server` of its own.
#![allow(missing_docs, reason = "Criterion's macros write public items")]
#![allow(
    clippy::expect_used,
    clippy::string_slice,
    reason = "a bench that fails measures nothing"
)]
#![allow(clippy::cast_precision_loss, reason = "counts are small")]

use std::{
    convert::Infallible,
    hint::black_box,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use sha1::{Digest, Sha1};
use tokio::{
    runtime::{self, Runtime},
    task::yield_now,
};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_wechat::{
    DedupLayer, Delivery, Reply, ResponseBody, Timestamp, Verified, VerifySignatureLayer,
    account::Token,
    callback::{Query, Signature},
    message::{Head, VoiceMessage},
    message_fn,
    reply::Addressing,
    xml,
};

mod dedup;
mod envelope;
mod fixture;
mod late;
#[cfg(feature = "redis")]
mod redis;

use fixture::{ID, NONCE, SPOKEN, TOKEN, account, delivery, echo, signed_query, voice, voice_of};

fn requests(c: &mut Criterion) {
    let runtime = runtime();
    let stack = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account()))
        // Full soon, so that what is measured is a table that forgets as much as it learns.
        .layer(DedupLayer::builder().with_capacity(10_000).build())
        .service(message_fn(echo));
    let query = signed_query();
    let forged_query = query.replace("nonce=1", "nonce=2");
    let mut ids = ID..;
    let mut next_id = || ids.next().unwrap_or(ID);
    let mut new = || delivery(&query, voice(next_id()));
    let body = Bytes::from(voice(ID - 1));
    let duplicate = || delivery(&query, body.clone());
    let forged = || delivery(&forged_query, body.clone());

    for (request, status, start) in [
        (new(), StatusCode::OK, "<xml><ToUserName>"),
        (duplicate(), StatusCode::OK, "<xml><ToUserName>"),
        (forged(), StatusCode::FORBIDDEN, ""),
    ] {
        check(&runtime, &stack, request, status, start);
    }

    let mut group = c.benchmark_group("one delivery");
    sha1_of_signature(&mut group);
    whole(&mut group, "new message", &runtime, &stack, new);
    let long = SPOKEN.repeat(31 * 1024 / SPOKEN.len());
    let new = || delivery(&query, voice_of(next_id(), &long));
    whole(&mut group, "new message of 31 KiB", &runtime, &stack, new);
    whole(
        &mut group,
        "duplicate of a finished one",
        &runtime,
        &stack,
        duplicate,
    );
    whole(&mut group, "forged signature", &runtime, &stack, forged);
    group.finish();
}

fn signature(c: &mut Criterion) {
    let account = account();
    let token = Token::new(TOKEN).expect("a token");
    let query = signed_query();
    let given: Signature = parameter(&query, "signature").parse().expect("40 digits");
    let parts = [parameter(&query, "timestamp"), NONCE];
    assert_eq!(given, Signature::sign(&token, parts));
    let digest = Bytes::copy_from_slice(&Sha1::digest(covered(&query)));
    assert_eq!(format!("{digest:x}"), given.to_string());

    let mut group = c.benchmark_group("signature");
    sha1_of_signature(&mut group);
    group.bench_function("signed and compared", |b| {
        b.iter(|| Signature::sign(black_box(&token), black_box(parts)) == black_box(given));
    });
    group.bench_function("query read and verified", |b| {
        let (now, tolerance) = (SystemTime::now(), Duration::from_mins(5));
        b.iter(|| Query::parse(black_box(&query))?.verify(&account, now, tolerance));
    });
    group.finish();
}

/// The unit of the groups that have it: no check of a delivery costs less.
fn sha1_of_signature(group: &mut BenchmarkGroup<'_, WallTime>) {
    let covered = covered(&signed_query());
    group.bench_function("SHA-1 of the signature's bytes", |b| {
        b.iter(|| Sha1::digest(black_box(&covered)));
    });
}

/// The bytes that the query's signature is made of: digits come before letters.
fn covered(query: &str) -> String {
    [NONCE, parameter(query, "timestamp"), TOKEN].concat()
}

fn parameter<'a>(query: &'a str, name: &str) -> &'a str {
    let mut parameters = query.split('&').filter_map(|pair| pair.split_once('='));
    let found = parameters.find(|(found, _)| *found == name);
    found.expect("a parameter").1
}

fn message(c: &mut Criterion) {
    let body = voice(ID);
    let reply = Reply::text(SPOKEN);
    let head = Head::read(body.as_bytes()).expect("reads");
    let addressing = Addressing::answering(&head);
    let now = Timestamp::from_secs(1_718_000_001);

    let mut group = c.benchmark_group("message");
    group.bench_function("read the VoiceMessage", |b| {
        b.iter(|| xml::from_slice::<VoiceMessage>(black_box(body.as_bytes())));
    });
    group.bench_function("write the reply", |b| {
        b.iter(|| black_box(&reply).render(black_box(&addressing), now));
    });
    group.finish();
}

/// A delivery behind the signature layer.
fn request(plaintext: impl Into<Bytes>) -> Request<Verified> {
    Request::new(Verified::insecure_assume(
        plaintext,
        Delivery::new("gh_5d1c0e94a7b3"),
    ))
}

/// Measures one request at a time through a clone of `service`, as a server sends them: from a task. The future of `block_on` would
/// park the runtime for each message.
fn whole<S, T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    runtime: &Runtime,
    service: &S,
    mut request: impl FnMut() -> T,
) where
    S: Service<T, Response = Response<ResponseBody>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
    T: Send + 'static,
{
    group.bench_function(name, |b| {
        b.iter_custom(|count| {
            let mut elapsed = Duration::ZERO;
            let mut left = count;
            while left > 0 {
                let batch: Vec<T> = (0..left.min(BATCH.into())).map(|_| request()).collect();
                left -= batch.len() as u64;
                let connection = runtime.spawn(connection(service.clone(), batch));
                elapsed += runtime.block_on(connection).expect("no panic");
            }
            elapsed
        });
    });
}

/// Sends one request after the other. Returns how long that took.
async fn connection<S, T>(service: S, requests: Vec<T>) -> Duration
where
    S: Service<T, Error = Infallible> + Clone,
{
    let start = Instant::now();
    for request in requests {
        // The error is `Infallible`.
        let _ = black_box(service.clone().oneshot(request).await);
    }
    // What the runs do after their answers is part of it.
    yield_now().await;
    start.elapsed()
}

#[track_caller]
fn check<S, T>(runtime: &Runtime, service: &S, request: T, status: StatusCode, start: &str)
where
    S: Service<T, Response = Response<ResponseBody>, Error = Infallible> + Clone,
{
    let (found, body) = runtime.block_on(async {
        let response = service.clone().oneshot(request).await.expect("infallible");
        let status = response.status();
        let body = response.into_body().collect().await.expect("infallible");
        (status, body.to_bytes())
    });
    assert_eq!(found, status);
    assert!(body.starts_with(start.as_bytes()) && body.is_empty() == start.is_empty());
}

fn runtime() -> Runtime {
    let runtime = runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime")
}

/// Few enough to stay in the cache, enough for the clock not to count.
const BATCH: u32 = 32;

criterion_group!(
    benches,
    requests,
    envelope::requests,
    late::next_message,
    dedup::layers,
    dedup::joining,
    dedup::threads,
    signature,
    envelope::envelope,
    message
);
#[cfg(feature = "redis")]
criterion_group!(redis_benches, redis::store);
#[cfg(not(feature = "redis"))]
criterion_main!(benches);
#[cfg(feature = "redis")]
criterion_main!(benches, redis_benches);
