use std::fmt;

/// A setting that cannot be right. The message says which and why, never its value.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    /// The length that was found, or the position of what is wrong.
    number: usize,
}

impl Error {
    pub(super) fn new(kind: ErrorKind, number: usize) -> Self {
        Self { kind, number }
    }

    /// What is wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, number } = self;
        match kind {
            ErrorKind::TokenLength => {
                write!(f, "expected a token of 3 to 32 characters, found {number}")
            }
            ErrorKind::TokenCharacter => write!(
                f,
                "expected letters and digits in the token, found something else at byte {number}"
            ),
            ErrorKind::AesKeyLength => write!(
                f,
                "expected an EncodingAESKey of 43 characters, found {number}"
            ),
            ErrorKind::AesKeyCharacter => write!(
                f,
                "expected letters and digits in the EncodingAESKey, found something else at byte {number}"
            ),
            ErrorKind::AppIdEmpty => f.write_str("expected an app id, found an empty one"),
            ErrorKind::NotEncrypted => f.write_str(
                "expected an encrypted account for an EncodingAESKey, found a plain one",
            ),
            ErrorKind::NoComponent => {
                f.write_str("expected a component's account for an authorizer, found another")
            }
        }
    }
}

impl std::error::Error for Error {}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The token is shorter than 3 or longer than 32 characters.
    TokenLength,
    /// The token holds something else than ASCII letters and digits.
    TokenCharacter,
    /// The EncodingAESKey has another length than 43 characters.
    AesKeyLength,
    /// The EncodingAESKey holds something else than ASCII letters and digits.
    AesKeyCharacter,
    /// The app id is empty.
    AppIdEmpty,
    /// A plain account has no use for an EncodingAESKey.
    NotEncrypted,
    /// Only a component has authorizers.
    NoComponent,
}
