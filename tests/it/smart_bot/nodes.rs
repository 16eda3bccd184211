//! A stream on one of two nodes, whose polls reach either.

use tower::{ServiceExt as _, service_fn};

use super::*;

/// A load balancer that gives each node a request in turn.
fn balanced(bots: [impl Bot; 2]) -> impl Bot {
    let turn = Arc::new(AtomicUsize::new(0));
    service_fn(move |request| {
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        bots[turn % 2].clone().oneshot(request)
    })
}

fn slow(dedup: &DedupLayer) -> impl Bot + use<> {
    let answer = |message: BotMessage, partial: Partial| async move {
        if let BotContent::Stream(_) = message.content {
            return Reply::text("polled");
        }
        partial.push("so far");
        sleep(secs(10)).await;
        Reply::text("done")
    };
    stack(dedup, stream_fn(answer))
}

/// Every other poll reaches the node that runs the message.
#[tokio::test(start_paused = true)]
async fn a_poll_that_reaches_another_node_is_asked_again() {
    let store = MemoryStore::new();
    let layers = [(); 2].map(|()| DedupLayer::shared(store.clone()));
    let wecom = wecom();
    let transcript = wecom
        .text("a")
        .deliver(balanced(layers.each_ref().map(slow)))
        .await;
    assert_eq!(transcript, "done");
    let (polled, other): (Vec<_>, Vec<_>) = transcript.deliveries()[1..]
        .iter()
        .partition(|poll| poll.outcome() == Some("polled"));
    assert!(polled.len() >= 4 && other.len() >= 4, "{transcript}");
    let is_well = |poll: &&DeliveryRecord| poll.status().unwrap() == 200;
    assert!(other.iter().all(is_well), "{transcript}");
}

/// A retry that reaches the other node gets the same stream.
#[tokio::test(start_paused = true)]
async fn a_retry_on_another_node_joins_the_stream() {
    let store = MemoryStore::new();
    let layers = [(); 2].map(|()| DedupLayer::shared(store.clone()));
    let wecom = wecom();
    let bots = layers.each_ref().map(slow);
    let push = wecom.text("a").lose_answers(1);
    let transcript = push.deliver(balanced(bots)).await;
    assert_eq!(transcript, "done", "{transcript}");
}

/// After a restart, nobody knows the stream. The handler may end it.
#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_knows_is_the_handlers() {
    for (end, expected) in [(Some("interrupted"), "interrupted"), (None, "so far")] {
        let wecom = wecom();
        let restarted = stack(
            &DedupLayer::in_memory(),
            message_fn(move |message: BotMessage| async move {
                assert!(
                    matches!(message.content, BotContent::Stream(_)),
                    "{message:?}"
                );
                end
            }),
        );
        let old = slow(&DedupLayer::in_memory());
        let requests = Arc::new(AtomicUsize::new(0));
        let bot = service_fn(move |request| {
            let is_old = requests.fetch_add(1, Ordering::Relaxed) < 3;
            let (old, restarted) = (old.clone(), restarted.clone());
            async move {
                if is_old {
                    old.oneshot(request).await
                } else {
                    restarted.oneshot(request).await
                }
            }
        });
        let transcript = wecom.text("a").deliver(bot).await;
        assert_eq!(transcript, expected);
        let mut polls = transcript.deliveries().iter();
        assert!(
            polls.all(|poll| poll.status().unwrap() == 200),
            "{transcript}"
        );
    }
}
