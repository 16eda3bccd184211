//! A store in a Redis on loopback, beside one command of its own: a round trip each.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::Criterion;
use http::StatusCode;
use redis::{AsyncCommands, ExistenceCheck, SetExpiry, SetOptions};
use tokio::runtime;
use tower::ServiceBuilder;
use tower_wechat::{
    DedupLayer,
    dedup::{
        Key, RedisStore, StoredResponse,
        store::{Claim, ClaimId, Ending, Store, Ttls},
    },
    message_fn,
};

use crate::{ID, echo, request, voice, whole};

#[allow(
    dead_code,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the tests' own, who need all of it"
)]
#[path = "../../tests/it/store/server.rs"]
mod server;

pub(crate) fn store(c: &mut Criterion) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let server = server::Server::start();
    let connection = runtime.block_on(server.connect());
    let store = RedisStore::new(connection.clone());
    let mut numbers = 0_u64..;
    let mut key = || Key::new([numbers.next().unwrap_or_default().to_be_bytes()]);
    let id = ClaimId::random();
    let ttls = Ttls::new(Duration::from_secs(5));
    let response = StoredResponse::new(StatusCode::OK, None, voice(ID));

    let mut group = c.benchmark_group("redis on loopback");
    group.bench_function("a bare SET NX", |b| {
        let once = SetOptions::default()
            .conditional_set(ExistenceCheck::NX)
            .with_expiration(SetExpiry::EX(600));
        let mut names = 0_u64..;
        b.iter_custom(|count| {
            runtime.block_on(async {
                let mut connection = connection.clone();
                let start = Instant::now();
                for _ in 0..count {
                    let name = names.next().unwrap_or_default();
                    let set = connection.set_options::<_, _, Option<String>>(
                        name,
                        "running",
                        once.clone(),
                    );
                    black_box(set.await.expect("an answer"));
                }
                start.elapsed()
            })
        });
    });
    group.bench_function("a new message's claim", |b| {
        b.iter_custom(|count| {
            runtime.block_on(async {
                let start = Instant::now();
                for _ in 0..count {
                    let claimed = store.claim(Claim::new(key(), id, ttls)).await;
                    black_box(claimed.expect("an answer"));
                }
                start.elapsed()
            })
        });
    });
    group.bench_function("its completion", |b| {
        b.iter_custom(|count| {
            runtime.block_on(async {
                let mut elapsed = Duration::ZERO;
                for _ in 0..count {
                    let claim = Claim::new(key(), id, ttls);
                    store.claim(claim).await.expect("an answer");
                    let start = Instant::now();
                    let completed = store.complete(claim, Ending::Reply(response.clone())).await;
                    black_box(completed.expect("an answer"));
                    elapsed += start.elapsed();
                }
                elapsed
            })
        });
    });
    let dedup = DedupLayer::builder()
        .with_store(store.clone())
        .with_capacity(10_000)
        .build();
    let nodes = ServiceBuilder::new().layer(dedup).service(message_fn(echo));
    let mut ids = ID..;
    let new = || request(voice(ids.next().unwrap_or(ID)));
    let name = "dedup and handler, new message";
    whole(&mut group, name, &runtime, &nodes, new);
    group.finish();
}
