//! Conversations of drawn messages, in which everything may meet everything.
//!
//! Each case is drawn from a seed: who asks what and when, how long the handler takes, to which node each delivery goes, when
//! a client leaves or loses an answer, and how long each operation of the store and of the mailbox is under way. At the
//! end, bare words fetch what is left. `RACES_SEED=…` plays one case, and shows it.

mod draws;
mod inline;
mod shared;
mod world;

use std::{env, thread};

use self::world::{Fault, Setting, play};

/// Plays as many cases, on all processors.
#[track_caller]
fn check(setting: Setting, cases: u32) {
    if let Some(seed) = env::var("RACES_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
    {
        let (story, result) = play(setting, seed);
        println!("{story}");
        result.unwrap();
        return;
    }
    let cases = u64::from(crate::cases(cases).cases);
    let threads = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    thread::scope(|scope| {
        let run = |thread| {
            for number in (thread..cases).step_by(usize::try_from(threads).unwrap()) {
                let seed = SEED + number;
                let (story, result) = play(setting, seed);
                if let Err(violation) = result {
                    panic!("RACES_SEED={seed}, {setting:?}: {violation}\n{story}");
                }
            }
        };
        for thread in 0..threads {
            scope.spawn(move || run(thread));
        }
    });
}

#[test]
fn on_one_node_each_part_is_shown_once() {
    check(
        Setting {
            nodes: 1,
            ..Setting::default()
        },
        500,
    );
}

#[test]
fn on_two_nodes_each_part_is_shown_once() {
    check(
        Setting {
            nodes: 2,
            ..Setting::default()
        },
        500,
    );
}

#[test]
fn a_mailbox_that_is_away_for_a_while_loses_nothing() {
    check(
        Setting {
            nodes: 2,
            fault: Some(Fault::Mailbox),
        },
        300,
    );
}

#[test]
fn a_store_that_is_away_for_a_while_loses_nothing() {
    check(
        Setting {
            nodes: 2,
            fault: Some(Fault::Store),
        },
        300,
    );
}

#[test]
fn a_redis_that_is_away_for_a_while_loses_nothing() {
    check(
        Setting {
            nodes: 2,
            fault: Some(Fault::Redis),
        },
        300,
    );
}

#[test]
fn a_node_that_is_lost_loses_what_it_alone_knew() {
    check(
        Setting {
            nodes: 2,
            fault: Some(Fault::LostNode),
        },
        300,
    );
}

/// Of the drawn scenarios. A failure names the one that failed.
const SEED: u64 = 20_261_126;
