//! Text that users typed, in documents that WeChat writes without splitting a typed `]]>`.
//!
//! Such a document may not be what it seems: typed text can close its own section and its own field, and
//! go on with markup. A typed text chooses what is near, so no rule about the nearest end is safe. What
//! the text cannot imitate is WeChat's form: which fields are typed, in which order, and what stands
//! around them.
//!
//! - Most documents hold no such text. [`from_str`](super::from_str) reads them as XML in one pass, and
//!   the reader notes every sign of [doubt](Reader::doubt).
//! - A document that is doubtful, or cannot be read, is [looked over](look_over) first. That finds the
//!   [pieces](Piece) of typed text, and a second reading takes them literally.
//!
//! A document of a type with typed fields is cut by its form, see [`cut`]. In any other document one
//! field may be longer than XML says, see [`lengthen`].

mod cut;
mod fields;
mod lengthen;
mod scan;

use std::ops::Range;

pub(crate) use self::fields::IDENTITY;
pub(super) use self::fields::{is_typed, position_in_container};
use self::{
    fields::{TypedFields, typed_fields},
    scan::{SECTION_END, Scan},
};
use super::error::{Error, ErrorKind, Result};

/// A typed field, and where it ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    /// The offset behind the start tag.
    pub(super) content: usize,
    /// The text between the section's start and its end.
    pub(super) value: Range<usize>,
    /// The offset behind the end tag.
    pub(super) after: usize,
}

/// Finds the fields that do not end where XML says.
///
/// # Errors
///
/// If the document is malformed whatever is typed, or if two readings are possible.
pub(super) fn look_over(input: &str) -> Result<Vec<Piece>> {
    match cut::cut(input) {
        Some(Ok(pieces)) => {
            let splits = |piece: &Piece| Scan(input).holds(piece.value.clone(), SECTION_END);
            let any = pieces.iter().any(splits);
            Ok(if any { pieces } else { Vec::new() })
        }
        Some(Err(offset)) => Err(ambiguous(offset)),
        None => lengthen::lengthen(input),
    }
}

#[cold]
fn ambiguous(offset: usize) -> Error {
    let expected = "a typed text with one possible end";
    Error::expected(ErrorKind::Ambiguous, expected, "a text with two").at(offset)
}

/// What the form of a document says about its elements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Form {
    /// Without a MsgType: not a message of WeChat.
    Foreign,
    /// A message of a type that the table of typed fields does not name.
    Message,
    /// A message of a type with these typed fields.
    Typed(&'static TypedFields),
}

impl Form {
    /// By MsgType and Event under the root. WeChat writes only fields without child elements before them.
    pub(super) fn of(input: &str) -> Self {
        Self::read(Scan(input)).unwrap_or(Self::Foreign)
    }

    fn read(scan: Scan<'_>) -> Option<Self> {
        let mut at = scan.root()?;
        let mut next = |name| {
            loop {
                let field = scan.field(scan.skip_misc(at)?)?;
                at = field.after;
                if field.name == name {
                    return Some(field.value);
                }
            }
        };
        let msg_type = next("MsgType")?;
        let fields = typed_fields(msg_type, || next("Event").unwrap_or(""));
        Some(fields.map_or(Self::Message, Self::Typed))
    }

    /// Whether two typed fields may stand side by side.
    fn has_neighbours(self) -> bool {
        match self {
            Self::Foreign | Self::Message => false,
            Self::Typed(fields) => fields.names.len() > 1,
        }
    }

    fn is_typed(self, name: &str) -> bool {
        matches!(self, Self::Typed(fields) if fields.names.contains(&name))
    }

    fn may_be_typed(self, name: &str) -> bool {
        match self {
            Self::Foreign | Self::Message => !IDENTITY.contains(&name),
            Self::Typed(_) => self.is_typed(name),
        }
    }
}
