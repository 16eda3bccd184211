//! Why a callback is rejected, or a reply cannot be sealed: the check that failed.

use std::{error, fmt};

/// The reason why a callback is rejected: the check that failed. It contains no part of the request.
///
/// The message begins with the likely cause, such as `wrong EncodingAESKey: the padding does not fit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    is_signed: bool,
}

impl Error {
    pub(super) fn new(kind: ErrorKind, is_signed: bool) -> Self {
        Self { kind, is_signed }
    }

    /// Makes the error of a check that fails before any signature is known to be valid.
    pub(super) fn unsigned(kind: ErrorKind) -> Self {
        Self::new(kind, false)
    }

    /// Makes the error of a check that fails after a valid signature.
    pub(super) fn signed(kind: ErrorKind) -> Self {
        Self::new(kind, true)
    }

    /// Returns the check that failed.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns whether a signature made with one of the account's tokens was valid before the check failed.
    ///
    /// If it was, the request is from WeChat, or a copy of one from WeChat. Otherwise anyone may have sent it.
    ///
    /// [`open`](super::open) and [`echostr`](super::echostr) expect that the query has been
    /// [verified](super::Query::verify). If the query has no `signature`, as WeCom's never have, this is `true` only for
    /// checks after that of `msg_signature`.
    pub fn is_signed(&self) -> bool {
        self.is_signed
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.cause(self.is_signed))
    }
}

impl error::Error for Error {}

/// The kinds of [`Error`], in the order of the [checks](super#checks).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A parameter is missing, malformed or repeated, or the query is longer than 4096 bytes.
    ///
    /// For an encrypted account, `encrypt_type` is `aes` and `msg_signature` is missing.
    Parameters,
    /// None of the account's tokens makes this `signature` or `msg_signature`.
    ///
    /// The request is not from WeChat, or the token differs from the console's.
    Signature,
    /// The timestamp is too far from this server's clock.
    ///
    /// The request is a replay of an old delivery, or a clock is wrong.
    Timestamp,
    /// The verified `GET` has no echostr of 1 to 256 visible ASCII characters, or WeCom's decrypted echostr is empty or has
    /// `<`, `{` or a character that is not visible ASCII.
    Echostr,
    /// The account is plain, and the push is encrypted. The account's mode is not the console's.
    PlainAccount,
    /// The account is encrypted, and the push is in plaintext. The account's mode is not the console's.
    EncryptedAccount,
    /// The body has no text that may be a ciphertext.
    Document,
    /// The ciphertext is not canonical base64 of at least two whole AES blocks.
    Ciphertext,
    /// The padding is not 1 to 32 equal bytes. The usual cause is a wrong key.
    Padding,
    /// The plaintext does not have the length that it states.
    Length,
    /// The plaintext is for another app id.
    ReceiveId,
    /// An authorizer's URL received a push for another account, a component's URL received a message, or a smart bot's URL
    /// received a push that is no smart bot's.
    Receiver,
}

impl ErrorKind {
    /// Returns the text of an error of this kind: the likely cause, then what was found.
    pub(crate) fn cause(self, is_signed: bool) -> &'static str {
        match self {
            Self::Parameters => {
                "no callback of WeChat: a parameter of the query is missing, malformed or repeated; \
                 a proxy may have dropped the query"
            }
            // The query's signature needs the token alone.
            Self::Signature if is_signed => {
                "the signature of the query is right, and that of the ciphertext is wrong: something has changed the body, or it belongs to another request"
            }
            Self::Signature => {
                "wrong Token, or not from WeChat: no token of the account makes the signature"
            }
            Self::Timestamp => {
                "wrong clock, or an old request: the timestamp is too far from this machine's time"
            }
            Self::Echostr => {
                "no echostr of 1 to 256 visible ASCII characters: a redirect may have made a GET of a POST"
            }
            Self::PlainAccount => {
                "wrong mode: the push is encrypted and the account is plain: build it with `Account::encrypted`, \
                 or set 消息加解密方式 in the console to 明文模式 (plain mode)"
            }
            Self::EncryptedAccount => {
                "wrong mode: the push is in plaintext and the account is encrypted: \
                 set 消息加解密方式 in the console to 安全模式 (safe mode), or build it with `Account::plain`"
            }
            Self::Document => "the body has no ciphertext: something may have changed it",
            Self::Ciphertext => "malformed ciphertext: no canonical base64 of whole AES blocks",
            Self::Padding => "wrong EncodingAESKey: the padding does not fit",
            Self::Length => "wrong EncodingAESKey: the length does not fit",
            Self::ReceiveId => {
                "wrong app id (for WeCom, corp id or suite id): the message is encrypted for another one"
            }
            Self::Receiver => "wrong URL: the push is for another account than the URL's",
        }
    }

    /// Returns whether WeChat's own deliveries fail in this way until a setting is changed.
    pub(crate) fn is_setting(self) -> bool {
        match self {
            Self::PlainAccount
            | Self::EncryptedAccount
            | Self::Padding
            | Self::Length
            | Self::ReceiveId => true,
            Self::Parameters
            | Self::Signature
            | Self::Timestamp
            | Self::Echostr
            | Self::Document
            | Self::Ciphertext
            | Self::Receiver => false,
        }
    }
}

/// The reason why a reply cannot be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealError(SealErrorKind);

impl SealError {
    pub(super) fn new(kind: SealErrorKind) -> Self {
        Self(kind)
    }

    /// Returns the reason.
    pub fn kind(&self) -> SealErrorKind {
        self.0
    }
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            SealErrorKind::PlainAccount => "expected an encrypted account, found a plain one",
            SealErrorKind::TooLong => "expected a reply of less than 4 GiB",
            SealErrorKind::Random => "the operating system has no random bytes",
        })
    }
}

impl error::Error for SealError {}

/// The kinds of [`SealError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SealErrorKind {
    /// The account is in plain mode and has no key.
    PlainAccount,
    /// The reply has 4 GiB or more. The envelope cannot state such a length.
    TooLong,
    /// The operating system has no random bytes.
    Random,
}
