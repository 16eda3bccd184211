//! Writes a map's key as an element's name.

use serde::ser::{self, Serialize};

use crate::xml::error::{Error, ErrorKind, Result};

/// A serializer of a map's key, which is a string, a char or a unit variant.
pub(super) struct KeySerializer<'a>(pub(super) &'a mut String);

fn no_name<T>(found: &str) -> Result<T> {
    Err(Error::expected(
        ErrorKind::Name,
        "a text for an element's name",
        found,
    ))
}

macro_rules! refuse {
    ($($method:ident: $type:ty),*) => {$(
        fn $method(self, _value: $type) -> Result<()> {
            no_name(stringify!($type))
        }
    )*};
}

impl ser::Serializer for KeySerializer<'_> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = ser::Impossible<(), Error>;
    type SerializeTuple = ser::Impossible<(), Error>;
    type SerializeTupleStruct = ser::Impossible<(), Error>;
    type SerializeTupleVariant = ser::Impossible<(), Error>;
    type SerializeMap = ser::Impossible<(), Error>;
    type SerializeStruct = ser::Impossible<(), Error>;
    type SerializeStructVariant = ser::Impossible<(), Error>;

    refuse! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_i128: i128, serialize_u8: u8, serialize_u16: u16,
        serialize_u32: u32, serialize_u64: u64, serialize_u128: u128, serialize_f32: f32,
        serialize_f64: f64, serialize_bytes: &[u8]
    }

    fn serialize_char(self, value: char) -> Result<()> {
        self.0.push(value);
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<()> {
        self.0.push_str(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<()> {
        no_name("none")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<()> {
        no_name("a unit")
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<()> {
        no_name("a unit")
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<()> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<()> {
        no_name("a variant with a value")
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Self::SerializeSeq> {
        no_name("a list")
    }

    fn serialize_tuple(self, _length: usize) -> Result<Self::SerializeTuple> {
        no_name("a tuple")
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeTupleStruct> {
        no_name("a tuple")
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeTupleVariant> {
        no_name("a variant with a value")
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Self::SerializeMap> {
        no_name("a map")
    }

    fn serialize_struct(
        self,
        _name: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeStruct> {
        no_name("a struct")
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeStructVariant> {
        no_name("a variant with a value")
    }
}
