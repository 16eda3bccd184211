//! A real Redis that forgets a message between its run and its end, in real time. The node that has the reply hands it over.

use redis::{Client, aio::ConnectionManager};
use tokio::time::sleep;
use tower_wechat::{dedup::RedisStore, late::LateReply};

use super::*;
use crate::store::server::Server;

/// A node with a message that runs, and whose client has left.
struct Node {
    layer: DedupLayer,
    runs: Runs,
    late: mpsc::UnboundedReceiver<LateReply>,
}

impl Node {
    /// Makes it, and returns what ends the run as well.
    async fn with(server: &Server) -> (Self, oneshot::Sender<Verdict>) {
        let client = Client::open(("127.0.0.1", server.port())).unwrap();
        let store = RedisStore::new(ConnectionManager::new(client).await.unwrap());
        let (sender, late) = mpsc::unbounded_channel();
        let layer = DedupLayer::builder()
            .with_store(store)
            .with_late_replies(move |reply| ready(sender.send(reply).unwrap()))
            .build();
        let (stack, mut runs) = stack(&layer);
        let delivery = stack.deliver(&text("user", "1", "hi")).await;
        let (_, verdict) = runs.next().await;
        delivery.abort();
        (Self { layer, runs, late }, verdict)
    }

    /// Waits for its late reply, and checks that it is the only one, of the only run.
    async fn hands_over_once(mut self) {
        let late = timeout(Duration::from_secs(20), self.late.recv()).await;
        assert!(late.is_ok(), "the reply is lost");
        self.layer.drain(Duration::from_secs(5)).await;
        assert!(self.late.try_recv().is_err(), "handed over twice");
        self.runs.check_none();
    }
}

/// Redis loses all data one second after the run.
async fn emptied() {
    let server = Server::start();
    let (node, verdict) = Node::with(&server).await;
    verdict.send(Ok(ok("reply"))).unwrap();
    sleep(Duration::from_secs(1)).await;
    let mut connection = server.connect().await;
    let () = redis::cmd("FLUSHALL")
        .query_async(&mut connection)
        .await
        .unwrap();
    node.hands_over_once().await;
}

/// Redis is killed just before the run ends, and is back just before the reply has waited long enough for a delivery.
async fn killed(mut server: Server) {
    let (node, verdict) = Node::with(&server).await;
    server.kill();
    sleep(Duration::from_millis(400)).await;
    verdict.send(Ok(ok("reply"))).unwrap();
    sleep(Duration::from_millis(5750)).await;
    server.restart();
    node.hands_over_once().await;
}

#[tokio::test]
async fn a_reply_that_redis_forgets_is_handed_over_once() {
    let kept_nothing = killed(Server::start());
    let kept_the_run = killed(Server::start_keeping());
    tokio::join!(emptied(), kept_nothing, kept_the_run);
}
