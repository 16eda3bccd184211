//! The contract on a Redis, and what is particular to Redis.

use std::time::Duration;

use bytes::Bytes;
use redis::{AsyncCommands, aio::MultiplexedConnection};
use tower_wechat::{
    dedup::Key,
    late::mailbox::{
        Conversation, Expected, Fetch, Fetched, Mailbox, Owner, Put, Question, RedisMailbox,
        redis::ErrorKind,
    },
};

use crate::store::server::{Server, calls};

#[cfg(feature = "simulator")]
mod contract {
    use redis::Script;
    use tower_wechat::late::mailbox::{
        Limits,
        contract::{self, Subject},
    };

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
fn user() -> Conversation {
    Conversation::new("account", "an-openid")
}

fn question(message: u8) -> Question {
    let age = Duration::from_secs(60 - u64::from(message));
    Question::new(user(), Key::new([[message]]), age)
}

fn owner() -> Owner {
    Owner::new([7; 16])
}

fn fetch(by: u8) -> Fetch {
    Fetch::new(user(), Key::new([[by]]), Duration::ZERO, owner())
}

fn parts(count: usize) -> Vec<Bytes> {
    vec![Bytes::from_static(b"a part"); count]
}

const KEPT: Put = Put::Kept { dropped: 0 };

#[tokio::test]
async fn a_peek_is_one_command_and_every_other_operation_one_round_trip() {
    let server = Server::start();
    let mut connection = server.connect().await;
    let mailbox = RedisMailbox::new(connection.clone());
    for _ in 0..10 {
        assert!(!mailbox.peek(user()).await.unwrap());
    }
    assert_eq!(calls(&mut connection, "hexists").await, 10);
    assert_eq!(calls(&mut connection, "evalsha").await, 0);
    mailbox.expect(question(1), owner()).await.unwrap();
    mailbox.put(question(1), &parts(2)).await.unwrap();
    mailbox.take(fetch(9)).await.unwrap();
    assert!(mailbox.peek(user()).await.unwrap());
    assert_eq!(calls(&mut connection, "evalsha").await, 3);
    // The script is sent in full once, when Redis does not know it yet.
    assert_eq!(calls(&mut connection, "eval").await, 1);
}

#[tokio::test]
async fn keys_begin_with_the_prefix_and_expire_with_their_last_content() {
    let server = Server::start();
    let mut connection = server.connect().await;
    let mailbox = RedisMailbox::new(connection.clone()).with_prefix("shop:");
    let name = format!("shop:mailbox:{}", user().key());
    let lives = async |connection: &mut MultiplexedConnection, minutes: i64| {
        let left: i64 = connection.pttl(&name).await.unwrap();
        let whole = minutes * 60_000;
        assert!((whole - 10_000..=whole).contains(&left), "{left} ms");
    };
    assert_eq!(mailbox.put(question(1), &parts(1)).await.unwrap(), KEPT);
    let keys: Vec<String> = connection.keys("*").await.unwrap();
    assert_eq!(keys, [&*name]);
    lives(&mut connection, 30).await;
    let Fetched::Part(part) = mailbox.take(fetch(9)).await.unwrap() else {
        panic!("no part");
    };
    let settled = mailbox.settle(user(), fetch(9).by, part.question, 0).await;
    assert!(settled.unwrap());
    // The mark.
    lives(&mut connection, 10).await;
    let mut fields: Vec<String> = connection.hkeys(&name).await.unwrap();
    fields.sort_unstable();
    assert_eq!(fields, ["format", "gone", "slots"], "no part is left");
    mailbox.clear(user(), Duration::ZERO).await.unwrap();
    lives(&mut connection, 10).await;

    // Nothing is left of a question that got its own reply.
    let () = connection.del(&name).await.unwrap();
    mailbox.expect(question(1), owner()).await.unwrap();
    mailbox.close(question(1), owner()).await.unwrap();
    let keys: Vec<String> = connection.keys("*").await.unwrap();
    assert_eq!(keys, [""; 0]);
}

/// Neither the OpenID nor the account can be read anywhere.
#[tokio::test]
async fn a_conversation_is_a_hash() {
    let server = Server::start();
    let connection = server.connect().await;
    let mailbox = RedisMailbox::new(connection).with_prefix("shop:");
    let shown = format!("{:?} {:?} {mailbox:?}", user(), question(1));
    assert!(
        !shown.contains("an-openid") && !shown.contains("account"),
        "{shown}"
    );
    assert_ne!(user(), Conversation::new("accounta", "n-openid"));
}

#[tokio::test]
async fn a_foreign_entry_is_an_error_and_stays_as_it_is() {
    let server = Server::start();
    let mut connection = server.connect().await;
    let mailbox = RedisMailbox::new(connection.clone());
    let name = name(user());
    let dump = async |connection: &mut MultiplexedConnection| {
        let mut dump = redis::cmd("DUMP");
        let dump: Vec<u8> = dump.arg(&name).query_async(connection).await.unwrap();
        dump
    };
    let foreign: [&[&str]; 8] = [
        &["HSET", "what", "ever"],
        &["HSET", "format", "2"],
        &["HSET", "format", "1"],
        &["HSET", "format", "1", "slots", ""],
        &["HSET", "format", "1", "slots", "some words", "gone", ""],
        &["HSET", "format", "1", "slots", "", "gone", "ff 1"],
        &[
            "HSET", "format", "1", "slots", "", "gone", "", "closed", "never",
        ],
        &["SET", "text"],
    ];
    for words in foreign {
        let () = connection.del(&name).await.unwrap();
        let mut write = redis::cmd(words[0]);
        write.arg(&name).arg(&words[1..]);
        let () = write.query_async(&mut connection).await.unwrap();
        let before = dump(&mut connection).await;
        let (by, message) = (fetch(9).by, question(1).message);
        let errors = [
            mailbox.expect(question(1), owner()).await.err(),
            mailbox.renew(question(1), owner()).await.err(),
            mailbox.put(question(1), &parts(1)).await.err(),
            mailbox.close(question(1), owner()).await.err(),
            mailbox.take(fetch(9)).await.err(),
            mailbox.settle(user(), by, message, 0).await.err(),
            mailbox.give_back(user(), by, owner()).await.err(),
            mailbox.clear(user(), Duration::ZERO).await.err(),
        ];
        for error in errors {
            let error = error.unwrap_or_else(|| panic!("{words:?} passes"));
            assert_eq!(error.kind(), ErrorKind::Foreign, "{words:?}: {error}");
        }
        assert_eq!(dump(&mut connection).await, before, "{words:?} has changed");
    }
}

/// What has been shown, and what a user wants to be forgotten, goes all the same.
#[tokio::test]
async fn without_memory_redis_refuses_what_would_be_stored() {
    let server = Server::start();
    let mut connection = server.connect().await;
    let mailbox = RedisMailbox::new(connection.clone());
    assert_eq!(mailbox.put(question(1), &parts(2)).await.unwrap(), KEPT);
    assert_eq!(mailbox.put(question(2), &parts(2)).await.unwrap(), KEPT);
    let taken = mailbox.take(fetch(9)).await.unwrap();
    assert!(matches!(taken, Fetched::Part(_)), "{taken:?}");
    let mut limit = redis::cmd("CONFIG");
    limit.arg(&["SET", "maxmemory", "1"]);
    let () = limit.query_async(&mut connection).await.unwrap();

    let errors = [
        mailbox.expect(question(3), owner()).await.err(),
        mailbox.put(question(3), &parts(1)).await.err(),
        mailbox.take(fetch(9)).await.err(),
    ];
    for error in errors {
        assert_eq!(error.expect("no memory").kind(), ErrorKind::Refused);
    }
    let (by, question) = (fetch(9).by, question(1).message);
    assert!(mailbox.settle(user(), by, question, 0).await.unwrap());
    assert_eq!(
        mailbox.clear(user(), Duration::ZERO).await.unwrap().parts,
        3
    );
    let mut fields: Vec<String> = connection.hkeys(name(user())).await.unwrap();
    fields.sort_unstable();
    assert_eq!(fields, ["closed", "format", "gone", "slots"]);
}

/// The contract's sequences are short.
#[tokio::test]
async fn redis_has_the_bounds_of_the_default_limits() {
    let server = Server::start();
    let mailbox = RedisMailbox::new(server.connect().await);
    let large = |size| [Bytes::from(vec![0; size])];
    let put = mailbox.put(question(1), &large(64 * 1024 - 63)).await;
    assert_eq!(put.unwrap(), Put::NoRoom);
    let put = mailbox.put(question(1), &large(64 * 1024 - 64)).await;
    assert_eq!(put.unwrap(), KEPT);
    for message in 2..10 {
        let dropped = u32::from(message == 2);
        let put = mailbox.put(question(message), &parts(1)).await.unwrap();
        assert_eq!(put, Put::Kept { dropped });
    }
    let put = mailbox.put(question(10), &parts(1)).await.unwrap();
    assert_eq!(put, Put::Kept { dropped: 1 });
    for message in 11..20 {
        let expected = mailbox.expect(question(message), owner()).await.unwrap();
        assert_eq!(expected, Expected::Yours { dropped: 0 });
    }
    let put = mailbox.put(question(11), &parts(1)).await.unwrap();
    assert_eq!(put, Put::GivenUp);
    for message in 20..40 {
        assert_eq!(mailbox.put(question(message), &[]).await.unwrap(), KEPT);
    }
    // Its mark has been forgotten, as the oldest.
    let expected = mailbox.expect(question(1), owner()).await.unwrap();
    assert_eq!(expected, Expected::Yours { dropped: 0 });
    let put = mailbox.put(question(39), &parts(1)).await.unwrap();
    assert_eq!(put, KEPT);
}
