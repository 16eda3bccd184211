//! Pushes in JSON: the same types, told from XML by the first byte.
#![cfg(feature = "json")]

use std::convert::Infallible;

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use proptest::prelude::*;
use tower::ServiceExt;
use tower_wechat::{
    Message, Reply,
    message::{self, Event, EventMessage, OtherMessage, TextMessage, VoiceMessage},
    message_fn,
    xml::{ErrorKind, Value},
};

use super::{
    fixtures::all,
    read,
    sweep::{REPLACEMENTS, swept},
};

#[track_caller]
fn read_json(body: &str) -> Message {
    match message::from_slice(body.as_bytes()) {
        Ok(message) => message,
        Err(error) => panic!("{error} in {body}"),
    }
}

/// What a fixture is in JSON: repeated elements are lists, all scalars strings.
pub(super) fn as_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Empty => serde_json::Value::Null,
        Value::Text(text) => text.as_str().into(),
        Value::Elements(elements) => {
            let mut fields = serde_json::Map::new();
            for (name, value) in elements {
                let value = as_json(value);
                match fields.get_mut(name) {
                    None => {
                        fields.insert(name.clone(), value);
                    }
                    Some(serde_json::Value::Array(list)) => list.push(value),
                    Some(single) => *single = vec![single.take(), value].into(),
                }
            }
            fields.into()
        }
    }
}

#[test]
fn every_fixture_reads_alike_from_json() {
    for (name, document) in all() {
        let body = as_json(&read(&document)).to_string();
        assert_eq!(read_json(&body), read(&document), "{name}: {body}");
        assert_eq!(
            serde_json::from_str::<Message>(&body).expect("reads"),
            read(&document),
            "{name}"
        );
    }
}

#[test]
fn every_push_arrives_whatever_one_leaf_is() {
    for (name, document) in all() {
        for replacement in REPLACEMENTS {
            for (path, document) in swept(&read(&document), replacement) {
                let body = as_json(&read(&document)).to_string();
                let (found, expected) = (read_json(&body), read::<Message>(&document));
                let case = format!("{name}: {path} as {replacement:?}");
                match (found.other(), expected.other()) {
                    // Its fields are in another order.
                    (Some(found), Some(expected)) => assert_eq!(
                        found.misfit().map(|reason| (reason.kind(), reason.path())),
                        expected
                            .misfit()
                            .map(|reason| (reason.kind(), reason.path())),
                        "{case}"
                    ),
                    _ => assert_eq!(found, expected, "{case}"),
                }
            }
        }
    }
}

const HEAD: &str = r#""ToUserName":"gh_1","FromUserName":"o1","CreateTime":"1717500123""#;

#[test]
fn a_list_may_be_its_only_member_and_lacks_its_wrapper() {
    let choice = r#"{"TemplateId":"t1","SubscribeStatusString":"accept","PopupScene":0}"#;
    let mut lists = Vec::new();
    for list in [
        format!(r#""List":{choice}"#),
        format!(r#""List":[{choice}]"#),
        format!(r#""SubscribeMsgPopupEvent":{{"List":[{choice}]}}"#),
        format!(r#""SubscribeMsgPopupEvent":{{"List":{choice}}}"#),
    ] {
        let body =
            format!(r#"{{{HEAD},"MsgType":"event","Event":"subscribe_msg_popup_event",{list}}}"#);
        let Message::Event(EventMessage {
            event: Event::SubscribeMsgPopup(popup),
            ..
        }) = read_json(&body)
        else {
            panic!("{body}");
        };
        assert_eq!(popup.list[0].popup_scene.as_deref(), Some("0"));
        lists.push(popup.list);
    }
    assert!(
        lists
            .iter()
            .all(|list| list.len() == 1 && *list == lists[0])
    );
}

#[test]
fn numbers_may_be_in_quotes_and_ids_out_of_them() {
    let text = |time: &str, id: &str| {
        format!(
            r#"{{"ToUserName":"g","FromUserName":"o","CreateTime":{time},"MsgType":"text","Content":"a","MsgId":{id}}}"#
        )
    };
    let expected = read_json(&text("7", "\"9\""));
    for body in [text("\"7\"", "9"), text("7", "9"), text("\"7\"", "\"9\"")] {
        assert_eq!(read_json(&body), expected, "{body}");
        let direct: TextMessage = serde_json::from_str(&body).expect("reads");
        assert_eq!(Message::Text(direct), expected, "{body}");
    }
}

#[test]
fn an_error_in_json_says_where() {
    let body = format!(
        r#"{{{HEAD},"MsgType":"event","Event":"pic_weixin","EventKey":"k","SendPicsInfo":{{"Count":"x"}}}}"#
    );
    let message = read_json(&body);
    let reason = message.other().and_then(OtherMessage::misfit);
    let reason = reason.expect("no number");
    assert_eq!(
        (reason.kind(), reason.path()),
        (ErrorKind::Number, "SendPicsInfo.Count")
    );
    assert_eq!(
        serde_json::from_str::<Message>(&body).expect("reads"),
        message
    );
    let error = message::from_slice::<TextMessage>(body.as_bytes()).expect_err("no text");
    assert_eq!(
        (error.kind(), error.path()),
        (ErrorKind::UnknownVariant, "json.MsgType")
    );
    for broken in ["{", r#"{"MsgType":"text"} x"#, "{]"] {
        assert!(
            message::from_slice::<Message>(broken.as_bytes()).is_err(),
            "{broken}"
        );
    }
}

#[tokio::test]
async fn the_service_tells_json_from_xml_by_the_first_byte() {
    let json =
        format!(r#"{{{HEAD},"MsgType":"voice","MediaId":"m","Format":"amr","Recognition":"hi"}}"#);
    let xml = "\n<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName>\
               <CreateTime>7</CreateTime><MsgType>voice</MsgType><MediaId>m</MediaId>\
               <Format>amr</Format><Recognition>hi</Recognition></xml>";
    let (seen, mut recognized) = tokio::sync::mpsc::unbounded_channel();
    let service = message_fn(move |voice: VoiceMessage| {
        let seen = seen.clone();
        async move {
            seen.send(voice.recognition).expect("a receiver");
            Ok::<_, Infallible>(Reply::success())
        }
    })
    .on_decode_error(|unreadable| panic!("{}", unreadable.error()));
    let text = format!(r#"{{{HEAD},"MsgType":"text","Content":"for nobody"}}"#);
    for body in [json.clone(), xml.to_owned(), format!(" \r\n{json}"), text] {
        let response = service
            .clone()
            .oneshot(Request::new(crate::assume(Bytes::from(body))))
            .await
            .expect("infallible");
        let body = response.into_body().collect().await.expect("a body");
        assert_eq!(body.to_bytes(), "success");
    }
    drop(service);
    for _ in 0..3 {
        assert_eq!(recognized.recv().await, Some(Some("hi".to_owned())));
    }
    assert_eq!(recognized.recv().await, None);
}

/// A long name of a list with many members must not be kept once for each.
#[test]
fn a_name_is_not_multiplied() {
    let name = "n".repeat(30_000);
    let body = format!(r#"{{"MsgType":"x","{name}":[{}1]}}"#, "1,".repeat(17_000));
    let Ok(message) = tower_wechat::message::from_slice::<tower_wechat::Message>(body.as_bytes())
    else {
        return;
    };
    let tower_wechat::Message::Other(other) = message else {
        panic!()
    };
    let kept: usize = other
        .fields()
        .elements()
        .iter()
        .map(|(name, _)| name.len())
        .sum();
    assert!(
        kept < 200 * body.len(),
        "{kept} bytes of names from {}",
        body.len()
    );
}

/// Reads a push that has `fields` behind the common ones.
#[track_caller]
fn fields(fields: &str) -> Value {
    let message = read_json(&format!(r#"{{{HEAD},"MsgType":"made_up",{fields}}}"#));
    let other = message.other().expect("an unknown type");
    let own = other.fields().elements().get(4..).expect("own fields");
    Value::Elements(own.to_vec())
}

#[test]
fn what_xml_would_read_is_read() {
    let text = |text: &str| Value::Text(text.to_owned());
    for (json, expected) in [
        // Raw control characters, as in a section.
        ("\"a\u{1b}\u{0}\u{1f}b\"", text("a\u{1b}\u{0}\u{1f}b")),
        ("\"one\ntwo\r\n\tthree\"", text("one\ntwo\r\n\tthree")),
        // Half an emoji.
        (r#""\ud83d""#, text("\u{fffd}")),
        (r#""a\ude00b""#, text("a\u{fffd}b")),
        (r#""\ud83d\u0041""#, text("\u{fffd}A")),
        (r#""\ud83dx""#, text("\u{fffd}x")),
        (r#""\ud83d\ud83d\ude00""#, text("\u{fffd}😀")),
        (r#""\ud83d\n""#, text("\u{fffd}\n")),
        // Every digit.
        ("18446744073709551615", text("18446744073709551615")),
        ("18446744073709551616", text("18446744073709551616")),
        ("-9223372036854775809", text("-9223372036854775809")),
        (
            "1234567890123456789012345678901234567890",
            text("1234567890123456789012345678901234567890"),
        ),
        ("23.134521", text("23.134521")),
        ("1e999", text("1e999")),
        // What stands for nothing.
        ("null", Value::Empty),
        ("{}", Value::Empty),
        ("[]", Value::Elements(Vec::new())),
    ] {
        let found = fields(&format!(r#""A":{json}"#));
        assert_eq!(found["A"], expected, "{json:?}");
        // Beside what only the lenient reading reads.
        let found = fields(&format!("\"A\":{json},\"B\":\"\u{1b}\""));
        assert_eq!(found["A"], expected, "{json:?}");
        assert_eq!(found["B"], text("\u{1b}"), "{json:?}");
    }
}

#[test]
fn a_body_may_begin_with_a_mark_and_end_in_zeros() {
    let body = format!(r#"{{{HEAD},"MsgType":"text","Content":"a"}}"#);
    let expected = read_json(&body);
    assert!(expected.other().is_none());
    for body in [
        format!("\u{feff}{body}"),
        format!("\u{feff} \n{body}\n"),
        format!("{body}\0\0"),
    ] {
        assert_eq!(read_json(&body), expected, "{body:?}");
        let head = message::Head::read(body.as_bytes()).expect("reads");
        assert_eq!(head.msg_type(), Some("text"), "{body:?}");
    }
}

#[derive(Debug, Default, PartialEq, serde::Deserialize)]
struct Lists {
    flat: Vec<u8>,
    nested: Vec<Vec<u8>>,
    deep: Vec<Vec<Vec<u8>>>,
    text: String,
    #[serde(default, deserialize_with = "tower_wechat::xml::optional_number")]
    number: Option<u8>,
    #[serde(default, deserialize_with = "tower_wechat::xml::text")]
    id: Option<String>,
}

#[test]
fn lists_read_whatever_their_length() {
    for (json, expected) in [
        (
            r#""flat":[],"nested":[],"deep":[],"text":[],"number":[],"id":[]"#,
            Lists::default(),
        ),
        (
            r#""flat":[1],"nested":[[1]],"deep":[[[1]]],"text":"a","number":1,"id":1"#,
            Lists {
                flat: vec![1],
                nested: vec![vec![1]],
                deep: vec![vec![vec![1]]],
                text: "a".to_owned(),
                number: Some(1),
                id: Some("1".to_owned()),
            },
        ),
        (
            r#""flat":1,"nested":[[1],[2]],"deep":[[[1],[2]],[[3]],[]],"text":"","number":"","id":"""#,
            Lists {
                flat: vec![1],
                nested: vec![vec![1], vec![2]],
                deep: vec![vec![vec![1], vec![2]], vec![vec![3]], vec![]],
                id: Some(String::new()),
                ..Lists::default()
            },
        ),
        (
            r#""flat":[1,2],"nested":[[],[1,2],[3]],"deep":[[[],[1,2]],[[3]]],"text":"""#,
            Lists {
                flat: vec![1, 2],
                nested: vec![vec![], vec![1, 2], vec![3]],
                deep: vec![vec![vec![], vec![1, 2]], vec![vec![3]]],
                ..Lists::default()
            },
        ),
    ] {
        let body = format!("{{{json}}}");
        let lists: Lists = message::from_slice(body.as_bytes()).expect(json);
        assert_eq!(lists, expected, "{json}");
        let other: Lists = fields(json).read().expect(json);
        assert_eq!(other, expected, "{json}");
    }
}

#[test]
fn an_empty_list_is_no_number_and_no_elements() {
    let error = message::from_slice::<Lists>(br#"{"flat":[{}]}"#).expect_err("an empty element");
    assert_eq!(
        (error.kind(), error.path()),
        (ErrorKind::Number, "json.flat")
    );
    let body = format!(r#"{{{HEAD},"MsgType":"event","Event":"CLICK","EventKey":[1,2]}}"#);
    let message = read_json(&body);
    let reason = message
        .other()
        .and_then(OtherMessage::misfit)
        .expect("two keys");
    assert_eq!(reason.kind(), ErrorKind::DuplicateField);
}

#[test]
fn what_is_no_json_is_an_error() {
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    for broken in [
        "{",
        "{]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":[1,]}",
        "{\"a\":[1 2]}",
        "{\"a\":nil}",
        "{\"a\":-}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\u+123\"}",
        "{\"a\":\"\u{1b}",
        "{\"a\":1} x",
        "{\"a\":1}{",
        &deep,
        &deep.replace('[', "{\"a\":"),
    ] {
        let read = message::from_slice::<Message>(broken.as_bytes());
        assert!(read.is_err(), "{broken:.40}: {read:?}");
    }
    let bad = b"{\"MsgType\":\"text\",\"Content\":\"\xff\"}";
    assert!(message::from_slice::<Message>(bad).is_err());
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map("[a-c]", inner, 0..4)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Both readings say the same of JSON.
    #[test]
    fn the_lenient_reading_reads_json(value in json()) {
        let strict = fields(&format!("\"A\":{value},\"B\":\"\""));
        let lenient = fields(&format!("\"A\":{value},\"B\":\"\u{1b}\""));
        let count = strict.elements().len() - 1;
        prop_assert_eq!(&strict.elements()[..count], &lenient.elements()[..count]);
    }

    /// A text arrives as it was typed, with only quotes and backslashes escaped.
    #[test]
    fn a_raw_text_arrives_as_typed(typed: String) {
        let escaped = typed.replace('\\', "\\\\").replace('"', "\\\"");
        let found = fields(&format!("\"A\":\"{escaped}\""));
        prop_assert_eq!(found["A"].as_str(), Some(&*typed));
    }

    /// Escaped code units are what UTF-16 says, with U+FFFD for each that has no partner.
    #[test]
    fn code_units_read_as_utf_16(units in prop::collection::vec(
        prop_oneof![any::<u16>(), 0xd800..0xe000_u16], 0..8,
    )) {
        let escaped: Vec<_> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
        let escaped = escaped.concat();
        let found = fields(&format!("\"A\":\"{escaped}\""));
        prop_assert_eq!(found["A"].as_str(), Some(&*String::from_utf16_lossy(&units)));
    }

    #[test]
    fn no_json_panics(body in "\\{[\\[\\]{}\",:\\\\u0-9a-f\u{1b} ]{0,40}") {
        let _ = message::from_slice::<Message>(body.as_bytes());
    }
}
