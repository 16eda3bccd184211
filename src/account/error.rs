//! Why an account cannot be built: what is wrong in a setting, and where.

use std::{convert::Infallible, fmt};

use super::Mode;

/// The reason why an account cannot be built.
///
/// The message says what is wrong, where, and what to do. It never contains a secret.
///
/// `Debug` prints the same text as `Display`, so that `fn main() -> Result<(), account::Error>` prints a sentence:
///
/// ```
/// use tower_wechat::Account;
///
/// let error = Account::plain("two words").unwrap_err();
/// let sentence = "the token has a character that is no letter or digit, at byte 3: \
///     copy it from the console again, without spaces or line breaks";
/// assert_eq!(error.to_string(), sentence);
/// assert_eq!(format!("{error:?}"), sentence);
/// ```
#[derive(Clone)]
pub struct Error(pub(super) Cause);

#[derive(Clone)]
pub(super) enum Cause {
    /// The length found, in characters.
    TokenLength(usize),
    /// The position of the character in bytes, from 0; likewise in the variants below.
    TokenCharacter(usize),
    AesKeyLength(usize),
    AesKeyCharacter(usize),
    AppIdEmpty,
    AppIdCharacter(usize),
    OriginalIdEmpty,
    OriginalIdCharacter(usize),
    OriginalIdAsAppId,
    Swapped,
    NotEncrypted,
    NoToken,
    NotAComponent(Mode),
}

impl Error {
    /// Returns the kind of error.
    pub fn kind(&self) -> ErrorKind {
        match self.0 {
            Cause::TokenLength(_) => ErrorKind::TokenLength,
            Cause::TokenCharacter(_) => ErrorKind::TokenCharacter,
            Cause::AesKeyLength(_) => ErrorKind::AesKeyLength,
            Cause::AesKeyCharacter(_) => ErrorKind::AesKeyCharacter,
            Cause::AppIdEmpty => ErrorKind::AppIdEmpty,
            Cause::AppIdCharacter(_) => ErrorKind::AppIdCharacter,
            Cause::OriginalIdEmpty => ErrorKind::OriginalIdEmpty,
            Cause::OriginalIdCharacter(_) => ErrorKind::OriginalIdCharacter,
            Cause::OriginalIdAsAppId => ErrorKind::OriginalIdAsAppId,
            Cause::Swapped => ErrorKind::Swapped,
            Cause::NotEncrypted => ErrorKind::NotEncrypted,
            Cause::NoToken => ErrorKind::NoToken,
            Cause::NotAComponent(_) => ErrorKind::NotAComponent,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::TokenLength(found) => write!(
                f,
                "the token has {found} characters instead of 3 to 32: {COPY}"
            ),
            Cause::TokenCharacter(position) => write!(
                f,
                "the token has a character that is no letter or digit, at byte {position}: {COPY}"
            ),
            Cause::AesKeyLength(found) => write!(
                f,
                "the EncodingAESKey has {found} characters instead of 43: {COPY}"
            ),
            Cause::AesKeyCharacter(position) => write!(
                f,
                "the EncodingAESKey has a character that is no letter or digit, at byte {position}: {COPY}"
            ),
            Cause::AppIdEmpty => write!(f, "the app id is empty: {COPY}"),
            Cause::AppIdCharacter(position) => write!(
                f,
                "the app id has a character that is no letter, digit, `_` or `-`, at byte {position}: {COPY}"
            ),
            Cause::OriginalIdEmpty => {
                f.write_str("the original id is empty: pass the account's `gh_…` id")
            }
            Cause::OriginalIdCharacter(position) => write!(
                f,
                "the original id has a character that is no letter, digit, `_` or `-`, at byte {position}: \
                 pass the account's `gh_…` id"
            ),
            Cause::OriginalIdAsAppId => f.write_str(
                "the app id is an original id (`gh_…`): copy the AppID from the console, which begins with `wx`",
            ),
            Cause::Swapped => f.write_str(
                "the token looks like an app id and the app id does not: \
                 pass them in the order token, app id (for WeCom, corp id or suite id), EncodingAESKey",
            ),
            Cause::NotEncrypted => f.write_str(
                "an account without encryption takes no EncodingAESKey: build it with `Account::encrypted`",
            ),
            Cause::NoToken => f.write_str(
                "an account on cloud hosting has no token: build it with `Account::encrypted`",
            ),
            Cause::NotAComponent(found) => write!(
                f,
                "only a component has authorizers, and this account's mode is {found:?}: \
                 build it with `Account::component`"
            ),
        }
    }
}

/// Prints the same text as `Display`: `main` prints an error with `Debug`.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

/// Lets a constructor take a parsed value: `Token` is `TryInto<Token>` with the error `Infallible`.
impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The token is shorter than 3 or longer than 32 characters.
    TokenLength,
    /// The token has a character other than ASCII letters and digits.
    TokenCharacter,
    /// The EncodingAESKey is shorter or longer than 43 characters.
    AesKeyLength,
    /// The EncodingAESKey has a character other than ASCII letters and digits.
    AesKeyCharacter,
    /// The app id is empty.
    AppIdEmpty,
    /// The app id has a character other than ASCII letters, digits, `_` and `-`.
    AppIdCharacter,
    /// An authorizer's original id is empty.
    OriginalIdEmpty,
    /// An authorizer's original id has a character other than ASCII letters, digits, `_` and `-`.
    OriginalIdCharacter,
    /// The app id is the account's original id, which begins with `gh_`.
    OriginalIdAsAppId,
    /// The token begins like an id, and the id does not. App ids begin with `wx`. WeCom's ids begin with `ww`, `wx`,
    /// `dk` or `tj`.
    Swapped,
    /// A plain account, or one on cloud hosting, was given an EncodingAESKey.
    NotEncrypted,
    /// An account on cloud hosting was given a token.
    NoToken,
    /// An account that is not a component was asked for an authorizer.
    NotAComponent,
}

const COPY: &str = "copy it from the console again, without spaces or line breaks";
