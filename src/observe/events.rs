//! Log events through the `tracing` crate.
