//! Whether this machine's clock agrees with WeChat's.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::{delivery::Delivery, observe};

/// The age that this machine's clock gives to new deliveries.
///
/// Most deliveries are first ones, which arrive within a second. If none of the last minute was so young, the clock is
/// ahead by the age of the youngest.
#[derive(Debug, Default)]
pub(super) struct Clock {
    ages: Mutex<Ages>,
    /// Whether the log has a warning.
    is_reported: AtomicBool,
}

#[derive(Debug, Default)]
struct Ages {
    /// When the present minute began.
    since: Option<Instant>,
    /// The least age in this minute, and in the one before.
    least: [Option<Duration>; 2],
}

impl Clock {
    /// Notes a delivery's age.
    pub(super) fn note(&self, delivery: &Delivery) {
        let mut ages = self.ages.lock().unwrap_or_else(PoisonError::into_inner);
        let now = delivery.arrived();
        let [this, last] = ages.least;
        let is_over = |since: Instant| now.saturating_duration_since(since) >= WINDOW;
        if ages.since.is_none_or(is_over) {
            ages.since = Some(now);
            ages.least = [Some(delivery.age()), this];
        } else if this.is_none_or(|least| delivery.age() < least) {
            ages.least = [Some(delivery.age()), last];
        }
    }

    /// Returns the time since WeChat first delivered this message, as far as its timestamp tells. If the clock is ahead, the
    /// log has a warning.
    pub(super) fn age(&self, delivery: &Delivery) -> Duration {
        let ages = self.ages.lock().unwrap_or_else(PoisonError::into_inner);
        let least = ages.least.into_iter().flatten().min().unwrap_or_default();
        drop(ages);
        if least < DIFFERENCE {
            return delivery.age();
        }
        let is_reported = self.is_reported.swap(true, Ordering::Relaxed);
        observe::clock_differs(delivery.account(), least.as_secs(), is_reported);
        delivery.age().saturating_sub(least)
    }
}

/// Deliveries take less from WeChat to here, and clocks that are kept in time differ less.
const DIFFERENCE: Duration = Duration::from_secs(5);

const WINDOW: Duration = Duration::from_mins(1);
