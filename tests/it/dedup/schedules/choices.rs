//! The choices of a schedule.

use std::sync::{Mutex, MutexGuard};

/// Where a schedule's choices come from, and those that it has made.
pub(super) struct Choices(Mutex<State>);

struct State {
    source: Source,
    taken: Vec<Choice>,
    is_over: bool,
}

enum Source {
    /// The state of a `SplitMix64`.
    Random(u64),
    /// These, then the first option of each.
    Given(Vec<usize>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) what: &'static str,
    pub(super) taken: usize,
    /// The number of options.
    pub(super) of: usize,
}

impl Choices {
    pub(super) fn random(seed: u64) -> Self {
        Self::new(Source::Random(seed))
    }

    pub(super) fn given(choices: Vec<usize>) -> Self {
        Self::new(Source::Given(choices))
    }

    fn new(source: Source) -> Self {
        Self(Mutex::new(State {
            source,
            taken: Vec::new(),
            is_over: false,
        }))
    }

    /// Takes one of as many options as there are `weights`; the first is the simplest one. No weight is 0.
    pub(super) fn pick(&self, what: &'static str, weights: &[u32]) -> usize {
        let mut state = self.state();
        if state.is_over || weights.len() < 2 {
            return 0;
        }
        let at = state.taken.len();
        let taken = match &mut state.source {
            Source::Random(random) => weigh(next(random), weights),
            Source::Given(given) => given.get(at).map_or(0, |choice| choice % weights.len()),
        };
        state.taken.push(Choice {
            what,
            taken,
            of: weights.len(),
        });
        taken
    }

    /// From now on, the first option is taken.
    pub(super) fn end(&self) {
        self.state().is_over = true;
    }

    /// Whether somebody is going to read what happens.
    pub(super) fn is_given(&self) -> bool {
        matches!(self.state().source, Source::Given(_))
    }

    pub(super) fn taken(&self) -> Vec<Choice> {
        self.state().taken.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

fn weigh(random: u64, weights: &[u32]) -> usize {
    let mut left = random % u64::from(weights.iter().sum::<u32>());
    for (option, weight) in weights.iter().enumerate() {
        match left.checked_sub(u64::from(*weight)) {
            Some(rest) => left = rest,
            None => return option,
        }
    }
    0
}

fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *random;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
