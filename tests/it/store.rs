//! The stores against their contract.

#[cfg(feature = "simulator")]
mod double;
#[cfg(feature = "redis")]
mod faults;
#[cfg(feature = "simulator")]
mod memory;
#[cfg(feature = "redis")]
pub(crate) mod proxy;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "redis")]
#[expect(unreachable_pub, reason = "the docs of `dedup::redis` show this file")]
mod sentinel;
#[cfg(feature = "redis")]
pub(crate) mod server;
#[cfg(feature = "redis")]
mod shown;
#[cfg(feature = "redis")]
mod topologies;

/// Of the sequences of operations. The log of a failure names the one that failed.
#[cfg(feature = "simulator")]
const SEED: u64 = 20_261_123;
