//! Whether this machine's clock agrees with WeChat's.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{delivery::Delivery, observe};

/// The ages that this machine's clock has given to the latest deliveries.
///
/// Few deliveries are last ones, which are ten seconds old. If all of the latest are as old, the clock is ahead by the age
/// of the youngest.
#[derive(Debug, Default)]
pub(super) struct Clock {
    ages: Mutex<VecDeque<Duration>>,
    /// Whether the log has a warning.
    is_reported: AtomicBool,
}

impl Clock {
    /// Notes a delivery's age. Returns how far the clock may be ahead on its arrival.
    pub(super) fn note(&self, delivery: &Delivery) -> Duration {
        let mut ages = self.ages.lock().unwrap_or_else(PoisonError::into_inner);
        if ages.len() >= LATEST {
            ages.pop_front();
        }
        ages.push_back(delivery.age());
        least(&ages)
    }

    /// Returns the delivery's age without what the clock is ahead, now or `on_arrival`: it may have been set since. If it is
    /// ahead, the log has a warning.
    pub(super) fn age(&self, delivery: &Delivery, on_arrival: Duration) -> Duration {
        let ages = self.ages.lock().unwrap_or_else(PoisonError::into_inner);
        let least = least(&ages).max(on_arrival);
        drop(ages);
        if least < DIFFERENCE {
            return delivery.age();
        }
        let is_reported = self.is_reported.swap(true, Ordering::Relaxed);
        observe::clock_differs(delivery.account(), least.as_secs(), is_reported);
        delivery.age().saturating_sub(least)
    }
}

fn least(ages: &VecDeque<Duration>) -> Duration {
    ages.iter().min().copied().unwrap_or_default()
}

/// The age of a last delivery, half a second less.
const DIFFERENCE: Duration = Duration::from_millis(9_500);

/// Few enough that a clock that jumps is soon seen, and more than the last deliveries that come in a row.
const LATEST: usize = 3;
