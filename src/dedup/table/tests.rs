//! The table step by step, then what holds whatever happens to it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt;
use http::StatusCode;
use proptest::prelude::*;
use tokio::time::Instant;

use super::{Admission, DELIVERIES_LAST, Milestone, Table, Task, Waiting};
use crate::{
    dedup::{
        Key, Keyed, StoredResponse,
        messages::Bounds,
        store::{Acknowledged, Claim, Completed, Released, Ttls},
    },
    delivery::{Delivery, Verified},
    reply::Reply,
    response::of_whole_reply,
};

fn table() -> Table {
    let bounds = Bounds {
        messages: 4,
        reply_bytes: 20,
        spares_unfetched: true,
    };
    Table::new(bounds, 2)
}

fn key(message: u8) -> Key {
    Key::new([[message]])
}

fn ttls() -> Ttls {
    Ttls::new(Duration::from_secs(5))
}

fn response(body: impl AsRef<[u8]>) -> StoredResponse {
    StoredResponse::new(StatusCode::OK, None, body)
}

fn claim(table: &mut Table, message: u8, now: Instant) -> Admission<()> {
    table.claim(key(message), ttls(), now, now, || Ok(()))
}

#[track_caller]
fn run(table: &mut Table, message: u8, now: Instant) -> (Arc<Task>, Waiting) {
    match claim(table, message, now) {
        Admission::Run(waiting, ..) => (Arc::clone(waiting.task()), waiting),
        other => panic!("expected to run {message}, got {other:?}"),
    }
}

fn complete(table: &mut Table, claim: Claim, body: &'static str, now: Instant) -> Completed {
    table.complete(claim, Some(&response(body)), now)
}

fn fetched_from_store(
    table: &mut Table,
    claim: Claim,
    response: &StoredResponse,
    now: Instant,
) -> bool {
    let acknowledged = table.acknowledge(claim, Some(response), now);
    matches!(acknowledged, Some(Acknowledged::Replied(reply)) if reply == *response)
}

/// A delivery that waits for the end.
fn waits(task: &Task) -> impl Future + Unpin {
    let mut ended = task.reaches(Milestone::Ended).boxed();
    assert!((&mut ended).now_or_never().is_none());
    ended
}

fn milestone(task: &Task) -> Milestone {
    task.progress().milestone
}

#[test]
fn a_completion_wakes_the_waiting_deliveries_and_the_first_fetches_the_reply() {
    let (mut table, now) = (table(), Instant::now());
    let (task, _) = run(&mut table, 1, now);
    let waiting = waits(&task);
    assert_eq!(
        complete(&mut table, task.claim, "reply", now),
        Completed::Stored
    );
    assert!(waiting.now_or_never().is_some());
    assert_eq!(milestone(&task), Milestone::Ended);
    for _ in 0..2 {
        assert!(
            matches!(claim(&mut table, 1, now), Admission::Replied(reply) if reply == response("reply"))
        );
        assert_eq!(milestone(&task), Milestone::Fetched);
    }
    assert!(table.release(task.claim, now) != Released::LastHold);
}

#[test]
fn no_delivery_gets_a_reclaimed_reply() {
    let (mut table, now) = (table(), Instant::now());
    let (task, _) = run(&mut table, 1, now);
    complete(&mut table, task.claim, "reply", now);
    assert_eq!(table.release(task.claim, now), Released::LastHold);
    assert!(matches!(claim(&mut table, 1, now), Admission::Done));
    assert_eq!(milestone(&task), Milestone::Ended);
}

#[test]
fn a_message_is_acknowledged_or_replied_whichever_comes_first() {
    let (mut table, now) = (table(), Instant::now());
    let (task, _) = run(&mut table, 1, now);
    let acknowledged = table.acknowledge(task.claim, None, now);
    assert_eq!(acknowledged, Some(Acknowledged::Recorded));
    assert!(table.is_acknowledged(task.claim, now));
    assert!(matches!(claim(&mut table, 1, now), Admission::Done));
    let completed = complete(&mut table, task.claim, "reply", now);
    assert_eq!(completed, Completed::Acknowledged);
    assert!(matches!(claim(&mut table, 1, now), Admission::Done));

    let (task, _) = run(&mut table, 2, now);
    complete(&mut table, task.claim, "reply", now);
    let acknowledged = table.acknowledge(task.claim, None, now);
    assert_eq!(acknowledged, Some(Acknowledged::Replied(response("reply"))));
    assert_eq!(milestone(&task), Milestone::Fetched);
}

#[test]
fn a_reply_fetched_from_the_store_is_not_reclaimed() {
    for completed_first in [false, true] {
        let (mut table, now) = (table(), Instant::now());
        let (task, _) = run(&mut table, 1, now);
        let waiting = waits(&task);
        if completed_first {
            complete(&mut table, task.claim, "reply", now);
        }
        assert!(fetched_from_store(
            &mut table,
            task.claim,
            &response("reply"),
            now
        ));
        assert_eq!(milestone(&task), Milestone::Fetched);
        assert!(waiting.now_or_never().is_some());
        // Its task hears of it later.
        let completed = complete(&mut table, task.claim, "reply", now);
        assert_eq!(completed, Completed::Stored);
        assert!(table.release(task.claim, now) != Released::LastHold);
    }
}

#[test]
fn a_reply_that_is_late_cannot_be_fetched_from_the_store() {
    let (mut table, now) = (table(), Instant::now());
    let (task, _) = run(&mut table, 1, now);
    complete(&mut table, task.claim, "reply", now);
    assert_eq!(table.release(task.claim, now), Released::LastHold);
    assert!(!fetched_from_store(
        &mut table,
        task.claim,
        &response("reply"),
        now
    ));
}

#[test]
fn an_abandoned_message_is_vacant_and_wakes_the_waiting_deliveries() {
    let (mut table, now) = (table(), Instant::now());
    let (stale, _) = run(&mut table, 1, now);
    let waiting = waits(&stale);
    let released = table.release(stale.claim, now);
    assert_eq!(released, Released::NotCompleted);
    assert!(waiting.now_or_never().is_some());
    assert_eq!(table.acknowledge(stale.claim, None, now), None);

    let Admission::Run(waiting, again, ()) = claim(&mut table, 1, now) else {
        panic!()
    };
    let task = waiting.task();
    assert_eq!(again.number, 2);
    // The stale claim changes nothing.
    let released = table.release(stale.claim, now);
    assert_eq!(released, Released::RunningElsewhere);
    let completed = complete(&mut table, stale.claim, "stale", now);
    assert_eq!(completed, Completed::Lost);
    assert_eq!(milestone(task), Milestone::Running);
    let completed = complete(&mut table, task.claim, "reply", now);
    assert_eq!(completed, Completed::Stored);
}

/// WeChat has been told not to wait: a later delivery's reply would be shown to nobody.
#[test]
fn an_acknowledgement_outlives_the_run() {
    let (mut table, now) = (table(), Instant::now());
    let (task, _) = run(&mut table, 1, now);
    table.acknowledge(task.claim, None, now);
    assert!(table.is_acknowledged(task.claim, now));
    let released = table.release(task.claim, now);
    assert_eq!(released, Released::NotCompleted);
    let (task, _) = run(&mut table, 1, now);
    let completed = complete(&mut table, task.claim, "reply", now);
    assert_eq!(completed, Completed::Acknowledged);
}

#[test]
fn a_waiting_delivery_that_leaves_makes_room_for_another() {
    let (mut table, now) = (table(), Instant::now());
    let (_, first) = run(&mut table, 1, now);
    let Admission::Join(_second) = claim(&mut table, 1, now) else {
        panic!()
    };
    assert!(matches!(claim(&mut table, 1, now), Admission::Full));
    drop(first);
    assert!(matches!(claim(&mut table, 1, now), Admission::Join(..)));
}

#[test]
fn a_reply_over_the_bound_is_given_to_one_delivery() {
    let (mut table, now) = (table(), Instant::now());
    for (message, body) in [(1, "short"), (2, "a reply of over twenty bytes")] {
        let (task, _) = run(&mut table, message, now);
        complete(&mut table, task.claim, body, now);
        assert!(matches!(
            claim(&mut table, message, now),
            Admission::Replied(_)
        ));
    }
    assert!(matches!(claim(&mut table, 2, now), Admission::Done));
}

#[test]
fn a_reply_that_shows_nothing_counts_as_fetched() {
    let (mut table, now) = (table(), Instant::now());
    let (task, _) = run(&mut table, 1, now);
    complete(&mut table, task.claim, "success", now);
    assert_eq!(milestone(&task), Milestone::Fetched);
    assert!(matches!(claim(&mut table, 1, now), Admission::Replied(_)));
}

#[test]
fn a_new_message_takes_the_permit_and_without_one_changes_nothing() {
    let (mut table, now) = (table(), Instant::now());
    let none = table.claim(key(1), ttls(), now, now, || {
        Err::<&str, _>(Admission::NoPermit)
    });
    assert!(matches!(none, Admission::NoPermit));
    assert_eq!(table.messages.len(), 0);
    let first = table.claim(key(1), ttls(), now, now, || Ok("a permit"));
    assert!(matches!(first, Admission::Run(_, _, "a permit")));
    // A message that already runs needs none, and drops the one that it gets.
    let permit = Arc::new(());
    let second = table.claim(key(1), ttls(), now, now, || Ok(Arc::clone(&permit)));
    assert!(matches!(second, Admission::Join(..)));
    assert_eq!(Arc::strong_count(&permit), 1);
}

/// Only a late reply needs it, and it holds the text a second time.
#[test]
fn a_kept_reply_forgets_its_typed_reply() {
    let (mut table, now) = (table(), Instant::now());
    let (task, _) = run(&mut table, 1, now);
    let message = "<xml><ToUserName>gh</ToUserName><FromUserName>user</FromUserName></xml>";
    let message = Verified::insecure_assume(message, Delivery::new("account"));
    let reply = Reply::text("hi").then("there");
    let typed = StoredResponse::of_own(&of_whole_reply(reply, &message));
    assert_eq!(typed.rest(), Some(&Reply::text("there")));
    table.complete(task.claim, Some(&typed), now);
    let Admission::Replied(kept) = claim(&mut table, 1, now) else {
        panic!()
    };
    assert_eq!((kept.body(), kept.rest()), (typed.body(), None));
}

#[test]
fn the_earliest_sighting_of_a_message_counts_for_its_age() {
    let (mut table, now) = (table(), Instant::now());
    let (task, _) = run(&mut table, 1, now);
    let age = Duration::from_secs(5);
    assert!(task.seen_by_store(age), "the first answer");
    assert!(!task.seen_by_store(Duration::ZERO));
    assert!(task.age() >= age && task.seen().1);
}

/// WeChat makes no delivery that late: the process has stood still. Its answer would reach nobody.
#[test]
fn a_delivery_that_wechat_has_given_up_does_not_fetch_the_reply() {
    for (age, is_given_up) in [(15_499, false), (15_500, true)] {
        let (mut table, now) = (table(), Instant::now());
        let (task, _) = run(&mut table, 1, now);
        complete(&mut table, task.claim, "reply", now);
        let arrival = now + Duration::from_millis(age);
        let admission = table.claim(key(1), ttls(), arrival, arrival, || Ok(()));
        match admission {
            Admission::Done => assert!(is_given_up),
            Admission::Replied(_) => assert!(!is_given_up),
            other => panic!("{other:?}"),
        }
        assert_eq!(
            table.release(task.claim, arrival) == Released::LastHold,
            is_given_up
        );
    }
}

/// For hours, WeChat makes another delivery of such a message.
#[test]
fn a_message_that_is_retried_until_it_is_answered_is_never_given_up() {
    let keyed = Keyed::from(key(1)).retried_for(Duration::from_hours(1));
    let over = Duration::from_mins(1);
    for is_awaited in [false, true] {
        let (mut table, now) = (table(), Instant::now());
        let Admission::Run(waiting, ..) = table.claim(keyed, ttls(), now, now, || Ok(())) else {
            panic!()
        };
        let task = Arc::clone(waiting.task());
        let waiting = is_awaited.then_some(waiting);
        complete(&mut table, task.claim, "reply", now);
        assert_eq!(milestone(&task) == Milestone::Ended, is_awaited);
        if is_awaited {
            // One that comes when WeChat has given up other messages.
            let later = now + Duration::from_secs(16);
            let admission = table.claim(keyed, ttls(), later, later, || Ok(()));
            assert!(matches!(admission, Admission::Replied(_)));
        }
        assert_ne!(table.release(task.claim, now), Released::LastHold);
        drop(waiting);
        let admission = table.claim(keyed, ttls(), now, now + over / 2, || Ok(()));
        assert!(matches!(admission, Admission::Replied(_)));
    }
    // Nobody fetches it while its task waits.
    let (mut table, now) = (table(), Instant::now());
    let Admission::Run(waiting, ..) = table.claim(keyed, ttls(), now, now, || Ok(())) else {
        panic!()
    };
    let task = waiting.task();
    complete(&mut table, task.claim, "reply", now);
    assert_ne!(table.release(task.claim, now), Released::LastHold);
    let admission = table.claim(keyed, ttls(), now, now, || Ok(()));
    assert!(matches!(admission, Admission::Replied(_)));
}

#[test]
fn an_acknowledgement_after_the_time_of_a_reply_does_not_fetch_it() {
    let (mut table, now) = (table(), Instant::now());
    let (task, _) = run(&mut table, 1, now);
    complete(&mut table, task.claim, "reply", now);
    let over = now + ttls().reply;
    let acknowledged = table.acknowledge(task.claim, None, over);
    assert_eq!(acknowledged, Some(Acknowledged::Recorded));
    assert_eq!(milestone(&task), Milestone::Ended);
    assert_eq!(table.release(task.claim, over), Released::LastHold);
}

#[test]
fn a_task_is_awaited_until_the_last_delivery_leaves() {
    let (mut table, now) = (table(), Instant::now());
    let (task, first) = run(&mut table, 1, now);
    assert!(task.is_awaited());
    let Admission::Join(second) = claim(&mut table, 1, now) else {
        panic!()
    };
    assert!(task.is_awaited());
    drop((first, second));
    assert!(!task.is_awaited());
}

#[test]
fn four_hang_ups_on_a_message_are_counted() {
    let (mut table, now) = (table(), Instant::now());
    let (task, _) = run(&mut table, 1, now);
    let counted = [(); 6].map(|()| task.hang_up());
    assert_eq!(counted, [true, true, true, true, false, false]);
}

/// The store is told it with a renewal.
#[test]
fn the_age_of_a_message_counts_from_the_arrival_of_its_first_delivery() {
    let (mut table, now) = (table(), Instant::now());
    let arrival = now.checked_sub(Duration::from_secs(5)).unwrap();
    let Admission::Run(waiting, ..) = table.claim(key(1), ttls(), arrival, now, || Ok(())) else {
        panic!()
    };
    assert!(waiting.task().age() >= Duration::from_secs(5));
}

/// One operation on the table.
#[derive(Debug, Clone)]
enum Step {
    Claim(u8),
    Acknowledge(usize),
    /// By the claim made this many claims ago, with a reply of this size.
    Complete(usize, usize, bool),
    Release(usize),
    FetchedFromStore(usize),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ago = || 0..6_usize;
    let size = prop_oneof![Just(8), Just(12), Just(28)];
    let step = prop_oneof![
        6 => (0..6_u8).prop_map(Step::Claim),
        1 => ago().prop_map(Step::Acknowledge),
        4 => (ago(), size, prop::bool::weighted(0.2))
            .prop_map(|(ago, size, acknowledged)| Step::Complete(ago, size, acknowledged)),
        2 => ago().prop_map(Step::Release),
        1 => ago().prop_map(Step::FetchedFromStore),
        1 => prop_oneof![Just(1), Just(59), Just(60), Just(540), Just(600)].prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..60)
}

/// What has become of a claim.
struct History {
    message: u8,
    task: Arc<Task>,
    reply: StoredResponse,
    is_acknowledged: bool,
    ended: Instant,
    state: Life,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Running,
    Unfetched,
    Delivered,
    /// The task has been told that the reply is its own to send.
    Late,
    Abandoned,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// A reply has one way out, a message one run at a time, and nothing that a task still needs is forgotten.
    #[test]
    fn a_reply_is_delivered_or_late(steps in steps()) {
        let (mut table, mut now) = (table(), Instant::now());
        let mut claims: Vec<History> = Vec::new();
        let at = |claims: &[History], ago: usize| claims.len().checked_sub(ago + 1);
        for step in steps {
            match step {
                Step::Claim(message) => {
                    let is_busy = |it: &History| matches!(it.state, Life::Running | Life::Unfetched);
                    let busy = claims.iter().filter(|it| is_busy(it)).count();
                    let live = claims.iter().position(|it| it.message == message && is_busy(it));
                    // There are as many permits as there is room for messages.
                    let permit = (busy < 4).then_some(());
                    match (table.claim(key(message), ttls(), now, now, || permit.ok_or(Admission::NoPermit)), live.map(|at| &mut claims[at])) {
                        (Admission::Run(waiting, ..), None) => {
                            let task = Arc::clone(waiting.task());
                            let reply = response(Bytes::new());
                            claims.push(History { message, task, reply, is_acknowledged: false, ended: now, state: Life::Running });
                        }
                        (Admission::Join(waiting), Some(live)) => {
                            prop_assert_eq!((waiting.task().claim, live.state), (live.task.claim, Life::Running));
                        }
                        (Admission::Replied(reply), Some(live)) => {
                            prop_assert_eq!((&reply, live.state), (&live.reply, Life::Unfetched));
                            live.state = Life::Delivered;
                        }
                        (Admission::Replied(reply), None) => {
                            let by = claims.iter().find(|it| it.reply == reply);
                            prop_assert_eq!(by.unwrap().state, Life::Delivered);
                        }
                        // Its time is over, or WeChat has given it up; its task still has it.
                        (Admission::Done, Some(live)) if live.state == Life::Unfetched => {
                            prop_assert!(now >= live.task.first_seen() + DELIVERIES_LAST);
                        }
                        (Admission::Done, _) => {}
                        (Admission::NoPermit, None) => prop_assert!(permit.is_none()),
                        (other, _) => prop_assert!(false, "{other:?}"),
                    }
                }
                Step::Acknowledge(ago) => if let Some(at) = at(&claims, ago) {
                    let acknowledged = table.acknowledge(claims[at].task.claim, None, now);
                    let message = claims[at].message;
                    let live = claims.iter_mut().rev().find(|it| it.message == message && matches!(it.state, Life::Running | Life::Unfetched));
                    match (acknowledged, live) {
                        (Some(Acknowledged::Recorded), Some(live)) if live.state == Life::Running => live.is_acknowledged = true,
                        (Some(Acknowledged::Recorded), Some(live)) => prop_assert!(now >= live.ended + ttls().reply),
                        (Some(Acknowledged::Replied(reply)), Some(live)) => {
                            prop_assert_eq!((&reply, live.state), (&live.reply, Life::Unfetched));
                            live.state = Life::Delivered;
                        }
                        (Some(Acknowledged::Replied(reply)), None) => {
                            let by = claims.iter().find(|it| it.reply == reply);
                            prop_assert_eq!(by.unwrap().state, Life::Delivered);
                        }
                        (Some(Acknowledged::Recorded) | None, None) => {}
                        (other, _) => prop_assert!(false, "{other:?}"),
                    }
                },
                // A task completes once, or twice if it does not know that it has.
                Step::Complete(ago, size, elsewhere) => if let Some(at) = at(&claims, ago).filter(|at| matches!(claims[*at].state, Life::Running | Life::Unfetched)) {
                    let reply = response(format!("{at:size$}"));
                    let claim = &mut claims[at];
                    let kept = (!elsewhere).then_some(&reply);
                    let completed = table.complete(claim.task.claim, kept, now);
                    if claim.state == Life::Running {
                        (claim.reply, claim.ended) = (reply, now);
                    }
                    claim.state = match completed {
                        Completed::Acknowledged => {
                            prop_assert!(elsewhere || table.acknowledge(claim.task.claim, None, now).is_some());
                            Life::Late
                        }
                        Completed::Stored => {
                            prop_assert!(!elsewhere && !claim.is_acknowledged);
                            Life::Unfetched
                        }
                        Completed::Lost => return Err(TestCaseError::fail("a message was lost")),
                    };
                },
                Step::Release(ago) => if let Some(at) = at(&claims, ago) {
                    let claim = &mut claims[at];
                    let is_acknowledged = table.is_acknowledged(claim.task.claim, now);
                    let released = table.release(claim.task.claim, now);
                    match claim.state {
                        Life::Running => {
                            prop_assert_eq!(released, Released::NotCompleted);
                            prop_assert!(is_acknowledged >= claim.is_acknowledged);
                            claim.state = Life::Abandoned;
                        }
                        Life::Unfetched => {
                            prop_assert_eq!(released, Released::LastHold);
                            claim.state = Life::Late;
                        }
                        Life::Delivered => prop_assert_ne!(released, Released::LastHold),
                        // It is told so again, as long as the message is remembered.
                        Life::Late | Life::Abandoned => {}
                    }
                },
                Step::FetchedFromStore(ago) => if let Some(at) = at(&claims, ago) {
                    let (earlier, later) = claims.split_at_mut(at + 1);
                    let claim = &mut earlier[at];
                    let is_latest = later.iter().all(|it| it.message != claim.message);
                    let reply = if claim.state == Life::Running { response(format!("{at:8}")) } else { claim.reply.clone() };
                    // Nothing of a claim whose task is gone, and whose message is forgotten, may be in the store.
                    let is_kept = claim.state == Life::Unfetched && now < claim.ended + ttls().reply;
                    if claim.state == Life::Running || is_kept {
                        let is_delivered = fetched_from_store(&mut table, claim.task.claim, &reply, now);
                        claim.reply = reply;
                        claim.state = if is_delivered { Life::Delivered } else { Life::Late };
                    } else if claim.state == Life::Late && is_latest {
prop_assert!(!fetched_from_store(&mut table, claim.task.claim, &reply, now));
                    }
                },
                Step::Pass(seconds) => {
                    // A task waits for some seconds, far less than the time that a message is remembered.
                    for claim in claims.iter_mut().filter(|it| it.state == Life::Unfetched) {
                        if claim.ended + ttls().mark <= now + Duration::from_secs(seconds) {
                            prop_assert_eq!(table.release(claim.task.claim, now), Released::LastHold);
                            claim.state = Life::Late;
                        }
                    }
                    now += Duration::from_secs(seconds);
                }
            }
            for claim in claims.iter().filter(|it| it.state == Life::Delivered) {
                prop_assert_eq!(milestone(&claim.task), Milestone::Fetched);
            }
            let unfetched = claims.iter().filter(|it| it.state == Life::Unfetched);
            let unfetched: HashMap<_, _> = unfetched.map(|it| (it.task.claim.key, it.reply.size())).collect();
            prop_assert!(table.messages.len() <= 4);
            prop_assert!(table.messages.reply_bytes() <= 20 + unfetched.values().sum::<usize>());
        }
    }
}
