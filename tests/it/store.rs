//! The stores against their contract.

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
