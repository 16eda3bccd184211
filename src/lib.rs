//! Receive what WeChat (微信) pushes to an Official Account, on any Tower-based server.

pub mod account;
pub mod message;
mod observe;
pub mod signature;
pub mod xml;

pub use account::Account;
pub use message::Message;
pub use signature::Verified;
