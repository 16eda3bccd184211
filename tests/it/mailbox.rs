//! The mailboxes against their contract.

#[cfg(feature = "simulator")]
mod double;
#[cfg(feature = "simulator")]
mod memory;
#[cfg(feature = "redis")]
mod redis;

/// Of the sequences of operations. The log of a failure names the one that failed.
#[cfg(feature = "simulator")]
const SEED: u64 = 20_261_126;
