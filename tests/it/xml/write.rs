//! What is written for each type, and what cannot be.

use std::{collections::BTreeMap, io};

use serde::Serialize;
use tower_wechat::xml::{self, ErrorKind, Value};

use super::{check_write, check_write_err, elements, text};

#[derive(Serialize)]
struct A<T> {
    a: T,
}

/// Checks what stands between the root's tags.
#[track_caller]
fn check<T: Serialize>(a: T, expected: &str) {
    check_write(&A { a }, &format!("<xml>{expected}</xml>"));
}

#[test]
fn texts_are_sections() {
    check("x", "<a><![CDATA[x]]></a>");
    check("", "<a><![CDATA[]]></a>");
    check('<', "<a><![CDATA[<]]></a>");
    check("<b>&amp;</b> \r\n", "<a><![CDATA[<b>&amp;</b> \r\n]]></a>");
    check("腾讯微信团队😀", "<a><![CDATA[腾讯微信团队😀]]></a>");
}

/// No reader, ours or WeChat's, may see the end of a section where a user typed one.
#[test]
fn a_typed_end_is_split() {
    check("a]]>b", "<a><![CDATA[a]]]]><![CDATA[>b]]></a>");
    check("]]>", "<a><![CDATA[]]]]><![CDATA[>]]></a>");
    check(
        "]]>]]>",
        "<a><![CDATA[]]]]><![CDATA[>]]]]><![CDATA[>]]></a>",
    );
    check("]]", "<a><![CDATA[]]]]></a>");
}

#[test]
fn numbers_and_bools_are_bare() {
    check(7_u8, "<a>7</a>");
    check(i128::MIN, "<a>-170141183460469231731687303715884105728</a>");
    check(u64::MAX, "<a>18446744073709551615</a>");
    check(-1.5_f64, "<a>-1.5</a>");
    check(true, "<a>true</a>");
    check(false, "<a>false</a>");
}

#[test]
fn what_is_absent_is_left_out() {
    check(None::<u8>, "");
    check(Some(7_u8), "<a>7</a>");
    check(Some(""), "<a><![CDATA[]]></a>");
    check((), "<a></a>");
    check(vec![Some(1_u8), None], "<a>1</a><a></a>");
    check_write(&(), "<xml></xml>");
    check_write(&None::<u8>, "<xml></xml>");
}

#[test]
fn sequences_are_repeated_elements() {
    check(vec![1_u8, 2], "<a>1</a><a>2</a>");
    check(Vec::<u8>::new(), "");
    check((1_u8, "x"), "<a>1</a><a><![CDATA[x]]></a>");
    check(
        vec![vec![1_u8, 2], vec![3]],
        "<a><item>1</item><item>2</item></a><a><item>3</item></a>",
    );
    check_write(&[1_u8, 2], "<xml><item>1</item><item>2</item></xml>");
}

#[test]
fn structs_maps_and_enums() {
    #[derive(Serialize)]
    enum Choice {
        Nothing,
        Number(u8),
        Pair(u8, u8),
        Fields { b: u8 },
    }

    check(A { a: 1_u8 }, "<a><a>1</a></a>");
    check(
        BTreeMap::from([("k", 1), ("l", 2)]),
        "<a><k>1</k><l>2</l></a>",
    );
    check(Choice::Nothing, "<a><![CDATA[Nothing]]></a>");
    check(Choice::Number(7), "<a><Number>7</Number></a>");
    check(
        Choice::Pair(7, 8),
        "<a><Pair><item>7</item><item>8</item></Pair></a>",
    );
    check(Choice::Fields { b: 7 }, "<a><Fields><b>7</b></Fields></a>");
    check_write(&Choice::Number(7), "<xml><Number>7</Number></xml>");
}

#[test]
fn items_in_a_wrapper() {
    #[derive(Serialize)]
    struct Items {
        #[serde(with = "xml::items")]
        list: Vec<u8>,
    }
    check_write(
        &Items { list: vec![1, 2] },
        "<xml><list><item>1</item><item>2</item></list></xml>",
    );
    check_write(&Items { list: vec![] }, "<xml><list></list></xml>");
}

#[test]
fn values() {
    check_write(&Value::Empty, "<xml></xml>");
    check_write(&text("x"), "<xml><![CDATA[x]]></xml>");
    check_write(
        &elements([
            ("a", text("7")),
            ("b", Value::Empty),
            ("a", elements([("c", text(""))])),
        ]),
        "<xml><a><![CDATA[7]]></a><b></b><a><c><![CDATA[]]></c></a></xml>",
    );
}

/// A name that would end its own tag is an injection, not a name.
#[test]
fn names_that_are_none() {
    for name in [
        "", "a b", "1", "-a", "a>", "a/", "a><b", "<", "&", "a=\"\"", "a\n",
    ] {
        check_write_err(&BTreeMap::from([(name, 1)]), ErrorKind::Name, "xml");
        check_write_err(
            &A {
                a: BTreeMap::from([(name, 1)]),
            },
            ErrorKind::Name,
            "xml.a",
        );
        let value = Value::Elements(vec![(name.to_owned(), Value::Empty)]);
        check_write_err(&value, ErrorKind::Name, "xml");
    }
}

#[test]
fn a_failing_writer_is_named() {
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = xml::to_writer(Full, &A { a: 1 }).expect_err("the writer is full");
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(
        std::error::Error::source(&error).is_some_and(<dyn std::error::Error>::is::<io::Error>)
    );
}
