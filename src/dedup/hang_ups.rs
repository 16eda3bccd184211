//! How often WeChat has been left to hang up.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// What WeChat counts as failures of an account, counted here first.
///
/// A delivery that is not answered within 5 s is a failure in WeChat's eyes: from 30 in 5 minutes on it
/// raises an alarm, and it may stop pushing for a minute.
#[derive(Debug, Default)]
pub(super) struct HangUps {
    accounts: Mutex<HashMap<Arc<str>, VecDeque<Instant>>>,
}

impl HangUps {
    /// Counts one.
    pub(super) fn count(&self, account: &Arc<str>, now: Instant) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let times = accounts.entry(Arc::clone(account)).or_default();
        forget_old(times, now);
        times.push_back(now);
        // More than the budget tells no more.
        if times.len() > BUDGET {
            times.pop_front();
        }
    }

    /// Whether the account has no more to spend.
    pub(super) fn are_spent(&self, account: &str, now: Instant) -> bool {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(times) = accounts.get_mut(account) else {
            return false;
        };
        forget_old(times, now);
        let are_spent = times.len() >= BUDGET;
        // Accounts come and go; none stays here for its name alone.
        if times.is_empty() {
            accounts.remove(account);
        }
        are_spent
    }
}

fn forget_old(times: &mut VecDeque<Instant>, now: Instant) {
    while times
        .front()
        .is_some_and(|time| now.saturating_duration_since(*time) >= WINDOW)
    {
        times.pop_front();
    }
}

/// WeChat's alarm rings at 30 by default; the rest is for what goes wrong otherwise.
const BUDGET: usize = 20;

const WINDOW: Duration = Duration::from_secs(5 * 60);
