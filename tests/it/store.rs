//! The stores against the program that their contract is.

mod double;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod reference;
#[cfg(feature = "redis")]
mod server;
mod suite;
