//! What dedup adds to a verified request.

use std::{
    convert::Infallible,
    hint::black_box,
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use criterion::Criterion;
use futures_util::future::join_all;
use http::{Request, Response};
use http_body_util::Full;
use tokio::{sync::Semaphore, task::yield_now};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_wechat::{DedupLayer, ResponseBody, Verified, message_fn};

use crate::{ID, connection, echo, request, runtime, voice, whole};

/// The same message and handler with fewer layers each time.
pub(crate) fn layers(c: &mut Criterion) {
    let runtime = runtime();
    let body = Bytes::from(voice(ID));
    let mut ids = ID..;
    let new = || request(voice(ids.next().unwrap_or(ID)));
    let same = || request(body.clone());

    let handler = message_fn(echo);
    let dedup = DedupLayer::builder().with_capacity(10_000).build();
    let deduped = ServiceBuilder::new().layer(dedup).service(handler.clone());

    let mut group = c.benchmark_group("behind the signature");
    whole(&mut group, "handler alone", &runtime, &handler, same);
    whole(
        &mut group,
        "dedup and handler, new message",
        &runtime,
        &deduped,
        new,
    );
    whole(&mut group, "dedup, duplicate", &runtime, &deduped, same);

    // What it costs does not depend on how many messages are known.
    let full = among_many();
    let mut ids = ID..;
    let new = || request(voice(ids.next().unwrap_or(ID)));
    let name = "dedup and handler, new message among 100 000";
    whole(&mut group, name, &runtime, &full, new);
    let last = Bytes::from(voice(LAST_OF_MANY));
    let known = || request(last.clone());
    let name = "dedup, duplicate among 100 000";
    whole(&mut group, name, &runtime, &full, known);
    group.finish();
}

/// A delivery that comes while its message runs, from its arrival to its answer: 64 of them wait at a time.
pub(crate) fn joining(c: &mut Criterion) {
    let runtime = runtime();
    let gate = Arc::new(Semaphore::new(0));
    let inner = service_fn({
        let gate = Arc::clone(&gate);
        move |_: Request<Verified>| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.expect("open").forget();
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("reply")))
            }
        }
    });
    let service = DedupLayer::builder()
        .with_capacity(10_000)
        .with_max_waiters_per_message(JOINING)
        .build()
        .layer(inner);
    let mut ids = ID..;
    let mut group = c.benchmark_group("joining a run");
    group.bench_function("64 deliveries of one message, each", |b| {
        b.iter_custom(|count| {
            runtime.block_on(async {
                let mut elapsed = Duration::ZERO;
                for _ in 0..count {
                    let body = Bytes::from(voice(ids.next().unwrap_or(ID)));
                    let start = Instant::now();
                    let deliveries =
                        (0..JOINING).map(|_| service.clone().oneshot(request(body.clone())));
                    let opening = async {
                        yield_now().await;
                        gate.add_permits(1);
                    };
                    black_box(tokio::join!(join_all(deliveries), opening));
                    elapsed += start.elapsed();
                }
                elapsed / 64
            })
        });
    });
    group.finish();
}

/// Servers with a runtime for each thread share one table. A row's time is what a request takes its thread.
pub(crate) fn threads(c: &mut Criterion) {
    let full = among_many();
    let mut next = ID;
    let mut group = c.benchmark_group("threads");
    for threads in [1, 2] {
        group.bench_function(
            format!("new messages among 100 000, {threads} at a time"),
            |b| {
                b.iter_custom(|count| {
                    let first = next;
                    next += count * threads;
                    beside(threads, &full, count, |thread, number| {
                        voice(first + thread * count + number)
                    })
                });
            },
        );
        group.bench_function(
            format!("duplicates among 100 000, {threads} at a time"),
            |b| b.iter_custom(|count| beside(threads, &full, count, |_, _| voice(LAST_OF_MANY))),
        );
    }
    group.finish();
}

/// How long each of the threads takes for `count` bodies, while the others are busy with theirs.
///
/// Each makes its requests itself, as the thread of a server does: glibc's `malloc` is slow to free what another thread has
/// allocated.
fn beside<S>(
    threads: u64,
    service: &S,
    count: u64,
    body: impl Fn(u64, u64) -> String + Sync,
) -> Duration
where
    S: Service<Request<Verified>, Response: Send, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
{
    let (body, barrier) = (&body, &Barrier::new(usize::try_from(threads).expect("few")));
    let work = |service: S, thread| {
        let runtime = runtime();
        let mut elapsed = Duration::ZERO;
        for first in (0..count).step_by(AT_ONCE) {
            let numbers = first..count.min(first + AT_ONCE as u64);
            let requests: Vec<_> = numbers
                .map(|number| request(body(thread, number)))
                .collect();
            barrier.wait();
            let connection = runtime.spawn(connection(service.clone(), requests));
            elapsed += runtime.block_on(connection).expect("no panic");
        }
        elapsed
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let service = service.clone();
                scope.spawn(move || work(service, thread))
            })
            .collect();
        let elapsed = workers
            .into_iter()
            .map(|worker| worker.join().expect("no panic"));
        elapsed.max().unwrap_or_default()
    })
}

/// As many requests as lie in a core's own cache.
const AT_ONCE: usize = 256;

/// A table with as many messages as it takes, whose last one's reply is still kept.
fn among_many()
-> impl Service<Request<Verified>, Response = Response<ResponseBody>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    let full = ServiceBuilder::new()
        .layer(DedupLayer::in_memory())
        .service(message_fn(echo));
    runtime().block_on(async {
        for id in 0..MANY {
            // The error is `Infallible`.
            let _ = full
                .clone()
                .oneshot(request(voice(LAST_OF_MANY - id)))
                .await;
        }
    });
    full
}

const MANY: u64 = 100_000;

/// Far from the ids that the rows count on from.
const LAST_OF_MANY: u64 = ID - 1_000_000_000;

const JOINING: usize = 64;
