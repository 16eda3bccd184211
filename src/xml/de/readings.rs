//! One element read several times, by the fields of different types: [`READINGS`](crate::xml::lookahead::READINGS).

use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess};

use super::element::Element;
use crate::xml::{
    error::{Error, ErrorKind, Result},
    read::{Reader, Tag},
};

pub(super) struct Readings<'a, 'de> {
    reader: &'a mut Reader<'de>,
    tag: Tag<'de>,
    /// The offset of the element's content.
    content: usize,
    /// The offset at which the last reading failed.
    failed: Option<usize>,
    /// Whether it failed because of the document, so that every reading fails.
    is_malformed: bool,
}

impl<'a, 'de> Readings<'a, 'de> {
    pub(super) fn of(reader: &'a mut Reader<'de>, tag: Tag<'de>) -> Self {
        Self {
            content: reader.offset(),
            reader,
            tag,
            failed: None,
            is_malformed: false,
        }
    }
}

impl<'de> MapAccess<'de> for Readings<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let failed = self.failed.take();
        failed
            .map(|offset| seed.deserialize(offset.into_deserializer()))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        if self.is_malformed {
            return Err(Error::new(ErrorKind::Syntax, "the document is malformed"));
        }
        self.reader.seek(self.content);
        let read = seed.deserialize(Element {
            place: &mut *self.reader,
            tag: self.tag,
        });
        if let Err(error) = &read {
            self.failed = error.offset();
            self.is_malformed = error.kind().is_malformed();
        }
        read
    }
}
