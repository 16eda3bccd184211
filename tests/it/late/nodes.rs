//! Late replies on two nodes with one store.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use tokio::time::timeout;
use tower::{ServiceExt as _, service_fn};
use tower_wechat::{
    dedup::{
        StoredResponse,
        store::{
            Acknowledged, Claim, Completed, Ending, Found, MemoryStore, Released, Renewed, Run,
            Store,
        },
    },
    late::LateCause,
};

use super::*;
use crate::dedup::faulty::Faulty;

/// A store that keeps responses as bytes, like one over a network.
#[derive(Clone, Default)]
struct Remote {
    store: MemoryStore,
    /// How long the answer to a claim takes, in milliseconds.
    slowness: Arc<AtomicU64>,
}

fn sent(response: &StoredResponse) -> StoredResponse {
    let content_type = response.content_type().cloned();
    let received = StoredResponse::new(response.status(), content_type, response.body());
    match response.attachment() {
        Some(attachment) => received.with_attachment(&attachment),
        None => received,
    }
}

impl Store for Remote {
    type Error = Infallible;

    async fn claim(&self, claim: Claim) -> Result<Found, Infallible> {
        let claimed = self.store.claim(claim).await;
        let slowness = self.slowness.load(Ordering::Relaxed);
        if slowness > 0 {
            sleep(Duration::from_millis(slowness)).await;
        }
        claimed
    }

    async fn renew(&self, claim: Claim, run: Run) -> Result<Renewed, Infallible> {
        self.store.renew(claim, run).await
    }

    async fn complete(&self, claim: Claim, ending: Ending) -> Result<Completed, Infallible> {
        let ending = match ending {
            Ending::Reply(response) => Ending::Reply(sent(&response)),
            Ending::Late(response) => Ending::Late(sent(&response)),
            Ending::Nothing => Ending::Nothing,
        };
        self.store.complete(claim, ending).await
    }

    async fn acknowledge(&self, claim: Claim) -> Result<Acknowledged, Infallible> {
        self.store.acknowledge(claim).await
    }

    async fn release(&self, claim: Claim) -> Result<Released, Infallible> {
        self.store.release(claim).await
    }
}

/// Two nodes with the same settings and one store.
fn nodes<L: LateSink>(store: &Remote, sink: impl Fn() -> L) -> [DedupLayer; 2] {
    [(); 2].map(|()| {
        let builder = DedupLayer::builder().with_store(store.clone());
        builder.with_late_replies(sink()).build()
    })
}

/// A load balancer that gives each node a delivery in turn.
fn balanced(nodes: &[DedupLayer; 2], after: u64, reply: impl Into<Reply>) -> impl Bot {
    let reply = reply.into();
    let nodes = [
        answering(&nodes[0], after, reply.clone()),
        answering(&nodes[1], after, reply),
    ];
    let turn = Arc::new(AtomicUsize::new(0));
    service_fn(move |request| {
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        nodes[turn % 2].clone().oneshot(request)
    })
}

/// The reply in every form that a store keeps: a body that says it all, and what stands beside it.
#[tokio::test(start_paused = true)]
async fn a_node_that_did_not_run_the_message_sends_its_reply() {
    let video = || tower_wechat::reply::Video::new("Vi1").with_thumb_media_id("Th1");
    for (reply, shown) in [
        (Reply::text("a ]]> b"), 1),
        (Reply::image("Im1"), 1),
        (Reply::video(video()), 1),
        (Reply::text(story(3)), 3),
        (
            Reply::text("天亮了").then(Reply::image("Im1")).then("走吧"),
            3,
        ),
    ] {
        let wechat = wechat();
        for media in [
            wechat.image("Im1", "http://p"),
            wechat.image("Vi1", "http://p"),
            wechat.image("Th1", "http://p"),
        ] {
            media.request().unwrap();
        }
        let store = Remote::default();
        let causes = Arc::new(Mutex::new(Vec::new()));
        let runner = DedupLayer::builder()
            .with_store(store.clone())
            .with_late_replies(customer_service(&wechat))
            .build();
        let watched = {
            let causes = Arc::clone(&causes);
            // Customer service leaves nothing, so this sink comes before it, and takes nothing.
            let builder = DedupLayer::builder().with_store(store.clone());
            builder
                .with_late_replies(move |late: LateReply| {
                    causes.lock().unwrap().push(late.cause());
                    std::future::ready(Err("not mine"))
                })
                .with_late_replies(customer_service(&wechat))
                .build()
        };
        let push = wechat.text("hi");
        // The client leaves while the message runs. The reply is there after 2 s, and kept for 6 s.
        let first = push.clone().deliver(answering(&runner, 2, reply.clone()));
        let _ = timeout(secs(1), first).await;
        sleep(Duration::from_millis(6_900)).await;
        // A retry reaches another node just before, and its client leaves just before it gets the reply.
        store.slowness.store(200, Ordering::Relaxed);
        let second = push.deliver(answering(&watched, 2, "twice"));
        let _ = timeout(Duration::from_millis(50), second).await;
        runner.drain(secs(100)).await;
        watched.drain(secs(100)).await;
        assert_eq!(*causes.lock().unwrap(), [LateCause::Unfetched]);
        assert_eq!(seen(&wechat).len(), shown, "{:?}", wechat.chat(USER));
        if let Some(text) = reply.messages().next().unwrap().as_text() {
            assert!(text.starts_with(&seen(&wechat)[0]));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_rest_is_sent_once_though_both_nodes_have_given_the_first_part() {
    let wechat = wechat();
    let nodes = nodes(&Remote::default(), || customer_service(&wechat));
    let bot = balanced(&nodes, 2, story(3));
    let transcript = wechat.text("hi").lose_answers(1).deliver(bot).await;
    assert_eq!(transcript.deliveries().len(), 2);
    for node in nodes {
        node.drain(secs(100)).await;
    }
    let mut seen = seen(&wechat);
    seen.sort();
    assert_eq!(seen.len(), 3, "{seen:?}");
}

/// Another node may have claimed it.
#[tokio::test(start_paused = true)]
async fn the_rest_waits_for_a_store_that_is_away_for_a_moment() {
    let (wechat, store) = (wechat(), Faulty::new());
    let dedup = DedupLayer::builder()
        .with_store(store.clone())
        .with_late_replies(customer_service(&wechat))
        .build();
    let bot = answering(&dedup, 2, story(2));
    let _ = wechat.text("hi").deliver(bot).await;
    store.go_away();
    sleep(Duration::from_millis(3_500)).await;
    assert_eq!(seen(&wechat).len(), 1);
    sleep(secs(3)).await;
    assert_eq!(seen(&wechat).len(), 2);
}

/// Its delivery gets the reply out of the store before its task has heard of it.
#[tokio::test(start_paused = true)]
async fn a_node_that_follows_another_one_hands_the_rest_over_once() {
    for is_inline in [false, true] {
        let collected = Collected::default();
        let store = Remote::default();
        let [runner, follower] = [false, is_inline].map(|is_inline| {
            let builder = DedupLayer::builder()
                .with_store(store.clone())
                .with_late_replies(collected.sink())
                .with_acknowledgement(Acknowledgement::FirstDelivery);
            if is_inline {
                builder.with_inline_runs().build()
            } else {
                builder.build()
            }
        });
        let bot = |dedup| {
            let answer = async |_: Message| {
                sleep(Duration::from_millis(9_450)).await;
                story(2)
            };
            stack(dedup, message_fn(answer))
        };
        let push = wechat().text("hi");
        let _ = timeout(secs(4), push.clone().deliver(bot(&runner))).await;
        sleep(secs(1)).await;
        // It is acknowledged after 9.5 s.
        let transcript = push.deliver(bot(&follower)).await;
        assert!(transcript.shown().text().unwrap().starts_with("0: "));
        runner.drain(secs(100)).await;
        follower.drain(secs(100)).await;
        assert_eq!(collected.parts(), parts(1..2), "inline: {is_inline}");
    }
}

/// Two nodes that have both given the first part of a reply. The first one has sent its rest for 20 s, and the second one collects
/// what it is left.
async fn while_one_sends_the_rest(collected: &Collected) -> [DedupLayer; 2] {
    let store = Remote::default();
    let hanging = DedupLayer::builder()
        .with_store(store.clone())
        .with_late_replies(|_: LateReply| std::future::pending::<()>())
        .build();
    let other = DedupLayer::builder()
        .with_store(store)
        .with_late_replies(collected.sink())
        .build();
    let nodes = [hanging, other];
    let wechat = wechat();
    let bot = balanced(&nodes, 2, story(2));
    let _ = wechat.text("hi").lose_answers(1).deliver(bot).await;
    sleep(secs(20)).await;
    nodes
}

/// Another node has the lease of the rest for as long as it sends it, and no longer.
#[tokio::test(start_paused = true)]
async fn a_node_that_is_lost_while_it_sends_the_rest_leaves_it_to_the_other() {
    let collected = Collected::default();
    let [hanging, _other] = while_one_sends_the_rest(&collected).await;
    assert!(collected.replies().is_empty());
    hanging.drain(Duration::ZERO).await;
    sleep(secs(6)).await;
    assert_eq!(collected.parts(), parts(1..2));
}

/// It need not wait until that one is done.
#[tokio::test(start_paused = true)]
async fn a_node_that_is_cut_leaves_the_rest_to_the_one_that_sends_it() {
    let collected = Collected::default();
    let [_hanging, other] = while_one_sends_the_rest(&collected).await;
    let begun = tokio::time::Instant::now();
    other.drain(Duration::ZERO).await;
    assert!(begun.elapsed() < Duration::from_millis(500));
    assert!(collected.replies().is_empty());
}

#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn without_a_sink_one_warning_says_how_many_messages_are_not_sent() {
    let warnings = async |nodes: [DedupLayer; 2]| {
        let log = crate::log::of(async || {
            let wechat = wechat();
            let reply = Reply::text(story(3)).then(Reply::image("Im1"));
            let bot = balanced(&nodes, 2, reply);
            let transcript = wechat.text("hi").lose_answers(1).deliver(bot).await;
            assert_eq!(transcript.deliveries().len(), 2);
            for node in &nodes {
                node.drain(secs(100)).await;
            }
        })
        .await;
        let warnings = crate::log::warnings(&log);
        warnings.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let one = DedupLayer::in_memory();
    let store = Remote::default();
    for nodes in [
        [one.clone(), one],
        [(); 2].map(|()| DedupLayer::shared(store.clone())),
    ] {
        let warnings = warnings(nodes).await;
        assert_eq!(warnings.len(), 1, "{warnings:#?}");
        assert!(warnings[0].contains("messages=3"), "{warnings:?}");
    }
}
