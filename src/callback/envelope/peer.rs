//! WeChat's side of the envelope, for the simulator.

use bytes::Bytes;

use super::{
    cipher::{self, RANDOM},
    decrypt, find_token,
};
use crate::{
    account::{Account, Mode},
    callback::{
        error::{Error, ErrorKind},
        signature::Signature,
    },
    message,
    xml::Value,
};

/// Encrypts and signs `plaintext` with the given random bytes, timestamp and nonce.
pub(crate) fn seal_as(
    account: &Account,
    random: [u8; RANDOM],
    [timestamp, nonce]: [&str; 2],
    plaintext: &[u8],
) -> Option<(String, Signature)> {
    let encryption = account.encryption()?;
    let (token, key) = (account.tokens().first()?, encryption.keys.first()?);
    let encrypt = cipher::seal(key, &encryption.receive_id, random, plaintext).ok()?;
    let msg_signature = Signature::sign(token, [timestamp, nonce, &encrypt]);
    Some((encrypt, msg_signature))
}

/// Opens a sealed reply, as WeChat does.
pub(crate) fn open_reply(account: &Account, body: &[u8]) -> Result<Bytes, Error> {
    let encryption = account
        .encryption()
        .ok_or(Error::unsigned(ErrorKind::Document))?;
    let sealed: Value =
        message::from_slice(body).map_err(|_| Error::unsigned(ErrorKind::Document))?;
    let names = match account.mode() {
        Mode::SmartBot => ["encrypt", "msgsignature", "timestamp", "nonce"],
        _ => ["Encrypt", "MsgSignature", "TimeStamp", "Nonce"],
    };
    let [encrypt, msg_signature, timestamp, nonce] =
        names.map(|name| sealed[name].as_str().unwrap_or_default());
    let msg_signature = msg_signature
        .parse()
        .map_err(|_| Error::unsigned(ErrorKind::Signature))?;
    let (signed, encrypt) = ([timestamp, nonce].map(str::as_bytes), encrypt.as_bytes());
    find_token(account, msg_signature, signed, encrypt)
        .ok_or(Error::unsigned(ErrorKind::Signature))?;
    decrypt(encryption, encrypt).map(|(plaintext, _)| plaintext)
}
