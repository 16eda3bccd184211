//! What an element is for each type of serde's data model.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use serde::{Deserialize, de::IgnoredAny};
use tower_wechat::xml::{self, ErrorKind, Value};

use super::{check_err, check_ok, elements, text};

#[derive(Debug, PartialEq, Deserialize)]
struct A<T> {
    a: T,
}

/// Checks that `<a>` with the content `content` reads as `expected`.
#[track_caller]
fn check<T: serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(content: &str, expected: T) {
    check_ok(&format!("<xml><a>{content}</a></xml>"), &A { a: expected });
}

#[track_caller]
fn check_refused<T: serde::de::DeserializeOwned + std::fmt::Debug>(content: &str, kind: ErrorKind) {
    check_err::<A<T>>(&format!("<xml><a>{content}</a></xml>"), kind, "xml.a");
}

#[test]
fn fields_stand_in_any_order() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Fields {
        a: u8,
        b: String,
    }
    for input in [
        "<xml><a>1</a><b>x</b></xml>",
        "<xml><b>x</b><c><a>9</a></c><a>1</a></xml>",
    ] {
        check_ok(
            input,
            &Fields {
                a: 1,
                b: "x".into(),
            },
        );
    }
}

#[test]
fn numbers() {
    check("7", 7_u8);
    check(" \n7 ", 7_u8);
    check("<![CDATA[7]]>", 7_u8);
    check("<![CDATA[ 7\r\n]]>", 7_u8);
    check("&#55;", 7_u8);
    check("007", 7_u8);
    check("-7", -7_i64);
    check("18446744073709551615", u64::MAX);
    check("340282366920938463463374607431768211455", u128::MAX);
    check("-170141183460469231731687303715884105728", i128::MIN);
    check("23.134521", 23.134_521_f64);
    check("<![CDATA[-1.5]]>", -1.5_f32);
    check("3", 3.0_f64);
    for content in [
        "",
        "<![CDATA[]]>",
        "x",
        "1 2",
        "256",
        "-1",
        "1.0",
        "0x1",
        "١",
    ] {
        check_refused::<u8>(content, ErrorKind::Number);
    }
    for content in ["", "north", "1,5"] {
        check_refused::<f64>(content, ErrorKind::Number);
    }
}

#[test]
fn bools() {
    for (content, expected) in [
        ("true", true),
        ("1", true),
        ("false", false),
        ("<![CDATA[0]]>", false),
    ] {
        check(content, expected);
        check(&format!(" {content}\n"), expected);
    }
    for content in ["", "yes", "TRUE", "2"] {
        assert!(xml::from_str::<A<bool>>(&format!("<xml><a>{content}</a></xml>")).is_err());
    }
}

#[test]
fn chars_and_strings() {
    check("中", '中');
    check("<![CDATA[ ]]>", ' ');
    check("&lt;", '<');
    check_refused::<char>("ab", ErrorKind::Type);
    check_refused::<char>("", ErrorKind::Type);
    check("", String::new());
    check("<![CDATA[]]>", String::new());
    check("007", "007".to_owned());
    check_refused::<String>("<b>x</b>", ErrorKind::Type);
    check::<Cow<'_, str>>("a&amp;b", "a&b".into());
}

#[test]
fn options() {
    for content in ["", " \n ", "<!-- c -->"] {
        check::<Option<String>>(content, None);
        check::<Option<u64>>(content, None);
        check::<Option<A<u8>>>(content, None);
        check::<Option<bool>>(content, None);
    }
    check_ok::<A<Option<u64>>>("<xml><a/></xml>", &A { a: None });
    check_ok::<A<Option<u64>>>("<xml/>", &A { a: None });
    check("<![CDATA[]]>", Some(String::new()));
    check("<![CDATA[ ]]>", Some(" ".to_owned()));
    check("7", Some(7_u8));
    check("<a>7</a>", Some(A { a: 7_u8 }));
    check_refused::<Option<u64>>("<![CDATA[]]>", ErrorKind::Number);
}

#[test]
fn structs_and_maps() {
    check("<a><a>1</a></a>", A { a: A { a: 1_u8 } });
    check(
        "<k2>v2</k2><k1><![CDATA[v1]]></k1>",
        BTreeMap::from([
            ("k1".to_owned(), "v1".to_owned()),
            ("k2".to_owned(), "v2".to_owned()),
        ]),
    );
    check("", HashMap::<String, u8>::new());
    check("<n>1</n>", HashMap::from([("n".to_owned(), 1_u8)]));
}

#[test]
fn text_is_no_struct_and_no_map() {
    for content in ["x", "<![CDATA[x]]>", "<![CDATA[ ]]>", "7"] {
        check_refused::<A<u8>>(content, ErrorKind::Type);
        check_refused::<HashMap<String, String>>(content, ErrorKind::Type);
    }
}

/// WeChat writes an empty section for whatever is absent.
#[test]
fn an_empty_section_is_an_empty_struct() {
    check("<![CDATA[]]>", A { a: None::<u8> });
    check("<![CDATA[]]>", HashMap::<String, String>::new());
    check_refused::<A<u8>>("<![CDATA[]]>", ErrorKind::MissingField);
    check("<![CDATA[]]>", vec![A { a: None::<u8> }]);
    check_ok(
        "<xml><a><![CDATA[]]></a><b/><a><a>1</a></a></xml>",
        &A {
            a: vec![A { a: None }, A { a: Some(1) }],
        },
    );
    let value: Value = xml::from_str("<xml><a><![CDATA[]]></a></xml>").expect("reads");
    assert_eq!(
        value.read::<A<A<Option<u8>>>>().expect("reads"),
        A { a: A { a: None } }
    );
}

#[test]
fn a_list_may_begin_with_an_empty_member() {
    type List = Option<Vec<String>>;
    for (content, expected) in [
        ("<a/><a>x</a>", Some(vec!["", "x"])),
        ("<a></a><b/><a/>", Some(vec!["", ""])),
        ("<a> </a><c><a>z</a></c><a>x</a>", Some(vec!["", "x"])),
        ("<a/><c><a>z</a></c>", None),
        ("<a/>", None),
        ("", None),
    ] {
        let expected = expected.map(|members| members.into_iter().map(String::from).collect());
        check_ok(&format!("<xml>{content}</xml>"), &A::<List> { a: expected });
    }
    check_ok("<xml><a/><c><a>z</a></c></xml>", &A { a: None::<String> });
}

/// A list without `xml::items` would have one member without fields.
#[test]
fn a_wrapper_is_no_member() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Picture {
        md5: Option<String>,
    }

    let content = "<item><md5>1</md5></item><item><md5>2</md5></item>";
    let input = format!("<xml><a>{content}</a></xml>");
    let error = xml::from_str::<A<Vec<Picture>>>(&input).expect_err("a wrapper");
    assert_eq!((error.kind(), error.path()), (ErrorKind::Type, "xml.a"));
    assert!(error.to_string().contains("xml::items"), "{error}");
    let value: Value = xml::from_str(&input).expect("reads");
    let error = value.read::<A<Vec<Picture>>>().expect_err("a wrapper");
    assert_eq!((error.kind(), error.path()), (ErrorKind::Type, "a"));
    assert!(error.to_string().contains("xml::items"), "{error}");
    check(
        "<md5>1</md5>",
        vec![Picture {
            md5: Some("1".to_owned()),
        }],
    );
    check("", vec![Picture { md5: None }]);
    // An item beside fields is one that the type does not know.
    let content = "<item>1</item><md5>1</md5>";
    check(
        content,
        vec![Picture {
            md5: Some("1".to_owned()),
        }],
    );
}

/// Web WeChat leaves a bare word behind the last field, other clients a zero-width space.
#[test]
fn text_beside_elements_is_ignored() {
    for content in [
        "x<a>1</a>",
        "<a>1</a>x",
        "\u{200b}<a>1</a>\u{200b}",
        "//<!-- c --><a>1</a>&nbsp; & more",
        "<a>1</a><b>x<c/></b>",
        "<b>x<c>y<d/>z</c></b>w<a>1</a>",
    ] {
        check(content, A { a: 1_u8 });
    }
    check_ok(
        "<xml>x<a>y<b>1</b></a>z</xml>",
        &elements([("a", elements([("b", text("1"))]))]),
    );
    check_ok(
        "<xml><a><b/>x</a></xml>",
        &elements([("a", elements([("b", Value::Empty)]))]),
    );
    // Where a text is expected, elements stay an error.
    check_refused::<String>("x<b/>", ErrorKind::Type);
}

#[test]
fn a_map_does_not_quietly_keep_the_last_of_two() {
    type Map = HashMap<String, String>;
    for content in ["<a>1</a><a>2</a>", "<a>1</a><b/><a>2</a>"] {
        check_refused::<Map>(content, ErrorKind::DuplicateField);
        check_refused::<serde_json::Value>(content, ErrorKind::DuplicateField);
        check_refused::<Flattened>(content, ErrorKind::DuplicateField);
        let input = format!("<xml>{content}</xml>");
        let value: Value = xml::from_str(&input).expect("keeps both");
        let error = value.read::<Map>().expect_err("a map");
        assert_eq!(error.kind(), ErrorKind::DuplicateField);
        let lists: HashMap<String, Vec<String>> = xml::from_str(&input).expect("lists");
        assert_eq!(lists["a"], ["1", "2"]);
    }
}

#[derive(Debug, PartialEq, Deserialize)]
struct Flattened {
    #[serde(flatten)]
    rest: HashMap<String, String>,
}

#[test]
fn repeated_siblings_are_a_vec() {
    for input in [
        "<xml><a>1</a><a>2</a><a>3</a></xml>",
        "<xml><a>1</a><b/><a>2</a><b>x</b><a>3</a></xml>",
        "<xml>\n<a>1</a>\n<!-- c --><a>2</a>\n<a>3</a></xml>",
        "<xml><a>1</a><b><a>9</a></b><a>2</a><a>3</a></xml>",
    ] {
        check_ok(
            input,
            &A {
                a: vec![1_u8, 2, 3],
            },
        );
        check_ok(
            input,
            &A {
                a: (1_u8, 2_u8, 3_u8),
            },
        );
        check_ok(input, &A { a: [1_u8, 2, 3] });
    }
    check("1", vec![1_u8]);
    check("", vec![String::new()]);
    check("", vec![None::<u8>]);
    check_err::<A<Vec<u8>>>("<xml/>", ErrorKind::MissingField, "xml");
}

#[test]
fn two_scattered_lists() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Lists {
        a: Vec<A<Vec<u8>>>,
        b: Vec<String>,
        c: u8,
    }
    check_ok(
        "<xml><b>x</b><a><a>1</a></a><b>y</b><c>7</c><a><a>2</a><z/><a>3</a></a><b/></xml>",
        &Lists {
            a: vec![A { a: vec![1] }, A { a: vec![2, 3] }],
            b: vec!["x".into(), "y".into(), String::new()],
            c: 7,
        },
    );
}

#[test]
fn an_element_read_as_a_sequence_is_its_children() {
    for content in ["<item>1</item><item>2</item>", "<x>1</x> <y>2</y>"] {
        check_ok(&format!("<xml>{content}</xml>"), &vec![1_u8, 2]);
        check(content, vec![vec![1_u8, 2]]);
    }
    check_ok("<xml/>", &Vec::<u8>::new());
    check("", vec![Vec::<u8>::new()]);
    check_ok("<xml><a>1</a><b>x</b></xml>", &(1_u8, "x".to_owned()));
    assert!(xml::from_str::<Vec<u8>>("<xml>7</xml>").is_err());
}

#[test]
fn items_in_a_wrapper() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Items {
        #[serde(with = "xml::items", default)]
        list: Vec<A<u8>>,
    }
    for (input, expected) in [
        (
            "<xml><list><item><a>1</a></item><item><a>2</a></item></list></xml>",
            vec![1, 2],
        ),
        ("<xml><list><item><a>1</a></item></list></xml>", vec![1]),
        ("<xml><list></list></xml>", vec![]),
        ("<xml><list/></xml>", vec![]),
        ("<xml/>", vec![]),
    ] {
        let list = expected.into_iter().map(|a| A { a }).collect();
        check_ok(input, &Items { list });
    }
    assert!(xml::from_str::<Items>("<xml><list>text</list></xml>").is_err());
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Choice {
    Nothing,
    Number(u8),
    Pair(u8, String),
    Fields { a: u8 },
    List(Vec<u8>),
}

#[test]
fn enums() {
    check("nothing", Choice::Nothing);
    check(" <![CDATA[nothing]]> ", Choice::Nothing);
    check("<nothing/>", Choice::Nothing);
    check("<number>7</number>", Choice::Number(7));
    check(
        "\n<pair><item>7</item><item>x</item></pair>\n",
        Choice::Pair(7, "x".into()),
    );
    check("<fields><a>7</a></fields>", Choice::Fields { a: 7 });
    check("<list><item>7</item></list>", Choice::List(vec![7]));
    check_ok(
        "<xml><a>nothing</a><a><number>7</number></a></xml>",
        &A {
            a: vec![Choice::Nothing, Choice::Number(7)],
        },
    );
    check_ok("<xml><number>7</number></xml>", &Choice::Number(7));
    check_refused::<Choice>("something", ErrorKind::UnknownVariant);
    for content in [
        "",
        "number",
        "<something>7</something>",
        "<number>7</number><number>8</number>",
    ] {
        assert!(xml::from_str::<A<Choice>>(&format!("<xml><a>{content}</a></xml>")).is_err());
    }
}

#[test]
fn units_and_newtypes() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Unit;
    #[derive(Debug, PartialEq, Deserialize)]
    struct Id(u64);

    check("", ());
    check("", Unit);
    check("7", Id(7));
    check("7", Some(Id(7)));
    check_ok(
        "<xml><a>7</a><a>8</a></xml>",
        &A {
            a: vec![Id(7), Id(8)],
        },
    );
}

#[test]
fn ignored_content_is_still_checked() {
    for input in ["<xml/>", "<xml>x</xml>", "<xml><a>1</a><b><c/></b></xml>"] {
        xml::from_str::<IgnoredAny>(input).expect("reads");
    }
    for (input, kind) in [
        ("<xml><z>‸&nbsp;</z><a>1</a></xml>", ErrorKind::Entity),
        (
            "<xml><z>x &lt; y ‸&nbsp;</z><a>1</a></xml>",
            ErrorKind::Entity,
        ),
        (
            "<xml><z>x &lt; y ‸&#xd800;</z><a>1</a></xml>",
            ErrorKind::Entity,
        ),
        ("<xml><z>x‸</y><a>1</a></xml>", ErrorKind::Syntax),
    ] {
        check_err::<A<u8>>(input, kind, "xml.z");
        check_err::<IgnoredAny>(input, kind, "xml.z");
    }
    // A typed end is as harmless in a field that nobody reads.
    check_ok(
        "<xml><z><![CDATA[x]]></a><a>9</a>]]></z><a>1</a></xml>",
        &A { a: 1_u8 },
    );
}

#[test]
fn a_value_reads_into_any_type_later() {
    let value: Value = xml::from_str("<xml><a>7</a><b/><a>8</a></xml>").expect("reads");
    assert_eq!(
        value.read::<A<Vec<u8>>>().expect("fits"),
        A { a: vec![7, 8] }
    );
    assert_eq!(value.element("a"), Some(&text("7")));
    assert!(value.read::<A<u8>>().is_err(), "a repeated field");
    let error = xml::from_str::<Value>("<xml><a><a>x</a></a></xml>")
        .expect("reads")
        .read::<A<A<u8>>>()
        .expect_err("no number");
    assert_eq!((error.kind(), error.path()), (ErrorKind::Number, "a.a"));
}
