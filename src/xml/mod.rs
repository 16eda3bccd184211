//! WeChat's XML dialect as a serde format.

mod de;
mod error;
pub mod items;
mod key;
#[cfg(test)]
mod meter;
#[cfg(not(test))]
#[path = "meter_silent.rs"]
mod meter;
mod read;
mod scalar;
mod ser;
mod siblings;
mod value;
mod with;

use std::io;

use serde::{Deserialize, Serialize};

pub use self::{
    de::Deserializer,
    error::{Error, ErrorKind, Result},
    ser::Serializer,
    value::Value,
    with::{Number, number, optional_number, text},
};

/// Reads a document.
///
/// # Errors
///
/// If the document is not one of the dialect, or does not hold what `T` needs.
pub fn from_str<'de, T: Deserialize<'de>>(input: &'de str) -> Result<T> {
    read(Deserializer::from_str(input))
}

/// Reads a document from bytes, which are checked to be UTF-8 once.
///
/// # Errors
///
/// As [`from_str`], and if the bytes are not UTF-8.
pub fn from_slice<'de, T: Deserialize<'de>>(input: &'de [u8]) -> Result<T> {
    read(Deserializer::from_slice(input)?)
}

fn read<'de, T: Deserialize<'de>>(mut deserializer: Deserializer<'de>) -> Result<T> {
    let value = T::deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Writes a document.
///
/// # Errors
///
/// If a name is none that XML can write, or `T` fails by itself.
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    let mut output = String::with_capacity(TYPICAL);
    value
        .serialize(Serializer::new(&mut output))
        .map_err(|error| error.inside("xml"))?;
    Ok(output)
}

/// Writes a document into bytes.
///
/// # Errors
///
/// As [`to_string`].
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    to_string(value).map(String::into_bytes)
}

/// Writes a document to `writer`, all at once: nothing is written if `value` cannot be.
///
/// # Errors
///
/// As [`to_string`], and if the writer fails.
pub fn to_writer<W: io::Write, T: Serialize + ?Sized>(mut writer: W, value: &T) -> Result<()> {
    let output = to_string(value)?;
    writer.write_all(output.as_bytes()).map_err(Error::io)
}

/// In bytes: room for most replies.
const TYPICAL: usize = 512;

#[cfg(test)]
mod tests;
