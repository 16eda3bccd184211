//! The encrypted envelope of safe mode (安全模式), as pure functions.
//!
//! [`VerifySignature`](crate::signature::VerifySignature) does all this for Tower services. For a server that is
//! not built on Tower:
//!
//! ```
//! use std::time::{Duration, SystemTime};
//!
//! use tower_wechat::{Account, envelope, signature::Query};
//!
//! fn callback(account: &Account, query: &str, body: &[u8]) -> Result<String, Box<dyn std::error::Error>> {
//!     let query = Query::parse(query)?;
//!     query.verify(account, SystemTime::now(), Duration::from_secs(300))?;
//!     let opened = envelope::open(account, &query, body)?;
//!     let reply = answer(opened.plaintext());
//!     Ok(opened.seal(reply.as_bytes())?)
//! }
//! # fn answer(_: &[u8]) -> String { String::new() }
//! # let account = Account::encrypted("rosebud7", "wx0a1b", "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb")?;
//! # assert!(callback(&account, "", b"").is_err());
//! # Ok::<(), tower_wechat::account::Error>(())
//! ```
//!
//! # What is checked, in this order
//!
//! 1. The query has a `msg_signature`, and its `encrypt_type`, if any, is `aes`.
//! 2. The body is an XML or JSON document with one `Encrypt`. Whatever stands beside it is not looked at.
//! 3. `msg_signature` is the SHA-1 of one of the account's tokens, `timestamp`, `nonce` and the ciphertext, compared in
//!    constant time. Nothing has been decrypted before.
//! 4. The ciphertext is canonical base64 of whole AES blocks, at least two.
//! 5. Decrypted with AES-256-CBC, it ends with 1 to 32 equal bytes of padding.
//! 6. What is left are 16 random bytes, a length, so many bytes of message, and the account's receive id, to the byte.
//! 7. The message is UTF-8.
//! 8. For the open platform: it is to the account that the URL is for ([`Account::authorizer`](crate::Account::authorizer)).
//!
//! Several tokens and keys are tried until all of this holds, and the pair that does seals the reply.
//! The source of these rules are WeChat's page on message encryption and the samples that Tencent publishes with it.

mod cipher;
mod document;
mod error;
#[cfg(feature = "json")]
mod json;
#[cfg(not(feature = "json"))]
#[path = "json_absent.rs"]
mod json;
mod open;
mod seal;
#[cfg(feature = "simulator")]
mod wechat;

#[cfg(feature = "simulator")]
pub(crate) use self::wechat::{open_reply, seal_as};
pub use self::{
    document::Sealed,
    error::{Error, ErrorKind},
    open::{Opened, open, open_echostr},
    seal::seal,
};
pub(crate) use self::{open::Sealer, seal::MARK};
