//! Numbers and times that no other push has, in this process or in another.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    sync::{
        LazyLock, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::timestamp::Timestamp;

/// Returns a number of 17 digits, as a MsgId has. The next call returns the next one. Where a process begins is random.
pub(super) fn number() -> u64 {
    static NUMBERS: LazyLock<AtomicU64> =
        LazyLock::new(|| AtomicU64::new(FIRST_NUMBER + random() % NUMBERS_TO_BEGIN_WITH));
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

/// Returns the first second, `from` this one on, that no event of the user in this process has.
pub(super) fn second(openid: &str, from: Timestamp) -> Timestamp {
    static SECONDS: LazyLock<(RandomState, Mutex<Seconds>)> = LazyLock::new(Default::default);
    let (hasher, seconds) = &*SECONDS;
    let mut seconds = seconds.lock().unwrap_or_else(PoisonError::into_inner);
    Timestamp::from_secs(seconds.take(hasher.hash_one(openid), from.as_secs()))
}

/// Returns how much earlier than the system's clock the events of this process are.
pub(super) fn seconds_ago() -> u64 {
    static SECONDS_AGO: LazyLock<u64> = LazyLock::new(|| random() % DAY);
    *SECONDS_AGO
}

/// The seconds of events.
#[derive(Default)]
struct Seconds {
    /// Leads from a user's second that is taken to a later one, which may be free.
    next: HashMap<(u64, u64), u64>,
}

impl Seconds {
    fn take(&mut self, user: u64, from: u64) -> u64 {
        if self.next.len() >= MAX_SECONDS {
            self.next.clear();
        }
        let mut free = from;
        while let Some(next) = self.next.get(&(user, free)) {
            free = *next;
        }
        let next = free.saturating_add(1);
        self.next.insert((user, free), next);
        // A clock that stands still finds the next one at once.
        self.next.insert((user, from), next);
        free
    }
}

fn random() -> u64 {
    // The standard library takes its keys from the system's randomness.
    RandomState::new().hash_one(())
}

const FIRST_NUMBER: u64 = 10_000_000_000_000_000;

/// The numbers of 17 digits, but for the last ones.
const NUMBERS_TO_BEGIN_WITH: u64 = 89_000_000_000_000_000;

/// In seconds.
const DAY: u64 = 24 * 60 * 60;

/// A process that makes more events forgets the former ones.
const MAX_SECONDS: usize = 1 << 18;
