//! A hundred thousand messages at once, delivered by an unkind network to an unreliable handler.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicUsize, Ordering},
};

use super::*;

const MESSAGES: usize = 100_000;

/// What a handler makes of a message, by its number: 5 in 100 panic the first time, 5 fail.
fn is_panic(message: usize) -> bool {
    message % 20 == 7
}

fn is_error(message: usize) -> bool {
    message % 20 == 13
}

/// Each of the four deliveries is cut, held or sent by the message's number and its own: a third is cut.
fn is_cut(message: usize, delivery: usize) -> bool {
    (message * 7 + delivery * 5).is_multiple_of(3)
}

#[test]
fn every_handler_that_does_not_fail_runs_once() {
    let begun = std::time::Instant::now();
    // What a panic says is of no interest, and there are thousands.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload().downcast_ref::<&str>() != Some(&"by design") {
            hook(panic);
        }
    }));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()
        .unwrap();
    let runs: Arc<Vec<AtomicU8>> = Arc::new((0..MESSAGES).map(|_| AtomicU8::new(0)).collect());
    let late = Arc::new(AtomicUsize::new(0));
    let delivered = Arc::new(AtomicUsize::new(0));
    let layer = DedupLayer::in_memory()
        .with_max_messages(2 * MESSAGES)
        .with_retry_delays([Duration::ZERO])
        .with_late_reply({
            let late = Arc::clone(&late);
            move |_| {
                late.fetch_add(1, Ordering::Relaxed);
                std::future::ready(())
            }
        });
    let stack = layer.layer(service_fn({
        let runs = Arc::clone(&runs);
        move |request: Request<Verified>| {
            let body = request.into_body().into_bytes();
            let message: usize = str::from_utf8(&body).unwrap().parse().unwrap();
            let run = runs[message].fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::task::yield_now().await;
                if run == 0 && is_panic(message) {
                    std::panic::panic_any("by design");
                }
                if run == 0 && is_error(message) {
                    return Err("by design");
                }
                Ok(Response::new(Full::<Bytes>::from("reply")))
            }
        }
    }));
    runtime.block_on(async {
        let mut messages = tokio::task::JoinSet::new();
        for message in 0..MESSAGES {
            let (stack, delivered) = (stack.clone(), Arc::clone(&delivered));
            messages.spawn(async move {
                for delivery in 0..=message % 4 {
                    let request = Request::new(Verified::assume(message.to_string()));
                    let answer = stack.clone().oneshot(request);
                    if is_cut(message, delivery) {
                        // Polled a little, and gone.
                        let cut = tokio::spawn(answer);
                        tokio::task::yield_now().await;
                        cut.abort();
                        continue;
                    }
                    let response = answer.await.unwrap();
                    let body = response.into_body().collect().await.unwrap().to_bytes();
                    delivered.fetch_add(usize::from(body == "reply"), Ordering::Relaxed);
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
    let _ = std::panic::take_hook();
    let mut wrong = Vec::new();
    for (message, runs) in runs.iter().enumerate() {
        let expected = if is_panic(message) || is_error(message) {
            2
        } else {
            1
        };
        let runs = runs.load(Ordering::Relaxed);
        // A message all of whose deliveries were cut before they were polled has not been sent.
        let is_sent = (0..=message % 4).any(|delivery| !is_cut(message, delivery));
        if runs != expected && (is_sent || runs != 0) {
            wrong.push((message, runs));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {MESSAGES} ran otherwise: {:?}",
        wrong.len(),
        wrong.first()
    );
    eprintln!(
        "{MESSAGES} messages: {} replies delivered, {} handed over, in {:.1} s",
        delivered.load(Ordering::Relaxed),
        late.load(Ordering::Relaxed),
        begun.elapsed().as_secs_f64()
    );
}
