//! What cannot be read says where, and what was expected.

use tower_wechat::{
    Message,
    message::{EventMessage, VoiceMessage},
    xml::{self, ErrorKind, Value},
};

use super::{event, message};

/// Checks the error, whether the type stands in front of the other fields or behind them, and that the
/// same fields as a [`Value`] fail alike.
#[track_caller]
fn check(document: &str, kind: ErrorKind, path: &str, expected: &str) {
    for document in [document.to_owned(), type_last(document)] {
        let error = xml::from_str::<Message>(&document).expect_err(&document);
        assert_eq!(
            (error.kind(), error.path()),
            (kind, path),
            "{error} in {document}"
        );
        assert!(
            error.to_string().contains(expected),
            "{error} in {document}"
        );
        assert!(
            error.offset().is_some() || kind == ErrorKind::MissingField,
            "{error}"
        );
        let value: Value = xml::from_str(&document).expect("well-formed");
        let error = value.deserialize::<Message>().expect_err(&document);
        let path = path
            .strip_prefix("xml")
            .expect("a root")
            .trim_start_matches('.');
        assert_eq!(
            (error.kind(), error.path()),
            (kind, path),
            "{error} in {document}"
        );
    }
}

fn type_last(document: &str) -> String {
    let mut document = document.to_owned();
    let mut last = String::new();
    for name in ["MsgType", "Event"] {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        if let (Some(start), Some(end)) = (document.find(&open), document.find(&close)) {
            last.extend(document.drain(start..end + close.len()));
        }
    }
    document.replace("</xml>", &format!("{last}</xml>"))
}

#[test]
fn a_missing_field() {
    let missing = ErrorKind::MissingField;
    check(
        &message("voice", "<Format>amr</Format>"),
        missing,
        "xml",
        "`MediaId`",
    );
    check(&event("CLICK", ""), missing, "xml", "`EventKey`");
    check(
        &event("scancode_push", "<EventKey>6</EventKey>"),
        missing,
        "xml",
        "`ScanCodeInfo`",
    );
    check(
        &event(
            "pic_weixin",
            "<EventKey>6</EventKey><SendPicsInfo><PicList/></SendPicsInfo>",
        ),
        missing,
        "xml.SendPicsInfo",
        "`Count`",
    );
    for name in ["ToUserName", "CreateTime"] {
        let gone = |document: String| document.replace(name, "Gone");
        check(
            &gone(event("CLICK", "<EventKey>6</EventKey>")),
            missing,
            "xml",
            name,
        );
        check(
            &gone(message("text", "<Content>a</Content>")),
            missing,
            "xml",
            name,
        );
    }
}

#[test]
fn a_wrong_number() {
    let number = ErrorKind::Number;
    let place = "<EventKey>6</EventKey><SendLocationInfo><Location_X>north</Location_X>\
                 <Location_Y>1</Location_Y></SendLocationInfo>";
    check(
        &event("location_select", place),
        number,
        "xml.SendLocationInfo.Location_X",
        "expected f64, found `north`",
    );
    let picture = "<EventKey>6</EventKey><SendPicsInfo><Count>-1</Count></SendPicsInfo>";
    check(
        &event("pic_weixin", picture),
        number,
        "xml.SendPicsInfo.Count",
        "expected u64, found `-1`",
    );
    for document in [
        event("CLICK", "<EventKey>6</EventKey>"),
        message("text", "<Content>a</Content>"),
    ] {
        let document = document.replace("1717500123", "soon");
        check(
            &document,
            number,
            "xml.CreateTime",
            "expected u64, found `soon`",
        );
    }
}

#[test]
fn an_identity_field_that_stands_twice() {
    let twice = ErrorKind::DuplicateField;
    for (name, field) in [
        ("ToUserName", "<ToUserName>gh_2</ToUserName>"),
        ("FromUserName", "<FromUserName>o2</FromUserName>"),
        ("CreateTime", "<CreateTime>7</CreateTime>"),
    ] {
        for known in ["CLICK", "made_up"] {
            let fields = format!("<EventKey>6</EventKey>{field}");
            check(&event(known, &fields), twice, "xml", name);
        }
        for known in ["text", "made_up"] {
            let fields = format!("<Content>a</Content>{field}");
            check(&message(known, &fields), twice, "xml", name);
        }
    }
    let ids = "<Content>a</Content><MsgId>1</MsgId><MsgId>2</MsgId>";
    check(&message("text", ids), twice, "xml", "MsgId");
    for again in ["<MsgType>text</MsgType>", "<Event>CLICK</Event>"] {
        let document = event("CLICK", &format!("<EventKey>6</EventKey>{again}"));
        let error = xml::from_str::<Message>(&document).expect_err(&document);
        assert_eq!((error.kind(), error.path()), (twice, "xml"), "{error}");
    }
}

#[test]
fn a_nested_part_where_text_belongs_and_the_reverse() {
    let kind = ErrorKind::Type;
    check(
        &event("CLICK", "<EventKey><a>1</a></EventKey>"),
        kind,
        "xml.EventKey",
        "expected text, found ",
    );
    check(
        &message("text", "<Content><a>1</a></Content>"),
        kind,
        "xml.Content",
        "expected text, found ",
    );
    check(
        &event(
            "scancode_push",
            "<EventKey>6</EventKey><ScanCodeInfo>qrcode</ScanCodeInfo>",
        ),
        kind,
        "xml.ScanCodeInfo",
        "expected elements, found text",
    );
    let named = message("text", "<Content>a</Content>").replace("gh_1", "<a>1</a>");
    check(&named, kind, "xml.ToUserName", "expected text, found ");
}

#[test]
fn another_type_is_told_from_an_unreadable_body() {
    for document in [
        message("text", "<Content>a</Content>"),
        type_last(&message("text", "<Content>a</Content>")),
    ] {
        let error = xml::from_str::<EventMessage>(&document).expect_err(&document);
        assert_eq!(
            (error.kind(), error.path()),
            (ErrorKind::UnknownVariant, "xml.MsgType")
        );
        let error = xml::from_str::<VoiceMessage>(&document.replace("<Content>a</Content>", ""));
        let error = error.expect_err("a text");
        assert_eq!(
            (error.kind(), error.path()),
            (ErrorKind::UnknownVariant, "xml.MsgType")
        );
    }
}
