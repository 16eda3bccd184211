//! A Redis that is away, slow or forgetful, in real time: the answers that a node gets.

use std::time::Duration;

use redis::{
    Client,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::time::{Instant, sleep, timeout};
use tower_wechat::dedup::{
    Key, RedisStore, StoredResponse,
    redis::{Error, ErrorKind},
    store::{Claim, ClaimId, Claimed, Completed, Ending, Released, Renewed, Run, Store, Ttls},
};

use super::{
    proxy::{Proxy, Weather},
    server::{Server, calls},
};

type Managed = RedisStore<ConnectionManager>;

/// A node's store behind a proxy.
async fn behind_proxy(server: &Server) -> (Managed, Proxy) {
    let proxy = Proxy::before(server.port()).await;
    (managed(proxy.port()).await, proxy)
}

async fn managed(port: u16) -> Managed {
    let client = Client::open(("127.0.0.1", port)).unwrap();
    // Without time-outs of its own: an error comes from the connection.
    let config = ConnectionManagerConfig::new()
        .set_response_timeout(None)
        .set_connection_timeout(None)
        .set_min_delay(Duration::from_millis(5))
        .set_max_delay(Duration::from_millis(50));
    let connection = ConnectionManager::new_with_config(client, config).await;
    RedisStore::new(connection.unwrap())
}

fn ttls() -> Ttls {
    Ttls::new(Duration::from_mins(1))
}

fn message() -> (Key, ClaimId) {
    (Key::new([ClaimId::random().to_string()]), ClaimId::random())
}

/// Claims once, within the time that a node waits; `None` if there is no answer by then.
async fn attempt(store: &Managed, key: Key, id: ClaimId) -> Option<Result<Claimed, Error>> {
    let claim = store.claim(Claim::new(key, id, ttls()));
    let claimed = timeout(PATIENCE, claim).await.ok()?;
    Some(claimed.map(|found| found.claimed))
}

async fn claim(store: &Managed, key: Key, id: ClaimId) -> Claimed {
    store
        .claim(Claim::new(key, id, ttls()))
        .await
        .unwrap()
        .claimed
}

#[track_caller]
fn check_first(claimed: &Claimed) {
    let is_first = matches!(claimed, Claimed::Won(run) if run.number == 1);
    assert!(is_first, "{claimed:?}");
}

/// Claims until there is an answer.
async fn until_back(store: &Managed, key: Key, id: ClaimId) -> Claimed {
    let start = Instant::now();
    loop {
        if let Some(Ok(claimed)) = attempt(store, key, id).await {
            return claimed;
        }
        assert!(start.elapsed() < FOR_EVER, "never came back");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_cut_connection_is_an_error_and_is_made_again() {
    let server = Server::start();
    let (store, proxy) = behind_proxy(&server).await;
    let (key, id) = message();
    check_first(&claim(&store, key, id).await);

    proxy.change(Weather::Cut);
    let error = timeout(FOR_EVER, store.release(Claim::new(key, id, ttls()))).await;
    let error = error.expect("an answer").expect_err("no connection");
    assert_eq!(error.kind(), ErrorKind::Connection);

    proxy.change(Weather::Fair);
    check_first(&until_back(&store, key, id).await);
}

#[tokio::test]
async fn a_silent_connection_costs_the_time_out_and_a_repeated_claim_is_the_same_run() {
    let server = Server::start();
    let (store, proxy) = behind_proxy(&server).await;
    let (key, id) = message();

    proxy.change(Weather::Held);
    assert!(attempt(&store, key, id).await.is_none());

    // The first claim is carried out only now. The repeated one gets the same answer.
    proxy.change(Weather::Fair);
    check_first(&until_back(&store, key, id).await);
}

#[tokio::test]
async fn a_slow_connection_is_waited_for() {
    let server = Server::start();
    let (store, proxy) = behind_proxy(&server).await;
    let mut connection = server.connect().await;
    let (key, id) = message();
    check_first(&claim(&store, key, id).await);
    let before = calls(&mut connection, "evalsha").await;

    proxy.change(Weather::Slow(Duration::from_millis(50)));
    let start = Instant::now();
    let claimed = timeout(FOR_EVER, claim(&store, key, id)).await;
    check_first(&claimed.expect("an answer"));
    assert!(
        start.elapsed() >= Duration::from_millis(100),
        "there and back"
    );
    // It is not asked twice meanwhile.
    assert_eq!(calls(&mut connection, "evalsha").await - before, 1);
}

/// A Redis without persistence comes back with nothing, not even the scripts.
#[tokio::test]
async fn a_renewal_writes_again_what_a_killed_redis_has_forgotten() {
    let mut server = Server::start();
    let store = managed(server.port()).await;
    let (key, id) = message();
    let (_, other) = message();
    check_first(&claim(&store, key, id).await);

    server.kill();
    let (claim, run) = (Claim::new(key, id, ttls()), Run::new(ttls().lease, 3));
    let error = store.renew(claim, run).await.expect_err("away");
    assert_eq!(error.kind(), ErrorKind::Connection);

    server.restart();
    let (unrelated, another) = message();
    check_first(&until_back(&store, unrelated, another).await);
    let release = Claim::new(key, id, ttls());
    assert_eq!(store.release(release).await.unwrap(), Released::Unclaimed);
    assert_eq!(store.renew(claim, run).await.unwrap(), Renewed::Yours);
    let claimed = store
        .claim(Claim::new(key, other, ttls()))
        .await
        .unwrap()
        .claimed;
    let is_as_old = matches!(claimed, Claimed::Running { age, .. } if age >= run.age);
    assert!(is_as_old, "{claimed:?}");
    let completed = store
        .complete(claim, Ending::Reply(StoredResponse::success()))
        .await;
    assert_eq!(completed.unwrap(), Completed::Stored);
}

/// Longer than a busy machine takes for anything here.
const FOR_EVER: Duration = Duration::from_secs(20);

/// How long a node waits for an operation.
const PATIENCE: Duration = Duration::from_millis(250);
