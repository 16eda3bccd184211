//! One integration binary: everything is tested at the public boundary.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics is a test that fails"
)]

use std::time::Duration;

use bytes::Bytes;
use proptest::test_runner::Config;
use tower_wechat::{Delivery, Verified};

mod account;
#[cfg(feature = "api")]
mod api;
#[cfg(all(feature = "json", feature = "simulator"))]
mod attack;
mod callback;
mod dedup;
mod handler;
mod hostile;
#[cfg(feature = "simulator")]
mod late;
#[cfg(feature = "tracing")]
mod log;
mod mailbox;
mod message;
#[cfg(all(feature = "simulator", any(feature = "metrics", feature = "tracing")))]
mod observe;
mod panics;
#[cfg(all(
    feature = "api",
    feature = "redis",
    feature = "simulator",
    feature = "tracing",
    unix
))]
mod processes;
#[cfg(feature = "api")]
mod recognize;
mod reply;
#[cfg(feature = "simulator")]
mod retries;
mod samples;
#[cfg(feature = "simulator")]
mod setup;
#[cfg(feature = "simulator")]
mod simulator;
#[cfg(feature = "simulator")]
mod simulator_api;
#[cfg(feature = "simulator")]
mod simulator_identity;
#[cfg(feature = "simulator")]
mod simulator_mishaps;
#[cfg(feature = "simulator")]
mod simulator_modes;
#[cfg(feature = "simulator")]
mod simulator_transcript;
#[cfg(all(feature = "json", feature = "simulator"))]
mod smart_bot;
#[cfg(feature = "simulator")]
mod stack;
mod store;
mod verify;
mod xml;

/// Runs `least` cases of a property, or more if `PROPTEST_CASES` asks for more.
fn cases(least: u32) -> Config {
    let config = Config::default();
    Config {
        cases: config.cases.max(least),
        ..config
    }
}

/// Makes a verified body of an account without a name. Its tolerance is zero, so dedup's own settings say how long the
/// message is remembered.
pub(crate) fn assume(body: impl Into<Bytes>) -> Verified {
    let delivery = Delivery::new("").with_timestamp_tolerance(Duration::ZERO);
    Verified::insecure_assume(body, delivery)
}
