//! That reading is linear: the bytes looked at, counted on inputs and their doubles.

use std::collections::HashMap;

use serde::{Deserialize, de::DeserializeOwned};

use super::{Deserializer, ErrorKind, Value};

/// Looks at the input that `shape` makes of two sizes, and wants twice the steps for twice the bytes.
#[track_caller]
fn check_linear<T: DeserializeOwned>(shape: impl Fn(usize) -> String) {
    let steps = |size| {
        let input = shape(size);
        let mut deserializer = Deserializer::from_str(&input);
        // Whether it reads or fails, it has to come to that in linear time.
        let _ = T::deserialize(&mut deserializer).and_then(|_| deserializer.end());
        let steps = deserializer.reader.meter.0;
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
    check_linear::<crate::Message>(shape);
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
