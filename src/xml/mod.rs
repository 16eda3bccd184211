//! WeChat's XML dialect as a serde format.
//!
//! WeChat sends documents that are nearly XML, and not always well-formed. This format reads them as
//! WeChat means them, in linear time for every target type. It writes documents that WeChat reads. It
//! works without a server:
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
//! | the root element | may have any name; its children are the fields, in any order |
//! | sections, text and entities mixed | one value; borrowed from the input if it is one run without entities |
//! | white space | trimmed at the ends of a value and around a section; kept inside a section, with CR LF unchanged |
//! | entities outside sections | the five predefined and the numeric ones are replaced; any other is an error; an `&` that begins none is text |
//! | control characters | kept, although XML forbids them |
//! | numbers and bools | in a section or bare; `true`, `false`, `1`, `0` |
//! | `<a/>`, `<a></a>`, white space alone | `None` for an `Option`, `""` for a string |
//! | an empty section | an empty text, `Some("")`; for a struct, no fields |
//! | repeated siblings, adjacent or not | the members of a `Vec`; an error of the derived type, or of a map, for any other field |
//! | a wrapper with `<item>`s | a struct with a `Vec` called `item`, or a `Vec` with [`items`] |
//! | an element that is read as a list at the root or inside a list | the list of its children, with any names |
//! | an enum | text names a unit variant; one child element names any other variant |
//! | text beside elements | ignored; a section beside elements is an error |
//! | comments, processing instructions, attributes, a declaration | skipped; in a message, a comment behind a text that a user typed is part of the text |
//! | DOCTYPE, crossed or unclosed tags, more than 16 levels, anything but a NUL behind the root | an [`Error`] with kind, offset and path |
//!
//! ## Sections and typed text
//!
//! WeChat puts the text that users type into sections, and does not split a typed `]]>`. So a text can end
//! its own section and go on with markup. [`from_str`] and [`from_slice`] read such a document a second
//! time, and the text arrives as it was typed:
//!
//! ```
//! use tower_wechat::{Message, xml};
//!
//! let typed = "]]></Content><FromUserName><![CDATA[oVictim]]></FromUserName><Content><![CDATA[";
//! let document = format!(
//!     "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName>
//!     <FromUserName><![CDATA[oUser-1]]></FromUserName><CreateTime>1700000000</CreateTime>
//!     <MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{typed}]]></Content><MsgId>7</MsgId></xml>"
//! );
//! let Message::Text(text) = xml::from_str(&document)? else { panic!("a text") };
//! assert_eq!((text.content.as_str(), text.from_user_name.as_deref()), (typed, Some("oUser-1")));
//! # Ok::<(), xml::Error>(())
//! ```
//!
//! The format knows which fields a user fills, in WeChat's order:
//!
//! | MsgType or Event | typed fields |
//! |---|---|
//! | `text` | `Content` |
//! | `link` | `Title`, `Description`, `Url` |
//! | `location` | `Label` |
//! | `file` | `Title`, `Description` |
//! | `voice` | `Recognition` |
//! | `miniprogrampage` | `Title`, `PagePath` |
//! | `location_select` | in `SendLocationInfo`: `Label`, `Poiname` |
//! | `scancode_push`, `scancode_waitmsg` | in `ScanCodeInfo`: `ScanResult` |
//!
//! In such a message, typed text adds, hides and replaces no field, for any target type. It arrives as it
//! was typed, with these exceptions:
//!
//! - A text that ends its section and begins another, with only text between, is joined as XML says. A
//!   writer that splits `]]>` writes just that.
//! - Two neighbours may be cut at another place, if a text holds the markup that stands between them.
//!
//! A message that allows two readings is refused as [`ErrorKind::Ambiguous`]: the page of a mini program
//! whose text holds the markup around its AppId, a link whose text may be its Description, or texts of two
//! fields in a message that does not have WeChat's form.
//!
//! A document of any other type may be unreadable as XML. Then one field is read as longer, if this makes the document
//! readable. In a document with a MsgType, two elements under the root with one name, at least one of them a section, are
//! ambiguous unless they are neighbours.
//!
//! Not protected are:
//!
//! - a list of a typed field, in a type that the table does not name: text can add members to it,
//! - two typed fields of such a type: text in both can hide or replace the fields between them,
//! - a typed field inside another element, in such a type: it can add and repeat fields beside it,
//! - a hand-written `Deserialize` that takes the last of two fields with one name; what serde derives
//!   refuses the second,
//! - what a user types into XML of your own.
//!
//! ## Types that are not known in advance
//!
//! `flatten`, `untagged` and internally tagged types ask a format for the type of a text. The format
//! guesses: a bare text in the canonical form of a number is a number, any other text is a string. serde
//! keeps these values, and reads the type from them later:
//!
//! | lost then | the way out |
//! |---|---|
//! | whether a text is a number | [`number`], [`optional_number`], [`text`] |
//! | whether an element is empty or an empty section: both are a text | [`text`], [`optional_number`] |
//! | repeated siblings: they are an error | a field of its own beside `flatten`, or the whole as a [`Value`] |
//! | the path and offset of an error | a struct without these attributes |
//!
//! To keep all fields that a struct does not name, flatten a [`Value`] or a `HashMap<String, Value>`. If one of them
//! may be repeated, read the whole as a [`Value`], and the struct from it with [`Value::read`].
//! [`number`], [`optional_number`] and [`text`] read a field from any text:
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
//! Strings are written as sections, in which `]]>` is split. Numbers and bools are bare. `None` is left
//! out. The members of a list repeat their element. The root is `<xml>` without a declaration, as in
//! WeChat's own samples. A name that XML cannot write is an error.

mod alike;
mod de;
mod error;
pub mod items;
pub(crate) mod lookahead;
mod name_index;
mod plain;
mod read;
mod scalar;
mod ser;
pub(crate) mod typed;
pub(crate) mod value;
pub(crate) mod with;

use std::io;

use serde::{Deserialize, Serialize};

pub(crate) use self::read::BYTE_ORDER_MARK;
pub use self::{
    de::Deserializer,
    error::{Error, ErrorKind, Result},
    scalar::Number,
    ser::Serializer,
    value::Value,
    with::{number, optional_number, text},
};

/// Reads a document.
///
/// # Errors
///
/// If the document is malformed, or `T` cannot be read from it.
pub fn from_str<'de, T: Deserialize<'de>>(input: &'de str) -> Result<T> {
    plain::from_str(input, any_from_str)
}

/// [`from_str`] without its plain reading.
#[cfg(fuzzing)]
#[doc(hidden)]
pub fn any_from_str_for_fuzzing<'de, T: Deserialize<'de>>(input: &'de str) -> Result<T> {
    any_from_str(input)
}

/// Reads a document that need not be plain.
#[cold]
#[inline(never)]
fn any_from_str<'de, T: Deserialize<'de>>(input: &'de str) -> Result<T> {
    let mut deserializer = Deserializer::first(input);
    let mut is_first = true;
    // One call reads, so that no code of `T` is there twice.
    loop {
        let mut read = T::deserialize(&mut deserializer);
        if read.is_ok()
            && let Err(error) = deserializer.end()
        {
            read = Err(error);
        }
        if !is_first || read.is_ok() && !deserializer.doubt() {
            return read;
        }
        is_first = false;
        match deserializer.second(input, read.is_ok()) {
            Some(Ok(second)) => deserializer = second,
            Some(Err(error)) => return Err(error),
            None => return read,
        }
    }
}

/// Reads a document from bytes, after one check that they are UTF-8.
///
/// # Errors
///
/// The errors of [`from_str`], and [`ErrorKind::Utf8`] if the bytes are not UTF-8.
pub fn from_slice<'de, T: Deserialize<'de>>(input: &'de [u8]) -> Result<T> {
    from_str(utf8(input)?)
}

fn utf8(input: &[u8]) -> Result<&str> {
    simdutf8::basic::from_utf8(input).or_else(|_| {
        // This one also says where the error is.
        std::str::from_utf8(input).map_err(|error| {
            let found = "other bytes";
            Error::expected(ErrorKind::Utf8, "UTF-8", found).at(error.valid_up_to())
        })
    })
}

/// Writes a document.
///
/// # Errors
///
/// If XML cannot write a name, or if `T` fails to serialize.
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    let mut output = String::with_capacity(TYPICAL);
    value
        .serialize(Serializer::new(&mut output))
        .map_err(|error| error.inside("xml"))?;
    Ok(output)
}

/// Makes the [`Value`] of the document that [`to_string`] writes.
///
/// ```
/// use tower_wechat::{message::TextMessage, xml};
///
/// let mut message = TextMessage::default();
/// message.content = "1 ]]> 0".into();
/// assert_eq!(xml::to_value(&message)?["Content"].as_str(), Some("1 ]]> 0"));
/// # Ok::<(), xml::Error>(())
/// ```
///
/// # Errors
///
/// The errors of [`to_string`], and [`ErrorKind::Depth`] for elements nested deeper than 16.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value> {
    let document = to_string(value)?;
    // This writer splits `]]>`, so that nothing in the document is in doubt.
    Deserialize::deserialize(&mut Deserializer::again(&document, Vec::new()))
}

/// Writes a document into bytes.
///
/// # Errors
///
/// The errors of [`to_string`].
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    to_string(value).map(String::into_bytes)
}

/// Writes a document to `writer` in one call. Writes nothing if `value` cannot be serialized.
///
/// # Errors
///
/// The errors of [`to_string`], and [`ErrorKind::Io`] if the writer fails.
pub fn to_writer<W: io::Write, T: Serialize + ?Sized>(mut writer: W, value: &T) -> Result<()> {
    let output = to_string(value)?;
    writer.write_all(output.as_bytes()).map_err(Error::io)
}

/// In bytes. Most replies fit.
const TYPICAL: usize = 512;

#[cfg(test)]
pub(crate) mod tests;
