//! What a text is as a number, a bool or a char: the same for a document and for a [`Value`](super::Value).

use std::{any::type_name, borrow::Cow, str::FromStr};

use serde::de::Visitor;

use super::{
    error::{Error, ErrorKind, Quoted, Result},
    read::trim,
};

/// Reads a number, white space around it aside.
pub(super) fn number<T: FromStr>(text: &str) -> Result<T> {
    let text = trim(text);
    text.parse().map_err(|_| invalid(type_name::<T>(), text))
}

pub(super) fn boolean(text: &str) -> Result<bool> {
    match trim(text) {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        other => Err(invalid("true, false, 1 or 0", other)),
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

/// Hands `text` to a visitor that takes anything: as a number if it is the canonical form of one, so
/// that writing the number gives `text` again.
pub(super) fn visit_bare<'de, V: Visitor<'de>>(
    text: Cow<'de, str>,
    visitor: V,
) -> Result<V::Value> {
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

#[cold]
fn invalid(expected: &str, found: &str) -> Error {
    if found.is_empty() {
        return Error::expected(ErrorKind::Number, expected, "an empty element");
    }
    Error::expected(ErrorKind::Number, expected, Quoted(found))
}

/// No canonical number of 64 bits that WeChat could mean is longer.
const LONGEST: usize = 24;
