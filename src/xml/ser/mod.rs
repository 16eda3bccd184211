//! The serializer: strings as CDATA, numbers bare, `None` left out, root `<xml>`.

mod key;

use std::fmt::{self, Write as _};

use memchr::memchr;
use serde::ser::{self, Serialize};

use self::key::KeySerializer;
use super::{
    error::{Error, ErrorKind, Quoted, Result},
    lookahead,
    read::is_name,
};

/// Appends one document to a string.
///
/// [`to_string`](super::to_string) is shorter.
#[derive(Debug)]
pub struct Serializer<'a> {
    output: &'a mut String,
    /// The name of the element to write.
    name: &'a str,
    slot: Slot,
    /// Whether it writes the elements of a [`Value`](super::Value), which then keep their order.
    is_of_value: bool,
}

/// Where an element stands. A list or a `None` is written in another way in each slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Root,
    Field,
    Member,
}

impl<'a> Serializer<'a> {
    /// Makes a serializer that appends to `output`. If it fails, it leaves a part of a document there.
    pub fn new(output: &'a mut String) -> Self {
        Self {
            output,
            name: "xml",
            slot: Slot::Root,
            is_of_value: false,
        }
    }

    fn field(output: &'a mut String, name: &'a str) -> Result<Self> {
        if is_name(name) {
            return Ok(Self {
                output,
                name,
                slot: Slot::Field,
                is_of_value: false,
            });
        }
        Err(Error::expected(
            ErrorKind::Name,
            "an element's name",
            Quoted(name),
        ))
    }

    fn text(self, text: &str) {
        let Self { output, name, .. } = self;
        output.push('<');
        output.push_str(name);
        output.push_str("><![CDATA[");
        // Few texts hold a `>`: a search for that alone is the fastest.
        if memchr(b'>', text.as_bytes()).is_none() {
            output.push_str(text);
        } else {
            // A section cannot contain `]]>`, so one section ends behind `]]` and another begins with `>`.
            let mut parts = text.split("]]>");
            output.push_str(parts.next().unwrap_or_default());
            for part in parts {
                output.push_str("]]]]><![CDATA[>");
                output.push_str(part);
            }
        }
        output.push_str("]]></");
        output.push_str(name);
        output.push('>');
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
        // A field is left out. A list's member keeps its position, and a document needs its root.
        if self.slot != Slot::Field {
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
        mut self,
        name: &'static str,
        value: &T,
    ) -> Result<()> {
        self.is_of_value = name == lookahead::ELEMENTS;
        value.serialize(self)
    }

    fn is_human_readable(&self) -> bool {
        !self.is_of_value
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
        // The child names the variant, so it is written even for an absent value.
        content.slot = Slot::Member;
        value
            .serialize(content)
            .map_err(|error| error.inside(variant))?;
        close(self.output, self.name);
        Ok(())
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<List<'a>> {
        if self.slot == Slot::Field {
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
    /// The elements that were opened around the members, innermost first.
    around: [Option<&'a str>; 2],
}

impl List<'_> {
    fn member<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let element = Serializer {
            output: self.output,
            name: self.item,
            slot: Slot::Member,
            is_of_value: false,
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
        key.serialize(KeySerializer(&mut self.key))
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
