//! Bodies in JSON, read as the XML that would say the same.

#[cfg(feature = "json")]
mod lenient;

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};

use crate::xml::{self, Value};

/// A body in XML or JSON.
///
/// Finding out the format is apart from reading, so that a borrowed type can borrow from the tree.
pub(super) struct Body<'a> {
    bytes: &'a [u8],
    /// The elements of a body in JSON.
    pub(super) tree: Option<Value>,
}

impl<'a> Body<'a> {
    /// JSON begins with `{`, perhaps behind a byte order mark. The Content-Type does not tell: WeChat's is the same for
    /// both formats.
    #[cfg_attr(
        not(feature = "json"),
        expect(clippy::unnecessary_wraps, reason = "reading JSON can fail")
    )]
    pub(super) fn new(bytes: &'a [u8]) -> xml::Result<Self> {
        let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        let tree = match text.trim_ascii_start() {
            #[cfg(feature = "json")]
            [b'{', ..] => Some(tree(text)?),
            // Without the feature, reading JSON as XML is an error that says so.
            _ => None,
        };
        Ok(Self { bytes, tree })
    }

    pub(super) fn read<'de, T: Deserialize<'de>>(&'de self) -> xml::Result<T> {
        match &self.tree {
            // In an error's path, `json` stands for the root element.
            Some(tree) => T::deserialize(tree).map_err(|error| error.inside("json")),
            None => xml::from_slice(self.bytes),
        }
    }
}

/// Reads the elements of a body as JSON, and what is no JSON leniently. Returns the error of the first reading.
#[cfg(feature = "json")]
fn tree(body: &[u8]) -> xml::Result<Value> {
    let mut strict = serde_json::Deserializer::from_slice(body);
    let tree = read_tree(&mut strict, true).and_then(|tree| strict.end().map(|()| tree));
    tree.or_else(|error| {
        str::from_utf8(body)
            .ok()
            .and_then(lenient_tree)
            .ok_or_else(|| de::Error::custom(error))
    })
}

#[cfg(feature = "json")]
fn lenient_tree(body: &str) -> Option<Value> {
    let mut lenient = lenient::Lenient::new(body);
    let tree = read_tree(&mut lenient, false).ok()?;
    lenient.end().ok()?;
    Some(tree)
}

/// Elements read from another format than XML: a list becomes repeated elements, a number becomes text.
///
/// So types read from them as from XML: fields have any order, a number may be in quotes, and a list of
/// one may be its member alone.
pub(super) struct Tree(pub(super) Value);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_tree(deserializer, false).map(Self)
    }
}

fn read_tree<'de, D: Deserializer<'de>>(
    deserializer: D,
    is_exact: bool,
) -> Result<Value, D::Error> {
    let mut root = Vec::new();
    let read = Element {
        name: "",
        siblings: &mut root,
        is_member: false,
        is_exact,
    };
    read.deserialize(deserializer)?;
    let mut values = root.into_iter().map(|(_, value)| value);
    let first = values.next().unwrap_or_default();
    Ok(match values.next() {
        // A list at the root: WeChat sends none, and no type reads one.
        Some(second) => Value::Elements(
            [first, second]
                .into_iter()
                .chain(values)
                .map(|value| ("item".to_owned(), value))
                .collect(),
        ),
        None => first,
    })
}

/// Reads a value into one element, or a list into one element for each member.
struct Element<'a> {
    name: &'a str,
    siblings: &'a mut Vec<(String, Value)>,
    /// Whether it is a member of a list.
    is_member: bool,
    /// Whether a number that the format does not hand out as it was written is an error.
    is_exact: bool,
}

impl Element<'_> {
    fn push(self, value: Value) {
        self.siblings.push((self.name.to_owned(), value));
    }

    fn push_text(self, text: impl Into<String>) {
        self.push(Value::Text(text.into()));
    }
}

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, a list or fields")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        self.push(Value::Empty);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.push(Value::Empty);
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<(), D::Error> {
        self.deserialize(inner)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<(), D::Error> {
        self.deserialize(inner)
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.push_text(value.to_string());
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.push_text(number.to_string());
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.push_text(number.to_string());
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<(), E> {
        // How the number was written is lost: its zeros, and the digits of a long integer.
        if self.is_exact {
            return Err(E::custom("expected an integer of fewer digits"));
        }
        self.push_text(number.to_string());
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.push_text(text);
        Ok(())
    }

    fn visit_string<E>(self, text: String) -> Result<(), E> {
        self.push_text(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        // Each member gets a copy of the name, so a long name would use much more memory than the body.
        if self.name.len() > MAX_LIST_NAME {
            return Err(de::Error::custom("expected a shorter name of a list"));
        }
        let mut inner = Vec::new();
        // An inner list is one element, or its members would be members of the outer list.
        let (name, list) = if self.is_member {
            ("item", &mut inner)
        } else {
            (self.name, &mut *self.siblings)
        };
        let before = list.len();
        while let Some(()) = members.next_element_seed(Element {
            name,
            siblings: list,
            is_member: true,
            is_exact: self.is_exact,
        })? {}
        let is_empty = list.len() == before;
        match (self.is_member, is_empty) {
            (true, true) => self.push(Value::Empty),
            (true, false) => self.push(Value::Elements(inner)),
            // No other value is the elements without any. A field reads it as a list without members.
            (false, true) => self.push(Value::Elements(Vec::new())),
            (false, false) => {}
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut elements = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            map.next_value_seed(Element {
                name: &name,
                siblings: &mut elements,
                is_member: false,
                is_exact: self.is_exact,
            })?;
        }
        self.push(if elements.is_empty() {
            Value::Empty
        } else {
            Value::Elements(elements)
        });
        Ok(())
    }
}

/// In bytes: several times as long as any name that WeChat documents.
const MAX_LIST_NAME: usize = 128;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
