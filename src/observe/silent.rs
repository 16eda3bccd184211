//! The twin of `events.rs` for builds without the `tracing` feature: the same functions, doing nothing.
