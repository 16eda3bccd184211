//! WeChat's side of the envelope, for the simulator.

use bytes::Bytes;
use serde::Deserialize;

use super::{
    cipher::{self, RANDOM},
    decrypt, find_token,
};
use crate::{
    account::Account,
    callback::{
        error::{Error, ErrorKind},
        signature::Signature,
    },
    message,
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
    let sealed: SealedReply =
        message::from_slice(body).map_err(|_| Error::unsigned(ErrorKind::Document))?;
    let msg_signature = sealed
        .msg_signature
        .parse()
        .map_err(|_| Error::unsigned(ErrorKind::Signature))?;
    let signed = [sealed.time_stamp.as_bytes(), sealed.nonce.as_bytes()];
    let encrypt = sealed.encrypt.as_bytes();
    find_token(account, msg_signature, signed, encrypt)
        .ok_or(Error::unsigned(ErrorKind::Signature))?;
    decrypt(encryption, encrypt).map(|(plaintext, _)| plaintext)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SealedReply {
    encrypt: String,
    msg_signature: String,
    time_stamp: String,
    nonce: String,
}
