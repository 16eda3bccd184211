//! The HTTP clients over sockets, against the simulated WeChat; the recognizer, against a made-up server.
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics is a test that fails"
)]

mod adapters;
mod openai;
