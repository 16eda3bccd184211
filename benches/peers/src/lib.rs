//! What other SDKs do with the deliveries that tower-wechat is made for, side by side with it.
//!
//! The table in the guide `comparison` says what these tests say and nothing else. Each test asserts what was **found**, of one
//! pinned version, so that it goes red when a new version behaves differently. tower-wechat is asked the same questions
//! through the same trait.
//!
//! ```text
//! cargo test  --manifest-path benches/peers/Cargo.toml                    # the SDKs in Rust
//! cargo bench --manifest-path benches/peers/Cargo.toml --bench voice      # their speed
//! cargo bench --manifest-path benches/peers/Cargo.toml --bench rapidxml   # a parser in C++
//! benches/peers/foreign/run                                               # those in Python and JavaScript
//! ```
//!
//! A question is asked at the highest level that an SDK's public API has for it, the one its own documentation shows.

pub mod foreign;
pub mod ours;
pub mod questions;
pub mod sealing;
pub mod wechat_oa_sdk;
pub mod wx_rust_mp;
pub mod wx_sdk;

/// The answer of an SDK, or why it has none.
pub type Answer<T> = Result<T, String>;

/// An SDK's server side, as far as all of them have it.
///
/// Its token is [`TOKEN`].
pub trait Peer {
    /// Whether it takes the signature of a GET or of a plain-mode POST.
    fn takes_signature(&self, signature: &str, timestamp: &str, nonce: &str) -> Answer<bool>;

    /// What the sealed text message says.
    fn open(&self, account: &Account<'_>, delivery: &sealing::Delivery) -> Answer<String>;

    /// The field called `name` of a plain message, after it was parsed; `None` if that is lost. What an SDK keeps
    /// unparsed it gives whole.
    fn read(&self, document: &str, name: &str) -> Answer<Option<String>>;

    /// The document that answers [`questions::USER`] with this text.
    fn reply(&self, text: &str) -> Answer<String>;

    /// The same, sealed.
    fn sealed_reply(&self, account: &Account<'_>, text: &str) -> Answer<String>;

    /// A plain text message, delivered a second time after it was answered: how often the handler ran, and
    /// whether the second delivery was answered as the first. An error if the SDK runs no handlers.
    fn deliver_twice(&self, document: &str) -> Answer<(usize, bool)>;
}

/// What a safe-mode account is configured with.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    pub app_id: &'a str,
    pub aes_key: &'a str,
}

pub const TOKEN: &str = "rosebud7";
