//! Enums.

use serde::de::{
    self, DeserializeSeed, EnumAccess, VariantAccess, Visitor, value::BorrowedStrDeserializer,
};

use super::{children::Children, element::Element};
use crate::xml::{
    error::{Error, ErrorKind, Result},
    read::Reader,
};

/// An enum's value that is more than a name: the one child is called as the variant.
pub(super) struct Variant<'a, 'b, 'de>(pub(super) &'a mut Children<'b, 'de>);

impl<'a, 'de> EnumAccess<'de> for Variant<'a, '_, 'de> {
    type Error = Error;
    type Variant = Element<'de, &'a mut Reader<'de>>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self::Variant)> {
        let Some(tag) = self.0.next()? else {
            return Err(Error::expected(
                ErrorKind::Type,
                "a variant",
                "an empty element",
            ));
        };
        let name = BorrowedStrDeserializer::new(tag.name);
        let variant = seed
            .deserialize(name)
            .map_err(|error: Error| error.at(self.0.reader.offset_of(&tag)))?;
        Ok((
            variant,
            Element {
                place: &mut *self.0.reader,
                tag,
            },
        ))
    }
}

impl<'de> VariantAccess<'de> for Element<'de, &mut Reader<'de>> {
    type Error = Error;

    fn unit_variant(self) -> Result<()> {
        self.place.skip(&self.tag)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        let Element { place, tag } = self;
        seed.deserialize(Element {
            place: &mut *place,
            tag,
        })
        .map_err(|error| place.inside(&tag, error))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value> {
        let Element { place, tag } = self;
        let content = Element {
            place: &mut *place,
            tag,
        };
        de::Deserializer::deserialize_tuple(content, length, visitor)
            .map_err(|error| place.inside(&tag, error))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let Element { place, tag } = self;
        Element {
            place: &mut *place,
            tag,
        }
        .elements(visitor)
        .map_err(|error| place.inside(&tag, error))
    }
}
