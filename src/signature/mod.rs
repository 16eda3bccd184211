//! Signature checking.

mod body;
mod delivery;
mod digest;
mod future;
mod layer;
mod query;
mod refusal;
mod rules;
mod service;
mod verified;

pub use delivery::Delivery;
pub use digest::Signature;
pub use future::ResponseFuture;
pub use layer::VerifySignatureLayer;
pub use query::Query;
pub use refusal::{Refusal, RefusalKind};
pub use service::VerifySignature;
pub use verified::Verified;
