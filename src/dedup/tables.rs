//! The table of this node in parts, so that the threads of a server seldom wait for each other.

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

/// The tables of this node, each with its share of the room. A key belongs to one of them.
///
/// A message takes its table's lock a few times within microseconds. With one table for all, another thread would have had the
/// lock and the memory behind it in between.
#[derive(Debug)]
pub(super) struct Tables {
    parts: Box<[Mutex<Table>]>,
    hasher: BuildKeyHasher,
}

/// A table, locked. The reply that it has dropped meanwhile is freed once it is unlocked.
pub(super) struct Locked<'a> {
    table: MutexGuard<'a, Table>,
    /// Behind the guard: the fields are dropped in this order.
    dropped: Option<StoredResponse>,
}

impl Tables {
    /// Makes as many as there may be. `max_runs` messages run at a time, and all of them have room in one table: keys are spread
    /// evenly, but not so evenly.
    pub(super) fn new(bounds: &Bounds, max_waiters: usize, max_runs: usize) -> Self {
        let by_messages = bounds.messages / max_runs.max(LEAST_MESSAGES);
        let by_replies = bounds.reply_bytes / LEAST_REPLY_BYTES;
        let count = by_messages.min(by_replies).clamp(1, MOST);
        let share = Bounds {
            messages: bounds.messages / count,
            reply_bytes: bounds.reply_bytes / count,
            ..bounds.clone()
        };
        let table = || Mutex::new(Table::new(share.clone(), max_waiters));
        Self {
            parts: (0..count).map(|_| table()).collect(),
            hasher: BuildKeyHasher::default(),
        }
    }

    /// Locks the table that the key belongs to.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "any bits of the hash will do, and the remainder is less than the count"
    )]
    pub(super) fn lock(&self, key: Key) -> Locked<'_> {
        // With another hasher than that of the tables: they look at the same bits.
        let hash = self.hasher.hash_one(key) as usize;
        let table = &self.parts[hash % self.parts.len()];
        Locked {
            // Each method of the table changes its counts and entries together, so a poisoned lock guards whole changes.
            table: table.lock().unwrap_or_else(PoisonError::into_inner),
            dropped: None,
        }
    }
}

impl Deref for Locked<'_> {
    type Target = Table;

    fn deref(&self) -> &Table {
        &self.table
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Table {
        &mut self.table
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.dropped = self.table.take_dropped();
    }
}

/// More would not help a server with some tens of threads.
const MOST: usize = 16;

/// The keys in a part differ from its share by a few per cent then.
const LEAST_MESSAGES: usize = 4096;

/// The largest reply has room in a part.
const LEAST_REPLY_BYTES: usize = 2 * RESPONSE_LIMIT;

#[cfg(test)]
mod tests;
