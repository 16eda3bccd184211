//! Receive what WeChat (微信) pushes to an Official Account, on any Tower-based server.

pub mod account;
pub mod handler;
pub mod message;
mod observe;
pub mod reply;
pub mod signature;
#[cfg(feature = "simulator")]
pub mod simulator;
pub mod xml;

pub use account::Account;
pub use handler::{MessageService, message_fn};
pub use message::Message;
pub use reply::Reply;
pub use signature::{Verified, VerifySignatureLayer};
