//! The serializer: strings as CDATA, numbers bare, `None` left out, root `<xml>`.

use std::fmt::{self, Write as _};

use serde::ser::{self, Serialize};

use super::{
    error::{Error, ErrorKind, Quoted, Result},
    key::Key,
    read::is_name,
};

/// Writes one document to the end of a string.
///
/// [`to_string`](super::to_string) is the short way.
#[derive(Debug)]
pub struct Serializer<'a> {
    output: &'a mut String,
    /// The element to be written.
    name: &'a str,
    place: Place,
}

/// Where an element stands, which decides how a list or a `None` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Field,
    Member,
}

impl<'a> Serializer<'a> {
    /// A serializer that appends to `output`. What it has written when it fails is no document.
    pub fn new(output: &'a mut String) -> Self {
        Self {
            output,
            name: "xml",
            place: Place::Root,
        }
    }

    fn field(output: &'a mut String, name: &'a str) -> Result<Self> {
        if is_name(name) {
            return Ok(Self {
                output,
                name,
                place: Place::Field,
            });
        }
        Err(Error::expected(
            ErrorKind::Name,
            "an element's name",
            Quoted(name),
        ))
    }

    fn text(self, text: &str) {
        open(self.output, self.name);
        self.output.push_str("<![CDATA[");
        // A section cannot hold its own end, so one ends and the next begins between `]]` and `>`.
        let mut parts = text.split("]]>");
        self.output.push_str(parts.next().unwrap_or_default());
        for part in parts {
            self.output.push_str("]]]]><![CDATA[>");
            self.output.push_str(part);
        }
        self.output.push_str("]]>");
        close(self.output, self.name);
    }

    fn bare(self, value: impl fmt::Display) -> Result<()> {
        open(self.output, self.name);
        write!(self.output, "{value}").map_err(ser::Error::custom)?;
        close(self.output, self.name);
        Ok(())
    }

    fn empty(self) {
        open(self.output, self.name);
        close(self.output, self.name);
    }

    fn elements(self) -> Elements<'a> {
        open(self.output, self.name);
        Elements {
            output: self.output,
            name: self.name,
            around: None,
            key: String::new(),
        }
    }

    fn variant(self, variant: &'a str) -> Result<Elements<'a>> {
        open(self.output, self.name);
        let inner = Serializer::field(self.output, variant)?;
        Ok(Elements {
            around: Some(self.name),
            ..inner.elements()
        })
    }
}

fn open(output: &mut String, name: &str) {
    output.push('<');
    output.push_str(name);
    output.push('>');
}

fn close(output: &mut String, name: &str) {
    output.push_str("</");
    output.push_str(name);
    output.push('>');
}

macro_rules! serialize_bare {
    ($($method:ident: $type:ty),*) => {$(
        fn $method(self, value: $type) -> Result<()> {
            self.bare(value)
        }
    )*};
}

impl<'a> ser::Serializer for Serializer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Elements<'a>;
    type SerializeStruct = Elements<'a>;
    type SerializeStructVariant = Elements<'a>;

    serialize_bare! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_i128: i128, serialize_u8: u8, serialize_u16: u16,
        serialize_u32: u32, serialize_u64: u64, serialize_u128: u128, serialize_f32: f32,
        serialize_f64: f64
    }

    fn serialize_char(self, value: char) -> Result<()> {
        self.text(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<()> {
        self.text(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<()> {
        match std::str::from_utf8(value) {
            Ok(text) => self.serialize_str(text),
            Err(_) => Err(Error::expected(ErrorKind::Utf8, "UTF-8", "other bytes")),
        }
    }

    fn serialize_none(self) -> Result<()> {
        // A field is left out; a list's member holds its place, and a document needs its root.
        if self.place != Place::Field {
            self.empty();
        }
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<()> {
        self.empty();
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<()> {
        self.serialize_unit()
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
        variant: &'static str,
        value: &T,
    ) -> Result<()> {
        open(self.output, self.name);
        let mut content = Serializer::field(self.output, variant)?;
        // The child that names the variant must be there, whatever the value.
        content.place = Place::Member;
        value
            .serialize(content)
            .map_err(|error| error.inside(variant))?;
        close(self.output, self.name);
        Ok(())
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<List<'a>> {
        if self.place == Place::Field {
            return Ok(List {
                output: self.output,
                item: self.name,
                around: [None; 2],
            });
        }
        open(self.output, self.name);
        Ok(List {
            output: self.output,
            item: "item",
            around: [Some(self.name), None],
        })
    }

    fn serialize_tuple(self, length: usize) -> Result<List<'a>> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(self, _name: &'static str, length: usize) -> Result<List<'a>> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<List<'a>> {
        let elements = self.variant(variant)?;
        let around = [Some(elements.name), elements.around];
        Ok(List {
            output: elements.output,
            item: "item",
            around,
        })
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Elements<'a>> {
        Ok(self.elements())
    }

    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Elements<'a>> {
        Ok(self.elements())
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Elements<'a>> {
        self.variant(variant)
    }
}

/// The members of a list, each an element called `item`.
#[derive(Debug)]
pub struct List<'a> {
    output: &'a mut String,
    item: &'a str,
    /// The elements around the members that have been opened for the list, innermost first.
    around: [Option<&'a str>; 2],
}

impl List<'_> {
    fn member<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let element = Serializer {
            output: self.output,
            name: self.item,
            place: Place::Member,
        };
        value
            .serialize(element)
            .map_err(|error| error.inside(self.item))
    }

    fn finish(self) {
        for name in self.around.into_iter().flatten() {
            close(self.output, name);
        }
    }
}

macro_rules! serialize_list {
    ($($trait:ident: $method:ident),*) => {$(
        impl ser::$trait for List<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.member(value)
            }

            fn end(self) -> Result<()> {
                self.finish();
                Ok(())
            }
        }
    )*};
}

serialize_list! {
    SerializeSeq: serialize_element, SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field, SerializeTupleVariant: serialize_field
}

/// The children of an element that has been opened.
#[derive(Debug)]
pub struct Elements<'a> {
    output: &'a mut String,
    name: &'a str,
    /// The element around this one, if it is an enum's variant.
    around: Option<&'a str>,
    /// The name of a map's next child.
    key: String,
}

impl Elements<'_> {
    fn finish(self) {
        close(self.output, self.name);
        if let Some(name) = self.around {
            close(self.output, name);
        }
    }
}

impl ser::SerializeStruct for Elements<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<()> {
        value
            .serialize(Serializer::field(self.output, key)?)
            .map_err(|error| error.inside(key))
    }

    fn end(self) -> Result<()> {
        self.finish();
        Ok(())
    }
}

impl ser::SerializeStructVariant for Elements<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<()> {
        ser::SerializeStruct::serialize_field(self, key, value)
    }

    fn end(self) -> Result<()> {
        self.finish();
        Ok(())
    }
}

impl ser::SerializeMap for Elements<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.key.clear();
        key.serialize(Key(&mut self.key))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        value
            .serialize(Serializer::field(self.output, &self.key)?)
            .map_err(|error| error.inside(&self.key))
    }

    fn end(self) -> Result<()> {
        self.finish();
        Ok(())
    }
}
