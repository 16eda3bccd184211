//! A push of another format than XML, as the elements that would say the same.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};

use crate::xml::Value;

/// A body whose lists are repeated elements and whose numbers are text, as in XML.
///
/// So all that is true of reading a push from XML is true of it here: the order of fields does not
/// matter, a number may be in quotes, a list of one may be the member alone.
pub(super) struct Tree(pub(super) Value);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut root = Vec::new();
        let read = Element {
            name: "",
            siblings: &mut root,
        };
        read.deserialize(deserializer)?;
        let mut values = root.into_iter().map(|(_, value)| value);
        let first = values.next().unwrap_or_default();
        Ok(Self(match values.next() {
            // A list at the root: no push is one, and no type reads it.
            Some(second) => Value::Elements(
                [first, second]
                    .into_iter()
                    .chain(values)
                    .map(|value| ("item".to_owned(), value))
                    .collect(),
            ),
            None => first,
        }))
    }
}

/// Reads a value into its element, or the members of a list into one each.
struct Element<'a> {
    name: &'a str,
    siblings: &'a mut Vec<(String, Value)>,
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

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
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
        // Each member keeps a copy of it.
        if self.name.len() > MAX_LIST_NAME {
            return Err(de::Error::custom("expected a shorter name of a list"));
        }
        loop {
            // A list in a list stays together, or its members would be the outer list's.
            let mut inner = Vec::new();
            let member = Element {
                name: self.name,
                siblings: &mut inner,
            };
            if members.next_element_seed(member)?.is_none() {
                return Ok(());
            }
            match (inner.pop(), inner.is_empty()) {
                (Some(only), true) => self.siblings.push(only),
                (last, _) => {
                    inner.extend(last);
                    let items = inner.into_iter().map(|(_, item)| ("item".to_owned(), item));
                    self.siblings
                        .push((self.name.to_owned(), Value::Elements(items.collect())));
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut elements = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            map.next_value_seed(Element {
                name: &name,
                siblings: &mut elements,
            })?;
        }
        self.push(Value::Elements(elements));
        Ok(())
    }
}

/// In bytes, several times as long as any that WeChat documents.
const MAX_LIST_NAME: usize = 128;
