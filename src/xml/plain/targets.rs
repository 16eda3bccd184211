//! Types that ask for all that the format knows. The fuzz target `xml_readings` reads them too.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fmt::Debug,
};

use serde::{Deserialize, de::IgnoredAny};

use super::{EventMessage, Message, VoiceMessage, xml};

/// Checks one reading of a type.
pub(super) trait Check {
    fn check<'de, T: Deserialize<'de> + PartialEq + Debug>(&mut self, document: &'de str);
}

/// Checks every type.
pub(super) fn check_all(document: &str, check: &mut impl Check) {
    check.check::<Everything>(document);
    check.check::<Borrowed<'_>>(document);
    check.check::<Head<'_>>(document);
    check.check::<Inner>(document);
    check.check::<Flat>(document);
    check.check::<Any>(document);
    check.check::<Tagged>(document);
    check.check::<xml::Value>(document);
    check.check::<HashMap<String, String>>(document);
    check.check::<BTreeMap<String, xml::Value>>(document);
    check.check::<BTreeMap<String, Vec<String>>>(document);
    check.check::<IgnoredAny>(document);
    check.check::<serde_json::Value>(document);
    check.check::<Message>(document);
    check.check::<EventMessage>(document);
    check.check::<VoiceMessage>(document);
}

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
    pair: Option<(i8, i8)>,
    list: Option<List>,
    #[serde(default, with = "xml::items")]
    #[serde(rename = "ResultList")]
    items: Vec<Inner>,
    send_location_info: Option<Inner>,
    any: Option<Any>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Text,
    Location,
    Event,
    #[serde(other)]
    Other,
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

/// What WeChat's texts are borrowed into.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Borrowed<'a> {
    to_user_name: &'a str,
    #[serde(default, borrow)]
    msg_type: Cow<'a, str>,
    #[serde(default, borrow)]
    content: Cow<'a, str>,
    #[serde(default, borrow)]
    title: Vec<Cow<'a, str>>,
    msg_id: Option<u64>,
}

/// The fields of a message's head, as the crate reads it.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Head<'a> {
    #[serde(borrow, default)]
    to_user_name: Cow<'a, str>,
    #[serde(borrow, default)]
    from_user_name: Cow<'a, str>,
    #[serde(borrow, default)]
    create_time: Cow<'a, str>,
    #[serde(borrow, default)]
    msg_type: Cow<'a, str>,
    #[serde(borrow, default)]
    event: Cow<'a, str>,
    #[serde(borrow, default, alias = "MsgID")]
    msg_id: Cow<'a, str>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Flat {
    #[serde(flatten)]
    rest: BTreeMap<String, xml::Value>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Any {
    Number(u64),
    Text(String),
    Elements(BTreeMap<String, String>),
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "MsgType", rename_all = "lowercase")]
enum Tagged {
    #[serde(rename_all = "PascalCase")]
    Text { content: String },
    #[serde(rename_all = "PascalCase")]
    Location {
        #[serde(deserialize_with = "xml::number")]
        scale: u8,
        label: Option<String>,
    },
}
