//! Reads numbers, bools and chars from text, for documents and for a [`Value`](super::Value).

use std::{any::type_name, borrow::Cow};

use serde::de::{self, Visitor};

use super::{
    error::{Error, ErrorKind, Quoted, Result},
    read::trim,
};

/// The types that [`number`](super::number) and [`optional_number`](super::optional_number) read: every primitive integer and float.
pub trait Number: sealed::Number {}

impl<T: sealed::Number> Number for T {}

mod sealed {
    /// Conversions from the numbers that a text or a format holds. `None` if the type cannot hold the value.
    pub trait Number: Sized + std::str::FromStr {
        fn from_u64(number: u64) -> Option<Self>;
        fn from_i64(number: i64) -> Option<Self>;
        fn from_f64(number: f64) -> Option<Self>;
    }

    macro_rules! integers {
        ($($type:ty)*) => {$(
            impl Number for $type {
                fn from_u64(number: u64) -> Option<Self> {
                    number.try_into().ok()
                }

                fn from_i64(number: i64) -> Option<Self> {
                    number.try_into().ok()
                }

                fn from_f64(_number: f64) -> Option<Self> {
                    None
                }
            }
        )*};
    }

    integers! { i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize }

    macro_rules! floats {
        ($($type:ty)*) => {$(
            impl Number for $type {
                #[expect(clippy::cast_precision_loss, reason = "as parsing the digits would")]
                fn from_u64(number: u64) -> Option<Self> {
                    Some(number as $type)
                }

                #[expect(clippy::cast_precision_loss, reason = "as parsing the digits would")]
                fn from_i64(number: i64) -> Option<Self> {
                    Some(number as $type)
                }

                #[allow(clippy::cast_possible_truncation, reason = "as parsing the digits would")]
                fn from_f64(number: f64) -> Option<Self> {
                    Some(number as $type)
                }
            }
        )*};
    }

    floats! { f32 f64 }
}

/// Reads a number. Ignores white space around it.
pub(super) fn number<T: sealed::Number>(text: &str) -> Result<T> {
    let text = trim(text);
    let number = match canonical_digits(text.as_bytes()) {
        Some((number, [])) => T::from_u64(number),
        _ => text.parse().ok(),
    };
    number.ok_or_else(|| not_a_number(type_name::<T>(), text))
}

/// The number of at most 19 digits that `bytes` begins with, and the bytes behind it. Its first digit is not 0, so that
/// nothing else is written as this number.
///
/// Nearly all numbers are such, and need no check for overflow: 64 bits hold every number of 19 digits.
#[inline]
pub(super) fn canonical_digits(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let [b'1'..=b'9', ..] = bytes else {
        return None;
    };
    let mut number = 0;
    let mut rest = bytes;
    while bytes.len() - rest.len() < 16
        && let Some((word, more)) = rest.split_first_chunk()
        && let Some(eight) = eight_digits(u64::from_le_bytes(*word))
    {
        number = number * 100_000_000 + eight;
        rest = more;
    }
    while bytes.len() - rest.len() < 19
        && let [digit @ b'0'..=b'9', more @ ..] = rest
    {
        number = number * 10 + u64::from(digit - b'0');
        rest = more;
    }
    Some((number, rest))
}

/// The number that a word of eight ASCII digits writes.
#[inline]
fn eight_digits(word: u64) -> Option<u64> {
    const fn every(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }

    let digits = word ^ every(b'0');
    if (digits | digits.wrapping_add(every(0x80 - 10))) & every(0x80) != 0 {
        return None;
    }
    // Each step joins neighbours: digits into pairs, pairs into fours, fours into the number.
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

pub(super) fn boolean(text: &str) -> Result<bool> {
    match trim(text) {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        "" => Err(Error::expected(ErrorKind::Number, BOOL, "an empty element")),
        other => Err(Error::expected(ErrorKind::Number, BOOL, Quoted(other))),
    }
}

/// Reads one character, which may be white space.
pub(super) fn character(text: &str) -> Result<char> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(character), None) => Ok(character),
        _ => Err(Error::expected(
            ErrorKind::Type,
            "one character",
            Quoted(text),
        )),
    }
}

/// Gives `text` to a visitor of any type. A number in canonical form is given as a number: it is written
/// as `text` again.
pub(super) fn visit_bare<'de, V: Visitor<'de>, E: de::Error>(
    text: Cow<'de, str>,
    visitor: V,
) -> std::result::Result<V::Value, E> {
    match canonical(&text) {
        Some(Canonical::Unsigned(number)) => visitor.visit_u64(number),
        Some(Canonical::Signed(number)) => visitor.visit_i64(number),
        Some(Canonical::Decimal(number)) => visitor.visit_f64(number),
        None => match text {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        },
    }
}

enum Canonical {
    Unsigned(u64),
    Signed(i64),
    Decimal(f64),
}

fn canonical(text: &str) -> Option<Canonical> {
    match text.as_bytes() {
        [b'0'] => Some(Canonical::Unsigned(0)),
        [b'1'..=b'9', ..] => match text.parse() {
            Ok(number) => Some(Canonical::Unsigned(number)),
            Err(_) => decimal(text),
        },
        [b'0', b'.', ..] | [b'-', b'0', b'.', ..] => decimal(text),
        [b'-', b'1'..=b'9', ..] => match text.parse() {
            Ok(number) => Some(Canonical::Signed(number)),
            Err(_) => decimal(text),
        },
        _ => None,
    }
}

fn decimal(text: &str) -> Option<Canonical> {
    if text.len() > LONGEST || !text.contains('.') {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    (number.to_string() == text).then_some(Canonical::Decimal(number))
}

/// Makes the error of a text that is not a number.
#[cold]
pub(super) fn not_a_number(expected: &str, found: &str) -> Error {
    if trim(found).is_empty() {
        // WeChat writes an absent number as an empty section, and serde takes that for a text.
        let found = "an empty element (`xml::optional_number` reads it as `None`)";
        return Error::expected(ErrorKind::Number, expected, found);
    }
    Error::expected(ErrorKind::Number, expected, Quoted(found))
}

const BOOL: &str = "true, false, 1 or 0";

/// In bytes. WeChat sends no decimal that is longer in canonical form.
const LONGEST: usize = 24;
