//! A mailbox for nodes in one process.

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    Cleared, Conversation, Expected, Fetch, Fetched, Limits, Mailbox, Owner, Put, Question,
    machine::Slots,
};
use crate::key::{BuildKeyHasher, Key};

/// A [`Mailbox`] in this process: for one node, or for tests. Its clones are one mailbox.
///
/// A restart loses what it keeps. Full, with the default bounds, it takes about 100 MiB.
#[derive(Clone)]
pub struct MemoryMailbox {
    conversations: Arc<Mutex<Conversations>>,
}

/// At a bound, the conversation that was used least recently is dropped.
struct Conversations {
    limits: Limits,
    capacity: usize,
    max_bytes: usize,
    entries: HashMap<Key, Entry, BuildKeyHasher>,
    /// The conversations by the time of their use.
    order: BTreeMap<u64, Key>,
    /// The time of the latest use: a number.
    clock: u64,
    /// The size of all conversations.
    bytes: usize,
}

#[derive(Default)]
struct Entry {
    slots: Slots,
    used: u64,
    size: usize,
}

impl MemoryMailbox {
    /// Makes an empty mailbox.
    pub fn new() -> Self {
        Self {
            conversations: Arc::new(Mutex::new(Conversations {
                limits: Limits::default(),
                capacity: 100_000,
                max_bytes: 64 * 1024 * 1024,
                entries: HashMap::default(),
                order: BTreeMap::new(),
                clock: 0,
                bytes: 0,
            })),
        }
    }

    /// Sets how much is kept of a conversation, and how long. [`Limits`] lists the defaults and the bounds.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        self.lock().limits = limits.checked();
        self
    }

    /// Sets how many conversations are kept; the default is 100 000. At the bound, the conversation that was used least
    /// recently is dropped. With 0, nothing is kept.
    #[must_use]
    pub fn with_capacity(self, conversations: usize) -> Self {
        self.lock().capacity = conversations;
        self
    }

    /// Sets how many bytes all parts and slots may take; the default is 64 MiB. At the bound, the conversation that was used
    /// least recently is dropped. With 0, nothing is kept.
    #[must_use]
    pub fn with_max_bytes(self, bytes: usize) -> Self {
        self.lock().max_bytes = bytes;
        self
    }

    fn lock(&self) -> MutexGuard<'_, Conversations> {
        // No operation panics between two changes of a conversation, so a poisoned lock guards whole conversations.
        let conversations = self.conversations.lock();
        conversations.unwrap_or_else(PoisonError::into_inner)
    }

    fn step<T>(
        &self,
        conversation: Conversation,
        operation: impl FnOnce(&mut Slots, &Limits, Instant) -> T,
    ) -> T {
        self.lock().step(conversation, Instant::now(), operation)
    }
}

impl Conversations {
    fn step<T>(
        &mut self,
        conversation: Conversation,
        now: Instant,
        operation: impl FnOnce(&mut Slots, &Limits, Instant) -> T,
    ) -> T {
        let (key, limits) = (conversation.key(), self.limits);
        let mut slots = self.remove(key).unwrap_or_default();
        let answer = slots.step(&limits, now, |slots| operation(slots, &limits, now));
        if !slots.is_empty() {
            self.insert(key, slots);
        }
        answer
    }

    fn insert(&mut self, key: Key, slots: Slots) {
        self.clock += 1;
        let (used, size) = (self.clock, slots.size());
        self.bytes += size;
        self.order.insert(used, key);
        self.entries.insert(key, Entry { slots, used, size });
    }

    fn remove(&mut self, key: Key) -> Option<Slots> {
        let entry = self.entries.remove(&key)?;
        self.order.remove(&entry.used);
        self.bytes -= entry.size;
        Some(entry.slots)
    }

    /// Drops the conversations whose time is over, as far as they were used least recently, and those that there is no
    /// room for. Returns the number of parts that there was no room for.
    fn make_room(&mut self, now: Instant) -> u32 {
        let mut dropped = 0;
        while let Some((_used, key)) = self.order.first_key_value() {
            let key = *key;
            let until = self.entries.get(&key).and_then(|entry| entry.slots.until());
            let is_over = until.is_none_or(|until| until <= now);
            let is_full = self.entries.len() > self.capacity || self.bytes > self.max_bytes;
            if !is_over && !is_full {
                break;
            }
            let slots = self.remove(key).filter(|_| !is_over);
            dropped += slots.map_or(0, |slots| slots.len());
        }
        dropped
    }
}

impl Mailbox for MemoryMailbox {
    type Error = Infallible;

    async fn peek(&self, conversation: Conversation) -> Result<bool, Infallible> {
        let conversations = self.lock();
        let entry = conversations.entries.get(&conversation.key());
        Ok(entry.is_some_and(|entry| entry.slots.peek(Instant::now())))
    }

    async fn expect(&self, question: Question, owner: Owner) -> Result<Expected, Infallible> {
        let (mut conversations, now) = (self.lock(), Instant::now());
        let mut expected = conversations.step(question.conversation, now, |slots, limits, now| {
            slots.expect(question, owner, limits, now)
        });
        if let Expected::Yours { dropped } = &mut expected {
            *dropped += conversations.make_room(now);
        }
        Ok(expected)
    }

    async fn renew(&self, question: Question, owner: Owner) -> Result<bool, Infallible> {
        Ok(self.step(question.conversation, |slots, limits, now| {
            slots.renew(question, owner, limits, now)
        }))
    }

    async fn put(&self, question: Question, parts: &[Bytes]) -> Result<Put, Infallible> {
        let (mut conversations, now) = (self.lock(), Instant::now());
        let mut put = conversations.step(question.conversation, now, |slots, limits, now| {
            slots.put(question, parts, limits, now)
        });
        if let Put::Kept { dropped } = &mut put {
            *dropped += conversations.make_room(now);
        }
        Ok(put)
    }

    async fn close(&self, question: Question, owner: Owner) -> Result<(), Infallible> {
        self.step(question.conversation, |slots, _, _| {
            slots.close(question, owner);
        });
        Ok(())
    }

    async fn take(&self, fetch: Fetch) -> Result<Fetched, Infallible> {
        Ok(self.step(fetch.conversation, |slots, limits, now| {
            slots.take(fetch, limits, now)
        }))
    }

    async fn settle(
        &self,
        conversation: Conversation,
        by: Key,
        question: Key,
        number: u32,
    ) -> Result<bool, Infallible> {
        Ok(self.step(conversation, |slots, limits, now| {
            slots.settle(by, question, number, limits, now)
        }))
    }

    async fn give_back(
        &self,
        conversation: Conversation,
        by: Key,
        owner: Owner,
    ) -> Result<(), Infallible> {
        self.step(conversation, |slots, _, _| slots.give_back(by, owner));
        Ok(())
    }

    async fn clear(
        &self,
        conversation: Conversation,
        age: Duration,
    ) -> Result<Cleared, Infallible> {
        let (mut conversations, now) = (self.lock(), Instant::now());
        let parts = conversations.step(conversation, now, |slots, limits, now| {
            slots.clear(age, limits, now)
        });
        // That the user has unsubscribed is kept as well.
        Ok(Cleared::new(parts, conversations.make_room(now)))
    }
}

impl Default for MemoryMailbox {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryMailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryMailbox")
            .field("conversations", &self.lock().entries.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
