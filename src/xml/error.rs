//! Errors with a kind, an offset and the path of the element.

use std::{fmt, io};

use serde::{de, ser};

use super::scalar;

/// The result of reading or writing a document.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a document could not be read or written.
///
/// The message says what was expected, what was found and where: a byte offset into the input and the
/// path of the element, such as `xml.SendPicsInfo.Count`. It quotes at most 32 characters of the input.
/// For a log that must not hold contents, use only [`kind`](Self::kind), [`offset`](Self::offset) and
/// [`path`](Self::path).
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    offset: Option<usize>,
    path: String,
    message: String,
    source: Option<io::Error>,
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input is not UTF-8.
    Utf8,
    /// The input ends inside an element, a section or a comment.
    Eof,
    /// Markup that is not XML: crossed tags, a broken tag, an invalid name.
    Syntax,
    /// A document type declaration; WeChat never sends one.
    Doctype,
    /// Elements nested deeper than 16.
    Depth,
    /// An entity other than the five predefined and the numeric ones.
    Entity,
    /// Something follows the root element.
    Trailing,
    /// A text that is not a number of the expected type.
    Number,
    /// Text instead of elements, elements instead of text, or a value that the type rejects.
    Type,
    /// A required element is absent.
    MissingField,
    /// An element is repeated that may stand only once.
    DuplicateField,
    /// A typed text with more than one possible end, see [the module](super#sections-and-typed-text).
    Ambiguous,
    /// An element that a type with `deny_unknown_fields` does not have.
    UnknownField,
    /// A text or an element that names no variant of an enum.
    UnknownVariant,
    /// An element name that XML cannot write.
    Name,
    /// A value that the format cannot write.
    Unsupported,
    /// The writer failed; [`source`](std::error::Error::source) returns its error.
    Io,
    /// An error of the type's own `Serialize` or `Deserialize`.
    Custom,
}

impl ErrorKind {
    /// Whether no type can be read from the document.
    pub(super) fn is_malformed(self) -> bool {
        matches!(self, Self::Eof | Self::Syntax | Self::Doctype | Self::Depth)
    }
}

impl Error {
    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The offset into the input, in bytes; `None` for an error of writing or of a [`Value`](super::Value).
    pub fn offset(&self) -> Option<usize> {
        self.0.offset
    }

    /// The names of the elements around the error, from the root on, joined by dots. Empty outside the
    /// root.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    #[cold]
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            offset: None,
            path: String::new(),
            message: message.into(),
            source: None,
        }))
    }

    #[cold]
    pub(super) fn io(source: io::Error) -> Self {
        let mut error = Self::new(ErrorKind::Io, "the writer failed");
        error.0.source = Some(source);
        error
    }

    #[cold]
    pub(super) fn expected(
        kind: ErrorKind,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self::new(kind, format!("expected {expected}, found {found}"))
    }

    /// A visitor asked a map for a value without its name.
    #[cold]
    pub(super) fn value_before_name() -> Self {
        Self::new(ErrorKind::Custom, "a value was asked for before its name")
    }

    #[cold]
    pub(super) fn repeated(name: &str) -> Self {
        let name = Quoted(name);
        let message = format!("element {name} stands more than once");
        Self::new(ErrorKind::DuplicateField, message)
    }

    #[cold]
    pub(super) fn repeated_in_map(name: &str) -> Self {
        let name = Quoted(name);
        let message = format!(
            "element {name} stands more than once, and a map holds one: use lists as its values, or read the whole as an `xml::Value`"
        );
        Self::new(ErrorKind::DuplicateField, message)
    }

    /// A wrapper with `item`s stands in place of a list's member.
    #[cold]
    pub(super) fn wrapper() -> Self {
        let expected = "a list's member, or `#[serde(with = \"xml::items\")]` on the list";
        Self::expected(ErrorKind::Type, expected, "a wrapper with `item`s")
    }

    /// Sets the offset if it is not set: the innermost caller knows it best.
    #[cold]
    pub(crate) fn at(mut self, offset: usize) -> Self {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// Puts `name` in front of the path. Each element adds its name as the error leaves it.
    #[cold]
    pub(crate) fn inside(mut self, name: &str) -> Self {
        let name = excerpt(name);
        let path = &mut self.0.path;
        *path = if path.is_empty() {
            name
        } else {
            format!("{name}.{path}")
        };
        self
    }
}

impl de::Error for Error {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(ErrorKind::Custom, message.to_string())
    }

    #[cold]
    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::expected(ErrorKind::Type, expected, Found(found))
    }

    #[cold]
    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        // The visitors of the primitives and of `xml::number` name the type of the number they expect.
        if !NUMBERS.contains(&&*expected.to_string()) {
            return Self::expected(ErrorKind::Type, expected, Found(found));
        }
        match found {
            de::Unexpected::Str(text) => scalar::not_a_number(&expected.to_string(), text),
            found => Self::expected(ErrorKind::Number, expected, Found(found)),
        }
    }

    #[cold]
    fn invalid_length(length: usize, expected: &dyn de::Expected) -> Self {
        Self::expected(ErrorKind::Type, expected, format_args!("length {length}"))
    }

    #[cold]
    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let found = Quoted(variant);
        Self::expected(ErrorKind::UnknownVariant, OneOf(expected), found)
    }

    #[cold]
    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::expected(
            ErrorKind::UnknownField,
            OneOf(expected),
            format_args!("element {}", Quoted(field)),
        )
    }

    #[cold]
    fn missing_field(field: &'static str) -> Self {
        // Names with which quick-xml means something else than an element.
        let hint = match field.as_bytes() {
            [b'@', ..] => ": attributes are not read",
            b"$text" | b"$value" => {
                ": an element's text is read by a field of type `String` or of a number, in the struct around the element"
            }
            _ => "",
        };
        Self::new(
            ErrorKind::MissingField,
            format!("missing element `{field}`{hint}"),
        )
    }

    #[cold]
    fn duplicate_field(field: &'static str) -> Self {
        Self::repeated(field)
    }
}

impl ser::Error for Error {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(ErrorKind::Custom, message.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(offset) = self.0.offset {
            write!(f, " at byte {offset}")?;
        }
        if !self.0.path.is_empty() {
            write!(f, " in {}", self.0.path)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("offset", &self.0.offset)
            .field("path", &self.0.path)
            .field("message", &self.0.message)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
    }
}

/// A quoted excerpt of a name or text from the input.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", excerpt(self.0))
    }
}

/// The value that a visitor of serde found, in the words of XML.
struct Found<'a>(de::Unexpected<'a>);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            de::Unexpected::Str(text) => write!(f, "text {}", Quoted(text)),
            de::Unexpected::Map => f.write_str("elements"),
            de::Unexpected::Other(other) => f.write_str(&excerpt(other)),
            other => other.fmt(f),
        }
    }
}

struct OneOf(&'static [&'static str]);

impl fmt::Display for OneOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("nothing"),
            [only] => write!(f, "`{only}`"),
            [first, rest @ ..] => {
                write!(f, "one of `{first}`")?;
                rest.iter().try_for_each(|name| write!(f, ", `{name}`"))
            }
        }
    }
}

/// The first characters of `text`. Characters that could break a log line are escaped.
fn excerpt(text: &str) -> String {
    let mut characters = text.chars();
    let mut excerpt: String = characters
        .by_ref()
        .take(EXCERPT)
        .flat_map(char::escape_debug)
        .collect();
    if characters.next().is_some() {
        excerpt.push('…');
    }
    excerpt
}

/// In characters: enough to recognize a value, too few to reveal a message.
const EXCERPT: usize = 32;

const NUMBERS: [&str; 14] = [
    "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize", "f32",
    "f64",
];
