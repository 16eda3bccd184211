//! Encrypts and signs replies.

use std::{cell::RefCell, mem};

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
/// To seal a reply, call [`Opened::seal`](super::Opened::seal), which uses the key that opened the message.
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
    seal_with(account, KeyIndex::default(), None, plaintext)
}

pub(super) fn seal_with(
    account: &Account,
    index: KeyIndex,
    nonce: Option<String>,
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
    let (random, digits) = random().map_err(|_| SealError::new(SealErrorKind::Random))?;
    let nonce = nonce.unwrap_or_else(|| [REPLY_NONCE_PREFIX, &digits.to_string()].concat());
    let encrypt = cipher::seal(key, &encryption.receive_id, random, plaintext)?;
    let timestamp = Timestamp::now();
    let seconds = timestamp.as_secs().to_string();
    let msg_signature = Signature::sign(token, [&*seconds, &*nonce, &*encrypt]);
    Ok(Sealed::new(encrypt, msg_signature, timestamp, nonce))
}

/// Returns new random bytes, and a random number for the nonce.
///
/// The operating system makes them, for several seals at a time: one call takes as long as a quarter of a seal. They need
/// not stay secret, only differ.
fn random() -> Result<([u8; RANDOM], u64), getrandom::Error> {
    thread_local! {
        static POOL: RefCell<Pool> = const { RefCell::new(([[0; _]; _], 0)) };
    }
    POOL.with_borrow_mut(|(pool, left)| {
        if *left == 0 {
            getrandom::fill(pool.as_flattened_mut())?;
            *left = pool.len();
        }
        *left -= 1;
        let random = pool.get_mut(*left).map(mem::take).unwrap_or_default();
        let (random, nonce) = random.split_first_chunk().unwrap_or((&[0; RANDOM], &[]));
        let nonce = nonce.first_chunk().copied().unwrap_or_default();
        Ok((*random, u64::from_ne_bytes(nonce)))
    })
}

/// Random bytes for ten seals, and how many are left: Linux gives up to 256 bytes at once without a pause.
type Pool = ([[u8; RANDOM + 8]; 10], usize);
