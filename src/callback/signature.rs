//! The SHA-1 signature of a callback, compared in constant time.

use std::{fmt, str::FromStr};

use sha1::{Digest, Sha1};
use subtle::{Choice, ConstantTimeEq};

use super::error::{Error, ErrorKind};
use crate::account::Token;

/// The signature of a callback: the SHA-1 of the token and the signed parts.
///
/// Comparisons take constant time, so that the time of a rejection reveals nothing about the expected value. `Debug`
/// does not show the digest. [`Display`](fmt::Display) writes it as in the query, for senders such as tests: 40
/// lower-case hex digits.
#[derive(Clone, Copy)]
pub struct Signature([u8; LENGTH]);

impl Signature {
    /// Signs `parts`: sorts them and the token bytewise, concatenates them without separators, and hashes the result.
    ///
    /// The parts of a `signature` are timestamp and nonce. A `msg_signature` has the ciphertext as a third part.
    ///
    /// Without separators, `["1", "23"]` and `["12", "3"]` have the same signature. So the form of the parts has to be
    /// checked too; [`Query`](super::Query) does that.
    pub fn sign<const N: usize, P: AsRef<[u8]> + ?Sized>(token: &Token, parts: [&P; N]) -> Self {
        let parts = parts.map(AsRef::as_ref);
        // A processor stalls when it moves a slice that it has just written, but not a reference to one. The parts are short
        // and differ early: an inlined comparison makes the whole function a third faster than `memcmp`, which `sort` calls.
        let mut parts = parts.each_ref();
        parts.sort_unstable_by(|left, right| left.iter().cmp(right.iter()));
        let mut hash = Sha1::new();
        let mut token = Some(token.as_str().as_bytes());
        for part in parts {
            if let Some(first) = token.take_if(|token| token.iter().lt(part.iter())) {
                hash.update(first);
            }
            hash.update(part);
        }
        if let Some(last) = token {
            hash.update(last);
        }
        // `finalize` would move the hash, which stalls too.
        Self(hash.finalize_reset().into())
    }

    pub(super) fn from_hex(digits: &[u8]) -> Option<Self> {
        // Without a branch for each digit.
        let nibbles = <&[u8; 2 * LENGTH]>::try_from(digits).ok()?.map(nibble);
        let is_hex = nibbles.iter().fold(0, |all, nibble| all | nibble) < 16;
        let (pairs, _) = nibbles.as_chunks();
        let mut bytes = [0; LENGTH];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = high << 4 | low;
        }
        is_hex.then_some(Self(bytes))
    }
}

/// Parses exactly 40 hex digits of either case.
impl FromStr for Signature {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::from_hex(text.as_bytes()).ok_or(Error::unsigned(ErrorKind::Parameters))
    }
}

impl Signature {
    /// Returns the lower-case hex digits.
    pub(super) fn digits(self) -> [u8; 2 * LENGTH] {
        // Formatting byte by byte would take five times as long.
        let mut digits = [0; 2 * LENGTH];
        for ([high, low], byte) in digits.as_chunks_mut().0.iter_mut().zip(self.0) {
            *high = digit(byte >> 4);
            *low = digit(byte & 15);
        }
        digits
    }

    /// Compares in constant time.
    pub(super) fn ct_eq(&self, other: &Self) -> Choice {
        // Collects all differences in one word and compares that word. `ct_eq` of the slices would go byte by byte, and
        // take half the time of the hash.
        let (words, _) = self.0.as_chunks::<4>();
        let (others, _) = other.0.as_chunks::<4>();
        words
            .iter()
            .zip(others)
            .map(|(word, other)| u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(*other))
            .fold(0, |differences, difference| differences | difference)
            .ct_eq(&0)
    }
}

impl PartialEq for Signature {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for Signature {}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}

fn digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'a' + nibble - 10,
    }
}

/// Returns the value of a hex digit, or a larger one.
fn nibble(digit: u8) -> u8 {
    let number = digit.wrapping_sub(b'0');
    let letter = (digit | 0x20).wrapping_sub(b'a');
    if number < 10 {
        number
    } else if letter < 6 {
        letter + 10
    } else {
        u8::MAX
    }
}

/// The size of a SHA-1 digest in bytes.
const LENGTH: usize = 20;
