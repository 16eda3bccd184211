//! A mailbox in a Redis, which all nodes of a deployment share: [`RedisMailbox`]. Its script is `machine.lua`.
//!
//! The docs of the store say which [versions and features](crate::dedup::redis#versions-and-features), which
//! [connection](crate::dedup::redis#the-connection) and which
//! [configuration of Redis](crate::dedup::redis#configuration-of-redis) to choose. All of it holds for the mailbox too.
//! Each operation is one round trip, on a connection that the store may share. The user needs the commands `DEL`,
//! `HEXISTS`, `HGET` and `HSTRLEN` as well.
//!
//! Each conversation is one hash, under the prefix, `mailbox:` and the conversation's key in hexadecimal. It expires with
//! its last content. Times are measured by Redis' own clock. A failover may lose the last writes: then a part is lost, or
//! shown again.

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::Duration,
};

use ::redis::{Cmd, FromRedisValue, aio::ConnectionLike};
use bytes::Bytes;

use super::{
    Cleared, Conversation, Expected, Fetch, Fetched, Limits, Mailbox, Owner, Part, Put, Question,
    machine::PART_SIZE,
};
pub use crate::redis::{Error, ErrorKind};
use crate::{
    key::Key,
    redis::{PREFIX, Script, milliseconds},
};

/// A [`Mailbox`] in a Redis, which all nodes of a deployment share.
///
/// See the [module docs](self) for the configuration of Redis.
#[derive(Clone)]
pub struct RedisMailbox<C> {
    connection: C,
    prefix: Arc<str>,
    limits: Limits,
}

impl<C> RedisMailbox<C> {
    /// Makes a mailbox that is reached over `connection`. Each operation uses a clone of it.
    pub fn new(connection: C) -> Self {
        Self {
            connection,
            prefix: PREFIX.into(),
            limits: Limits::default(),
        }
    }

    /// Sets the prefix of the mailbox's keys in Redis; the default is `tower-wechat:`, as the store's.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into().into();
        self
    }

    /// Sets how much is kept of a conversation, and how long. [`Limits`] lists the defaults and the bounds. All nodes should
    /// have the same limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits.checked();
        self
    }

    fn key(&self, conversation: Conversation) -> String {
        format!("{}mailbox:{}", self.prefix, conversation.key())
    }

    async fn run<T: FromRedisValue>(
        &self,
        operation: &str,
        conversation: Conversation,
        arguments: &[&[u8]],
    ) -> Result<T, Error>
    where
        C: ConnectionLike + Clone,
    {
        let limits = &self.limits;
        let times = [
            limits.awaited_lease,
            limits.taken_lease,
            limits.keep,
            limits.mark,
        ];
        let times = times.map(milliseconds);
        let bounds = [limits.answers, limits.bytes].map(|bound| bound.to_string());
        let mut all = vec![operation.as_bytes()];
        all.extend(times.iter().chain(&bounds).map(String::as_bytes));
        all.extend(arguments);
        let key = self.key(conversation);
        MACHINE.run(&self.connection, &key, &all).await
    }
}

impl<C> Mailbox for RedisMailbox<C>
where
    C: ConnectionLike + Clone + Send + Sync + 'static,
{
    type Error = Error;

    async fn peek(&self, conversation: Conversation) -> Result<bool, Error> {
        let mut command = Cmd::new();
        command
            .arg("HEXISTS")
            .arg(self.key(conversation))
            .arg("open");
        let mut connection = self.connection.clone();
        command
            .query_async(&mut connection)
            .await
            .map_err(Error::of)
    }

    async fn expect(&self, question: Question, owner: Owner) -> Result<Expected, Error> {
        let (message, age) = words(question);
        let owner = hexadecimal(owner);
        let arguments = [message.as_bytes(), age.as_bytes(), owner.as_bytes()];
        let expected = self.run::<String>("expect", question.conversation, &arguments);
        match &*expected.await? {
            "yours" => Ok(Expected::Yours { dropped: 0 }),
            "awaited" => Ok(Expected::Awaited),
            "answered" => Ok(Expected::Answered),
            "closed" => Ok(Expected::Closed),
            _ => Err(Error::foreign()),
        }
    }

    async fn renew(&self, question: Question, owner: Owner) -> Result<bool, Error> {
        let (message, owner) = (question.message.to_string(), hexadecimal(owner));
        let arguments = [message.as_bytes(), owner.as_bytes()];
        let renewed = self.run::<String>("renew", question.conversation, &arguments);
        is_yes(&renewed.await?)
    }

    async fn put(&self, question: Question, parts: &[Bytes]) -> Result<Put, Error> {
        let (message, age) = words(question);
        let mut arguments = vec![message.as_bytes(), age.as_bytes()];
        arguments.extend(parts.iter().map(|part| &part[..]));
        let put = self.run::<(String, u32)>("put", question.conversation, &arguments);
        let (word, dropped) = put.await?;
        match &*word {
            "kept" => Ok(Put::Kept { dropped }),
            "given up" => Ok(Put::GivenUp),
            "closed" => Ok(Put::Closed),
            "no room" => Ok(Put::NoRoom),
            _ => Err(Error::foreign()),
        }
    }

    async fn close(&self, question: Question, owner: Owner) -> Result<(), Error> {
        let (message, owner) = (question.message.to_string(), hexadecimal(owner));
        let arguments = [message.as_bytes(), owner.as_bytes()];
        let closed = self.run::<String>("close", question.conversation, &arguments);
        is_done(&closed.await?)
    }

    async fn take(&self, fetch: Fetch) -> Result<Fetched, Error> {
        let (by, age) = (fetch.by.to_string(), milliseconds(fetch.age));
        let (owner, opens_slot) = (
            hexadecimal(fetch.owner),
            u8::from(fetch.opens_slot).to_string(),
        );
        let arguments = [&by, &age, &owner, &opens_slot].map(String::as_bytes);
        let taken = self.run::<Taken>("take", fetch.conversation, &arguments);
        let (word, message, number, bytes) = taken.await?;
        let question = key(&message).ok_or_else(Error::foreign);
        match &*word {
            "part" => Ok(Fetched::Part(Part {
                question: question?,
                number,
                bytes: bytes.into(),
            })),
            "wait" => Ok(Fetched::Wait),
            "lapsed" => {
                let age = Duration::from_millis(number.into());
                let question = Question::new(fetch.conversation, question?, age);
                Ok(Fetched::Lapsed(question))
            }
            "nothing" => Ok(Fetched::Nothing),
            _ => Err(Error::foreign()),
        }
    }

    async fn settle(
        &self,
        conversation: Conversation,
        by: Key,
        question: Key,
        number: u32,
    ) -> Result<bool, Error> {
        let words = [by.to_string(), question.to_string(), number.to_string()];
        let arguments = words.each_ref().map(String::as_bytes);
        let settled = self.run::<String>("settle", conversation, &arguments);
        is_yes(&settled.await?)
    }

    async fn give_back(
        &self,
        conversation: Conversation,
        by: Key,
        owner: Owner,
    ) -> Result<(), Error> {
        let (by, owner) = (by.to_string(), hexadecimal(owner));
        let arguments = [by.as_bytes(), owner.as_bytes()];
        let given = self.run::<String>("give_back", conversation, &arguments);
        is_done(&given.await?)
    }

    async fn clear(&self, conversation: Conversation, age: Duration) -> Result<Cleared, Error> {
        let age = milliseconds(age);
        let parts = self.run("clear", conversation, &[age.as_bytes()]).await?;
        Ok(Cleared::new(parts, 0))
    }
}

impl<C> fmt::Debug for RedisMailbox<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisMailbox")
            .field("prefix", &self.prefix)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A word, the question, the part's number, the part.
type Taken = (String, String, u32, Vec<u8>);

fn words(question: Question) -> (String, String) {
    (question.message.to_string(), milliseconds(question.age))
}

fn hexadecimal(owner: Owner) -> String {
    format!("{:032x}", u128::from_be_bytes(owner.to_bytes()))
}

/// Reads a key from its hexadecimal form.
fn key(text: &str) -> Option<Key> {
    let mut bytes = [0; 20];
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    if pairs.len() != bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(Key::from_bytes(bytes))
}

fn is_yes(word: &str) -> Result<bool, Error> {
    match word {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(Error::foreign()),
    }
}

fn is_done(word: &str) -> Result<(), Error> {
    match word {
        "done" => Ok(()),
        _ => Err(Error::foreign()),
    }
}

/// The script's part size is the same.
const _: () = assert!(PART_SIZE == 64);

static MACHINE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("machine.lua")));
