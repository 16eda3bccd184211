//! A real Redis that forgets a message between its run and its end, in real time. The node that has the reply hands it over.

use redis::{
    Client,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::time::sleep;
use tower_wechat::{
    dedup::{
        RedisStore,
        store::{Claim, ClaimId, Claimed, Store, Ttls},
    },
    late::{LateCause, LateReply},
};

use super::*;
use crate::store::server::Server;

/// Connects again as soon as Redis is back.
async fn connect(server: &Server) -> RedisStore<ConnectionManager> {
    let client = Client::open(("127.0.0.1", server.port())).unwrap();
    let config = ConnectionManagerConfig::new()
        .set_min_delay(Duration::from_millis(5))
        .set_max_delay(Duration::from_millis(50));
    let connection = ConnectionManager::new_with_config(client, config).await;
    RedisStore::new(connection.unwrap())
}

/// A node with a message that runs, and whose client has left.
struct Node {
    layer: DedupLayer,
    runs: Runs,
    late: mpsc::UnboundedReceiver<LateReply>,
}

impl Node {
    /// Makes it, and returns what ends the run as well.
    async fn with(server: &Server) -> (Self, oneshot::Sender<Verdict>) {
        let store = connect(server).await;
        let (sender, late) = mpsc::unbounded_channel();
        let layer = DedupLayer::builder()
            .with_store(store)
            .with_late_replies(move |reply| {
                sender.send(reply).unwrap();
                ready(())
            })
            .build();
        let (stack, mut runs) = stack(&layer);
        let delivery = stack.deliver(&text("user", "1", "hi")).await;
        let (_, verdict) = runs.next().await;
        delivery.abort();
        (Self { layer, runs, late }, verdict)
    }

    /// Waits for its late reply, and checks that it is the only one, of the only run, and that Redis knows of it.
    async fn hands_over_once(mut self, server: &Server) {
        let late = timeout(Duration::from_secs(20), self.late.recv()).await;
        let late = late.ok().flatten().expect("the reply is lost");
        assert_eq!(late.cause(), LateCause::Unfetched);
        assert_eq!(late.response().unwrap().body(), b"reply");
        self.layer.drain(Duration::from_secs(5)).await;
        assert!(self.late.try_recv().is_err(), "handed over twice");
        self.runs.check_none();

        let key = Key::of(&Request::new(assume(text("user", "1", "hi"))));
        let claim = Claim::new(key, ClaimId::random(), Ttls::new(Duration::from_secs(5)));
        let found = connect(server).await.claim(claim).await.unwrap();
        assert_eq!(found.claimed, Claimed::Done);
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
    node.hands_over_once(&server).await;
}

/// Redis is killed just before the run ends, and is back just before the reply has waited long enough for a delivery.
async fn killed(mut server: Server) {
    let (node, verdict) = Node::with(&server).await;
    server.kill();
    sleep(Duration::from_millis(400)).await;
    verdict.send(Ok(ok("reply"))).unwrap();
    sleep(Duration::from_millis(5750)).await;
    server.restart();
    node.hands_over_once(&server).await;
}

#[tokio::test]
async fn a_reply_that_redis_forgets_is_handed_over_once() {
    let kept_nothing = killed(Server::start());
    let kept_the_run = killed(Server::start_keeping());
    tokio::join!(emptied(), kept_nothing, kept_the_run);
}
