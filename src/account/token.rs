use std::{fmt, ops::RangeInclusive};

use zeroize::Zeroizing;

use super::error::{Error, ErrorKind};

/// The secret that signs callbacks: 3 to 32 ASCII letters or digits, set in the console.
///
/// There is no way to read it back, and `Debug` does not show it.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Checks a token as set in the console.
    ///
    /// # Errors
    ///
    /// If `token` is not 3 to 32 ASCII letters or digits.
    pub fn new(token: impl AsRef<str>) -> Result<Self, Error> {
        let token = token.as_ref();
        if let Some(position) = token.bytes().position(|byte| !byte.is_ascii_alphanumeric()) {
            return Err(Error::new(ErrorKind::TokenCharacter, position));
        }
        if !TOKEN_LENGTH.contains(&token.len()) {
            return Err(Error::new(ErrorKind::TokenLength, token.len()));
        }
        Ok(Self(Zeroizing::new(token.to_owned())))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The console's rule for its field Token: 必须为英文或数字，长度为3-32字符.
const TOKEN_LENGTH: RangeInclusive<usize> = 3..=32;
