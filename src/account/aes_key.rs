use std::{fmt, sync::Arc};

use aes::{Aes256, cipher::KeyInit};
use zeroize::Zeroizing;

use super::error::{Error, ErrorKind};

/// The secret that encrypts callbacks (消息加解密密钥): 43 ASCII letters or digits, set in the console.
///
/// There is no way to read it back, and `Debug` does not show it. It is wiped when its last clone is dropped.
#[derive(Clone)]
pub struct EncodingAesKey(
    /// In one place, so that cloning and moving it leaves no copies behind.
    Arc<Expanded>,
);

/// What the key is needed as. Working out the rounds' keys takes a third as long as decrypting a message with them.
struct Expanded {
    /// Wipes itself.
    cipher: Aes256,
    iv: Zeroizing<[u8; 16]>,
}

impl EncodingAesKey {
    /// Checks and decodes a key as set in the console.
    ///
    /// The key is base64 without its padding. 43 characters hold 258 bits, two more than the AES key has;
    /// consoles draw all characters at random, so that these two are anything, and they are ignored.
    ///
    /// # Errors
    ///
    /// If `key` is not 43 ASCII letters or digits.
    pub fn new(key: impl AsRef<str>) -> Result<Self, Error> {
        let key = key.as_ref().as_bytes();
        if let Some(position) = key.iter().position(|byte| value(*byte).is_none()) {
            return Err(Error::new(ErrorKind::AesKeyCharacter, position));
        }
        if key.len() != LENGTH {
            return Err(Error::new(ErrorKind::AesKeyLength, key.len()));
        }
        let mut decoded = Zeroizing::new([0; 32]);
        for (bytes, digits) in decoded.chunks_mut(3).zip(key.chunks(4)) {
            let mut bits = digits
                .iter()
                .filter_map(|digit| value(*digit))
                .fold(0, |bits: u32, value| bits << 6 | u32::from(value));
            // The last three digits are for two bytes.
            bits <<= 6 * (4 - digits.len().min(4));
            for (byte, decoded) in bytes.iter_mut().zip(bits.to_be_bytes().iter().skip(1)) {
                *byte = *decoded;
            }
        }
        // WeChat's rule: the first half of the key.
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

/// A digit of base64 that consoles give out: `+` and `/` are none.
fn value(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        _ => None,
    }
}

const LENGTH: usize = 43;
