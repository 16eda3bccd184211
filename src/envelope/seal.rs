use std::time::SystemTime;

use super::{
    cipher::{self, RANDOM},
    document::Sealed,
    error::{Error, ErrorKind},
    open::{Pair, encryption},
};
use crate::{account::Account, signature::Signature};

/// Seals `plaintext` with the account's current token and key: fresh random bytes, the present time, a nonce of
/// its own.
///
/// A reply is rather sealed by [`Opened::seal`](super::Opened::seal), which knows the key that its message came with.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use tower_wechat::{Account, envelope, signature::Query};
///
/// let account = Account::encrypted(
///     "rosebud7",
///     "wx0a1b2c3d4e5f6071",
///     "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb",
/// )?;
/// let sealed = envelope::seal(&account, "<xml><Content>你好</Content></xml>".as_bytes())?;
/// // As WeChat sends it.
/// let query = format!(
///     "timestamp={}&nonce={}&encrypt_type=aes&msg_signature={}",
///     sealed.timestamp(),
///     sealed.nonce(),
///     sealed.msg_signature(),
/// );
/// let body = format!("<xml><Encrypt>{}</Encrypt></xml>", sealed.encrypt());
/// let opened = envelope::open(&account, &Query::parse(&query)?, body.as_bytes())?;
/// assert_eq!(opened.plaintext(), "<xml><Content>你好</Content></xml>");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`ErrorKind::NotEncrypted`] for a plain account, [`ErrorKind::Random`] if the operating system has no random bytes.
pub fn seal(account: &Account, plaintext: &[u8]) -> Result<Sealed, Error> {
    seal_with(account, Pair::default(), plaintext)
}

pub(super) fn seal_with(account: &Account, pair: Pair, plaintext: &[u8]) -> Result<Sealed, Error> {
    let encryption = encryption(account)?;
    // The pair has been counted off this account's.
    let (Some(token), Some(key)) = (
        account.tokens().get(pair.token),
        encryption.keys.get(pair.key),
    ) else {
        return Err(Error::new(ErrorKind::NotEncrypted));
    };
    let mut random = [0; RANDOM + 8];
    getrandom::fill(&mut random).map_err(|_| Error::new(ErrorKind::Random))?;
    let (random, nonce) = random.split_first_chunk().unwrap_or((&[0; RANDOM], &[]));
    let nonce = nonce
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte));
    let nonce = format!("{MARK}{nonce}");
    let encrypt = cipher::seal(key, &encryption.receive_id, *random, plaintext)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let timestamp = now.map_or(0, |since| since.as_secs());
    let parts = [&*timestamp.to_string(), &*nonce, &*encrypt];
    let msg_signature = Signature::new(token, &parts);
    Ok(Sealed::new(encrypt, msg_signature, timestamp, nonce))
}

/// What the nonces of all that is sealed here begin with: WeChat's are numbers, which begin with no zero.
///
/// WeCom signs nothing beside the ciphertext, so a reply that was captured would be a push otherwise. The
/// nonce is signed.
pub(crate) const MARK: &str = "0000";
