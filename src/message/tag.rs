use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};

/// A type with a name of its own on the wire.
pub(super) trait Tagged {
    /// The names it is read under, whatever their case; it is written under the first.
    const NAMES: &'static [&'static str];

    fn is_named(name: &str) -> bool {
        Self::NAMES
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// The element that names `T`, such as MsgType: written as the name, refused when it is another's.
///
/// So a body of another type is never read as `T`, even where all of `T`'s elements happen to be there.
pub(super) struct Tag<T>(PhantomData<fn() -> T>);

impl<T: Tagged> Serialize for Tag<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        T::NAMES.first().serialize(serializer)
    }
}

impl<'de, T: Tagged> Deserialize<'de> for Tag<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TagVisitor(PhantomData))
    }
}

struct TagVisitor<T>(PhantomData<fn() -> T>);

impl<T: Tagged> Visitor<'_> for TagVisitor<T> {
    type Value = Tag<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a type's name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Tag<T>, E> {
        if T::is_named(name) {
            return Ok(Tag::default());
        }
        Err(E::unknown_variant(name, T::NAMES))
    }
}

// By hand, since derived code would ask all this of `T` too.

impl<T> Default for Tag<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T> Clone for Tag<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Tag<T> {}

impl<T> PartialEq for Tag<T> {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl<T> Eq for Tag<T> {}

impl<T: Tagged> fmt::Debug for Tag<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::NAMES.first().unwrap_or(&""))
    }
}
