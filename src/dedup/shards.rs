//! The shards of this node's table: the threads of a server seldom wait for each other.

use std::{
    hash::BuildHasher,
    ops::{Deref, DerefMut},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{messages::Bounds, table::Table};
use crate::{
    body::RESPONSE_LIMIT,
    key::{BuildKeyHasher, Key},
    response::StoredResponse,
};

/// The shards of this node's table, each with its share of the room. A key belongs to one of them.
///
/// A message takes the lock a few times within microseconds. With one table for all, another thread would have had the lock and the
/// memory behind it in between.
#[derive(Debug)]
pub(super) struct Shards {
    first: Shard,
    others: Box<[Shard]>,
    hasher: BuildKeyHasher,
}

/// No two share a line of memory, nor two lines that a processor fetches together.
#[derive(Debug)]
#[repr(align(128))]
struct Shard(Mutex<Table>);

/// A locked table. The reply that it has dropped meanwhile is freed once it is unlocked.
pub(super) struct TableGuard<'a> {
    table: MutexGuard<'a, Table>,
    /// Behind the guard: the fields are dropped in this order.
    dropped: Option<StoredResponse>,
}

impl Shards {
    /// Makes as many as there may be. Each has room for the `max_runs` messages that run at a time, since all of them may fall
    /// on one.
    pub(super) fn new(bounds: &Bounds, max_waiters: usize, max_runs: usize) -> Self {
        let by_messages = bounds.messages / max_runs.max(LEAST_MESSAGES);
        let by_replies = bounds.reply_bytes / LEAST_REPLY_BYTES;
        let count = by_messages.min(by_replies).clamp(1, MAX_SHARDS);
        let share = Bounds {
            messages: bounds.messages / count,
            reply_bytes: bounds.reply_bytes / count,
            ..bounds.clone()
        };
        let make = || Shard(Mutex::new(Table::new(share.clone(), max_waiters)));
        Self {
            first: make(),
            others: (1..count).map(|_| make()).collect(),
            hasher: BuildKeyHasher::default(),
        }
    }

    /// Locks the table that knows the key's message.
    pub(super) fn lock(&self, key: Key) -> TableGuard<'_> {
        // Of another hasher than that of the tables, which look at the same bits.
        let hash = self.hasher.hash_one(key);
        let at = usize::try_from(hash % self.count()).ok();
        let other = at.and_then(|at| self.others.get(at));
        let Shard(table) = other.unwrap_or(&self.first);
        TableGuard {
            // Each method of the table changes its counts and entries together, so a poisoned lock guards whole changes.
            table: table.lock().unwrap_or_else(PoisonError::into_inner),
            dropped: None,
        }
    }

    fn count(&self) -> u64 {
        1 + self.others.len() as u64
    }
}

impl Deref for TableGuard<'_> {
    type Target = Table;

    fn deref(&self) -> &Table {
        &self.table
    }
}

impl DerefMut for TableGuard<'_> {
    fn deref_mut(&mut self) -> &mut Table {
        &mut self.table
    }
}

impl Drop for TableGuard<'_> {
    fn drop(&mut self) {
        self.dropped = self.table.take_dropped();
    }
}

/// More would not help a server with some tens of threads.
const MAX_SHARDS: usize = 16;

/// The messages of a shard differ from its share by a few per cent then.
const LEAST_MESSAGES: usize = 4096;

/// A reply is a little larger than its body, so of the largest ones a shard keeps three.
const LEAST_REPLY_BYTES: usize = 4 * RESPONSE_LIMIT;

#[cfg(test)]
mod tests;
