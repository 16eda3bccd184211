//! A node whose link to the store stands still: what it has sent is carried out later, in order, whether or not it still waits.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::{sync::watch, time::sleep};
use tower_wechat::dedup::store::{
    Acknowledged, Claim, Completed, Ending, Found, MemoryStore, Released, Renewed, Run, Store,
};

use super::{late::Late, nodes::pass, *};

/// A link to a store, by default in order.
#[derive(Clone)]
struct Link {
    store: MemoryStore,
    sent: mpsc::UnboundedSender<BoxFuture<'static, ()>>,
    way: Arc<watch::Sender<Way>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    /// Nothing arrives at the store, yet.
    StandsStill,
    /// No answer arrives at the node.
    Deaf,
    /// Likewise, for some milliseconds after each claim.
    AnswersClaimsAfter(u64),
}

impl Link {
    fn to(store: &MemoryStore) -> Self {
        let (sent, mut line) = mpsc::unbounded_channel::<BoxFuture<'static, ()>>();
        let (way, mut there) = watch::channel(Way::Open);
        tokio::spawn(async move {
            while let Some(operation) = line.recv().await {
                let open = there.wait_for(|way| *way != Way::StandsStill);
                if open.await.is_err() {
                    return;
                }
                operation.await;
            }
        });
        let (store, way) = (store.clone(), Arc::new(way));
        Self { store, sent, way }
    }

    fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    async fn ask<T: Send + 'static>(
        &self,
        operation: impl Future<Output = Result<T, Infallible>> + Send + 'static,
    ) -> Result<T, Infallible> {
        let (answer, answered) = oneshot::channel();
        let carried_out = async move {
            // The node may have gone away.
            let _ = answer.send(operation.await);
        };
        self.sent.send(Box::pin(carried_out)).unwrap();
        let answer = answered.await.unwrap();
        let mut way = self.way.subscribe();
        let _ = way.wait_for(|way| *way != Way::Deaf).await;
        answer
    }
}

impl Store for Link {
    type Error = Infallible;

    async fn claim(&self, claim: Claim) -> Result<Found, Infallible> {
        let store = self.store.clone();
        let found = self.ask(async move { store.claim(claim).await }).await;
        let way = *self.way.borrow();
        if let Way::AnswersClaimsAfter(milliseconds) = way {
            sleep(Duration::from_millis(milliseconds)).await;
        }
        found
    }

    async fn renew(&self, claim: Claim, run: Run) -> Result<Renewed, Infallible> {
        let store = self.store.clone();
        self.ask(async move { store.renew(claim, run).await }).await
    }

    async fn complete(&self, claim: Claim, ending: Ending) -> Result<Completed, Infallible> {
        let store = self.store.clone();
        let completed = async move { store.complete(claim, ending).await };
        self.ask(completed).await
    }

    async fn acknowledge(&self, claim: Claim) -> Result<Acknowledged, Infallible> {
        let store = self.store.clone();
        let acknowledged = async move { store.acknowledge(claim).await };
        self.ask(acknowledged).await
    }

    async fn release(&self, claim: Claim) -> Result<Released, Infallible> {
        let store = self.store.clone();
        self.ask(async move { store.release(claim).await }).await
    }
}

/// Plays a message that runs on one node for 8 s. The second delivery waits on another node, whose link changes at 6.9 s. That
/// node is `drained` after some milliseconds, or never. Its link is open again 20 s later, or after `again` milliseconds. Returns
/// what is handed over.
async fn follow(way: Way, drained: Option<u64>, again: u64) -> usize {
    let (store, late) = (MemoryStore::new(), Late::default());
    let (there, link) = (Link::to(&store), Link::to(&store));
    let [(_, a, mut runs), (layer, b, _)] = [&there, &link].map(|link| {
        let layer = late.collect(DedupLayer::builder().with_store(link.clone()));
        let (stack, runs) = stack(&layer);
        (layer, stack, runs)
    });
    let first = a.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    pass(5_000).await;
    first.abort();
    let second = b.deliver(&text("user", "1", "hi")).await;
    pass(1_900).await;
    link.set(way);
    tokio::spawn(async move {
        sleep(Duration::from_millis(1_100)).await;
        verdict.send(Ok(ok("reply"))).unwrap();
    });
    let opened = async {
        sleep(Duration::from_millis(again)).await;
        link.set(Way::Open);
    };
    let drained = async {
        if let Some(after) = drained {
            sleep(Duration::from_millis(after)).await;
            layer.drain(Duration::ZERO).await;
        }
    };
    futures_util::join!(opened, drained);
    pass(120_000).await;
    second.abort();
    late.causes().len()
}

/// What it has sent last takes hold of no reply.
#[tokio::test(start_paused = true)]
async fn a_node_that_is_drained_while_its_link_stands_still_takes_no_reply_along() {
    for again in (600..20_000).step_by(100) {
        for drained in [0, 100, 400, 1_000] {
            let handed_over = follow(Way::StandsStill, Some(drained), again).await;
            assert_eq!(
                handed_over, 1,
                "drained after {drained} ms, open after {again} ms"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_drained_while_claims_are_answered_late_takes_no_reply_along() {
    for late in [300, 900, 2_500, 5_000] {
        for drained in (0..4_000).step_by(100) {
            let way = Way::AnswersClaimsAfter(late);
            let handed_over = follow(way, Some(drained), 20_000).await;
            assert_eq!(handed_over, 1, "drained after {drained} ms");
        }
    }
}

/// It may hold the reply, and nobody will know. So the log says that one may be lost.
#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn the_log_warns_of_a_reply_that_a_node_may_hold_without_knowing() {
    // A release that arrives before the other node's leaves the reply to that node.
    for (drained, handed_over) in [(None, 0), (Some(1_500), 1), (Some(7_500), 0)] {
        let log = crate::log::of(async || {
            assert_eq!(follow(Way::Deaf, drained, 200_000).await, handed_over);
        })
        .await;
        // It cannot know whether the release has arrived in time, either.
        assert!(log.contains("it may be lost"), "{drained:?}: {log}");
    }
}
