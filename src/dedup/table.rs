//! The messages of this node: the machine of each, and the deliveries that wait for it.

use std::{collections::HashMap, mem, time::Duration};

use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    machine::{FOREVER, State},
    messages::{Bounds, Messages},
    store::{Acknowledged, Claim, ClaimId, Claimed, Completed, Ending, Released, Run, Ttls},
};
use crate::{
    key::{BuildKeyHasher, Key, Keyed, Wanted, differ},
    late::Fetching,
    response::StoredResponse,
};

/// The messages of this node. The caller holds the lock and says what time it is.
///
/// The node's own deliveries and tasks are claims on the same [machine](super::machine) that a store has: a message's task
/// claims it, completes it, and holds the reply; the deliveries that get the reply hold it together, for ever; and a
/// reply whose only holder is the task when it releases it is late.
#[derive(Debug)]
pub(super) struct Table {
    messages: Messages,
    /// The messages that are running, or whose reply no delivery has got yet.
    tasks: HashMap<Key, Task, BuildKeyHasher>,
    /// The id of the next claim.
    next: ClaimId,
    max_waiters: usize,
}

/// A message's task, as the node's deliveries see it.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) claim: Claim,
    /// The reply that WeChat wants, if it retries the message until it gets it. Then the reply is never late.
    pub(super) wants: Option<Wanted>,
    /// Its receivers are the deliveries that wait.
    pub(super) progress: watch::Sender<Progress>,
}

/// What the task and the deliveries tell each other.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) milestone: Milestone,
    pub(super) first_seen: Instant,
    /// Whether the store has answered the claim.
    pub(super) is_in_store: bool,
    /// Whether the store knows the message with another body.
    pub(super) differs_in_store: bool,
    /// What the message does with what is kept for its user.
    pub(super) fetching: Fetching,
    /// Whether a task keeps the message's slot in the mailbox.
    pub(super) is_slot_kept: bool,
    /// How many of its deliveries WeChat has given up.
    pub(super) hang_ups: u8,
    end: End,
}

/// Whether a task is over.
#[derive(Debug)]
enum End {
    Ahead,
    /// The token is cancelled then.
    Awaited(CancellationToken),
    Reached,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Milestone {
    Running,
    /// The deliveries look at the table again.
    Ended,
    /// A delivery has got the reply.
    Fetched,
}

/// What a delivery does next.
#[derive(Debug)]
pub(super) enum Admission<P> {
    /// Run the message with this permit, as this run by this node's count, and wait.
    Run(Task, Run, P, watch::Receiver<Progress>),
    /// Another delivery has made it run: wait.
    Join(Task, watch::Receiver<Progress>),
    /// It has been answered: send this reply, which counts as fetched.
    Replied(StoredResponse),
    /// It is over, and no reply is left.
    Done,
    /// The message is vacant, and there is no permit to run it.
    NoPermit,
    /// As many deliveries wait as may.
    Full,
}

impl<P> Admission<P> {
    /// Adds to the permit.
    pub(super) fn map<T>(self, add: impl FnOnce(P) -> T) -> Admission<T> {
        match self {
            Self::Run(task, run, permit, waiting) => {
                Admission::Run(task, run, add(permit), waiting)
            }
            Self::Join(task, waiting) => Admission::Join(task, waiting),
            Self::Replied(response) => Admission::Replied(response),
            Self::Done => Admission::Done,
            Self::NoPermit => Admission::NoPermit,
            Self::Full => Admission::Full,
        }
    }
}

impl Table {
    pub(super) fn new(bounds: Bounds, max_waiters: usize) -> Self {
        Self {
            messages: Messages::new(bounds),
            tasks: HashMap::default(),
            next: ClaimId::random(),
            max_waiters,
        }
    }

    /// Decides on a delivery that arrived at `arrival`. A vacant message takes the permit to run.
    pub(super) fn claim<P>(
        &mut self,
        keyed: impl Into<Keyed>,
        ttls: Ttls,
        arrival: Instant,
        now: Instant,
        permit: Option<P>,
    ) -> Admission<P> {
        let keyed = keyed.into();
        let key = keyed.key();
        let is_retried = keyed.wants().is_some();
        match self.messages.get(key, now) {
            // It has had a reply, and there was no room to keep it. WeChat takes any other one for a failure.
            Some(machine) if is_retried && machine.has_dropped_reply() => match permit {
                Some(permit) => {
                    self.messages.forget(key, now);
                    self.run(keyed, ttls, arrival, now, permit)
                }
                None => Admission::NoPermit,
            },
            Some(machine) if !machine.may_be_claimed(now) => {
                let delivered = Claim::new(key, ClaimId::DELIVERED, ttls);
                match machine.state {
                    State::Running {
                        is_acknowledged: true,
                        ..
                    } => Admission::Done,
                    State::Running { .. } => self.join(key),
                    State::Ended { .. } | State::Late { .. } => {
                        let task = self.tasks.get(&key);
                        if machine.is_unfetched()
                            && !is_retried
                            && task.is_some_and(|task| task.is_given_up(arrival))
                        {
                            return Admission::Done;
                        }
                        match self.acknowledge(delivered, None, now) {
                            Some(Acknowledged::Replied(response)) => Admission::Replied(response),
                            _ => Admission::Done,
                        }
                    }
                }
            }
            _ => match permit {
                Some(permit) => self.run(keyed, ttls, arrival, now, permit),
                None => Admission::NoPermit,
            },
        }
    }

    /// Whether the message is known with another body.
    pub(super) fn differs(&mut self, keyed: Keyed, now: Instant) -> bool {
        let machine = self.messages.get(keyed.key(), now);
        machine.is_some_and(|machine| differ(keyed.fingerprint(), machine.fingerprint))
    }

    fn join<P>(&self, key: Key) -> Admission<P> {
        match self.tasks.get(&key) {
            Some(task) if task.progress.receiver_count() < self.max_waiters => {
                Admission::Join(task.clone(), task.progress.subscribe())
            }
            _ => Admission::Full,
        }
    }

    fn run<P>(
        &mut self,
        keyed: Keyed,
        ttls: Ttls,
        arrival: Instant,
        now: Instant,
        permit: P,
    ) -> Admission<P> {
        let key = keyed.key();
        let fingerprint = keyed.fingerprint();
        let claim = Claim::new(key, self.next, ttls).with_fingerprint(fingerprint);
        self.next = self.next.next();
        // No lease runs out here, and no running message is forgotten: its task releases it.
        let for_ever = Claim {
            ttls: Ttls::new(FOREVER),
            ..claim
        };
        let Claimed::Won(run) = self.messages.claim(for_ever, now) else {
            return Admission::Full;
        };
        let (progress, waiting) = watch::channel(Progress {
            milestone: Milestone::Running,
            first_seen: arrival.min(now.checked_sub(run.age).unwrap_or(now)),
            is_in_store: false,
            differs_in_store: false,
            fetching: Fetching::None,
            is_slot_kept: false,
            hang_ups: 0,
            end: End::Ahead,
        });
        let task = Task {
            claim,
            wants: keyed.wants(),
            progress,
        };
        self.tasks.insert(key, task.clone());
        Admission::Run(task, run, permit, waiting)
    }

    /// Whether the claim's message has been acknowledged here.
    pub(super) fn is_acknowledged(&mut self, claim: Claim, now: Instant) -> bool {
        let machine = self.messages.get(claim.key, now);
        machine.is_some_and(|machine| {
            matches!(machine.state, State::Running { id, is_acknowledged: true, .. } if id == claim.id)
        })
    }

    /// Acknowledges a message. The delivery gets the reply if it is there by now, on this node or `stored`. Returns `None`
    /// if the message is vacant: its run was lost.
    pub(super) fn acknowledge(
        &mut self,
        claim: Claim,
        stored: Option<&StoredResponse>,
        now: Instant,
    ) -> Option<Acknowledged> {
        let machine = self.messages.get(claim.key, now);
        machine.filter(|machine| !machine.may_be_claimed(now))?;
        // The message's task may not have heard yet that it has ended.
        if stored.is_some() {
            self.complete(claim, stored, now);
        }
        let machine = self.messages.get(claim.key, now)?;
        let was_unfetched = machine.is_unfetched();
        // The hold of all deliveries that have got a reply here is never released.
        let id = ClaimId::DELIVERED;
        let acknowledged = machine.acknowledge(Claim { id, ..claim });
        if was_unfetched && acknowledged != Acknowledged::Recorded {
            if let Some(task) = self.tasks.remove(&claim.key) {
                task.reach(Milestone::Fetched);
            }
            self.messages.drop_replies(now);
        }
        Some(acknowledged)
    }

    /// Ends the claim's message. `None`: another node has acknowledged it.
    pub(super) fn complete(
        &mut self,
        claim: Claim,
        response: Option<&StoredResponse>,
        now: Instant,
    ) -> Completed {
        // Only a late reply needs the typed one, and its task has it.
        let ending = response.map(StoredResponse::without_reply);
        let ending = ending.map_or(Ending::Nothing, Ending::Reply);
        let completed = self.messages.complete(claim, ending, now);
        match completed {
            // A reply that shows nothing need not be fetched. One that WeChat retries for may wait for a later delivery.
            Completed::Stored
                if match self.task(claim).filter(|task| task.wants.is_some()) {
                    Some(task) => !task.is_awaited(),
                    None => response.is_some_and(StoredResponse::is_silent),
                } =>
            {
                self.acknowledge(claim, None, now);
            }
            Completed::Stored => {
                if let Some(task) = self.task(claim) {
                    task.reach(Milestone::Ended);
                }
            }
            Completed::Acknowledged => {
                self.leave_to_task(claim, now);
                self.end(claim);
            }
            Completed::Lost => {}
        }
        completed
    }

    /// Ends the claim of a task. A running message is vacant again, and the waiting deliveries may claim it. A reply that
    /// no delivery has fetched is the task's, and no delivery gets it, unless WeChat retries until it does.
    pub(super) fn release(&mut self, claim: Claim, now: Instant) -> Released {
        let is_kept = self.task(claim).is_some_and(|task| task.wants.is_some());
        let machine = self.messages.get(claim.key, now);
        if is_kept && machine.is_some_and(|machine| machine.is_unfetched()) {
            // For a later delivery.
            self.acknowledge(claim, None, now);
        }
        let released = self.messages.release(claim, now);
        if released == Released::LastHold {
            self.leave_to_task(claim, now);
        }
        self.end(claim);
        released
    }

    /// The claim's task has the late reply itself, so it is not kept here.
    fn leave_to_task(&mut self, claim: Claim, now: Instant) {
        self.messages.complete(claim, Ending::Nothing, now);
    }

    /// The claim's task is not waited for any more.
    fn end(&mut self, claim: Claim) {
        if self.task(claim).is_some()
            && let Some(task) = self.tasks.remove(&claim.key)
        {
            task.reach(Milestone::Ended);
        }
    }

    /// Whether the message runs here, or its reply waits for a delivery.
    pub(super) fn has_task(&self, key: Key) -> bool {
        self.tasks.contains_key(&key)
    }

    fn task(&self, claim: Claim) -> Option<&Task> {
        let task = self.tasks.get(&claim.key);
        task.filter(|task| task.claim.id == claim.id)
    }
}

impl Task {
    fn reach(&self, milestone: Milestone) {
        self.progress
            .send_modify(|progress| progress.milestone = milestone);
    }

    /// Whether a delivery waits.
    pub(super) fn is_awaited(&self) -> bool {
        self.progress.receiver_count() > 0
    }

    /// Notes that the store has answered the claim, and how long it has known the message. Wakes nobody. Returns whether
    /// it is the first answer.
    pub(super) fn seen_by_store(&self, age: Duration) -> bool {
        let now = Instant::now();
        let since = now.checked_sub(age).unwrap_or(now);
        let mut is_first = false;
        self.progress.send_if_modified(|progress| {
            progress.first_seen = since.min(progress.first_seen);
            is_first = !mem::replace(&mut progress.is_in_store, true);
            false
        });
        is_first
    }

    /// Notes that the store knows the message with another body. Wakes nobody. Returns whether it is new.
    pub(super) fn differs_for_the_first_time(&self) -> bool {
        let mut is_first = false;
        self.progress.send_if_modified(|progress| {
            is_first = !mem::replace(&mut progress.differs_in_store, true);
            false
        });
        is_first
    }

    /// Notes what the message does with what is kept for its user. Wakes nobody.
    pub(super) fn set_fetching(&self, fetching: Fetching) {
        self.progress.send_if_modified(|progress| {
            progress.fetching = fetching;
            false
        });
    }

    pub(super) fn fetching(&self) -> Fetching {
        self.progress.borrow().fetching
    }

    /// Notes that a task keeps the message's slot. Returns `false` if there is one already.
    pub(super) fn keep_slot(&self) -> bool {
        let mut is_first = false;
        self.progress.send_if_modified(|progress| {
            is_first = !mem::replace(&mut progress.is_slot_kept, true);
            false
        });
        is_first
    }

    /// Notes that no task keeps the message's slot any more.
    pub(super) fn leave_slot(&self) {
        self.progress.send_if_modified(|progress| {
            progress.is_slot_kept = false;
            false
        });
    }

    /// Notes that the task is over. Wakes those who wait for that alone.
    pub(super) fn end(&self) {
        self.progress.send_if_modified(|progress| {
            if let End::Awaited(over) = mem::replace(&mut progress.end, End::Reached) {
                over.cancel();
            }
            false
        });
    }

    /// The token that is cancelled when the task is over.
    pub(super) fn over(&self) -> CancellationToken {
        let mut token = CancellationToken::new();
        self.progress.send_if_modified(|progress| {
            match &progress.end {
                End::Ahead => progress.end = End::Awaited(token.clone()),
                End::Awaited(over) => token = over.clone(),
                End::Reached => token.cancel(),
            }
            false
        });
        token
    }

    pub(super) fn first_seen(&self) -> Instant {
        self.progress.borrow().first_seen
    }

    /// Returns how long the message had been seen on a delivery's arrival.
    pub(super) fn age_at(&self, arrival: Instant) -> Duration {
        let first_seen = self.progress.borrow().first_seen;
        arrival.saturating_duration_since(first_seen)
    }

    /// Returns the time since the message was first seen.
    pub(super) fn age(&self) -> Duration {
        self.progress.borrow().first_seen.elapsed()
    }

    /// Whether WeChat has given the message up before a delivery's arrival: the process or its host has stood still.
    fn is_given_up(&self, arrival: Instant) -> bool {
        self.age_at(arrival) >= DELIVERIES_LAST
    }

    /// Counts a hang-up on a delivery. Returns `false` if there have been as many as WeChat makes deliveries of the message.
    pub(super) fn hang_up(&self) -> bool {
        let mut is_counted = false;
        self.progress.send_if_modified(|progress| {
            is_counted = progress.hang_ups < DELIVERIES;
            progress.hang_ups = progress.hang_ups.saturating_add(1);
            false
        });
        is_counted
    }
}

/// WeChat makes the last delivery of a message 10 s after the first, and waits 5 s for each; some logs have a further one
/// then. Half a second is for the ways there.
pub(super) const DELIVERIES_LAST: Duration = Duration::from_millis(15_500);

/// The number of deliveries of a message: three by WeChat's documentation, four by some logs.
const DELIVERIES: u8 = 4;

#[cfg(test)]
mod tests;

#[cfg(all(test, shuttle))]
mod schedules;
