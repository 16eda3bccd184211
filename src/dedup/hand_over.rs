//! Hands a late reply to the sinks, and renews its lease until one has it.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use futures_util::future::{Either, select};
use http::Request;
use tokio::{task::JoinHandle, time};

use super::{
    conversation::Place,
    node::{FIRST_POLL, LEASE, MAX_CLAIM_FAILURES, Node, RENEWAL},
    store::{Claim, Claimed, Completed, Ending, Run},
    table::Task,
};
use crate::{
    breaker::Unavailable,
    delivery::Verified,
    late::{Handover, LateCause, LateReply},
    observe,
    reply::Reply,
    response::StoredResponse,
};

/// The lease of a late reply that this node hands over. Without a lease, another node that looks for the reply would hand it
/// over as well.
pub(super) enum Lease {
    /// The message, which is late with this reply.
    Late(StoredResponse),
    /// A message of the reply's own, by this run.
    Own(Run),
    /// Likewise, and the slot of the reply in the mailbox.
    Queued(Arc<Place>),
}

impl Lease {
    pub(super) async fn renew(&self, node: &Node, claim: Claim) {
        if let Some(store) = &node.store {
            // If the lease is lost, the reply is handed over twice, which the store says at the end.
            let _ = match self {
                Self::Late(response) => {
                    let late = Ending::Late(response.clone());
                    store.publish(claim, late).await.map(|_completed| ())
                }
                Self::Own(run) => store.renew(claim, *run).await.map(|_renewed| ()),
                Self::Queued(place) => {
                    let run = Run::new(place.age(), 1);
                    store.renew(claim, run).await.map(|_renewed| ())
                }
            };
        }
        if let Self::Queued(place) = self {
            place.renew_slot().await;
        }
    }

    /// Renews it until `work` ends.
    pub(super) async fn hold<T>(
        &self,
        node: &Node,
        claim: Claim,
        work: Pin<&mut impl Future<Output = T>>,
    ) -> T {
        match select(work, pin!(self.renew_for_ever(node, claim))).await {
            Either::Left((result, _renewing)) => result,
            Either::Right((never, _work)) => match never {},
        }
    }

    pub(super) async fn renew_for_ever(&self, node: &Node, claim: Claim) -> Infallible {
        loop {
            time::sleep(RENEWAL).await;
            self.renew(node, claim).await;
        }
    }

    /// Ends the claim's message: the reply is handed over, or there is none. Returns whether no other node hands it over: the
    /// store has answered, and no claim has taken the message over.
    pub(super) async fn end(&self, node: &Node, claim: Claim) -> bool {
        if let Self::Queued(place) = self {
            place.close().await;
        }
        let Some(store) = &node.store else {
            return true;
        };
        for _ in 0..ENDINGS {
            if let Ok(ended) = store.publish(claim, Ending::Nothing).await {
                return ended != Completed::Lost;
            }
            if node.settings.runs_inline || node.cut.is_cancelled() {
                break;
            }
            node.cut.run_until_cancelled(time::sleep(RENEWAL)).await;
        }
        false
    }
}

/// Hands a late reply over to the sinks, in a task of its own. A cut drops the caller; the task has 0.9 s more.
///
/// `is_confirmed` says whether the store has given the reply to this node. If it has not, or another node may hand the reply
/// over by the end, it is counted as one that may be given twice.
pub(super) async fn hand_over(
    node: &Arc<Node>,
    claim: Claim,
    lease: Lease,
    late: impl Into<Handover>,
    is_confirmed: bool,
) {
    let task = {
        let node = Arc::clone(node);
        // A task that is dropped before its first poll loses it as well.
        let mut late = late.into();
        async move {
            let (sinks, timeout) = (&node.settings.sinks, node.settings.run_timeout);
            let reply = late.get_mut();
            let (account, key) = (reply.account().to_owned(), reply.key().observed());
            let is_reply = reply.response().is_some() || reply.reply().is_some();
            let handed_over = async {
                node.streams.finish(late.get_mut(), &node.cut).await;
                if !late.get_mut().is_handed_over() {
                    sinks.hand_over(late, timeout, &node.cut).await;
                }
            };
            lease.hold(&node, claim, pin!(handed_over)).await;
            if is_reply && !is_confirmed {
                // Before an await, where the node's end may drop this task.
                observe::reply_unconfirmed(&account, key);
            }
            if !lease.end(&node, claim).await && is_reply && is_confirmed {
                observe::reply_unconfirmed(&account, key);
            }
        }
    };
    let end = node.end.clone();
    let task = async move { end.run_until_cancelled(pin!(task)).await };
    let _ = node.tasks.spawn(task).await;
}

/// Hands over what a delivery that has got a reply does not show of it, in a task of its own.
pub(super) fn spawn_rest(
    node: &Arc<Node>,
    task: &Task,
    claim: Claim,
    request: &Request<Verified>,
    rest: Reply,
) -> JoinHandle<()> {
    let late = LateReply::new(claim.key, request.clone(), LateCause::Rest, rest);
    // A task that is dropped before its first poll loses it as well.
    let late = Handover::from(late.with_first_seen(task.first_seen()));
    node.tasks
        .spawn(hand_over_rest(Arc::clone(node), claim, late))
}

/// Deliveries of several nodes may have got the reply. Only one node hands the rest over: in the store, the rest is a message
/// of its own, which one node claims. If that node crashes, the next node claims it.
async fn hand_over_rest(node: Arc<Node>, claim: Claim, mut late: Handover) {
    // The answer is on its way, and customer service must not overtake it. The user's next message cannot.
    if node.settings.sinks.send_at_once() {
        let on_its_way = time::sleep(ANSWER_WAY);
        node.cut.run_until_cancelled(on_its_way).await;
    }
    let claim = claim.on_its("rest");
    match claim_rest(&node, claim).await {
        Some((run, is_confirmed)) => {
            hand_over(&node, claim, Lease::Own(run), late, is_confirmed).await;
        }
        // Another node does.
        None => late.get_mut().hand_over(),
    }
}

/// Returns the run, and whether the store has confirmed it. `None`: another node hands it over.
async fn claim_rest(node: &Node, claim: Claim) -> Option<(Run, bool)> {
    let own = Run::new(Duration::ZERO, 1);
    let Some(store) = &node.store else {
        return Some((own, true));
    };
    let mut failures = 0;
    loop {
        let pause = match store.claim(claim).await {
            Ok(Claimed::Won(run)) => return Some((run, true)),
            Ok(Claimed::Running { .. }) if node.cut.is_cancelled() => return None,
            Ok(Claimed::Running { lease, .. }) => {
                lease.clamp(FIRST_POLL, LEASE) + Duration::from_millis(1)
            }
            Ok(_) => return None,
            Err(Unavailable) => {
                failures += 1;
                // The answer to an inline run's delivery waits for this.
                let is_urgent = node.settings.runs_inline || node.cut.is_cancelled();
                if failures > MAX_CLAIM_FAILURES || is_urgent {
                    return Some((own, false));
                }
                RENEWAL
            }
        };
        node.cut.run_until_cancelled(time::sleep(pause)).await;
    }
}

/// How many times a store that does not answer is told that a reply has been handed over: one a second, as long as the lease
/// lasts.
const ENDINGS: u32 = 4;

/// How long an answer takes to the user at most, as a rule.
const ANSWER_WAY: Duration = Duration::from_secs(1);

/// Why a reply is lost with its message.
pub(super) const CUT: &str = "its message was cut";
