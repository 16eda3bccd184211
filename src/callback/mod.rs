//! The checks of a callback as pure functions: query, signature and encrypted envelope.
//!
//! [`VerifySignature`](crate::verify::VerifySignature) applies them for Tower services. A server that is not built on
//! Tower calls them itself. The functions are the same for every mode of an [`Account`]:
//!
//! ```
//! use std::time::{Duration, SystemTime};
//!
//! use bytes::Bytes;
//! use tower_wechat::{
//!     Account,
//!     callback::{self, Answer, Query},
//! };
//!
//! type Error = Box<dyn std::error::Error>;
//!
//! fn query<'q>(account: &Account, query: &str) -> Result<Query, Error> {
//!     let query = Query::parse(query)?;
//!     query.verify(account, SystemTime::now(), Duration::from_secs(300))?;
//!     Ok(query)
//! }
//!
//! /// Answers `GET`: WeChat verifies the URL.
//! fn verification(account: &Account, raw_query: &str) -> Result<Bytes, Error> {
//!     Ok(callback::echostr(account, &query(account, raw_query)?)?)
//! }
//!
//! /// Answers `POST`: WeChat delivers a push.
//! fn delivery(account: &Account, raw_query: &str, body: Bytes) -> Result<Answer, Error> {
//!     let opened = callback::open(account, &query(account, raw_query)?, body)?;
//!     let reply = answer(opened.plaintext());
//!     Ok(opened.seal(reply)?)
//! }
//! # fn answer(_: &[u8]) -> String { String::new() }
//! # let account = Account::encrypted("rosebud7", "wx0a1b", "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb")?;
//! # assert!(verification(&account, "").is_err());
//! # assert!(delivery(&account, "", Bytes::new()).is_err());
//! # Ok::<(), tower_wechat::account::Error>(())
//! ```
//!
//! # Checks
//!
//! They are made in this order. [`ErrorKind`] names the one that failed.
//!
//! 1. [`Query::parse`]: the query has each signed parameter at most once and in its one form.
//! 2. [`Query::verify`]: `signature` is the SHA-1 of one of the account's tokens, `timestamp` and `nonce`, compared in
//!    constant time. WeCom signs ciphertexts alone; its signature is check 6.
//! 3. [`Query::verify`]: `timestamp` is near the present time.
//! 4. A plain account's body is not checked, since plain mode does not sign it. Checks 5 to 11 are an encrypted account's.
//! 5. The query has a `msg_signature`, and its `encrypt_type`, if any, is `aes`. The body is an XML or JSON document with
//!    one `Encrypt`.
//! 6. `msg_signature` is the SHA-1 of one of the account's tokens, `timestamp`, `nonce` and the ciphertext, compared in
//!    constant time. Nothing is decrypted before.
//! 7. The ciphertext is canonical base64 of at least two whole AES blocks.
//! 8. Decrypted with AES-256-CBC, it ends with 1 to 32 equal bytes of padding.
//! 9. The rest is exactly 16 random bytes, a length, a message of that length, and the account's receive id.
//! 10. The message is UTF-8.
//! 11. On the open platform, the message is to the account that the URL belongs to ([`Account::authorizer`]).
//!
//! Several tokens and keys are tried until all checks hold. The token and key for which they hold seal the reply.
//! Sources: WeChat's page on message encryption, and the samples that Tencent publishes with it.

mod envelope;
mod error;
mod query;
mod signature;

use bytes::Bytes;

use crate::account::Account;

pub(crate) use self::envelope::{Sealer, seal_reply};
#[cfg(feature = "simulator")]
pub(crate) use self::envelope::{open_reply, seal_as};
pub use self::{
    envelope::{Answer, Opened, Sealed, open, seal},
    error::{Error, ErrorKind, SealError, SealErrorKind},
    query::Query,
    signature::Signature,
};

/// Returns the body that answers WeChat's verification of the URL, as `text/plain`.
///
/// It is the query's `echostr`. WeCom encrypts it, and wants the plaintext back.
///
/// # Errors
///
/// [`ErrorKind::Echostr`] if there is no echostr of 1 to 256 visible ASCII characters (`!` to `~`). For WeCom, also if one of
/// the [checks](self#checks) of the ciphertext fails.
pub fn echostr(account: &Account, query: &Query) -> Result<Bytes, Error> {
    let echostr = query.echostr()?;
    if account.is_wecom() {
        envelope::open_echostr(account, query, echostr)
    } else {
        Ok(Bytes::copy_from_slice(echostr.as_bytes()))
    }
}
