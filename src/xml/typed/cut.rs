//! Where typed fields end, by the form that WeChat gives a message.
//!
//! WeChat's own fields in front of the first typed one and behind the last cannot be imitated: the former
//! are read forwards from the root's start tag, the latter backwards from its end tag. What lies between
//! is typed, and is cut where WeChat's markup between two neighbours stands first.

use std::ops::Range;

use super::{
    Piece,
    fields::{TypedFields, typed_fields},
    scan::{SECTION, SECTION_END, Scan},
};

/// The typed fields of a document, in their order.
///
/// `None` if the document is not of a type with typed fields, or does not have WeChat's form.
///
/// # Errors
///
/// The offset of a boundary that stands twice, so that one of the two is typed.
pub(super) fn cut(input: &str) -> Option<Result<Vec<Piece>, usize>> {
    let scan = Scan(input);
    let first = first(scan)?;
    let last = last(scan, &first)?;
    let fields = first.fields.names.get(first.position..=last.position)?;
    let all = pieces(scan, fields, &first, &last);
    let &[start, _, .., end] = fields else {
        return all;
    };
    // A field in the middle may be absent.
    let without = pieces(scan, &[start, end], &first, &last);
    match all {
        Some(_) if without.is_some() => Some(Err(first.content)),
        all => all.or(without),
    }
}

fn pieces(
    scan: Scan<'_>,
    names: &[&str],
    first: &First,
    last: &Last,
) -> Option<Result<Vec<Piece>, usize>> {
    let mut pieces = Vec::new();
    let mut content = first.content;
    for pair in names.windows(2) {
        let &[name, next] = pair else { continue };
        let boundary = |from| Boundary::find(scan, from..last.end, [name, next], first.fields);
        let start = scan.section(content)?;
        let found = boundary(start)?;
        if first.fields.fields_between && boundary(found.end + 1).is_some() {
            return Some(Err(found.end));
        }
        pieces.push(Piece {
            content,
            value: start..found.end,
            after: found.after,
        });
        content = found.next_content;
    }
    let start = scan.section(content).filter(|&start| start <= last.end)?;
    pieces.push(Piece {
        content,
        value: start..last.end,
        after: last.after,
    });
    Some(Ok(pieces))
}

/// WeChat's markup between two typed fields.
struct Boundary {
    /// The offset of the section's end.
    end: usize,
    /// The offset behind the end tag.
    after: usize,
    /// The offset behind the next field's start tag.
    next_content: usize,
}

impl Boundary {
    /// The first one in `range`.
    fn find(
        scan: Scan<'_>,
        range: Range<usize>,
        [name, next]: [&str; 2],
        fields: &TypedFields,
    ) -> Option<Self> {
        let mut from = range.start;
        loop {
            let end = scan.find(SECTION_END, from)?;
            let end_tag = scan.skip_white(end + SECTION_END.len());
            if end_tag > range.end {
                return None;
            }
            if let Some(after) = scan.behind(end_tag, &["</", name, ">"])
                && let Some(next_content) = Self::next(scan, after..range.end, [name, next], fields)
            {
                return Some(Self {
                    end,
                    after,
                    next_content,
                });
            }
            from = end + 1;
        }
    }

    /// The content of the field `next`, if it begins with a section, and fields of WeChat stand in front
    /// of it where WeChat writes them.
    fn next(
        scan: Scan<'_>,
        range: Range<usize>,
        [name, next]: [&str; 2],
        fields: &TypedFields,
    ) -> Option<usize> {
        let between = if fields.fields_between {
            1..=FIELDS_BETWEEN
        } else {
            0..=0
        };
        let mut at = range.start;
        for passed in 0..=*between.end() {
            at = scan.skip_white(at);
            if let Some(content) = scan.behind(at, &["<", next, ">"]) {
                let begins = scan.section(content)? <= range.end && between.contains(&passed);
                return begins.then_some(content);
            }
            let field = scan.field(at)?;
            if field.name == name || field.after > range.end {
                return None;
            }
            at = field.after;
        }
        None
    }
}

/// At most so many fields of WeChat stand between two typed ones. It writes one today.
const FIELDS_BETWEEN: usize = 4;

/// The first typed field that begins with a section.
struct First {
    fields: &'static TypedFields,
    /// Among the typed fields.
    position: usize,
    /// The offset behind the start tag.
    content: usize,
}

/// The last typed field that ends with a section.
struct Last {
    position: usize,
    /// The offset of the section's end.
    end: usize,
    /// The offset behind the end tag.
    after: usize,
}

fn first(scan: Scan<'_>) -> Option<First> {
    let mut at = scan.root()?;
    let (mut msg_type, mut event) = ("", "");
    let mut inside = false;
    loop {
        at = scan.skip_misc(at)?;
        let fields = typed_fields(msg_type, || event);
        if let Some(fields) = fields {
            let container = fields.container.filter(|_| !inside);
            if let Some(container) = container {
                if let Some(content) = scan.behind(at, &["<", container, ">"]) {
                    inside = true;
                    at = content;
                    continue;
                }
            } else if let Some((position, content)) = fields.at(scan, at) {
                return Some(First {
                    fields,
                    position,
                    content,
                });
            }
        }
        let field = scan.field(at)?;
        match field.name {
            "MsgType" => msg_type = field.value,
            "Event" => event = field.value,
            _ => {}
        }
        at = field.after;
    }
}

fn last(scan: Scan<'_>, first: &First) -> Option<Last> {
    let mut container = first.fields.container;
    let mut at = scan.root_end()?;
    while at >= first.content {
        let after = scan.skip_white_back(at);
        if scan.before(after, &[">"]).is_none() {
            // A text beside elements.
            at = scan.find_back(">", after)? + 1;
            continue;
        }
        let (name, end_tag) = scan.end_tag_before(after)?;
        if container == Some(name) {
            container = None;
            at = end_tag;
            continue;
        }
        let content_end = scan.skip_white_back(end_tag);
        let section_end = scan.before(content_end, &[SECTION_END]);
        let position = first.fields.names.iter().position(|&typed| typed == name);
        if let (None, Some(position), Some(end)) = (container, position, section_end) {
            return (position >= first.position).then_some(Last {
                position,
                end,
                after,
            });
        }
        let content = match section_end {
            Some(end) => scan.skip_white_back(scan.find_back(SECTION, end)?),
            None => scan.find_back(">", end_tag)? + 1,
        };
        at = scan.before(content, &["<", name, ">"])?;
    }
    None
}
