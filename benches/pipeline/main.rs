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
use http_body_util::{BodyExt, Full};
use sha1::{Digest, Sha1};
use tokio::runtime::{self, Runtime};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_wechat::{
    Account, DedupLayer, Delivery, Reply, ResponseBody, Timestamp, Verified, VerifySignatureLayer,
    account::Token,
    callback::{Query, Signature},
    message::{Head, VoiceMessage},
    message_fn,
    reply::Addressing,
    xml,
};

mod dedup;
mod envelope;
#[cfg(feature = "redis")]
mod redis;

fn requests(c: &mut Criterion) {
    let runtime = runtime();
    let stack = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account()))
        // Full soon, so that what is measured is a table that forgets as much as it learns.
        .layer(DedupLayer::builder().with_capacity(10_000).build())
        .service(message_fn(echo));
    let uri = format!("/wechat?{}", signed_query());
    let forged_uri = uri.replace("nonce=1", "nonce=2");
    let delivery = |uri: &str, body: Bytes| {
        let request = Request::post(uri).body(Full::new(body));
        request.expect("a request")
    };
    let mut ids = ID..;
    let mut new = || delivery(&uri, voice(ids.next().unwrap_or(ID)).into());
    let body = Bytes::from(voice(ID - 1));
    let duplicate = || delivery(&uri, body.clone());
    let forged = || delivery(&forged_uri, body.clone());

    for (request, status, start) in [
        (new(), StatusCode::OK, "<xml><ToUserName>"),
        (duplicate(), StatusCode::OK, "<xml><ToUserName>"),
        (forged(), StatusCode::FORBIDDEN, ""),
    ] {
        check(&runtime, &stack, request, status, start);
    }

    let mut group = c.benchmark_group("one delivery");
    whole(&mut group, "new message", &runtime, &stack, new);
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
    let parameter = |name: &str| {
        let mut parameters = query.split('&').filter_map(|pair| pair.split_once('='));
        let found = parameters.find(|(found, _)| *found == name);
        found.expect("a parameter").1
    };
    let parts = [parameter("timestamp"), parameter("nonce")];
    let given: Signature = parameter("signature").parse().expect("40 digits");
    assert_eq!(given, Signature::sign(&token, parts));
    let [timestamp, nonce] = parts;
    // Digits before letters: the order in which they are signed.
    let covered = [nonce, timestamp, TOKEN].concat();
    let digest = Bytes::copy_from_slice(&Sha1::digest(&covered));
    assert_eq!(format!("{digest:x}"), given.to_string());

    let mut group = c.benchmark_group("signature");
    group.bench_function("SHA-1 of the same bytes", |b| {
        b.iter(|| Sha1::digest(black_box(&covered)));
    });
    group.bench_function("signed and compared", |b| {
        b.iter(|| Signature::sign(black_box(&token), black_box(parts)) == black_box(given));
    });
    group.bench_function("query read and verified", |b| {
        let (now, tolerance) = (SystemTime::now(), Duration::from_mins(5));
        b.iter(|| Query::parse(black_box(&query))?.verify(&account, now, tolerance));
    });
    group.finish();
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

async fn echo(voice: VoiceMessage) -> Reply {
    Reply::text(voice.recognition.unwrap_or_default())
}

/// A delivery behind the signature layer.
fn request(plaintext: impl Into<Bytes>) -> Request<Verified> {
    Request::new(Verified::insecure_assume(
        plaintext,
        Delivery::new("gh_5d1c0e94a7b3"),
    ))
}

/// Measures one request at a time through a clone of `service`, as a server sends them.
fn whole<S, T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    runtime: &Runtime,
    service: &S,
    mut request: impl FnMut() -> T,
) where
    S: Service<T, Response = Response<ResponseBody>, Error = Infallible> + Clone,
{
    group.bench_function(name, |b| {
        b.iter_custom(|count| {
            runtime.block_on(async {
                let mut elapsed = Duration::ZERO;
                let mut left = count;
                while left > 0 {
                    let batch: Vec<T> = (0..left.min(BATCH)).map(|_| request()).collect();
                    left -= batch.len() as u64;
                    let start = Instant::now();
                    for request in batch {
                        // The error is `Infallible`.
                        let _ = black_box(service.clone().oneshot(request).await);
                    }
                    elapsed += start.elapsed();
                }
                elapsed
            })
        });
    });
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

fn account() -> Account {
    Account::plain(TOKEN).expect("a token")
}

/// Fresh for five minutes, which is longer than a group takes.
fn signed_query() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let timestamp = now.expect("after 1970").as_secs().to_string();
    let token = Token::new(TOKEN).expect("a token");
    let signature = Signature::sign(&token, [&*timestamp, NONCE]);
    format!(
        "signature={signature}&timestamp={timestamp}&nonce={NONCE}&openid=oW3xTt0mZr6uQkYb1LsNdEvCjPhA"
    )
}

fn voice(msg_id: u64) -> String {
    format!(
        "<xml>
<ToUserName><![CDATA[gh_5d1c0e94a7b3]]></ToUserName>
<FromUserName><![CDATA[oW3xTt0mZr6uQkYb1LsNdEvCjPhA]]></FromUserName>
<CreateTime>1718000000</CreateTime>
<MsgType><![CDATA[voice]]></MsgType>
<MediaId><![CDATA[hT0vXqLr3mZs8NcWb5YkEj7UdGfPaoR1iCtB2wVxK4nMzSyQpDlH6gJeF9uO0]]></MediaId>
<Format><![CDATA[amr]]></Format>
<Recognition><![CDATA[{SPOKEN}]]></Recognition>
<MsgId>{msg_id}</MsgId>
</xml>"
    )
}

/// As long as real ones are, 40 bytes with timestamp and nonce.
const TOKEN: &str = "k7Qm2xWf9LcTz4Rb8VnY";

const NONCE: &str = "1532145745";

const SPOKEN: &str = "腾讯微信团队";

const ID: u64 = 2_459_170_863_524_170_538;

/// Few enough to stay in the cache, enough for the clock not to count.
const BATCH: u64 = 256;

criterion_group!(
    benches,
    requests,
    envelope::requests,
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
