//! The table step by step, then against a simpler model of it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use proptest::prelude::*;
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

use super::{Abandoned, Acknowledgement, Admission, Completion, Ended, Limits, Table};
use crate::{
    dedup::{Key, StoredResponse, store::ClaimId},
    delivery::{Delivery, Verified},
    reply::Reply,
    response::of_reply,
};

const LIMITS: Limits = Limits {
    capacity: 4,
    waiters_per_message: 2,
    reply_bytes: 20,
    reply_ttl: Duration::from_mins(1),
};
const MARK: Duration = Duration::from_mins(10);

fn key(message: u8) -> Key {
    Key::new([[message]])
}

fn response(body: &'static str) -> StoredResponse {
    StoredResponse::new(StatusCode::OK, None, Bytes::from_static(body.as_bytes()))
}

fn completion(body: &'static str, is_acknowledged: bool) -> Completion {
    Completion {
        response: response(body),
        is_acknowledged,
        mark_ttl: MARK,
    }
}

fn claim(table: &mut Table, message: u8, now: Instant) -> Admission<()> {
    table.claim(key(message), now, now, Some(()), &LIMITS)
}

#[track_caller]
fn run(table: &mut Table, message: u8, now: Instant) -> (ClaimId, watch::Receiver<()>) {
    match claim(table, message, now) {
        Admission::Run(id, (), waiting) => (id, waiting),
        other => panic!("expected to run {message}, got {other:?}"),
    }
}

fn complete(
    table: &mut Table,
    message: u8,
    id: ClaimId,
    body: &'static str,
    now: Instant,
) -> Option<Ended> {
    let completion = completion(body, false);
    table.complete(key(message), id, completion, now, &LIMITS)
}

#[track_caller]
fn complete_unfetched(
    table: &mut Table,
    message: u8,
    id: ClaimId,
    body: &'static str,
    now: Instant,
) -> oneshot::Receiver<()> {
    match complete(table, message, id, body, now) {
        Some(Ended::Unfetched(fetched)) => fetched,
        other => panic!("expected the reply to {message} to wait, got {other:?}"),
    }
}

#[test]
fn a_completion_wakes_the_waiting_deliveries_and_the_first_fetches_the_reply() {
    let (mut table, now) = (Table::new(), Instant::now());
    let (id, waiting) = run(&mut table, 1, now);
    let mut fetched = complete_unfetched(&mut table, 1, id, "reply", now);
    assert!(waiting.has_changed().is_err(), "woken");
    assert_eq!(fetched.try_recv(), Err(oneshot::error::TryRecvError::Empty));
    for _ in 0..2 {
        assert!(
            matches!(claim(&mut table, 1, now), Admission::Replied(reply) if reply == response("reply"))
        );
        assert_eq!(
            fetched.try_recv(),
            Err(oneshot::error::TryRecvError::Closed)
        );
    }
    assert!(!table.reclaim(key(1), id, now));
}

#[test]
fn no_delivery_gets_a_reclaimed_reply() {
    let (mut table, now) = (Table::new(), Instant::now());
    let (id, _) = run(&mut table, 1, now);
    let _fetched = complete_unfetched(&mut table, 1, id, "reply", now);
    assert!(table.reclaim(key(1), id, now));
    assert!(matches!(claim(&mut table, 1, now), Admission::Done));
    assert!(!table.reclaim(key(1), id, now));
}

#[test]
fn a_message_is_acknowledged_or_replied_whichever_comes_first() {
    let (mut table, now) = (Table::new(), Instant::now());
    let (id, _) = run(&mut table, 1, now);
    assert!(matches!(
        table.acknowledge(key(1), now, &LIMITS),
        Acknowledgement::Recorded
    ));
    assert!(matches!(claim(&mut table, 1, now), Admission::Done));
    assert!(matches!(
        complete(&mut table, 1, id, "reply", now),
        Some(Ended::Acknowledged)
    ));
    assert!(matches!(claim(&mut table, 1, now), Admission::Done));

    let (id, _) = run(&mut table, 2, now);
    let _fetched = complete_unfetched(&mut table, 2, id, "reply", now);
    assert!(matches!(
        table.acknowledge(key(2), now, &LIMITS),
        Acknowledgement::Replied(reply) if reply == response("reply")
    ));
}

#[test]
fn a_reply_fetched_from_the_store_is_not_reclaimed() {
    for completed_first in [false, true] {
        let (mut table, now) = (Table::new(), Instant::now());
        let (id, _) = run(&mut table, 1, now);
        if !completed_first {
            assert!(table.fetched_from_store(key(1), id, now, &LIMITS));
        }
        let mut fetched = complete_unfetched(&mut table, 1, id, "reply", now);
        if completed_first {
            assert!(table.fetched_from_store(key(1), id, now, &LIMITS));
        }
        assert_eq!(
            fetched.try_recv(),
            Err(oneshot::error::TryRecvError::Closed)
        );
        assert!(!table.reclaim(key(1), id, now));
    }
}

#[test]
fn an_abandoned_message_is_vacant_and_wakes_the_waiting_deliveries() {
    let (mut table, now) = (Table::new(), Instant::now());
    let (id, waiting) = run(&mut table, 1, now);
    let abandoned = table.abandon(key(1), id, now);
    assert_eq!(
        abandoned,
        Abandoned::Running {
            is_acknowledged: false
        }
    );
    assert!(waiting.has_changed().is_err());
    let (next, waiting) = run(&mut table, 1, now);
    // A stale claim changes nothing.
    assert_eq!(table.abandon(key(1), id, now), Abandoned::Over);
    assert!(complete(&mut table, 1, id, "stale", now).is_none());
    table.end(key(1), id, now, MARK);
    assert!(waiting.has_changed().is_ok());
    let _fetched = complete_unfetched(&mut table, 1, next, "reply", now);
}

#[test]
fn a_waiting_delivery_that_leaves_makes_room_for_another() {
    let (mut table, now) = (Table::new(), Instant::now());
    let (_, first) = run(&mut table, 1, now);
    let Admission::Join(_, _second) = claim(&mut table, 1, now) else {
        panic!()
    };
    assert!(matches!(claim(&mut table, 1, now), Admission::Full));
    drop(first);
    assert!(matches!(claim(&mut table, 1, now), Admission::Join(..)));
}

#[test]
fn a_reply_over_the_bound_evicts_no_other() {
    let (mut table, now) = (Table::new(), Instant::now());
    for (message, body) in [(1, "short"), (2, "a reply of over twenty bytes")] {
        let (id, _) = run(&mut table, message, now);
        let _fetched = complete_unfetched(&mut table, message, id, body, now);
        assert!(matches!(
            claim(&mut table, message, now),
            Admission::Replied(_)
        ));
    }
    assert!(matches!(claim(&mut table, 1, now), Admission::Replied(_)));
    assert!(matches!(claim(&mut table, 2, now), Admission::Done));
}

#[test]
fn a_reply_that_shows_nothing_counts_as_fetched() {
    let (mut table, now) = (Table::new(), Instant::now());
    let (id, _) = run(&mut table, 1, now);
    let mut fetched = complete_unfetched(&mut table, 1, id, "success", now);
    assert_eq!(
        fetched.try_recv(),
        Err(oneshot::error::TryRecvError::Closed)
    );
    assert!(matches!(claim(&mut table, 1, now), Admission::Replied(_)));
}

#[test]
fn a_new_message_takes_the_permit_and_without_one_changes_nothing() {
    let (mut table, now) = (Table::new(), Instant::now());
    let none = table.claim::<&str>(key(1), now, now, None, &LIMITS);
    assert!(matches!(none, Admission::NoPermit));
    assert!(table.entries.is_empty());
    let first = table.claim(key(1), now, now, Some("a permit"), &LIMITS);
    assert!(matches!(first, Admission::Run(_, "a permit", _)));
    // A message that already runs needs none, and drops the one that it gets.
    let permit = Arc::new(());
    let second = table.claim(key(1), now, now, Some(Arc::clone(&permit)), &LIMITS);
    assert!(matches!(second, Admission::Join(..)));
    assert_eq!(Arc::strong_count(&permit), 1);
}

/// Only a late reply needs it, and it holds the text a second time.
#[test]
fn a_kept_reply_forgets_its_typed_reply() {
    let (mut table, now) = (Table::new(), Instant::now());
    let (id, _) = run(&mut table, 1, now);
    let message = "<xml><ToUserName>gh</ToUserName><FromUserName>user</FromUserName></xml>";
    let message = Verified::insecure_assume(message, Delivery::new("account"));
    let typed = StoredResponse::of_own(&of_reply(Reply::text("hi"), &message));
    assert_eq!(typed.reply(), Some(&Reply::text("hi")));
    let completion = Completion {
        response: typed,
        is_acknowledged: false,
        mark_ttl: MARK,
    };
    let limits = Limits {
        reply_bytes: 1000,
        ..LIMITS
    };
    let _ended = table.complete(key(1), id, completion, now, &limits);
    for reply in [Some(Reply::text("hi")), None] {
        let Admission::Replied(kept) = table.claim(key(1), now, now, Some(()), &limits) else {
            panic!()
        };
        assert_eq!(kept.reply(), reply.as_ref());
    }
}

#[test]
fn the_earliest_sighting_of_a_message_counts_for_its_age() {
    let (mut table, now) = (Table::new(), Instant::now());
    let (id, _) = run(&mut table, 1, now);
    let earlier = now.checked_sub(Duration::from_secs(5)).unwrap();
    table.seen(key(1), id, earlier);
    table.seen(key(1), id, now);
    assert_eq!(table.first_seen(key(1)), Some(earlier));
}

/// One operation on the table.
#[derive(Debug, Clone)]
enum Step {
    Claim(u8),
    Acknowledge(u8),
    /// By the claim made this many claims ago.
    Complete(u8, usize, &'static str, bool),
    Reclaim(u8, usize),
    Abandon(u8, usize),
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
        1 => (message(), ago()).prop_map(|(message, ago)| Step::Reclaim(message, ago)),
        1 => (message(), ago()).prop_map(|(message, ago)| Step::Abandon(message, ago)),
        1 => message().prop_map(Step::FetchedFromStore),
        1 => (message(), ago()).prop_map(|(message, ago)| Step::End(message, ago)),
        1 => prop_oneof![Just(1), Just(59), Just(60), Just(540), Just(600)].prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..60)
}

/// The same rules, over plain lists.
#[derive(Default)]
struct Model {
    running: HashMap<u8, Running>,
    unfetched: HashMap<u8, (ClaimId, &'static str)>,
    /// In the order in which they ended.
    over: Vec<(u8, u64, Option<&'static str>)>,
}

struct Running {
    id: ClaimId,
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

    fn take_running(&mut self, message: u8, id: ClaimId) -> Option<Running> {
        let is_same = self.running.get(&message)?.id == id;
        is_same.then(|| self.running.remove(&message)).flatten()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn the_table_does_what_the_model_does(steps in steps()) {
        let start = Instant::now();
        let (mut table, mut model, mut now) = (Table::new(), Model::default(), 0);
        let mut ids: HashMap<u8, Vec<ClaimId>> = HashMap::new();
        let id_of = |ids: &HashMap<u8, Vec<ClaimId>>, message, ago| {
            ids.get(&message).and_then(|ids| ids.iter().rev().nth(ago)).copied()
        };
        for step in steps {
            let instant = start + Duration::from_secs(now);
            model.pass(now);
            // The table expires entries when a message is claimed; here in every step.
            table.expire(instant);
            match step {
                Step::Claim(message) => match claim(&mut table, message, instant) {
                    Admission::Replied(reply) => {
                        prop_assert_eq!(Some(reply), model.fetch(message, now).map(response));
                    }
                    Admission::Done => {
                        let acknowledged = model.running.get(&message).is_some_and(|it| it.acknowledged);
                        prop_assert!(acknowledged || model.is_over(message));
                        prop_assert_eq!(model.fetch(message, now), None);
                    }
                    Admission::Join(..) => prop_assert!(!model.running[&message].acknowledged),
                    Admission::NoPermit => prop_assert!(false),
                    Admission::Full => {
                        prop_assert_eq!(model.running.len() + model.unfetched.len(), 4);
                        prop_assert!(!model.running.contains_key(&message));
                    }
                    Admission::Run(id, (), _) => {
                        prop_assert!(!model.running.contains_key(&message) && !model.unfetched.contains_key(&message));
                        prop_assert!(!model.is_over(message));
                        if model.running.len() + model.unfetched.len() + model.over.len() == 4 {
                            model.over.remove(0);
                        }
                        model.running.insert(message, Running { id, acknowledged: false, fetched: false });
                        ids.entry(message).or_default().push(id);
                    }
                },
                Step::Acknowledge(message) => match table.acknowledge(key(message), instant, &LIMITS) {
                    Acknowledgement::Recorded => {
                        if let Some(running) = model.running.get_mut(&message) {
                            running.acknowledged = true;
                        } else {
                            prop_assert!(model.is_over(message));
                            prop_assert_eq!(model.fetch(message, now), None);
                        }
                    }
                    Acknowledgement::Replied(reply) => {
                        prop_assert_eq!(Some(reply), model.fetch(message, now).map(response));
                    }
                    Acknowledgement::Vacant => {
                        prop_assert!(!model.running.contains_key(&message) && !model.unfetched.contains_key(&message));
                        prop_assert!(!model.is_over(message));
                    }
                },
                Step::Complete(message, ago, body, elsewhere) => {
                    let Some(id) = id_of(&ids, message, ago) else { continue };
                    let completed = table.complete(key(message), id, completion(body, elsewhere), instant, &LIMITS);
                    match (completed, model.take_running(message, id)) {
                        (None, None) => {}
                        (Some(Ended::Acknowledged), Some(running)) => {
                            prop_assert!((running.acknowledged || elsewhere) && !running.fetched);
                            model.over.push((message, now, None));
                        }
                        (Some(Ended::Unfetched(_)), Some(running)) => {
                            prop_assert!(running.fetched || !(running.acknowledged || elsewhere));
                            model.unfetched.insert(message, (id, body));
                            if running.fetched || body == "success" {
                                model.fetch(message, now);
                            }
                        }
                        (completed, _) => prop_assert!(false, "{completed:?}"),
                    }
                }
                Step::Reclaim(message, ago) => {
                    let Some(id) = id_of(&ids, message, ago) else { continue };
                    let expected = model.unfetched.get(&message).filter(|(by, _)| *by == id).map(|(_, body)| *body);
                    prop_assert_eq!(table.reclaim(key(message), id, instant), expected.is_some());
                    if expected.is_some() {
                        model.unfetched.remove(&message);
                        model.over.push((message, now, None));
                    }
                }
                Step::Abandon(message, ago) => {
                    let Some(id) = id_of(&ids, message, ago) else { continue };
                    let abandoned = table.abandon(key(message), id, instant);
                    if let Some(running) = model.take_running(message, id) {
                        let is_acknowledged = running.acknowledged;
                        prop_assert_eq!(abandoned, if running.fetched {
                            Abandoned::Over
                        } else {
                            Abandoned::Running { is_acknowledged }
                        });
                    } else if model.unfetched.get(&message).is_some_and(|(by, _)| *by == id) {
                        prop_assert_eq!(abandoned, Abandoned::Unfetched);
                        model.unfetched.remove(&message);
                        model.over.push((message, now, None));
                    } else {
                        prop_assert_eq!(abandoned, Abandoned::Over);
                    }
                }
                Step::FetchedFromStore(message) => {
                    let Some(id) = id_of(&ids, message, 0) else { continue };
                    let is_delivered = table.fetched_from_store(key(message), id, instant, &LIMITS);
                    if let Some(running) = model.running.get_mut(&message) {
                        running.fetched = true;
                        prop_assert!(is_delivered);
                    } else {
                        let is_kept = model.fetch(message, now).is_some();
                        // A reply that is over the bound on bytes is fetched, and not kept.
                        prop_assert!(is_delivered || !is_kept);
                    }
                }
                Step::End(message, ago) => {
                    let Some(id) = id_of(&ids, message, ago) else { continue };
                    table.end(key(message), id, instant, MARK);
                    if model.take_running(message, id).is_some() {
                        model.over.push((message, now, None));
                    }
                }
                Step::Pass(seconds) => now += seconds,
            }
            prop_assert!(table.entries.len() <= LIMITS.capacity);
            prop_assert!(table.reply_bytes <= LIMITS.reply_bytes);
            prop_assert_eq!(table.over.len(), model.over.len());
            prop_assert_eq!(table.entries.len(), model.running.len() + model.unfetched.len() + model.over.len());
        }
    }
}
