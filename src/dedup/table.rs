//! The messages of one shard of this node: the machine of each, and the deliveries that wait for it.

use std::{
    collections::HashMap,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};
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
    timestamp::before,
};

/// The messages of one shard of this node. The caller holds the lock and says what time it is.
///
/// The node's own deliveries and tasks are claims on the same [machine](super::machine) that a store has: a message's task
/// claims it, completes it, and holds the reply. The deliveries that get the reply hold it together, for ever. If the task is
/// the only holder when it releases the reply, the reply is late.
#[derive(Debug)]
pub(super) struct Table {
    messages: Messages,
    /// The messages that are running, or whose reply no delivery has got yet.
    tasks: HashMap<Key, Arc<Task>, BuildKeyHasher>,
    /// The id of the next claim.
    next: ClaimId,
    max_waiters: usize,
}

/// A message's task, as the node's deliveries see it.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) claim: Claim,
    /// The reply that WeChat wants, if it retries the message until it gets it. Then the reply is never late.
    pub(super) wants: Option<Wanted>,
    /// Whether a delivery has asked the store for the reply. The claim may hold it since then.
    has_asked: AtomicBool,
    progress: Mutex<Progress>,
    /// Notified of each milestone.
    reached: Notify,
    /// Notified when the last delivery that waits leaves.
    left: Notify,
}

/// What the task and the deliveries tell each other.
#[derive(Debug)]
struct Progress {
    milestone: Milestone,
    /// How many have looked for the next one, and may wait for it.
    watching: usize,
    /// How many deliveries wait.
    waiting: usize,
    first_seen: Instant,
    /// Whether the store has answered the claim.
    is_in_store: bool,
    /// Whether the store knows the message with another body.
    differs_in_store: bool,
    /// What the message does with what is kept for its user.
    fetching: Fetching,
    /// Whether a task keeps the message's slot in the mailbox.
    is_slot_kept: bool,
    /// How many of its deliveries WeChat has given up.
    hang_ups: u8,
    end: End,
}

/// A delivery that waits for a message's task. Dropped, it waits no more.
#[derive(Debug)]
pub(super) struct Waiting(Arc<Task>);

/// Whether a task is over.
#[derive(Debug)]
enum End {
    Ahead,
    /// The token is cancelled then.
    Awaited(CancellationToken),
    Reached,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
    Run(Waiting, Run, P),
    /// Another delivery has made it run: wait.
    Join(Waiting),
    /// It has been answered: send this reply, which counts as fetched.
    Replied(StoredResponse),
    /// It is over, and no reply is left.
    Done,
    /// The message is vacant, and there is no permit to run it.
    NoPermit,
    /// No further delivery may wait for the message, or no further message of its user.
    Full,
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

    /// Decides on a delivery that arrived at `arrival`. A vacant message takes a permit to run, or the delivery does what is
    /// returned instead.
    pub(super) fn claim<P>(
        &mut self,
        keyed: impl Into<Keyed>,
        ttls: Ttls,
        arrival: Instant,
        now: Instant,
        permit: impl FnOnce() -> Result<P, Admission<P>>,
    ) -> Admission<P> {
        let keyed = keyed.into();
        let key = keyed.key();
        let is_retried = keyed.wants().is_some();
        match self.messages.get(key, now) {
            // It has had a reply, and there was no room to keep it. WeChat takes any other one for a failure.
            Some(machine) if is_retried && machine.has_dropped_reply() => match permit() {
                Ok(permit) => {
                    self.messages.forget(key, now);
                    self.run(keyed, ttls, arrival, now, permit)
                }
                Err(instead) => instead,
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
                        if machine.is_unfetched()
                            && !is_retried
                            && let Some(task) = self.tasks.get(&key)
                            && task.is_given_up(arrival)
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
            _ => match permit() {
                Ok(permit) => self.run(keyed, ttls, arrival, now, permit),
                Err(instead) => instead,
            },
        }
    }

    /// Whether the message is known with another body.
    pub(super) fn differs(&mut self, keyed: Keyed, now: Instant) -> bool {
        let machine = self.messages.get(keyed.key(), now);
        machine.is_some_and(|machine| differ(keyed.fingerprint(), machine.fingerprint))
    }

    fn join<P>(&self, key: Key) -> Admission<P> {
        let task = self.tasks.get(&key);
        let waiting = task.and_then(|task| Waiting::join(task, self.max_waiters));
        waiting.map_or(Admission::Full, Admission::Join)
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
        let progress = Progress {
            milestone: Milestone::Running,
            watching: 0,
            waiting: 1,
            first_seen: arrival.min(before(now, run.age)),
            is_in_store: false,
            differs_in_store: false,
            fetching: Fetching::None,
            is_slot_kept: false,
            hang_ups: 0,
            end: End::Ahead,
        };
        let task = Arc::new(Task {
            claim,
            wants: keyed.wants(),
            has_asked: AtomicBool::new(false),
            progress: Mutex::new(progress),
            reached: Notify::new(),
            left: Notify::new(),
        });
        self.tasks.insert(key, Arc::clone(&task));
        Admission::Run(Waiting(task), run, permit)
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
        let mut machine = machine.filter(|machine| !machine.may_be_claimed(now))?;
        // The message's task may not have heard yet that it has ended.
        if stored.is_some() {
            self.complete(claim, stored, now);
            machine = self.messages.get(claim.key, now)?;
        }
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

    /// Ends the claim's message. `response` is `None` if another node has acknowledged the message.
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
            Completed::Stored => {
                let task = self.task(claim);
                // A reply that shows nothing need not be fetched. One that WeChat retries for may wait for a later delivery.
                let is_over = match task.filter(|task| task.wants.is_some()) {
                    Some(task) => !task.is_awaited(),
                    None => response.is_some_and(StoredResponse::is_silent),
                };
                if is_over {
                    self.acknowledge(claim, None, now);
                } else if let Some(task) = task {
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

    /// Returns the reply that was dropped last, to be freed without the lock.
    pub(super) fn take_dropped(&mut self) -> Option<StoredResponse> {
        self.messages.take_dropped()
    }

    fn task(&self, claim: Claim) -> Option<&Task> {
        let task = self.tasks.get(&claim.key)?;
        (task.claim.id == claim.id).then_some(task)
    }
}

impl Task {
    /// Its claim. If `briefly`, the store keeps what it is told only as long as the deliveries may fetch the reply.
    pub(super) fn claim_for(&self, briefly: bool) -> Claim {
        if briefly {
            self.claim.kept_briefly()
        } else {
            self.claim
        }
    }

    /// Each change leaves whole values.
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reach(&self, milestone: Milestone) {
        let mut progress = self.progress();
        progress.milestone = milestone;
        let watching = mem::take(&mut progress.watching);
        drop(progress);
        if watching > 0 {
            self.reached.notify_waiters();
        }
    }

    pub(super) fn has_reached(&self, milestone: Milestone) -> bool {
        self.progress().milestone >= milestone
    }

    /// Waits for the milestone.
    pub(super) async fn reaches(&self, milestone: Milestone) {
        loop {
            // Before the look: it hears of what comes after that.
            let reached = self.reached.notified();
            {
                let mut progress = self.progress();
                if progress.milestone >= milestone {
                    return;
                }
                progress.watching += 1;
            }
            reached.await;
        }
    }

    /// Whether a delivery waits.
    pub(super) fn is_awaited(&self) -> bool {
        self.progress().waiting > 0
    }

    /// Waits until no delivery waits.
    pub(super) async fn is_left(&self) {
        while self.is_awaited() {
            self.left.notified().await;
        }
    }

    /// Whether the message begins with the run of this number. One that WeChat retries for hours may have failed, and its failure
    /// may have been forgotten.
    pub(super) fn begins_with(&self, run: u32) -> bool {
        run == 1 && self.wants.is_none()
    }

    /// Notes that the store has answered the claim, and how long it has known the message. Returns whether it is the first
    /// answer.
    pub(super) fn seen_by_store(&self, age: Duration) -> bool {
        let now = Instant::now();
        let since = before(now, age);
        let mut progress = self.progress();
        progress.first_seen = since.min(progress.first_seen);
        !mem::replace(&mut progress.is_in_store, true)
    }

    /// When the message was first seen, and whether the store has answered the claim. Its answer changes both at a time.
    pub(super) fn seen(&self) -> (Instant, bool) {
        let progress = self.progress();
        (progress.first_seen, progress.is_in_store)
    }

    /// Notes that the store knows the message with another body. Returns whether it is new.
    pub(super) fn differs_for_the_first_time(&self) -> bool {
        !mem::replace(&mut self.progress().differs_in_store, true)
    }

    /// Notes that a delivery is about to ask the store for the reply.
    pub(super) fn note_asked(&self) {
        self.has_asked.store(true, Ordering::Release);
    }

    pub(super) fn has_asked(&self) -> bool {
        self.has_asked.load(Ordering::Acquire)
    }

    /// Notes what the message does with what is kept for its user.
    pub(super) fn set_fetching(&self, fetching: Fetching) {
        self.progress().fetching = fetching;
    }

    pub(super) fn fetching(&self) -> Fetching {
        self.progress().fetching
    }

    /// Notes that a task keeps the message's slot. Returns `false` if there is one already.
    pub(super) fn keep_slot(&self) -> bool {
        !mem::replace(&mut self.progress().is_slot_kept, true)
    }

    /// Notes that no task keeps the message's slot any more.
    pub(super) fn leave_slot(&self) {
        self.progress().is_slot_kept = false;
    }

    /// Notes that the task is over.
    pub(super) fn end(&self) {
        let end = mem::replace(&mut self.progress().end, End::Reached);
        if let End::Awaited(over) = end {
            over.cancel();
        }
    }

    /// The token that is cancelled when the task is over.
    pub(super) fn over(&self) -> CancellationToken {
        let token = CancellationToken::new();
        let mut progress = self.progress();
        match &progress.end {
            End::Ahead => progress.end = End::Awaited(token.clone()),
            End::Awaited(over) => return over.clone(),
            End::Reached => token.cancel(),
        }
        token
    }

    pub(super) fn first_seen(&self) -> Instant {
        self.progress().first_seen
    }

    /// Returns how long the message had been seen on a delivery's arrival.
    pub(super) fn age_at(&self, arrival: Instant) -> Duration {
        arrival.saturating_duration_since(self.first_seen())
    }

    /// Returns the time since the message was first seen.
    pub(super) fn age(&self) -> Duration {
        self.first_seen().elapsed()
    }

    /// Whether WeChat has given the message up before a delivery's arrival: the process or its host has stood still.
    fn is_given_up(&self, arrival: Instant) -> bool {
        self.age_at(arrival) >= DELIVERIES_LAST
    }

    /// Whether no delivery waits here, and WeChat makes none any more.
    pub(super) fn is_abandoned(&self) -> bool {
        !self.is_awaited() && self.is_given_up(Instant::now())
    }

    /// Counts a hang-up on a delivery. Returns `false` if there have been as many as WeChat makes deliveries of the message.
    pub(super) fn hang_up(&self) -> bool {
        let mut progress = self.progress();
        let is_counted = progress.hang_ups < DELIVERIES;
        progress.hang_ups = progress.hang_ups.saturating_add(1);
        is_counted
    }
}

impl Waiting {
    /// `None`: as many deliveries as `most` wait.
    fn join(task: &Arc<Task>, most: usize) -> Option<Self> {
        let mut progress = task.progress();
        let has_room = progress.waiting < most;
        progress.waiting += usize::from(has_room);
        has_room.then(|| Self(Arc::clone(task)))
    }

    pub(super) fn task(&self) -> &Arc<Task> {
        &self.0
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut progress = self.0.progress();
        progress.waiting -= 1;
        let is_last = progress.waiting == 0;
        drop(progress);
        if is_last {
            self.0.left.notify_one();
        }
    }
}

/// WeChat makes the last delivery of a message 10 s after the first, and waits 5 s for each. Some logs have a further
/// delivery after that. Half a second more allows for the network.
pub(super) const DELIVERIES_LAST: Duration = Duration::from_millis(15_500);

/// The number of deliveries of a message: three by WeChat's documentation, four by some logs.
const DELIVERIES: u8 = 4;

#[cfg(test)]
mod tests;

#[cfg(all(test, shuttle))]
mod schedules;
