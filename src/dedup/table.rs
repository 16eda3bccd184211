//! The state of each message on this node: a state machine without I/O and without a clock.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

use super::{key::Key, machine::after, response::StoredResponse, store::ClaimId};

/// The states of all messages. The caller holds the lock and says what time it is.
///
/// ```text
///          ┌──────────────── release ────────────────┐
/// vacant ──┴─claim→ running ─complete→ unfetched ─┬─ fetch → replied ─┬→ done ─→ vacant
///                      └ acknowledged, complete ──┼─────────────────────┤
///                                                 └─ reclaim ────────────┘
/// ```
///
/// A message that is over is put at the end of two queues, which expire and make room from the front: the cost of a
/// call does not depend on the number of messages. A key is in a queue as long as its message is
/// in that state, so the queues are bounded as the entries are.
#[derive(Debug)]
pub(super) struct Table {
    entries: HashMap<Key, Entry>,
    reply_bytes: usize,
    /// The id of the next claim.
    next: ClaimId,
    /// Messages whose reply is kept, the oldest first.
    replies: VecDeque<Key>,
    /// Messages that are over, the oldest first.
    over: VecDeque<Key>,
}

/// The bounds of a table, and how long it remembers.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub(super) capacity: usize,
    pub(super) waiters_per_message: usize,
    pub(super) reply_bytes: usize,
    pub(super) reply_ttl: Duration,
}

#[derive(Debug)]
struct Entry {
    id: ClaimId,
    /// Counted beyond the end of the message, so that late ones cannot spend the account's budget.
    hang_ups: u8,
    state: State,
}

#[derive(Debug)]
enum State {
    Running {
        /// Its receivers are the deliveries that wait. Dropping it wakes them.
        waiting: watch::Sender<()>,
        first_seen: Instant,
        /// Whether the store has answered the claim.
        is_shared: bool,
        acknowledged: bool,
        /// Whether the store has given the reply to a delivery before the message's task heard of it.
        fetched: bool,
    },
    /// Not delivered yet: a delivery fetches the reply, or the message's task reclaims it.
    Unfetched {
        response: StoredResponse,
        mark_ttl: Duration,
        /// Dropping it tells the message's task that a delivery has fetched the reply.
        _fetched: oneshot::Sender<()>,
    },
    Replied {
        response: StoredResponse,
        until: Instant,
        forgotten: Instant,
    },
    Done {
        forgotten: Instant,
    },
}

/// What a delivery does next.
#[derive(Debug)]
pub(super) enum Admission<P> {
    /// Run the message with this permit, and wait.
    Run(ClaimId, P, watch::Receiver<()>),
    /// Another delivery has made it run: wait.
    Join(ClaimId, watch::Receiver<()>),
    /// It has been answered: send this reply, which counts as fetched.
    Replied(StoredResponse),
    /// It is over, and no reply is left.
    Done,
    /// The message is new, and there is no permit to run it.
    NoPermit,
    /// There is no room, in the table or among the waiting deliveries.
    Full,
}

/// The answer to an acknowledgement.
#[derive(Debug)]
pub(super) enum Acknowledgement {
    /// No delivery will get the reply.
    Recorded,
    /// There is a reply, which counts as fetched.
    Replied(StoredResponse),
    /// The run was lost.
    Vacant,
}

/// The end of a message.
#[derive(Debug)]
pub(super) struct Completion {
    pub(super) response: StoredResponse,
    /// Whether another node has acknowledged it.
    pub(super) is_acknowledged: bool,
    /// How long it is remembered.
    pub(super) mark_ttl: Duration,
}

/// The state of a message whose task ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Abandoned {
    Running {
        /// Whether WeChat has been told not to wait for a reply.
        is_acknowledged: bool,
    },
    /// Its reply was not fetched, and will not be.
    Unfetched,
    /// A delivery has fetched its reply, or the reply is late.
    Over,
}

/// The way of a completed message's reply.
#[derive(Debug)]
pub(super) enum Ended {
    /// The reply waits for a delivery. The receiver is closed when one has fetched it.
    Unfetched(oneshot::Receiver<()>),
    /// The message had been acknowledged: the reply is late.
    Acknowledged,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            entries: HashMap::new(),
            reply_bytes: 0,
            next: ClaimId::random(),
            replies: VecDeque::new(),
            over: VecDeque::new(),
        }
    }

    /// Decides on a delivery that arrived at `arrival`. A new message takes the permit to run.
    pub(super) fn claim<P>(
        &mut self,
        key: Key,
        arrival: Instant,
        now: Instant,
        permit: Option<P>,
        limits: &Limits,
    ) -> Admission<P> {
        self.expire(now);
        if let Some(entry) = self.entries.get_mut(&key) {
            return match &entry.state {
                State::Done { .. }
                | State::Running {
                    acknowledged: true, ..
                } => Admission::Done,
                State::Running { waiting, .. }
                    if waiting.receiver_count() >= limits.waiters_per_message =>
                {
                    Admission::Full
                }
                State::Running { waiting, .. } => Admission::Join(entry.id, waiting.subscribe()),
                State::Unfetched { .. } | State::Replied { .. } => self
                    .fetch(key, now, limits)
                    .map_or(Admission::Done, Admission::Replied),
            };
        }
        let Some(permit) = permit else {
            return Admission::NoPermit;
        };
        if self.entries.len() >= limits.capacity && !self.forget_oldest() {
            return Admission::Full;
        }
        let id = self.next;
        self.next = id.next();
        let (sender, receiver) = watch::channel(());
        let state = State::Running {
            waiting: sender,
            first_seen: arrival,
            is_shared: false,
            acknowledged: false,
            fetched: false,
        };
        self.entries.insert(
            key,
            Entry {
                id,
                hang_ups: 0,
                state,
            },
        );
        Admission::Run(id, permit, receiver)
    }

    /// Notes that the store has answered the claim, and since when it knows the message.
    pub(super) fn seen(&mut self, key: Key, id: ClaimId, since: Instant) {
        if let Some(State::Running {
            first_seen,
            is_shared,
            ..
        }) = self.state_mut(key, id)
        {
            *first_seen = since.min(*first_seen);
            *is_shared = true;
        }
    }

    /// Whether the store has answered the claim of a running message.
    pub(super) fn is_shared(&self, key: Key) -> bool {
        matches!(
            self.state_of(Some(&key)),
            Some(State::Running {
                is_shared: true,
                ..
            })
        )
    }

    /// Returns when a running message was first seen.
    pub(super) fn first_seen(&self, key: Key) -> Option<Instant> {
        match self.entries.get(&key)?.state {
            State::Running { first_seen, .. } => Some(first_seen),
            _ => None,
        }
    }

    /// Counts a hang-up on a delivery. Returns `false` if there have been as many as WeChat makes deliveries of the message,
    /// or if the message is forgotten.
    pub(super) fn hang_up(&mut self, key: Key) -> bool {
        let Some(entry) = self.entries.get_mut(&key) else {
            return false;
        };
        let is_counted = entry.hang_ups < DELIVERIES;
        entry.hang_ups = entry.hang_ups.saturating_add(1);
        is_counted
    }

    /// Whether a delivery waits for a running message.
    pub(super) fn is_awaited(&self, key: Key, id: ClaimId) -> bool {
        let entry = self.entries.get(&key).filter(|entry| entry.id == id);
        matches!(
            entry.map(|entry| &entry.state),
            Some(State::Running { waiting, .. }) if waiting.receiver_count() > 0
        )
    }

    /// Whether the claim's message has been acknowledged here.
    pub(super) fn is_acknowledged(&self, key: Key, id: ClaimId) -> bool {
        let entry = self.entries.get(&key).filter(|entry| entry.id == id);
        matches!(
            entry.map(|entry| &entry.state),
            Some(State::Running {
                acknowledged: true,
                ..
            })
        )
    }

    /// Acknowledges a message. The delivery gets the reply if it is there by now.
    pub(super) fn acknowledge(
        &mut self,
        key: Key,
        now: Instant,
        limits: &Limits,
    ) -> Acknowledgement {
        match self.entries.get_mut(&key).map(|entry| &mut entry.state) {
            Some(State::Running { acknowledged, .. }) => *acknowledged = true,
            Some(State::Unfetched { .. } | State::Replied { .. }) => {
                if let Some(response) = self.fetch(key, now, limits) {
                    return Acknowledgement::Replied(response);
                }
            }
            Some(State::Done { .. }) => {}
            None => return Acknowledgement::Vacant,
        }
        Acknowledgement::Recorded
    }

    /// Notes that the store has given a delivery the reply of the claim's message. Returns `false` if the reply is not the
    /// delivery's, because the message's task has reclaimed or abandoned it meanwhile.
    pub(super) fn fetched_from_store(
        &mut self,
        key: Key,
        id: ClaimId,
        now: Instant,
        limits: &Limits,
    ) -> bool {
        match self.state_mut(key, id) {
            Some(State::Running { fetched, .. }) => *fetched = true,
            Some(State::Unfetched { .. }) => {
                self.fetch(key, now, limits);
            }
            Some(State::Replied { .. }) => {}
            Some(State::Done { .. }) | None => return false,
        }
        true
    }

    /// Ends the claim's message. Returns `None` if the message is not the claim's.
    pub(super) fn complete(
        &mut self,
        key: Key,
        id: ClaimId,
        completion: Completion,
        now: Instant,
        limits: &Limits,
    ) -> Option<Ended> {
        let Completion {
            response,
            is_acknowledged,
            mark_ttl,
        } = completion;
        let state = self.state_mut(key, id)?;
        let State::Running {
            acknowledged: already,
            fetched,
            ..
        } = *state
        else {
            return None;
        };
        if (already || is_acknowledged) && !fetched {
            *state = State::Done {
                forgotten: after(now, mark_ttl),
            };
            self.over.push_back(key);
            return Some(Ended::Acknowledged);
        }
        // A reply that shows nothing need not be fetched.
        let is_fetched = fetched || response.is_silent();
        let (sender, receiver) = oneshot::channel();
        *state = State::Unfetched {
            response,
            mark_ttl,
            _fetched: sender,
        };
        if is_fetched {
            self.fetch(key, now, limits);
        }
        Some(Ended::Unfetched(receiver))
    }

    /// Ends the claim's message, because another node says that it is over.
    pub(super) fn end(&mut self, key: Key, id: ClaimId, now: Instant, mark_ttl: Duration) {
        if let Some(state @ State::Running { .. }) = self.state_mut(key, id) {
            *state = State::Done {
                forgotten: after(now, mark_ttl),
            };
            self.over.push_back(key);
        }
    }

    /// Reclaims the reply of the claim's message, unless a delivery has fetched it; none will. Returns whether it did.
    pub(super) fn reclaim(&mut self, key: Key, id: ClaimId, now: Instant) -> bool {
        let Some(state) = self.state_mut(key, id) else {
            return false;
        };
        let State::Unfetched { mark_ttl, .. } = &*state else {
            return false;
        };
        *state = State::Done {
            forgotten: after(now, *mark_ttl),
        };
        self.over.push_back(key);
        true
    }

    /// Ends what the claim's message is at, because its task ends. A running one is vacant again, and the waiting
    /// deliveries may claim it.
    pub(super) fn abandon(&mut self, key: Key, id: ClaimId, now: Instant) -> Abandoned {
        match self.state_mut(key, id) {
            Some(State::Running {
                acknowledged,
                fetched,
                ..
            }) => {
                let (is_acknowledged, is_fetched) = (*acknowledged, *fetched);
                self.entries.remove(&key);
                if is_fetched {
                    return Abandoned::Over;
                }
                Abandoned::Running { is_acknowledged }
            }
            Some(State::Unfetched { .. }) => {
                self.reclaim(key, id, now);
                Abandoned::Unfetched
            }
            Some(State::Replied { .. } | State::Done { .. }) | None => Abandoned::Over,
        }
    }

    fn state_of(&self, key: Option<&Key>) -> Option<&State> {
        Some(&self.entries.get(key?)?.state)
    }

    fn state_mut(&mut self, key: Key, id: ClaimId) -> Option<&mut State> {
        let entry = self.entries.get_mut(&key)?;
        (entry.id == id).then_some(&mut entry.state)
    }
}

/// Replies that are kept, and for how long.
impl Table {
    /// Returns the reply for a delivery. From now on it is kept for further ones.
    fn fetch(&mut self, key: Key, now: Instant, limits: &Limits) -> Option<StoredResponse> {
        let state = &mut self.entries.get_mut(&key)?.state;
        let (response, mark_ttl) = match state {
            State::Unfetched {
                response, mark_ttl, ..
            } => (response.clone(), *mark_ttl),
            State::Replied { response, .. } => return Some(response.clone()),
            State::Running { .. } | State::Done { .. } => return None,
        };
        let forgotten = after(now, mark_ttl);
        self.over.push_back(key);
        // A reply that would push out all others is not kept.
        if response.size() > limits.reply_bytes {
            *state = State::Done { forgotten };
            return Some(response);
        }
        *state = State::Replied {
            // Only a late reply needs the typed one, and this reply is not late.
            response: response.clone().without_reply(),
            until: after(now, limits.reply_ttl),
            forgotten,
        };
        self.replies.push_back(key);
        self.reply_bytes += response.size();
        while self.reply_bytes > limits.reply_bytes && self.drop_oldest_reply() {}
        Some(response)
    }

    fn expire(&mut self, now: Instant) {
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

    /// Drops the reply that has been kept longest, and leaves a mark. Returns `false` if no reply is kept.
    fn drop_oldest_reply(&mut self) -> bool {
        let Some(key) = self.replies.pop_front() else {
            return false;
        };
        if let Some(entry) = self.entries.get_mut(&key)
            && let State::Replied {
                response,
                forgotten,
                ..
            } = &entry.state
        {
            self.reply_bytes -= response.size();
            entry.state = State::Done {
                forgotten: *forgotten,
            };
        }
        true
    }

    /// Forgets the message that was over first. Returns `false` if none is over.
    fn forget_oldest(&mut self) -> bool {
        let Some(key) = self.over.pop_front() else {
            return false;
        };
        let entry = self.entries.remove(&key);
        if let Some(Entry {
            state: State::Replied { response, .. },
            ..
        }) = entry
        {
            // Both queues have the same order, so it is in front there too.
            self.replies.pop_front();
            self.reply_bytes -= response.size();
        }
        true
    }
}

/// The number of deliveries of a message: three by WeChat's documentation, four by some logs.
const DELIVERIES: u8 = 4;

#[cfg(test)]
mod tests;
