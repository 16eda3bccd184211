//! What is refused: with its kind, at its byte, inside its elements.

use serde::{Deserialize, de::IgnoredAny};
use tower_wechat::xml::{self, ErrorKind, Value};

use super::{HERE, check_err};

#[test]
fn documents_that_end_too_soon() {
    for (input, path) in [
        ("‸", ""),
        (" \n‸", ""),
        ("<!-- only a comment -->‸", ""),
        ("<xml>‸", "xml"),
        ("<xml><a>x</a>‸", "xml"),
        ("<xml><a>x‸", "xml.a"),
        ("<xml><a><b>x</b>‸", "xml.a"),
    ] {
        check_err::<Value>(input, ErrorKind::Eof, path);
    }
    // Where exactly is open: at the construct that is not closed, or at the end.
    for (input, path) in [
        ("<xml><a><![CDATA[x", "xml.a"),
        ("<xml><a><![CDATA[x</a></xml>", "xml.a"),
        ("<xml><!-- x</xml>", "xml"),
        ("<xml><?x</xml>", "xml"),
    ] {
        check_err::<Value>(input, ErrorKind::Eof, path);
    }
}

#[test]
fn crossed_tags() {
    for (input, path) in [
        ("<xml><a>x‸</b></xml>", "xml.a"),
        ("<xml><a><b>x‸</a></b></xml>", "xml.a.b"),
        ("<xml><a>x‸</A></xml>", "xml.a"),
        ("<xml><a>x‸</aa></xml>", "xml.a"),
        ("<xml><aa>x‸</a></xml>", "xml.aa"),
    ] {
        check_err::<Value>(input, ErrorKind::Syntax, path);
    }
}

#[test]
fn broken_markup() {
    for input in [
        "plain",
        "<xml><></xml>",
        "<xml>< a>x</a></xml>",
        "<xml><1>x</1></xml>",
        "<xml><a b>x</a></xml>",
        "<xml><a b=c>x</a></xml>",
        "<xml><a / >x</a></xml>",
        "<xml><a x</xml>",
        "<xml><a></ a></xml>",
        "<xml><a></a b></xml>",
        "<xml><![cdata[x]]></xml>",
        "<xml><!x></xml>",
        "</xml>",
        "{\"MsgType\":\"text\"}",
    ] {
        for error in [
            xml::from_str::<Value>(input).expect_err(input),
            xml::from_str::<IgnoredAny>(input).expect_err(input),
        ] {
            let kind = error.kind();
            assert!(
                matches!(kind, ErrorKind::Syntax | ErrorKind::Eof),
                "{input:?}: {error}"
            );
            assert!(
                error.offset().is_some_and(|offset| offset <= input.len()),
                "{input:?}: {error}"
            );
        }
    }
}

/// No entity can be defined, nothing external be fetched: there is no document type at all.
#[test]
fn document_types() {
    for input in [
        "‸<!DOCTYPE xml><xml/>",
        "<?xml version='1.0'?>\n‸<!DOCTYPE xml [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><xml>&e;</xml>",
    ] {
        check_err::<Value>(input, ErrorKind::Doctype, "");
    }
}

#[test]
fn entities_that_are_none() {
    for reference in [
        "&nbsp;",
        "&AMP;",
        "&e;",
        "&#;",
        "&#x;",
        "&#xg;",
        "&#xD800;",
        "&#xDC00;&#xD800;",
        "&#xD800;&#65;",
        "&#x110000;",
        "&#99999999999999999999;",
    ] {
        for element in ["a", "Content"] {
            let input = format!("<xml><{element}>{HERE}{reference}</{element}></xml>");
            check_err::<Value>(&input, ErrorKind::Entity, &format!("xml.{element}"));
        }
    }
}

#[test]
fn content_after_the_root() {
    for rest in [
        "‸x",
        "\n‸<xml/>",
        "<!-- c -->‸</xml>",
        "‸]]>",
        "‸<![CDATA[]]>",
        "‸&amp;",
    ] {
        check_err::<Value>(
            &format!("<xml><a>x</a></xml>{rest}"),
            ErrorKind::Trailing,
            "",
        );
    }
}

#[test]
fn seventeen_levels() {
    for levels in [17, 18, 10_000] {
        let (open, close) = ("<a>".repeat(levels - 17), "</a>".repeat(levels - 1));
        let path = ["xml"]
            .into_iter()
            .chain(std::iter::repeat_n("a", 15))
            .collect::<Vec<_>>();
        let input = format!("<xml>{}{HERE}<a>{open}{close}</xml>", "<a>".repeat(15));
        check_err::<Value>(&input, ErrorKind::Depth, &path.join("."));
        check_err::<IgnoredAny>(&input, ErrorKind::Depth, &path.join("."));
    }
}

#[test]
fn bytes_that_are_not_utf8() {
    for (input, offset) in [
        (&b"\xff<xml/>"[..], 0),
        (b"<xml><a>\xe8\x85</a></xml>", 8),
        (b"<xml><a><![CDATA[x\xc0\x80]]></a></xml>", 18),
        (b"<xml/>\xed\xa0\x80", 6),
        (b"<xml><!-- \x80 --></xml>", 10),
    ] {
        let error = xml::from_slice::<Value>(input).expect_err("not UTF-8");
        assert_eq!(
            (error.kind(), error.offset()),
            (ErrorKind::Utf8, Some(offset)),
            "{error}"
        );
    }
}

/// Text and elements side by side have no value. What starts with a section is text, see `typed_end`.
#[test]
fn a_section_beside_elements() {
    for (input, path) in [
        ("<xml><a><b/><![CDATA[x]]></a></xml>", "xml.a"),
        ("<xml><a><![CDATA[x]]><b/></a></xml>", "xml.a"),
        ("<xml><![CDATA[x]]><a/></xml>", "xml"),
        ("<xml><a/>]]></xml>", "xml"),
    ] {
        let error = xml::from_str::<Value>(input).expect_err(input);
        assert_eq!(error.path(), path, "{input:?}: {error}");
        let error = xml::from_str::<serde::de::IgnoredAny>(input).expect_err(input);
        assert_eq!(error.path(), path, "{input:?}: {error}");
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "only its reading matters")]
struct Event {
    send_pics_info: SendPicsInfo,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its reading matters")]
struct SendPicsInfo {
    count: u32,
    kind: Option<Kind>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Album,
}

/// The path and the kind are what a log shows of an unreadable message.
#[test]
fn values_that_do_not_fit() {
    let info = "xml.SendPicsInfo";
    for (content, kind, path) in [
        (
            "<Count>two</Count>",
            ErrorKind::Number,
            "xml.SendPicsInfo.Count",
        ),
        (
            "<Count>-1</Count>",
            ErrorKind::Number,
            "xml.SendPicsInfo.Count",
        ),
        (
            "<Count>4294967296</Count>",
            ErrorKind::Number,
            "xml.SendPicsInfo.Count",
        ),
        (
            "<Count><![CDATA[]]></Count>",
            ErrorKind::Number,
            "xml.SendPicsInfo.Count",
        ),
        (
            "<Count><a/></Count>",
            ErrorKind::Type,
            "xml.SendPicsInfo.Count",
        ),
        (
            "<Count>1</Count><Count>2</Count>",
            ErrorKind::DuplicateField,
            info,
        ),
        (
            "<Count>1</Count><Kind>film</Kind>",
            ErrorKind::UnknownVariant,
            "xml.SendPicsInfo.Kind",
        ),
        (
            "<Count>1</Count><Size>1</Size>",
            ErrorKind::UnknownField,
            info,
        ),
        ("<Kind>album</Kind>", ErrorKind::MissingField, info),
        ("text", ErrorKind::Type, info),
        ("", ErrorKind::MissingField, info),
    ] {
        let input = format!("<xml><SendPicsInfo>{content}</SendPicsInfo></xml>");
        let error = xml::from_str::<Event>(&input).expect_err(content);
        assert!(error.path().starts_with(path), "{content:?}: {error}");
        assert!(
            error.path().len() <= path.len() + ".Count".len(),
            "{content:?}: {error}"
        );
        assert_eq!(error.kind(), kind, "{content:?}: {error}");
        assert!(error.offset().is_some(), "{content:?}: {error}");
    }
}

#[test]
fn a_number_error_says_what_was_expected_what_was_found_and_where() {
    check_err::<Event>(
        "<xml><SendPicsInfo>‸<Count>two</Count></SendPicsInfo></xml>",
        ErrorKind::Number,
        "xml.SendPicsInfo.Count",
    );
    let input = "<xml><SendPicsInfo><Count>two</Count></SendPicsInfo></xml>";
    let message = xml::from_str::<Event>(input)
        .expect_err("no number")
        .to_string();
    for part in ["u32", "two", "19", "xml.SendPicsInfo.Count"] {
        assert!(message.contains(part), "{part} is not in {message:?}");
    }
}

/// An error may reach a log: it never holds a document.
#[test]
fn an_error_never_shows_the_document() {
    let secret = "s3cret ".repeat(1000);
    for input in [
        format!("<xml><SendPicsInfo><Count>{secret}</Count></SendPicsInfo></xml>"),
        format!("<xml><SendPicsInfo><Count>1</Count><Kind>{secret}</Kind></SendPicsInfo></xml>"),
        format!("<xml><SendPicsInfo>{secret}</SendPicsInfo></xml>"),
        format!("<xml>{secret}</xml>"),
        format!("{secret}<xml/>"),
        format!("<xml><SendPicsInfo><Count>&{secret};</Count></SendPicsInfo></xml>"),
        format!(
            "<xml><SendPicsInfo><{0}>1</{0}></SendPicsInfo></xml>",
            "n".repeat(7000)
        ),
    ] {
        let error = xml::from_str::<Event>(&input).expect_err("does not fit");
        let (display, debug) = (error.to_string(), format!("{error:?}"));
        assert!(
            display.len() < 400 && debug.len() < 600,
            "{display} {debug}"
        );
    }
}

#[test]
fn an_error_is_one_word_and_can_cross_threads() {
    fn is<T: std::error::Error + Send + Sync + 'static>() {}
    is::<xml::Error>();
    assert_eq!(size_of::<xml::Error>(), size_of::<usize>());
}
