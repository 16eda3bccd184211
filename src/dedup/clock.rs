//! Whether this machine's clock agrees with WeChat's.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use crate::{delivery::Delivery, observe};

/// How old the latest deliveries looked to this machine's clock, beyond the time since their message was first seen.
///
/// Few deliveries are last ones of messages that nobody has seen before. If all of the latest look ten seconds old, the
/// clock is ahead by the age of the youngest.
#[derive(Debug)]
pub(super) struct Clock {
    /// In milliseconds.
    ages: [AtomicU64; LATEST],
    /// The number of ages so far.
    count: AtomicUsize,
    /// Whether the log has a warning.
    is_reported: AtomicBool,
}

impl Clock {
    /// Notes a delivery's age. Returns how far the clock may be ahead on its arrival.
    pub(super) fn note(&self, delivery: &Delivery) -> Duration {
        // A late retry says nothing of the clock.
        if delivery.age() <= delivery.timestamp_tolerance() {
            self.push(delivery.age());
        }
        self.least()
    }

    /// Notes that the delivery's message had been `seen` for so long on its arrival.
    pub(super) fn note_seen(&self, delivery: &Delivery, seen: Duration) {
        // A first delivery has been noted.
        if seen >= EARLIER && delivery.age() <= delivery.timestamp_tolerance() {
            self.push(delivery.age().saturating_sub(seen));
        }
    }

    fn push(&self, age: Duration) {
        let at = self.count.fetch_add(1, Relaxed) % LATEST;
        if let Some(latest) = self.ages.get(at) {
            let milliseconds = age.as_millis().try_into();
            latest.store(milliseconds.unwrap_or(u64::MAX), Relaxed);
        }
    }

    /// Returns the delivery's age without what the clock is ahead, now or `on_arrival`: it may have been set since. If it is
    /// ahead, the log has a warning.
    pub(super) fn age(&self, delivery: &Delivery, on_arrival: Duration) -> Duration {
        let least = self.least().max(on_arrival);
        if least < DIFFERENCE {
            return delivery.age();
        }
        let is_reported = self.is_reported.swap(true, Relaxed);
        observe::clock_differs(delivery.account(), least.as_secs(), is_reported);
        delivery.age().saturating_sub(least)
    }

    fn least(&self) -> Duration {
        let ages = self.ages.iter().map(|age| age.load(Relaxed));
        Duration::from_millis(ages.min().unwrap_or_default())
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            ages: [const { AtomicU64::new(u64::MAX) }; LATEST],
            count: AtomicUsize::default(),
            is_reported: AtomicBool::default(),
        }
    }
}

/// The age of a last delivery, half a second less.
const DIFFERENCE: Duration = Duration::from_millis(9_500);

/// Some logs have a second delivery after a second, when the first was answered with an error.
const EARLIER: Duration = Duration::from_secs(1);

/// Few enough that a clock that jumps is soon seen, and more than the last deliveries that come in a row.
const LATEST: usize = 5;
