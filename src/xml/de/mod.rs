//! The deserializer over the scanner.

mod children;
mod element;
mod list;
mod variant;

use serde::de::{self, Visitor};

use self::element::Element;
use super::{
    error::{Error, ErrorKind, Result},
    read::Reader,
};

/// Reads one document.
///
/// [`from_str`](super::from_str) is the short way. A deserializer of one's own is for a
/// [`DeserializeSeed`](de::DeserializeSeed) or for the crates that work on deserializers.
#[derive(Debug)]
pub struct Deserializer<'de> {
    pub(super) reader: Reader<'de>,
}

impl<'de> Deserializer<'de> {
    /// A deserializer of `input`, nothing of which has been read.
    #[expect(clippy::should_implement_trait, reason = "serde's formats name it so")]
    pub fn from_str(input: &'de str) -> Self {
        Self {
            reader: Reader::new(input),
        }
    }

    /// A deserializer of `input`, which is checked to be UTF-8 here, once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Utf8`] with the offset of the first byte that is not.
    pub fn from_slice(input: &'de [u8]) -> Result<Self> {
        match std::str::from_utf8(input) {
            Ok(input) => Ok(Self::from_str(input)),
            Err(error) => {
                let found = "other bytes";
                Err(Error::expected(ErrorKind::Utf8, "UTF-8", found).at(error.valid_up_to()))
            }
        }
    }

    /// Makes sure that the input ends here, after the root element.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Trailing`] if anything but white space, comments and processing instructions
    /// follows.
    pub fn end(&mut self) -> Result<()> {
        self.reader.end()
    }

    fn root<T>(
        &mut self,
        read: impl FnOnce(Element<'de, &mut Reader<'de>>) -> Result<T>,
    ) -> Result<T> {
        let tag = self.reader.root()?;
        let root = Element {
            place: &mut self.reader,
            tag,
        };
        read(root).map_err(|error| self.reader.inside(&tag, error))
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

    forward_to_root! {
        deserialize_any() deserialize_bool() deserialize_char() deserialize_str()
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64()
        deserialize_string() deserialize_bytes() deserialize_byte_buf() deserialize_option()
        deserialize_unit() deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str) deserialize_seq()
        deserialize_tuple(length: usize)
        deserialize_tuple_struct(name: &'static str, length: usize) deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier() deserialize_ignored_any()
    }
}
