//! What the crate tells the outside about itself: log events, with a silent twin.
//!
//! Ids, kinds and counts only: no contents, no secrets, no signatures.
//! The features are chosen here and nowhere else.

#[cfg(feature = "tracing")]
mod events;
#[cfg(not(feature = "tracing"))]
#[path = "silent.rs"]
mod events;

pub(crate) use events::*;
