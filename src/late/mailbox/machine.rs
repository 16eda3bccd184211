//! The slots of one conversation: a machine without I/O and without a clock.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::{Expected, Fetch, Fetched, Limits, Owner, Part, Put, Question};
use crate::{key::Key, timestamp::before};

/// A conversation. It is absent when it [is empty](Self::is_empty).
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Slots {
    /// In the order of their places.
    open: Vec<Slot>,
    /// The one that went first in front.
    gone: Vec<Gone>,
    /// The time until which questions are closed, and the time until which this is remembered.
    closed: Option<(Instant, Instant)>,
}

#[derive(Debug, Clone, PartialEq)]
struct Slot {
    message: Key,
    asked: Instant,
    /// When it is absent again, whatever its state.
    until: Instant,
    state: State,
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    Awaited {
        owner: Owner,
        lease: Instant,
    },
    /// Ready, or taken.
    Kept(Parts, Option<Taken>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Taken {
    by: Key,
    owner: Owner,
    lease: Instant,
}

/// Parts that have not been settled, at least one.
#[derive(Debug, Clone, PartialEq)]
struct Parts {
    /// The first part's.
    number: u32,
    parts: Vec<Bytes>,
}

#[derive(Debug, Clone, PartialEq)]
struct Gone {
    message: Key,
    until: Instant,
    /// Whether its answer had not been put.
    is_given_up: bool,
}

impl Slots {
    /// Carries out one operation at `now`.
    pub(super) fn step<T>(
        &mut self,
        limits: &Limits,
        now: Instant,
        operation: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.open.retain(|slot| now < slot.until);
        self.gone.retain(|gone| now < gone.until);
        self.closed.take_if(|(_asked, until)| *until <= now);
        let answer = operation(self);
        let excess = self.gone.len().saturating_sub(limits.slots());
        self.gone.drain(..excess);
        answer
    }

    /// Returns whether a slot was open after the last step, unless the time of the whole conversation is over since.
    pub(super) fn peek(&self, now: Instant) -> bool {
        !self.open.is_empty() && self.until().is_some_and(|until| now < until)
    }

    pub(super) fn expect(
        &mut self,
        question: Question,
        owner: Owner,
        limits: &Limits,
        now: Instant,
    ) -> Expected {
        let asked = before(now, question.age);
        let is_gone = self.gone(question.message).is_some();
        let is_closed = self.is_closed(asked);
        match self.slot(question.message) {
            Some(slot) => match slot.state {
                State::Awaited { owner: its, lease } if its == owner || lease <= now => {
                    slot.await_by(owner, limits, now);
                }
                State::Awaited { .. } => return Expected::Awaited,
                State::Kept(..) => return Expected::Answered,
            },
            None if is_gone => return Expected::Answered,
            None if is_closed => return Expected::Closed,
            None => self.open_slot(question.message, asked, owner, limits, now),
        }
        Expected::Yours { dropped: 0 }
    }

    pub(super) fn renew(
        &mut self,
        question: Question,
        owner: Owner,
        limits: &Limits,
        now: Instant,
    ) -> bool {
        let slot = self.slot(question.message);
        let slot = slot.filter(|slot| slot.is_awaited_by(owner));
        slot.map(|slot| slot.await_by(owner, limits, now)).is_some()
    }

    pub(super) fn put(
        &mut self,
        question: Question,
        parts: &[Bytes],
        limits: &Limits,
        now: Instant,
    ) -> Put {
        let message = question.message;
        let asked = before(now, question.age);
        let slot = self.slot(message);
        let is_absent = slot.is_none();
        if slot.is_some_and(|slot| slot.parts().is_some()) {
            return Put::Kept { dropped: 0 };
        } else if let Some(gone) = self.gone(message) {
            return if gone.is_given_up {
                Put::GivenUp
            } else {
                Put::Kept { dropped: 0 }
            };
        } else if is_absent && self.is_closed(asked) {
            return Put::Closed;
        }
        let parts = Parts::new(parts);
        let (taken, bytes) = self.count(|slot| slot.taken().is_some());
        if taken >= limits.answers || bytes.saturating_add(parts.size()) > limits.bytes {
            return Put::NoRoom;
        }
        if is_absent {
            self.open_slot(message, asked, NOBODY, limits, now);
        }
        if parts.parts.is_empty() {
            self.end(message, false, limits, now);
        } else if let Some(slot) = self.slot(message) {
            slot.until = now + limits.keep;
            slot.state = State::Kept(parts, None);
        }
        let mut dropped = 0;
        loop {
            let (answers, bytes) = self.count(|slot| slot.parts().is_some());
            let is_full = answers > limits.answers || bytes > limits.bytes;
            let mut others = self.open.iter().filter(|slot| slot.message != message);
            let Some(earliest) = others.find(|slot| is_full && slot.is_ready()) else {
                return Put::Kept { dropped };
            };
            dropped += earliest.len();
            self.end(earliest.message, false, limits, now);
        }
    }

    pub(super) fn close(&mut self, question: Question, owner: Owner) {
        let is_own = |slot: &Slot| slot.message == question.message && slot.is_awaited_by(owner);
        self.open.retain(|slot| !is_own(slot));
    }

    pub(super) fn take(&mut self, fetch: Fetch, limits: &Limits, now: Instant) -> Fetched {
        let asked = before(now, fetch.age);
        let own = self.slot(fetch.by).map(|slot| slot.place());
        let place = own.unwrap_or((asked, *fetch.by.as_bytes()));
        let is_taken = |slot: &Slot| slot.taken().is_some_and(|taken| taken.by == fetch.by);
        let at = self.open.iter().position(is_taken).unwrap_or(0);
        let slot = self.open.get_mut(at);
        let Some(slot) = slot.filter(|slot| is_taken(slot) || slot.place() < place) else {
            return Fetched::Nothing;
        };
        let fetched = slot.take(fetch, limits, now);
        let is_known = own.is_some() || self.gone(fetch.by).is_some();
        if fetch.opens_slot && !is_known && !self.is_closed(asked) {
            self.open_slot(fetch.by, asked, fetch.owner, limits, now);
        }
        fetched
    }

    pub(super) fn settle(
        &mut self,
        by: Key,
        question: Key,
        number: u32,
        limits: &Limits,
        now: Instant,
    ) -> bool {
        let Some(State::Kept(parts, taken)) = self.slot(question).map(|slot| &mut slot.state)
        else {
            return true;
        };
        if parts.number == number && taken.is_some_and(|taken| taken.by == by) {
            parts.parts.remove(0);
            parts.number += 1;
            *taken = None;
            if parts.parts.is_empty() {
                self.end(question, false, limits, now);
            }
            return true;
        }
        number < parts.number
    }

    pub(super) fn give_back(&mut self, by: Key, owner: Owner) {
        for slot in &mut self.open {
            if let State::Kept(_, taken) = &mut slot.state {
                taken.take_if(|taken| (taken.by, taken.owner) == (by, owner));
            }
        }
    }

    pub(super) fn clear(&mut self, age: Duration, limits: &Limits, now: Instant) -> u32 {
        let asked = before(now, age);
        let asked = self.closed.map_or(asked, |(earlier, _)| earlier.max(asked));
        self.closed = Some((asked, now + limits.mark));
        let before = self.len();
        self.open.retain(|slot| asked < slot.asked);
        before - self.len()
    }

    /// The number of parts.
    pub(super) fn len(&self) -> u32 {
        self.open.iter().map(Slot::len).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.gone.is_empty() && self.closed.is_none()
    }

    /// When it is empty if nothing happens; `None` if it is.
    pub(super) fn until(&self) -> Option<Instant> {
        let slots = self.open.iter().map(|slot| slot.until);
        let gone = self.gone.iter().map(|gone| gone.until);
        let closed = self.closed.map(|(_asked, until)| until);
        slots.chain(gone).chain(closed).max()
    }

    /// What its slots take, in bytes.
    pub(super) fn size(&self) -> usize {
        let (slots, bytes) = self.count(|_| true);
        slots * SLOT_SIZE + self.gone.len() * GONE_SIZE + bytes
    }

    /// Counts slots, and the bytes of their parts.
    fn count(&self, is_counted: impl Fn(&Slot) -> bool) -> (usize, usize) {
        let slots = self.open.iter().filter(|slot| is_counted(slot));
        slots.fold((0, 0), |(count, bytes), slot| {
            (count + 1, bytes + slot.parts().map_or(0, Parts::size))
        })
    }

    fn slot(&mut self, message: Key) -> Option<&mut Slot> {
        self.open.iter_mut().find(|slot| slot.message == message)
    }

    fn gone(&self, message: Key) -> Option<&Gone> {
        self.gone.iter().find(|gone| gone.message == message)
    }

    fn is_closed(&self, asked: Instant) -> bool {
        self.closed.is_some_and(|(closed, _until)| asked <= closed)
    }

    /// Opens a slot. If there are too many, the earliest awaited one is given up: there is one, since there are fewer
    /// answers than slots.
    fn open_slot(
        &mut self,
        message: Key,
        asked: Instant,
        owner: Owner,
        limits: &Limits,
        now: Instant,
    ) {
        let awaited = self.open.iter().find(|slot| slot.parts().is_none());
        if self.open.len() >= limits.slots()
            && let Some(slot) = awaited
        {
            self.end(slot.message, true, limits, now);
        }
        let mut slot = Slot {
            message,
            asked,
            until: now,
            state: State::Awaited { owner, lease: now },
        };
        slot.await_by(owner, limits, now);
        let at = self
            .open
            .partition_point(|other| other.place() < slot.place());
        self.open.reserve_exact(1);
        self.open.insert(at, slot);
    }

    fn end(&mut self, message: Key, is_given_up: bool, limits: &Limits, now: Instant) {
        self.open.retain(|slot| slot.message != message);
        self.gone.reserve_exact(1);
        self.gone.push(Gone {
            message,
            until: now + limits.mark,
            is_given_up,
        });
    }
}

impl Slot {
    fn place(&self) -> (Instant, [u8; 20]) {
        (self.asked, *self.message.as_bytes())
    }

    fn is_awaited_by(&self, by: Owner) -> bool {
        matches!(self.state, State::Awaited { owner, .. } if owner == by)
    }

    fn is_ready(&self) -> bool {
        matches!(self.state, State::Kept(_, None))
    }

    fn taken(&self) -> Option<Taken> {
        match &self.state {
            State::Kept(_, taken) => *taken,
            State::Awaited { .. } => None,
        }
    }

    fn parts(&self) -> Option<&Parts> {
        match &self.state {
            State::Kept(parts, _) => Some(parts),
            State::Awaited { .. } => None,
        }
    }

    fn len(&self) -> u32 {
        let len = self.parts().map_or(0, |parts| parts.parts.len());
        u32::try_from(len).unwrap_or(u32::MAX)
    }

    fn await_by(&mut self, owner: Owner, limits: &Limits, now: Instant) {
        let lease = now + limits.awaited_lease;
        self.state = State::Awaited { owner, lease };
        self.until = lease.max(now + limits.keep);
    }

    fn take(&mut self, fetch: Fetch, limits: &Limits, now: Instant) -> Fetched {
        match &mut self.state {
            State::Awaited { owner, lease } if *owner != fetch.owner && now < *lease => {
                Fetched::Wait
            }
            // Or a repeated fetch, which gets the same answer.
            State::Awaited { .. } => {
                self.await_by(fetch.owner, limits, now);
                let age = now.duration_since(self.asked);
                Fetched::Lapsed(Question::new(fetch.conversation, self.message, age))
            }
            State::Kept(_, Some(Taken { by, lease, .. })) if *by != fetch.by && now < *lease => {
                Fetched::Wait
            }
            State::Kept(parts, taken) => {
                let lease = now + limits.taken_lease;
                *taken = Some(Taken {
                    by: fetch.by,
                    owner: fetch.owner,
                    lease,
                });
                // Its time does not end while a message has it.
                self.until = self.until.max(lease);
                Fetched::Part(Part {
                    question: self.message,
                    number: parts.number,
                    bytes: parts.parts.first().cloned().unwrap_or_default(),
                })
            }
        }
    }
}

impl Parts {
    /// Copies the parts, which may be slices of something larger.
    fn new(parts: &[Bytes]) -> Self {
        let parts = parts.iter().map(|part| Bytes::copy_from_slice(part));
        Self {
            number: 0,
            parts: parts.collect(),
        }
    }

    fn size(&self) -> usize {
        self.parts.iter().map(|part| part.len() + PART_SIZE).sum()
    }
}

/// The owner of a slot that is opened for an answer.
const NOBODY: Owner = Owner([0; 16]);

/// What a part takes beside its bytes.
pub(super) const PART_SIZE: usize = 64;

/// What a slot takes beside its parts.
const SLOT_SIZE: usize = 192;

const GONE_SIZE: usize = 64;

#[cfg(test)]
mod tests;
