//! [`Value`]: an element of any type.

mod de;

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, MapAccess, SeqAccess, Visitor},
    ser::SerializeMap,
};

use super::{error::Result, lookahead};

/// An element of any type: empty, a text, or child elements in their order.
///
/// A `Value` that is written and read again is equal. Attributes, comments and the difference between a
/// section and bare text are lost.
///
/// ```
/// use tower_wechat::xml::{self, Value};
///
/// let value: Value = xml::from_str("<xml><Tag>red</Tag><Tag>blue</Tag><Note/></xml>")?;
/// assert_eq!(value["Tag"].as_str(), Some("red"));
/// assert_eq!(value.elements().len(), 3);
/// assert_eq!(value["Note"], Value::Empty);
/// assert_eq!(value["Absent"], Value::Empty);
/// # Ok::<(), xml::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Value {
    /// `<a/>` or `<a></a>`, perhaps with white space. Unlike an empty section, this is no text.
    #[default]
    Empty,
    /// A text: its sections, entities and character data, joined.
    Text(String),
    /// Child elements with their names, in the document's order, repeated ones included.
    Elements(Vec<(String, Value)>),
}

impl Value {
    /// The text; `None` for elements and for an empty element.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Empty | Self::Elements(_) => None,
        }
    }

    /// The child elements with their names; an empty slice for a text or an empty element.
    pub fn elements(&self) -> &[(String, Value)] {
        match self {
            Self::Elements(elements) => elements,
            Self::Empty | Self::Text(_) => &[],
        }
    }

    /// The first child element called `name`.
    pub fn element(&self, name: &str) -> Option<&Value> {
        let mut elements = self.elements().iter();
        elements
            .find(|(found, _)| found == name)
            .map(|(_, value)| value)
    }

    /// Reads a type from the value, with the rules of the format: numbers are trimmed, an empty element
    /// is `None`, repeated siblings are a list.
    ///
    /// # Errors
    ///
    /// The errors of [`from_str`](super::from_str), without an offset.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(self)
    }
}

/// The first child element of that name; [`Value::Empty`] if there is none.
impl std::ops::Index<&str> for Value {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        self.element(name).unwrap_or(&Value::Empty)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Empty => serializer.serialize_unit(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Elements(elements) => {
                let mut map = serializer.serialize_map(Some(elements.len()))?;
                for (name, value) in elements {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(lookahead::VALUE, ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an element")
    }

    fn visit_none<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Empty)
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Empty)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> std::result::Result<Value, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        inner: D,
    ) -> std::result::Result<Value, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> std::result::Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> std::result::Result<Value, E> {
        Ok(Value::Text(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> std::result::Result<Value, E> {
        Ok(Value::Text(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> std::result::Result<Value, E> {
        Ok(Value::Text(number.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(item) = items.next_element()? {
            elements.push(("item".to_owned(), item));
        }
        Ok(Value::Elements(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = map.next_entry()? {
            elements.push(element);
        }
        Ok(Value::Elements(elements))
    }
}
