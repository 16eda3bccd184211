//! The deserializer of any document. It reads what [`plain`](super::plain) gives up.

mod children;
mod element;
mod readings;

use serde::de::{self, Visitor};

use self::element::Element;
use super::{
    alike::deserialize_alike,
    error::{Error, ErrorKind, Result},
    read::{Comments, Reader},
    typed::{self, Piece},
};

/// Reads one document.
///
/// [`from_str`](super::from_str) is shorter and faster. Use a deserializer for a
/// [`DeserializeSeed`](de::DeserializeSeed), or with a crate that works on deserializers. It looks over
/// the document before it reads, since it cannot read it again.
#[derive(Debug)]
pub struct Deserializer<'de> {
    reader: Reader<'de>,
    /// Why the document cannot be read. The error comes up when it is read.
    unreadable: Option<Error>,
}

impl<'de> Deserializer<'de> {
    /// Makes a deserializer that reads `input` from its start.
    #[expect(
        clippy::should_implement_trait,
        reason = "the name that serde's formats use"
    )]
    pub fn from_str(input: &'de str) -> Self {
        let (pieces, unreadable) = match typed::look_over(input) {
            Ok(pieces) => (pieces, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        Self {
            reader: Reader::again(input, Comments::Skipped, pieces),
            unreadable,
        }
    }

    /// Makes a deserializer that reads `input` from its start, after one check that it is UTF-8.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Utf8`] with the offset of the first byte that is not UTF-8.
    pub fn from_slice(input: &'de [u8]) -> Result<Self> {
        super::utf8(input).map(Self::from_str)
    }

    /// Makes a deserializer that notes whether the document has to be [read again](typed::look_over).
    pub(crate) fn first(input: &'de str) -> Self {
        Self {
            reader: Reader::new(input),
            unreadable: None,
        }
    }

    pub(super) fn again(input: &'de str, pieces: Vec<Piece>) -> Self {
        Self {
            reader: Reader::again(input, Comments::Skipped, pieces),
            unreadable: None,
        }
    }

    /// Whether the first reading saw what a user may have typed.
    pub(super) fn doubt(&self) -> bool {
        self.reader.doubt()
    }

    /// Makes a deserializer that reads `input` a second time, if what users typed can have misled the first reading.
    ///
    /// `None` if the second reading would be the same.
    #[cold]
    pub(super) fn second(&self, input: &'de str, was_read: bool) -> Option<Result<Self>> {
        match typed::look_over(input) {
            Ok(pieces) if pieces.is_empty() && !self.doubt() => None,
            Ok(pieces) => Some(Ok(Self::again(input, pieces))),
            Err(error) if was_read || error.kind() == ErrorKind::Ambiguous => Some(Err(error)),
            Err(_) => None,
        }
    }

    /// Checks that the input ends here, after the root element.
    ///
    /// White space, NULs, comments and processing instructions may follow.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Trailing`] if anything else follows.
    pub fn end(&mut self) -> Result<()> {
        self.reader.end()
    }

    fn root<T>(
        &mut self,
        read: impl FnOnce(Element<'de, &mut Reader<'de>>) -> Result<T>,
    ) -> Result<T> {
        if let Some(error) = self.unreadable.take() {
            return Err(error);
        }
        let tag = self.reader.root()?;
        let root = Element {
            place: &mut self.reader,
            tag,
        };
        let mut value = read(root);
        if value.is_err() {
            value = value.map_err(|error| self.reader.inside(&tag, error));
        }
        value
    }
}

/// Forwards the named methods, with their arguments before the visitor, to the root element.
macro_rules! forward_to_root {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value> {
            self.root(|root| root.$method($($argument,)* visitor))
        }
    )*};
}

impl<'de> de::Deserializer<'de> for &mut Deserializer<'de> {
    type Error = Error;

    deserialize_alike!();

    forward_to_root! {
        deserialize_any() deserialize_bool() deserialize_char() deserialize_str()
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_bytes() deserialize_option()
        deserialize_unit() deserialize_newtype_struct(name: &'static str) deserialize_seq()
        deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }
}
