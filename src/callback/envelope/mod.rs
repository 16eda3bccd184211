//! The encrypted envelope of safe mode (安全模式): opens inbound ones, seals outbound ones.

mod cipher;
mod document;
#[cfg(feature = "simulator")]
mod peer;
mod seal;

use std::fmt;

use bytes::Bytes;
use memchr::memmem;

use self::document::Format;
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
/// ciphertext is read: nothing beside it refuses or changes a message. Bytes of the message that are not UTF-8 are
/// replaced by U+FFFD.
///
/// # Errors
///
/// If one of the [checks](super#checks) 4 to 10 fails.
pub fn open(account: &Account, query: &Query, body: impl Into<Bytes>) -> Result<Opened, Error> {
    let body = body.into();
    let Some(encryption) = account.encryption() else {
        if query.is_encrypted() && is_sealed_alone(&body) {
            return Err(query.error(ErrorKind::PlainAccount, account));
        }
        return Ok(Opened::new(body));
    };
    let msg_signature = query
        .msg_signature()
        .map_err(|kind| query.error(kind, account))?;
    let mut failure = ErrorKind::Document;
    let (encrypt, token) = document::ciphertexts(&body)
        .inspect(|_| failure = ErrorKind::Signature)
        .find_map(|encrypt| {
            let token = find_token(account, msg_signature, query.signed_parts(), &encrypt)?;
            Some((encrypt, token))
        })
        .ok_or_else(|| query.error(failure, account))?;
    let (plaintext, key) = decrypt(encryption, &encrypt)?;
    let (plaintext, has_replaced_bytes) = into_utf8(plaintext);
    let (format, nonce) = match encryption.platform {
        Platform::SmartBot => (Format::SmartBot, Some(query.nonce().to_owned())),
        _ => (Format::of(&body), None),
    };
    Ok(Opened {
        head: check_receiver(&encryption.platform, &plaintext)?,
        plaintext,
        has_replaced_bytes,
        sealer: Some(Sealer {
            account: account.clone(),
            index: KeyIndex { token, key },
            format,
            nonce,
        }),
    })
}

/// Returns whether the body is an envelope that has no message beside its ciphertext, as in safe mode.
fn is_sealed_alone(body: &[u8]) -> bool {
    let contains = |name: &str| memmem::find(body, name.as_bytes()).is_some();
    contains("Encrypt") && !contains("MsgType")
}

/// Decrypts the `echostr` with which WeCom verifies the URL.
pub(super) fn open_echostr(
    account: &Account,
    query: &Query,
    echostr: &str,
) -> Result<Bytes, Error> {
    let malformed = query.error(ErrorKind::Parameters, account);
    let encryption = account.encryption().ok_or(malformed)?;
    let msg_signature = query.msg_signature().map_err(|_| malformed)?;
    let echostr = echostr.as_bytes();
    find_token(account, msg_signature, query.signed_parts(), echostr)
        .ok_or(query.error(ErrorKind::Signature, account))?;
    let (plaintext, _) = decrypt(encryption, echostr)?;
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
    has_replaced_bytes: bool,
    /// The result of parsing the plaintext's head, if a check has done so.
    head: Option<xml::Result<Head>>,
    /// `None` in plain mode.
    sealer: Option<Sealer>,
}

impl Opened {
    /// Makes an opened push of any mode. This is where a plaintext becomes text.
    pub(crate) fn new(plaintext: Bytes) -> Self {
        let (plaintext, has_replaced_bytes) = into_utf8(plaintext);
        Self {
            plaintext,
            has_replaced_bytes,
            head: None,
            sealer: None,
        }
    }

    /// Returns the message in XML or JSON. It is valid UTF-8.
    pub fn plaintext(&self) -> &Bytes {
        &self.plaintext
    }

    /// Returns whether the message has bytes that are not UTF-8. The [`plaintext`](Self::plaintext) has U+FFFD in their
    /// place.
    pub fn has_replaced_bytes(&self) -> bool {
        self.has_replaced_bytes
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

    /// Returns whether WeChat retries the message until it gets the answer that it wants. Parses the head, once.
    pub(crate) fn is_retried(&mut self) -> bool {
        let Self {
            head, plaintext, ..
        } = self;
        let head = head.get_or_insert_with(|| Head::read(plaintext));
        head.as_ref()
            .is_ok_and(|head| head.identity(plaintext).is_some())
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
    /// The nonce that the reply must have; `None`: a new one.
    nonce: Option<String>,
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
    let nonce = sealer.nonce.clone();
    let envelope = seal::seal_with(&sealer.account, sealer.index, nonce, &reply)?;
    Ok(Answer {
        body: envelope.to_document(sealer.format).into(),
        content_type: Some(sealer.format.content_type()),
    })
}

/// Replaces the bytes that are not UTF-8, such as the half of a character that was cut, by U+FFFD. Returns whether there
/// were any. ASCII stays, so a replaced byte never hides a tag or a quote.
pub(crate) fn into_utf8(text: Bytes) -> (Bytes, bool) {
    match simdutf8::basic::from_utf8(&text) {
        Ok(_) => (text, false),
        Err(_) => (String::from_utf8_lossy(&text).into_owned().into(), true),
    }
}

/// Returns the position of the token that made the signature.
fn find_token(
    account: &Account,
    msg_signature: Signature,
    [timestamp, nonce]: [&[u8]; 2],
    encrypt: &[u8],
) -> Option<usize> {
    let mut tokens = account.tokens().iter();
    tokens.position(|token| msg_signature == Signature::sign(token, [timestamp, nonce, encrypt]))
}

/// Decrypts a ciphertext, whose signature must be valid, with each key until all checks pass. Returns the position of
/// that key.
///
/// If no key passes, the error is that of the last one. Any key's error would do.
fn decrypt(encryption: &Encryption, encrypt: &[u8]) -> Result<(Bytes, usize), Error> {
    let mut ciphertext = cipher::decode(encrypt)?;
    let receive_id = &*encryption.receive_id;
    let mut error = Error::signed(ErrorKind::Ciphertext);
    let mut keys = encryption.keys.iter().enumerate().peekable();
    while let Some((key, aes_key)) = keys.next() {
        // Decryption overwrites the ciphertext, so the keys that follow need a copy.
        let left = keys.peek().map(|_| ciphertext.clone());
        match cipher::open(aes_key, receive_id, ciphertext) {
            Ok(plaintext) => return Ok((plaintext, key)),
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
        // A reply has the nonce of its callback, and could be sent back as one. But it names no bot. What cannot be read is
        // no reply of ours.
        Platform::SmartBot => match Head::read(plaintext) {
            Ok(head) if !head.is_smart_bot() => Err(wrong),
            head => Ok(Some(head)),
        },
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
