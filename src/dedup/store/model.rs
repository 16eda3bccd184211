use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;
use tower_wechat::dedup::{
    Key, Outcome,
    store::{Acknowledged, Claim, Completed, Owner},
};

enum State {
    Running { owner: Owner, lease: Instant, acknowledged: bool },
    Replied { outcome: Outcome, completed_by: Owner, holders: Vec<Owner> },
    Done { by: Option<Owner> },
}

struct Entry { first_seen: Instant, number: u32, state: State }

#[derive(Default)]
struct Messages(HashMap<Key, Entry>);

impl Messages {
    fn claim(&mut self, key: Key, owner: Owner, now: Instant, lease: Duration) -> Claim {
        let entry = self.0.entry(key).or_insert_with(|| Entry {
            first_seen: now,
            number: 0,
            // Of nobody, and over.
            state: State::Running { owner: Owner::NOBODY, lease: now, acknowledged: false },
        });
        let age = now - entry.first_seen;
        match &mut entry.state {
            State::Running { owner: by, lease: until, .. } if *by != owner && now < *until => {
                Claim::Running { age, lease: *until - now }
            }
            State::Running { owner: by, lease: until, .. } => {
                // The same owner's claim is the same run's.
                entry.number += u32::from(*by != owner);
                (*by, *until) = (owner, now + lease);
                Claim::Run { age, number: entry.number }
            }
            State::Replied { outcome, holders, .. } => {
                if !holders.contains(&owner) { holders.push(owner); }
                Claim::Replied(outcome.clone())
            }
            State::Done { .. } => Claim::Done,
        }
    }

    fn complete(&mut self, key: Key, owner: Owner, outcome: Outcome, now: Instant, acknowledged: bool) -> Completed {
        let entry = self.0.entry(key).or_insert_with(|| Entry {
            // Somebody lost it; it is still the truth.
            first_seen: now,
            number: 1,
            state: State::Running { owner, lease: now, acknowledged: false },
        });
        match &entry.state {
            State::Running { owner: by, acknowledged: already, .. } if *by == owner => {
                if *already || acknowledged {
                    entry.state = State::Done { by: Some(owner) };
                    return Completed::Acknowledged;
                }
                entry.state = State::Replied { outcome, completed_by: owner, holders: vec![owner] };
                Completed::Kept
            }
            // Said before.
            State::Replied { completed_by, .. } if *completed_by == owner => Completed::Kept,
            State::Done { by } if *by == Some(owner) => Completed::Acknowledged,
            _ => Completed::Lost,
        }
    }

    fn renew(&mut self, key: Key, owner: Owner, number: u32, now: Instant, lease: Duration) -> bool {
        let entry = self.0.entry(key).or_insert_with(|| Entry {
            first_seen: now,
            number,
            state: State::Running { owner, lease: now, acknowledged: false },
        });
        match &mut entry.state {
            State::Running { owner: by, lease: until, .. } if *by == owner => {
                *until = now + lease;
                true
            }
            _ => false,
        }
    }

    fn acknowledge(&mut self, key: Key, owner: Owner) -> Acknowledged {
        match self.0.get_mut(&key).map(|entry| &mut entry.state) {
            Some(State::Running { acknowledged, .. }) => *acknowledged = true,
            Some(State::Replied { outcome, holders, .. }) => {
                if !holders.contains(&owner) { holders.push(owner); }
                return Acknowledged::Replied(outcome.clone());
            }
            Some(State::Done { .. }) | None => {}
        }
        Acknowledged::Acknowledged
    }

    /// Whether the reply is the owner's to send by another channel.
    fn release(&mut self, key: Key, owner: Owner, now: Instant) -> bool {
        let Some(entry) = self.0.get_mut(&key) else { return false };
        match &mut entry.state {
            State::Running { owner: by, lease, .. } if *by == owner => *lease = now,
            State::Replied { holders, .. } => {
                let held = holders.len();
                holders.retain(|holder| *holder != owner);
                if holders.is_empty() && held > 0 {
                    entry.state = State::Done { by: Some(owner) };
                    return true;
                }
            }
            State::Done { by } => return *by == Some(owner),
            State::Running { .. } => {}
        }
        false
    }
}
