//! The states of one message: a machine without I/O and without a clock.

use std::{mem, time::Duration};

use tokio::time::Instant;

use super::store::{
    Acknowledged, Claim, ClaimId, Claimed, Completed, Ending, Released, Renewed, Run,
};
use crate::{key::Fingerprint, response::StoredResponse, timestamp::before};

/// A message that is not vacant.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Machine {
    pub(super) first_seen: Instant,
    /// Of the claim that it began with.
    pub(super) fingerprint: Option<Fingerprint>,
    /// When it is vacant again.
    pub(super) forgotten: Instant,
    number: u32,
    pub(super) state: State,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    Running {
        id: ClaimId,
        lease: Instant,
        is_acknowledged: bool,
    },
    /// Replied as long as the reply is kept, then done.
    Ended {
        /// The claim that completed it, or the last one that held its reply.
        by: ClaimId,
        reply: Option<(StoredResponse, Instant)>,
        /// The claims that may give the reply to a delivery.
        holders: Holders,
    },
    /// No delivery gets the reply any more.
    Late {
        /// The claim that hands it over.
        id: ClaimId,
        lease: Instant,
        reply: StoredResponse,
    },
}

impl Machine {
    /// A vacant message that begins with `claim`. It is `id`'s, and its lease is over.
    pub(super) fn vacant(claim: Claim, id: ClaimId, run: Run, now: Instant) -> Self {
        Self {
            fingerprint: claim.fingerprint,
            first_seen: before(now, run.age),
            forgotten: now,
            number: run.number,
            state: State::Running {
                id,
                lease: now,
                is_acknowledged: false,
            },
        }
    }

    /// For a vacant message, begin with [`vacant`](Self::vacant) of the id of no claim, and of run number 0.
    pub(super) fn claim(&mut self, claim: Claim, now: Instant) -> Claimed {
        let age = now.duration_since(self.first_seen);
        match &mut self.state {
            State::Running { id, lease, .. } if *id != claim.id && now < *lease => {
                Claimed::Running {
                    age,
                    lease: lease.duration_since(now),
                }
            }
            State::Late { id, lease, .. } if *id != claim.id && now < *lease => Claimed::Late {
                lease: lease.duration_since(now),
            },
            State::Running { id, lease, .. } => {
                // A repeated claim is of the same run.
                self.number = self.number.saturating_add(u32::from(*id != claim.id));
                (*id, *lease) = (claim.id, after(now, claim.ttls.lease));
                self.forgotten = after(now, claim.ttls.mark);
                Claimed::Won(Run::new(age, self.number))
            }
            State::Ended {
                reply: Some((response, _until)),
                holders,
                ..
            } => {
                holders.add(claim.id);
                Claimed::Replied {
                    age,
                    response: response.clone(),
                }
            }
            State::Ended { reply: None, .. } => Claimed::Done,
            State::Late { id, lease, reply } => {
                (*id, *lease) = (claim.id, after(now, claim.ttls.lease));
                self.forgotten = after(now, claim.ttls.mark);
                Claimed::TakenOver(reply.clone())
            }
        }
    }

    /// For a vacant message, begin with [`vacant`](Self::vacant) of this claim's id, and of the run in the operation.
    pub(super) fn renew(&mut self, claim: Claim, run: Run, now: Instant) -> Renewed {
        match &mut self.state {
            State::Running { id, lease, .. } | State::Late { id, lease, .. } if *id == claim.id => {
                *lease = after(now, claim.ttls.lease);
                self.forgotten = after(now, claim.ttls.mark);
                // The claim may have been carried out late.
                self.first_seen = self.first_seen.min(before(now, run.age));
                Renewed::Yours
            }
            _ => Renewed::Lost,
        }
    }

    /// For a vacant message, begin with [`vacant`](Self::vacant) of this claim's id, and of run number 1: the store has lost
    /// the message.
    pub(super) fn complete(&mut self, claim: Claim, ending: Ending, now: Instant) -> Completed {
        let is_late = match &self.state {
            State::Running {
                id,
                is_acknowledged,
                ..
            } if *id == claim.id => Some(*is_acknowledged),
            State::Late { id, .. } if *id == claim.id => Some(true),
            State::Ended { holders, .. } if holders.are_only(claim.id) => {
                (!matches!(ending, Ending::Reply(_))).then_some(true)
            }
            // A repeated operation, or another claim's message.
            _ => None,
        };
        if let Some(is_late) = is_late {
            self.forgotten = after(now, claim.ttls.mark);
            self.state = match ending {
                Ending::Reply(reply) if !is_late => State::Ended {
                    by: claim.id,
                    reply: Some((reply, after(now, claim.ttls.reply))),
                    holders: Holders::new(claim.id),
                },
                Ending::Reply(reply) | Ending::Late(reply) => State::late(claim, reply, now),
                Ending::Nothing => State::done(claim.id),
            };
        }
        match &self.state {
            State::Ended { by, holders, .. } if *by == claim.id && !holders.is_empty() => {
                Completed::Stored
            }
            State::Ended { by: id, .. } | State::Late { id, .. } if *id == claim.id => {
                Completed::Acknowledged
            }
            _ => Completed::Lost,
        }
    }

    /// A vacant message stays vacant, and the answer is `Recorded`.
    pub(super) fn acknowledge(&mut self, claim: Claim) -> Acknowledged {
        match &mut self.state {
            State::Running {
                is_acknowledged, ..
            } => *is_acknowledged = true,
            State::Ended {
                reply: Some((response, _until)),
                holders,
                ..
            } => {
                holders.add(claim.id);
                return Acknowledged::Replied(response.clone());
            }
            State::Ended { reply: None, .. } | State::Late { .. } => {}
        }
        Acknowledged::Recorded
    }

    /// A vacant message stays vacant, and the answer is `Unclaimed`.
    pub(super) fn release(&mut self, claim: Claim, now: Instant) -> Released {
        match &mut self.state {
            State::Running { id, lease, .. } if *id == claim.id => {
                // It is over by every clock.
                *lease = self.first_seen;
                self.forgotten = after(now, claim.ttls.mark);
                Released::NotCompleted
            }
            State::Running { lease, .. } if now < *lease => Released::RunningElsewhere,
            // Another claim has lost it.
            State::Running { .. } => Released::Unclaimed,
            State::Ended { reply, holders, .. } if holders.are_only(claim.id) => {
                self.forgotten = after(now, claim.ttls.mark);
                self.state = match reply.take() {
                    Some((reply, _until)) => State::late(claim, reply, now),
                    None => State::done(claim.id),
                };
                Released::LastHold
            }
            State::Ended { holders, .. } if !holders.is_empty() => {
                holders.remove(claim.id);
                Released::HeldElsewhere
            }
            // A repeated operation.
            State::Ended { by: id, .. } | State::Late { id, .. } if *id == claim.id => {
                Released::LastHold
            }
            State::Ended { .. } | State::Late { .. } => Released::SentElsewhere,
        }
    }

    /// Whether the next claim gets it to run: its lease is over.
    pub(super) fn may_be_claimed(&self, now: Instant) -> bool {
        matches!(self.state, State::Running { lease, .. } if lease <= now)
    }

    /// Whether no claim but the one that completed it has taken hold of its reply.
    pub(super) fn is_unfetched(&self) -> bool {
        matches!(&self.state, State::Ended { by, holders, .. } if holders.are_only(*by))
    }

    /// Whether its reply was dropped for want of room, or its time is over.
    pub(super) fn has_dropped_reply(&self) -> bool {
        matches!(&self.state, State::Ended { reply: None, holders, .. } if !holders.is_empty())
    }

    pub(super) fn is_late(&self) -> bool {
        matches!(self.state, State::Late { .. })
    }

    /// Takes a reply away whose time is over. A late one has no time.
    pub(super) fn expire(&mut self, now: Instant) -> Option<StoredResponse> {
        let State::Ended { reply, .. } = &mut self.state else {
            return None;
        };
        let expired = reply.take_if(|(_response, until)| *until <= now);
        expired.map(|(response, _until)| response)
    }

    /// Takes the reply away. Its holders still have it.
    pub(super) fn take_reply(&mut self) -> Option<StoredResponse> {
        match &mut self.state {
            State::Running { .. } => None,
            State::Ended { reply, .. } => reply.take().map(|(reply, _until)| reply),
            State::Late { id, .. } => {
                let done = State::done(*id);
                match mem::replace(&mut self.state, done) {
                    State::Late { reply, .. } => Some(reply),
                    _ => None,
                }
            }
        }
    }

    /// The memory that the reply takes, in bytes.
    pub(super) fn reply_size(&self) -> usize {
        match &self.state {
            State::Ended {
                reply: Some((reply, _)),
                ..
            }
            | State::Late { reply, .. } => reply.size(),
            State::Running { .. } | State::Ended { reply: None, .. } => 0,
        }
    }
}

impl State {
    fn late(claim: Claim, reply: StoredResponse, now: Instant) -> Self {
        Self::Late {
            id: claim.id,
            lease: after(now, claim.ttls.lease),
            reply,
        }
    }

    fn done(by: ClaimId) -> Self {
        Self::Ended {
            by,
            reply: None,
            holders: Holders::NONE,
        }
    }
}

/// The claims that hold a reply, seldom more than two: the one that completed the message, and that of all deliveries.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Holders {
    /// [`ClaimId::NONE`] stands for none.
    few: [ClaimId; 2],
    more: Vec<ClaimId>,
}

impl Holders {
    const NONE: Self = Self::new(ClaimId::NONE);

    const fn new(id: ClaimId) -> Self {
        Self {
            few: [id, ClaimId::NONE],
            more: Vec::new(),
        }
    }

    fn ids(&self) -> impl Iterator<Item = ClaimId> {
        let ids = self.few.iter().chain(&self.more).copied();
        ids.filter(|id| *id != ClaimId::NONE)
    }

    fn is_empty(&self) -> bool {
        self.ids().next().is_none()
    }

    fn are_only(&self, id: ClaimId) -> bool {
        self.ids().eq([id])
    }

    fn add(&mut self, id: ClaimId) {
        if self.ids().any(|holder| holder == id) {
            return;
        }
        match self.few.iter_mut().find(|holder| **holder == ClaimId::NONE) {
            Some(free) => *free = id,
            None => self.more.push(id),
        }
    }

    fn remove(&mut self, id: ClaimId) {
        if let Some(holder) = self.few.iter_mut().find(|holder| **holder == id) {
            *holder = ClaimId::NONE;
        }
        self.more.retain(|holder| *holder != id);
    }
}

/// The end of `ttl`, capped so that it is a representable time.
pub(super) fn after(now: Instant, ttl: Duration) -> Instant {
    now + ttl.min(FOREVER)
}

/// Ten years: longer than any process runs.
pub(super) const FOREVER: Duration = Duration::from_hours(87600);
