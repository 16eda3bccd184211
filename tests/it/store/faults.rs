//! A Redis that is away, slow or forgetful, by the real clock: what a node's caller sees of it.

use std::time::Duration;

use redis::{
    Client,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::time::{Instant, sleep, timeout};
use tower_wechat::dedup::{
    Key, Outcome, RedisStore,
    redis::{Error, ErrorKind},
    store::{Claim, Completed, Owner, Store, Times},
};

use super::{
    proxy::{Proxy, Weather},
    server::Server,
};

type Managed = RedisStore<ConnectionManager>;

/// A node's store, with the proxy that it goes through.
async fn behind_proxy(server: &Server) -> (Managed, Proxy) {
    let proxy = Proxy::before(server.port()).await;
    (managed(proxy.port()).await, proxy)
}

async fn managed(port: u16) -> Managed {
    let client = Client::open(("127.0.0.1", port)).unwrap();
    let config = ConnectionManagerConfig::new()
        .set_min_delay(Duration::from_millis(5))
        .set_max_delay(Duration::from_millis(50));
    let connection = ConnectionManager::new_with_config(client, config).await;
    RedisStore::new(connection.unwrap())
}

fn times() -> Times {
    let minute = Duration::from_secs(60);
    Times::new(minute, minute, 10 * minute)
}

fn message() -> (Key, Owner) {
    (Key::new([Owner::random().to_string()]), Owner::random())
}

/// One attempt, as long as a node gives it; `None` when that was not long enough.
async fn attempt(store: &Managed, key: Key, owner: Owner) -> Option<Result<Claim, Error>> {
    timeout(PATIENCE, store.claim(key, owner, times()))
        .await
        .ok()
}

#[track_caller]
fn check_first(claim: &Claim) {
    assert!(matches!(claim, Claim::Run { number: 1, .. }), "{claim:?}");
}

/// Asks until there is an answer.
async fn until_back(store: &Managed, key: Key, owner: Owner) -> Claim {
    let start = Instant::now();
    loop {
        if let Some(Ok(claim)) = attempt(store, key, owner).await {
            return claim;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "never came back");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_cut_connection_is_an_error_and_comes_back() {
    let server = Server::start();
    let (store, proxy) = behind_proxy(&server).await;
    let (key, owner) = message();
    check_first(&store.claim(key, owner, times()).await.unwrap());

    proxy.change(Weather::Cut);
    let error = timeout(PATIENCE, store.release(key, owner)).await;
    let error = error
        .expect("an answer in time")
        .expect_err("no connection");
    assert_eq!(error.kind(), ErrorKind::Connection);

    proxy.change(Weather::Fair);
    check_first(&until_back(&store, key, owner).await);
}

#[tokio::test]
async fn a_connection_that_says_nothing_costs_the_time_it_is_given() {
    let server = Server::start();
    let (store, proxy) = behind_proxy(&server).await;
    let (key, owner) = message();

    proxy.change(Weather::Held);
    assert!(attempt(&store, key, owner).await.is_none());

    // The claim that nobody waited for is carried out now; to repeat it is to learn so.
    proxy.change(Weather::Fair);
    check_first(&until_back(&store, key, owner).await);
}

#[tokio::test]
async fn a_slow_connection_is_waited_for() {
    let server = Server::start();
    let (store, proxy) = behind_proxy(&server).await;
    let (key, owner) = message();
    check_first(&store.claim(key, owner, times()).await.unwrap());

    proxy.change(Weather::Slow(Duration::from_millis(50)));
    let start = Instant::now();
    check_first(&attempt(&store, key, owner).await.unwrap().unwrap());
    assert!(
        start.elapsed() >= Duration::from_millis(100),
        "there and back"
    );
}

/// A Redis without persistence comes back with nothing, not even the scripts.
#[tokio::test]
async fn what_a_killed_redis_has_forgotten_is_written_again() {
    let mut server = Server::start();
    let store = managed(server.port()).await;
    let (key, owner) = message();
    let (_, other) = message();
    check_first(&store.claim(key, owner, times()).await.unwrap());

    server.kill();
    let error = store.renew(key, owner, 3, times()).await.expect_err("away");
    assert_eq!(error.kind(), ErrorKind::Connection);

    server.restart();
    let (unrelated, nobody) = message();
    check_first(&until_back(&store, unrelated, nobody).await);
    assert!(store.renew(key, owner, 3, times()).await.unwrap());
    let claim = store.claim(key, other, times()).await.unwrap();
    assert!(matches!(claim, Claim::Running { .. }), "{claim:?}");
    let outcome = Outcome::success();
    let completed = store.complete(key, owner, &outcome, false, times());
    assert_eq!(completed.await.unwrap(), Completed::Kept);
}

/// What a node gives an operation.
const PATIENCE: Duration = Duration::from_millis(250);
