//! Which fields hold what a user typed.

use super::scan::Scan;
use crate::xml::read::trim;

/// The typed fields of one kind of message.
#[derive(Debug, PartialEq)]
pub(in crate::xml) struct TypedFields {
    /// The element around the fields, if they do not stand under the root.
    pub(super) container: Option<&'static str>,
    /// In the order in which WeChat writes them.
    pub(super) names: &'static [&'static str],
    /// Whether WeChat writes fields of its own between them.
    pub(super) fields_between: bool,
}

impl TypedFields {
    /// Whether no typed text in `input` ends its section early, as far as the end tags tell. A text that
    /// closes its field leaves a second end tag.
    pub(in crate::xml) fn hold(&self, input: &str) -> bool {
        let mut seen = 0_u8;
        let names = || self.names.iter().chain(&self.container);
        Scan(input).end_tag_names().all(|found| {
            let position = names().position(|name| *name == found);
            let bit = position.map_or(0, |position| 1 << position);
            let is_first = seen & bit == 0;
            seen |= bit;
            is_first
        })
    }

    /// The typed field that begins with a section at `at`: its position, and the offset of its content.
    pub(super) fn at(&self, scan: Scan<'_>, at: usize) -> Option<(usize, usize)> {
        let mut names = self.names.iter().enumerate();
        let (position, content) = names
            .find_map(|(position, name)| Some((position, scan.behind(at, &["<", name, ">"])?)))?;
        scan.section(content).map(|_| (position, content))
    }
}

const fn typed(names: &'static [&'static str]) -> TypedFields {
    TypedFields {
        container: None,
        names,
        fields_between: false,
    }
}

const fn inside(container: &'static str, names: &'static [&'static str]) -> TypedFields {
    TypedFields {
        container: Some(container),
        names,
        fields_between: false,
    }
}

static BY_MSG_TYPE: &[(&str, TypedFields)] = &[
    ("text", typed(&["Content"])),
    ("link", typed(&["Title", "Description", "Url"])),
    ("location", typed(&["Label"])),
    ("file", typed(&["Title", "Description"])),
    ("voice", typed(&["Recognition"])),
    (
        "miniprogrampage",
        TypedFields {
            container: None,
            names: &["Title", "PagePath"],
            // An AppId.
            fields_between: true,
        },
    ),
];

static BY_EVENT: &[(&str, TypedFields)] = &[
    (
        "location_select",
        inside("SendLocationInfo", &["Label", "Poiname"]),
    ),
    ("scancode_push", inside("ScanCodeInfo", &["ScanResult"])),
    ("scancode_waitmsg", inside("ScanCodeInfo", &["ScanResult"])),
];

/// The typed fields of messages with this MsgType and this Event, in any case.
pub(super) fn typed_fields<'a>(
    msg_type: &'a str,
    event: impl FnOnce() -> &'a str,
) -> Option<&'static TypedFields> {
    let msg_type = trim(msg_type);
    let (table, name) = if msg_type.eq_ignore_ascii_case("event") {
        (BY_EVENT, trim(event()))
    } else {
        (BY_MSG_TYPE, msg_type)
    };
    let mut rows = table.iter();
    let (_, fields) = rows.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    Some(fields)
}

/// Fields that tell messages apart and address their replies. WeChat fills them, never a user.
pub(crate) const IDENTITY: [&str; 7] = [
    "ToUserName",
    "FromUserName",
    "CreateTime",
    "MsgType",
    "Event",
    "MsgId",
    "InfoType",
];

/// Whether a typed field of some message has this name.
#[inline]
pub(in crate::xml) fn is_typed(name: &str) -> bool {
    // Bytes are compared by their length first, texts one after the other.
    matches!(
        name.as_bytes(),
        b"Content"
            | b"Title"
            | b"Description"
            | b"Url"
            | b"Label"
            | b"Poiname"
            | b"Recognition"
            | b"PagePath"
            | b"ScanResult"
    )
}

/// The position of `name` among the typed fields that stand in a container.
pub(in crate::xml) fn position_in_container(name: &str) -> Option<usize> {
    IN_CONTAINERS.iter().position(|typed| *typed == name)
}

const IN_CONTAINERS: [&str; 3] = ["Label", "Poiname", "ScanResult"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_typed_name_is_known_as_one() {
        for (_, fields) in BY_MSG_TYPE.iter().chain(BY_EVENT) {
            assert!(fields.names.iter().all(|name| is_typed(name)), "{fields:?}");
        }
    }

    /// Text in the neighbour of a field could put it into another element once.
    #[test]
    fn a_name_in_a_container_has_no_neighbour_elsewhere() {
        for (_, fields) in BY_MSG_TYPE.iter().chain(BY_EVENT) {
            let alone = fields.names.len() == 1;
            for name in fields.names {
                let is_known = position_in_container(name).is_some();
                match fields.container {
                    Some(_) => assert!(is_known, "{name}"),
                    None => assert!(alone || !is_known, "{name}"),
                }
            }
        }
    }
}
