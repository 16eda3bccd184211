//! Typed text in a document of a type that is not known: one field may be longer than XML says.

use std::collections::HashSet;

use super::{
    Form, Piece, ambiguous,
    fields::IDENTITY,
    scan::{SECTION_END, Scan},
};
use crate::xml::{
    error::{Error, Result},
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
    let Err(error) = survey(input, form, Comments::Refused, &[], &mut fields) else {
        return Ok(Vec::new());
    };
    let is_readable =
        |comments, pieces: &[Piece]| survey(input, form, comments, pieces, &mut Vec::new()).is_ok();
    let mut found = None;
    for piece in candidates(input, &fields) {
        let piece = [piece];
        if is_readable(Comments::Refused, &piece)
            && let Some([other]) = found.replace(piece)
        {
            return Err(ambiguous(other.content));
        }
    }
    match found {
        Some(piece) => Ok(piece.into()),
        // XML with comments. In a message with one typed field, no text could have closed them.
        None if form == Form::Message && is_readable(Comments::Skipped, &[]) => Ok(Vec::new()),
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

/// Reads all fields under the root. In a message, none may stand twice, once with a section.
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
    let root = reader.root()?;
    while let Some(tag) = reader.child(&root)? {
        let is_section = reader.begins_with_section();
        let repeated = !names.insert(tag.name);
        if is_section {
            sections.insert(tag.name);
        }
        if repeated && form != Form::Foreign && sections.contains(tag.name) {
            return Err(reader.inside(&tag, Error::repeated(tag.name)));
        }
        let content = reader.offset();
        fields.push(Field {
            name: tag.name,
            content,
            after: 0,
        });
        reader
            .skip(&tag)
            .map_err(|error| reader.inside(&tag, error))?;
        if let Some(field) = fields.last_mut() {
            field.after = reader.offset();
        }
    }
    reader.end()
}

/// The fields that could be longer, each with its last end.
fn candidates(input: &str, fields: &[Field<'_>]) -> impl Iterator<Item = Piece> {
    let scan = Scan(input);
    let mut names = HashSet::new();
    let fields = fields.iter().filter(move |field| names.insert(field.name));
    let pieces = fields.filter_map(move |field| {
        let start = scan.section(field.content)?;
        let end_tag = format!("{SECTION_END}</{}>", field.name);
        let end = scan.find_back(&end_tag, input.len())?;
        let after = end + end_tag.len();
        let is_longer = end >= start && after != field.after;
        (is_longer && !IDENTITY.contains(&field.name)).then_some(Piece {
            content: field.content,
            value: start..end,
            after,
        })
    });
    // Keeps reading linear. WeChat's messages have fewer fields that a text could repeat.
    pieces.take(CANDIDATES)
}

const CANDIDATES: usize = 8;
