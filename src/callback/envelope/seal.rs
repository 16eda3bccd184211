//! Encrypts and signs replies.

use super::{
    KeyIndex,
    cipher::{self, RANDOM},
    document::Sealed,
};
use crate::{
    account::Account,
    callback::{
        error::{SealError, SealErrorKind},
        query::REPLY_NONCE_PREFIX,
        signature::Signature,
    },
    timestamp::Timestamp,
};

/// Seals `plaintext` with the account's current token and key, new random bytes, the present time and a new nonce.
///
/// To seal a reply, use [`Opened::seal`](super::Opened::seal), which takes the key that opened the message.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use tower_wechat::{Account, callback::{self, Query}};
///
/// let account = Account::encrypted(
///     "rosebud7",
///     "wx0a1b2c3d4e5f6071",
///     "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb",
/// )?;
/// let sealed = callback::seal(&account, "<xml><Content>你好</Content></xml>".as_bytes())?;
/// // WeChat sends an envelope in this way.
/// let query = format!(
///     "timestamp={}&nonce={}&encrypt_type=aes&msg_signature={}",
///     sealed.timestamp(),
///     sealed.nonce(),
///     sealed.msg_signature(),
/// );
/// let body = format!("<xml><Encrypt>{}</Encrypt></xml>", sealed.encrypt());
/// let opened = callback::open(&account, &Query::parse(&query)?, body)?;
/// assert_eq!(opened.plaintext(), "<xml><Content>你好</Content></xml>");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// - [`SealErrorKind::PlainAccount`]: the account is in plain mode.
/// - [`SealErrorKind::Random`]: the operating system has no random bytes.
/// - [`SealErrorKind::TooLong`]: the plaintext has 4 GiB or more.
pub fn seal(account: &Account, plaintext: &[u8]) -> Result<Sealed, SealError> {
    seal_with(account, KeyIndex::default(), plaintext)
}

pub(super) fn seal_with(
    account: &Account,
    index: KeyIndex,
    plaintext: &[u8],
) -> Result<Sealed, SealError> {
    let plain = SealError::new(SealErrorKind::PlainAccount);
    let encryption = account.encryption().ok_or(plain)?;
    // Always found: the index is into the tokens and keys of this account.
    let (Some(token), Some(key)) = (
        account.tokens().get(index.token),
        encryption.keys.get(index.key),
    ) else {
        return Err(plain);
    };
    let mut random = [0; RANDOM + 8];
    getrandom::fill(&mut random).map_err(|_| SealError::new(SealErrorKind::Random))?;
    let (random, nonce) = random.split_first_chunk().unwrap_or((&[0; RANDOM], &[]));
    let nonce = nonce
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte));
    let nonce = format!("{REPLY_NONCE_PREFIX}{nonce}");
    let encrypt = cipher::seal(key, &encryption.receive_id, *random, plaintext)?;
    let timestamp = Timestamp::now();
    let msg_signature = Signature::sign(token, [&*timestamp.to_string(), &*nonce, &*encrypt]);
    Ok(Sealed::new(encrypt, msg_signature, timestamp, nonce))
}
