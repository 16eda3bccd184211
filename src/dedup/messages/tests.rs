//! The answers of the machine, and what is forgotten at a bound.

use http::StatusCode;

use super::*;
use crate::{dedup::store::Ttls, response::StoredResponse};

/// A lease of 5 s, a reply for a minute, a mark for ten.
fn claim(message: u8, id: u8) -> Claim {
    let ttls = Ttls::new(seconds(5));
    let id = (0..id).fold(ClaimId::NONE, |id, _| id.next());
    Claim::new(Key::new([[message]]), id, ttls)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn response(body: &'static str) -> StoredResponse {
    StoredResponse::new(StatusCode::OK, None, body)
}

fn messages(messages: usize, reply_bytes: usize, spares_unfetched: bool) -> Messages {
    Messages::new(Bounds {
        messages,
        reply_bytes,
        spares_unfetched,
    })
}

/// With room for everything.
fn roomy() -> Messages {
    messages(100, 1000, false)
}

fn complete(messages: &mut Messages, claim: Claim, body: &'static str, now: Instant) -> Completed {
    messages.complete(claim, Ending::Reply(response(body)), now)
}

/// Claims and completes a message. Its reply is late.
fn late(messages: &mut Messages, claim: Claim, body: &'static str, now: Instant) {
    messages.claim(claim, now);
    let completed = messages.complete(claim, Ending::Late(response(body)), now);
    assert_eq!(completed, Completed::Acknowledged);
}

/// Ends a late message.
fn end(messages: &mut Messages, claim: Claim, now: Instant) -> Completed {
    messages.complete(claim, Ending::Nothing, now)
}

/// Claims and completes a message. Its claim holds the reply.
fn reply(messages: &mut Messages, claim: Claim, body: &'static str, now: Instant) {
    messages.claim(claim, now);
    assert_eq!(complete(messages, claim, body, now), Completed::Stored);
}

fn run(age: u64, number: u32) -> Claimed {
    Claimed::Won(Run::new(seconds(age), number))
}

fn running(age: u64, lease: u64) -> Claimed {
    Claimed::Running {
        age: seconds(age),
        lease: seconds(lease),
    }
}

fn late_elsewhere(lease: u64) -> Claimed {
    let lease = seconds(lease);
    Claimed::Late { lease }
}

fn taken_over(body: &'static str) -> Claimed {
    Claimed::TakenOver(response(body))
}

fn replied(age: u64, body: &'static str) -> Claimed {
    Claimed::Replied {
        age: seconds(age),
        response: response(body),
    }
}

#[test]
fn a_message_is_its_claims_until_the_lease_is_over() {
    let (mut messages, now) = (roomy(), Instant::now());
    let (first, second) = (claim(1, 1), claim(1, 2));
    assert_eq!(messages.claim(first, now), run(0, 1));
    assert_eq!(messages.claim(second, now + seconds(2)), running(2, 3));
    // Nor do its other operations change anything.
    let vain = now + seconds(4);
    assert_eq!(
        messages.renew(second, Run::new(seconds(0), 1), vain),
        Renewed::Lost
    );
    assert_eq!(
        complete(&mut messages, second, "reply", vain),
        Completed::Lost
    );
    assert_eq!(messages.release(second, vain), Released::RunningElsewhere);
    assert_eq!(messages.claim(second, vain), running(4, 1));

    let now = now + seconds(5);
    assert_eq!(messages.release(second, now), Released::Unclaimed);
    assert_eq!(messages.claim(second, now), run(5, 2));
    assert_eq!(
        messages.renew(first, Run::new(seconds(0), 1), now),
        Renewed::Lost
    );
    assert_eq!(
        complete(&mut messages, first, "reply", now),
        Completed::Lost
    );
    assert_eq!(messages.release(first, now), Released::RunningElsewhere);
    assert_eq!(messages.claim(first, now), running(5, 5));
}

/// A node repeats a claim whose answer it did not get.
#[test]
fn a_repeated_claim_is_of_the_same_run_and_begins_its_times_anew() {
    let (mut messages, now) = (roomy(), Instant::now());
    let (first, second) = (claim(1, 1), claim(1, 2));
    messages.claim(first, now);
    assert_eq!(messages.claim(first, now + seconds(4)), run(4, 1));
    assert_eq!(messages.claim(second, now + seconds(8)), running(8, 1));
    assert_eq!(messages.claim(first, now + seconds(20)), run(20, 1));
    // The mark.
    let (last, over) = (now + seconds(619), now + seconds(620));
    assert_eq!(messages.clone().claim(second, last), run(619, 2));
    assert_eq!(messages.claim(second, over), run(0, 1));
}

#[test]
fn a_renewal_begins_the_lease_and_the_mark_anew() {
    let (mut messages, now) = (roomy(), Instant::now());
    let (first, second) = (claim(1, 1), claim(1, 2));
    messages.claim(first, now);
    let renewed = messages.renew(first, Run::new(seconds(0), 9), now + seconds(4));
    assert_eq!(renewed, Renewed::Yours);
    assert_eq!(messages.claim(second, now + seconds(8)), running(8, 1));
    let (last, over) = (now + seconds(603), now + seconds(604));
    assert_eq!(messages.clone().claim(second, last), run(603, 2));
    assert_eq!(messages.claim(second, over), run(0, 1));
}

/// The store has lost the message, or was away when it was claimed.
#[test]
fn a_vacant_message_is_given_to_a_renewal_with_its_run() {
    let (mut messages, now) = (roomy(), Instant::now());
    let now = now + seconds(100);
    let renewed = messages.renew(claim(1, 1), Run::new(seconds(30), 3), now);
    assert_eq!(renewed, Renewed::Yours);
    assert_eq!(messages.claim(claim(1, 2), now), running(30, 5));
    let over = now + seconds(5);
    assert_eq!(messages.claim(claim(1, 2), over), run(35, 4));
}

/// The store was away, and has carried the claim out when it was back. The node has known the message all that time.
#[test]
fn a_renewal_corrects_the_age_of_a_message_that_was_claimed_late() {
    let (mut messages, now) = (roomy(), Instant::now() + seconds(100));
    let (first, second) = (claim(1, 1), claim(1, 2));
    messages.claim(first, now);
    messages.renew(first, Run::new(seconds(4), 1), now + seconds(1));
    assert_eq!(messages.claim(second, now + seconds(2)), running(5, 4));
    // A smaller age changes nothing, and neither does another claim's.
    messages.renew(first, Run::new(seconds(0), 1), now + seconds(2));
    messages.renew(second, Run::new(seconds(60), 1), now + seconds(2));
    assert_eq!(messages.claim(second, now + seconds(2)), running(5, 5));
}

#[test]
fn a_released_run_is_the_next_claims_at_once() {
    let (mut messages, now) = (roomy(), Instant::now());
    messages.claim(claim(1, 1), now);
    let now = now + seconds(2);
    assert_eq!(messages.release(claim(1, 1), now), Released::NotCompleted);
    // It is known for a mark more.
    let (last, over) = (now + seconds(599), now + seconds(600));
    assert_eq!(messages.clone().claim(claim(1, 2), last), run(601, 2));
    assert_eq!(messages.clone().claim(claim(1, 2), over), run(0, 1));
    assert_eq!(messages.claim(claim(1, 2), now), run(2, 2));
}

#[test]
fn a_message_that_is_not_known_is_acknowledged_and_released_without_effect() {
    let (mut messages, now) = (roomy(), Instant::now());
    assert_eq!(
        messages.acknowledge(claim(1, 1), now),
        Acknowledged::Recorded
    );
    assert_eq!(messages.release(claim(1, 1), now), Released::Unclaimed);
    assert_eq!(messages.len(), 0);
    // One that was known.
    messages.claim(claim(1, 1), now);
    let over = now + seconds(600);
    assert_eq!(messages.release(claim(1, 1), over), Released::Unclaimed);
}

#[test]
fn a_reply_is_kept_for_its_time_and_the_mark_for_longer() {
    for is_claimed in [true, false] {
        let (mut messages, now) = (roomy(), Instant::now());
        if is_claimed {
            messages.claim(claim(1, 1), now);
        }
        let ended = now + seconds(3);
        let age = if is_claimed { 3 } else { 0 };
        for _repeated in 0..2 {
            assert_eq!(
                complete(&mut messages, claim(1, 1), "reply", ended),
                Completed::Stored
            );
        }
        let second = claim(1, 2);
        let (last, over) = (ended + seconds(59), ended + seconds(60));
        assert_eq!(messages.claim(second, last), replied(age + 59, "reply"));
        let acknowledged = messages.clone().acknowledge(second, over);
        assert_eq!(acknowledged, Acknowledged::Recorded);
        assert_eq!(messages.claim(second, over), Claimed::Done);
        let (last, over) = (ended + seconds(599), ended + seconds(600));
        assert_eq!(messages.claim(second, last), Claimed::Done);
        assert_eq!(messages.claim(second, over), run(0, 1));
    }
}

/// By the claim that ran the message or by one that got its reply since, whichever is the last.
#[test]
fn the_last_hold_of_a_reply_is_one_claims() {
    for (order, completed) in [([1, 2], Completed::Lost), ([2, 1], Completed::Acknowledged)] {
        let (mut messages, now) = (roomy(), Instant::now());
        reply(&mut messages, claim(1, 1), "reply", now);
        // Twice: its first answer was lost.
        for _repeated in 0..2 {
            assert_eq!(messages.claim(claim(1, 2), now), replied(0, "reply"));
        }
        let [one, other] = order.map(|id| claim(1, id));
        assert_eq!(messages.release(one, now), Released::HeldElsewhere);
        assert_eq!(messages.release(one, now), Released::HeldElsewhere);
        for _repeated in 0..2 {
            assert_eq!(messages.release(other, now), Released::LastHold);
            assert_eq!(messages.release(one, now), Released::SentElsewhere);
        }
        assert_eq!(messages.claim(one, now), late_elsewhere(5));
        assert_eq!(messages.acknowledge(one, now), Acknowledged::Recorded);
        for _late_or_done in 0..2 {
            assert_eq!(
                complete(&mut messages, claim(1, 1), "reply", now),
                completed
            );
            assert_eq!(
                complete(&mut messages, claim(1, 3), "reply", now),
                Completed::Lost
            );
            assert_eq!(end(&mut messages, other, now), Completed::Acknowledged);
            assert_eq!(messages.release(other, now), Released::LastHold);
            assert_eq!(messages.release(one, now), Released::SentElsewhere);
            assert_eq!(messages.claim(one, now), Claimed::Done);
            assert_eq!(messages.acknowledge(one, now), Acknowledged::Recorded);
        }
    }
}

#[test]
fn an_acknowledgement_takes_hold_of_a_reply_that_is_there() {
    let (mut messages, now) = (roomy(), Instant::now());
    reply(&mut messages, claim(1, 1), "reply", now);
    let acknowledged = messages.acknowledge(claim(1, 2), now);
    assert_eq!(acknowledged, Acknowledged::Replied(response("reply")));
    assert_eq!(messages.release(claim(1, 1), now), Released::HeldElsewhere);
    assert_eq!(messages.release(claim(1, 2), now), Released::LastHold);
}

/// The acknowledgement is another node's, or the claim's own, which the store has not heard of.
#[test]
fn the_reply_to_an_acknowledged_message_is_its_claims() {
    for is_own in [false, true] {
        let (mut messages, now) = (roomy(), Instant::now());
        messages.claim(claim(1, 1), now);
        if !is_own {
            let acknowledged = messages.acknowledge(claim(1, 2), now);
            assert_eq!(acknowledged, Acknowledged::Recorded);
        }
        for is_own in [is_own, false, true] {
            let kept = if is_own { Ending::Late } else { Ending::Reply };
            let completed = messages.complete(claim(1, 1), kept(response("reply")), now);
            assert_eq!(completed, Completed::Acknowledged);
        }
        assert_eq!(messages.claim(claim(1, 2), now), late_elsewhere(5));
        assert_eq!(messages.release(claim(1, 2), now), Released::SentElsewhere);
        assert_eq!(messages.release(claim(1, 1), now), Released::LastHold);
        assert_eq!(messages.claim(claim(1, 1), now), taken_over("reply"));
    }
}

/// Or its reply shows nothing.
#[test]
fn an_acknowledged_message_without_a_reply_is_done() {
    for is_acknowledged in [false, true] {
        let (mut messages, now) = (roomy(), Instant::now());
        messages.claim(claim(1, 1), now);
        if is_acknowledged {
            messages.acknowledge(claim(1, 2), now);
        }
        for _repeated in 0..2 {
            let completed = end(&mut messages, claim(1, 1), now);
            assert_eq!(completed, Completed::Acknowledged);
        }
        assert_eq!(messages.claim(claim(1, 1), now), Claimed::Done);
        assert_eq!(messages.claim(claim(1, 2), now), Claimed::Done);
    }
}

/// The node that has it has crashed.
#[test]
fn a_late_reply_is_the_next_claims_when_its_lease_is_over() {
    for is_released in [false, true] {
        let (mut messages, now) = (roomy(), Instant::now());
        let (first, second) = (claim(1, 1), claim(1, 2));
        if is_released {
            reply(&mut messages, first, "reply", now);
            assert_eq!(messages.release(first, now), Released::LastHold);
        } else {
            late(&mut messages, first, "reply", now);
        }
        let renewed = now + seconds(4);
        let run = Run::new(seconds(0), 1);
        assert_eq!(messages.renew(second, run, renewed), Renewed::Lost);
        assert_eq!(messages.renew(first, run, renewed), Renewed::Yours);
        // The lease begins anew, and the reply outlives its time for deliveries.
        let (last, over) = (renewed + seconds(4), renewed + seconds(100));
        assert_eq!(messages.claim(second, last), late_elsewhere(1));
        assert_eq!(end(&mut messages, second, last), Completed::Lost);
        let next = messages.clone().claim(second, renewed + seconds(5));
        assert_eq!(next, taken_over("reply"));
        assert_eq!(messages.acknowledge(second, over), Acknowledged::Recorded);
        for _repeated in 0..2 {
            assert_eq!(messages.claim(second, over), taken_over("reply"));
        }
        assert_eq!(messages.claim(first, over), late_elsewhere(5));
        assert_eq!(messages.renew(first, run, over), Renewed::Lost);
        assert_eq!(messages.release(first, over), Released::SentElsewhere);
        assert_eq!(
            complete(&mut messages, first, "reply", over),
            Completed::Lost
        );
        assert_eq!(end(&mut messages, first, over), Completed::Lost);
        for _repeated in 0..2 {
            let ended = end(&mut messages, second, over);
            assert_eq!(ended, Completed::Acknowledged);
            assert_eq!(end(&mut messages, first, over), Completed::Lost);
            assert_eq!(messages.renew(second, run, over), Renewed::Lost);
            assert_eq!(messages.claim(first, over), Claimed::Done);
        }
    }
}

#[test]
fn a_late_reply_is_kept_until_its_mark_is_over() {
    let (mut messages, now) = (roomy(), Instant::now());
    late(&mut messages, claim(1, 1), "reply", now);
    let (last, over) = (now + seconds(599), now + seconds(600));
    assert_eq!(
        messages.clone().claim(claim(1, 2), last),
        taken_over("reply")
    );
    assert_eq!(messages.claim(claim(1, 2), over), run(0, 1));
}

/// Only after that a message that has been forgotten is ended once more.
#[test]
fn a_message_that_is_not_known_is_done_once_its_reply_has_been_sent() {
    let (mut messages, now) = (roomy(), Instant::now());
    let ended = end(&mut messages, claim(1, 1), now);
    assert_eq!(ended, Completed::Acknowledged);
    let completed = messages.complete(claim(1, 1), Ending::Late(response("reply")), now);
    assert_eq!(completed, Completed::Acknowledged);
    assert_eq!(messages.claim(claim(1, 2), now), Claimed::Done);
}

/// So a release that is carried out later finds nothing to take over.
#[test]
fn an_ending_without_a_reply_for_deliveries_ends_the_last_hold_alone() {
    for ending in [Ending::Nothing, Ending::Late(response("reply"))] {
        let (mut messages, now) = (roomy(), Instant::now());
        reply(&mut messages, claim(1, 1), "reply", now);
        messages.claim(claim(1, 2), now);
        for (id, completed) in [(1, Completed::Stored), (2, Completed::Lost)] {
            let answer = messages.complete(claim(1, id), ending.clone(), now);
            assert_eq!(answer, completed);
        }
        assert_eq!(messages.claim(claim(1, 2), now), replied(0, "reply"));
        assert_eq!(messages.release(claim(1, 1), now), Released::HeldElsewhere);
        let completed = messages.complete(claim(1, 2), ending.clone(), now);
        assert_eq!(completed, Completed::Acknowledged);
        assert_eq!(messages.release(claim(1, 2), now), Released::LastHold);
        assert_eq!(messages.release(claim(1, 1), now), Released::SentElsewhere);
        let claimed = match ending {
            Ending::Nothing => Claimed::Done,
            _ => late_elsewhere(5),
        };
        assert_eq!(messages.claim(claim(1, 1), now), claimed);
    }
}

/// A node tells the store every second, which may have lost the message.
#[test]
fn a_repeated_completion_of_a_late_message_begins_its_lease_anew() {
    let (mut messages, now) = (roomy(), Instant::now());
    late(&mut messages, claim(1, 1), "reply", now);
    let now = now + seconds(4);
    for ending in [Ending::Reply, Ending::Late] {
        let completed = messages.complete(claim(1, 1), ending(response("reply")), now);
        assert_eq!(completed, Completed::Acknowledged);
        assert_eq!(messages.claim(claim(1, 2), now), late_elsewhere(5));
    }
}

/// Its holders are remembered longer.
#[test]
fn the_last_hold_of_a_reply_that_has_been_dropped_leaves_nothing() {
    let (mut messages, now) = (roomy(), Instant::now());
    reply(&mut messages, claim(1, 1), "reply", now);
    let over = now + seconds(60);
    assert_eq!(messages.release(claim(1, 1), over), Released::LastHold);
    assert_eq!(messages.claim(claim(1, 2), over), Claimed::Done);
}

/// A node that takes the message over learns of it.
#[test]
fn an_acknowledgement_outlives_the_lease() {
    let (mut messages, now) = (roomy(), Instant::now());
    messages.claim(claim(1, 1), now);
    messages.acknowledge(claim(1, 2), now);
    let now = now + seconds(5);
    messages.claim(claim(1, 2), now);
    assert_eq!(
        complete(&mut messages, claim(1, 2), "reply", now),
        Completed::Acknowledged
    );
}

#[test]
fn no_time_is_too_long() {
    let (mut messages, now) = (roomy(), Instant::now());
    let ttls = Ttls {
        lease: Duration::MAX,
        reply: Duration::MAX,
        mark: Duration::MAX,
    };
    let endless = Claim {
        ttls,
        ..claim(1, 1)
    };
    let run = Run::new(Duration::MAX, u32::MAX);
    assert_eq!(messages.renew(endless, run, now), Renewed::Yours);
    let ten_years = now + Duration::from_hours(87_599);
    assert!(matches!(
        messages.claim(claim(1, 2), ten_years),
        Claimed::Running { .. }
    ));
    assert_eq!(
        complete(&mut messages, endless, "reply", now),
        Completed::Stored
    );
    assert!(matches!(
        messages.claim(claim(1, 2), ten_years),
        Claimed::Replied { .. }
    ));
}

/// Whether each of the messages 1, 2 and so on is known.
fn known<const COUNT: usize>(messages: &mut Messages, now: Instant) -> [bool; COUNT] {
    let mut message = 0;
    [(); COUNT].map(|()| {
        message += 1;
        messages.get(claim(message, 1).key, now).is_some()
    })
}

#[test]
fn the_message_that_was_claimed_first_is_forgotten_first() {
    let (mut messages, now) = (messages(2, 1000, false), Instant::now());
    reply(&mut messages, claim(1, 1), "reply", now);
    reply(&mut messages, claim(2, 1), "reply", now);
    assert_eq!(known(&mut messages, now), [true, true]);
    // It is asked for again, which changes nothing.
    messages.claim(claim(1, 2), now);
    reply(&mut messages, claim(3, 1), "reply", now);
    assert_eq!(known(&mut messages, now), [false, true, true]);
    reply(&mut messages, claim(4, 1), "reply", now);
    assert_eq!(known(&mut messages, now), [false, false, true, true]);
}

#[test]
fn a_message_on_lease_is_not_forgotten() {
    for is_late in [false, true] {
        check_is_not_forgotten_on_lease(is_late);
    }
}

fn check_is_not_forgotten_on_lease(is_late: bool) {
    let (mut messages, now) = (messages(2, 1000, false), Instant::now());
    if is_late {
        late(&mut messages, claim(1, 1), "reply", now);
    } else {
        messages.claim(claim(1, 1), now);
    }
    reply(&mut messages, claim(2, 1), "reply", now);
    let last = now + seconds(4);
    reply(&mut messages, claim(3, 1), "reply", last);
    assert_eq!(known(&mut messages, last), [true, false, true]);
    // If all are running, the bound is exceeded.
    let mut all_running = messages.clone();
    for message in 4..7 {
        all_running.claim(claim(message, 1), last);
    }
    let expected = [true, false, false, true, true, true];
    assert_eq!(known(&mut all_running, last), expected);
    let over = now + seconds(5);
    reply(&mut messages, claim(4, 1), "reply", over);
    reply(&mut messages, claim(5, 1), "reply", over);
    assert_eq!(
        known(&mut messages, over),
        [false, false, false, true, true]
    );
}

/// A delivery is about to fetch it, or else its task sends it by another channel.
#[test]
fn a_message_whose_reply_only_its_run_holds_is_not_forgotten_where_those_are_spared() {
    for spares_unfetched in [true, false] {
        let (mut messages, now) = (messages(1, 1000, spares_unfetched), Instant::now());
        reply(&mut messages, claim(1, 1), "reply", now);
        reply(&mut messages, claim(2, 1), "reply", now);
        assert_eq!(known(&mut messages, now), [spares_unfetched, true]);
        if spares_unfetched {
            // Another claim holds it as well.
            messages.claim(claim(1, 2), now);
            reply(&mut messages, claim(3, 1), "reply", now);
            assert_eq!(known(&mut messages, now), [false, true, true]);
        }
    }
}

/// Room is made as new messages come, far below the bound as well. A running message in front does not prevent it.
#[test]
fn messages_are_forgotten_when_their_time_is_over() {
    let (mut messages, now) = (roomy(), Instant::now());
    reply(&mut messages, claim(1, 1), "reply", now);
    reply(&mut messages, claim(2, 1), "reply", now);
    reply(&mut messages, claim(3, 1), "reply", now + seconds(1));
    messages.claim(claim(4, 1), now + seconds(599));
    assert_eq!(messages.len(), 4);
    messages.claim(claim(5, 1), now + seconds(600));
    assert_eq!(messages.len(), 3);

    let (mut messages, now) = (roomy(), Instant::now());
    let ttls = Ttls::new(seconds(3600));
    messages.claim(
        Claim {
            ttls,
            ..claim(1, 1)
        },
        now,
    );
    reply(&mut messages, claim(2, 1), "reply", now);
    let over = now + seconds(600);
    messages.claim(claim(3, 1), over);
    messages.claim(claim(4, 1), over);
    assert_eq!(known(&mut messages, over), [true, false, true, true]);
    assert_eq!(messages.len(), 3);
}

/// Whether each of the messages 1, 2 and so on has its reply.
fn kept<const COUNT: usize>(messages: &mut Messages, now: Instant) -> [bool; COUNT] {
    let mut message = 0;
    [(); COUNT].map(|()| {
        message += 1;
        let machine = messages.get(claim(message, 1).key, now);
        machine.is_some_and(|machine| machine.reply_size() > 0)
    })
}

#[test]
fn the_reply_that_was_completed_first_is_dropped_first() {
    let (mut messages, now) = (messages(100, 10, false), Instant::now());
    reply(&mut messages, claim(1, 1), "1234", now);
    reply(&mut messages, claim(2, 1), "123456", now);
    assert_eq!(kept(&mut messages, now), [true, true]);
    assert_eq!(messages.reply_bytes(), 10);
    reply(&mut messages, claim(3, 1), "1", now);
    assert_eq!(kept(&mut messages, now), [false, true, true]);
    assert_eq!(messages.reply_bytes(), 7);
    // Its message is remembered.
    assert_eq!(messages.claim(claim(1, 2), now), Claimed::Done);
    // A repeated completion, and one that keeps no reply, take no room.
    complete(&mut messages, claim(3, 1), "1", now);
    end(&mut messages, claim(4, 1), now);
    assert_eq!(kept(&mut messages, now), [false, true, true, false]);
    assert_eq!(messages.reply_bytes(), 7);
}

#[test]
fn the_room_of_replies_is_free_when_their_time_is_over() {
    let (mut messages, now) = (roomy(), Instant::now());
    reply(&mut messages, claim(1, 1), "1234", now);
    reply(&mut messages, claim(2, 1), "1234", now + seconds(1));
    messages.release(claim(9, 1), now + seconds(59));
    assert_eq!(messages.reply_bytes(), 8);
    messages.release(claim(9, 1), now + seconds(60));
    assert_eq!(messages.reply_bytes(), 4);
    reply(&mut messages, claim(3, 1), "123", now + seconds(61));
    assert_eq!(messages.reply_bytes(), 3);
}

/// They may have been sent by the time, and late ones are wanted as long as their messages are known.
#[test]
fn late_replies_are_dropped_after_all_others() {
    let (mut messages, now) = (messages(100, 10, false), Instant::now());
    reply(&mut messages, claim(1, 1), "1234", now);
    messages.release(claim(1, 1), now);
    late(&mut messages, claim(2, 1), "1", now);
    late(&mut messages, claim(3, 1), "1", now);
    reply(&mut messages, claim(4, 1), "1234", now);
    reply(&mut messages, claim(5, 1), "12", now);
    assert_eq!(kept(&mut messages, now), [true, true, true, false, true]);
    // One that has been sent leaves its room.
    end(&mut messages, claim(2, 1), now);
    assert_eq!(messages.reply_bytes(), 7);
    let later = now + seconds(60);
    late(&mut messages, claim(6, 1), "123456", later);
    assert_eq!(
        kept(&mut messages, later),
        [false, false, true, false, false, true]
    );
    assert_eq!(messages.reply_bytes(), 7);
    // Its message is done.
    assert_eq!(messages.claim(claim(1, 2), later), Claimed::Done);
    assert_eq!(messages.release(claim(1, 1), later), Released::LastHold);
    // A forgotten message takes its reply along.
    let over = now + seconds(660);
    messages.claim(claim(7, 1), over);
    assert_eq!(messages.reply_bytes(), 0);
}

#[test]
fn the_entries_of_late_replies_are_bounded() {
    let (mut messages, now) = (messages(4, 4, false), Instant::now());
    for message in 0..99 {
        late(&mut messages, claim(message, 1), "1", now);
        end(&mut messages, claim(message, 1), now);
        assert!(messages.replies.len() + messages.spared.len() <= 16);
    }
    assert_eq!(messages.reply_bytes(), 0);
}

/// Else each of them would be an entry that no bound counts.
#[test]
fn the_replies_of_forgotten_messages_are_bounded() {
    let (mut in_order, now) = (messages(4, 1000, false), Instant::now());
    for message in 0..9 {
        assert_eq!(in_order.replies.len(), usize::from(message).min(4));
        reply(&mut in_order, claim(message, 1), "1", now);
    }
    assert_eq!(in_order.replies.len(), 4);
    assert_eq!(in_order.reply_bytes(), 4);

    // No delivery has fetched the first one, which stays in front.
    let mut messages = messages(4, 1000, true);
    reply(&mut messages, claim(0, 1), "1", now);
    for message in 1..99 {
        reply(&mut messages, claim(message, 1), "1", now);
        messages.acknowledge(claim(message, 2), now);
        assert!(messages.replies.len() <= 9, "{message}");
    }
    assert_eq!(messages.reply_bytes(), 4);
}

#[test]
fn only_a_reply_has_an_entry() {
    let (mut messages, now) = (roomy(), Instant::now());
    messages.claim(claim(1, 1), now);
    end(&mut messages, claim(1, 1), now);
    assert_eq!(messages.replies.len(), 0);
    reply(&mut messages, claim(2, 1), "1", now);
    assert_eq!(
        complete(&mut messages, claim(2, 1), "1", now),
        Completed::Stored
    );
    assert_eq!(messages.replies.len(), 1, "told twice");
}

#[test]
fn a_message_that_is_forgotten_takes_along_the_entries_of_those_forgotten_before() {
    let (mut messages, now) = (roomy(), Instant::now());
    let [first, second] = [claim(1, 1), claim(2, 1)];
    reply(&mut messages, first, "1", now);
    reply(&mut messages, second, "1", now);
    messages.remove(second.key);
    assert_eq!(messages.replies.len(), 2);
    messages.remove(first.key);
    assert_eq!(messages.replies.len(), 0);
}

/// The reply of a message that has been forgotten and has run again is another one.
#[test]
fn a_reply_that_is_gone_takes_no_other_with_it() {
    let (mut messages, now) = (messages(1, 10, false), Instant::now());
    reply(&mut messages, claim(1, 1), "123456", now);
    messages.claim(claim(2, 1), now);
    messages.release(claim(2, 1), now);
    reply(&mut messages, claim(1, 2), "12345", now);
    assert_eq!(kept(&mut messages, now), [true]);
    assert_eq!(messages.reply_bytes(), 5);
}

#[test]
fn a_reply_that_only_its_run_holds_is_not_dropped_where_those_are_spared() {
    for spares_unfetched in [true, false] {
        let (mut messages, now) = (messages(100, 4, spares_unfetched), Instant::now());
        reply(&mut messages, claim(1, 1), "12345", now);
        assert_eq!(kept(&mut messages, now), [spares_unfetched]);
        if !spares_unfetched {
            continue;
        }
        // One that another claim holds as well makes room instead.
        reply(&mut messages, claim(2, 1), "1", now);
        messages.claim(claim(2, 2), now);
        reply(&mut messages, claim(3, 1), "1", now);
        assert_eq!(kept(&mut messages, now), [true, false, true]);
        assert_eq!(messages.reply_bytes(), 6);
        // The last hold is released, or its time is over.
        let mut later = messages.clone();
        assert_eq!(messages.release(claim(1, 1), now), Released::LastHold);
        end(&mut messages, claim(1, 1), now);
        assert_eq!(messages.reply_bytes(), 1);
        later.release(claim(9, 1), now + seconds(60));
        assert_eq!(later.reply_bytes(), 0);
    }
}

/// A claim whose message is retried for a day.
fn lasting(message: u8) -> Claim {
    let mut claim = claim(message, 1);
    claim.ttls.reply = Duration::from_hours(25);
    claim.ttls.mark = Duration::from_hours(25);
    claim
}

#[test]
fn an_end_more_than_an_hour_ahead_is_lasting() {
    let now = Instant::now();
    let hour = now + Duration::from_hours(1);
    assert!(!is_lasting(hour, now));
    assert!(is_lasting(hour + Duration::from_millis(1), now));
}

#[test]
fn a_message_that_is_kept_long_is_not_spared_for_a_reply_that_it_has_no_more() {
    let (mut messages, now) = (roomy(), Instant::now());
    reply(&mut messages, claim(1, 1), "in front", now);
    reply(&mut messages, lasting(2), "sent", now);
    reply(&mut messages, lasting(3), "kept", now);
    messages.release(lasting(2), now);
    end(&mut messages, lasting(2), now);
    assert_eq!(messages.replies.len(), 3);
    messages.drop_replies(now + seconds(60));
    assert_eq!(messages.spared, [lasting(3).key]);
}

/// A sweep reads all of them, so their number has to double first.
#[test]
fn the_entries_of_replies_that_are_gone_are_swept_now_and_then() {
    let now = Instant::now();
    let mut messages = messages(4, 1000, false);
    reply(&mut messages, lasting(0), "kept", now);
    let mut most = 0;
    for _ in 0..50 {
        reply(&mut messages, lasting(1), "sent", now);
        messages.release(lasting(1), now);
        end(&mut messages, lasting(1), now);
        messages.forget(lasting(1).key, now);
        most = most.max(messages.spared.len());
        assert!(messages.spared.contains(&lasting(0).key));
    }
    assert_eq!(most, 8);
}

#[test]
fn messages_that_are_kept_long_are_spared_up_to_half_of_the_room() {
    let start = Instant::now();
    let mut messages = messages(4, 1000, false);
    for message in [0, 1] {
        reply(&mut messages, lasting(message), "reply", start);
    }
    let mut now = start + seconds(1);
    for message in 10..200 {
        reply(&mut messages, claim(message, 1), "reply", now);
        now += seconds(1);
        assert!(messages.len() <= 4);
    }
    for message in [0, 1] {
        let (claimed, age) = (messages.clone().claim(claim(message, 2), now), 191);
        assert_eq!(claimed, replied(age, "reply"));
    }
    // More of them leave room for the others.
    for message in 2..10 {
        reply(&mut messages, lasting(message), "reply", now);
    }
    for message in 200..203 {
        reply(&mut messages, claim(message, 1), "reply", now);
    }
    let is_known = |message: u8| {
        matches!(
            messages.clone().claim(claim(message, 2), now),
            Claimed::Replied { .. }
        )
    };
    let all: Vec<_> = (0..=u8::MAX).filter(|message| is_known(*message)).collect();
    assert_eq!(all, [8, 9, 201, 202]);
}

#[test]
fn messages_that_are_kept_long_may_have_the_whole_room_until_another_needs_it() {
    let now = Instant::now();
    let mut messages = messages(4, 1000, false);
    for message in 0..4 {
        reply(&mut messages, lasting(message), "reply", now);
    }
    for (new, oldest_left) in [(200, 1), (201, 2), (202, 2)] {
        reply(&mut messages, claim(new, 1), "reply", now);
        let is_known = |message: &u8| messages.machines.get(&claim(*message, 1).key).is_some();
        assert_eq!((0..4).find(is_known), Some(oldest_left), "{new}");
        assert_eq!(messages.len(), 4);
    }
}

/// They stand in front of others, which end before them.
#[test]
fn messages_that_are_kept_long_keep_no_other_one_in_memory() {
    let start = Instant::now();
    let mut messages = messages(100, 1000, false);
    reply(&mut messages, lasting(0), "reply", start);
    for message in 1..40 {
        reply(&mut messages, claim(message, 1), "reply", start);
    }
    let later = start + seconds(600);
    reply(&mut messages, claim(200, 1), "reply", later);
    assert_eq!(messages.len(), 2);
    assert_eq!(messages.reply_bytes(), 10);
    let over = start + Duration::from_hours(25);
    reply(&mut messages, claim(201, 1), "reply", over);
    assert_eq!(messages.len(), 1);
    assert_eq!(messages.reply_bytes(), 5);
}

#[test]
fn replies_that_are_kept_long_are_dropped_after_the_others() {
    let now = Instant::now();
    let mut messages = messages(100, 10, false);
    reply(&mut messages, lasting(0), "first", now);
    for message in 1..4 {
        reply(&mut messages, claim(message, 1), "other", now);
    }
    assert_eq!(
        messages.clone().claim(claim(0, 2), now),
        replied(0, "first")
    );
    assert_eq!(
        messages.clone().claim(claim(3, 2), now),
        replied(0, "other")
    );
    for message in 4..6 {
        reply(&mut messages, lasting(message), "later", now);
    }
    assert_eq!(messages.claim(claim(0, 2), now), Claimed::Done);
    assert_eq!(messages.claim(claim(5, 2), now), replied(0, "later"));
    assert!(messages.reply_bytes() <= 10);
}

#[test]
fn a_reply_that_is_kept_long_is_not_dropped_before_a_delivery_fetches_it() {
    let now = Instant::now();
    let mut messages = messages(100, 0, true);
    reply(&mut messages, lasting(0), "first", now);
    reply(&mut messages, lasting(1), "second", now);
    assert_eq!(messages.reply_bytes(), 11);
    for message in [0, 1] {
        let claimed = messages.claim(claim(message, 2), now);
        assert!(matches!(claimed, Claimed::Replied { .. }));
        messages.drop_replies(now);
    }
    assert_eq!(messages.reply_bytes(), 0);
    // It was there.
    assert!(
        messages
            .get(Key::new([[0]]), now)
            .unwrap()
            .has_dropped_reply()
    );
}

#[test]
fn the_caller_frees_a_reply_that_is_dropped() {
    let (mut few, now) = (messages(1, 1000, false), Instant::now());
    reply(&mut few, claim(1, 1), "forgotten", now);
    assert_eq!(few.take_dropped(), None);
    few.claim(claim(2, 1), now + seconds(6));
    assert_eq!(few.take_dropped(), Some(response("forgotten")));

    let mut small = messages(4, 9, false);
    reply(&mut small, claim(1, 1), "too large", now);
    reply(&mut small, claim(2, 1), "1", now);
    assert_eq!(small.take_dropped(), Some(response("too large")));

    let mut expiring = roomy();
    reply(&mut expiring, claim(1, 1), "expired", now);
    expiring.claim(claim(1, 2), now + seconds(60));
    assert_eq!(expiring.take_dropped(), Some(response("expired")));
    assert_eq!(expiring.take_dropped(), None);
}

#[test]
fn a_bound_may_be_any_number() {
    let (mut messages, now) = (messages(usize::MAX, usize::MAX, true), Instant::now());
    reply(&mut messages, claim(1, 1), "1", now);
    late(&mut messages, claim(2, 1), "2", now);
    messages.drop_replies(now + seconds(61));
    assert_eq!(messages.reply_bytes(), 1);
}
