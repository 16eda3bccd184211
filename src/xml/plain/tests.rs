//! The first reading and that of any document agree.

use std::{collections::BTreeMap, fmt::Debug, fs, path::Path};

use proptest::{collection::vec, prelude::*, sample::select};
use serde::{Deserialize, de::IgnoredAny};

use super::from_str;
use crate::{
    Message,
    message::VoiceMessage,
    xml::{self, Value, any_from_str},
};

/// A type that asks for all that the format knows.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Everything {
    to_user_name: Option<String>,
    create_time: Option<u32>,
    msg_type: Option<Kind>,
    #[serde(default)]
    content: Vec<String>,
    label: Option<String>,
    #[serde(default, deserialize_with = "xml::optional_number")]
    scale: Option<f64>,
    flag: Option<bool>,
    letter: Option<char>,
    list: Option<List>,
    send_location_info: Option<Inner>,
    any: Option<Any>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Text,
    Location,
    Event,
}

#[derive(Debug, PartialEq, Deserialize)]
struct List {
    #[serde(default)]
    item: Vec<Inner>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inner {
    label: Option<String>,
    poiname: Option<String>,
    list: Option<Vec<u8>>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Any {
    Number(u64),
    Text(String),
    Elements(BTreeMap<String, String>),
}

#[derive(Debug, PartialEq, Deserialize)]
struct Flat {
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// What the first reading reads alone.
fn first<'de, T: Deserialize<'de>>(document: &'de str) -> Option<T> {
    from_str(document, |_| Err(xml::Error::value_before_name())).ok()
}

/// Returns whether the first reading reads `document` as a `T`.
#[track_caller]
fn agree<'de, T: Deserialize<'de> + Debug>(document: &'de str) -> bool {
    let first = first::<T>(document).map(|value| format!("{value:?}"));
    if let Some(first) = &first {
        let any = any_from_str::<T>(document).map(|value| format!("{value:?}"));
        assert_eq!(any.as_ref().ok(), Some(first), "{any:?}: {document}");
    }
    first.is_some()
}

/// Documents that are plain or nearly so: fields that types above know, with texts that imitate markup.
fn document() -> impl Strategy<Value = String> {
    let name = select(vec![
        "ToUserName",
        "CreateTime",
        "MsgType",
        "Event",
        "Content",
        "Label",
        "Scale",
        "Flag",
        "Letter",
        "List",
        "SendLocationInfo",
        "Any",
        "item",
        "Poiname",
        "Title",
        "MsgId",
        "Unknown",
        "a1",
    ]);
    let text = select(vec![
        "",
        " ",
        "1",
        "0",
        "01",
        "true",
        "a",
        "7.5",
        "-3",
        "text",
        "location",
        "event",
        "location_select",
        "微信",
        "a ]] b > c",
        "12345678901234567890",
        "<![CDATA[]]>",
        "<![CDATA[ x ]]>",
        "<![CDATA[text]]>",
        "<![CDATA[location]]>",
        "<![CDATA[1]]>",
        "<![CDATA[<MsgType>text</MsgType>]]>",
        " <![CDATA[y]]> ",
        "<![CDATA[]]></Content><Content><![CDATA[]]>",
        "<![CDATA[]]></Label><Title>t</Title><Label><![CDATA[]]>",
        "&amp;",
        "<!-- x -->",
        "]]>",
        "<",
        "<b/>",
        "<![CDATA[y",
    ]);
    let leaf = (name.clone(), text).prop_map(|(name, text)| format!("<{name}>{text}</{name}>"));
    let element = leaf.prop_recursive(3, 24, 6, move |inner| {
        (name.clone(), vec(inner, 0..6), select(vec!["", "\n", " "])).prop_map(
            |(name, inner, white)| format!("<{name}>{white}{}{white}</{name}>", inner.join(white)),
        )
    });
    let head = select(vec![
        "",
        "<MsgType>text</MsgType>",
        "<MsgType><![CDATA[event]]></MsgType><Event>location_select</Event>",
        "<ToUserName>gh</ToUserName><CreateTime>1</CreateTime><MsgType><![CDATA[location]]></MsgType>",
    ]);
    let end = select(vec![
        "</xml>", "</xml>\n", "</xml>\0", "</xml>x", "</xm>", "",
    ]);
    (head, vec(element, 0..8), select(vec!["", "\n"]), end).prop_map(
        |(head, elements, white, end)| {
            format!("<xml>{white}{head}{}{white}{end}", elements.join(white))
        },
    )
}

proptest! {
    #[test]
    fn both_readings_agree(document in document()) {
        agree::<Everything>(&document);
        agree::<Inner>(&document);
        agree::<Flat>(&document);
        agree::<Any>(&document);
        agree::<Value>(&document);
        agree::<BTreeMap<String, Value>>(&document);
        agree::<BTreeMap<String, Vec<String>>>(&document);
        agree::<IgnoredAny>(&document);
        agree::<serde_json::Value>(&document);
        agree::<Message>(&document);
        agree::<VoiceMessage>(&document);
    }
}

/// No type of message pays for a first reading that fails.
#[test]
fn every_sample_is_plain() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures");
    let mut samples = 0;
    for folder in ["message", "event"] {
        for entry in fs::read_dir(fixtures.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "xml") {
                continue;
            }
            let document = fs::read_to_string(&path).unwrap();
            if document.contains("<!--") {
                continue;
            }
            assert!(agree::<Message>(&document), "{}", path.display());
            samples += 1;
        }
    }
    assert!(samples > 50, "{samples}");
}
