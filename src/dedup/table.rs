//! What is known of each message: a state machine without I/O and without a clock.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::{Key, outcome::Outcome};

/// The states of all messages. Its caller holds the lock and says what time it is.
///
/// ```text
/// vacant ─claim→ running(owner) ─complete→ replied ─reply_ttl→ done ─mark_ttl→ vacant
///                   └ release → vacant
/// ```
///
/// Each message that ends is put at the end of two queues, which expire and make room from the front:
/// what a call costs does not depend on how many messages there are. A key is in a queue as long as
/// its message is in that state, so the queues are bounded as the entries are.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: HashMap<Key, Entry>,
    running: usize,
    reply_bytes: usize,
    owners: u64,
    /// Messages with a kept reply, the oldest first.
    replies: VecDeque<Key>,
    /// Messages that have ended, the oldest first.
    ended: VecDeque<Key>,
}

/// The bounds of a table, and how long it remembers.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub(super) messages: usize,
    pub(super) running: usize,
    pub(super) waiting: usize,
    pub(super) reply_bytes: usize,
    pub(super) reply_ttl: Duration,
    pub(super) mark_ttl: Duration,
}

/// Who runs a message. No two claims have the same one, so what a stale owner says changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner(u64);

#[derive(Debug)]
struct Entry {
    owner: Owner,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Its receivers are the deliveries that wait. Dropped without an outcome, it says that the run was
    /// lost.
    Running(watch::Sender<Option<Outcome>>),
    Replied {
        outcome: Outcome,
        until: Instant,
        forgotten: Instant,
    },
    Done {
        forgotten: Instant,
    },
}

/// What a delivery is to do.
#[derive(Debug)]
pub(super) enum Claim {
    /// Run the message, and wait for the outcome.
    Run(Owner, watch::Receiver<Option<Outcome>>),
    /// Another delivery has had it run: wait for the outcome.
    Join(watch::Receiver<Option<Outcome>>),
    /// It has been answered: the same once more.
    Replied(Outcome),
    /// It was answered too long ago for its reply to be kept.
    Done,
    /// There is no room for it now.
    Full,
}

impl Table {
    pub(super) fn claim(&mut self, key: Key, now: Instant, limits: &Limits) -> Claim {
        self.expire(now);
        match self.entries.get(&key).map(|entry| &entry.state) {
            Some(State::Running(outcome)) if outcome.receiver_count() >= limits.waiting => {
                return Claim::Full;
            }
            Some(State::Running(outcome)) => return Claim::Join(outcome.subscribe()),
            Some(State::Replied { outcome, .. }) => return Claim::Replied(outcome.clone()),
            Some(State::Done { .. }) => return Claim::Done,
            None => {}
        }
        let crowded = self.entries.len() >= limits.messages;
        if self.running >= limits.running || (crowded && !self.forget_oldest()) {
            return Claim::Full;
        }
        self.owners += 1;
        let owner = Owner(self.owners);
        let (sender, receiver) = watch::channel(None);
        self.entries.insert(
            key,
            Entry {
                owner,
                state: State::Running(sender),
            },
        );
        self.running += 1;
        Claim::Run(owner, receiver)
    }

    /// Ends a run with its outcome, which the deliveries that wait get and later ones too. `mark_ttl` is
    /// how long the message is remembered at least. Says whether `owner` still had the message.
    pub(super) fn complete(
        &mut self,
        key: Key,
        owner: Owner,
        outcome: Outcome,
        now: Instant,
        mark_ttl: Duration,
        limits: &Limits,
    ) -> bool {
        let Some(entry) = self
            .entries
            .get_mut(&key)
            .filter(|entry| entry.owner == owner)
        else {
            return false;
        };
        let State::Running(waiting) = &entry.state else {
            return false;
        };
        waiting.send_replace(Some(outcome.clone()));
        let forgotten = now + mark_ttl.max(limits.mark_ttl).min(FOREVER);
        let until = now + limits.reply_ttl.min(FOREVER);
        self.reply_bytes += outcome.size();
        entry.state = State::Replied {
            outcome,
            until,
            forgotten,
        };
        self.running -= 1;
        self.replies.push_back(key);
        self.ended.push_back(key);
        while self.reply_bytes > limits.reply_bytes && self.drop_oldest_reply() {}
        true
    }

    /// Ends a run that was lost: the message is vacant, and those who wait may claim it. Says whether
    /// `owner` still had the message.
    pub(super) fn release(&mut self, key: Key, owner: Owner) -> bool {
        let entry = self.entries.get(&key).filter(|entry| entry.owner == owner);
        let is_running = entry.is_some_and(|entry| matches!(entry.state, State::Running(_)));
        if is_running {
            self.entries.remove(&key);
            self.running -= 1;
        }
        is_running
    }

    fn expire(&mut self, now: Instant) {
        while let Some(State::Replied { until, .. }) = self.state_of(self.replies.front())
            && *until <= now
        {
            self.drop_oldest_reply();
        }
        while let Some(State::Replied { forgotten, .. } | State::Done { forgotten }) =
            self.state_of(self.ended.front())
            && *forgotten <= now
        {
            self.forget_oldest();
        }
    }

    /// Makes a mark of the message whose reply has been kept longest; `false` if none is kept.
    fn drop_oldest_reply(&mut self) -> bool {
        let Some(key) = self.replies.pop_front() else {
            return false;
        };
        if let Some(entry) = self.entries.get_mut(&key)
            && let State::Replied {
                outcome, forgotten, ..
            } = &entry.state
        {
            self.reply_bytes -= outcome.size();
            entry.state = State::Done {
                forgotten: *forgotten,
            };
        }
        true
    }

    /// Forgets the message that ended first; `false` if all that are known are running.
    fn forget_oldest(&mut self) -> bool {
        let Some(key) = self.ended.pop_front() else {
            return false;
        };
        let entry = self.entries.remove(&key);
        if let Some(Entry {
            state: State::Replied { outcome, .. },
            ..
        }) = entry
        {
            // Both queues have the order in which messages ended, so it is in front there too.
            self.replies.pop_front();
            self.reply_bytes -= outcome.size();
        }
        true
    }

    fn state_of(&self, key: Option<&Key>) -> Option<&State> {
        Some(&self.entries.get(key?)?.state)
    }
}

/// Longer than any process runs, and short enough to be added to the present.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

#[cfg(test)]
mod tests;
