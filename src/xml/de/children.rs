//! The children of an element, in order or looked for.

use serde::de::{DeserializeSeed, MapAccess, Visitor, value::BorrowedStrDeserializer};

use super::element::Element;
use crate::xml::{
    error::{Error, ErrorKind, Result},
    near::{Leaf, Near},
    read::{Content, Reader, Tag},
    siblings::Siblings,
};

/// The children of an element, one after the other.
pub(super) struct Children<'a, 'de> {
    pub(super) reader: &'a mut Reader<'de>,
    parent: Tag<'de>,
    /// The child whose name has been handed out, but not its value.
    current: Option<Tag<'de>>,
    /// Whether an error is not about the current child, and has its path.
    pub(super) misplaced: bool,
    /// Whether the end tag has been read, perhaps while looking ahead; or `near` comes next.
    ended: bool,
    /// The next few children, once one of them has been sought.
    near: Option<Near<'de>>,
    /// All further children, once a list has had to look beyond other names.
    ahead: Option<Box<Ahead<'de>>>,
}

/// Children that have been skipped over while looking for a list's members.
#[derive(Default)]
struct Ahead<'de> {
    siblings: Siblings<'de>,
    /// Of each, the tag and the offset of its content.
    tags: Vec<(Tag<'de>, usize)>,
    /// The offset after the parent's end tag.
    end: usize,
}

impl<'a, 'de> Children<'a, 'de> {
    pub(super) fn of(reader: &'a mut Reader<'de>, parent: Tag<'de>) -> Result<Self> {
        if reader.content(&parent)? == Content::Text {
            let error = Error::expected(ErrorKind::Type, "elements", "text");
            return Err(error.at(reader.offset()));
        }
        Ok(Self {
            reader,
            parent,
            current: None,
            misplaced: false,
            ended: parent.is_closed(),
            near: None,
            ahead: None,
        })
    }

    /// The next child that no list has taken.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<Tag<'de>>> {
        if !self.ended
            && let Some(tag) = self.reader.plain_child(&self.parent)
        {
            return Ok(Some(tag));
        }
        self.next_or_end()
    }

    #[inline(never)]
    fn next_or_end(&mut self) -> Result<Option<Tag<'de>>> {
        if let Some(near) = &mut self.near {
            if let Some(leaf) = near.next() {
                self.reader.go_to(leaf);
                return Ok(Some(leaf.tag));
            }
            self.near = None;
            self.ended = false;
        }
        if self.ahead.is_some() {
            return Ok(self.next_ahead());
        }
        if self.ended {
            return Ok(None);
        }
        let child = self.reader.child(&self.parent)?;
        self.ended = child.is_none();
        Ok(child)
    }

    fn next_ahead(&mut self) -> Option<Tag<'de>> {
        let ahead = self.ahead.as_mut()?;
        let tags = &ahead.tags;
        let name = |position: usize| tags.get(position).map(|(tag, _)| tag.name);
        let position = ahead.siblings.next(name);
        self.go_to(position)
    }

    /// The next child called `name`, wherever it stands.
    pub(super) fn next_named(&mut self, name: &str) -> Result<Option<Tag<'de>>> {
        if self.ahead.is_none() {
            match self.next()? {
                Some(tag) if tag.name != name => self.look_ahead(tag)?,
                adjacent => return Ok(adjacent),
            }
        }
        let position = self
            .ahead
            .as_mut()
            .and_then(|ahead| ahead.siblings.next_named(name));
        Ok(self.go_to(position))
    }

    fn go_to(&mut self, position: Option<usize>) -> Option<Tag<'de>> {
        let ahead = self.ahead.as_ref()?;
        let found = position.and_then(|position| ahead.tags.get(position).copied());
        self.reader.meter.add(1);
        self.reader
            .seek(found.map_or(ahead.end, |(_, content)| content));
        found.map(|(tag, _)| tag)
    }

    /// Reads the first child called `name` from `tag` on; then `tag` comes up again.
    pub(super) fn read_sought<V: Visitor<'de>>(
        &mut self,
        tag: Tag<'de>,
        name: &str,
        visitor: V,
    ) -> Result<V::Value> {
        let here = self.reader.offset();
        let found = if let Some(leaf) = self.find_near(tag, name)? {
            self.reader.go_to(leaf);
            leaf.tag
        } else {
            self.near = None;
            self.reader.seek(here);
            match self.put_back(tag, name)? {
                Some(found) => found,
                None => return visitor.visit_none(),
            }
        };
        let element = Element {
            place: &mut *self.reader,
            tag: found,
        };
        visitor
            .visit_some(element)
            .map_err(|error| self.reader.inside(&found, error))
    }

    /// The child called `name`, if it is `tag` or one of the next few: WeChat puts what a type asks for
    /// behind two or three others, and noting where all children stand costs more than that.
    #[inline]
    fn find_near(&mut self, tag: Tag<'de>, name: &str) -> Result<Option<Leaf<'de>>> {
        if self.ahead.is_some() {
            return Ok(None);
        }
        let near = match &mut self.near {
            Some(near) => {
                near.put_back();
                near
            }
            None => self.near.insert(Near::of(self.reader.leaf(tag)?)),
        };
        self.ended = true;
        if let Some(leaf) = near.find(name) {
            return Ok(Some(leaf));
        }
        self.reader.seek(near.end());
        while near.has_room()
            && let Some(tag) = self.reader.child(&self.parent)?
        {
            let leaf = self.reader.leaf(tag)?;
            near.push(leaf);
            if tag.name == name {
                return Ok(Some(leaf));
            }
        }
        Ok(None)
    }

    /// Goes to the first child called `name` from `tag` on; after it, `tag` comes up again.
    #[cold]
    fn put_back(&mut self, tag: Tag<'de>, name: &str) -> Result<Option<Tag<'de>>> {
        match &mut self.ahead {
            Some(ahead) => ahead.siblings.put_back(tag.name),
            None => self.look_ahead(tag)?,
        }
        let ahead = self.ahead.as_ref();
        let position = ahead.and_then(|ahead| ahead.siblings.first_named(name));
        Ok(self.go_to(position))
    }

    /// Skips over `tag` and all that follows it, noting where each stands.
    #[cold]
    fn look_ahead(&mut self, tag: Tag<'de>) -> Result<()> {
        let mut ahead = Box::<Ahead<'de>>::default();
        // The reader stands at the tag's content, and what is near follows.
        self.near = None;
        let mut next = Some(tag);
        while let Some(tag) = next {
            ahead.siblings.push(tag.name);
            ahead.tags.push((tag, self.reader.offset()));
            self.reader
                .skip(&tag)
                .map_err(|error| error.inside(tag.name))?;
            next = self.reader.child(&self.parent)?;
        }
        ahead.end = self.reader.offset();
        self.ahead = Some(ahead);
        self.ended = true;
        Ok(())
    }

    /// Reads what the visitor left over, so that the element's end has been read.
    pub(super) fn finish(mut self) -> Result<()> {
        while let Some(tag) = self
            .current
            .take()
            .map_or_else(|| self.next(), |tag| Ok(Some(tag)))?
        {
            self.reader
                .skip(&tag)
                .map_err(|error| error.inside(tag.name))?;
        }
        Ok(())
    }
}

impl<'de> MapAccess<'de> for Children<'_, 'de> {
    type Error = Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.current = self.next()?;
        let Some(tag) = self.current else {
            return Ok(None);
        };
        let name = BorrowedStrDeserializer::new(tag.name);
        seed.deserialize(name)
            .map(Some)
            .map_err(|error: Error| error.at(self.reader.offset_of(&tag)))
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let Some(tag) = self.current.take() else {
            return Err(Error::new(
                ErrorKind::Custom,
                "a value was asked for before its name",
            ));
        };
        seed.deserialize(Element {
            place: &mut *self,
            tag,
        })
        .map_err(|error| {
            if self.misplaced {
                return error;
            }
            self.reader.inside(&tag, error)
        })
    }
}
