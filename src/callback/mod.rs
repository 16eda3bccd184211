//! The checks of a callback as pure functions: query, signature and encrypted envelope.
//!
//! [`VerifySignature`](crate::verify::VerifySignature) applies them for Tower services. A server that is not built on
//! Tower calls them itself. The same functions serve every mode of an [`Account`]:
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
//! The checks run in this order. [`ErrorKind`] names the first one that fails.
//!
//! 1. [`Query::parse`]: the query has each parameter at most once, and in its only accepted form.
//! 2. [`Query::verify`]: `signature` is the SHA-1 of one of the account's tokens, `timestamp` and `nonce`. The
//!    comparison takes constant time. WeCom signs only ciphertexts, and a query to another encrypted account needs only
//!    a `msg_signature`. Then the signature is checked in step 6.
//! 3. [`Query::verify`]: `timestamp` is near the present time.
//! 4. The body of a plain account is not checked, since plain mode does not sign it. But a body that is only a
//!    ciphertext is rejected if the query says that it is encrypted. Checks 5 to 10 are for encrypted accounts.
//! 5. The query has a `msg_signature`, and its `encrypt_type`, if any, is `aes`. The body has a text that may be a
//!    ciphertext ([below](self#the-ciphertext-and-what-stands-beside-it)).
//! 6. `msg_signature` is the SHA-1 of one of the account's tokens, `timestamp`, `nonce` and the ciphertext. The
//!    comparison takes constant time. Nothing is decrypted before this check.
//! 7. The ciphertext is canonical base64 of at least two whole AES blocks.
//! 8. Decrypted with AES-256-CBC, the ciphertext ends with 1 to 32 equal bytes of padding.
//! 9. The rest is exactly 16 random bytes, a length, a message of that length, and the account's receive id.
//! 10. On the open platform, the message is to the account that the URL belongs to ([`Account::authorizer`]). For a smart
//!     bot's account, the push is a smart bot's.
//!
//! All tokens and keys are tried until a token and a key pass the checks. That token and key then seal the reply.
//!
//! In every mode, bytes of the message that are not UTF-8, such as half a character, are replaced by U+FFFD.
//!
//! # The ciphertext and what stands beside it
//!
//! Only the ciphertext is signed. In compatible mode (兼容模式) the message stands beside it in plaintext, with users'
//! texts that WeChat does not escape. So the envelope is not parsed as XML or JSON: whatever stands beside the ciphertext
//! neither refuses nor changes the message, be it broken XML, a second `Encrypt` or half an emoji.
//!
//! The ciphertext is found by its characters. The longest run of base64 characters is tried first. In an envelope from
//! WeChat this is the ciphertext: it holds the whole message, encrypted, so it is longer than the plaintext beside it. If
//! its signature is wrong, the three next longest runs are tried. Then a ciphertext with escapes is tried: the longest run
//! in which `/` is escaped, and the `Encrypt` that a reader of the format finds. So the cost is bounded, and linear in the
//! body.
//!
//! Sources: WeChat's page on message encryption, and the samples that Tencent publishes with it.

mod envelope;
mod error;
mod query;
mod signature;

use bytes::Bytes;

use crate::account::Account;

pub(crate) use self::envelope::{Sealer, into_utf8, seal_reply};
#[cfg(feature = "simulator")]
pub(crate) use self::envelope::{open_reply, seal_as};
pub use self::{
    envelope::{Answer, Opened, Sealed, open, seal},
    error::{Error, ErrorKind, SealError, SealErrorKind},
    query::Query,
    signature::Signature,
};

/// Returns the body that answers WeChat's verification of the URL. Send it as `text/plain`.
///
/// It is the query's `echostr`. WeCom encrypts the echostr and expects the plaintext.
///
/// # Errors
///
/// - [`ErrorKind::Parameters`] if the query has no signature that counts for this account.
/// - [`ErrorKind::Echostr`] if the query has no echostr of 1 to 256 visible ASCII characters (`!` to `~`).
/// - For WeCom, the error of the first failed [check](self#checks) of the ciphertext. Also [`ErrorKind::Echostr`] if the
///   plaintext is empty, or has `<`, `{` or a character that is not visible ASCII.
pub fn echostr(account: &Account, query: &Query) -> Result<Bytes, Error> {
    // The signature of a ciphertext says nothing about an echostr that is none.
    if !account.is_wecom() && !query.is_signed(account) {
        return Err(Error::unsigned(ErrorKind::Parameters));
    }
    let echostr = query
        .echostr()
        .ok_or(query.error(ErrorKind::Echostr, account))?;
    if account.is_wecom() {
        envelope::open_echostr(account, query, echostr)
    } else {
        Ok(Bytes::copy_from_slice(echostr.as_bytes()))
    }
}
