//! The contract on a Redis, and what is particular to Redis.

use std::{convert::Infallible, sync::mpsc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use redis::AsyncCommands;
use tokio::task::spawn_blocking;
use tower::{Layer, ServiceExt, service_fn};
use tower_wechat::{
    DedupLayer, Verified,
    dedup::{
        Key, RedisStore, StoredResponse,
        redis::ErrorKind,
        store::{Claim, ClaimId, Ending, Run, Store, Ttls},
    },
};

use super::server::{Server, calls};
use crate::assume;

#[cfg(feature = "simulator")]
mod contract {
    use redis::{Script, aio::MultiplexedConnection};
    use tower_wechat::dedup::contract::{self, Subject};

    use super::{super::SEED, *};

    struct Redis {
        // Each node has its own connection, so that they meet at the server only.
        nodes: [MultiplexedConnection; 2],
    }

    impl Subject for Redis {
        type Store = RedisStore<MultiplexedConnection>;

        fn nodes(&self) -> [Self::Store; 2] {
            self.nodes.clone().map(RedisStore::new)
        }

        /// Redis' clock cannot be set, so every entry is made older.
        async fn pass(&self, keys: &[Key], time: Duration) {
            let older = Script::new(
                "for _, field in ipairs({'first_seen', 'lease', 'ends'}) do
                   local time = redis.call('HGET', KEYS[1], field)
                   if time then
                     redis.call('HSET', KEYS[1], field, string.format('%.0f', time - ARGV[1]))
                   end
                 end
                 local left = redis.call('PTTL', KEYS[1])
                 if left == -1 then
                   return redis.error_reply('ERR a key without an end')
                 elseif left >= 0 then
                   redis.call('PEXPIRE', KEYS[1], left - ARGV[1])
                 end",
            );
            let mut connection = self.nodes[0].clone();
            for key in keys {
                let mut older = older.key(format!("tower-wechat:{key}"));
                older.arg(u64::try_from(time.as_millis()).unwrap());
                older.invoke_async::<()>(&mut connection).await.unwrap();
            }
        }

        fn tolerance(&self) -> Duration {
            Duration::from_secs(30)
        }
    }

    #[tokio::test]
    async fn redis_store_keeps_the_contract() {
        let server = Server::start();
        let nodes = [server.connect().await, server.connect().await];
        contract::check(&Redis { nodes }, crate::cases(500).cases, SEED)
            .await
            .unwrap();
    }
}

fn ttls() -> Ttls {
    Ttls::new(Duration::from_mins(1))
}

#[tokio::test]
async fn a_claim_and_a_completion_are_one_round_trip_each() {
    let server = Server::start();
    let mut connection = server.connect().await;
    let store = RedisStore::new(connection.clone());
    for message in 0..10 {
        let (key, id) = (Key::new([[message]]), ClaimId::random());
        let claim = Claim::new(key, id, ttls());
        store.claim(claim).await.unwrap();
        let response = StoredResponse::success();
        store
            .complete(claim, Ending::Reply(response.clone()))
            .await
            .unwrap();
    }
    // The script is sent in full once, when Redis does not know it yet.
    assert_eq!(calls(&mut connection, "evalsha").await, 20);
    assert_eq!(calls(&mut connection, "eval").await, 1);
    assert_eq!(calls(&mut connection, "script|load").await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_new_message_is_two_round_trips_and_its_retry_none() {
    let _clock = stopped_clock();
    let server = Server::start();
    let mut connection = server.connect().await;
    let inner = service_fn(|_: Request<Verified>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("reply")))
    });
    let node = DedupLayer::shared(RedisStore::new(connection.clone())).layer(inner);
    for message in 0..10 {
        for _delivery in 0..2 {
            let request = Request::new(assume(vec![message]));
            let answer = node.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.body().as_bytes(), b"reply");
        }
    }
    assert_eq!(calls(&mut connection, "evalsha").await, 20);
}

/// Keeps the paused clock from going on while the test waits for Redis, until what it returns is dropped: a node asks again
/// what a busy machine does not answer in time.
fn stopped_clock() -> mpsc::Sender<()> {
    let (sender, dropped) = mpsc::channel();
    // tokio lets no time pass while it waits for another thread.
    spawn_blocking(move || dropped.recv_timeout(Duration::from_secs(20)));
    sender
}

#[tokio::test]
async fn keys_begin_with_the_prefix_and_expire_with_the_mark() {
    let server = Server::start();
    let mut connection = server.connect().await;
    let store = RedisStore::new(connection.clone()).with_prefix("shop:");
    let (key, id) = (Key::new(["a message"]), ClaimId::random());
    let claim = Claim::new(key, id, ttls());
    store.claim(claim).await.unwrap();
    let keys: Vec<String> = connection.keys("*").await.unwrap();
    assert_eq!(keys, [format!("shop:{key}")]);
    let left: i64 = connection.pttl(&keys[0]).await.unwrap();
    assert!((590_000..=600_000).contains(&left), "{left} ms");
}

/// WeChat retries a push about a payment for a day.
#[tokio::test(start_paused = true)]
async fn a_message_that_is_retried_until_it_is_answered_lives_for_a_day() {
    let _clock = stopped_clock();
    let server = Server::start();
    let mut connection = server.connect().await;
    let inner = service_fn(|request: Request<Verified>| async move {
        let code = i32::from(request.body().as_bytes().ends_with(b" "));
        let answer = format!("<xml><ErrCode>{code}</ErrCode></xml>");
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(answer)))
    });
    let push = "<xml><MsgType>event</MsgType><Event>xpay_coin_pay_notify</Event>\
        <OutTradeNo>7</OutTradeNo></xml>";
    for (end, hours) in [("", 24..=25), (" ", 0..=0)] {
        let node = DedupLayer::shared(RedisStore::new(connection.clone())).layer(inner);
        let request = Request::new(assume(format!("{push}{end}")));
        let answer = node.oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let keys: Vec<String> = connection.keys("*").await.unwrap();
        let left: i64 = connection.pttl(&keys[0]).await.unwrap();
        assert!(hours.contains(&(left / 3_600_000)), "{left} ms");
        // As long as the mark.
        let ends: i64 = connection.hget(&keys[0], "ends").await.unwrap();
        let now: (i64, i64) = redis::cmd("TIME")
            .query_async(&mut connection)
            .await
            .unwrap();
        assert!(
            (ends - now.0 * 1000 - left).abs() < 10_000,
            "{ends} {now:?} {left}"
        );
        let () = connection.del(&keys[0]).await.unwrap();
    }
}

/// A reply that has been sent leaves its room.
#[tokio::test]
async fn a_message_has_the_fields_of_its_state_alone() {
    let server = Server::start();
    let mut connection = server.connect().await;
    let store = RedisStore::new(connection.clone());
    let content_type = Some(HeaderValue::from_static("text/plain"));
    let reply = StoredResponse::new(StatusCode::OK, content_type, "reply");
    for is_acknowledged in [true, false] {
        let key = Key::new([[u8::from(is_acknowledged)]]);
        let claim = Claim::new(key, ClaimId::random(), ttls());
        store.claim(claim).await.unwrap();
        if is_acknowledged {
            store.acknowledge(claim).await.unwrap();
        }
        let reply = Ending::Reply(reply.clone());
        store.complete(claim, reply).await.unwrap();
        store.release(claim).await.unwrap();
        let late = "attachment body content_type fingerprint first_seen format lease number owner state status";
        let done = "fingerprint first_seen format holders number owner state";
        for expected in [late, done] {
            let name = format!("tower-wechat:{key}");
            let mut fields: Vec<String> = connection.hkeys(name).await.unwrap();
            fields.sort();
            assert_eq!(fields.join(" "), expected);
            store.complete(claim, Ending::Nothing).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_foreign_entry_is_an_error_and_stays_as_it_is() {
    let server = Server::start();
    let mut connection = server.connect().await;
    let store = RedisStore::new(connection.clone());
    let (key, id) = (Key::new(["a message"]), ClaimId::random());
    let name = format!("tower-wechat:{key}");
    let response = StoredResponse::success();
    let claim = Claim::new(key, id, ttls());
    let run = Run::new(Duration::ZERO, 1);

    let running = "format 1 first_seen 1 number 1 state running owner x";
    let late = "format 1 first_seen 1 number 1 state late owner x";
    let replied = "format 1 first_seen 1 number 1 state replied owner x ends 9999999999999";
    let foreign = [
        "HSET what ever".to_owned(),
        "HSET format 2".to_owned(),
        "HSET format 1".to_owned(),
        format!("HSET {running}"),
        format!("HSET {running} lease nan"),
        format!("HSET {late}"),
        format!("HSET {late} lease nan"),
        format!("HSET {replied}"),
        "SET text".to_owned(),
        "RPUSH list".to_owned(),
    ];
    for words in &foreign {
        let () = connection.del(&name).await.unwrap();
        let (verb, rest) = words.split_once(' ').unwrap();
        let mut write = redis::cmd(verb);
        write.arg(&name);
        rest.split(' ').for_each(|word| {
            write.arg(word);
        });
        let () = write.query_async(&mut connection).await.unwrap();
        let before: Vec<u8> = redis::cmd("DUMP")
            .arg(&name)
            .query_async(&mut connection)
            .await
            .unwrap();

        let errors = [
            store.claim(claim).await.err(),
            store.renew(claim, run).await.err(),
            store
                .complete(claim, Ending::Reply(response.clone()))
                .await
                .err(),
            store.acknowledge(claim).await.err(),
            store.release(claim).await.err(),
        ];
        for error in errors {
            let error = error.unwrap_or_else(|| panic!("{words} passes"));
            assert_eq!(error.kind(), ErrorKind::Foreign, "{words}: {error}");
        }
        let after: Vec<u8> = redis::cmd("DUMP")
            .arg(&name)
            .query_async(&mut connection)
            .await
            .unwrap();
        assert_eq!(before, after, "{words} has been changed");
    }
}

/// A reply that is stored all the same may be evicted at once, and its node takes it for known.
#[tokio::test]
async fn without_memory_redis_refuses_what_would_be_stored() {
    let server = Server::start();
    let mut connection = server.connect().await;
    let store = RedisStore::new(connection.clone());
    let message = |id| Claim::new(Key::new([id]), ClaimId::random(), ttls());
    let (running, new) = (message("running"), message("new"));
    store.claim(running).await.unwrap();
    let mut limit = redis::cmd("CONFIG");
    limit.arg(&["SET", "maxmemory", "1"]);
    let () = limit.query_async(&mut connection).await.unwrap();

    let response = StoredResponse::success();
    let run = Run::new(Duration::ZERO, 1);
    let errors = [
        store.claim(new).await.err(),
        store.renew(running, run).await.err(),
        store.renew(new, run).await.err(),
        store
            .complete(running, Ending::Reply(response.clone()))
            .await
            .err(),
        store.complete(running, Ending::Nothing).await.err(),
        store
            .complete(new, Ending::Reply(response.clone()))
            .await
            .err(),
    ];
    for error in errors {
        assert_eq!(error.expect("no memory").kind(), ErrorKind::Refused);
    }
}
