//! A cluster, and a master that fails over: the connections that the docs name for them.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use redis::{
    aio::{ConnectionLike, MultiplexedConnection},
    cluster::ClusterClient,
    sentinel::Sentinel,
};
use tokio::time::{Instant, sleep, timeout};
use tower_wechat::{
    dedup::{
        Key, RedisStore, StoredResponse,
        store::{Claim, ClaimId, Claimed, Completed, Ending, Store, Ttls},
    },
    late::mailbox::RedisMailbox,
};

use super::{
    sentinel::Master,
    server::{Server, calls, free_port},
};

fn claim(message: u8) -> Claim {
    let ttls = Ttls::new(Duration::from_mins(1));
    Claim::new(Key::new([[message]]), ClaimId::random(), ttls)
}

fn is_first(claimed: &Claimed) -> bool {
    matches!(claimed, Claimed::Won(run) if run.number == 1)
}

async fn ask(connection: &mut MultiplexedConnection, words: &[&str]) -> String {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query_async(connection).await.unwrap()
}

/// Repeats `attempt` until it returns something.
async fn until<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = attempt().await {
            return found;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "never {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Each message is on one node, and the script gets there by the message's key.
#[tokio::test]
async fn a_cluster_spreads_the_messages() {
    let servers = [(); 2].map(|()| {
        let bus = free_port().to_string();
        Server::start_with(&["--cluster-enabled", "yes", "--cluster-port", &bus])
    });
    let mut nodes = [servers[0].connect().await, servers[1].connect().await];
    for (node, slots) in nodes.iter_mut().zip([["0", "8191"], ["8192", "16383"]]) {
        ask(node, &["CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1]]).await;
    }
    let mut bus = redis::cmd("CONFIG");
    bus.arg(&["GET", "cluster-port"]);
    let bus: [String; 2] = bus.query_async(&mut nodes[1]).await.unwrap();
    let port = servers[1].port().to_string();
    let meet = ["CLUSTER", "MEET", "127.0.0.1", &port, &bus[1]];
    ask(&mut nodes[0], &meet).await;
    for node in &mut nodes {
        until("a whole cluster", async || {
            let info = ask(node, &["CLUSTER", "INFO"]).await;
            (info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:2"))
                .then_some(())
        })
        .await;
    }

    // One address is enough: the connection asks for the others.
    let client = ClusterClient::new([format!("redis://127.0.0.1:{}/", servers[0].port())]);
    let connection = client.unwrap().get_async_connection().await.unwrap();
    let store = RedisStore::new(connection.clone());
    for message in 0..32 {
        let claim = claim(message);
        assert!(is_first(&store.claim(claim).await.unwrap().claimed));
        let reply = Ending::Reply(StoredResponse::success());
        let completed = store.complete(claim, reply).await.unwrap();
        assert!(matches!(completed, Completed::Stored), "{completed:?}");
    }
    for node in &mut nodes {
        // In full once, since a node does not know the script.
        assert_eq!(calls(node, "eval").await, 1);
        let keys: u64 = redis::cmd("DBSIZE").query_async(node).await.unwrap();
        assert!((1..32).contains(&keys), "{keys} of 32 messages");
    }
    // The mailbox takes the same connection.
    let _mailbox = RedisMailbox::new(connection);
}

/// A process that watches a master. It is killed when it is dropped.
struct Watcher(Child, u16);

impl Watcher {
    fn of(master: &Server) -> Self {
        let port = free_port();
        let folder = std::env::temp_dir().join(format!("tower-wechat-sentinel-{port}"));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("sentinel.conf");
        let master = master.port();
        let settings = format!(
            "bind 127.0.0.1\nport {port}\nsentinel monitor wechat 127.0.0.1 {master} 1\n\
             sentinel down-after-milliseconds wechat 300\nsentinel failover-timeout wechat 3000\n"
        );
        fs::write(&file, settings).unwrap();
        let mut child = Command::new("redis-server")
            .arg(&file)
            .arg("--sentinel")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        assert!(lines.any(|line| line.contains("+monitor master wechat")));
        // Reads on, or the sentinel would block on a full pipe.
        std::thread::spawn(move || {
            lines.for_each(drop);
            fs::remove_dir_all(folder)
        });
        Self(child, port)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What was claimed before is known after, if the replica had it.
#[tokio::test]
async fn the_store_follows_the_sentinels_to_the_new_master() {
    let mut master = Server::start();
    let port = master.port().to_string();
    let replica = Server::start_with(&["--replicaof", "127.0.0.1", &port]);
    let mut there = replica.connect().await;
    until("a replica", async || {
        let info = ask(&mut there, &["INFO", "replication"]).await;
        info.contains("master_link_status:up").then_some(())
    })
    .await;
    let watcher = Watcher::of(&master);
    let sentinels = Sentinel::build(vec![format!("redis://127.0.0.1:{}/", watcher.1)]).unwrap();
    let connection = Master::follow(sentinels, "wechat").await.unwrap();
    assert_eq!(connection.get_db(), 0);
    let store = RedisStore::new(connection);

    let before = claim(1);
    assert!(is_first(&store.claim(before).await.unwrap().claimed));
    until("replicated", async || {
        let keys: u64 = redis::cmd("DBSIZE").query_async(&mut there).await.unwrap();
        (keys == 1).then_some(())
    })
    .await;
    // The sentinel finds the replica by asking the master every ten seconds.
    let mut sentinel = redis::Client::open(format!("redis://127.0.0.1:{}/", watcher.1))
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap();
    until("known to the sentinel", async || {
        let mut known = redis::cmd("SENTINEL");
        known.arg(&["REPLICAS", "wechat"]);
        let known: Vec<redis::Value> = known.query_async(&mut sentinel).await.unwrap();
        (!known.is_empty()).then_some(())
    })
    .await;

    master.kill();
    let found = until("a new master", async || {
        let other = Claim::new(before.key, ClaimId::random(), before.ttls);
        let patience = Duration::from_millis(250);
        timeout(patience, store.claim(other)).await.ok()?.ok()
    })
    .await;
    // The lease may be over by then: the message is run again, as the second run.
    let is_known = match &found.claimed {
        Claimed::Running { .. } => true,
        Claimed::Won(run) => run.number == 2,
        _ => false,
    };
    assert!(is_known, "{found:?}");
}
