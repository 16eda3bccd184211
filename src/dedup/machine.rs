//! The states of each message: a machine without I/O and without a clock.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    key::Key,
    response::StoredResponse,
    store::{
        AcknowledgeRequest, Acknowledged, ClaimId, ClaimRequest, Claimed, CompleteRequest,
        Completed, ReleaseRequest, Released, RenewRequest, Renewed,
    },
};

/// The states of at most a number of messages. The caller says what time it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Machine {
    messages: HashMap<Key, Record>,
    /// Each message once, the one that was claimed first in front.
    order: VecDeque<Key>,
    capacity: usize,
}

#[derive(Debug, Clone, PartialEq)]
struct Record {
    first_seen: Instant,
    /// When it becomes vacant.
    forgotten: Instant,
    number: u32,
    state: State,
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    Running {
        id: ClaimId,
        lease: Instant,
        is_acknowledged: bool,
    },
    Replied {
        response: StoredResponse,
        until: Instant,
        completed_by: ClaimId,
        holders: Vec<ClaimId>,
    },
    /// Ended by this claim.
    Done { by: ClaimId },
}

impl Machine {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            messages: HashMap::new(),
            order: VecDeque::new(),
            capacity,
        }
    }

    pub(super) fn claim(&mut self, request: ClaimRequest, now: Instant) -> Claimed {
        let ClaimRequest { key, id, ttls } = request;
        // A vacant message has belonged to no claim, and its lease is over.
        let message = self.message_or(key, now, ClaimId::NONE, 0);
        let age = now.duration_since(message.first_seen);
        match &mut message.state {
            State::Running { id: by, lease, .. } if *by != id && now < *lease => {
                Claimed::running(age, lease.duration_since(now))
            }
            State::Running { id: by, lease, .. } => {
                // A repeated claim is of the same run.
                message.number = message.number.saturating_add(u32::from(*by != id));
                (*by, *lease) = (id, after(now, ttls.lease));
                message.forgotten = after(now, ttls.mark);
                Claimed::run(age, message.number)
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
        } = request;
        let message = self.message_or(key, now, id, number);
        match &mut message.state {
            State::Running { id: by, lease, .. } if *by == id => {
                *lease = after(now, ttls.lease);
                message.forgotten = after(now, ttls.mark);
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
        } = request;
        // If the message has been lost here, its claim still knows the truth.
        let message = self.message_or(key, now, id, 1);
        match &message.state {
            State::Running {
                id: by,
                is_acknowledged: already,
                ..
            } if *by == id => {
                message.forgotten = after(now, ttls.mark);
                if *already || is_acknowledged {
                    message.state = State::Done { by: id };
                    return Completed::Acknowledged;
                }
                message.state = State::Replied {
                    response: response.clone(),
                    until: after(now, ttls.reply),
                    completed_by: id,
                    holders: vec![id],
                };
                Completed::Stored
            }
            // Repeated operations.
            State::Replied { completed_by, .. } if *completed_by == id => Completed::Stored,
            State::Done { by } if *by == id => Completed::Acknowledged,
            _ => Completed::Lost,
        }
    }

    pub(super) fn acknowledge(
        &mut self,
        request: AcknowledgeRequest,
        now: Instant,
    ) -> Acknowledged {
        let AcknowledgeRequest { key, id } = request;
        match self.message(key, now).map(|message| &mut message.state) {
            Some(State::Running {
                is_acknowledged, ..
            }) => *is_acknowledged = true,
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
        let ReleaseRequest { key, id } = request;
        let Some(message) = self.message(key, now) else {
            return Released::Unknown;
        };
        match &mut message.state {
            State::Running { id: by, lease, .. } if *by == id => {
                *lease = now;
                Released::NotCompleted
            }
            State::Replied { holders, .. } if holders[..] == [id] => {
                message.state = State::Done { by: id };
                Released::LastHold
            }
            State::Replied { holders, .. } => {
                holders.retain(|holder| *holder != id);
                Released::HeldElsewhere
            }
            // A repeated operation.
            State::Done { by } if *by == id => Released::LastHold,
            State::Done { .. } | State::Running { .. } => Released::HeldElsewhere,
        }
    }

    /// The message as it is at `now`; `None` if it is vacant.
    fn message(&mut self, key: Key, now: Instant) -> Option<&mut Record> {
        let message = self.messages.get_mut(&key)?;
        if let State::Replied { until, .. } = message.state
            && until <= now
        {
            message.state = State::Done { by: ClaimId::NONE };
        }
        Some(message).filter(|message| now < message.forgotten)
    }

    /// The message as it is at `now`. A vacant one is `id`'s, and its lease is over.
    fn message_or(&mut self, key: Key, now: Instant, id: ClaimId, number: u32) -> &mut Record {
        let vacant = Record {
            first_seen: now,
            forgotten: now,
            number,
            state: State::Running {
                id,
                lease: now,
                is_acknowledged: false,
            },
        };
        if self.message(key, now).is_none() {
            if self.messages.insert(key, vacant.clone()).is_none() {
                self.order.push_back(key);
            }
            self.make_room(now);
        }
        self.messages.entry(key).or_insert(vacant)
    }

    /// Forgets the messages that were claimed first, but none that is running.
    fn make_room(&mut self, now: Instant) {
        for _ in 0..self.order.len() {
            if self.messages.len() <= self.capacity {
                return;
            }
            let Some(key) = self.order.pop_front() else {
                return;
            };
            let is_running = self.messages.get(&key).is_some_and(
                |message| matches!(message.state, State::Running { lease, .. } if now <= lease),
            );
            if is_running {
                self.order.push_back(key);
            } else {
                self.messages.remove(&key);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }
}

fn hold(holders: &mut Vec<ClaimId>, id: ClaimId) {
    if !holders.contains(&id) {
        holders.push(id);
    }
}

/// The end of `ttl`, capped so that it is a representable time.
pub(super) fn after(now: Instant, ttl: Duration) -> Instant {
    now + ttl.min(FOREVER)
}

/// Ten years: longer than any process runs.
pub(super) const FOREVER: Duration = Duration::from_hours(87600);
