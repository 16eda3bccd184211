//! A serverless host: it stops when it has answered, and no client that hangs up stops it.

use std::{
    future::poll_fn,
    sync::atomic::{AtomicUsize, Ordering},
};

use futures_util::FutureExt as _;
use tokio::{runtime::Handle, spawn, task::yield_now};
use tower::{ServiceExt as _, service_fn};
use tower_wechat::{
    dedup::store::MemoryStore,
    late::{NextMessage, mailbox::MemoryMailbox},
};

use super::{
    draws::Draws,
    shared::{FarMailbox, FarStore, Way},
};
use crate::late::*;

const WAIT: &str = "请稍候";

/// Instances of a program, each of which gets a delivery in turn.
struct Host {
    instances: [DedupLayer; 3],
    open: Arc<AtomicUsize>,
    /// The tasks that were left whenever a delivery had been answered, and the deliveries still open then.
    left: Arc<Mutex<Vec<(usize, usize)>>>,
}

impl Host {
    /// `sinks` adds the sinks of a layer, with the mailbox that all instances share.
    fn new<Scope>(
        sinks: impl Fn(DedupBuilder<tower_wechat::dedup::Shared>, NextMessage) -> DedupBuilder<Scope>,
    ) -> Self {
        let (store, mailbox) = (MemoryStore::new(), MemoryMailbox::new());
        Self {
            instances: [1, 2, 3].map(|seed| {
                let way = Way {
                    draws: Draws::new(seed),
                    lost: None,
                    outage: None,
                };
                let next = NextMessage::shared(FarMailbox(mailbox.clone(), way.clone()));
                let builder = DedupLayer::builder()
                    .with_store(FarStore(store.clone(), way))
                    .with_inline_runs()
                    .with_fallback(Reply::text(WAIT))
                    .unwrap();
                sinks(builder, next.with_words(["继续"]).unwrap()).build()
            }),
            open: Arc::default(),
            left: Arc::default(),
        }
    }

    fn answering(&self, after: u64, reply: impl Into<Reply>) -> impl Bot {
        let reply = reply.into();
        let instances = self
            .instances
            .clone()
            .map(|layer| answering(&layer, after, reply.clone()));
        let turn = Arc::new(AtomicUsize::new(0));
        let (open, left) = (Arc::clone(&self.open), Arc::clone(&self.left));
        service_fn(move |request| {
            let instance = instances[turn.fetch_add(1, Ordering::Relaxed) % 3].clone();
            let (open, left) = (Arc::clone(&open), Arc::clone(&left));
            open.fetch_add(1, Ordering::Relaxed);
            let invocation = spawn(async move {
                let response = instance.oneshot(request).await;
                // What has nothing to wait for may end.
                for _ in 0..20 {
                    yield_now().await;
                }
                let open = open.fetch_sub(1, Ordering::Relaxed) - 1;
                // Its own task, and that of each open delivery.
                let tasks = Handle::current().metrics().num_alive_tasks() - 1 - open;
                left.lock().unwrap().push((tasks, open));
                response
            });
            async { invocation.await.unwrap() }
        })
    }

    /// Checks that no answer has left anything to do. An open delivery may run its message, and renew the lease.
    #[track_caller]
    fn check(&self, scenario: &str) {
        let left = self.left.lock().unwrap();
        let is_nothing = !left.is_empty() && left.iter().all(|(tasks, open)| tasks <= open);
        assert!(is_nothing, "{scenario}: {left:?}");
    }
}

/// What the user sees of answers that come in time or late, in one message or in several.
#[tokio::test(start_paused = true)]
async fn nothing_is_left_to_do_after_an_inline_answer() {
    for (after, length) in [(2, 1), (2, 3), (8, 3), (20, 1), (20, 3)] {
        let scenario = format!("{after} s, {length} parts");
        // Customer service.
        let wechat = wechat();
        let host = Host::new(|builder, _| builder.with_late_replies(customer_service(&wechat)));
        let _ = wechat
            .text("hi")
            .deliver(host.answering(after, story(length)))
            .await;
        sleep(secs(60)).await;
        host.check(&scenario);
        let mut expected = parts(0..length);
        if after == 20 {
            expected.insert(0, WAIT.to_owned());
        }
        assert_eq!(seen(&wechat), expected, "{scenario}");

        // The next message.
        let wechat = crate::late::wechat();
        let host = Host::new(DedupBuilder::with_next_message);
        let _ = wechat
            .text("hi")
            .deliver(host.answering(after, story(length)))
            .await;
        sleep(secs(60)).await;
        host.check(&format!("{scenario}, mailbox"));
        for _ in 0..length {
            let _ = wechat.text("继续").deliver(host.answering(0, "?")).await;
        }
        host.check(&format!("{scenario}, fetched"));
        let shown = seen(&wechat).join("\n");
        for number in 0..length {
            let begin = format!("{number}: ");
            assert_eq!(shown.matches(&begin).count(), 1, "{scenario}: {shown}");
        }
    }
}

/// WeChat hangs up on the delivery that runs, and its last delivery must be answered in time.
#[tokio::test(start_paused = true)]
async fn the_last_delivery_does_not_wait_for_the_run_of_another_instance() {
    for mailbox in [false, true] {
        let log = crate::log::of(async || {
            let wechat = wechat();
            let host = Host::new(|builder, next| {
                if mailbox {
                    builder.with_next_message(next)
                } else {
                    builder.with_late_replies(Collected::default().sink())
                }
            });
            let transcript = wechat
                .text("hi")
                .deliver(host.answering(30, "天亮了"))
                .await;
            assert_eq!(transcript.deliveries().len(), 3, "{transcript}");
            let took = transcript.deliveries()[2].took();
            assert!(took < Duration::from_millis(4700), "{transcript}");
            assert_eq!(seen(&wechat), [WAIT]);
            sleep(secs(60)).await;
            host.check("acknowledged");
        });
        let log = log.await;
        assert!(!log.contains("ERROR"), "{log}");
    }
}

/// What is cut is not worth a second.
#[tokio::test(start_paused = true)]
async fn without_a_sink_a_long_inline_answer_is_not_delayed() {
    let wechat = wechat();
    let host = Host::new(|builder, _| builder);
    let transcript = wechat.text("hi").deliver(host.answering(4, story(3))).await;
    assert_eq!(transcript.deliveries().len(), 1, "{transcript}");
    let took = transcript.deliveries()[0].took();
    assert!(took < Duration::from_millis(4500), "{transcript}");
    host.check("cut");
}

/// A question that fetches an earlier answer is handled as well.
#[tokio::test(start_paused = true)]
async fn an_inline_answer_out_of_the_mailbox_leaves_no_run_behind() {
    let wechat = wechat();
    let host = Host::new(DedupBuilder::with_next_message);
    let _ = wechat.text("1").deliver(host.answering(20, "one")).await;
    sleep(secs(30)).await;
    let _ = wechat.text("2").deliver(host.answering(3, "two")).await;
    let _ = wechat.text("继续").deliver(host.answering(0, "?")).await;
    host.check("fetched");
    assert_eq!(seen(&wechat), [WAIT, "one", "two"]);
}

/// The delivery that runs the message goes just when another one has got the first part.
#[tokio::test(start_paused = true)]
async fn a_client_that_goes_takes_no_part_of_a_long_answer_along() {
    let (wechat, layer) = (wechat(), inline_with_mailbox());
    deliver_twice(wechat.text("hi"), answering(&layer, 2, story(2))).await;
    let _ = wechat.text("继续").deliver(answering(&layer, 0, "?")).await;
    assert_eq!(numbers(&wechat), "01");
}

/// Likewise, with a part of an earlier answer that the message fetches.
#[tokio::test(start_paused = true)]
async fn a_client_that_goes_makes_no_part_be_shown_again() {
    let (wechat, layer) = (wechat(), inline_with_mailbox());
    let _ = wechat
        .text("hi")
        .deliver(answering(&layer, 1, story(3)))
        .await;
    deliver_twice(wechat.text("继续"), answering(&layer, 0, "?")).await;
    // No lease lasts as long.
    sleep(secs(60)).await;
    let _ = wechat.text("继续").deliver(answering(&layer, 0, "?")).await;
    assert_eq!(numbers(&wechat), "012");
}

/// The numbers of the parts that the user sees.
fn numbers(wechat: &Simulator) -> String {
    let seen = seen(wechat);
    seen.iter().filter_map(|part| part.chars().next()).collect()
}

fn inline_with_mailbox() -> DedupLayer {
    let next = NextMessage::in_memory().with_words(["继续"]).unwrap();
    DedupLayer::builder()
        .with_store(MemoryStore::new())
        .with_inline_runs()
        .with_next_message(next)
        .build()
}

/// Makes two deliveries at a time. The one that runs the message is dropped once the other one has the answer.
async fn deliver_twice(push: Push, bot: impl Bot) {
    let delivery = || push.clone().deliver(bot.clone()).boxed();
    let (mut running, mut joined) = (delivery(), delivery());
    let transcript = poll_fn(|cx| {
        assert!(running.poll_unpin(cx).is_pending());
        joined.poll_unpin(cx)
    });
    assert_eq!(transcript.await.deliveries().len(), 1);
    drop(running);
    sleep(secs(1)).await;
}
