//! What the sequences are drawn from.

use std::collections::HashSet;

use super::*;

#[test]
fn the_replies_have_what_a_store_may_lose() {
    let replies = [0, 1, 2, 3].map(response);
    for reply in &replies {
        assert_eq!(replies.iter().filter(|other| *other == reply).count(), 1);
    }
    let content_types = || replies.iter().map(StoredResponse::content_type);
    assert_eq!(content_types().filter(Option::is_none).count(), 1);
    assert!(content_types().flatten().any(HeaderValue::is_empty));
    assert!(content_types().flatten().any(|it| it.to_str().is_err()));
    assert!(replies.iter().any(|reply| reply.status() != StatusCode::OK));
    assert!(
        replies
            .iter()
            .any(|reply| str::from_utf8(reply.body()).is_err())
    );
    assert!(replies.iter().any(|reply| reply.attachment().is_some()));
    // And what a handler's reply has.
    assert!(content_types().flatten().any(|it| it == "application/xml"));
}

#[test]
fn every_operation_is_drawn_and_runs_have_their_numbers() {
    let mut random = Random::new(1);
    let mut names = HashSet::new();
    for _ in 0..900 {
        let operation = Operation::random(&mut random);
        if let Verb::Renew(run) = operation.verb {
            assert!((1..=3).contains(&run.number), "{run:?}");
        }
        names.insert(match operation.verb {
            Verb::Claim => "claim",
            Verb::Renew(_) => "renew",
            Verb::Complete(Ending::Reply(_)) => "complete with a reply",
            Verb::Complete(Ending::Late(_)) => "complete late",
            Verb::Complete(Ending::Nothing) => "complete with nothing",
            Verb::Acknowledge => "acknowledge",
            Verb::Release => "release",
        });
    }
    assert_eq!(names.len(), 7, "{names:?}");
}

#[test]
fn one_operation_in_nine_keeps_nothing() {
    let mut random = Random::new(1);
    let operations: Vec<_> = (0..900).map(|_| Operation::random(&mut random)).collect();
    for operation in &operations {
        assert!(operation.mark >= operation.lease.max(operation.reply));
    }
    let nothing = operations.iter().filter(|operation| operation.mark == 0);
    assert!((60..140).contains(&nothing.count()));
}

/// Only times have a tolerance.
#[test]
fn answers_agree_within_the_tolerance() {
    let claimed = |claimed| StoreAnswer::Claimed(Found::new(claimed, None));
    let [second, minute] = [Duration::from_secs(1), UNIT];
    let answers = |time| {
        let response = response(0);
        [
            Claimed::Won(Run::new(time, 1)),
            Claimed::Running {
                age: time,
                lease: UNIT * 5,
            },
            Claimed::Running {
                age: UNIT * 5,
                lease: time,
            },
            Claimed::Replied {
                age: time,
                response,
            },
            Claimed::Late { lease: time },
        ]
        .map(claimed)
    };
    for (at, expected) in (0..).zip(answers(minute)) {
        for (other, answer) in (0..).zip(answers(minute + second)) {
            assert_eq!(
                expected.agrees(&answer, second),
                at == other,
                "{at}, {other}"
            );
            assert!(!expected.agrees(&answer, second / 2), "{at}, {other}");
        }
    }
    for (expected, answer) in [
        (
            Claimed::Won(Run::new(minute, 1)),
            Claimed::Won(Run::new(minute, 2)),
        ),
        (
            Claimed::Replied {
                age: minute,
                response: response(0),
            },
            Claimed::Replied {
                age: minute,
                response: response(1),
            },
        ),
        (Claimed::Done, Claimed::TakenOver(response(0))),
    ] {
        assert!(!claimed(expected.clone()).agrees(&claimed(answer), minute));
        let found = Found::new(expected.clone(), Some(Fingerprint::from_bytes([1; 8])));
        assert!(!claimed(expected).agrees(&StoreAnswer::Claimed(found), minute));
    }
}
