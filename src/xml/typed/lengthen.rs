//! Typed text in a document of a type that is not known: one field may be longer than XML says.

use std::collections::HashSet;

use super::{Form, Piece, ambiguous, scan::Scan};
use crate::xml::{
    error::{ErrorKind, Result},
    read::{Comments, Reader},
};

/// Finds the one field under the root that makes the document readable if it ends at its last end tag.
///
/// Nothing is found if the document is readable as it is.
///
/// # Errors
///
/// If no field makes it readable, or more than one.
pub(super) fn lengthen(input: &str) -> Result<Vec<Piece>> {
    let form = Form::of(input);
    let mut fields = Vec::new();
    let error = match survey(input, form, Comments::Refused, &[], &mut fields) {
        Ok(()) => return Ok(Vec::new()),
        // XML, but perhaps also one text that imitates a list.
        Err(error) if error.kind() == ErrorKind::Ambiguous => return Err(error),
        Err(error) => error,
    };
    let is_readable =
        |comments, pieces: &[Piece]| survey(input, form, comments, pieces, &mut Vec::new()).is_ok();
    let mut found = None;
    for piece in candidates(input, form, &fields) {
        let piece = [piece];
        if is_readable(Comments::Refused, &piece)
            && let Some([other]) = found.replace(piece)
        {
            return Err(ambiguous(other.content));
        }
    }
    match found {
        Some(piece) => Ok(piece.into()),
        // XML with comments, which the text of one field cannot close.
        None if !form.has_neighbours() && is_readable(Comments::Skipped, &[]) => Ok(Vec::new()),
        None => Err(error),
    }
}

/// A field under the root.
struct Field<'de> {
    name: &'de str,
    /// The offset behind the start tag.
    content: usize,
    /// The offset behind the end tag; 0 if it was not found.
    after: usize,
}

/// Reads all fields under the root. In a message, none may stand twice, once with a section, but side by
/// side. In a message with typed fields, none of them may stand inside another element.
///
/// # Errors
///
/// If the document is malformed. `fields` holds those up to the error, then.
fn survey<'de>(
    input: &'de str,
    form: Form,
    comments: Comments,
    pieces: &[Piece],
    fields: &mut Vec<Field<'de>>,
) -> Result<()> {
    let mut reader = Reader::again(input, comments, pieces.to_vec());
    let mut names = HashSet::new();
    let mut sections = HashSet::new();
    let mut repeated = None;
    let root = reader.root()?;
    while let Some(tag) = reader.child(&root)? {
        if reader.begins_with_section() {
            sections.insert(tag.name);
        }
        let is_list =
            fields.last().is_some_and(|field| field.name == tag.name) && !form.is_typed(tag.name);
        if !names.insert(tag.name) && !is_list && sections.contains(tag.name) {
            repeated.get_or_insert(reader.offset_of(&tag));
        }
        fields.push(Field {
            name: tag.name,
            content: reader.offset(),
            after: 0,
        });
        reader
            .skip(&tag)
            .map_err(|error| reader.inside(&tag, error))?;
        if let Some(field) = fields.last_mut() {
            field.after = reader.offset();
        }
    }
    reader.end()?;
    match repeated {
        Some(offset) if form != Form::Foreign => Err(ambiguous(offset)),
        _ if reader.doubt() => Err(ambiguous(reader.offset_of(&root))),
        _ => Ok(()),
    }
}

/// The fields that could be longer, each with its last end.
fn candidates(input: &str, form: Form, fields: &[Field<'_>]) -> impl Iterator<Item = Piece> {
    let scan = Scan(input);
    let ends = scan.last_section_ends();
    let mut names = HashSet::new();
    let fields = fields
        .iter()
        .filter(move |field| names.insert(field.name) && form.may_be_typed(field.name));
    let pieces = fields.filter_map(move |field| {
        let start = scan.section(field.content)?;
        let &(end, after) = ends.get(field.name)?;
        (end >= start && after != field.after).then_some(Piece {
            content: field.content,
            value: start..end,
            after,
        })
    });
    // Keeps reading linear. WeChat's messages have fewer fields that a text could repeat.
    pieces.take(CANDIDATES)
}

const CANDIDATES: usize = 8;
