//! Whether this machine's clock agrees with WeChat's.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use crate::{delivery::Delivery, observe};

/// How old the first deliveries of the latest messages looked to this machine's clock.
///
/// Few deliveries are last ones of messages that nobody has seen before. If all of the latest look ten seconds old, the
/// clock is ahead by the age of the youngest.
#[derive(Debug)]
pub(super) struct Clock {
    /// Of the old ones, in milliseconds.
    ages: [AtomicU64; LATEST],
    /// How many old ones have come since the last young one. If the clock is right, it is mostly 0, and the threads of a server
    /// only read it.
    old: AtomicUsize,
    /// Whether the log has a warning, since the clock was last right.
    is_reported: AtomicBool,
}

impl Clock {
    /// Notes that a delivery has come. Returns how far the clock may be ahead. `None`: it has proven right.
    pub(super) fn note_arrival(&self, delivery: &Delivery) -> Option<Duration> {
        self.note(delivery, || Duration::ZERO, false);
        self.ahead(delivery.age())
    }

    /// Notes a delivery whose message had been `seen` for so long on its arrival. If that explains the delivery's age, the clock
    /// is right. If not, and the message begins with this delivery, the clock may be ahead.
    ///
    /// So each message counts once against the clock. A delivery may be replayed as often as one likes, and looks older each
    /// time.
    pub(super) fn note(
        &self,
        delivery: &Delivery,
        seen: impl FnOnce() -> Duration,
        is_first: bool,
    ) {
        // A late retry says nothing of the clock.
        if delivery.age() > delivery.timestamp_tolerance() {
            return;
        }
        // Most look young whatever was seen, and that takes a lock to know.
        let looks_old = unexplained(delivery, Duration::ZERO);
        match looks_old.and_then(|_| unexplained(delivery, seen())) {
            None => {
                // Mostly, the threads of a server only read them.
                if self.old.load(Relaxed) > 0 {
                    self.old.store(0, Relaxed);
                }
                if self.is_reported.load(Relaxed) {
                    self.is_reported.store(false, Relaxed);
                }
            }
            Some(age) if is_first => self.push(age),
            _ => {}
        }
    }

    fn push(&self, age: Duration) {
        let at = self.old.fetch_add(1, Relaxed) % LATEST;
        if let Some(latest) = self.ages.get(at) {
            let milliseconds = age.as_millis().try_into();
            latest.store(milliseconds.unwrap_or(u64::MAX), Relaxed);
        }
    }

    /// Returns the age of a delivery whose message had been `seen` for so long on its arrival, less what the clock was ahead
    /// then: `on_arrival`, or what the deliveries after it tell. If the clock was ahead, the log has a warning.
    pub(super) fn age(
        &self,
        delivery: &Delivery,
        seen: Duration,
        on_arrival: Option<Duration>,
    ) -> Duration {
        let Some(unexplained) = unexplained(delivery, seen) else {
            return delivery.age();
        };
        let ahead = [self.ahead(unexplained), on_arrival].into_iter().flatten();
        // A clock that was so far ahead on arrival would have made the delivery that old at least. The ages of the others may
        // be too long by what their timestamps leave out.
        let may_have_been = |ahead: &Duration| *ahead <= delivery.age() + TIMESTAMP_UNIT;
        let Some(ahead) = ahead.filter(may_have_been).max() else {
            return delivery.age();
        };
        let is_reported = self.is_reported.swap(true, Relaxed);
        observe::clock_differs(delivery.account(), ahead.as_secs(), is_reported);
        delivery.age().saturating_sub(ahead.min(unexplained))
    }

    /// The age of the youngest of the latest first deliveries, if all of them are old. While there are none, `own`: that of the
    /// delivery in question.
    fn ahead(&self, own: Duration) -> Option<Duration> {
        if self.old.load(Relaxed) < LATEST {
            return None;
        }
        let ages = self.ages.iter().map(|age| age.load(Relaxed));
        let youngest = ages.filter(|age| *age != UNKNOWN).min();
        Some(youngest.map_or(own, Duration::from_millis))
    }
}

/// As if no young one were among the latest.
impl Default for Clock {
    fn default() -> Self {
        Self {
            ages: [const { AtomicU64::new(UNKNOWN) }; LATEST],
            old: AtomicUsize::new(LATEST),
            is_reported: AtomicBool::default(),
        }
    }
}

/// Returns what of the delivery's age a right clock does not explain, if its message had been `seen` for so long.
fn unexplained(delivery: &Delivery, seen: Duration) -> Option<Duration> {
    let age = delivery.age().saturating_sub(seen);
    (age >= DIFFERENCE).then_some(age)
}

/// The age of no delivery.
const UNKNOWN: u64 = u64::MAX;

/// The age of a last delivery, half a second less.
const DIFFERENCE: Duration = Duration::from_millis(9_500);

/// Timestamps are of whole seconds, so an age may be longer by as much. A clock that is set ahead by no more than this beyond a
/// delivery's age looks as if it had been ahead when that delivery arrived.
const TIMESTAMP_UNIT: Duration = Duration::from_secs(1);

/// Few enough that a clock that jumps is soon seen, and more than the last deliveries that come in a row.
const LATEST: usize = 5;

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use std::{sync::Arc, time::SystemTime};

    use tokio::time::Instant;

    use super::*;

    /// A delivery that looks so old.
    fn delivery(age: Duration) -> Delivery {
        delivery_within(age, age)
    }

    fn delivery_within(tolerance: Duration, age: Duration) -> Delivery {
        let (account, arrival) = (Arc::from("shop"), Instant::now());
        let sent = SystemTime::UNIX_EPOCH;
        Delivery::of_request(account, arrival, sent + age, sent.into(), tolerance)
    }

    #[test]
    fn a_late_retry_is_no_sign() {
        let clock = Clock::default();
        let day = Duration::from_hours(24);
        let late = delivery_within(Duration::from_mins(5), day);
        clock.note(&late, || Duration::ZERO, true);
        assert_eq!(clock.ahead(Duration::MAX), Some(Duration::MAX));
        clock.note(&delivery(day), || Duration::ZERO, true);
        // It has been seen before.
        clock.note(&late, || day, false);
        assert_eq!(clock.ahead(Duration::MAX), Some(day));
    }

    #[test]
    fn a_clock_that_has_been_set_ahead_since_takes_nothing_off_an_age() {
        let last = Duration::from_secs(10);
        let milliseconds = |time| (time > 0).then(|| Duration::from_millis(time));
        for (ahead, on_arrival, expected) in [
            (9_499, 0, 10_000),
            // It may have been ahead on arrival.
            (9_500, 0, 500),
            (10_000, 0, 0),
            (11_000, 0, 0),
            (11_001, 0, 10_000),
            (20_000, 0, 10_000),
            // It was ahead, and has been set right or further ahead since.
            (0, 10_000, 0),
            (20_000, 10_000, 0),
            // It had been set right before, and no delivery has shown that yet.
            (0, 20_000, 10_000),
            // Only what is unexplained is taken off.
            (10_999, 10_500, 0),
        ] {
            let clock = Clock::default();
            for _ in 0..LATEST {
                let first = delivery(Duration::from_millis(ahead));
                clock.note(&first, || Duration::ZERO, true);
            }
            let on_arrival = milliseconds(on_arrival);
            let age = clock.age(&delivery(last), Duration::ZERO, on_arrival);
            assert_eq!(age, Duration::from_millis(expected), "{ahead} ms");
            // The last delivery of a message that has been seen before.
            let age = clock.age(&delivery(last), Duration::from_millis(501), on_arrival);
            assert_eq!(age, last);
        }
    }

    /// 20 s. The message was seen by another node 5 s ago, or by nobody.
    #[test]
    fn a_delivery_alone_tells_how_far_a_clock_is_ahead() {
        for seen in [5, 0].map(Duration::from_secs) {
            let clock = Clock::default();
            let delivery = delivery(seen + Duration::from_secs(20));
            let on_arrival = clock.note_arrival(&delivery);
            assert_eq!(clock.age(&delivery, seen, on_arrival), seen);
        }
    }

    proptest! {
        /// However few there have been. An old delivery with which no message begins says nothing.
        #[test]
        fn the_least_age_counts_if_all_of_the_latest_are_old(
            deliveries in vec((0..20_000_u64, 0..3_u64, any::<bool>()), 0..40)
        ) {
            let clock = Clock::default();
            let mut latest: Vec<u64> = Vec::new();
            for (age, seen, is_first) in deliveries {
                let least = latest.iter().rev().take(LATEST).min();
                let expected = match least {
                    None => Some(Duration::MAX),
                    Some(least) => (*least >= 9_500).then(|| Duration::from_millis(*least)),
                };
                prop_assert_eq!(clock.ahead(Duration::MAX), expected);
                let seen = seen * 5_000;
                let next = delivery(Duration::from_millis(age));
                clock.note(&next, || Duration::from_millis(seen), is_first);
                let unexplained = age.saturating_sub(seen);
                if is_first || unexplained < 9_500 {
                    latest.push(unexplained);
                }
            }
        }
    }
}
