use std::fmt;

/// Why a body cannot be opened, or a reply not sealed. It says which check failed, and nothing of what was
/// found.
#[derive(Debug, Clone, Copy)]
pub struct Error(ErrorKind);

impl Error {
    pub(super) fn new(kind: ErrorKind) -> Self {
        Self(kind)
    }

    /// Which check failed.
    pub fn kind(&self) -> ErrorKind {
        self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            ErrorKind::NotEncrypted => "expected an encrypted account, found a plain one",
            ErrorKind::Parameters => "expected a msg_signature and no other mode than aes",
            ErrorKind::Document => "expected an envelope with one ciphertext",
            ErrorKind::Signature => "expected a msg_signature made with the account's token",
            ErrorKind::Ciphertext => "expected canonical base64 of whole AES blocks",
            ErrorKind::Padding => "expected 1 to 32 equal bytes of padding",
            ErrorKind::Length => "expected a plaintext as long as it says",
            ErrorKind::ReceiveId => "expected a plaintext for the account's own receive id",
            ErrorKind::Utf8 => "expected a plaintext of UTF-8",
            ErrorKind::Receiver => "expected a push to the account that the URL is for",
            ErrorKind::Echostr => "expected an echostr's plaintext of visible ASCII characters",
            ErrorKind::TooLong => "expected a plaintext of less than 4 GiB",
            ErrorKind::Random => "the operating system has no random bytes",
        })
    }
}

impl std::error::Error for Error {}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The account is a plain one.
    NotEncrypted,
    /// The query has no `msg_signature`, or says that the body is not encrypted.
    Parameters,
    /// The body is neither of the two envelopes, with one `Encrypt`. A body in JSON is one with the feature `json` alone.
    Document,
    /// None of the account's tokens makes this `msg_signature`.
    Signature,
    /// Not canonical base64 of whole AES blocks, at least two of them.
    Ciphertext,
    /// The padding is not 1 to 32 equal bytes: another key, as a rule.
    Padding,
    /// The plaintext is not as long as it says.
    Length,
    /// The plaintext is for another app id.
    ReceiveId,
    /// The plaintext is not UTF-8.
    Utf8,
    /// The push is to another account than the authorizer, or a message where a component's own pushes belong.
    Receiver,
    /// The plaintext of a WeCom account's echostr is a push, or nothing that can be answered.
    Echostr,
    /// A plaintext whose length the envelope cannot say.
    TooLong,
    /// There were no random bytes to seal with.
    Random,
}
