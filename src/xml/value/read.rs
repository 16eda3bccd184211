//! Reads a [`Value`] from any format: a list becomes repeated elements, a number becomes text.
//!
//! So types read from it as from XML: fields have any order, a number may be in quotes, and a list of one may be its
//! member alone.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};

use super::Value;
use crate::xml::lookahead;

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Reading { is_exact: false }.deserialize(deserializer)
    }
}

/// Reads one value.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    /// Whether a number that the format does not hand out as it was written is an error.
    pub(crate) is_exact: bool,
}

impl Reading {
    /// Reads the members of a list, each into an element called `name`.
    fn members<'de, A: SeqAccess<'de>>(
        self,
        name: &str,
        mut members: A,
        elements: &mut Vec<(String, Value)>,
    ) -> Result<(), A::Error> {
        // Each member gets a copy of the name, so a long name would use much more memory than the body.
        if name.len() > MAX_LIST_NAME {
            return Err(de::Error::custom("expected a shorter name of a list"));
        }
        while let Some(mut member) = members.next_element_seed(self)? {
            if member == Value::Elements(Vec::new()) {
                // A field of elements without any is a list without members.
                member = Value::Empty;
            }
            elements.push((name.to_owned(), member));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Reading {
    type Value = Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_newtype_struct(lookahead::VALUE, self)
    }
}

impl<'de> Visitor<'de> for Reading {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, a list or elements")
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Empty)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Empty)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Text(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Text(number.to_string()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        // How the number was written is lost: its zeros, and the digits of a long integer.
        if self.is_exact {
            return Err(E::custom("expected an integer of fewer digits"));
        }
        Ok(Value::Text(number.to_string()))
    }

    /// A list in a list, or at the root.
    fn visit_seq<A: SeqAccess<'de>>(self, members: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        self.members("item", members, &mut elements)?;
        Ok(Value::Elements(elements))
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(name) = map.next_key()? {
            let siblings = &mut elements;
            let field = Field {
                name,
                siblings,
                reading: self,
            };
            map.next_value_seed(field)?;
        }
        Ok(if elements.is_empty() {
            Value::Empty
        } else {
            Value::Elements(elements)
        })
    }
}

/// Reads the value of a field into one element, or a list into an element for each member.
struct Field<'a> {
    name: String,
    siblings: &'a mut Vec<(String, Value)>,
    reading: Reading,
}

impl Field<'_> {
    #[inline]
    fn push<E>(self, value: Result<Value, E>) -> Result<(), E> {
        self.siblings.push((self.name, value?));
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Field<'_> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_newtype_struct(lookahead::VALUE, self)
    }
}

/// Visits what makes one element.
macro_rules! visit_one {
    ($($method:ident($($argument:ident: $type:ty)?))*) => {$(
        fn $method<E: de::Error>(self, $($argument: $type)?) -> Result<(), E> {
            let value = self.reading.$method($($argument)?);
            self.push(value)
        }
    )*};
}

impl<'de> Visitor<'de> for Field<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reading.expecting(f)
    }

    visit_one! {
        visit_none() visit_unit() visit_str(text: &str) visit_string(text: String) visit_bool(value: bool)
        visit_u64(number: u64) visit_i64(number: i64) visit_f64(number: f64)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<(), D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<(), D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, members: A) -> Result<(), A::Error> {
        let before = self.siblings.len();
        self.reading.members(&self.name, members, self.siblings)?;
        if self.siblings.len() == before {
            // No other value is the elements without any. A field reads it as a list without members.
            self.siblings.push((self.name, Value::Elements(Vec::new())));
        }
        Ok(())
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let value = self.reading.visit_map(map);
        self.push(value)
    }
}

/// In bytes: several times as long as any name that WeChat documents.
const MAX_LIST_NAME: usize = 128;
