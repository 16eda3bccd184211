//! The promises, checked at the end of a schedule.

use std::{collections::BTreeSet, time::Duration};

use futures_util::poll;
use http::Request;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{
    super::{Delivers, settle, text},
    play::{Node, Shape},
    world::{Probe, Run, RunState, Seen, World},
};
use crate::assume;

/// After all deliveries are over, a layer holds nothing: no run, no renewal, no task, no permit.
pub(super) async fn check_idle(
    world: &World,
    nodes: &[Node<impl Delivers>],
    deliveries: Vec<JoinHandle<()>>,
) -> Result<(), String> {
    for (name, delivery) in deliveries.into_iter().enumerate() {
        if !delivery.is_finished() {
            return Err(format!("delivery {name} still waits"));
        }
        if delivery.await.is_err_and(|error| error.is_panic()) {
            return Err(format!("delivery {name} has panicked"));
        }
    }
    if world
        .seen()
        .runs
        .iter()
        .any(|run| run.state == RunState::Going)
    {
        return Err("a run still goes on".to_owned());
    }
    let asked = world.seen().asked;
    sleep(Duration::from_mins(1)).await;
    if world.seen().asked > asked {
        return Err("a node still asks the store".to_owned());
    }
    for (number, node) in nodes.iter().enumerate() {
        let mut request = Request::new(assume(text("user", "2", "hi")));
        request.extensions_mut().insert(Probe);
        let begun = Instant::now();
        let response = node.service.clone().send(request).await;
        let is_drained = world.seen().is_drained[number];
        // The store may still be away by the node's count.
        let is_soon = begun.elapsed() < Duration::from_secs(1);
        let expected = if is_drained { 503 } else { 200 };
        if response.status() != expected || !is_soon {
            return Err(format!(
                "node {number} answers the next message {}, after {:?}",
                response.status(),
                begun.elapsed()
            ));
        }
        settle().await;
        let mut drained = Box::pin(node.layer.drain(Duration::ZERO));
        if poll!(&mut drained).is_pending() {
            settle().await;
            if poll!(&mut drained).is_pending() {
                return Err(format!("node {number} has tasks left"));
            }
        }
    }
    Ok(())
}

pub(super) fn check(world: &World) -> Result<(), String> {
    let seen = world.seen();
    let shape = world.setting.shape;
    if let Some(took) = seen.too_long_drain
        && shape != Shape::Stalling
    {
        return Err(format!("a drain takes {took:?}"));
    }
    let waits_at_most = Duration::from_secs(6);
    if seen.longest_wait > waits_at_most && !matches!(shape, Shape::Stalling | Shape::Inline) {
        return Err(format!("a delivery waits {:?}", seen.longest_wait));
    }

    let reached: Vec<_> = seen
        .runs
        .iter()
        .filter(|run| run.given + run.late.len() > 0)
        .collect();
    let may_lose = matches!(shape, Shape::Faulty | Shape::Stalling);
    for (number, run) in seen.runs.iter().enumerate() {
        let has_reply = run.state == RunState::Replied;
        // Of the replies of two runs the user needs one. A node that has lost the message leaves it to the other node's run,
        // which may have been cut. So does one whose store has forgotten the message.
        let has_lost = seen.has_lost[run.node] || seen.has_forgotten;
        let is_excused = (may_lose && !reached.is_empty())
            || (has_lost && is_elsewhere_unfinished(&seen, run.node))
            // A node that is cut asks once. If the store does not answer or has forgotten the message, it leaves as if it had
            // crashed: its reply, or its hold of another's, goes with it.
            || (0..2).any(|node| is_left_behind(&seen, run, node))
            || (seen.cuts > 0 && seen.has_forgotten);
        if has_reply && run.given + run.late.len() == 0 && !is_excused {
            return Err(format!("the reply of run {number} is lost"));
        }
    }
    // Three missing answers in a row make a node go on alone.
    let is_store_there = seen.unanswered < 3 && !seen.has_forgotten;
    if is_store_there && shape != Shape::Stalling && seen.most_at_a_time > 1 {
        return Err(format!("{} runs at a time", seen.most_at_a_time));
    }
    // A node that a drain cuts asks once. After a stall, the answers to several operations are missing at once.
    let asks_again = seen.cuts == 0 && shape != Shape::Stalling;
    if is_store_there && (seen.unanswered == 0 || asks_again) {
        let given: usize = reached.iter().map(|run| run.given).sum();
        let late: Vec<_> = reached.iter().flat_map(|run| run.late.clone()).collect();
        if reached.len() > 1 || late.len() > 1 || (given > 0 && !late.is_empty()) {
            return Err(format!(
                "{} replies reach the user: given {given} times, handed over {late:?}",
                reached.len()
            ));
        }
    }
    let is_given = seen.runs.iter().any(|run| run.given > 0);
    if !may_lose && is_given && seen.acknowledgements > 0 {
        return Err("a reply is given although the message has been acknowledged".to_owned());
    }
    if !may_lose && seen.has_lost.contains(&true) {
        return Err("a lease is lost".to_owned());
    }
    if matches!(shape, Shape::One | Shape::Two) && seen.cuts == 0 {
        let is_new = |number: usize| {
            let run = &seen.runs[number];
            let earlier = &seen.runs[..number];
            !earlier
                .iter()
                .any(|other| (other.node, other.claim) == (run.node, run.claim))
        };
        for (number, run) in seen.runs.iter().enumerate() {
            if run.is_after_acknowledgement && is_new(number) {
                return Err(format!(
                    "run {number} is of a message that has been acknowledged"
                ));
            }
        }
    }
    Ok(())
}

/// Whether the node was cut, and the store has not answered what it asked then, once there was the run's reply.
fn is_left_behind(seen: &Seen, run: &Run, node: usize) -> bool {
    let (Some(cut), Some(unanswered)) = (seen.cut_at[node], seen.last_unanswered[node]) else {
        return false;
    };
    // The node waited for it at the cut, or asked after that.
    unanswered >= cut && run.ended.is_some_and(|ended| unanswered >= ended)
}

/// Whether the other node has run the message as well, without a reply.
fn is_elsewhere_unfinished(seen: &Seen, node: usize) -> bool {
    let is_unfinished = |run: &Run| run.node != node && run.state != RunState::Replied;
    seen.runs.iter().any(is_unfinished)
}

/// What became of a schedule's message.
#[derive(Debug)]
pub(super) struct Fate(Vec<&'static str>);

impl Fate {
    pub(super) fn of(seen: &Seen) -> Self {
        let late = || seen.runs.iter().any(|run| !run.late.is_empty());
        let given = || seen.runs.iter().any(|run| run.given > 0);
        let names = [
            ("given", given()),
            ("late", late()),
            ("given and late", given() && late()),
            ("acknowledged", seen.acknowledgements > 0),
            (
                "failed",
                seen.runs.iter().any(|run| run.state == RunState::Failed),
            ),
            ("failure handed over", seen.failures_handed_over > 0),
            ("cut", seen.cuts > 0),
            ("lease lost", seen.has_lost.contains(&true)),
            (
                "several runs",
                seen.runs
                    .iter()
                    .map(|run| (run.node, run.claim))
                    .collect::<BTreeSet<_>>()
                    .len()
                    > 1,
            ),
            ("several at a time", seen.most_at_a_time > 1),
            ("unanswered operations", seen.unanswered > 0),
        ];
        Self(
            names
                .into_iter()
                .filter_map(|(name, is_so)| is_so.then_some(name))
                .collect(),
        )
    }

    pub(super) fn names(self) -> Vec<&'static str> {
        self.0
    }

    /// What some of the schedules have to come to.
    pub(super) fn expected(shape: Shape) -> &'static [&'static str] {
        match shape {
            Shape::One | Shape::Two => &["given", "late", "acknowledged", "failed", "cut"],
            Shape::Faulty => &[
                "given",
                "late",
                "acknowledged",
                "cut",
                "lease lost",
                "several runs",
                "given and late",
            ],
            Shape::Stalling => &["given", "late", "lease lost", "several runs"],
            Shape::Inline => &["given", "late", "several runs"],
        }
    }
}
