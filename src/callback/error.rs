use std::{error, fmt};

/// Why a callback is rejected: the check that failed, and nothing of what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error(ErrorKind);

impl Error {
    pub(super) fn new(kind: ErrorKind) -> Self {
        Self(kind)
    }

    /// Returns the check that failed.
    pub fn kind(&self) -> ErrorKind {
        self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            ErrorKind::Parameters => {
                "expected a callback's query, found a parameter missing, malformed or repeated"
            }
            ErrorKind::Signature => "expected a signature made with the account's token",
            ErrorKind::Timestamp => "expected a timestamp near the present time",
            ErrorKind::Echostr => "expected an echostr of 1 to 256 visible ASCII characters",
            ErrorKind::Document => "expected an envelope with one ciphertext",
            ErrorKind::Ciphertext => "expected canonical base64 of whole AES blocks",
            ErrorKind::Padding => {
                "expected 1 to 32 equal bytes of padding: the EncodingAESKey may be another one"
            }
            ErrorKind::Length => {
                "expected a plaintext of the length it states: the EncodingAESKey may be another one"
            }
            ErrorKind::ReceiveId => "expected a plaintext for the account's own app id",
            ErrorKind::Utf8 => "expected a plaintext of UTF-8",
            ErrorKind::Receiver => "expected a push to the account that the URL belongs to",
        })
    }
}

impl error::Error for Error {}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self(kind)
    }
}

/// The kinds of [`Error`], in the order of the [checks](super#checks).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A signed parameter is missing, malformed or given twice, or the query is longer than 4096 bytes.
    ///
    /// For an encrypted account: there is no `msg_signature`, or `encrypt_type` is not `aes`.
    Parameters,
    /// None of the account's tokens makes this `signature` or `msg_signature`.
    ///
    /// The request is not from WeChat, or the token differs from the console's.
    Signature,
    /// The timestamp is too far from this server's clock.
    ///
    /// Somebody replayed an old delivery, or a clock is wrong.
    Timestamp,
    /// The verified `GET` has no echostr of 1 to 256 visible ASCII characters. WeCom's is checked when it is decrypted.
    Echostr,
    /// The body is no envelope with one `Encrypt`. An envelope in JSON is read with the feature `json` alone.
    Document,
    /// The ciphertext is not canonical base64 of at least two whole AES blocks.
    Ciphertext,
    /// The padding is not 1 to 32 equal bytes. The usual cause is another key.
    Padding,
    /// The plaintext does not have the length that it states.
    Length,
    /// The plaintext is for another app id.
    ReceiveId,
    /// The plaintext is not UTF-8.
    Utf8,
    /// An authorizer's URL got a push for another account, or a component's URL got a message.
    Receiver,
}

/// Why a reply cannot be sealed.
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
    /// The account is a plain one: it has no key.
    PlainAccount,
    /// The envelope cannot state a length of 4 GiB or more.
    TooLong,
    /// The operating system has no random bytes.
    Random,
}
