//! The table step by step, and against a model of it that is too simple to be wrong.

use std::{collections::HashMap, time::Duration};

use http::Response;
use http_body_util::Full;
use proptest::prelude::*;
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

use super::{Acknowledged, Claim, Completed, Completion, Limits, Table};
use crate::dedup::{Key, Outcome, store::Owner};

const LIMITS: Limits = Limits {
    messages: 4,
    waiting: 2,
    reply_bytes: 20,
    reply_ttl: Duration::from_secs(60),
};
const MARK: Duration = Duration::from_secs(600);

fn key(message: u8) -> Key {
    Key::new([[message]])
}

fn outcome(body: &'static str) -> Outcome {
    Outcome::of_full(Response::new(Full::from(body)))
}

fn completion(body: &'static str, acknowledged: bool) -> Completion {
    Completion {
        outcome: outcome(body),
        acknowledged,
        mark_ttl: MARK,
    }
}

fn claim(table: &mut Table, message: u8, now: Instant) -> Claim {
    table.claim(key(message), now, now, true, &LIMITS)
}

#[track_caller]
fn run(table: &mut Table, message: u8, now: Instant) -> (Owner, watch::Receiver<()>) {
    match claim(table, message, now) {
        Claim::Run(owner, waiting) => (owner, waiting),
        other => panic!("expected to run {message}, was told {other:?}"),
    }
}

fn complete(
    table: &mut Table,
    message: u8,
    owner: Owner,
    body: &'static str,
    now: Instant,
) -> Option<Completed> {
    let completion = completion(body, false);
    table.complete(key(message), owner, completion, now, &LIMITS)
}

#[track_caller]
fn keep(
    table: &mut Table,
    message: u8,
    owner: Owner,
    body: &'static str,
    now: Instant,
) -> oneshot::Receiver<()> {
    match complete(table, message, owner, body, now) {
        Some(Completed::Kept(fetched)) => fetched,
        other => panic!("expected to keep the reply to {message}, was told {other:?}"),
    }
}

#[test]
fn those_who_wait_are_called_and_the_first_one_fetches_the_reply() {
    let (mut table, now) = (Table::new(), Instant::now());
    let (owner, waiting) = run(&mut table, 1, now);
    let mut fetched = keep(&mut table, 1, owner, "reply", now);
    assert!(waiting.has_changed().is_err(), "called");
    assert_eq!(fetched.try_recv(), Err(oneshot::error::TryRecvError::Empty));
    for _ in 0..2 {
        assert!(
            matches!(claim(&mut table, 1, now), Claim::Replied(reply) if reply == outcome("reply"))
        );
        assert_eq!(
            fetched.try_recv(),
            Err(oneshot::error::TryRecvError::Closed)
        );
    }
    assert!(table.take_back(key(1), owner, now).is_none());
}

#[test]
fn a_reply_that_was_taken_back_is_nobodys() {
    let (mut table, now) = (Table::new(), Instant::now());
    let (owner, _) = run(&mut table, 1, now);
    let _fetched = keep(&mut table, 1, owner, "reply", now);
    assert_eq!(table.take_back(key(1), owner, now), Some(outcome("reply")));
    assert!(matches!(claim(&mut table, 1, now), Claim::Done));
    assert!(table.take_back(key(1), owner, now).is_none());
}

#[test]
fn acknowledging_and_completing_exclude_each_other() {
    let (mut table, now) = (Table::new(), Instant::now());
    let (owner, _) = run(&mut table, 1, now);
    assert!(matches!(
        table.acknowledge(key(1), now, &LIMITS),
        Acknowledged::Marked
    ));
    assert!(matches!(claim(&mut table, 1, now), Claim::Done));
    assert!(matches!(
        complete(&mut table, 1, owner, "reply", now),
        Some(Completed::Acknowledged)
    ));
    assert!(matches!(claim(&mut table, 1, now), Claim::Done));

    let (owner, _) = run(&mut table, 2, now);
    let _fetched = keep(&mut table, 2, owner, "reply", now);
    assert!(matches!(
        table.acknowledge(key(2), now, &LIMITS),
        Acknowledged::Replied(reply) if reply == outcome("reply")
    ));
}

#[test]
fn a_reply_that_the_store_has_given_away_is_not_taken_back() {
    for completed_first in [false, true] {
        let (mut table, now) = (Table::new(), Instant::now());
        let (owner, _) = run(&mut table, 1, now);
        if !completed_first {
            table.fetched_from_store(key(1), now, &LIMITS);
        }
        let mut fetched = keep(&mut table, 1, owner, "reply", now);
        if completed_first {
            table.fetched_from_store(key(1), now, &LIMITS);
        }
        assert_eq!(
            fetched.try_recv(),
            Err(oneshot::error::TryRecvError::Closed)
        );
        assert!(table.take_back(key(1), owner, now).is_none());
    }
}

#[test]
fn a_released_message_is_vacant_and_calls_those_who_wait() {
    let (mut table, now) = (Table::new(), Instant::now());
    let (owner, waiting) = run(&mut table, 1, now);
    table.release(key(1), owner);
    assert!(waiting.has_changed().is_err());
    let (next, waiting) = run(&mut table, 1, now);
    // A stale owner changes nothing.
    table.release(key(1), owner);
    assert!(complete(&mut table, 1, owner, "stale", now).is_none());
    table.end(key(1), owner, now, MARK);
    assert!(waiting.has_changed().is_ok());
    let _fetched = keep(&mut table, 1, next, "reply", now);
}

#[test]
fn a_place_is_free_again_when_a_waiting_delivery_leaves() {
    let (mut table, now) = (Table::new(), Instant::now());
    let (_, first) = run(&mut table, 1, now);
    let Claim::Join(_, _second) = claim(&mut table, 1, now) else {
        panic!()
    };
    assert!(matches!(claim(&mut table, 1, now), Claim::Full));
    drop(first);
    assert!(matches!(claim(&mut table, 1, now), Claim::Join(..)));
}

#[test]
fn a_reply_larger_than_all_that_is_kept_pushes_none_out() {
    let (mut table, now) = (Table::new(), Instant::now());
    for (message, body) in [(1, "short"), (2, "a reply of over twenty bytes")] {
        let (owner, _) = run(&mut table, message, now);
        let _fetched = keep(&mut table, message, owner, body, now);
        assert!(matches!(claim(&mut table, message, now), Claim::Replied(_)));
    }
    assert!(matches!(claim(&mut table, 1, now), Claim::Replied(_)));
    assert!(matches!(claim(&mut table, 2, now), Claim::Done));
}

#[test]
fn a_reply_that_shows_nothing_waits_for_nobody() {
    let (mut table, now) = (Table::new(), Instant::now());
    let (owner, _) = run(&mut table, 1, now);
    let mut fetched = keep(&mut table, 1, owner, "success", now);
    assert_eq!(
        fetched.try_recv(),
        Err(oneshot::error::TryRecvError::Closed)
    );
    assert!(matches!(claim(&mut table, 1, now), Claim::Replied(_)));
}

#[test]
fn the_oldest_news_of_a_message_counts_for_its_age() {
    let (mut table, now) = (Table::new(), Instant::now());
    let (owner, _) = run(&mut table, 1, now);
    let earlier = now.checked_sub(Duration::from_secs(5)).unwrap();
    table.seen(key(1), owner, earlier);
    table.seen(key(1), owner, now);
    assert_eq!(table.first_seen(key(1)), Some(earlier));
}

/// What may happen to the table.
#[derive(Debug, Clone)]
enum Step {
    Claim(u8),
    Acknowledge(u8),
    /// By the owner that claimed it so many claims ago.
    Complete(u8, usize, &'static str, bool),
    TakeBack(u8, usize),
    Release(u8, usize),
    FetchedFromStore(u8),
    End(u8, usize),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let message = || 0..6_u8;
    let ago = || 0..3_usize;
    let body = prop_oneof![
        Just("success"),
        Just("short"),
        Just("twelve bytes"),
        Just("a reply of over twenty bytes")
    ];
    let step = prop_oneof![
        6 => message().prop_map(Step::Claim),
        1 => message().prop_map(Step::Acknowledge),
        4 => (message(), ago(), body, prop::bool::weighted(0.2))
            .prop_map(|(message, ago, body, acknowledged)| Step::Complete(message, ago, body, acknowledged)),
        1 => (message(), ago()).prop_map(|(message, ago)| Step::TakeBack(message, ago)),
        1 => (message(), ago()).prop_map(|(message, ago)| Step::Release(message, ago)),
        1 => message().prop_map(Step::FetchedFromStore),
        1 => (message(), ago()).prop_map(|(message, ago)| Step::End(message, ago)),
        1 => prop_oneof![Just(1), Just(59), Just(60), Just(540), Just(600)].prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..60)
}

/// The same rules over plain lists.
#[derive(Default)]
struct Model {
    running: HashMap<u8, Running>,
    unfetched: HashMap<u8, (Owner, &'static str)>,
    /// In the order in which they were over.
    over: Vec<(u8, u64, Option<&'static str>)>,
}

struct Running {
    owner: Owner,
    acknowledged: bool,
    fetched: bool,
}

impl Model {
    fn pass(&mut self, now: u64) {
        self.over.retain(|(_, at, _)| now < at + 600);
        for (_, at, reply) in &mut self.over {
            if now >= *at + 60 {
                *reply = None;
            }
        }
    }

    fn fetch(&mut self, message: u8, now: u64) -> Option<&'static str> {
        let Some((_, body)) = self.unfetched.remove(&message) else {
            return self.over.iter().find(|(over, ..)| *over == message)?.2;
        };
        self.over
            .push((message, now, (body.len() <= 20).then_some(body)));
        while self
            .over
            .iter()
            .filter_map(|(_, _, reply)| *reply)
            .map(str::len)
            .sum::<usize>()
            > 20
        {
            let oldest = self.over.iter_mut().find(|(_, _, reply)| reply.is_some());
            oldest.unwrap().2 = None;
        }
        Some(body)
    }

    fn is_over(&self, message: u8) -> bool {
        self.over.iter().any(|(over, ..)| *over == message)
    }

    fn take_running(&mut self, message: u8, owner: Owner) -> Option<Running> {
        let is_owners = self.running.get(&message)?.owner == owner;
        is_owners.then(|| self.running.remove(&message)).flatten()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn the_table_does_what_the_model_does(steps in steps()) {
        let start = Instant::now();
        let (mut table, mut model, mut now) = (Table::new(), Model::default(), 0);
        let mut owners: HashMap<u8, Vec<Owner>> = HashMap::new();
        let owner_of = |owners: &HashMap<u8, Vec<Owner>>, message, ago| {
            owners.get(&message).and_then(|owners| owners.iter().rev().nth(ago)).copied()
        };
        for step in steps {
            let instant = start + Duration::from_secs(now);
            model.pass(now);
            // The table expires when it is claimed from; let it see the time in every step.
            table.expire(instant);
            match step {
                Step::Claim(message) => match claim(&mut table, message, instant) {
                    Claim::Replied(reply) => {
                        prop_assert_eq!(Some(reply), model.fetch(message, now).map(outcome));
                    }
                    Claim::Done => {
                        let acknowledged = model.running.get(&message).is_some_and(|it| it.acknowledged);
                        prop_assert!(acknowledged || model.is_over(message));
                        prop_assert_eq!(model.fetch(message, now), None);
                    }
                    Claim::Join(..) => prop_assert!(!model.running[&message].acknowledged),
                    Claim::NoPermit => prop_assert!(false),
                    Claim::Full => {
                        prop_assert_eq!(model.running.len() + model.unfetched.len(), 4);
                        prop_assert!(!model.running.contains_key(&message));
                    }
                    Claim::Run(owner, _) => {
                        prop_assert!(!model.running.contains_key(&message) && !model.unfetched.contains_key(&message));
                        prop_assert!(!model.is_over(message));
                        if model.running.len() + model.unfetched.len() + model.over.len() == 4 {
                            model.over.remove(0);
                        }
                        model.running.insert(message, Running { owner, acknowledged: false, fetched: false });
                        owners.entry(message).or_default().push(owner);
                    }
                },
                Step::Acknowledge(message) => match table.acknowledge(key(message), instant, &LIMITS) {
                    Acknowledged::Marked => {
                        if let Some(running) = model.running.get_mut(&message) {
                            running.acknowledged = true;
                        } else {
                            prop_assert!(model.is_over(message));
                            prop_assert_eq!(model.fetch(message, now), None);
                        }
                    }
                    Acknowledged::Replied(reply) => {
                        prop_assert_eq!(Some(reply), model.fetch(message, now).map(outcome));
                    }
                    Acknowledged::Vacant => {
                        prop_assert!(!model.running.contains_key(&message) && !model.unfetched.contains_key(&message));
                        prop_assert!(!model.is_over(message));
                    }
                },
                Step::Complete(message, ago, body, elsewhere) => {
                    let Some(owner) = owner_of(&owners, message, ago) else { continue };
                    let completed = table.complete(key(message), owner, completion(body, elsewhere), instant, &LIMITS);
                    match (completed, model.take_running(message, owner)) {
                        (None, None) => {}
                        (Some(Completed::Acknowledged), Some(running)) => {
                            prop_assert!((running.acknowledged || elsewhere) && !running.fetched);
                            model.over.push((message, now, None));
                        }
                        (Some(Completed::Kept(_)), Some(running)) => {
                            prop_assert!(running.fetched || !(running.acknowledged || elsewhere));
                            model.unfetched.insert(message, (owner, body));
                            if running.fetched || body == "success" {
                                model.fetch(message, now);
                            }
                        }
                        (completed, _) => prop_assert!(false, "{completed:?}"),
                    }
                }
                Step::TakeBack(message, ago) => {
                    let Some(owner) = owner_of(&owners, message, ago) else { continue };
                    let expected = model.unfetched.get(&message).filter(|(by, _)| *by == owner).map(|(_, body)| *body);
                    prop_assert_eq!(table.take_back(key(message), owner, instant), expected.map(outcome));
                    if expected.is_some() {
                        model.unfetched.remove(&message);
                        model.over.push((message, now, None));
                    }
                }
                Step::Release(message, ago) => {
                    let Some(owner) = owner_of(&owners, message, ago) else { continue };
                    table.release(key(message), owner);
                    model.take_running(message, owner);
                }
                Step::FetchedFromStore(message) => {
                    table.fetched_from_store(key(message), instant, &LIMITS);
                    if let Some(running) = model.running.get_mut(&message) {
                        running.fetched = true;
                    } else {
                        model.fetch(message, now);
                    }
                }
                Step::End(message, ago) => {
                    let Some(owner) = owner_of(&owners, message, ago) else { continue };
                    table.end(key(message), owner, instant, MARK);
                    if model.take_running(message, owner).is_some() {
                        model.over.push((message, now, None));
                    }
                }
                Step::Pass(seconds) => now += seconds,
            }
            prop_assert!(table.entries.len() <= LIMITS.messages);
            prop_assert!(table.reply_bytes <= LIMITS.reply_bytes);
            prop_assert_eq!(table.over.len(), model.over.len());
            prop_assert_eq!(table.entries.len(), model.running.len() + model.unfetched.len() + model.over.len());
        }
    }
}
