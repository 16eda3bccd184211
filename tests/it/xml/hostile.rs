//! No input panics, and whatever is read can be written and read again.

use proptest::{collection::vec, prelude::*, sample::Index};
use serde::{Deserialize, de::IgnoredAny};
use tower_wechat::xml::{self, ErrorKind, Value};

use super::document::document;

/// Reads `input` in every way. What is read must be stable: written and read again, it is the same.
fn check(input: &[u8]) {
    let read = xml::from_slice::<Value>(input);
    if let Ok(value) = &read {
        let written = xml::to_vec(value).expect("what was read can be written");
        assert_eq!(
            &xml::from_slice::<Value>(&written).expect("what was written can be read"),
            value
        );
    } else if let Err(error) = &read {
        assert!(
            error.offset().is_some_and(|offset| offset <= input.len()),
            "{error}"
        );
    }
    let ignored = xml::from_slice::<IgnoredAny>(input);
    assert_eq!(
        ignored.is_ok(),
        read.is_ok(),
        "{ignored:?} where Value gives {read:?}"
    );
    // A map cannot keep two children of one name.
    let any = xml::from_slice::<serde_json::Value>(input);
    let repeats = |error: &xml::Error| error.kind() == ErrorKind::DuplicateField && read.is_ok();
    assert!(
        any.is_ok() == read.is_ok() || any.as_ref().is_err_and(repeats),
        "{any:?} where Value gives {read:?}"
    );
    if let (Ok(fields), Ok(value)) = (xml::from_slice::<Fields<'_>>(input), &read) {
        assert_eq!(
            value.read::<OwnedFields>().expect("fits"),
            fields.into_owned()
        );
    }
}

#[derive(Debug, Deserialize)]
struct Fields<'a> {
    #[serde(default, borrow)]
    a: Vec<std::borrow::Cow<'a, str>>,
    b: Option<u64>,
    #[serde(default)]
    c: Vec<IgnoredAny>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct OwnedFields {
    #[serde(default)]
    a: Vec<String>,
    b: Option<u64>,
    #[serde(default, deserialize_with = "count")]
    c: usize,
}

impl Fields<'_> {
    fn into_owned(self) -> OwnedFields {
        OwnedFields {
            a: self.a.into_iter().map(Into::into).collect(),
            b: self.b,
            c: self.c.len(),
        }
    }
}

fn count<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    Vec::<IgnoredAny>::deserialize(deserializer).map(|list| list.len())
}

#[derive(Debug, Clone)]
enum Mutation {
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    Flip(Index, u8),
    Cut(Index),
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Insert(at, inserted) => {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, inserted.iter().copied());
            }
            Self::Remove(at, length) => {
                let at = at.index(bytes.len() + 1);
                bytes.drain(at..(at + length).min(bytes.len()));
            }
            Self::Repeat(at, length) => {
                let at = at.index(bytes.len() + 1);
                let slice = bytes[at..(at + length).min(bytes.len())].to_vec();
                bytes.splice(at..at, slice);
            }
            Self::Flip(at, mask) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] ^= mask;
            }
            Self::Flip(..) => {}
            Self::Cut(at) => bytes.truncate(at.index(bytes.len() + 1)),
        }
    }
}

fn markup() -> impl Strategy<Value = Vec<u8>> {
    proptest::sample::select(vec![
        "<",
        ">",
        "/",
        "&",
        ";",
        "&#",
        "&amp;",
        "]]>",
        "]]",
        "<![CDATA[",
        "<![CDATA[]]>",
        "</",
        "</a>",
        "<a>",
        "<a/>",
        "<b>7</b>",
        "</xml>",
        "<xml>",
        "<!--",
        "-->",
        "<?",
        "?>",
        "<!DOCTYPE",
        " ",
        "\0",
        "\u{feff}",
        "x",
        "=\"",
    ])
    .prop_map(|markup| markup.as_bytes().to_vec())
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<Index>;
    prop_oneof![
        4 => (at(), markup()).prop_map(|(at, markup)| Mutation::Insert(at, markup)),
        1 => (at(), vec(any::<u8>(), 1..4)).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        2 => (at(), 1..12_usize).prop_map(|(at, length)| Mutation::Remove(at, length)),
        2 => (at(), 1..40_usize).prop_map(|(at, length)| Mutation::Repeat(at, length)),
        1 => (at(), 1..=255_u8).prop_map(|(at, mask)| Mutation::Flip(at, mask)),
        1 => at().prop_map(Mutation::Cut),
    ]
}

proptest! {
    #[test]
    fn arbitrary_bytes(bytes in vec(any::<u8>(), 0..200)) {
        check(&bytes);
    }

    #[test]
    fn arbitrary_markup(markup in vec(markup(), 0..24)) {
        check(&markup.concat());
        check(&[b"<xml><a>", &*markup.concat(), b"</a></xml>"].concat());
        check(&[b"<xml><a><![CDATA[", &*markup.concat(), b"]]></a></xml>"].concat());
    }

    #[test]
    fn mutated_documents(document in document(), mutations in vec(mutation(), 1..5)) {
        let mut bytes = document.into_bytes();
        for mutation in &mutations {
            mutation.apply(&mut bytes);
        }
        check(&bytes);
    }

    /// A message is whole or it is refused: no prefix of a document is one.
    #[test]
    fn no_prefix_is_a_document(document in document(), at in any::<Index>()) {
        let end = document.rfind("</xml").expect("a root") + "</xml".len();
        let mut at = at.index(end + 1);
        while !document.is_char_boundary(at) {
            at -= 1;
        }
        prop_assert!(xml::from_str::<Value>(&document[..at]).is_err());
    }
}

/// Big and repetitive: what would overflow a stack, or take minutes where the reading is not linear.
#[test]
fn large_hostile_documents() {
    const MANY: usize = 100_000;
    for input in [
        "<a>".repeat(MANY),
        format!("<xml>{}", "<a>".repeat(MANY)),
        format!("<xml>{}</xml>", "<a/>".repeat(MANY)),
        format!("<xml>{}</xml>", "<a/><b/>".repeat(MANY)),
        format!("<xml>{}</xml>", "<a>x</a><c/>".repeat(MANY)),
        format!("<xml><a>{}</a></xml>", "&amp;".repeat(MANY)),
        format!("<xml><a>{}</a></xml>", "&".repeat(MANY)),
        format!("<xml><a>{}</a></xml>", "<![CDATA[]]>".repeat(MANY)),
        format!("<xml><a>{}", "<![CDATA[x]]>".repeat(MANY)),
        format!("<xml><a>{}</a></xml>", "<![CDATA[x]]><".repeat(MANY)),
        format!("<xml>{}</xml>", "<a><![CDATA[x]]><".repeat(MANY)),
        format!("<xml>{}</xml>", "<a><![CDATA[x]]>]]></b>".repeat(MANY)),
        format!("<xml>{}</xml>", "<!-- <a> -->".repeat(MANY)),
        format!("<xml{}/>", " a='b'".repeat(MANY)),
        format!("<xml><a>{}</a></xml>", "]".repeat(MANY)),
        format!("<xml><{0}>x</{0}></xml>", "n".repeat(MANY)),
        " ".repeat(MANY),
    ] {
        check(input.as_bytes());
    }
}
