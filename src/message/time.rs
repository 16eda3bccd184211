use std::time::{Duration, SystemTime};

/// The time `seconds` after the Unix epoch, if there is one.
pub(super) fn at(seconds: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}
