//! An element, read as the type that a visitor asks for.

use std::borrow::Cow;

use serde::de::{self, IntoDeserializer, Visitor, value::MapAccessDeserializer};

use super::{
    children::{Children, Entries, Items, Namesakes, Variant},
    readings::Readings,
};
use crate::xml::{
    alike::{deserialize_alike, deserialize_numbers},
    error::{Error, ErrorKind, Result},
    lookahead,
    read::{Content, Leaf, Reader, Tag, trim},
    scalar::{self, Number},
    with,
};

/// Where an element stands. A list is read in another way from a field than from other elements.
pub(super) trait Place<'de> {
    /// Whether the element is a member of a list that repeats it.
    const IS_MEMBER: bool = false;

    fn reader(&mut self) -> &mut Reader<'de>;

    /// Notes that no field has the name of `tag`, so that nobody else sees whether it is repeated.
    fn note(&mut self, _tag: &Tag<'de>) {}

    /// Whether a further element has the name of `tag`, so that both are members of a list.
    fn is_repeated(&mut self, _tag: &Tag<'de>) -> Result<bool> {
        Ok(false)
    }

    /// Reads the element of `tag` as a list.
    fn list<V: Visitor<'de>>(self, tag: Tag<'de>, visitor: V) -> Result<V::Value>;

    /// Reads the first sibling called `name` from `tag` on, and leaves `tag` unread.
    fn look_ahead<V: Visitor<'de>>(self, tag: Tag<'de>, name: &str, visitor: V)
    -> Result<V::Value>;
}

/// The root, a list's member or a variant's content: the members of a list are its children.
impl<'de> Place<'de> for &mut Reader<'de> {
    fn reader(&mut self) -> &mut Reader<'de> {
        self
    }

    fn list<V: Visitor<'de>>(self, tag: Tag<'de>, visitor: V) -> Result<V::Value> {
        let mut children = Children::of(self, tag, &[])?;
        let value = visitor.visit_seq(Items(&mut children))?;
        children.finish()?;
        Ok(value)
    }

    fn look_ahead<V: Visitor<'de>>(
        self,
        tag: Tag<'de>,
        _name: &str,
        visitor: V,
    ) -> Result<V::Value> {
        self.skip(&tag)?;
        visitor.visit_none()
    }
}

/// A member of a list that repeats its element. Read as a list, its members are its children.
pub(super) struct Member<'a, 'de>(pub(super) &'a mut Reader<'de>);

impl<'de> Place<'de> for Member<'_, 'de> {
    const IS_MEMBER: bool = true;

    fn reader(&mut self) -> &mut Reader<'de> {
        self.0
    }

    fn list<V: Visitor<'de>>(self, tag: Tag<'de>, visitor: V) -> Result<V::Value> {
        self.0.list(tag, visitor)
    }

    fn look_ahead<V: Visitor<'de>>(
        self,
        tag: Tag<'de>,
        name: &str,
        visitor: V,
    ) -> Result<V::Value> {
        self.0.look_ahead(tag, name, visitor)
    }
}

/// A field: the members of a list are the field and the siblings with its name.
impl<'de> Place<'de> for &mut Children<'_, 'de> {
    fn reader(&mut self) -> &mut Reader<'de> {
        Children::reader(self)
    }

    fn note(&mut self, tag: &Tag<'de>) {
        Children::note(self, tag);
    }

    fn is_repeated(&mut self, tag: &Tag<'de>) -> Result<bool> {
        Children::is_repeated(self, tag)
    }

    fn list<V: Visitor<'de>>(self, tag: Tag<'de>, visitor: V) -> Result<V::Value> {
        visitor.visit_seq(Namesakes::from(tag, self))
    }

    fn look_ahead<V: Visitor<'de>>(
        self,
        tag: Tag<'de>,
        name: &str,
        visitor: V,
    ) -> Result<V::Value> {
        Children::look_ahead(self, tag, name, visitor)
    }
}

/// An element whose start tag has been read, but not its content and its end tag.
pub(super) struct Element<'de, P> {
    pub(super) place: P,
    pub(super) tag: Tag<'de>,
}

impl<'de, P: Place<'de>> Element<'de, P> {
    fn text(&mut self) -> Result<Leaf<'de>> {
        self.place.reader().text(&self.tag)
    }

    /// Notes that no type has a field for it.
    fn note(&mut self) {
        self.place.note(&self.tag);
        self.place.reader().note_nested(&self.tag);
    }

    fn content(&mut self) -> Result<Content> {
        self.place.reader().content(&self.tag)
    }

    /// Reads elements by `elements`, or a text.
    fn any<V: Visitor<'de>>(
        mut self,
        elements: impl FnOnce(Self, V) -> Result<V::Value>,
        visitor: V,
    ) -> Result<V::Value> {
        if self.content()? == Content::Elements {
            return elements(self, visitor);
        }
        match self.place.reader().text_or_elements(&self.tag)? {
            None => elements(self, visitor),
            Some(Leaf::Empty) => visitor.visit_borrowed_str(""),
            Some(Leaf::Bare(text)) => scalar::visit_bare(text, visitor),
            Some(Leaf::Section(Cow::Borrowed(text))) => visitor.visit_borrowed_str(text),
            Some(Leaf::Section(Cow::Owned(text))) => visitor.visit_string(text),
        }
    }

    fn fields<V: Visitor<'de>>(mut self, fields: &[&str], visitor: V) -> Result<V::Value> {
        let mut children = Children::of(self.place.reader(), self.tag, fields)?;
        if P::IS_MEMBER && !fields.contains(&"item") {
            children.refuse_items()?;
        }
        // The result stays in one place: a message is several hundred bytes.
        let mut value = visitor.visit_map(&mut children);
        if value.is_ok()
            && let Err(error) = children.finish()
        {
            value = Err(error);
        }
        value
    }

    /// Hands out all children, repeated ones included.
    fn entries<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        let mut children = Children::of(self.place.reader(), self.tag, &[])?;
        let value = visitor.visit_map(&mut children)?;
        children.finish()?;
        Ok(value)
    }

    fn number<T: Number>(mut self) -> Result<T> {
        scalar::number(&self.text()?.into_str())
    }
}

impl<'de, P: Place<'de>> de::Deserializer<'de> for Element<'de, P> {
    type Error = Error;

    deserialize_alike!();
    deserialize_numbers!();

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.any(Self::deserialize_map, visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        visitor.visit_bool(scalar::boolean(&self.text()?.into_str())?)
    }

    fn deserialize_char<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        visitor.visit_char(scalar::character(&self.text()?.into_str())?)
    }

    fn deserialize_str<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        match self.text()?.into_str() {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        match self.text()?.into_str() {
            Cow::Borrowed(text) => visitor.visit_borrowed_bytes(text.as_bytes()),
            Cow::Owned(text) => visitor.visit_byte_buf(text.into_bytes()),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        if self.content()? == Content::Empty && !self.place.is_repeated(&self.tag)? {
            self.place.reader().skip(&self.tag)?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        self.note();
        self.place.reader().skip(&self.tag)?;
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        if name == with::AS_TEXT || name == with::AS_NUMBER {
            return self.deserialize_str(visitor);
        }
        if name == lookahead::ELEMENTS {
            return self.fields(&[], visitor);
        }
        if name == lookahead::VALUE {
            self.note();
            if self.content()? == Content::Empty {
                self.place.reader().skip(&self.tag)?;
                return visitor.visit_none();
            }
            return self.any(Self::entries, visitor);
        }
        if name == lookahead::READINGS {
            return visitor.visit_map(Readings::of(self.place.reader(), self.tag));
        }
        if let Some(name) = lookahead::requested_field(name) {
            return self.place.look_ahead(self.tag, name, visitor);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.place.list(self.tag, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        let mut children = Children::of(self.place.reader(), self.tag, &[])?;
        let value = visitor.visit_map(Entries::of(&mut children))?;
        children.finish()?;
        Ok(value)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.fields(fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        if self.content()? != Content::Elements {
            let text = self.text()?.into_str();
            let name = trim(&text);
            return visitor.visit_enum(name.into_deserializer());
        }
        let mut children = Children::of(self.place.reader(), self.tag, &[])?;
        let value = visitor.visit_enum(MapAccessDeserializer::new(Variant(&mut children)))?;
        match children.next()? {
            None => Ok(value),
            Some(extra) => Err(
                Error::expected(ErrorKind::Type, "one variant", "another element")
                    .at(children.reader().offset_of(&extra)),
            ),
        }
    }
}
