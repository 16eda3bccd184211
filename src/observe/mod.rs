//! What the crate tells the outside about itself: spans and log events, and metrics.
//!
//! Ids, kinds, counts and times only: no contents, no secrets, no signatures, nobody's OpenID.
//!
//! The code says what happens once, here. Each of the two halves, what goes to `tracing` (`events`, `spans`) and
//! what goes to `metrics` (`meters`), has a silent twin for builds without its feature, and so has what needs
//! either (`watch`). The features are chosen here and nowhere else.

#[cfg(feature = "tracing")]
mod events;
#[cfg(not(feature = "tracing"))]
#[path = "silent.rs"]
mod events;
#[cfg(feature = "metrics")]
mod meters;
#[cfg(all(feature = "tracing", not(feature = "metrics")))]
#[path = "meters_silent.rs"]
mod meters;
#[cfg(feature = "tracing")]
mod spans;
#[cfg(all(feature = "metrics", not(feature = "tracing")))]
#[path = "spans_silent.rs"]
mod spans;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod told;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod watch;
#[cfg(not(any(feature = "metrics", feature = "tracing")))]
#[path = "watch_silent.rs"]
mod watch;

pub(crate) use events::{
    another_type, handler_failed, late_reply_failed, lease_lost, message_given_up, reply_dropped,
    reply_is_lost, reply_not_sealed, response_broken_off, store_back, unreadable,
};
#[cfg(not(any(feature = "metrics", feature = "tracing")))]
pub(crate) use events::{callback_refused, reply_is_late, store_failed, store_silent};
#[cfg(any(feature = "metrics", feature = "tracing"))]
pub(crate) use told::{callback_refused, reply_is_late, store_failed, store_silent};
pub(crate) use watch::{Deduped, Delivery, Runs};
