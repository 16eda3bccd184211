//! What the layers and calls around WeChat's API cost, without WeChat.
//!
//! `cargo bench --features api --bench api` runs it. Compare ratios within one run, as for `pipeline`.
#![allow(missing_docs, reason = "Criterion's macros write public items")]
#![allow(clippy::expect_used, reason = "a bench that fails measures nothing")]
#![allow(clippy::cast_precision_loss, reason = "counts are small")]

use std::{
    convert::Infallible,
    hint::black_box,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use criterion::{
    BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main,
    measurement::WallTime,
};
use http::{Request, Response, header::CONTENT_TYPE};
use http_body::{Body, Frame, SizeHint};
use tokio::runtime::{self, Runtime};
use tower::{Service, ServiceExt, service_fn};
use tower_wechat::{
    Api, Delivery, Message, Reply, ResponseBody, Verified,
    api::{Recording, RequestBody},
    message::VoiceMessage,
    message_fn, xml,
};

/// One verified request to a handler, with and without the layer around the handler.
fn recognize(c: &mut Criterion) {
    let runtime = runtime();
    let api = || api(|| Frames::new(1, RECORDING));
    let recognizer = service_fn(async |_: Recording| Ok::<_, Infallible>(SPOKEN.to_owned()));
    let spoken = Bytes::from(voice(SPOKEN));
    let text = Bytes::from(
        voice("")
            .replace("voice", "text")
            .replace("MediaId", "Content"),
    );

    let mut group = c.benchmark_group("recognize");
    let bare = message_fn(echo_voice);
    let layered = bare.clone().recognize(api(), recognizer);
    let name = "VoiceMessage: handler alone";
    whole(&mut group, name, &runtime, &bare, &spoken);
    let name = "VoiceMessage: recognize, already recognized";
    whole(&mut group, name, &runtime, &layered, &spoken);
    added(
        &mut group,
        "VoiceMessage: the difference",
        &bare,
        &layered,
        &spoken,
    );

    let bare = message_fn(echo_message);
    let layered = bare.clone().recognize(api(), recognizer);
    let name = "Message: handler alone";
    whole(&mut group, name, &runtime, &bare, &spoken);
    let name = "Message: recognize, already recognized";
    whole(&mut group, name, &runtime, &layered, &spoken);
    added(
        &mut group,
        "Message: the difference",
        &bare,
        &layered,
        &spoken,
    );
    added(
        &mut group,
        "Message that is a text: the difference",
        &bare,
        &layered,
        &text,
    );

    let remembered = Bytes::from(voice(""));
    let name = "Message: recognize, remembered";
    whole(&mut group, name, &runtime, &layered, &remembered);
    group.finish();
}

/// What a call pays for the token and the answer's body.
fn calls(c: &mut Criterion) {
    let runtime = runtime();
    let api_of = |frames| api(move || Frames::new(frames, RECORDING));
    let mut group = c.benchmark_group("api");
    let api = api_of(1);
    runtime.block_on(api.access_token()).expect("a token");
    group.bench_function("token, cached", |b| {
        b.iter(|| now_or_never(black_box(&api).access_token()));
    });
    group.throughput(Throughput::Bytes(RECORDING as u64));
    let bytes = Bytes::from(vec![b'x'; RECORDING]);
    group.bench_function("copy of 100 KiB", |b| {
        b.iter(|| black_box(&bytes).to_vec());
    });
    let voice: VoiceMessage = xml::from_str(&voice("")).expect("a voice message");
    for (frames, name) in [
        (0, "recording of 3 bytes"),
        (1, "recording of 100 KiB, 1 frame"),
        (7, "recording of 100 KiB, 7 frames"),
        (100, "recording of 100 KiB, 100 frames"),
    ] {
        let api = api_of(frames);
        runtime
            .block_on(api.recording(&voice))
            .expect("a recording");
        group.bench_function(name, |b| {
            b.iter_custom(|count| {
                runtime.block_on(async {
                    let start = Instant::now();
                    for _ in 0..count {
                        black_box(api.recording(&voice).await.expect("a recording"));
                    }
                    start.elapsed()
                })
            });
        });
    }
    group.finish();
}

fn recordings(c: &mut Criterion) {
    let mut group = c.benchmark_group("recording of 60 s");
    for (name, header, kind, size) in [
        ("narrow band at 12.2 kbit/s", &b"#!AMR\n"[..], 7, 31),
        ("narrow band at 4.75 kbit/s", b"#!AMR\n", 0, 12),
        ("wide band at 23.85 kbit/s", b"#!AMR-WB\n", 8, 60),
    ] {
        let frame = [vec![kind << 3 | 4], vec![0x5a; size]].concat();
        let file = [header, &frame.repeat(3000)].concat();
        group.throughput(Throughput::Bytes(file.len() as u64));
        let recording = Recording::new(file);
        assert_eq!(recording.duration(), Some(Duration::from_mins(1)));
        group.bench_function(name, |b| b.iter(|| black_box(&recording).duration()));
    }
    group.finish();
}

/// Makes an `Api` whose client answers each call for a media file with `body`.
fn api(body: impl Fn() -> Frames + Clone + Send + Sync + 'static) -> Api {
    let client = service_fn(move |request: Request<RequestBody>| {
        let mut response = Response::new(if request.uri().path().ends_with("stable_token") {
            Frames::of(Bytes::from_static(
                br#"{"access_token":"78_aTQ","expires_in":7200}"#,
            ))
        } else {
            body()
        });
        let amr = http::HeaderValue::from_static("audio/amr");
        response.headers_mut().insert(CONTENT_TYPE, amr);
        async { Ok::<_, Infallible>(response) }
    });
    Api::new(client, "wx0a1b2c3d4e5f6071", "0123456789abcdef").expect("settings")
}

/// A body of frames that share one buffer, as a client reads them from a connection.
struct Frames {
    bytes: Bytes,
    frame: usize,
}

impl Frames {
    fn new(frames: usize, size: usize) -> Self {
        static BYTES: Bytes = Bytes::from_static(&[b'x'; RECORDING]);
        if frames == 0 {
            return Self::of(BYTES.slice(..3));
        }
        let bytes = BYTES.slice(..size);
        Self {
            frame: size.div_ceil(frames),
            bytes,
        }
    }

    fn of(bytes: Bytes) -> Self {
        Self {
            frame: bytes.len(),
            bytes,
        }
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let size = self.frame.min(self.bytes.len());
        let frame = (size > 0).then(|| Ok(Frame::data(self.bytes.split_to(size))));
        Poll::Ready(frame)
    }

    /// WeChat's answers have a Content-Length.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

async fn echo_voice(voice: VoiceMessage) -> Reply {
    Reply::text(voice.recognition.unwrap_or_default())
}

async fn echo_message(message: Message) -> Reply {
    match message {
        Message::Voice(voice) => Reply::text(voice.recognition.unwrap_or_default()),
        _ => Reply::success(),
    }
}

fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    futures_util::FutureExt::now_or_never(future).expect("at once")
}

fn request(body: &Bytes) -> Request<Verified> {
    let delivery = Delivery::new("gh_5d1c0e94a7b3");
    Request::new(Verified::insecure_assume(body.clone(), delivery))
}

trait Answers:
    Service<Request<Verified>, Response = Response<ResponseBody>, Error = Infallible> + Clone
{
}

impl<S> Answers for S where
    S: Service<Request<Verified>, Response = Response<ResponseBody>, Error = Infallible> + Clone
{
}

fn whole(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    runtime: &Runtime,
    service: &impl Answers,
    body: &Bytes,
) {
    group.bench_function(name, |b| {
        // The first one may fetch.
        let first = service.clone().oneshot(request(body));
        let _ = black_box(runtime.block_on(first));
        b.iter_batched(
            || request(body),
            |request| now_or_never(service.clone().oneshot(request)),
            BatchSize::SmallInput,
        );
    });
}

/// Measures how much longer `layered` takes than `bare`. Batches of both alternate, and the fastest of each counts: the
/// rest of the machine disturbs some.
fn added(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    bare: &impl Answers,
    layered: &impl Answers,
    body: &Bytes,
) {
    fn batch(service: &impl Answers, body: &Bytes) -> Duration {
        let requests: Vec<_> = (0..BATCH).map(|_| request(body)).collect();
        let start = Instant::now();
        for request in requests {
            let _ = black_box(now_or_never(service.clone().oneshot(request)));
        }
        start.elapsed()
    }
    group.bench_function(name, |b| {
        b.iter_custom(|count| {
            let batches = count.div_ceil(BATCH.into()).max(16);
            let mut fastest = [Duration::MAX; 2];
            for _ in 0..batches {
                fastest[0] = fastest[0].min(batch(bare, body));
                fastest[1] = fastest[1].min(batch(layered, body));
            }
            let added = fastest[1].saturating_sub(fastest[0]) / BATCH;
            // Criterion divides by the count.
            Duration::from_secs_f64(added.as_secs_f64() * count as f64)
        });
    });
}

fn runtime() -> Runtime {
    let runtime = runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime")
}

fn voice(words: &str) -> String {
    format!(
        "<xml>
<ToUserName><![CDATA[gh_5d1c0e94a7b3]]></ToUserName>
<FromUserName><![CDATA[oW3xTt0mZr6uQkYb1LsNdEvCjPhA]]></FromUserName>
<CreateTime>1718000000</CreateTime>
<MsgType><![CDATA[voice]]></MsgType>
<MediaId><![CDATA[hT0vXqLr3mZs8NcWb5YkEj7UdGfPaoR1iCtB2wVxK4nMzSyQpDlH6gJeF9uO0]]></MediaId>
<Format><![CDATA[amr]]></Format>
<Recognition><![CDATA[{words}]]></Recognition>
<MsgId>2459170863524170538</MsgId>
</xml>"
    )
}

const SPOKEN: &str = "腾讯微信团队";

/// Few enough to stay in the cache, enough for the clock not to count.
const BATCH: u32 = 64;

/// In bytes: a minute at 12.2 kbit/s.
const RECORDING: usize = 100 * 1024;

criterion_group!(benches, recognize, calls, recordings);
criterion_main!(benches);
