//! The deserializer of a document.

mod children;
mod element;

use serde::de::{self, Visitor};

use self::element::Element;
use super::{
    alike::deserialize_alike,
    error::{Error, ErrorKind, Result},
    read::Reader,
};

/// Reads one document.
///
/// [`from_str`](super::from_str) is shorter. Use a deserializer for a
/// [`DeserializeSeed`](de::DeserializeSeed), or with a crate that works on deserializers.
#[derive(Debug)]
pub struct Deserializer<'de> {
    reader: Reader<'de>,
}

impl<'de> Deserializer<'de> {
    /// Makes a deserializer that reads `input` from its start.
    #[expect(
        clippy::should_implement_trait,
        reason = "the name that serde's formats use"
    )]
    pub fn from_str(input: &'de str) -> Self {
        Self {
            reader: Reader::new(input),
        }
    }

    /// Makes a deserializer that reads `input` from its start, after one check that it is UTF-8.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Utf8`] with the offset of the first byte that is not UTF-8.
    pub fn from_slice(input: &'de [u8]) -> Result<Self> {
        match std::str::from_utf8(input) {
            Ok(input) => Ok(Self::from_str(input)),
            Err(error) => {
                let found = "other bytes";
                Err(Error::expected(ErrorKind::Utf8, "UTF-8", found).at(error.valid_up_to()))
            }
        }
    }

    /// Checks that the input ends here, after the root element.
    ///
    /// White space, comments and processing instructions may follow.
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

    deserialize_alike!();

    forward_to_root! {
        deserialize_any() deserialize_bool() deserialize_char() deserialize_str()
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_bytes() deserialize_option()
        deserialize_unit() deserialize_newtype_struct(name: &'static str) deserialize_seq()
        deserialize_map()
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }
}
