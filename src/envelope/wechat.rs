//! WeChat's side of the envelope, for the simulator.

use bytes::Bytes;
use serde::Deserialize;

use super::{
    cipher::{self, RANDOM},
    error::{Error, ErrorKind},
    open::{decrypt, encryption},
};
use crate::{account::Account, message, signature::Signature};

/// A ciphertext and its signature, with nothing left to chance.
pub(crate) fn seal_as(
    account: &Account,
    random: [u8; RANDOM],
    [timestamp, nonce]: [&str; 2],
    plaintext: &[u8],
) -> Option<(String, Signature)> {
    let encryption = account.encryption()?;
    let (token, key) = (account.tokens().first()?, encryption.keys.first()?);
    let encrypt = cipher::seal(key, &encryption.receive_id, random, plaintext).ok()?;
    let msg_signature = Signature::new(token, &[timestamp, nonce, &encrypt]);
    Some((encrypt, msg_signature))
}

/// Opens a sealed reply.
pub(crate) fn open_reply(account: &Account, body: &[u8]) -> Result<Bytes, Error> {
    let encryption = encryption(account)?;
    let sealed: Sealed = message::from_slice(body).map_err(|_| Error::new(ErrorKind::Document))?;
    let msg_signature = sealed
        .msg_signature
        .parse()
        .map_err(|_| Error::new(ErrorKind::Signature))?;
    let parts = [&*sealed.time_stamp, &*sealed.nonce, &*sealed.encrypt];
    decrypt(account, encryption, msg_signature, parts).map(|(plaintext, _)| plaintext)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sealed {
    encrypt: String,
    msg_signature: String,
    time_stamp: String,
    nonce: String,
}
