//! A `Value` by itself: how it is looked into, made of a type, and written in other formats.

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use tower_wechat::{
    message::{TextMessage, VoiceMessage},
    xml::{self, ErrorKind, Value},
};

fn read(content: &str) -> Value {
    xml::from_str(&format!("<xml>{content}</xml>")).unwrap()
}

#[test]
fn all_elements_of_a_name_are_found_in_their_order() {
    let value = read("<a>1</a><b>2</b><a/><a><c>3</c></a><ab>4</ab>");
    let found: Vec<_> = value.all("a").collect();
    assert_eq!(found, [&read("1"), &Value::Empty, &read("<c>3</c>")]);
    assert_eq!(value.all("absent").count(), 0);
    assert_eq!(read("text").all("a").count(), 0);
    assert_eq!(Value::Empty.all("a").count(), 0);
}

#[test]
fn numbers_and_bools_are_read_as_the_format_reads_them() {
    for (content, number, float, boolean) in [
        ("7", Some(7_u8), Some(7.0), None),
        (" <![CDATA[ 7\n]]> ", Some(7), Some(7.0), None),
        ("<![CDATA[1]]>", Some(1), Some(1.0), Some(true)),
        ("0", Some(0), Some(0.0), Some(false)),
        ("true", None, None, Some(true)),
        ("<![CDATA[ false ]]>", None, None, Some(false)),
        ("256", None, Some(256.0), None),
        ("-1", None, Some(-1.0), None),
        ("1.5", None, Some(1.5), None),
        ("xxxx", None, None, None),
        ("<![CDATA[]]>", None, None, None),
        ("", None, None, None),
        ("<a>1</a>", None, None, None),
    ] {
        let value = read(content);
        let found = (value.as_number(), value.as_number(), value.as_bool());
        assert_eq!(found, (number, float, boolean), "{content}");
        assert_eq!(value.as_number::<u8>(), value.read().ok(), "{content}");
    }
    let long = "340282366920938463463374607431768211455";
    assert_eq!(read(long).as_number(), Some(u128::MAX));
}

#[test]
fn a_value_is_made_of_any_type() {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Parcel {
        id: u64,
        note: Option<String>,
        empty: String,
        stations: Vec<String>,
        #[serde(with = "xml::items")]
        weights: Vec<f32>,
    }
    let parcel = Parcel {
        id: 7,
        note: None,
        empty: String::new(),
        stations: vec!["成都".into(), "深圳".into()],
        weights: vec![1.5, 2.0],
    };
    let text = |text: &str| Value::Text(text.into());
    let element = |name: &str, value| (name.to_owned(), value);
    let expected = Value::Elements(vec![
        element("Id", text("7")),
        element("Empty", text("")),
        element("Stations", text("成都")),
        element("Stations", text("深圳")),
        element(
            "Weights",
            Value::Elements(vec![
                element("item", text("1.5")),
                element("item", text("2")),
            ]),
        ),
    ]);
    assert_eq!(xml::to_value(&parcel).unwrap(), expected);
    assert_eq!(xml::to_value(&()).unwrap(), Value::Empty);
    assert_eq!(
        xml::to_value("typed ]]> <b>").unwrap(),
        text("typed ]]> <b>")
    );

    let error = xml::to_value(&std::collections::BTreeMap::from([("1", 2)])).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Name, "xml"));
}

#[test]
fn a_message_comes_back_from_its_value() {
    let mut text = TextMessage::default();
    text.to_user_name = "gh_1".into();
    text.content = "]]></Content><Content><![CDATA[ 你好 \u{2}".into();
    text.msg_id = Some("7".into());
    let value = xml::to_value(&text).unwrap();
    assert_eq!(value.read::<TextMessage>().unwrap(), text);
    assert!(value.read::<VoiceMessage>().is_err());
}

/// In JSON, an object with a name twice would keep one of the two.
#[test]
fn repeated_names_are_a_list_in_json() {
    for (content, json) in [
        ("<a>1</a><b>2</b>", r#"{"a":"1","b":"2"}"#),
        ("<a>1</a><a>2</a>", r#"{"a":["1","2"]}"#),
        (
            "<a>1</a><b/><a><c>2</c><c>3</c></a>",
            r#"{"a":["1",{"c":["2","3"]}],"b":null}"#,
        ),
        ("<a><![CDATA[]]></a><a/>", r#"{"a":["",null]}"#),
        ("text", r#""text""#),
        ("", "null"),
    ] {
        let value = read(content);
        assert_eq!(serde_json::to_string(&value).unwrap(), json, "{content}");
        let tree = serde_json::to_value(&value).unwrap();
        assert_eq!(tree.to_string(), json, "{content}");
        // And so where it is a part of something else.
        let part = serde_json::to_string(&[("x", Some(&value))]).unwrap();
        assert_eq!(part, format!("[[\"x\",{json}]]"), "{content}");
    }
}

/// As a generic function takes it: the type need not own what it reads, but what it reads ends with the function.
fn read_owned<'de, T: Deserialize<'de>>(value: Value) -> xml::Result<T> {
    T::deserialize(value)
}

#[test]
fn a_value_is_consumed_as_it_is_read() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Shapes {
        text: String,
        bytes: serde_json::Value,
        number: i64,
        flag: bool,
        character: char,
        absent: Option<String>,
        empty: Option<String>,
        section: Option<String>,
        list: Vec<Option<u8>>,
        pair: (u8, u8),
        map: std::collections::BTreeMap<Choice, String>,
        unit: Choice,
        choice: Choice,
        #[serde(deserialize_with = "xml::number")]
        count: u32,
        #[serde(with = "xml::items")]
        items: Vec<Choice>,
        #[serde(flatten)]
        rest: std::collections::BTreeMap<String, Value>,
    }
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
    enum Choice {
        A,
        B(u8),
        C { x: String },
        D(Vec<u8>),
    }
    let content = "<text> <![CDATA[ a ]]> </text><bytes><x>1</x></bytes><list>1</list><number>-7</number>\
        <flag>1</flag><character><![CDATA[ ]]></character><empty/><section><![CDATA[]]></section><list/>\
        <pair>1</pair><pair>2</pair><map><A>1</A></map><unit>A</unit><choice><C><x>1</x></C></choice>\
        <count><![CDATA[7]]></count><items><item><B>1</B></item><item><D><x>1</x><y>2</y></D></item></items>\
        <list>3</list><other>1</other>";
    let value = read(content);
    let lent: Shapes = value.read().unwrap();
    assert_eq!(lent.list, [Some(1), None, Some(3)]);
    assert_eq!(lent.items, [Choice::B(1), Choice::D(vec![1, 2])]);
    assert_eq!(read_owned::<Shapes>(value.clone()).unwrap(), lent);

    // The errors are the same.
    let wrong = read(&content.replace("-7", "seven"));
    let lent = wrong.read::<Shapes>().unwrap_err();
    let owned = read_owned::<Shapes>(wrong).unwrap_err();
    assert_eq!(
        (lent.path(), lent.to_string()),
        (owned.path(), owned.to_string())
    );

    // What is borrowed needs the value to live on.
    let text = read("text");
    assert_eq!(<&str>::deserialize(&text).unwrap(), "text");
    assert_eq!(
        read_owned::<&str>(text).unwrap_err().kind(),
        ErrorKind::Type
    );
}

#[test]
fn messages_are_read_from_an_owned_value() {
    use tower_wechat::Message;

    for document in [
        "<xml><Content>hi</Content><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName>\
         <CreateTime>1</CreateTime><MsgType>text</MsgType><MsgId>7</MsgId></xml>",
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName><EventKey>k</EventKey>\
         <CreateTime>1</CreateTime><Event>CLICK</Event><MsgType>event</MsgType></xml>",
    ] {
        let value: Value = xml::from_str(document).unwrap();
        let message: Message = xml::from_str(document).unwrap();
        assert_eq!(read_owned::<Message>(value).unwrap(), message);
    }
}

/// All fields that no other one takes.
#[test]
fn the_rest_of_the_fields_is_a_value() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Push {
        id: u32,
        #[serde(flatten)]
        rest: Value,
    }
    let content = "<a>x</a><id>7</id><b><c>1</c><d/></b>";
    let rest = read("<a>x</a><b><c>1</c><d><![CDATA[]]></d></b>");
    for push in [
        xml::from_str::<Push>(&format!("<xml>{content}</xml>")).unwrap(),
        read(content).read().unwrap(),
        read_owned(read(content)).unwrap(),
    ] {
        // serde keeps the fields as texts, where an empty element is an empty text.
        assert_eq!((push.id, &push.rest), (7, &rest));
        let written = xml::to_string(&push).unwrap();
        assert_eq!(xml::from_str::<Push>(&written).unwrap(), push);
        let json = serde_json::to_string(&push).unwrap();
        assert_eq!(json, r#"{"id":7,"a":"x","b":{"c":"1","d":""}}"#);
    }
    let nothing: Push = xml::from_str("<xml><id>7</id></xml>").unwrap();
    assert_eq!(nothing.rest, Value::Empty);
    assert_eq!(serde_json::to_string(&nothing).unwrap(), r#"{"id":7}"#);
    // serde would keep both, and hand out the last one.
    let error = xml::from_str::<Push>("<xml><id>7</id><b><c/><c/></b></xml>").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DuplicateField);
}

fn elements() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(Value::Empty), "[a-z ]{0,4}".prop_map(Value::Text)];
    leaf.prop_recursive(4, 40, 8, |inner| {
        prop::collection::vec(("[abc]", inner), 1..8).prop_map(Value::Elements)
    })
}

proptest! {
    #![proptest_config(crate::cases(256))]

    /// The document's order, with the namesakes where they stand.
    #[test]
    fn the_format_itself_groups_nothing(value in elements()) {
        prop_assert_eq!(&xml::to_value(&value).unwrap(), &value);
        let around = xml::to_value(&std::collections::BTreeMap::from([("x", &value)])).unwrap();
        prop_assert_eq!(&around["x"], &value);
    }

    /// Whatever asks for nothing in particular gets the same.
    #[test]
    fn lent_and_owned_values_read_alike(value in elements()) {
        let lent = value.read::<serde_json::Value>().map_err(|error| error.to_string());
        let owned = read_owned::<serde_json::Value>(value.clone()).map_err(|error| error.to_string());
        prop_assert_eq!(lent, owned);
        prop_assert_eq!(&read_owned::<Value>(value.clone()).unwrap(), &value);
    }

    /// Each member of a name is there, in its order.
    #[test]
    fn json_drops_nothing(value in elements()) {
        fn check(value: &Value, json: &serde_json::Value) {
            for (name, _) in value.elements() {
                let members: Vec<_> = value.all(name).collect();
                let found = match &json[name] {
                    serde_json::Value::Array(found) => found.iter().collect(),
                    only => vec![only],
                };
                assert_eq!(members.len(), found.len());
                members.iter().zip(found).for_each(|(member, found)| check(member, found));
            }
            assert_eq!(value.as_str(), json.as_str());
        }
        check(&value, &serde_json::to_value(&value).unwrap());
    }
}

/// WeChat writes an absent number as an empty section.
#[test]
fn an_empty_section_for_a_number_names_the_way_out() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its error is of interest")]
    struct Count<T> {
        count: T,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its error is of interest")]
    struct Buffered {
        #[serde(deserialize_with = "xml::number")]
        count: u32,
    }
    let expected =
        "expected u32, found an empty element (`xml::optional_number` reads it as `None`)";
    for section in ["<![CDATA[]]>", "<![CDATA[ \n]]>", " <![CDATA[]]> "] {
        let document = format!("<xml><count>{section}</count></xml>");
        let value: Value = xml::from_str(&document).unwrap();
        for error in [
            xml::from_str::<Count<Option<u32>>>(&document).unwrap_err(),
            xml::from_str::<Count<u32>>(&document).unwrap_err(),
            xml::from_str::<Buffered>(&document).unwrap_err(),
            value.read::<Count<Option<u32>>>().unwrap_err(),
            value.read::<Buffered>().unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Number);
            assert!(error.to_string().starts_with(expected), "{error}");
            assert_eq!(
                error.path(),
                "xml.count".trim_start_matches(if error.offset().is_none() { "xml." } else { "" })
            );
        }
    }
    // It reads no bools.
    let error = xml::from_str::<Count<Option<bool>>>("<xml><count><![CDATA[]]></count></xml>");
    let error = error.unwrap_err().to_string();
    assert!(
        error.starts_with("expected true, false, 1 or 0, found an empty element at"),
        "{error}"
    );
}

/// Names that quick-xml gives a meaning of its own.
#[test]
fn attributes_and_text_names_of_quick_xml_are_explained() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its error is of interest")]
    struct Attribute {
        #[serde(rename = "@id")]
        id: u32,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its error is of interest")]
    struct Text {
        #[serde(rename = "$text")]
        text: String,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its error is of interest")]
    struct Field {
        id: u32,
    }
    let document = "<xml id=\"7\"><a>1</a></xml>";
    for (error, message) in [
        (
            xml::from_str::<Attribute>(document).unwrap_err(),
            "missing element `@id`: attributes are not read",
        ),
        (
            xml::from_str::<Text>(document).unwrap_err(),
            "missing element `$text`: an element's text is read by a field of type `String` or of a number",
        ),
        (
            xml::from_str::<Field>(document).unwrap_err(),
            "missing element `id` ",
        ),
    ] {
        assert_eq!(error.kind(), ErrorKind::MissingField);
        assert!(error.to_string().starts_with(message), "{error}");
    }
}
