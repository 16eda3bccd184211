use std::{
    collections::HashMap,
    convert::Infallible,
    fmt,
    future::{Future, ready},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

use super::{Acknowledged, Claim, Completed, Owner, Store, Times};
use crate::dedup::{Key, Outcome};

/// A [`Store`] for nodes that live in one process, as they do in tests.
///
/// Its clones are one store. It forgets what is over when the message is next asked for, so it is not
/// bounded as a node's own table is.
#[derive(Clone, Default)]
pub struct MemoryStore {
    messages: Arc<Mutex<HashMap<Key, Entry>>>,
}

struct Entry {
    first_seen: Instant,
    forgotten: Instant,
    number: u32,
    state: State,
}

enum State {
    Running {
        owner: Owner,
        lease: Instant,
        acknowledged: bool,
    },
    Replied {
        outcome: Outcome,
        until: Instant,
        completed_by: Owner,
        holders: Vec<Owner>,
    },
    Done {
        by: Owner,
    },
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn messages(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        // No operation panics between two changes of an entry.
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, key: Key, change: impl FnOnce(&mut Option<Entry>, Instant) -> T) -> T {
        let now = Instant::now();
        let mut messages = self.messages();
        let mut entry = messages.remove(&key).and_then(|entry| entry.at(now));
        let answer = change(&mut entry, now);
        if let Some(entry) = entry {
            messages.insert(key, entry);
        }
        answer
    }
}

impl Entry {
    fn running(owner: Owner, number: u32, now: Instant) -> Self {
        Self {
            first_seen: now,
            forgotten: now,
            number,
            state: State::Running {
                owner,
                lease: now,
                acknowledged: false,
            },
        }
    }

    /// What has become of it by now.
    fn at(mut self, now: Instant) -> Option<Self> {
        if let State::Replied { until, .. } = self.state
            && until <= now
        {
            self.state = State::Done { by: Owner::NOBODY };
        }
        (now < self.forgotten).then_some(self)
    }
}

impl Store for MemoryStore {
    type Error = Infallible;

    fn claim(
        &self,
        key: Key,
        owner: Owner,
        times: Times,
    ) -> impl Future<Output = Result<Claim, Infallible>> + Send {
        ready(Ok(self.with(key, |entry, now| {
            let entry = entry.get_or_insert_with(|| Entry::running(Owner::NOBODY, 0, now));
            let age = now.duration_since(entry.first_seen);
            match &mut entry.state {
                State::Running {
                    owner: by, lease, ..
                } if *by != owner && now < *lease => Claim::Running {
                    age,
                    lease: lease.duration_since(now),
                },
                State::Running {
                    owner: by, lease, ..
                } => {
                    entry.number = entry.number.saturating_add(u32::from(*by != owner));
                    *by = owner;
                    *lease = now + times.lease;
                    entry.forgotten = now + times.mark;
                    Claim::Run {
                        age,
                        number: entry.number,
                    }
                }
                State::Replied {
                    outcome, holders, ..
                } => {
                    hold(holders, owner);
                    Claim::Replied(outcome.clone())
                }
                State::Done { .. } => Claim::Done,
            }
        })))
    }

    fn renew(
        &self,
        key: Key,
        owner: Owner,
        number: u32,
        times: Times,
    ) -> impl Future<Output = Result<bool, Infallible>> + Send {
        ready(Ok(self.with(key, |entry, now| {
            let entry = entry.get_or_insert_with(|| Entry::running(owner, number, now));
            let State::Running {
                owner: by, lease, ..
            } = &mut entry.state
            else {
                return false;
            };
            if *by != owner {
                return false;
            }
            *lease = now + times.lease;
            entry.forgotten = now + times.mark;
            true
        })))
    }

    fn complete(
        &self,
        key: Key,
        owner: Owner,
        outcome: &Outcome,
        acknowledged: bool,
        times: Times,
    ) -> impl Future<Output = Result<Completed, Infallible>> + Send {
        ready(Ok(self.with(key, |entry, now| {
            let entry = entry.get_or_insert_with(|| Entry::running(owner, 1, now));
            match &entry.state {
                State::Running {
                    owner: by,
                    acknowledged: already,
                    ..
                } if *by == owner => {
                    entry.forgotten = now + times.mark;
                    if *already || acknowledged {
                        entry.state = State::Done { by: owner };
                        return Completed::Acknowledged;
                    }
                    entry.state = State::Replied {
                        outcome: outcome.clone(),
                        until: now + times.reply,
                        completed_by: owner,
                        holders: vec![owner],
                    };
                    Completed::Kept
                }
                State::Replied { completed_by, .. } if *completed_by == owner => Completed::Kept,
                State::Done { by } if *by == owner => Completed::Acknowledged,
                _ => Completed::Lost,
            }
        })))
    }

    fn acknowledge(
        &self,
        key: Key,
        owner: Owner,
    ) -> impl Future<Output = Result<Acknowledged, Infallible>> + Send {
        ready(Ok(self.with(key, |entry, _| {
            match entry.as_mut().map(|entry| &mut entry.state) {
                Some(State::Running { acknowledged, .. }) => *acknowledged = true,
                Some(State::Replied {
                    outcome, holders, ..
                }) => {
                    hold(holders, owner);
                    return Acknowledged::Replied(outcome.clone());
                }
                Some(State::Done { .. }) | None => {}
            }
            Acknowledged::Acknowledged
        })))
    }

    fn release(
        &self,
        key: Key,
        owner: Owner,
    ) -> impl Future<Output = Result<bool, Infallible>> + Send {
        ready(Ok(self.with(key, |entry, now| {
            let Some(entry) = entry else { return false };
            match &mut entry.state {
                State::Running {
                    owner: by, lease, ..
                } if *by == owner => *lease = now,
                State::Replied { holders, .. } => {
                    let held = holders.len();
                    holders.retain(|holder| *holder != owner);
                    if holders.is_empty() && held > 0 {
                        entry.state = State::Done { by: owner };
                        return true;
                    }
                }
                State::Done { by } => return *by == owner,
                State::Running { .. } => {}
            }
            false
        })))
    }
}

fn hold(holders: &mut Vec<Owner>, owner: Owner) {
    if !holders.contains(&owner) {
        holders.push(owner);
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("messages", &self.messages().len())
            .finish_non_exhaustive()
    }
}
