//! The contract once more, over plain values: what each operation answers, and what it leaves behind.

use std::collections::HashMap;

use tokio::time::Instant;
use tower_wechat::dedup::{
    Key, StoredResponse,
    store::{
        AcknowledgeRequest, Acknowledged, ClaimId, ClaimRequest, Claimed, CompleteRequest,
        Completed, ReleaseRequest, Released, RenewRequest, Renewed, Ttls,
    },
};

/// The messages that are not vacant.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Reference(HashMap<Key, Entry>);

#[derive(Clone, PartialEq)]
struct Entry {
    first_seen: Instant,
    number: u32,
    state: State,
    /// When a reply is dropped, and when the message is forgotten.
    reply_ends: Instant,
    mark_ends: Instant,
}

#[derive(Clone, PartialEq)]
enum State {
    Running {
        id: ClaimId,
        lease: Instant,
        acknowledged: bool,
    },
    Replied {
        response: StoredResponse,
        completed_by: ClaimId,
        holders: Vec<ClaimId>,
    },
    Done {
        by: Option<ClaimId>,
    },
}

impl Reference {
    pub(super) fn claim(&mut self, request: ClaimRequest, now: Instant) -> Claimed {
        let ClaimRequest { key, id, ttls, .. } = request;
        let entry = self.entry_or(key, now, ClaimId::from_bytes([0; 16]), 0);
        let age = now - entry.first_seen;
        match &mut entry.state {
            State::Running { id: by, lease, .. } if *by != id && now < *lease => {
                Claimed::running(age, *lease - now)
            }
            State::Running { id: by, lease, .. } => {
                // A repeated claim is of the same run.
                entry.number += u32::from(*by != id);
                (*by, *lease) = (id, now + ttls.lease);
                entry.keep(now, ttls);
                Claimed::run(age, entry.number)
            }
            State::Replied {
                response, holders, ..
            } => {
                hold(holders, id);
                Claimed::Replied(response.clone())
            }
            State::Done { .. } => Claimed::Done,
        }
    }

    pub(super) fn renew(&mut self, request: RenewRequest, now: Instant) -> Renewed {
        let RenewRequest {
            key,
            id,
            number,
            ttls,
            ..
        } = request;
        let entry = self.entry_or(key, now, id, number);
        match &mut entry.state {
            State::Running { id: by, lease, .. } if *by == id => {
                *lease = now + ttls.lease;
                entry.keep(now, ttls);
                Renewed::Yours
            }
            _ => Renewed::Lost,
        }
    }

    pub(super) fn complete(&mut self, request: CompleteRequest<'_>, now: Instant) -> Completed {
        let CompleteRequest {
            key,
            id,
            response,
            is_acknowledged,
            ttls,
            ..
        } = request;
        let entry = self.entry_or(key, now, id, 1);
        let (state, completed) = match &entry.state {
            State::Running {
                id: by,
                acknowledged,
                ..
            } if *by == id && (*acknowledged || is_acknowledged) => {
                (State::Done { by: Some(id) }, Completed::Acknowledged)
            }
            State::Running { id: by, .. } if *by == id => {
                let replied = State::Replied {
                    response: response.clone(),
                    completed_by: id,
                    holders: vec![id],
                };
                (replied, Completed::Stored)
            }
            // Repeated operations change nothing.
            State::Replied { completed_by, .. } if *completed_by == id => return Completed::Stored,
            State::Done { by } if *by == Some(id) => return Completed::Acknowledged,
            _ => return Completed::Lost,
        };
        entry.state = state;
        entry.keep(now, ttls);
        completed
    }

    pub(super) fn acknowledge(
        &mut self,
        request: AcknowledgeRequest,
        now: Instant,
    ) -> Acknowledged {
        let AcknowledgeRequest { key, id, .. } = request;
        match self.entry(key, now).map(|entry| &mut entry.state) {
            Some(State::Running { acknowledged, .. }) => *acknowledged = true,
            Some(State::Replied {
                response, holders, ..
            }) => {
                hold(holders, id);
                return Acknowledged::Replied(response.clone());
            }
            Some(State::Done { .. }) | None => {}
        }
        Acknowledged::Recorded
    }

    pub(super) fn release(&mut self, request: ReleaseRequest, now: Instant) -> Released {
        let ReleaseRequest { key, id, .. } = request;
        let Some(entry) = self.entry(key, now) else {
            return Released::Unknown;
        };
        match &mut entry.state {
            State::Running { id: by, lease, .. } if *by == id => {
                *lease = now;
                Released::NotCompleted
            }
            State::Replied { holders, .. } => {
                let was_held = holders.contains(&id);
                holders.retain(|holder| *holder != id);
                if was_held && holders.is_empty() {
                    entry.state = State::Done { by: Some(id) };
                    return Released::LastHold;
                }
                Released::HeldElsewhere
            }
            // A repeated operation.
            State::Done { by } if *by == Some(id) => Released::LastHold,
            State::Done { .. } | State::Running { .. } => Released::HeldElsewhere,
        }
    }

    /// Returns the message as it is at `now`; `None` if it is vacant.
    fn entry(&mut self, key: Key, now: Instant) -> Option<&mut Entry> {
        if self.0.get(&key)?.mark_ends <= now {
            self.0.remove(&key);
        }
        let entry = self.0.get_mut(&key)?;
        if entry.reply_ends <= now && matches!(entry.state, State::Replied { .. }) {
            entry.state = State::Done { by: None };
        }
        Some(entry)
    }

    /// Returns the message as it is at `now`. A vacant one belongs to the claim `id`, with a lease that is over.
    fn entry_or(&mut self, key: Key, now: Instant, id: ClaimId, number: u32) -> &mut Entry {
        let _ = self.entry(key, now);
        self.0.entry(key).or_insert(Entry {
            first_seen: now,
            number,
            state: State::Running {
                id,
                lease: now,
                acknowledged: false,
            },
            reply_ends: now,
            mark_ends: now,
        })
    }
}

impl Entry {
    fn keep(&mut self, now: Instant, ttls: Ttls) {
        self.reply_ends = now + ttls.reply;
        self.mark_ends = now + ttls.mark;
    }
}

fn hold(holders: &mut Vec<ClaimId>, id: ClaimId) {
    if !holders.contains(&id) {
        holders.push(id);
    }
}

/// For the doubles that make mistakes.
impl Reference {
    /// The claim that runs the message or has ended it.
    pub(super) fn claim_of(&self, key: Key) -> Option<ClaimId> {
        match &self.0.get(&key)?.state {
            State::Running { id, .. } => Some(*id),
            State::Replied { completed_by, .. } => Some(*completed_by),
            State::Done { by } => *by,
        }
    }

    pub(super) fn holders(&self, key: Key) -> Vec<ClaimId> {
        match self.0.get(&key).map(|entry| &entry.state) {
            Some(State::Replied { holders, .. }) => holders.clone(),
            _ => Vec::new(),
        }
    }

    /// Puts `key` into the state that it has in `before`.
    pub(super) fn restore(&mut self, key: Key, before: &Self) {
        match before.0.get(&key) {
            Some(entry) => self.0.insert(key, entry.clone()),
            None => self.0.remove(&key),
        };
    }
}
