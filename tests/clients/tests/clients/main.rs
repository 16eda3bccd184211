//! The HTTP clients over sockets, against the simulated WeChat.
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics is a test that fails"
)]

mod adapters;
