//! The stores against the program that their contract is.

mod double;
#[cfg(feature = "redis")]
mod faults;
mod memory;
#[cfg(feature = "redis")]
pub(crate) mod proxy;
#[cfg(feature = "redis")]
mod redis;
mod reference;
#[cfg(feature = "redis")]
pub(crate) mod server;
mod suite;
