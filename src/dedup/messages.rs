//! The machines of all messages, at most as many as there is room for.

mod machines;

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use self::machines::Machines;
use super::{
    machine::{Machine, State, after},
    store::{
        Acknowledged, Claim, ClaimId, Claimed, Completed, Ending, Found, Released, Renewed, Run,
    },
};
use crate::{
    key::{BuildKeyHasher, Key},
    response::StoredResponse,
};

/// The messages that are not vacant. The caller says what time it is.
///
/// At a bound, the oldest are forgotten: a reply before its message, a late reply after all others, and no message that
/// a claim has on lease. The cost of an operation does not depend on the number of messages.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Messages {
    machines: Machines,
    /// Each message once, in this queue or in the next one, the one that was claimed first in front.
    order: VecDeque<Key>,
    /// The messages with more than an hour left. They are spared as long as they are at most half of all.
    lasting: VecDeque<Key>,
    /// The messages that may have a reply until this time, the one that was completed first in front.
    replies: VecDeque<(Key, Instant)>,
    /// Those of them that have been found to be late, or to be kept long.
    spared: VecDeque<Key>,
    kept: Kept,
    bounds: Bounds,
}

/// What the replies take.
#[derive(Debug, Clone, Default, PartialEq)]
struct Kept {
    /// The size of all replies.
    bytes: usize,
    /// The reply that was dropped last.
    dropped: Option<StoredResponse>,
}

impl Kept {
    fn drop_reply(&mut self, reply: Option<StoredResponse>) {
        if let Some(reply) = reply {
            self.bytes -= reply.size();
            self.dropped = Some(reply);
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bounds {
    pub(super) messages: usize,
    pub(super) reply_bytes: usize,
    /// Whether a reply that only its run holds is kept whatever its size, because a delivery is about to fetch it.
    pub(super) spares_unfetched: bool,
}

impl Messages {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            machines: Machines::default(),
            order: VecDeque::new(),
            lasting: VecDeque::new(),
            replies: VecDeque::new(),
            spared: VecDeque::new(),
            kept: Kept::default(),
            bounds,
        }
    }

    pub(super) fn claim(&mut self, claim: Claim, now: Instant) -> Claimed {
        self.find(claim, now).claimed
    }

    pub(super) fn find(&mut self, claim: Claim, now: Instant) -> Found {
        let none = ClaimId::NONE;
        let vacant = || Machine::vacant(claim, none, Run::new(Duration::ZERO, 0), now);
        self.change(claim.key, now, vacant, |machine| {
            Found::new(machine.claim(claim, now), machine.fingerprint)
        })
    }

    pub(super) fn renew(&mut self, claim: Claim, run: Run, now: Instant) -> Renewed {
        let vacant = || Machine::vacant(claim, claim.id, run, now);
        self.change(claim.key, now, vacant, |machine| {
            machine.renew(claim, run, now)
        })
    }

    pub(super) fn complete(&mut self, claim: Claim, ending: Ending, now: Instant) -> Completed {
        let vacant = || Machine::vacant(claim, claim.id, Run::new(Duration::ZERO, 1), now);
        let (is_new, completed) = self.change(claim.key, now, vacant, |machine| {
            let size = machine.reply_size();
            let completed = machine.complete(claim, ending, now);
            (size == 0 && machine.reply_size() > 0, completed)
        });
        if is_new {
            let until = after(now, claim.ttls.reply);
            self.replies.push_back((claim.key, until));
            self.drop_replies(now);
        }
        completed
    }

    pub(super) fn acknowledge(&mut self, claim: Claim, now: Instant) -> Acknowledged {
        let machine = self.get(claim.key, now);
        machine.map_or(Acknowledged::Recorded, |machine| machine.acknowledge(claim))
    }

    pub(super) fn release(&mut self, claim: Claim, now: Instant) -> Released {
        let machine = self.get(claim.key, now);
        let released = machine.map_or(Released::Unclaimed, |machine| machine.release(claim, now));
        self.drop_replies(now);
        released
    }

    /// The message as it is at `now`; `None` if it is vacant. The caller does not drop its reply.
    pub(super) fn get(&mut self, key: Key, now: Instant) -> Option<&mut Machine> {
        let machine = self.machines.get_mut(&key)?;
        self.kept.drop_reply(machine.expire(now));
        (now < machine.forgotten).then_some(machine)
    }

    /// Makes a message vacant.
    pub(super) fn forget(&mut self, key: Key, now: Instant) {
        if let Some(machine) = self.machines.get_mut(&key) {
            machine.forgotten = now;
        }
    }

    /// Changes the message as it is at `now`, or a new one.
    fn change<T>(
        &mut self,
        key: Key,
        now: Instant,
        vacant: impl FnOnce() -> Machine,
        change: impl FnOnce(&mut Machine) -> T,
    ) -> T {
        if let Some(machine) = self.machines.get_mut(&key) {
            self.kept.drop_reply(machine.expire(now));
            if machine.forgotten <= now {
                self.kept.drop_reply(machine.take_reply());
                *machine = vacant();
            }
            self.kept.bytes -= machine.reply_size();
            let result = change(machine);
            self.kept.bytes += machine.reply_size();
            result
        } else {
            let mut machine = vacant();
            let result = change(&mut machine);
            self.kept.bytes += machine.reply_size();
            self.machines.insert(key, machine);
            self.order.push_back(key);
            self.make_room(now);
            result
        }
    }

    /// Forgets the messages in front whose time is over, and those that there is no room for.
    fn make_room(&mut self, now: Instant) {
        self.make_room_among_lasting(now);
        // At most once around.
        for _ in 0..self.order.len() {
            let Some((key, machine)) = self.order.front().and_then(|key| {
                let machine = self.machines.get(key)?;
                Some((*key, machine))
            }) else {
                return;
            };
            let is_full = self.machines.len() > self.bounds.messages;
            let is_busy = self.is_busy(machine, now);
            let is_lasting = !is_busy && is_lasting(machine.forgotten, now);
            if !is_full && !is_busy && !is_lasting && now < machine.forgotten {
                return;
            }
            self.order.pop_front();
            if is_lasting {
                // Those behind it end before it.
                self.lasting.push_back(key);
                self.make_room_among_lasting(now);
            } else if is_busy {
                self.order.push_back(key);
                if !is_full {
                    return;
                }
            } else {
                self.remove(key);
            }
        }
    }

    fn make_room_among_lasting(&mut self, now: Instant) {
        while let Some(key) = self.lasting.front().copied() {
            let is_full = self.machines.len() > self.bounds.messages
                && self.lasting.len() > self.bounds.messages / 2;
            let machine = self.machines.get(&key);
            // It was forgotten since, and has begun anew.
            let is_busy = machine.is_some_and(|machine| self.is_busy(machine, now));
            let is_over = machine.is_none_or(|machine| machine.forgotten <= now);
            if !is_full && !is_busy && !is_over {
                return;
            }
            self.lasting.pop_front();
            if is_busy {
                self.order.push_back(key);
            } else {
                self.remove(key);
            }
        }
    }

    fn remove(&mut self, key: Key) {
        if let Some(mut machine) = self.machines.remove(&key) {
            self.kept.drop_reply(machine.take_reply());
        }
        // Most messages end in the order in which they began, so this one's reply is in front.
        while let Some((front, _)) = self.replies.front()
            && (*front == key || self.machines.get(front).is_none())
        {
            self.replies.pop_front();
        }
    }

    /// Returns the reply that was dropped last. Its memory may not have been read for minutes, so freeing it takes time: do
    /// that without a lock.
    pub(super) fn take_dropped(&mut self) -> Option<StoredResponse> {
        self.kept.dropped.take()
    }

    /// Whether a node still works on the message, or hands it over.
    fn is_busy(&self, machine: &Machine, now: Instant) -> bool {
        match &machine.state {
            State::Running { lease, .. } | State::Late { lease, .. } => now < *lease,
            State::Ended { .. } => self.bounds.spares_unfetched && machine.is_unfetched(),
        }
    }

    /// Drops the replies whose time is over, and those that there is no room for.
    pub(super) fn drop_replies(&mut self, now: Instant) {
        // At most once around.
        for _ in 0..self.replies.len() {
            let is_full = self.kept.bytes > self.bounds.reply_bytes
                || self.replies.len() > self.bounds.messages.saturating_mul(2);
            let is_spared = |until| is_lasting(until, now);
            if !is_full
                && self
                    .replies
                    .front()
                    .is_none_or(|(_, until)| now < *until && !is_spared(*until))
            {
                break;
            }
            let Some((key, until)) = self.replies.pop_front() else {
                break;
            };
            let Some(machine) = self.machines.get_mut(&key) else {
                continue;
            };
            if machine.is_late() || machine.reply_size() > 0 && is_lasting(until, now) {
                self.spared.push_back(key);
            } else if now >= until {
                self.get(key, now);
            } else if self.bounds.spares_unfetched && machine.is_unfetched() {
                self.replies.push_back((key, until));
            } else {
                self.kept.drop_reply(machine.take_reply());
            }
        }
        // At most once around.
        for _ in 0..self.spared.len() {
            if self.kept.bytes <= self.bounds.reply_bytes {
                break;
            }
            let Some(key) = self.spared.pop_front() else {
                break;
            };
            let Some(machine) = self.machines.get_mut(&key) else {
                continue;
            };
            if self.bounds.spares_unfetched && machine.is_unfetched() {
                self.spared.push_back(key);
            } else {
                self.kept.drop_reply(machine.take_reply());
            }
        }
        // Messages whose reply is gone leave their entries behind. One that has run again since has several.
        if self.spared.len() > self.bounds.messages.saturating_mul(2) {
            let machines = &self.machines;
            let mut seen = HashSet::<_, BuildKeyHasher>::default();
            self.spared.retain(|key| {
                let machine = machines.get(key);
                machine.is_some_and(|machine| machine.reply_size() > 0) && seen.insert(*key)
            });
        }
    }

    #[cfg(test)]
    pub(super) fn reply_bytes(&self) -> usize {
        self.kept.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.machines.len()
    }
}

/// Whether what ends then is kept long: far longer than WeChat's usual retries.
fn is_lasting(end: Instant, now: Instant) -> bool {
    end.saturating_duration_since(now) > LASTING
}

/// More than the default of all times. With longer ones, all messages are alike again.
const LASTING: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests;
