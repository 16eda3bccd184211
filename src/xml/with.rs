//! Ways to read a field that the derived code does not know.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserializer,
    de::{self, Visitor},
};

use super::scalar;

/// A number that [`number`] and [`optional_number`] read: every primitive integer and float.
pub trait Number: sealed::Number {}

impl<T: sealed::Number> Number for T {}

mod sealed {
    /// What the formats offer a number as. Each is `None` where the type does not hold the value.
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

/// Reads a number that may be written as a text, for `#[serde(deserialize_with = "xml::number")]`.
///
/// The format itself needs no help with a plain number field. This is for where the type is not known
/// when the text is read: inside `flatten`, `untagged` and internally tagged types, and for JSON
/// numbers in quotes.
///
/// # Errors
///
/// If it is not a number or one that `T` does not hold.
pub fn number<'de, D: Deserializer<'de>, T: Number>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_newtype_struct(AS_TEXT, NumberVisitor(PhantomData))
}

/// Reads a number that may be empty or absent, for
/// `#[serde(default, deserialize_with = "xml::optional_number")]`.
///
/// An empty element, an empty section and white space are `None`; anything else has to be a number.
///
/// # Errors
///
/// If it is neither empty nor a number that `T` holds.
pub fn optional_number<'de, D: Deserializer<'de>, T: Number>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    deserializer.deserialize_any(OptionalNumberVisitor(PhantomData))
}

/// Reads a text that may look like a number, for `#[serde(deserialize_with = "xml::text")]`.
///
/// For a `String` it is needed where the type is not known when the text is read, as for [`number`]; it
/// also reads JSON numbers. For an `Option<String>` (with `default`), an empty element is `None`, but
/// `Some("")` inside `flatten` and the like, where empty and an empty section look the same.
///
/// # Errors
///
/// If it is neither a text nor a number.
pub fn text<'de, D: Deserializer<'de>, T: From<String> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_option(TextVisitor(PhantomData))
}

/// Asks our own format for the text as it stands, which spares it finding out whether that is a number.
/// To other formats it is a newtype like any other.
pub(super) const AS_TEXT: &str = "tower_wechat::xml::AsText";

struct NumberVisitor<T>(PhantomData<T>);

fn held<T, E: de::Error>(number: Option<T>, found: de::Unexpected<'_>) -> Result<T, E> {
    number.ok_or_else(|| E::invalid_value(found, &std::any::type_name::<T>()))
}

impl<'de, T: Number> Visitor<'de> for NumberVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::any::type_name::<T>())
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<T, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        held(T::from_u64(number), de::Unexpected::Unsigned(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        held(T::from_i64(number), de::Unexpected::Signed(number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        held(T::from_f64(number), de::Unexpected::Float(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        scalar::number(text).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

struct OptionalNumberVisitor<T>(PhantomData<T>);

impl<'de, T: Number> Visitor<'de> for OptionalNumberVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} or nothing", std::any::type_name::<T>())
    }

    fn visit_none<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Option<T>, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Option<T>, E> {
        NumberVisitor(PhantomData).visit_u64(number).map(Some)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Option<T>, E> {
        NumberVisitor(PhantomData).visit_i64(number).map(Some)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Option<T>, E> {
        NumberVisitor(PhantomData).visit_f64(number).map(Some)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Option<T>, E> {
        if super::read::trim(text).is_empty() {
            return Ok(None);
        }
        NumberVisitor(PhantomData).visit_str(text).map(Some)
    }
}

struct TextVisitor<T>(PhantomData<T>);

impl<'de, T: From<String> + Default> Visitor<'de> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_none<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<T, D::Error> {
        inner.deserialize_newtype_struct(AS_TEXT, self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<T, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(text.to_owned().into())
    }

    fn visit_string<E>(self, text: String) -> Result<T, E> {
        Ok(text.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<T, E> {
        Ok(number.to_string().into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<T, E> {
        Ok(number.to_string().into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<T, E> {
        Ok(number.to_string().into())
    }
}
