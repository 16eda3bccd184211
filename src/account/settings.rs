//! The values that the console shows: token, EncodingAESKey and app id. Each is parsed into a type of its own.

use std::{fmt, ops::RangeInclusive, str::FromStr, sync::Arc};

use aes::{Aes256, cipher::KeyInit};
use zeroize::Zeroizing;

use super::error::{Cause, Error};

/// The secret that signs callbacks: 3 to 32 ASCII letters or digits, set in the console.
///
/// No method returns it, and `Debug` does not show it. Its memory is wiped when it is dropped.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Parses a token as the console shows it.
    ///
    /// # Errors
    ///
    /// If `token` is not 3 to 32 ASCII letters or digits.
    pub fn new(token: impl AsRef<str>) -> Result<Self, Error> {
        let token = token.as_ref();
        if let Some(position) = token.bytes().position(|byte| !byte.is_ascii_alphanumeric()) {
            return Err(Error(Cause::TokenCharacter(position)));
        }
        if !TOKEN_LENGTH.contains(&token.len()) {
            return Err(Error(Cause::TokenLength(token.len())));
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

/// The secret that encrypts callbacks (消息加解密密钥): 43 ASCII letters or digits, set in the console.
///
/// No method returns it, and `Debug` does not show it. Its memory is wiped when the last clone is dropped.
#[derive(Clone)]
pub struct EncodingAesKey(
    /// Shared, so that cloning and moving leave no copies behind.
    Arc<Expanded>,
);

/// The key in the form that decryption uses. It is kept, since expanding a key takes a third of the time of decrypting
/// a message.
struct Expanded {
    /// Wipes its memory by itself.
    cipher: Aes256,
    iv: Zeroizing<[u8; 16]>,
}

impl EncodingAesKey {
    /// Parses a key as the console shows it.
    ///
    /// The key is base64 without padding. Its 43 characters hold 258 bits, two more than an AES key has. The console
    /// chooses all characters at random, so the last two bits are random too, and are ignored.
    ///
    /// # Errors
    ///
    /// If `key` is not 43 ASCII letters or digits.
    pub fn new(key: impl AsRef<str>) -> Result<Self, Error> {
        let key = key.as_ref().as_bytes();
        if let Some(position) = key.iter().position(|byte| value(*byte).is_none()) {
            return Err(Error(Cause::AesKeyCharacter(position)));
        }
        if key.len() != AES_KEY_LENGTH {
            return Err(Error(Cause::AesKeyLength(key.len())));
        }
        let mut decoded = Zeroizing::new([0; 32]);
        for (bytes, digits) in decoded.chunks_mut(3).zip(key.chunks(4)) {
            let mut bits = digits
                .iter()
                .filter_map(|digit| value(*digit))
                .fold(0, |bits: u32, value| bits << 6 | u32::from(value));
            // The last group has three digits, which make two bytes.
            bits <<= 6 * (4 - digits.len().min(4));
            for (byte, decoded) in bytes.iter_mut().zip(bits.to_be_bytes().iter().skip(1)) {
                *byte = *decoded;
            }
        }
        // WeChat's rule: the IV is the first half of the key.
        let mut iv = Zeroizing::new([0; 16]);
        for (byte, decoded) in iv.iter_mut().zip(decoded.iter()) {
            *byte = *decoded;
        }
        let cipher = Aes256::new((&*decoded).into());
        Ok(Self(Arc::new(Expanded { cipher, iv })))
    }

    pub(crate) fn cipher(&self) -> &Aes256 {
        &self.0.cipher
    }

    pub(crate) fn iv(&self) -> &[u8; 16] {
        &self.0.iv
    }
}

impl fmt::Debug for EncodingAesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncodingAesKey(..)")
    }
}

/// The id that a platform encrypts callbacks for: an AppID, or WeCom's corp id or suite id.
///
/// It consists of one or more ASCII letters, digits, `_` or `-`. It is not a secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AppId(Arc<str>);

impl AppId {
    /// Parses an id as the console shows it.
    ///
    /// # Errors
    ///
    /// If `id` is empty, or has a character other than ASCII letters, digits, `_` and `-`.
    pub fn new(id: impl AsRef<str>) -> Result<Self, Error> {
        let id = id.as_ref();
        if id.is_empty() {
            return Err(Error(Cause::AppIdEmpty));
        }
        match strange_character(id) {
            Some(position) => Err(Error(Cause::AppIdCharacter(position))),
            None => Ok(Self(Arc::from(id))),
        }
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn into_shared(self) -> Arc<str> {
        self.0
    }
}

/// Implements conversions from text, so that the constructors of `Account` take both text and parsed values.
macro_rules! impl_from_text {
    ($($setting:ident),*) => {$(
        impl TryFrom<&str> for $setting {
            type Error = Error;

            fn try_from(text: &str) -> Result<Self, Error> {
                Self::new(text)
            }
        }

        impl TryFrom<&String> for $setting {
            type Error = Error;

            fn try_from(text: &String) -> Result<Self, Error> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $setting {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                Self::new(text)
            }
        }

        impl FromStr for $setting {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Self::new(text)
            }
        }
    )*};
}

impl_from_text!(Token, EncodingAesKey, AppId);

/// Returns the position of the first character that WeChat's ids do not have.
pub(super) fn strange_character(id: &str) -> Option<usize> {
    id.bytes()
        .position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'-'))
}

/// Returns the value of a base64 digit. The console's keys never contain `+` and `/`.
fn value(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        _ => None,
    }
}

/// The console's rule for the field Token: 必须为英文或数字，长度为3-32字符.
const TOKEN_LENGTH: RangeInclusive<usize> = 3..=32;

const AES_KEY_LENGTH: usize = 43;
