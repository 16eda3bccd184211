//! Signature checking.

mod delivery;
mod verified;

pub use delivery::Delivery;
pub use verified::Verified;
