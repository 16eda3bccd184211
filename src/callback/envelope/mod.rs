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
};

/// Opens the body of a `POST` whose query has been [verified](Query::verify).
///
/// A plain account's body is its plaintext. An encrypted account's body is an envelope, and nothing beside its ciphertext
/// is read.
///
/// # Errors
///
/// If one of the [checks](super#checks) fails.
pub fn open(account: &Account, query: &Query, body: impl Into<Bytes>) -> Result<Opened, Error> {
    let body = body.into();
    let Some(encryption) = account.encryption() else {
        return Ok(Opened::plain(body));
    };
    let msg_signature = query
        .msg_signature()
        .ok_or(Error::new(ErrorKind::Parameters))?;
    let (envelope, format) = Envelope::read(&body)?;
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

/// Opens the `echostr` of a WeCom account's verification.
pub(super) fn open_echostr(
    account: &Account,
    query: &Query,
    echostr: &str,
) -> Result<Bytes, Error> {
    let malformed = Error::new(ErrorKind::Parameters);
    let encryption = account.encryption().ok_or(malformed)?;
    let msg_signature = query.msg_signature().ok_or(malformed)?;
    let signed = query.signed_parts();
    let (plaintext, _) = decrypt(account, encryption, msg_signature, signed, echostr)?;
    // A push is signed as an echostr is, and a captured one must not be decrypted for its captor.
    let is_echostr = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'{');
    if plaintext.is_empty() || !plaintext.iter().all(is_echostr) {
        return Err(Error::new(ErrorKind::Echostr));
    }
    Ok(plaintext)
}

/// An opened push. It seals its reply with the key that opened it.
pub struct Opened {
    plaintext: Bytes,
    /// If a check has parsed it.
    head: Option<Head>,
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

    /// Returns the message, in XML or JSON. An encrypted account's is UTF-8.
    pub fn plaintext(&self) -> &Bytes {
        &self.plaintext
    }

    /// Makes the answer that carries `reply`.
    ///
    /// An encrypted account's reply is sealed in the format of the message's envelope. An empty reply, `success` and the
    /// reply of a plain account are the answer as they are.
    ///
    /// # Errors
    ///
    /// [`SealErrorKind::Random`](super::SealErrorKind::Random) if the operating system has no random bytes.
    pub fn seal(&self, reply: impl Into<Bytes>) -> Result<Answer, SealError> {
        seal_reply(self.sealer.as_ref(), reply.into())
    }

    pub(crate) fn into_parts(self) -> (Bytes, Option<Head>, Option<Sealer>) {
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

    /// Returns the Content-Type of a sealed reply; `None` if the body is the reply as it was.
    pub fn content_type(&self) -> Option<&'static str> {
        self.content_type
    }
}

/// Shows no content.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("len", &self.body.len())
            .field("content_type", &self.content_type)
            .finish_non_exhaustive()
    }
}

/// The key and the format in which a message's reply is sealed.
pub(crate) struct Sealer {
    account: Account,
    index: KeyIndex,
    format: Format,
}

/// Positions of a token and a key among those of an account.
#[derive(Clone, Copy, Default)]
struct KeyIndex {
    token: usize,
    key: usize,
}

/// Makes the answer that carries `reply`; without a `sealer` as it is.
pub(crate) fn seal_reply(sealer: Option<&Sealer>, reply: Bytes) -> Result<Answer, SealError> {
    let Some(sealer) = sealer else {
        return Ok(Answer {
            body: reply,
            content_type: None,
        });
    };
    // WeChat takes these two unsealed, and nothing else.
    if matches!(&*reply, b"" | b"success") {
        return seal_reply(None, reply);
    }
    let envelope = seal::seal_with(&sealer.account, sealer.index, &reply)?;
    Ok(Answer {
        body: envelope.to_document(sealer.format).into(),
        content_type: Some(sealer.format.content_type()),
    })
}

/// Decrypts with each token and key until all checks hold. The error is the last key's, and no worse than the others'.
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
        .ok_or(Error::new(ErrorKind::Signature))?;
    let mut ciphertext = cipher::decode(encrypt)?;
    let receive_id = &*encryption.receive_id;
    let mut error = Error::new(ErrorKind::Ciphertext);
    let mut keys = encryption.keys.iter().enumerate().peekable();
    while let Some((key, aes_key)) = keys.next() {
        // Decryption overwrites the ciphertext, which the keys that follow need.
        let left = keys.peek().map(|_| ciphertext.clone());
        match cipher::open(aes_key, receive_id, ciphertext) {
            Ok(plaintext) => return Ok((plaintext, KeyIndex { token, key })),
            Err(found) => error = found,
        }
        ciphertext = left.unwrap_or_default();
    }
    Err(error)
}

/// Checks that a push is to the account that the URL belongs to. Returns the push's head, if that was parsed.
fn check_receiver(platform: &Platform, plaintext: &[u8]) -> Result<Option<Head>, Error> {
    let wrong = Error::new(ErrorKind::Receiver);
    match platform {
        Platform::OfficialAccount | Platform::WeCom => Ok(None),
        Platform::Component => match Head::read(plaintext) {
            Ok(head) if head.to_user_name().is_none() => Ok(Some(head)),
            _ => Err(wrong),
        },
        Platform::Authorizer(original_id) => {
            let head = Head::read(plaintext).ok();
            // A user's text can make the rest unreadable, and an answer other than 200 counts against the account.
            let is_right = match &head {
                Some(head) => head.to_user_name() == Some(original_id),
                None => message::receiver(plaintext).is_some_and(|it| it == **original_id),
            };
            if is_right { Ok(head) } else { Err(wrong) }
        }
    }
}
