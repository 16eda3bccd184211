//! The machines of all messages, at most as many as there is room for.

use std::{
    collections::{HashMap, VecDeque, hash_map},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    machine::{Machine, State, after},
    store::{Acknowledged, Claim, ClaimId, Claimed, Completed, Released, Renewed, Run},
};
use crate::{key::Key, response::StoredResponse};

/// The messages that are not vacant. The caller says what time it is.
///
/// At a bound, the oldest are forgotten: a reply before its message, and no message that is running. The cost of an
/// operation does not depend on the number of messages.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Messages {
    machines: HashMap<Key, Machine>,
    /// Each message once, the one that was claimed first in front.
    order: VecDeque<Key>,
    /// The replies that may be kept, the oldest first.
    replies: VecDeque<Reply>,
    /// The size of all `replies`.
    reply_bytes: usize,
    bounds: Bounds,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bounds {
    pub(super) messages: usize,
    pub(super) reply_bytes: usize,
    /// Whether a reply that only its run holds is kept whatever its size, because a delivery is about to fetch it.
    pub(super) spares_unfetched: bool,
}

/// A reply as it was completed. It may have been dropped since.
#[derive(Debug, Clone, PartialEq)]
struct Reply {
    key: Key,
    by: ClaimId,
    until: Instant,
    size: usize,
}

impl Messages {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            machines: HashMap::new(),
            order: VecDeque::new(),
            replies: VecDeque::new(),
            reply_bytes: 0,
            bounds,
        }
    }

    pub(super) fn claim(&mut self, claim: Claim, now: Instant) -> Claimed {
        let vacant = || Machine::vacant(ClaimId::NONE, Run::new(Duration::ZERO, 0), now);
        self.change(claim.key, now, vacant, |machine| machine.claim(claim, now))
    }

    pub(super) fn renew(&mut self, claim: Claim, run: Run, now: Instant) -> Renewed {
        let vacant = || Machine::vacant(claim.id, run, now);
        self.change(claim.key, now, vacant, |machine| machine.renew(claim, now))
    }

    pub(super) fn complete(
        &mut self,
        claim: Claim,
        response: Option<&StoredResponse>,
        now: Instant,
    ) -> Completed {
        let vacant = || Machine::vacant(claim.id, Run::new(Duration::ZERO, 1), now);
        let (is_new, completed) = self.change(claim.key, now, vacant, |machine| {
            let was_running = matches!(machine.state, State::Running { .. });
            let completed = machine.complete(claim, response, now);
            (was_running && completed == Completed::Stored, completed)
        });
        if is_new {
            let reply = Reply {
                key: claim.key,
                by: claim.id,
                until: after(now, claim.ttls.reply),
                size: response.map_or(0, StoredResponse::size),
            };
            self.reply_bytes += reply.size;
            self.replies.push_back(reply);
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

    /// The message as it is at `now`; `None` if it is vacant.
    pub(super) fn get(&mut self, key: Key, now: Instant) -> Option<&mut Machine> {
        let machine = self.machines.get_mut(&key)?;
        machine.expire(now);
        (now < machine.forgotten).then_some(machine)
    }

    /// Changes the message as it is at `now`, or a new one.
    fn change<T>(
        &mut self,
        key: Key,
        now: Instant,
        vacant: impl FnOnce() -> Machine,
        change: impl FnOnce(&mut Machine) -> T,
    ) -> T {
        match self.machines.entry(key) {
            hash_map::Entry::Occupied(entry) => {
                let machine = entry.into_mut();
                machine.expire(now);
                if machine.forgotten <= now {
                    *machine = vacant();
                }
                change(machine)
            }
            hash_map::Entry::Vacant(entry) => {
                let result = change(entry.insert(vacant()));
                self.order.push_back(key);
                self.make_room(now);
                result
            }
        }
    }

    /// Forgets the messages in front whose time is over, and those that there is no room for.
    fn make_room(&mut self, now: Instant) {
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
            if !is_full && !is_busy && now < machine.forgotten {
                return;
            }
            self.order.pop_front();
            if is_busy {
                self.order.push_back(key);
                if !is_full {
                    return;
                }
            } else {
                self.machines.remove(&key);
            }
        }
    }

    /// Whether a node still works on the message.
    fn is_busy(&self, machine: &Machine, now: Instant) -> bool {
        match &machine.state {
            State::Running { lease, .. } => now < *lease,
            State::Ended { .. } => self.bounds.spares_unfetched && machine.is_unfetched(),
        }
    }

    /// Drops the replies whose time is over, and those that there is no room for.
    pub(super) fn drop_replies(&mut self, now: Instant) {
        // At most once around.
        for _ in 0..self.replies.len() {
            let is_full = self.reply_bytes > self.bounds.reply_bytes
                || self.replies.len() > 2 * self.bounds.messages;
            if !is_full && self.replies.front().is_none_or(|reply| now < reply.until) {
                return;
            }
            let Some(reply) = self.replies.pop_front() else {
                return;
            };
            let machine = self.machines.get_mut(&reply.key);
            if let Some(machine) = machine.filter(|machine| machine.keeps(reply.by, reply.until)) {
                let is_awaited = self.bounds.spares_unfetched && machine.is_unfetched();
                if is_awaited && now < reply.until {
                    self.replies.push_back(reply);
                    continue;
                }
                machine.drop_reply();
            }
            self.reply_bytes -= reply.size;
        }
    }

    #[cfg(test)]
    pub(super) fn reply_bytes(&self) -> usize {
        self.reply_bytes
    }

    pub(super) fn len(&self) -> usize {
        self.machines.len()
    }
}

#[cfg(test)]
mod tests;
