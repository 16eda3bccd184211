//! What is kept of messages that are over, and for how long.

use tokio::time::Instant;

use super::{Entry, Limits, State, Table, after};
use crate::dedup::{Key, Outcome};

impl Table {
    /// The reply for a delivery; from now on it is kept for others.
    pub(super) fn fetch(&mut self, key: Key, now: Instant, limits: &Limits) -> Option<Outcome> {
        let state = &mut self.entries.get_mut(&key)?.state;
        let (outcome, mark_ttl) = match state {
            State::Unfetched {
                outcome, mark_ttl, ..
            } => (outcome.clone(), *mark_ttl),
            State::Replied { outcome, .. } => return Some(outcome.clone()),
            State::Running { .. } | State::Done { .. } => return None,
        };
        let forgotten = after(now, mark_ttl);
        self.over.push_back(key);
        // One that would push all others out is not kept.
        if outcome.size() > limits.reply_bytes {
            *state = State::Done { forgotten };
            return Some(outcome);
        }
        *state = State::Replied {
            outcome: outcome.clone(),
            until: after(now, limits.reply_ttl),
            forgotten,
        };
        self.replies.push_back(key);
        self.reply_bytes += outcome.size();
        while self.reply_bytes > limits.reply_bytes && self.drop_oldest_reply() {}
        Some(outcome)
    }

    pub(super) fn expire(&mut self, now: Instant) {
        while let Some(State::Replied { until, .. }) = self.state_of(self.replies.front())
            && *until <= now
        {
            self.drop_oldest_reply();
        }
        while let Some(State::Replied { forgotten, .. } | State::Done { forgotten }) =
            self.state_of(self.over.front())
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

    /// Forgets the message that was over first; `false` if none is.
    pub(super) fn forget_oldest(&mut self) -> bool {
        let Some(key) = self.over.pop_front() else {
            return false;
        };
        let entry = self.entries.remove(&key);
        if let Some(Entry {
            state: State::Replied { outcome, .. },
            ..
        }) = entry
        {
            // Both queues have the same order, so it is in front there too.
            self.replies.pop_front();
            self.reply_bytes -= outcome.size();
        }
        true
    }
}
