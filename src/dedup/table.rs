//! What this node knows of each message: a state machine without I/O and without a clock.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

use super::{Key, Outcome, store::Owner};

mod kept;

/// The states of all messages. Its caller holds the lock and says what time it is.
///
/// ```text
///          ┌──────────────── release ────────────────┐
/// vacant ──┴─claim→ running ─complete→ unfetched ─┬─ fetch → replied ─┬→ done ─→ vacant
///                      └ acknowledged, complete ──┼─────────────────────┤
///                                                 └─ take back ──────────┘
/// ```
///
/// A message that is over is put at the end of two queues, which expire and make room from the front: what a
/// call costs does not depend on how many messages there are. A key is in a queue as long as its message is
/// in that state, so the queues are bounded as the entries are.
#[derive(Debug)]
pub(super) struct Table {
    entries: HashMap<Key, Entry>,
    reply_bytes: usize,
    /// The owner of the next message that is claimed.
    next: Owner,
    /// Messages whose reply is kept, the oldest first.
    replies: VecDeque<Key>,
    /// Messages that are over, the oldest first.
    over: VecDeque<Key>,
}

/// The bounds of a table, and how long it remembers.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub(super) messages: usize,
    pub(super) waiting: usize,
    pub(super) reply_bytes: usize,
    pub(super) reply_ttl: Duration,
}

#[derive(Debug)]
struct Entry {
    owner: Owner,
    state: State,
}

#[derive(Debug)]
enum State {
    Running {
        /// Its receivers are the deliveries that wait; dropping it calls them.
        waiting: watch::Sender<()>,
        first_seen: Instant,
        acknowledged: bool,
        hang_ups: u8,
        /// The store has given the reply to a delivery before the owner heard of it.
        fetched: bool,
    },
    /// It is nobody's yet: a delivery fetches it, or the owner takes it back.
    Unfetched {
        outcome: Outcome,
        mark_ttl: Duration,
        /// Dropping it tells the owner that it has been fetched.
        _fetched: oneshot::Sender<()>,
    },
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
    /// See to it that the message is run, and wait.
    Run(Owner, watch::Receiver<()>),
    /// Another delivery has seen to it: wait.
    Join(Owner, watch::Receiver<()>),
    /// It has been answered: this is its reply, and the delivery has fetched it.
    Replied(Outcome),
    /// It is over, and no reply is left.
    Done,
    /// The message is new, and there is no permit to run it.
    NoPermit,
    /// There is no room, in the table or among those who wait.
    Full,
}

/// What acknowledging a message comes to.
#[derive(Debug)]
pub(super) enum Acknowledged {
    /// No delivery will get the reply.
    Marked,
    /// There is a reply, which the delivery has fetched.
    Replied(Outcome),
    /// The run was lost.
    Vacant,
}

/// How a message ends.
#[derive(Debug)]
pub(super) struct Completion {
    pub(super) outcome: Outcome,
    /// Whether another node has acknowledged it.
    pub(super) acknowledged: bool,
    /// How long it is remembered.
    pub(super) mark_ttl: Duration,
}

/// What completing a message comes to.
#[derive(Debug)]
pub(super) enum Completed {
    /// The reply waits for a delivery. The receiver is closed when one has fetched it.
    Kept(oneshot::Receiver<()>),
    /// The message had been acknowledged: the reply is to go another way.
    Acknowledged,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            entries: HashMap::new(),
            reply_bytes: 0,
            next: Owner::random(),
            replies: VecDeque::new(),
            over: VecDeque::new(),
        }
    }

    /// Decides on a delivery that arrived at `arrival`; a new message takes a permit to run.
    pub(super) fn claim(
        &mut self,
        key: Key,
        arrival: Instant,
        now: Instant,
        has_permit: bool,
        limits: &Limits,
    ) -> Claim {
        self.expire(now);
        if let Some(entry) = self.entries.get_mut(&key) {
            return match &entry.state {
                State::Done { .. }
                | State::Running {
                    acknowledged: true, ..
                } => Claim::Done,
                State::Running { waiting, .. } if waiting.receiver_count() >= limits.waiting => {
                    Claim::Full
                }
                State::Running { waiting, .. } => Claim::Join(entry.owner, waiting.subscribe()),
                State::Unfetched { .. } | State::Replied { .. } => self
                    .fetch(key, now, limits)
                    .map_or(Claim::Done, Claim::Replied),
            };
        }
        if !has_permit {
            return Claim::NoPermit;
        }
        if self.entries.len() >= limits.messages && !self.forget_oldest() {
            return Claim::Full;
        }
        let owner = self.next;
        self.next = owner.next();
        let (sender, receiver) = watch::channel(());
        let state = State::Running {
            waiting: sender,
            first_seen: arrival,
            acknowledged: false,
            hang_ups: 0,
            fetched: false,
        };
        self.entries.insert(key, Entry { owner, state });
        Claim::Run(owner, receiver)
    }

    /// Learns from another node that the message is older than it seems here.
    pub(super) fn seen(&mut self, key: Key, owner: Owner, since: Instant) {
        if let Some(State::Running { first_seen, .. }) = self.state_mut(key, owner) {
            *first_seen = since.min(*first_seen);
        }
    }

    /// When a running message was first seen.
    pub(super) fn first_seen(&self, key: Key) -> Option<Instant> {
        match self.entries.get(&key)?.state {
            State::Running { first_seen, .. } => Some(first_seen),
            _ => None,
        }
    }

    /// Notes that WeChat has been left to hang up on a delivery of a running message; `false` if that has
    /// happened as often as WeChat delivers it.
    pub(super) fn hang_up(&mut self, key: Key) -> bool {
        let Some(State::Running { hang_ups, .. }) =
            self.entries.get_mut(&key).map(|entry| &mut entry.state)
        else {
            return true;
        };
        let is_wechats = *hang_ups < DELIVERIES;
        *hang_ups = hang_ups.saturating_add(1);
        is_wechats
    }

    /// Whether any delivery waits for a running message.
    pub(super) fn is_awaited(&self, key: Key, owner: Owner) -> bool {
        let entry = self.entries.get(&key).filter(|entry| entry.owner == owner);
        matches!(
            entry.map(|entry| &entry.state),
            Some(State::Running { waiting, .. }) if waiting.receiver_count() > 0
        )
    }

    /// Whether `owner`'s message has been acknowledged here.
    pub(super) fn is_acknowledged(&self, key: Key, owner: Owner) -> bool {
        let entry = self.entries.get(&key).filter(|entry| entry.owner == owner);
        matches!(
            entry.map(|entry| &entry.state),
            Some(State::Running {
                acknowledged: true,
                ..
            })
        )
    }

    /// Decides that a delivery does not wait for the reply; it gets it if it is there.
    pub(super) fn acknowledge(&mut self, key: Key, now: Instant, limits: &Limits) -> Acknowledged {
        match self.entries.get_mut(&key).map(|entry| &mut entry.state) {
            Some(State::Running { acknowledged, .. }) => *acknowledged = true,
            Some(State::Unfetched { .. } | State::Replied { .. }) => {
                if let Some(outcome) = self.fetch(key, now, limits) {
                    return Acknowledged::Replied(outcome);
                }
            }
            Some(State::Done { .. }) => {}
            None => return Acknowledged::Vacant,
        }
        Acknowledged::Marked
    }

    /// Notes that the store has given the reply to a delivery of a message that runs here.
    pub(super) fn fetched_from_store(&mut self, key: Key, now: Instant, limits: &Limits) {
        match self.entries.get_mut(&key).map(|entry| &mut entry.state) {
            Some(State::Running { fetched, .. }) => *fetched = true,
            Some(State::Unfetched { .. }) => {
                self.fetch(key, now, limits);
            }
            Some(State::Replied { .. } | State::Done { .. }) | None => {}
        }
    }

    /// Ends `owner`'s message; `None` if it is not `owner`'s.
    pub(super) fn complete(
        &mut self,
        key: Key,
        owner: Owner,
        completion: Completion,
        now: Instant,
        limits: &Limits,
    ) -> Option<Completed> {
        let Completion {
            outcome,
            acknowledged,
            mark_ttl,
        } = completion;
        let state = self.state_mut(key, owner)?;
        let State::Running {
            acknowledged: already,
            fetched,
            ..
        } = *state
        else {
            return None;
        };
        if (already || acknowledged) && !fetched {
            *state = State::Done {
                forgotten: after(now, mark_ttl),
            };
            self.over.push_back(key);
            return Some(Completed::Acknowledged);
        }
        // One that shows nothing is nothing that a delivery has to come for.
        let is_fetched = fetched || outcome.is_silent();
        let (sender, receiver) = oneshot::channel();
        *state = State::Unfetched {
            outcome,
            mark_ttl,
            _fetched: sender,
        };
        if is_fetched {
            self.fetch(key, now, limits);
        }
        Some(Completed::Kept(receiver))
    }

    /// Ends `owner`'s message, of which another node says that it is over.
    pub(super) fn end(&mut self, key: Key, owner: Owner, now: Instant, mark_ttl: Duration) {
        if let Some(state @ State::Running { .. }) = self.state_mut(key, owner) {
            *state = State::Done {
                forgotten: after(now, mark_ttl),
            };
            self.over.push_back(key);
        }
    }

    /// Takes back the reply of `owner`'s message, if no delivery has fetched it; none will.
    pub(super) fn take_back(&mut self, key: Key, owner: Owner, now: Instant) -> Option<Outcome> {
        let state = self.state_mut(key, owner)?;
        let State::Unfetched {
            outcome, mark_ttl, ..
        } = &*state
        else {
            return None;
        };
        let outcome = outcome.clone();
        *state = State::Done {
            forgotten: after(now, *mark_ttl),
        };
        self.over.push_back(key);
        Some(outcome)
    }

    /// Ends a run that was lost: the message is vacant, and those who wait may claim it.
    pub(super) fn release(&mut self, key: Key, owner: Owner) {
        if let Some(State::Running { .. }) = self.state_mut(key, owner) {
            self.entries.remove(&key);
        }
    }

    fn state_of(&self, key: Option<&Key>) -> Option<&State> {
        Some(&self.entries.get(key?)?.state)
    }

    fn state_mut(&mut self, key: Key, owner: Owner) -> Option<&mut State> {
        let entry = self.entries.get_mut(&key)?;
        (entry.owner == owner).then_some(&mut entry.state)
    }
}

/// The far end of `ttl`, which may be longer than any process runs and still has to be a time.
fn after(now: Instant, ttl: Duration) -> Instant {
    now + ttl.min(FOREVER)
}

/// How often WeChat delivers a message: by its own words three times, by some logs four.
const DELIVERIES: u8 = 4;

pub(super) const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

#[cfg(test)]
mod tests;
