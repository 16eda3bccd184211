//! Schedules: which task goes first at each `await`, and what happens meanwhile.
//!
//! A schedule is the list of the choices that it makes: whether a future is polled or others go first, how long an
//! operation of the store takes, when a client leaves, when a retry comes, when a run ends, when a drain begins. The
//! choices are drawn from a seed, or all of them are enumerated. The layer is the real one; what it awaits, and who awaits
//! it, is wrapped.

mod choices;
mod link;
mod play;
mod promises;
mod world;

use std::{collections::BTreeMap, env, thread};

use self::{
    choices::{Choice, Choices},
    play::{Setting, Shape, play},
    promises::Fate,
};
use super::races::paused;

/// How many schedules have come to what.
type Fates = BTreeMap<&'static str, u64>;

/// Plays one schedule, from nothing to the end of every task.
fn run(setting: &Setting, choices: Choices) -> (Vec<Choice>, Result<Fate, String>) {
    paused().block_on(play(setting, choices))
}

/// Plays all schedules whose first `depth` choices differ. Returns how many there are, and the choices of the longest.
#[track_caller]
fn explore(setting: &Setting, depth: usize) -> (u64, usize) {
    let (mut count, mut longest) = (0, 0);
    let mut given = Vec::new();
    loop {
        let (mut taken, result) = run(setting, Choices::given(given.clone()));
        count += 1;
        longest = longest.max(taken.len());
        if let Err(violation) = result {
            fail(setting, "enumerated", &taken, violation);
        }
        taken.truncate(depth);
        // The next one differs as late as possible.
        loop {
            let Some(last) = taken.pop() else {
                return (count, longest);
            };
            if last.taken + 1 < last.of {
                given = taken.iter().map(|choice| choice.taken).collect();
                given.push(last.taken + 1);
                break;
            }
        }
    }
}

/// Plays schedules that are drawn from seeds, on all processors. Returns what became of the messages.
#[track_caller]
fn draw(setting: &Setting, first_seed: u64, count: u64) -> Fates {
    let threads = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let play = |thread: u64| {
        let mut fates = Fates::new();
        for number in (thread..count).step_by(usize::try_from(threads).unwrap()) {
            let seed = first_seed.wrapping_add(number);
            match run(setting, Choices::random(seed)) {
                (_, Ok(fate)) => {
                    for name in fate.names() {
                        *fates.entry(name).or_default() += 1;
                    }
                }
                (taken, Err(violation)) => return Err((seed, taken, violation)),
            }
        }
        Ok(fates)
    };
    let results: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || play(thread)))
            .collect();
        running
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect()
    });
    let mut all = Fates::new();
    for result in results {
        match result.expect("no panic outside a schedule") {
            Ok(fates) => {
                for (name, count) in fates {
                    *all.entry(name).or_default() += count;
                }
            }
            Err((seed, taken, violation)) => {
                fail(setting, &format!("of seed {seed}"), &taken, violation);
            }
        }
    }
    all
}

/// Shortens the choices as long as the schedule still fails, and prints what is left.
#[track_caller]
fn fail(setting: &Setting, origin: &str, taken: &[Choice], mut violation: String) -> ! {
    let mut list: Vec<_> = taken.iter().map(|choice| choice.taken).collect();
    // The same choices are the same schedule: nothing else is random, and tokio wakes the deliveries of one run in order.
    let mut fails = |fewer: &[usize]| match run(setting, Choices::given(fewer.to_vec())).1 {
        Ok(_) => false,
        Err(found) => {
            violation = found;
            true
        }
    };
    // A choice that is left out is the first of its options. So the end can be cut off, and any other can be zero.
    let mut is_shorter = true;
    while is_shorter {
        is_shorter = false;
        for size in [list.len() / 2, list.len() / 4, 8, 3, 2, 1] {
            let mut at = list.len();
            while size > 0 && at >= size {
                at -= 1;
                let mut fewer = list.clone();
                fewer.drain((at + 1).saturating_sub(size)..=at);
                if fails(&fewer) {
                    list = fewer;
                    at = at.min(list.len());
                    is_shorter = true;
                }
            }
        }
        for at in 0..list.len() {
            for value in 0..list[at] {
                let mut fewer = list.clone();
                fewer[at] = value;
                if fails(&fewer) {
                    list = fewer;
                    is_shorter = true;
                    break;
                }
            }
        }
    }
    let (taken, _) = run(setting, Choices::given(list.clone()));
    let choices: Vec<_> = taken
        .iter()
        .filter(|choice| choice.taken > 0)
        .map(|choice| format!("\n  {}: {}", choice.what, choice.taken))
        .collect();
    let choices = choices.concat();
    panic!(
        "a schedule {origin} of {setting:?}: {violation}\nshortened to {list:?}, the choices that are not 0:{choices}"
    );
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}

/// As many schedules as `WECHAT_SCHEDULES` says. `WECHAT_SEED` draws others.
#[test]
fn every_drawn_schedule_keeps_the_promises() {
    let count = number("WECHAT_SCHEDULES").unwrap_or(2_000);
    let seed = number("WECHAT_SEED").unwrap_or(SEED);
    eprintln!("WECHAT_SEED={seed} WECHAT_SCHEDULES={count}");
    for (shape, percent) in [
        (Shape::One, 25),
        (Shape::Two, 30),
        (Shape::Faulty, 25),
        (Shape::Stalling, 10),
        (Shape::Inline, 10),
    ] {
        let count = count * percent / 100;
        let fates = draw(&Setting::drawn(shape), seed, count);
        eprintln!("{shape:?}: {count} schedules, {fates:?}");
        // What never happens is not tested.
        for name in Fate::expected(shape) {
            let is_seen = fates.get(name).is_some_and(|seen| *seen > 0);
            assert!(is_seen || count < 200, "{shape:?}: no schedule {name}");
        }
    }
}

/// A seed draws the same schedule each time, and its choices are that schedule again.
#[test]
fn a_schedule_is_repeatable() {
    for shape in [
        Shape::One,
        Shape::Two,
        Shape::Faulty,
        Shape::Stalling,
        Shape::Inline,
    ] {
        let setting = Setting::drawn(shape);
        for seed in SEED..SEED + 40 {
            let drawn = || run(&setting, Choices::random(seed)).0;
            let taken = drawn();
            assert_eq!(drawn(), taken, "{shape:?}, seed {seed}");
            let list = taken.iter().map(|choice| choice.taken).collect();
            let (again, _) = run(&setting, Choices::given(list));
            assert_eq!(again, taken, "{shape:?}, the choices of seed {seed}");
        }
    }
}

/// Of one node without a store and two deliveries: all of them, down to a depth.
#[test]
fn every_schedule_of_two_deliveries_keeps_the_promises() {
    let is_long = env::var_os("WECHAT_SCHEDULES").is_some();
    let (depth, least) = if is_long { LONG } else { SHORT };
    let mut count = 0;
    for setting in Setting::small() {
        let (schedules, longest) = explore(&setting, depth);
        eprintln!("{setting:?}: {schedules} schedules of up to {longest} choices");
        count += schedules;
    }
    eprintln!("{count} schedules, all down to {depth} choices");
    assert!(
        count >= least,
        "{count} schedules, expected {least} at least"
    );
}

/// The depth, and how many schedules that is.
const SHORT: (usize, u64) = (6, 11_780);
/// No schedule is longer.
const LONG: (usize, u64) = (20, 6_000_000);

const SEED: u64 = 20_261_123;
