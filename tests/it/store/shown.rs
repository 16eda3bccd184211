//! What the Redis store and its errors say of themselves, in a log for example.

use std::error::Error as _;

use redis::AsyncCommands;
use tower_wechat::dedup::{
    Key, RedisStore,
    redis::ErrorKind,
    store::{Claim, ClaimId, Store, Ttls},
};

use super::server::Server;

#[tokio::test]
async fn debug_shows_the_prefix() {
    let server = Server::start();
    let store = RedisStore::new(server.connect().await).with_prefix("shop:");
    assert_eq!(format!("{store:?}"), "RedisStore { prefix: \"shop:\", .. }");
}

/// The layers log an error's text alone, so it has what Redis said.
#[tokio::test]
async fn an_error_says_what_redis_said() {
    const FOREIGN: &str = "what redis has under the key is not what this version writes";
    let server = Server::start();
    let mut connection = server.connect().await;
    let store = RedisStore::new(connection.clone());
    let claim = async |key| {
        let claim = Claim::new(key, ClaimId::random(), Ttls::new(std::time::Duration::ZERO));
        store.claim(claim).await.unwrap_err()
    };

    let [hash, text] = ["a hash", "a text"].map(|part| Key::new([part]));
    let () = connection
        .hset(format!("tower-wechat:{hash}"), "format", "2")
        .await
        .unwrap();
    let error = claim(hash).await;
    assert_eq!(
        (error.kind(), &*error.to_string()),
        (ErrorKind::Foreign, FOREIGN)
    );
    assert!(error.source().is_none());

    let () = connection
        .set(format!("tower-wechat:{text}"), "text")
        .await
        .unwrap();
    let error = claim(text).await;
    assert_eq!(error.kind(), ErrorKind::Foreign);
    let source = error.source().unwrap().to_string();
    assert!(source.contains("WRONGTYPE"), "{source}");
    assert_eq!(error.to_string(), format!("{FOREIGN}: {source}"));
}
