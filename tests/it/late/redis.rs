//! The contract on a Redis, and what is particular to Redis.

use std::time::Duration;

use bytes::Bytes;
use redis::{AsyncCommands, aio::MultiplexedConnection};
use tower_wechat::{
    dedup::Key,
    late::mailbox::{
        Conversation, Expected, Fetch, Fetched, Limits, Mailbox, Owner, Put, Question,
        RedisMailbox, redis::ErrorKind,
    },
};

use crate::store::server::Server;

#[cfg(feature = "simulator")]
mod contract {
    use redis::Script;
    use tower_wechat::late::mailbox::contract::{self, Subject};

    use super::{super::SEED, *};

    struct Redis {
        // Each node has its own connection, so that they meet at the server only.
        nodes: [MultiplexedConnection; 2],
    }

    impl Subject for Redis {
        type Mailbox = RedisMailbox<MultiplexedConnection>;

        fn nodes(&self, limits: Limits) -> [Self::Mailbox; 2] {
            let nodes = self.nodes.clone().map(RedisMailbox::new);
            nodes.map(|node| node.with_limits(limits))
        }

        /// Redis' clock cannot be set, so everything is made older. No key has so many digits in a row that it looks like
        /// a time between two spaces.
        async fn pass(&self, conversations: &[Conversation], time: Duration) {
            let older = Script::new(
                "local key, by = KEYS[1], tonumber(ARGV[1])
                 for _, field in ipairs({'slots', 'gone', 'closed'}) do
                   local text = redis.call('HGET', key, field)
                   if text then
                     text = string.gsub(' ' .. text, '([ \\n])(%d+)', function(space, digits)
                       if #digits == 13 then
                         digits = string.format('%.0f', digits - by)
                       end
                       return space .. digits
                     end)
                     redis.call('HSET', key, field, string.sub(text, 2))
                   end
                 end
                 local left = redis.call('PTTL', key)
                 if left == -1 then
                   return redis.error_reply('ERR a key without an end')
                 elseif left >= 0 then
                   redis.call('PEXPIRE', key, left - by)
                 end",
            );
            let mut connection = self.nodes[0].clone();
            for conversation in conversations {
                let mut older = older.key(name(*conversation));
                older.arg(u64::try_from(time.as_millis()).unwrap());
                older.invoke_async::<()>(&mut connection).await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn redis_mailbox_keeps_the_contract() {
        let server = Server::start();
        let nodes = [server.connect().await, server.connect().await];
        contract::check(&Redis { nodes }, crate::cases(1000).cases, SEED)
            .await
            .unwrap();
    }
}

fn name(conversation: Conversation) -> String {
    format!("tower-wechat:mailbox:{}", conversation.key())
}
