use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;
use tower_wechat::dedup::{
    Key, StoredResponse,
    store::{Acknowledged, ClaimId, Claimed, Completed, Released, Renewed},
};

#[derive(Clone, PartialEq)]
enum State {
    Running { id: ClaimId, lease: Instant, acknowledged: bool },
    Replied { response: StoredResponse, completed_by: ClaimId, holders: Vec<ClaimId> },
    Done { by: Option<ClaimId> },
}

#[derive(Clone, PartialEq)]
struct Entry { first_seen: Instant, number: u32, state: State }

#[derive(Clone, Default, PartialEq)]
struct Messages(HashMap<Key, Entry>);

impl Messages {
    fn claim(&mut self, key: Key, id: ClaimId, now: Instant, lease: Duration) -> Claimed {
        let entry = self.0.entry(key).or_insert_with(|| Entry {
            first_seen: now,
            number: 0,
            // Of no claim, and its lease is over.
            state: State::Running { id: ClaimId::NONE, lease: now, acknowledged: false },
        });
        let age = now - entry.first_seen;
        match &mut entry.state {
            State::Running { id: by, lease: until, .. } if *by != id && now < *until => {
                Claimed::Running { age, lease: *until - now }
            }
            State::Running { id: by, lease: until, .. } => {
                // A repeated claim is of the same run.
                entry.number += u32::from(*by != id);
                (*by, *until) = (id, now + lease);
                Claimed::Run { age, number: entry.number }
            }
            State::Replied { response, holders, .. } => {
                if !holders.contains(&id) { holders.push(id); }
                Claimed::Replied(response.clone())
            }
            State::Done { .. } => Claimed::Done,
        }
    }

    fn complete(&mut self, key: Key, id: ClaimId, response: StoredResponse, now: Instant, acknowledged: bool) -> Completed {
        let entry = self.0.entry(key).or_insert_with(|| Entry {
            // The store has lost the message; its claim still knows the truth.
            first_seen: now,
            number: 1,
            state: State::Running { id, lease: now, acknowledged: false },
        });
        match &entry.state {
            State::Running { id: by, acknowledged: already, .. } if *by == id => {
                if *already || acknowledged {
                    entry.state = State::Done { by: Some(id) };
                    return Completed::Acknowledged;
                }
                entry.state = State::Replied { response, completed_by: id, holders: vec![id] };
                Completed::Stored
            }
            // A repeated operation.
            State::Replied { completed_by, .. } if *completed_by == id => Completed::Stored,
            State::Done { by } if *by == Some(id) => Completed::Acknowledged,
            _ => Completed::Lost,
        }
    }

    fn renew(&mut self, key: Key, id: ClaimId, number: u32, now: Instant, lease: Duration) -> Renewed {
        let entry = self.0.entry(key).or_insert_with(|| Entry {
            first_seen: now,
            number,
            state: State::Running { id, lease: now, acknowledged: false },
        });
        match &mut entry.state {
            State::Running { id: by, lease: until, .. } if *by == id => {
                *until = now + lease;
                Renewed::Yours
            }
            _ => Renewed::Lost,
        }
    }

    fn acknowledge(&mut self, key: Key, id: ClaimId) -> Acknowledged {
        match self.0.get_mut(&key).map(|entry| &mut entry.state) {
            Some(State::Running { acknowledged, .. }) => *acknowledged = true,
            Some(State::Replied { response, holders, .. }) => {
                if !holders.contains(&id) { holders.push(id); }
                return Acknowledged::Replied(response.clone());
            }
            Some(State::Done { .. }) | None => {}
        }
        Acknowledged::Recorded
    }

    fn release(&mut self, key: Key, id: ClaimId, now: Instant) -> Released {
        let Some(entry) = self.0.get_mut(&key) else { return Released::Unknown };
        match &mut entry.state {
            State::Running { id: by, lease, .. } if *by == id => {
                *lease = now;
                Released::NotCompleted
            }
            State::Replied { holders, .. } => {
                let held = holders.len();
                holders.retain(|holder| *holder != id);
                if holders.is_empty() && held > 0 {
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
}
