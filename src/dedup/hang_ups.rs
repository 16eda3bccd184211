//! How many deliveries of an account may hang up before they are acknowledged in time instead.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Counts the deliveries of each account on which WeChat hangs up.
///
/// WeChat counts them as failures of the account: at 30 in 5 minutes it raises an alarm, and it may stop pushing for a
/// minute.
#[derive(Debug, Default)]
pub(super) struct HangUps(Mutex<Accounts>);

#[derive(Debug, Default)]
struct Accounts {
    /// The times of the latest hang-ups of each account.
    times: HashMap<Arc<str>, VecDeque<Instant>>,
    /// At more accounts than these, the idle ones are forgotten.
    sweep_above: usize,
}

impl HangUps {
    /// Counts a hang-up.
    pub(super) fn count(&self, account: &Arc<str>, now: Instant) {
        let mut accounts = self.accounts();
        accounts.sweep(now);
        let times = accounts.times.entry(Arc::clone(account)).or_default();
        times.push_back(now);
        // The budget is all that matters.
        if times.len() > BUDGET {
            times.pop_front();
        }
    }

    /// Whether the account has used up its budget.
    pub(super) fn are_spent(&self, account: &str, now: Instant) -> bool {
        let accounts = self.accounts();
        // The oldest of as many as the budget has.
        accounts.times.get(account).is_some_and(|times| {
            times.len() >= BUDGET && times.front().is_some_and(|time| is_recent(*time, now))
        })
    }

    /// Each change is made at once, so a poisoned lock guards whole ones.
    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Accounts {
    /// Forgets idle accounts whenever their number has doubled, so that a call takes constant time on average.
    fn sweep(&mut self, now: Instant) {
        if self.times.len() <= self.sweep_above {
            return;
        }
        self.times
            .retain(|_, times| times.back().is_some_and(|time| is_recent(*time, now)));
        self.sweep_above = (2 * self.times.len()).max(LEAST_SWEEP);
    }
}

fn is_recent(time: Instant, now: Instant) -> bool {
    now.saturating_duration_since(time) < WINDOW
}

/// WeChat's alarm rings at 30 by default. The rest is for other failures.
const BUDGET: usize = 20;

const WINDOW: Duration = Duration::from_mins(5);

const LEAST_SWEEP: usize = 64;

#[cfg(test)]
mod tests;
