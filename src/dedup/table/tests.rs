//! The table step by step, and against a model of it that is too simple to be wrong.

use std::{collections::HashMap, time::Duration};

use http::Response;
use http_body_util::Full;
use proptest::prelude::*;
use tokio::time::Instant;

use super::{Claim, Limits, Owner, Table};
use crate::dedup::{Key, outcome::Outcome};

const LIMITS: Limits = Limits {
    messages: 4,
    running: 3,
    waiting: 2,
    reply_bytes: 20,
    reply_ttl: Duration::from_secs(60),
    mark_ttl: Duration::from_secs(600),
};

fn key(message: u8) -> Key {
    Key::new([[message]])
}

fn outcome(body: &'static str) -> Outcome {
    let response = Response::new(Full::<bytes::Bytes>::from(body));
    futures_util::FutureExt::now_or_never(Outcome::of(response))
        .unwrap()
        .unwrap()
}

#[track_caller]
fn run(table: &mut Table, message: u8, now: Instant) -> Owner {
    match table.claim(key(message), now, &LIMITS) {
        Claim::Run(owner, _) => owner,
        other => panic!("expected to run {message}, was told {other:?}"),
    }
}

#[track_caller]
fn complete(
    table: &mut Table,
    message: u8,
    owner: Owner,
    body: &'static str,
    now: Instant,
) -> bool {
    table.complete(
        key(message),
        owner,
        outcome(body),
        now,
        Duration::ZERO,
        &LIMITS,
    )
}

#[test]
fn those_who_wait_get_the_outcome() {
    let (mut table, now) = (Table::default(), Instant::now());
    let Claim::Run(owner, first) = table.claim(key(1), now, &LIMITS) else {
        panic!()
    };
    let Claim::Join(second) = table.claim(key(1), now, &LIMITS) else {
        panic!()
    };
    assert!(complete(&mut table, 1, owner, "reply", now));
    for waiting in [first, second] {
        assert_eq!(*waiting.borrow(), Some(outcome("reply")));
    }
}

#[test]
fn a_released_message_is_vacant_and_tells_those_who_wait() {
    let (mut table, now) = (Table::default(), Instant::now());
    let Claim::Run(owner, waiting) = table.claim(key(1), now, &LIMITS) else {
        panic!()
    };
    assert!(table.release(key(1), owner));
    assert!(waiting.has_changed().is_err());
    let next = run(&mut table, 1, now);
    assert!(
        !table.release(key(1), owner),
        "a stale owner has nothing to release"
    );
    assert!(!complete(&mut table, 1, owner, "stale", now));
    assert!(complete(&mut table, 1, next, "reply", now));
}

#[test]
fn a_place_is_free_again_when_a_waiting_delivery_leaves() {
    let (mut table, now) = (Table::default(), Instant::now());
    let Claim::Run(_, first) = table.claim(key(1), now, &LIMITS) else {
        panic!()
    };
    let Claim::Join(_second) = table.claim(key(1), now, &LIMITS) else {
        panic!()
    };
    assert!(matches!(table.claim(key(1), now, &LIMITS), Claim::Full));
    drop(first);
    assert!(matches!(table.claim(key(1), now, &LIMITS), Claim::Join(_)));
}

/// What may happen to the table.
#[derive(Debug, Clone)]
enum Step {
    Claim(u8),
    /// By the owner that claimed it so many claims ago.
    Complete(u8, usize, &'static str),
    Release(u8, usize),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let message = 0..6_u8;
    let ago = 0..3_usize;
    let body = prop_oneof![
        Just(""),
        Just("short"),
        Just("twelve bytes"),
        Just("a reply of over twenty bytes")
    ];
    let step = prop_oneof![
        4 => message.clone().prop_map(Step::Claim),
        3 => (message.clone(), ago.clone(), body).prop_map(|(message, ago, body)| Step::Complete(message, ago, body)),
        1 => (message, ago).prop_map(|(message, ago)| Step::Release(message, ago)),
        1 => prop_oneof![Just(1), Just(59), Just(60), Just(540), Just(600)].prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..60)
}

/// The same rules over a plain list, in the order in which messages ended.
#[derive(Default)]
struct Model {
    running: HashMap<u8, Owner>,
    ended: Vec<(u8, u64, Option<&'static str>)>,
}

impl Model {
    fn pass(&mut self, now: u64) {
        self.ended.retain(|(_, at, _)| now < at + 600);
        for (_, at, reply) in &mut self.ended {
            if now >= *at + 60 {
                *reply = None;
            }
        }
    }

    fn complete(&mut self, message: u8, owner: Owner, body: &'static str, now: u64) -> bool {
        if self.running.get(&message) != Some(&owner) {
            return false;
        }
        self.running.remove(&message);
        self.ended.push((message, now, Some(body)));
        while self
            .ended
            .iter()
            .filter_map(|(_, _, reply)| *reply)
            .map(str::len)
            .sum::<usize>()
            > 20
        {
            let oldest = self.ended.iter_mut().find(|(_, _, reply)| reply.is_some());
            oldest.unwrap().2 = None;
        }
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn the_table_does_what_the_model_does(steps in steps()) {
        let start = Instant::now();
        let (mut table, mut model, mut now) = (Table::default(), Model::default(), 0);
        let mut owners: HashMap<u8, Vec<Owner>> = HashMap::new();
        let mut waiting = Vec::new();
        for step in steps {
            let instant = start + Duration::from_secs(now);
            match step {
                Step::Claim(message) => {
                    model.pass(now);
                    let ended = model.ended.iter().find(|(ended, ..)| *ended == message).copied();
                    match table.claim(key(message), instant, &LIMITS) {
                        Claim::Replied(reply) => prop_assert_eq!(Some(reply), ended.and_then(|(_, _, reply)| reply).map(outcome)),
                        Claim::Done => prop_assert!(matches!(ended, Some((_, _, None)))),
                        Claim::Join(_) => prop_assert!(model.running.contains_key(&message)),
                        Claim::Full => {
                            prop_assert!(ended.is_none() && !model.running.contains_key(&message));
                            prop_assert!(model.running.len() == 3);
                        }
                        Claim::Run(owner, receiver) => {
                            prop_assert!(ended.is_none() && !model.running.contains_key(&message));
                            prop_assert!(model.running.len() < 3);
                            if model.running.len() + model.ended.len() == 4 {
                                model.ended.remove(0);
                            }
                            model.running.insert(message, owner);
                            owners.entry(message).or_default().push(owner);
                            waiting.push(receiver);
                            waiting.truncate(1);
                        }
                    }
                }
                Step::Complete(message, ago, body) => {
                    let Some(owner) = owners.get(&message).and_then(|owners| owners.iter().rev().nth(ago)) else { continue };
                    model.pass(now);
                    // The table expires when it is claimed from; let it see the time here too.
                    table.expire(instant);
                    let completed = complete(&mut table, message, *owner, body, instant);
                    prop_assert_eq!(completed, model.complete(message, *owner, body, now));
                }
                Step::Release(message, ago) => {
                    let Some(owner) = owners.get(&message).and_then(|owners| owners.iter().rev().nth(ago)) else { continue };
                    let released = table.release(key(message), *owner);
                    prop_assert_eq!(released, model.running.get(&message) == Some(owner));
                    if released {
                        model.running.remove(&message);
                    }
                }
                Step::Pass(seconds) => now += seconds,
            }
            prop_assert_eq!(table.running, model.running.len());
            prop_assert!(table.entries.len() <= LIMITS.messages);
            prop_assert!(table.reply_bytes <= LIMITS.reply_bytes);
            prop_assert!(table.replies.len() <= table.ended.len());
            prop_assert_eq!(table.entries.len(), table.running + table.ended.len());
        }
    }
}
