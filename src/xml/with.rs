//! Numbers and texts for `#[serde(deserialize_with = "…")]`.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserializer,
    de::{self, IgnoredAny, MapAccess, Visitor},
};

use super::scalar::{self, Number};

/// Reads a number that may be written as a text, for `#[serde(deserialize_with = "xml::number")]`.
///
/// A plain number field does not need it. It reads a number inside `flatten`, `untagged` and internally
/// tagged types, where the format does not know the type, and a JSON number in quotes.
///
/// # Errors
///
/// If the text is not a number, or `T` cannot hold the number.
pub fn number<'de, D: Deserializer<'de>, T: Number>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_newtype_struct(AS_NUMBER, NumberVisitor(PhantomData))
}

/// Reads a number that may be empty or absent, for
/// `#[serde(default, deserialize_with = "xml::optional_number")]`.
///
/// An empty element, an empty section and white space are `None`.
///
/// # Errors
///
/// If the text is not empty and not a number, or `T` cannot hold the number.
pub fn optional_number<'de, D: Deserializer<'de>, T: Number>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    deserializer.deserialize_any(OptionalNumberVisitor(PhantomData))
}

/// Reads a text that may look like a number, for `#[serde(deserialize_with = "xml::text")]`.
///
/// A plain `String` field does not need it. It reads a text inside `flatten`, `untagged` and internally
/// tagged types, where the format does not know the type, and a JSON number.
///
/// For an `Option<String>`, add `default`. An empty element is `None`. Inside `flatten` and the like it
/// is `Some("")`, because there it looks the same as an empty section.
///
/// # Errors
///
/// If the value is neither a text nor a number.
pub fn text<'de, D: Deserializer<'de>, T: From<String> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_option(TextVisitor(PhantomData))
}

/// The name of a newtype that asks this crate's format for a text, so that the format does not guess
/// whether the text is a number. For other formats it is an ordinary newtype.
pub(super) const AS_TEXT: &str = "tower_wechat::xml::AsText";

/// The same for a number, which the format may hand out as one.
pub(super) const AS_NUMBER: &str = "tower_wechat::xml::AsNumber";

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

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
        no_elements(map, &self).map(|()| None)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Option<T>, E> {
        if super::read::trim(text).is_empty() {
            return Ok(None);
        }
        NumberVisitor(PhantomData).visit_str(text).map(Some)
    }
}

/// Reads elements where none belong. An empty list of JSON is elements without any.
#[cold]
#[inline(never)]
pub(crate) fn no_elements<'de, A: MapAccess<'de>>(
    mut map: A,
    expected: &dyn de::Expected,
) -> Result<(), A::Error> {
    match map.next_key()? {
        None => Ok(()),
        Some(IgnoredAny) => Err(de::Error::invalid_type(de::Unexpected::Map, expected)),
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

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        no_elements(map, &self).map(|()| T::default())
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
