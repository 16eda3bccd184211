//! One integration binary: everything is tested at the public boundary.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics is a test that fails"
)]

use proptest::test_runner::Config;

mod account;
mod dedup;
mod envelope;
mod handler;
mod hostile;
#[cfg(feature = "tracing")]
mod log;
mod message;
#[cfg(all(feature = "simulator", any(feature = "metrics", feature = "tracing")))]
mod observe;
#[cfg(all(feature = "redis", feature = "simulator", unix))]
mod processes;
mod reply;
mod samples;
mod signature;
#[cfg(feature = "simulator")]
mod simulator;
#[cfg(feature = "simulator")]
mod simulator_mishaps;
#[cfg(feature = "simulator")]
mod simulator_modes;
#[cfg(feature = "simulator")]
mod stack;
mod store;
mod xml;

/// This many cases of a property, or more of them where `PROPTEST_CASES` asks for more.
fn cases(least: u32) -> Config {
    let config = Config::default();
    Config {
        cases: config.cases.max(least),
        ..config
    }
}
