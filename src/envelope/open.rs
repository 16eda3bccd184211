use std::fmt;

use bytes::Bytes;

use super::{
    cipher,
    document::{Envelope, Format},
    error::{Error, ErrorKind},
    seal,
};
use crate::{
    account::{Account, Encryption, Platform},
    message::{self, Head},
    signature::{Query, Signature},
};

/// Opens an encrypted body.
///
/// The query's timestamp is for [`Query::verify`] to check.
///
/// # Errors
///
/// If one of the [checks](super#what-is-checked-in-this-order) fails.
pub fn open(account: &Account, query: &Query<'_>, body: &[u8]) -> Result<Opened, Error> {
    let encryption = encryption(account)?;
    let msg_signature = query
        .msg_signature()
        .ok_or(Error::new(ErrorKind::Parameters))?;
    let (envelope, format) = Envelope::read(body)?;
    let parts = [query.timestamp_text(), query.nonce(), &*envelope.encrypt];
    let (plaintext, pair) = decrypt(account, encryption, msg_signature, parts)?;
    check_receiver(&encryption.platform, &plaintext)?;
    Ok(Opened {
        plaintext,
        sealer: Sealer {
            account: account.clone(),
            pair,
            format,
        },
    })
}

/// Opens the `echostr` of a WeCom account's verification: what comes out is the answer.
///
/// # Errors
///
/// If one of the [checks](super#what-is-checked-in-this-order) fails.
pub fn open_echostr(account: &Account, query: &Query<'_>) -> Result<Bytes, Error> {
    let encryption = encryption(account)?;
    let msg_signature = query
        .msg_signature()
        .ok_or(Error::new(ErrorKind::Parameters))?;
    let echostr = query
        .echostr()
        .map_err(|_| Error::new(ErrorKind::Document))?;
    let parts = [query.timestamp_text(), query.nonce(), echostr];
    let (plaintext, _) = decrypt(account, encryption, msg_signature, parts)?;
    // A push is signed as an echostr is, and nobody who has captured one is told what it says.
    let is_echostr = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'{');
    if plaintext.is_empty() || !plaintext.iter().all(is_echostr) {
        return Err(Error::new(ErrorKind::Echostr));
    }
    Ok(plaintext)
}

/// A message that was encrypted, and what it takes to encrypt its reply.
pub struct Opened {
    plaintext: Bytes,
    sealer: Sealer,
}

impl Opened {
    /// The message: UTF-8, in XML or JSON.
    pub fn plaintext(&self) -> &Bytes {
        &self.plaintext
    }

    /// The body that answers the message with `reply`: encrypted with the key that has opened the message, in the
    /// format of its envelope. An empty reply and `success` are the answer as they are.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Random`] if the operating system has no random bytes.
    pub fn seal(&self, reply: &[u8]) -> Result<String, Error> {
        self.sealer.seal(reply)
    }

    pub(crate) fn into_parts(self) -> (Bytes, Sealer) {
        (self.plaintext, self.sealer)
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("len", &self.plaintext.len())
            .finish_non_exhaustive()
    }
}

/// What a reply is sealed with.
pub(crate) struct Sealer {
    account: Account,
    pair: Pair,
    format: Format,
}

/// Which of the account's tokens and keys have opened a message, counted from 0.
#[derive(Clone, Copy, Default)]
pub(super) struct Pair {
    pub(super) token: usize,
    pub(super) key: usize,
}

impl Sealer {
    pub(crate) fn seal(&self, reply: &[u8]) -> Result<String, Error> {
        // WeChat takes these as they are, and nothing else.
        for acknowledgement in ["", "success"] {
            if reply == acknowledgement.as_bytes() {
                return Ok(acknowledgement.to_owned());
            }
        }
        let sealed = seal::seal_with(&self.account, self.pair, reply)?;
        Ok(sealed.to_document(self.format))
    }

    pub(crate) fn content_type(&self) -> &'static str {
        match self.format {
            Format::Xml => "application/xml",
            Format::Json => "application/json",
        }
    }
}

pub(super) fn encryption(account: &Account) -> Result<&Encryption, Error> {
    account
        .encryption()
        .ok_or(Error::new(ErrorKind::NotEncrypted))
}

/// Tries all tokens and keys. The error is the last key's, which says as much as any.
pub(super) fn decrypt(
    account: &Account,
    encryption: &Encryption,
    msg_signature: Signature,
    parts: [&str; 3],
) -> Result<(Bytes, Pair), Error> {
    let mut tokens = account.tokens().iter();
    let token = tokens
        .position(|token| msg_signature == Signature::new(token, &parts))
        .ok_or(Error::new(ErrorKind::Signature))?;
    let [.., encrypt] = parts;
    let mut ciphertext = cipher::decode(encrypt)?;
    let receive_id = &*encryption.receive_id;
    let mut error = Error::new(ErrorKind::Ciphertext);
    let mut keys = encryption.keys.iter().enumerate().peekable();
    while let Some((key, aes_key)) = keys.next() {
        // Decrypting spoils it for the keys that follow.
        let left = keys.peek().map(|_| ciphertext.clone());
        match cipher::open(aes_key, receive_id, ciphertext) {
            Ok(plaintext) => return Ok((plaintext, Pair { token, key })),
            Err(found) => error = found,
        }
        ciphertext = left.unwrap_or_default();
    }
    Err(error)
}

fn check_receiver(platform: &Platform, plaintext: &[u8]) -> Result<(), Error> {
    let is_right = match platform {
        Platform::OfficialAccount | Platform::WeCom => true,
        Platform::Component => {
            Head::read(plaintext).is_ok_and(|head| head.to_user_name().is_none())
        }
        // Whatever else a user may have typed: an answer other than 200 counts against the account.
        Platform::Authorizer(original_id) => {
            message::receiver(plaintext).is_some_and(|receiver| receiver == **original_id)
        }
    };
    if is_right {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::Receiver))
    }
}
