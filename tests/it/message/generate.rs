//! Values of any type that serde reads: a format whose input is chance.

use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRng},
};
use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor,
        value::{Error, StrDeserializer},
    },
    forward_to_deserialize_any,
};

/// A value of `T` that the bytes of `seed` decide.
pub(super) fn generate<T: for<'de> Deserialize<'de>>(seed: [u8; 32]) -> T {
    let mut chance = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    T::deserialize(Chance(&mut chance)).expect("the types take all that is generated")
}

struct Chance<'a>(&'a mut TestRng);

impl Chance<'_> {
    fn below(&mut self, bound: u32) -> u32 {
        self.0.next_u32() % bound
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 10] = [
            "a", "Z9", " ", "]]>", "<b>", "&amp;", "语音", "\r\n", "\u{1d}", "\"",
        ];
        let length = self.below(4);
        (0..length)
            .map(|_| PIECES[self.below(10) as usize])
            .collect()
    }

    /// A number of few digits: `serde_json` does not read all digits of a long one exactly.
    fn decimal(&mut self) -> f64 {
        let [high, low, ..] = self.0.next_u32().to_be_bytes();
        f64::from(i16::from_be_bytes([high, low])) / 64.0
    }
}

impl<'de> Deserializer<'de> for Chance<'_> {
    type Error = Error;

    /// What flags, numbers and texts can all be.
    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u64(self.below(2).into())
    }

    fn deserialize_bool<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.below(2) == 1)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u64(self.0.next_u64())
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i64(self.0.next_u64().cast_signed())
    }

    fn deserialize_f64<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f64(self.decimal())
    }

    fn deserialize_str<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.text())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        match self.below(3) {
            0 => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        let left = self.below(4);
        visitor.visit_seq(Members { chance: self, left })
    }

    /// Some fields of a type that keeps all.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_struct("", &["A", "Bc", "d"], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(Fields {
            chance: self,
            left: fields,
            seen: Vec::new(),
        })
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u32 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct
        enum identifier ignored_any
    }
}

struct Members<'a> {
    chance: Chance<'a>,
    left: u32,
}

impl<'de> SeqAccess<'de> for Members<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        seed.deserialize(Chance(self.chance.0)).map(Some)
    }
}

struct Fields<'a> {
    chance: Chance<'a>,
    left: &'static [&'static str],
    seen: Vec<String>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        while let Some((&name, rest)) = self.left.split_first() {
            self.left = rest;
            // A type's own name, and the other names of a field that has been filled.
            let known = ALIASES.iter().find(|names| names.contains(&name));
            let family = known.map_or(name, |names| names[0]).to_owned();
            if name == "MsgType" || self.seen.contains(&family) {
                continue;
            }
            self.seen.push(family);
            let name: StrDeserializer<'_, Error> = name.into_deserializer();
            return seed.deserialize(name).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(Chance(self.chance.0))
    }
}

const ALIASES: &[&[&str]] = &[
    &["MsgId", "MsgID"],
    &["MediaId", "MediaID"],
    &["MenuId", "MenuID"],
    &["Recognition", "Recongnition"],
    &["AppId", "AuthorizeAppId"],
    &["Source", "source"],
    &["Msg", "msg"],
    &["ShopId", "PlaceId"],
    &["OpitonIds", "OptionIds"],
    &["OpitonId", "OptionId"],
    &["card_type", "cardtype"],
    &["event_key", "eventkey"],
    &["option_ids", "optionids"],
    &["option_id", "optionid"],
    &["approverstep", "ApproverStep"],
    &["StatuChangeEvent", "StatusChangeEvent"],
    &[
        "wrapper",
        "SubscribeMsgPopupEvent",
        "SubscribeMsgChangeEvent",
        "SubscribeMsgSentEvent",
    ],
];
