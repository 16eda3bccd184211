//! What a mailbox costs a message that finds nothing in it.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use bytes::Bytes;
use criterion::Criterion;
use http::Request;
use tokio::runtime::Runtime;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_wechat::{
    DedupLayer, Verified,
    dedup::Key,
    late::{
        NextMessage,
        mailbox::{Conversation, Mailbox, MemoryMailbox, Put, Question},
    },
    message_fn,
};

use crate::{BATCH, ID, echo, request, runtime, voice};

/// Batches without and with the mailbox alternate, and the fastest of each counts: the rest of the machine disturbs some.
pub(crate) fn next_message(c: &mut Criterion) {
    let runtime = runtime();
    let mailbox = runtime.block_on(kept());
    let builder = || DedupLayer::builder().with_capacity(10_000);
    let with = |layer: DedupLayer| ServiceBuilder::new().layer(layer).service(message_fn(echo));
    let bare = with(builder().build());
    let next_message = NextMessage::shared(mailbox);
    let layered = with(builder().with_next_message(next_message).build());

    let mut ids = ID..;
    let mut group = c.benchmark_group("next message");
    group.sample_size(30);
    let name = "new message, nothing kept among 100 000 users: the difference";
    group.bench_function(name, |b| {
        b.iter_custom(|count| {
            let mut fastest = [Duration::MAX; 2];
            // As many for each count: Criterion counts by the difference, which is small beside a batch.
            for _ in 0..256 {
                fastest[0] = fastest[0].min(batch(&runtime, &bare, &mut ids));
                fastest[1] = fastest[1].min(batch(&runtime, &layered, &mut ids));
            }
            let added = fastest[1].saturating_sub(fastest[0]) / BATCH;
            // Criterion divides by the count, and takes no zero.
            added.max(Duration::from_nanos(1)).mul_f64(count as f64)
        });
    });
    group.finish();
}

fn batch<S>(runtime: &Runtime, service: &S, ids: &mut impl Iterator<Item = u64>) -> Duration
where
    S: Service<Request<Verified>> + Clone,
{
    let requests: Vec<_> = ids
        .take(BATCH as usize)
        .map(|id| request(voice(id)))
        .collect();
    runtime.block_on(async {
        let start = Instant::now();
        for request in requests {
            // The error is `Infallible`.
            let _ = black_box(service.clone().oneshot(request).await);
        }
        start.elapsed()
    })
}

/// A mailbox with a reply for each of 100 000 users.
async fn kept() -> MemoryMailbox {
    let mailbox = MemoryMailbox::new();
    let reply = [Bytes::from_static(b"text")];
    for number in 0..100_000_u32 {
        let conversation = Conversation::new("gh_5d1c0e94a7b3", &format!("oW3xTt{number:022}"));
        let message = Key::new([number.to_be_bytes()]);
        let put = mailbox.put(Question::new(conversation, message, Duration::ZERO), &reply);
        assert!(matches!(put.await, Ok(Put::Kept { dropped: 0 })));
    }
    mailbox
}
