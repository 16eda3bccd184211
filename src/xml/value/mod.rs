//! [`Value`]: an element of any type.

mod de;
mod read;

use std::collections::HashMap;

use serde::{Serialize, Serializer, de::DeserializeOwned, ser::SerializeMap};

use super::{
    error::Result,
    lookahead::ELEMENTS,
    scalar::{self, Number},
};

#[cfg(feature = "json")]
pub(crate) use self::read::Reading;

/// An element of any type: empty, a text, or child elements in their order.
///
/// A `Value` that is written and read again is equal. Attributes, comments and the difference between a
/// section and bare text are lost.
///
/// In another format for people, such as JSON, elements with the same name become a list in the place of the first one,
/// and a list is read as elements with the same name. So a `Value` that goes through JSON loses only the order between
/// elements with different names, if one of them is repeated, and whether it is empty or elements without any. A binary format gets each element by itself.
///
/// ```
/// use tower_wechat::xml::{self, Value};
///
/// let value: Value = xml::from_str("<xml><Tag>red</Tag><Tag>blue</Tag><Note/></xml>")?;
/// assert_eq!(value["Tag"].as_str(), Some("red"));
/// assert_eq!(value.all("Tag").count(), 2);
/// assert_eq!(value.elements().len(), 3);
/// assert_eq!(value["Note"], Value::Empty);
/// assert_eq!(value["Absent"], Value::Empty);
/// # #[cfg(feature = "json")]
/// assert_eq!(serde_json::to_string(&value)?, r#"{"Tag":["red","blue"],"Note":null}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
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

    /// The text as a number, without white space around it; `None` if it is not a number that `T` can hold.
    ///
    /// ```
    /// use tower_wechat::xml::{self, Value};
    ///
    /// let value: Value = xml::from_str("<xml><Count> 7 </Count><X>23.1</X><Idx>xxxx</Idx></xml>")?;
    /// assert_eq!(value["Count"].as_number(), Some(7_u8));
    /// assert_eq!(value["X"].as_number(), Some(23.1_f64));
    /// assert_eq!(value["Idx"].as_number::<u32>(), None);
    /// # Ok::<(), xml::Error>(())
    /// ```
    pub fn as_number<T: Number>(&self) -> Option<T> {
        scalar::number(self.as_str()?).ok()
    }

    /// The text as a bool: `true` or `1`, `false` or `0`, without white space around it; `None` for any other text.
    pub fn as_bool(&self) -> Option<bool> {
        scalar::boolean(self.as_str()?).ok()
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
        self.all(name).next()
    }

    /// All child elements called `name`, in the document's order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &Value> {
        let elements = self.elements().iter();
        elements
            .filter(move |(found, _)| found == name)
            .map(|(_, value)| value)
    }

    /// Reads a type from the value, with the rules of the format: numbers are trimmed, an empty element
    /// is `None`, repeated siblings are a list.
    ///
    /// A `Value` and a `&Value` are deserializers too. A type that borrows reads from a `&Value`, and a function that
    /// takes a deserializer can be given either:
    ///
    /// ```
    /// use serde::{Deserialize, Deserializer, de::Error};
    /// use tower_wechat::xml::{self, Value};
    ///
    /// #[derive(Debug, PartialEq, Deserialize)]
    /// struct Place {
    ///     floor: i32,
    /// }
    ///
    /// // For `#[serde(deserialize_with = "…")]`: a place, or its floor alone.
    /// fn place<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Place, D::Error> {
    ///     let value = Value::deserialize(deserializer)?;
    ///     match value.as_number() {
    ///         Some(floor) => Ok(Place { floor }),
    ///         None => Place::deserialize(value).map_err(D::Error::custom),
    ///     }
    /// }
    ///
    /// let value: Value = xml::from_str("<xml><At><floor>7</floor></At></xml>")?;
    /// assert_eq!(place(&value["At"])?, Place { floor: 7 });
    /// assert_eq!(place(xml::to_value(&7)?)?, Place { floor: 7 });
    /// # Ok::<(), xml::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`from_str`](super::from_str), without an offset.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
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
                serializer.serialize_newtype_struct(ELEMENTS, &Elements(elements))
            }
        }
    }
}

struct Elements<'a>(&'a [(String, Value)]);

impl Serialize for Elements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)));
        }
        let mut positions = HashMap::new();
        let mut fields: Vec<(&str, Vec<&Value>)> = Vec::new();
        for (name, value) in self.0 {
            let position = *positions.entry(&**name).or_insert(fields.len());
            match fields.get_mut(position) {
                Some((_, namesakes)) => namesakes.push(value),
                None => fields.push((name, vec![value])),
            }
        }
        let mut map = serializer.serialize_map(Some(fields.len()))?;
        for (name, values) in fields {
            match &*values {
                [only] => map.serialize_entry(name, only)?,
                namesakes => map.serialize_entry(name, namesakes)?,
            }
        }
        map.end()
    }
}
