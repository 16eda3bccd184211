//! The encrypted envelope of safe mode (安全模式).

mod cipher;
mod document;
#[cfg(feature = "simulator")]
mod peer;
mod seal;

use std::fmt;

use bytes::Bytes;

use self::document::{Envelope, Format};
#[cfg(feature = "simulator")]
pub(crate) use self::peer::{open_reply, seal_as};
pub use self::{document::Sealed, seal::seal};
use super::{
    error::{Error, ErrorKind, SealError},
    query::Query,
    signature::Signature,
};
use crate::{
    account::{Account, Encryption, Platform},
    message::{self, Head},
    reply, xml,
};

/// Opens the body of a `POST` whose query has been [verified](Query::verify).
///
/// The body of a plain account is the plaintext. The body of an encrypted account is an envelope, of which only the
/// ciphertext is read.
///
/// # Errors
///
/// If one of the [checks](super#checks) 5 to 11 fails.
pub fn open(account: &Account, query: &Query, body: impl Into<Bytes>) -> Result<Opened, Error> {
    let body = body.into();
    let Some(encryption) = account.encryption() else {
        return Ok(Opened::plain(body));
    };
    let msg_signature = query
        .msg_signature()
        .ok_or(Error::of_verified_query(ErrorKind::Parameters, account))?;
    let (envelope, format) =
        Envelope::read(&body).ok_or(Error::of_verified_query(ErrorKind::Document, account))?;
    let signed = query.signed_parts();
    let (plaintext, index) = decrypt(
        account,
        encryption,
        msg_signature,
        signed,
        &envelope.encrypt,
    )?;
    let head = check_receiver(&encryption.platform, &plaintext)?;
    Ok(Opened {
        plaintext,
        head,
        sealer: Some(Sealer {
            account: account.clone(),
            index,
            format,
        }),
    })
}

/// Decrypts the `echostr` with which WeCom verifies the URL.
pub(super) fn open_echostr(
    account: &Account,
    query: &Query,
    echostr: &str,
) -> Result<Bytes, Error> {
    let malformed = Error::of_verified_query(ErrorKind::Parameters, account);
    let encryption = account.encryption().ok_or(malformed)?;
    let msg_signature = query.msg_signature().ok_or(malformed)?;
    let signed = query.signed_parts();
    let (plaintext, _) = decrypt(account, encryption, msg_signature, signed, echostr)?;
    // A push is signed in the same way as an echostr. This check keeps an attacker from using this server to decrypt a
    // captured push.
    let is_echostr = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'{');
    if plaintext.is_empty() || !plaintext.iter().all(is_echostr) {
        return Err(Error::signed(ErrorKind::Echostr));
    }
    Ok(plaintext)
}

/// An opened push. It seals the reply with the key that opened the push.
pub struct Opened {
    plaintext: Bytes,
    /// The result of parsing the plaintext's head, if a check has done so.
    head: Option<xml::Result<Head>>,
    /// `None` in plain mode.
    sealer: Option<Sealer>,
}

impl Opened {
    pub(crate) fn plain(plaintext: Bytes) -> Self {
        Self {
            plaintext,
            head: None,
            sealer: None,
        }
    }

    /// Returns the message in XML or JSON. For an encrypted account it is valid UTF-8.
    pub fn plaintext(&self) -> &Bytes {
        &self.plaintext
    }

    /// Makes the answer that contains `reply`.
    ///
    /// For an encrypted account, the reply is sealed in the format of the message's envelope. An empty reply and
    /// `success` are not sealed. A plain account's reply is never sealed.
    ///
    /// # Errors
    ///
    /// - [`SealErrorKind::Random`](super::SealErrorKind::Random): the operating system has no random bytes.
    /// - [`SealErrorKind::TooLong`](super::SealErrorKind::TooLong): the reply has 4 GiB or more.
    pub fn seal(&self, reply: impl Into<Bytes>) -> Result<Answer, SealError> {
        seal_reply(self.sealer.as_ref(), reply.into())
    }

    pub(crate) fn into_parts(self) -> (Bytes, Option<xml::Result<Head>>, Option<Sealer>) {
        (self.plaintext, self.head, self.sealer)
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("len", &self.plaintext.len())
            .finish_non_exhaustive()
    }
}

/// The body of the response to a delivery.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    body: Bytes,
    content_type: Option<&'static str>,
}

impl Answer {
    /// Returns the body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Returns the body without copying it.
    pub fn into_body(self) -> Bytes {
        self.body
    }

    /// Returns the Content-Type of a sealed reply; `None` if the reply was not sealed.
    pub fn content_type(&self) -> Option<&'static str> {
        self.content_type
    }
}

/// Shows the length of the body, not its contents.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("len", &self.body.len())
            .field("content_type", &self.content_type)
            .finish_non_exhaustive()
    }
}

/// The key and the format that seal a message's reply.
pub(crate) struct Sealer {
    account: Account,
    index: KeyIndex,
    format: Format,
}

/// The positions of a token and a key in an account's lists.
#[derive(Clone, Copy, Default)]
struct KeyIndex {
    token: usize,
    key: usize,
}

/// Makes the answer that contains `reply`, unsealed if there is no `sealer`.
pub(crate) fn seal_reply(sealer: Option<&Sealer>, reply: Bytes) -> Result<Answer, SealError> {
    let Some(sealer) = sealer else {
        return Ok(Answer {
            body: reply,
            content_type: None,
        });
    };
    // WeChat accepts only these unsealed.
    if reply::is_silent(&reply) {
        return seal_reply(None, reply);
    }
    let envelope = seal::seal_with(&sealer.account, sealer.index, &reply)?;
    Ok(Answer {
        body: envelope.to_document(sealer.format).into(),
        content_type: Some(sealer.format.content_type()),
    })
}

/// Finds the token that made the signature, then decrypts with each key until all checks pass.
///
/// If no key passes, the error is that of the last one. Any key's error would do.
fn decrypt(
    account: &Account,
    encryption: &Encryption,
    msg_signature: Signature,
    [timestamp, nonce]: [&[u8]; 2],
    encrypt: &str,
) -> Result<(Bytes, KeyIndex), Error> {
    let signed = [timestamp, nonce, encrypt.as_bytes()];
    let mut tokens = account.tokens().iter();
    let token = tokens
        .position(|token| msg_signature == Signature::sign(token, signed))
        .ok_or(Error::of_verified_query(ErrorKind::Signature, account))?;
    let mut ciphertext = cipher::decode(encrypt)?;
    let receive_id = &*encryption.receive_id;
    let mut error = Error::signed(ErrorKind::Ciphertext);
    let mut keys = encryption.keys.iter().enumerate().peekable();
    while let Some((key, aes_key)) = keys.next() {
        // Decryption overwrites the ciphertext, so the keys that follow need a copy.
        let left = keys.peek().map(|_| ciphertext.clone());
        match cipher::open(aes_key, receive_id, ciphertext) {
            Ok(plaintext) => return Ok((plaintext, KeyIndex { token, key })),
            Err(found) => error = found,
        }
        ciphertext = left.unwrap_or_default();
    }
    Err(error)
}

/// Checks that a push is to the account that the URL belongs to. Returns the result of parsing the push's head, if the
/// check needs it.
fn check_receiver(
    platform: &Platform,
    plaintext: &[u8],
) -> Result<Option<xml::Result<Head>>, Error> {
    let wrong = Error::signed(ErrorKind::Receiver);
    match platform {
        Platform::OfficialAccount | Platform::WeCom => Ok(None),
        Platform::Component => match Head::read(plaintext) {
            Ok(head) if head.to_user_name().is_none() => Ok(Some(Ok(head))),
            _ => Err(wrong),
        },
        Platform::Authorizer(original_id) => {
            let head = Head::read(plaintext);
            // A user's text can make the rest of a push unreadable. Such a push must not be rejected, since WeChat
            // counts any status but 200 against the account.
            let is_right = match &head {
                Ok(head) => head.to_user_name() == Some(original_id),
                Err(_) => message::receiver(plaintext).is_some_and(|it| it == **original_id),
            };
            if is_right { Ok(Some(head)) } else { Err(wrong) }
        }
    }
}
