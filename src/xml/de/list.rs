//! Lists: a repeated element, or an element's children.

use serde::de::{DeserializeSeed, SeqAccess};

use super::{children::Children, element::Element};
use crate::xml::{
    error::{Error, Result},
    read::Tag,
};

/// The members of a list: `first` and its namesakes.
pub(super) struct Repeated<'a, 'b, 'de> {
    name: &'de str,
    first: Option<Tag<'de>>,
    children: &'a mut Children<'b, 'de>,
}

impl<'a, 'b, 'de> Repeated<'a, 'b, 'de> {
    pub(super) fn from(first: Tag<'de>, children: &'a mut Children<'b, 'de>) -> Self {
        Self {
            name: first.name,
            first: Some(first),
            children,
        }
    }
}

impl<'de> SeqAccess<'de> for Repeated<'_, '_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let next = match self.first.take() {
            Some(first) => Some(first),
            None => self.children.next_named(self.name)?,
        };
        let Some(tag) = next else {
            return Ok(None);
        };
        let member = Element {
            place: &mut *self.children.reader,
            tag,
        };
        seed.deserialize(member)
            .map(Some)
            .map_err(|error| error.at(self.children.reader.offset_of(&tag)))
    }
}

/// The children of an element as a list.
pub(super) struct Items<'a, 'b, 'de>(pub(super) &'a mut Children<'b, 'de>);

impl<'de> SeqAccess<'de> for Items<'_, '_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some(tag) = self.0.next()? else {
            return Ok(None);
        };
        let item = Element {
            place: &mut *self.0.reader,
            tag,
        };
        seed.deserialize(item)
            .map(Some)
            .map_err(|error| self.0.reader.inside(&tag, error))
    }
}
