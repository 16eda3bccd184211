//! A hundred thousand messages at once, delivered by an unkind network to an unreliable handler.

use std::{
    panic::resume_unwind,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use futures_util::poll;

use super::*;

const MESSAGES: usize = 100_000;

/// The first run of 5 messages in 100 panics.
fn panics(message: usize) -> bool {
    message % 20 == 7
}

/// The first run of 5 messages in 100 fails.
fn fails(message: usize) -> bool {
    message % 20 == 13
}

/// A third of the deliveries are cut. Each message has up to four.
fn is_cut(message: usize, delivery: usize) -> bool {
    (message * 7 + delivery * 5).is_multiple_of(3)
}

/// Counts for one message.
#[derive(Default)]
struct Seen {
    runs: AtomicU8,
    delivered: AtomicU8,
    late: AtomicU8,
}

fn number(body: &[u8]) -> usize {
    str::from_utf8(body).unwrap().parse().unwrap()
}

#[test]
fn each_message_runs_once_and_its_reply_is_delivered_or_handed_over() {
    let begun = std::time::Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()
        .unwrap();
    let seen: Arc<Vec<Seen>> = Arc::new((0..MESSAGES).map(|_| Seen::default()).collect());
    let layer = DedupLayer::builder()
        .with_capacity(2 * MESSAGES)
        // A message whose deliveries are all cut counts as running for 6 s.
        .with_max_concurrent_runs(MESSAGES)
        .with_retry_delays([Duration::ZERO])
        .with_late_replies({
            let seen = Arc::clone(&seen);
            move |late: tower_wechat::late::LateReply| {
                let message = number(late.request().body().as_bytes());
                seen[message].late.fetch_add(1, Ordering::Relaxed);
                ready(())
            }
        })
        .build();
    let stack = layer.layer(service_fn({
        let seen = Arc::clone(&seen);
        move |request: Request<Verified>| {
            let message = number(request.body().as_bytes());
            let run = seen[message].runs.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::task::yield_now().await;
                if run == 0 && panics(message) {
                    // Unlike `panic!`, it does not print.
                    resume_unwind(Box::new("by design"));
                }
                if run == 0 && fails(message) {
                    return Err("by design");
                }
                Ok(ok("reply"))
            }
        }
    }));
    runtime.block_on(async {
        let mut messages = tokio::task::JoinSet::new();
        for message in 0..MESSAGES {
            let (stack, seen) = (stack.clone(), Arc::clone(&seen));
            messages.spawn(async move {
                for delivery in 0..=message % 4 {
                    let request = Request::new(assume(message.to_string()));
                    let answer = pin!(stack.clone().send(request));
                    let answer = if is_cut(message, delivery) {
                        match poll!(answer) {
                            Poll::Ready(answer) => answer,
                            Poll::Pending => continue,
                        }
                    } else {
                        answer.await
                    };
                    let is_reply = answer.body() == "reply";
                    let delivered = &seen[message].delivered;
                    delivered.fetch_add(u8::from(is_reply), Ordering::Relaxed);
                }
            });
            if messages.len() >= 1_000 {
                messages.join_next().await.unwrap().unwrap();
            }
        }
        while let Some(message) = messages.join_next().await {
            message.unwrap();
        }
        layer.drain(Duration::from_secs(30)).await;
    });
    let (mut delivered_in_all, mut late_in_all) = (0, 0);
    for (message, seen) in seen.iter().enumerate() {
        let count = |count: &AtomicU8| count.load(Ordering::Relaxed);
        let (runs, delivered, late) =
            (count(&seen.runs), count(&seen.delivered), count(&seen.late));
        let expected = 1 + u8::from(panics(message) || fails(message));
        assert_eq!(runs, expected, "runs of {message}");
        assert!(
            (delivered > 0 && late == 0) || (delivered == 0 && late == 1),
            "the reply to {message} was delivered {delivered} times, handed over {late} times"
        );
        delivered_in_all += usize::from(delivered);
        late_in_all += usize::from(late);
    }
    // Nothing can fetch the reply of a message whose only delivery is cut at its first wait.
    let unfetched = (0..MESSAGES).filter(|message| message % 4 == 0 && is_cut(*message, 0));
    assert!(late_in_all >= unfetched.count(), "{late_in_all}");
    eprintln!(
        "{MESSAGES} messages: {delivered_in_all} replies delivered, {late_in_all} handed over, in {:.1} s",
        begun.elapsed().as_secs_f64()
    );
}
