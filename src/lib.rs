//! Receive what WeChat (微信) pushes to an Official Account, on any Tower-based server.

pub mod account;
mod observe;
pub mod signature;

pub use account::Account;
pub use signature::{Verified, VerifySignatureLayer};
