//! Points in time: as WeChat writes them, and by this machine's clock.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
#[cfg(feature = "layers")]
use tokio::time::Instant;

use crate::xml;

/// A point in time as WeChat writes it: whole seconds since the Unix epoch.
///
/// serde writes it as a number. It reads a number, or a text that contains one, with or without white space around it.
///
/// Every `u64` is a valid timestamp. Conversions never panic.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use tower_wechat::Timestamp;
///
/// let sent = Timestamp::from_secs(1_717_500_123);
/// assert_eq!(sent.to_string(), "1717500123");
///
/// let time = SystemTime::from(sent);
/// assert_eq!(time, SystemTime::UNIX_EPOCH + Duration::from_secs(1_717_500_123));
/// assert_eq!(Timestamp::from(time), sent);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Makes the timestamp `secs` seconds after the Unix epoch.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs)
    }

    /// Returns the present time by this machine's clock.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// Returns the seconds since the Unix epoch.
    pub const fn as_secs(self) -> u64 {
        self.0
    }
}

/// Writes the number of seconds since the Unix epoch.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Saturates: a timestamp too late for `SystemTime` becomes the last second that `SystemTime` can hold. That second
/// depends on the platform, and is in the far future on each.
impl From<Timestamp> for SystemTime {
    fn from(Timestamp(secs): Timestamp) -> Self {
        after_epoch(secs).unwrap_or_else(last)
    }
}

/// Rounds down to whole seconds. A time before the Unix epoch becomes 0.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        Self(since.map_or(0, |since| since.as_secs()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        xml::number(deserializer).map(Self)
    }
}

/// Reads a timestamp that may be absent or empty, as [`xml::optional_number`] does.
pub(crate) fn optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    let secs: Option<u64> = xml::optional_number(deserializer)?;
    Ok(secs.map(Timestamp))
}

fn after_epoch(secs: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(secs))
}

/// Returns when what has this age now began; `now` if the clock does not go back that far.
#[cfg(feature = "layers")]
pub(crate) fn before(now: Instant, age: Duration) -> Instant {
    now.checked_sub(age).unwrap_or(now)
}

/// Returns the last second that `SystemTime` can hold. std has no constant for it, so a binary search finds it.
#[cold]
fn last() -> SystemTime {
    let mut secs = 0;
    for bit in (0..u64::BITS).rev() {
        let later = secs | (1 << bit);
        if after_epoch(later).is_some() {
            secs = later;
        }
    }
    after_epoch(secs).unwrap_or(SystemTime::UNIX_EPOCH)
}
