//! WeChat's XML dialect as a serde format.
//!
//! What WeChat sends is nearly XML, and not always well-formed. This format reads it as WeChat means it,
//! in a single pass over the input and in linear time for every target type, and writes what WeChat
//! reads. It needs no server around it:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tower_wechat::xml;
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! #[serde(rename_all = "PascalCase")]
//! struct Parcel {
//!     order_id: u64,
//!     note: Option<String>,
//!     #[serde(default)]
//!     station: Vec<String>,
//! }
//!
//! let parcel: Parcel = xml::from_str(
//!     "<xml>
//!         <Station><![CDATA[成都]]></Station>
//!         <OrderId>7</OrderId>
//!         <Station><![CDATA[深圳]]></Station>
//!         <Note/>
//!     </xml>",
//! )?;
//! assert_eq!((parcel.order_id, &parcel.note), (7, &None));
//! assert_eq!(parcel.station, ["成都", "深圳"]);
//! assert_eq!(
//!     xml::to_string(&parcel)?,
//!     "<xml><OrderId>7</OrderId><Station><![CDATA[成都]]></Station><Station><![CDATA[深圳]]></Station></xml>",
//! );
//! # Ok::<(), xml::Error>(())
//! ```
//!
//! # Reading
//!
//! | input | result |
//! |---|---|
//! | the root element | any name; its children are the fields, in any order |
//! | sections, text and entities mixed | one value; borrowed from the input if it is one run without entities |
//! | white space | trimmed at the ends of a value and around a section; kept inside a section, CR LF too |
//! | entities | the five predefined and the numeric ones, outside sections; another one is an error |
//! | control characters | as sent, though XML forbids them |
//! | numbers and bools | in a section or bare; `true`, `false`, `1`, `0` |
//! | `<a/>`, `<a></a>`, white space alone | `None` for an `Option`, `""` for a string |
//! | an empty section | a text: `Some("")` for an optional string |
//! | repeated siblings, adjacent or not | the members of a `Vec`; for any other field, an error of the derived type |
//! | a wrapper with `<item>`s | a struct with a `Vec` called `item`, or a `Vec` with [`items`] |
//! | an element read as a list at the root or inside a list | its children, whatever their names |
//! | an enum | the text is a unit variant; one child element names any other |
//! | comments, processing instructions, attributes, a declaration | skipped |
//! | text beside elements, DOCTYPE, crossed or unclosed tags, more than 16 levels, anything behind the root | an [`Error`] with kind, offset and path |
//!
//! ## A section that a user's text ends
//!
//! WeChat puts what users type into sections without splitting a typed `]]>`. A section ends at its first
//! `]]>`, as XML says. Only where that makes the element malformed, its value is the raw text up to the
//! first `]]>` that stands directly before the element's own end tag. So a user's text arrives as it was
//! typed, and what it cannot do is replace another field: leaving the section always repeats the element
//! it left, which derived types refuse. It can add a field that is absent otherwise; do not take an
//! optional field's presence for WeChat's word. Where two fields are typed, such as a title and a path, the
//! first can open what the second closes: an element of another name, a comment. What WeChat wrote between
//! the two is hidden in it then, and may be replaced; what stands before or behind both is not.
//!
//! ## Where the type is not known in advance
//!
//! `flatten`, `untagged` and internally tagged types ask a format what a text is before they know what
//! it should be. The answer is a best effort: a number if the text stands bare in the canonical form of
//! one, otherwise a string. [`number`], [`optional_number`] and [`text`] read a field either way:
//!
//! ```
//! use serde::Deserialize;
//! use tower_wechat::xml;
//!
//! #[derive(Deserialize)]
//! struct Scan {
//!     #[serde(flatten)]
//!     place: Place,
//! }
//!
//! #[derive(Deserialize)]
//! struct Place {
//!     #[serde(deserialize_with = "xml::number")]
//!     floor: i32,
//!     #[serde(deserialize_with = "xml::text")]
//!     room: String,
//!     #[serde(default, deserialize_with = "xml::optional_number")]
//!     desk: Option<u32>,
//! }
//!
//! let scan: Scan = xml::from_str(
//!     "<xml><floor><![CDATA[-1]]></floor><room>101</room><desk><![CDATA[]]></desk></xml>",
//! )?;
//! assert_eq!((scan.place.floor, scan.place.room.as_str(), scan.place.desk), (-1, "101", None));
//! # Ok::<(), xml::Error>(())
//! ```
//!
//! # Writing
//!
//! Strings are written as sections, in which `]]>` is split; numbers and bools are bare; `None` is left
//! out, and a list's members repeat their element. The root is `<xml>`, without a declaration, as
//! WeChat's own samples have it. A name that XML cannot write is an error.

mod de;
mod error;
pub mod items;
mod key;
#[cfg(test)]
mod meter;
#[cfg(not(test))]
#[path = "meter_silent.rs"]
mod meter;
mod near;
mod read;
mod scalar;
mod ser;
mod siblings;
pub(crate) mod sought;
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
pub(crate) mod tests;
