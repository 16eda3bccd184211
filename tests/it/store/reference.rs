//! The model of the store's documentation, with the forgetting that is left out there.

use tower_wechat::dedup::store::Times;

// Its imports serve this file too.
include!("../../../src/dedup/store/model.rs");

/// The model, with the ends of replies and of marks.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Reference {
    messages: Messages,
    ends: HashMap<Key, Ends>,
}

#[derive(Clone, Copy, PartialEq)]
struct Ends {
    reply: Instant,
    mark: Instant,
}

impl Reference {
    pub(super) fn claim(&mut self, key: Key, owner: Owner, now: Instant, times: Times) -> Claim {
        self.pass(key, now);
        let claim = self.messages.claim(key, owner, now, times.lease);
        if matches!(claim, Claim::Run { .. }) {
            self.mark(key, now, times);
        }
        claim
    }

    pub(super) fn renew(
        &mut self,
        key: Key,
        owner: Owner,
        number: u32,
        now: Instant,
        times: Times,
    ) -> bool {
        self.pass(key, now);
        let is_owners = self.messages.renew(key, owner, number, now, times.lease);
        if is_owners {
            self.mark(key, now, times);
        }
        is_owners
    }

    pub(super) fn complete(
        &mut self,
        key: Key,
        owner: Owner,
        outcome: &Outcome,
        acknowledged: bool,
        now: Instant,
        times: Times,
    ) -> Completed {
        self.pass(key, now);
        let was_open = self.messages.is_open(key);
        let completed = self
            .messages
            .complete(key, owner, outcome.clone(), now, acknowledged);
        if was_open && completed != Completed::Lost {
            self.mark(key, now, times);
        }
        completed
    }

    pub(super) fn acknowledge(&mut self, key: Key, owner: Owner, now: Instant) -> Acknowledged {
        self.pass(key, now);
        self.messages.acknowledge(key, owner)
    }

    pub(super) fn release(&mut self, key: Key, owner: Owner, now: Instant) -> bool {
        self.pass(key, now);
        self.messages.release(key, owner, now)
    }

    pub(super) fn owner(&self, key: Key) -> Option<Owner> {
        self.messages.owner(key)
    }

    pub(super) fn holders(&self, key: Key) -> Vec<Owner> {
        self.messages.holders(key)
    }

    pub(super) fn restore(&mut self, key: Key, before: &Self) {
        self.messages.restore(key, &before.messages);
        match before.ends.get(&key) {
            Some(ends) => self.ends.insert(key, *ends),
            None => self.ends.remove(&key),
        };
    }

    fn mark(&mut self, key: Key, now: Instant, times: Times) {
        let ends = Ends {
            reply: now + times.reply,
            mark: now + times.mark,
        };
        self.ends.insert(key, ends);
    }

    fn pass(&mut self, key: Key, now: Instant) {
        let Some(ends) = self.ends.get(&key) else {
            return;
        };
        if ends.mark <= now {
            self.messages.forget(key);
        } else if ends.reply <= now {
            self.messages.drop_reply(key);
        }
    }
}

impl Messages {
    fn is_open(&self, key: Key) -> bool {
        self.0
            .get(&key)
            .is_none_or(|entry| matches!(entry.state, State::Running { .. }))
    }

    fn forget(&mut self, key: Key) {
        self.0.remove(&key);
    }

    fn drop_reply(&mut self, key: Key) {
        if let Some(entry) = self.0.get_mut(&key)
            && matches!(entry.state, State::Replied { .. })
        {
            entry.state = State::Done { by: None };
        }
    }

    // What follows is for the doubles that make mistakes.

    /// Who the message is of at the moment.
    fn owner(&self, key: Key) -> Option<Owner> {
        match &self.0.get(&key)?.state {
            State::Running { owner, .. } => Some(*owner),
            State::Replied { completed_by, .. } => Some(*completed_by),
            State::Done { by } => *by,
        }
    }

    fn holders(&self, key: Key) -> Vec<Owner> {
        match self.0.get(&key).map(|entry| &entry.state) {
            Some(State::Replied { holders, .. }) => holders.clone(),
            _ => Vec::new(),
        }
    }

    /// Makes `key` what it was in `before`.
    fn restore(&mut self, key: Key, before: &Self) {
        match before.0.get(&key) {
            Some(entry) => self.0.insert(key, entry.clone()),
            None => self.0.remove(&key),
        };
    }
}
