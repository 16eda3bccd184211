//! Reading takes linear time, and a lookahead consumes nothing.

use std::{cell::Cell, collections::HashMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor},
};

use super::{
    ErrorKind, Value,
    lookahead::{self, Lookahead},
};

thread_local! {
    static STEPS: Cell<usize> = const { Cell::new(0) };
}

/// Counts the bytes that a reader passes on this thread. Only builds of these tests call it.
pub(super) fn count(steps: usize) {
    STEPS.with(|counted| counted.set(counted.get() + steps));
}

/// Reads inputs that `shape` makes of two sizes. Checks that twice the bytes take about twice the steps.
#[track_caller]
pub(crate) fn check_linear<T: DeserializeOwned>(shape: impl Fn(usize) -> String) {
    let steps = |size| {
        let input = shape(size);
        STEPS.set(0);
        // A document that fails has to fail in linear time, too.
        let _ = super::from_str::<T>(&input);
        let steps = STEPS.get();
        assert!(
            steps <= 100 * input.len(),
            "{steps} steps for {} bytes",
            input.len()
        );
        steps
    };
    let (once, twice) = (steps(500), steps(1000));
    assert!(
        2 * twice <= 5 * once,
        "{once} steps, {twice} for twice the input"
    );
}

/// The elements in the order in which [`Looking`] saw them, and the answers to its two requests.
#[derive(Debug, PartialEq)]
struct Seen(Vec<String>);

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(lookahead::ELEMENTS, Looking)
    }
}

/// Reads `a` as a list, then looks ahead twice, then reads all other elements.
struct Looking;

impl<'de> Visitor<'de> for Looking {
    type Value = Seen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("elements")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Seen, A::Error> {
        let mut requests = vec![lookahead::EVENT, lookahead::MSG_TYPE];
        let mut seen = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            seen.push(if name == "a" {
                format!("a={:?}", map.next_value::<Vec<u8>>()?)
            } else if let Some(request) = requests.pop() {
                format!("{:?}", map.next_value_seed(Lookahead::<u8>::new(request))?)
            } else {
                format!("{name}={}", map.next_value::<String>()?)
            });
        }
        Ok(Seen(seen))
    }
}

#[track_caller]
fn check_lookahead(content: &str, expected: &[&str]) {
    let seen: Seen = super::from_str(&document(content)).unwrap();
    assert_eq!(seen.0, expected, "{content}");
    let value: Value = super::from_str(&document(content)).unwrap();
    assert_eq!(Seen::deserialize(&value).unwrap(), seen, "{content}");
}

#[test]
fn a_lookahead_consumes_nothing() {
    let read = ["Some(1)", "Some(2)", "b=3", "MsgType=1", "Event=2", "c=4"];
    let content = "<b>3</b><MsgType>1</MsgType><Event>2</Event><c>4</c>";
    check_lookahead(content, &read);
    // Tags that WeChat does not write so.
    check_lookahead(&content.replace("<b>", "<!-- x --><b y='z' >"), &read);
    check_lookahead(
        "<b>3</b><Event>2</Event><c>4</c><MsgType>1</MsgType>",
        &["Some(1)", "Some(2)", "b=3", "Event=2", "c=4", "MsgType=1"],
    );
    check_lookahead("<MsgType>1</MsgType>", &["Some(1)", "None", "MsgType=1"]);
    check_lookahead("<b>3</b>", &["None", "None", "b=3"]);
    check_lookahead("<b/>", &["None", "None", "b="]);
    check_lookahead("", &[]);
}

#[test]
fn a_lookahead_behind_a_scattered_list_consumes_nothing() {
    check_lookahead(
        "<a>5</a><b>3</b><MsgType>1</MsgType><a>6</a><Event>2</Event><a>7</a>",
        &[
            "a=[5, 6, 7]",
            "Some(1)",
            "Some(2)",
            "b=3",
            "MsgType=1",
            "Event=2",
        ],
    );
}

#[test]
fn an_error_of_a_lookahead_is_inside_the_field_that_was_found() {
    let input = document("<b>3</b><MsgType>x</MsgType>");
    let error = super::from_str::<Seen>(&input).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected u8, found `x` at byte 13 in xml.MsgType"
    );
    let value: Value = super::from_str(&input).unwrap();
    assert_eq!(Seen::deserialize(&value).unwrap_err().path(), "MsgType");
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Lists {
    a: Vec<String>,
    b: Vec<String>,
    c: Vec<Lists>,
}

fn document(content: &str) -> String {
    format!("<xml>{content}</xml>")
}

fn check_every_target(shape: impl Fn(usize) -> String + Copy) {
    check_linear::<Value>(shape);
    check_linear::<serde::de::IgnoredAny>(shape);
    check_linear::<Lists>(shape);
    check_linear::<HashMap<String, Vec<String>>>(shape);
    check_linear::<HashMap<String, Vec<Value>>>(shape);
    check_linear::<HashMap<String, Option<String>>>(shape);
    check_linear::<crate::message::Message>(shape);
}

/// As many names as there are elements, each with a text that looks typed, in a document that is broken.
#[test]
fn many_names() {
    check_every_target(|size| {
        let fields: Vec<_> = (0..size)
            .map(|n| format!("<n{n}><![CDATA[]]></n{n}>"))
            .collect();
        document(&format!("<MsgType>new</MsgType>{}<b>", fields.concat()))
    });
    check_every_target(|size| {
        let empty: Vec<_> = (0..size).map(|n| format!("<n{n}/>")).collect();
        document(&format!("{0}<c>{0}</c>", empty.concat()))
    });
}

#[test]
fn many_siblings() {
    check_every_target(|size| document(&"<a>1</a>".repeat(size)));
}

#[test]
fn scattered_lists() {
    check_every_target(|size| document(&"<a>1</a><b>2</b>".repeat(size)));
}

#[test]
fn scattered_lists_at_every_depth() {
    check_every_target(|size| {
        let leaf = "<a>1</a><b>2</b>".repeat(size);
        document(&(0..14).fold(leaf, |inner, _| format!("<a>0</a><c>{inner}</c><a>1</a>")))
    });
}

#[test]
fn many_lists() {
    check_every_target(|size| {
        let once: Vec<_> = (0..size).map(|n| format!("<n{n}>1</n{n}>")).collect();
        document(&once.concat().repeat(2))
    });
}

#[test]
fn unclosed_sections() {
    check_every_target(|size| document(&"<a><![CDATA[".repeat(size)));
    check_every_target(|size| document(&"<a><![CDATA[x]]>".repeat(size)));
    check_every_target(|size| document(&format!("<a><![CDATA[{}", "]]".repeat(size))));
    check_every_target(|size| document(&format!("<a><![CDATA[{}</a>", "]]></b>".repeat(size))));
}

#[test]
fn sections_that_wechat_did_not_split() {
    check_every_target(|size| document(&"<a><![CDATA[x]]>y]]></a>".repeat(size)));
    check_every_target(|size| document(&"<a><![CDATA[x]]><b>]]></a>".repeat(size)));
}

/// A text beside elements fails as a leaf at each depth, in a document with a candidate for each reading.
#[test]
fn texts_beside_elements_at_every_depth() {
    let fields = |format: fn(usize) -> String| (0..8).map(format).collect::<String>();
    check_every_target(|size| {
        let starts = fields(|n| format!("<n{n}><![CDATA[]]></n{n}>"));
        let ends = fields(|n| format!("]]></n{n}>"));
        let deep = format!("{}t<a/>{}", "t<g>".repeat(10), "</g>".repeat(10));
        document(&format!(
            "<MsgType>new</MsgType>{starts}<b>{}</b>{ends}<b",
            deep.repeat(size / 20)
        ))
    });
}

#[test]
fn comments_that_swallow_what_follows() {
    check_every_target(|size| document(&"<a><![CDATA[x]]><!-- ]]></a>".repeat(size)));
    check_every_target(|size| {
        document(&format!(
            "{}--> ]]>",
            "<a><![CDATA[x]]><!-- ]]></a>".repeat(size)
        ))
    });
    check_every_target(|size| document(&"<a><?x ]]></a>".repeat(size)));
}

#[test]
fn white_space_and_attributes() {
    check_every_target(|size| document(&format!("<a{}>1</a>", " ".repeat(size))));
    check_every_target(|size| document(&format!("<a{}>1</a>", " b='c'".repeat(size))));
    check_every_target(|size| document(&format!("<a>1</a{}", " ".repeat(size))));
    check_every_target(|size| document(&"<!-- -->".repeat(size)));
}

#[test]
fn depth_is_bounded() {
    let nested = |depth| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(super::from_str::<Value>(&nested(16)).is_ok());
    let error = super::from_str::<Value>(&nested(17)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Depth);
    assert_eq!(error.offset(), Some(3 * 16));
}
