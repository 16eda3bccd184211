//! serde asks a format what a text is before it knows the type; here the best effort and its helpers.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use tower_wechat::xml::{self, ErrorKind, Value};

use super::{check_err, check_ok, text};

/// `serde_json::Value` asks for nothing in particular and so shows what it is offered.
#[track_caller]
fn check_any(content: &str, expected: serde_json::Value) {
    let input = format!("<xml><a>{content}</a></xml>");
    check_ok(&input, &json!({ "a": expected }));
}

#[test]
fn bare_canonical_decimals_are_numbers() {
    for (content, expected) in [
        ("0", json!(0)),
        ("7", json!(7)),
        (" 7\n", json!(7)),
        ("-7", json!(-7)),
        ("18446744073709551615", json!(u64::MAX)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("23.5", json!(23.5)),
    ] {
        check_any(content, expected);
    }
}

/// What a number would not give back as it was is a text: ids with leading zeros, twenty digits, signs.
#[test]
fn everything_else_is_text() {
    for content in [
        "x",
        "007",
        "+7",
        "-0",
        "1e5",
        "1.50",
        "18446744073709551616",
        "0x1",
        ".5",
        "5.",
        "NaN",
        "inf",
        "true",
        "--7",
        "-",
    ] {
        check_any(content, json!(content));
    }
    for section in ["", "7", " ", "x"] {
        check_any(&format!("<![CDATA[{section}]]>"), json!(section));
    }
}

#[test]
fn children_are_a_map() {
    check_any(
        "<b>7</b><c><d><![CDATA[x]]></d></c>",
        json!({ "b": 7, "c": { "d": "x" } }),
    );
}

#[test]
fn flatten_needs_the_helpers() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Message {
        msg_type: String,
        #[serde(flatten)]
        head: Head,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Head {
        #[serde(deserialize_with = "xml::text")]
        from_user_name: String,
        #[serde(deserialize_with = "xml::number")]
        create_time: u64,
        #[serde(default, deserialize_with = "xml::optional_number")]
        idx: Option<u32>,
        #[serde(default, deserialize_with = "xml::text")]
        label: Option<String>,
    }
    for (rest, idx, label) in [
        ("", None, None),
        // A buffered empty element is a text: only the format itself knows it from an empty section.
        ("<Idx/><Label/>", None, Some("")),
        (
            "<Idx><![CDATA[]]></Idx><Label><![CDATA[]]></Label>",
            None,
            Some(""),
        ),
        ("<Idx>2</Idx><Label>2</Label>", Some(2), Some("2")),
        (
            "<Label><![CDATA[x]]></Label><Idx><![CDATA[2]]></Idx>",
            Some(2),
            Some("x"),
        ),
    ] {
        for (name, time) in [
            ("12345", "<![CDATA[1395658920]]>"),
            ("<![CDATA[12345]]>", "1395658920"),
        ] {
            let input = format!(
                "<xml><MsgType>text</MsgType><FromUserName>{name}</FromUserName>\
                 <CreateTime>{time}</CreateTime>{rest}</xml>"
            );
            let head = Head {
                from_user_name: "12345".into(),
                create_time: 1_395_658_920,
                idx,
                label: label.map(Into::into),
            };
            check_ok(
                &input,
                &Message {
                    msg_type: "text".into(),
                    head,
                },
            );
        }
    }
}

#[test]
fn tagged_and_untagged_enums_through_the_helpers() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "MsgType", rename_all = "lowercase")]
    enum Tagged {
        Location {
            #[serde(rename = "Scale", deserialize_with = "xml::number")]
            scale: u8,
        },
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Scale {
            #[serde(rename = "Scale", deserialize_with = "xml::number")]
            scale: u8,
        },
        Other(BTreeMap<String, Value>),
    }
    for scale in ["20", "<![CDATA[20]]>"] {
        for input in [
            format!("<xml><MsgType>location</MsgType><Scale>{scale}</Scale></xml>"),
            format!("<xml><Scale>{scale}</Scale><MsgType><![CDATA[location]]></MsgType></xml>"),
        ] {
            check_ok(&input, &Tagged::Location { scale: 20 });
            check_ok(&input, &Untagged::Scale { scale: 20 });
        }
    }
    check_ok(
        "<xml><Size>x</Size></xml>",
        &Untagged::Other(BTreeMap::from([("Size".into(), text("x"))])),
    );
}

/// The helpers do not need a buffer: they read a plain field too.
#[test]
fn helpers_on_plain_fields() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Plain {
        #[serde(deserialize_with = "xml::number")]
        a: i64,
        #[serde(default, deserialize_with = "xml::optional_number")]
        b: Option<f64>,
        #[serde(deserialize_with = "xml::text")]
        c: String,
    }
    for (input, b) in [
        ("<xml><a>-7</a><c>007</c></xml>", None),
        ("<xml><a><![CDATA[-7]]></a><b> </b><c>007</c></xml>", None),
        ("<xml><a>-7</a><b><![CDATA[ ]]></b><c>007</c></xml>", None),
        (
            "<xml><a>-7</a><b>1.5</b><c><![CDATA[007]]></c></xml>",
            Some(1.5),
        ),
        ("<xml><a>-007</a><b>1.50</b><c>007</c></xml>", Some(1.5)),
    ] {
        check_ok(
            input,
            &Plain {
                a: -7,
                b,
                c: "007".into(),
            },
        );
    }
    check_err::<Plain>("<xml><a>x</a><c/></xml>", ErrorKind::Number, "xml.a");
    check_err::<Plain>(
        "<xml><a>1</a><b>x</b><c/></xml>",
        ErrorKind::Number,
        "xml.b",
    );
}

/// The same types read WeChat's JSON pushes, where numbers come with and without quotes.
#[test]
fn helpers_read_json_too() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Push {
        #[serde(deserialize_with = "xml::number")]
        time: u64,
        #[serde(default, deserialize_with = "xml::optional_number")]
        idx: Option<u32>,
        #[serde(deserialize_with = "xml::text")]
        id: String,
    }
    for input in [
        r#"{"time":7,"idx":1,"id":9}"#,
        r#"{"time":"7","idx":"1","id":"9"}"#,
    ] {
        let expected = Push {
            time: 7,
            idx: Some(1),
            id: "9".into(),
        };
        assert_eq!(
            serde_json::from_str::<Push>(input).expect("reads"),
            expected
        );
    }
    for input in [
        r#"{"time":7,"id":9}"#,
        r#"{"time":7,"idx":null,"id":"9"}"#,
        r#"{"time":7,"idx":"","id":"9"}"#,
    ] {
        let expected = Push {
            time: 7,
            idx: None,
            id: "9".into(),
        };
        assert_eq!(
            serde_json::from_str::<Push>(input).expect("reads"),
            expected
        );
    }
}
