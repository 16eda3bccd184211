//! Well-formed documents of the dialect, written in every way that XML allows.

use proptest::{collection::vec, prelude::*};

/// A document: declaration, what may stand around the root, and elements up to five levels deep.
pub(super) fn document() -> impl Strategy<Value = String> {
    let declaration = prop_oneof![
        3 => Just(""),
        1 => Just("<?xml version=\"1.0\"?>"),
        1 => Just("<?xml version='1.0' encoding='UTF-8' standalone=\"yes\" ?>\r\n"),
    ];
    let root = ("xml( |\n)?", attributes(), content()).prop_map(|(tag, attributes, content)| {
        let content = content.unwrap_or_default();
        format!("<{tag}{attributes}>{content}</xml>")
    });
    (declaration, filler(), root, filler()).prop_map(|(declaration, before, root, after)| {
        format!("{declaration}{before}{root}{after}")
    })
}

/// What stands between the tags of an element; `None` is the self-closing tag.
fn content() -> impl Strategy<Value = Option<String>> {
    let leaf = prop_oneof![
        1 => Just(None),
        9 => vec(piece(), 0..5).prop_map(|pieces| Some(pieces.concat())),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        let child = (filler(), element(inner)).prop_map(|(filler, element)| filler + &element);
        (vec(child, 1..6), filler())
            .prop_map(|(children, filler)| Some(children.concat() + &filler))
    })
}

fn element(content: impl Strategy<Value = Option<String>>) -> impl Strategy<Value = String> {
    (name(), attributes(), "( |\r\n)?", content).prop_map(|(name, attributes, space, content)| {
        match content {
            None => format!("<{name}{attributes}{space}/>"),
            Some(content) => format!("<{name}{attributes}{space}>{content}</{name}{space}>"),
        }
    })
}

/// Few names, so that siblings repeat.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[abc]",
        2 => "[A-Za-z_][A-Za-z0-9_.-]{0,12}",
        1 => Just("字段".to_owned()),
    ]
}

fn attributes() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => Just(String::new()),
        1 => Just(" v='1'".to_owned()),
        1 => Just("\n\tv = \"a>b/>'\" w='&lt;/a>'".to_owned()),
        1 => Just(" v=''  w=\"&amp;\"".to_owned()),
    ]
}

/// What may stand between elements.
fn filler() -> impl Strategy<Value = String> {
    vec(
        prop_oneof![4 => space(), 1 => comment(), 1 => instruction()],
        0..3,
    )
    .prop_map(|fillers| fillers.concat())
}

/// A part of a text.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => bare(),
        4 => section(),
        3 => reference(),
        2 => space(),
        1 => comment(),
        1 => instruction(),
    ]
}

fn bare() -> impl Strategy<Value = String> {
    // Neither markup nor a bare `]]>`, which XML forbids in text.
    characters().prop_map(|text| text.replace(['<', '&', ']'], ""))
}

fn section() -> impl Strategy<Value = String> {
    characters().prop_map(|text| format!("<![CDATA[{}]]>", text.replace("]]>", "]]")))
}

fn reference() -> impl Strategy<Value = String> {
    let solid = any::<char>().prop_filter("white space by number", |c| {
        !c.is_ascii_whitespace() && *c != '\0'
    });
    prop_oneof![
        3 => proptest::sample::select(vec!["&amp;", "&lt;", "&gt;", "&quot;", "&apos;"]).prop_map(Into::into),
        1 => solid.clone().prop_map(|c| format!("&#{};", u32::from(c))),
        1 => solid.clone().prop_map(|c| format!("&#x{:x};", u32::from(c))),
        1 => solid.prop_map(|c| format!("&#x00{:X};", u32::from(c))),
    ]
}

fn space() -> impl Strategy<Value = String> {
    "[ \t\r\n]{1,3}"
}

fn comment() -> impl Strategy<Value = String> {
    characters().prop_map(|text| format!("<!--{}-->", text.replace('-', "")))
}

fn instruction() -> impl Strategy<Value = String> {
    characters().prop_map(|text| format!("<?pi {}?>", text.replace('?', "")))
}

/// Any text, dense in the characters that matter: markup, brackets, white space, control characters.
pub(super) fn characters() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => proptest::char::range('a', 'z'),
        4 => proptest::sample::select("<>&]]]['\"/!?-;= \t\r\n腾讯微信😀\u{3000}\u{a0}\u{feff}0123456789".chars().collect::<Vec<_>>()),
        1 => proptest::char::range('\u{1}', '\u{1f}'),
        1 => any::<char>(),
    ];
    vec(character, 0..12).prop_map(|characters| characters.into_iter().collect())
}
