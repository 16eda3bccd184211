//! The suite on a Redis, and what is Redis' own.

use std::time::Duration;

use redis::{Script, aio::MultiplexedConnection};
use tokio::runtime::{Builder, Runtime};
use tower_wechat::dedup::{Key, RedisStore};

use super::{
    server::Server,
    suite::{Harness, suite},
};

struct Redis {
    // Each node has a connection of its own, so that they do meet at the server.
    nodes: [MultiplexedConnection; 2],
}

impl Redis {
    async fn of(server: &Server) -> Self {
        Self {
            nodes: [server.connect().await, server.connect().await],
        }
    }
}

impl Harness for Redis {
    type Store = RedisStore<MultiplexedConnection>;

    const TOLERANCE: Duration = Duration::from_secs(30);

    fn nodes(&self) -> [Self::Store; 2] {
        self.nodes.clone().map(RedisStore::new)
    }

    /// Nobody can set Redis' clock, so everything that it keeps is made older.
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
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn redis_store_keeps_the_contract() {
    let (server, runtime) = (Server::start(), runtime());
    let redis = runtime.block_on(Redis::of(&server));
    suite(&runtime, &redis, 500).unwrap_or_else(|difference| panic!("{difference}"));
}
