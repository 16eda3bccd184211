//! An Official Account's callback settings: parsed once, redacted in `Debug`, wiped when dropped.
//!
//! What the console calls 服务器配置 (server configuration) becomes an [`Account`]. A wrong setting
//! fails here, when the account is built, never per request.

use std::{fmt, ops::RangeInclusive, sync::Arc};

use zeroize::Zeroizing;

/// One account's settings for its callback URL.
///
/// Cloning is cheap: all clones share the settings.
#[derive(Clone)]
pub struct Account {
    settings: Arc<Settings>,
}

#[derive(Clone)]
struct Settings {
    name: Arc<str>,
    /// The current token first, then the previous ones.
    tokens: Vec<Token>,
}

impl Account {
    /// An account in plain mode (明文模式).
    ///
    /// Plain mode protects little: its signature covers the query's timestamp and nonce, **not the
    /// body**. Whoever has seen one signed query string can send any message under it until the
    /// timestamp is too old. Put TLS in front and prefer the console's safe mode.
    ///
    /// # Errors
    ///
    /// If `token` is not 3 to 32 ASCII letters or digits.
    pub fn plain(token: impl AsRef<str>) -> Result<Self, Error> {
        Ok(Self {
            settings: Arc::new(Settings {
                name: Arc::from(""),
                tokens: vec![Token::new(token)?],
            }),
        })
    }

    /// Also accepts what is signed with `token`, as during a change of the console's token.
    ///
    /// # Errors
    ///
    /// If `token` is not 3 to 32 ASCII letters or digits.
    pub fn with_previous_token(mut self, token: impl AsRef<str>) -> Result<Self, Error> {
        let token = Token::new(token)?;
        Arc::make_mut(&mut self.settings).tokens.push(token);
        Ok(self)
    }

    /// Names the account: dedup keeps the messages of differently named accounts apart.
    ///
    /// Name every account that shares a process or a store with another; the name is not a secret
    /// and stands in logs.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<Arc<str>>) -> Self {
        Arc::make_mut(&mut self.settings).name = name.into();
        self
    }

    /// The name given with [`with_name`](Self::with_name); empty if there was none.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.settings.name)
    }

    /// The tokens to try, the current one first; never empty.
    pub(crate) fn tokens(&self) -> &[Token] {
        &self.settings.tokens
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("name", &self.settings.name)
            .finish_non_exhaustive()
    }
}

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
            return Err(Error(ErrorKind::TokenCharacter, position));
        }
        if !TOKEN_LENGTH.contains(&token.len()) {
            return Err(Error(ErrorKind::TokenLength, token.len()));
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

/// A setting that cannot be right. The message says which and why, never its value.
#[derive(Debug, Clone)]
pub struct Error(ErrorKind, usize);

impl Error {
    /// What is wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(kind, number) = self;
        match kind {
            ErrorKind::TokenLength => {
                write!(f, "expected a token of 3 to 32 characters, found {number}")
            }
            ErrorKind::TokenCharacter => {
                write!(
                    f,
                    "expected letters and digits in the token, found something else at byte {number}"
                )
            }
        }
    }
}

impl std::error::Error for Error {}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The token is shorter than 3 or longer than 32 characters.
    TokenLength,
    /// The token holds something else than ASCII letters and digits.
    TokenCharacter,
}

/// The console's rule for its field Token: 必须为英文或数字，长度为3-32字符.
const TOKEN_LENGTH: RangeInclusive<usize> = 3..=32;
