//! What does not fit its type arrives with the reason. What cannot be read says where, and what was expected.

use serde::Deserialize;
use tower_wechat::{
    Message,
    message::{EventMessage, OtherMessage, VoiceMessage},
    xml::{self, ErrorKind, Value},
};

use super::{event, message, read};

/// Checks the reason, whether the type stands in front of the other fields or behind them, and that the same fields as
/// a [`Value`] have the same one. `path` begins below the root.
#[track_caller]
fn check(document: &str, kind: ErrorKind, path: &str, expected: &str) {
    for document in [document.to_owned(), type_last(document)] {
        let message: Message = read(&document);
        let reason = reason(&message, &document);
        assert_eq!((reason.kind(), reason.path()), (kind, path), "{reason}");
        assert!(reason.to_string().contains(expected), "{reason}");
        match reason.offset() {
            Some(offset) => assert!(offset < document.len(), "{reason}"),
            None => assert_eq!(kind, ErrorKind::MissingField, "{reason}"),
        }
        let value: Value = read(&document);
        let again = value.read::<Message>().expect("reads");
        let reason = self::reason(&again, &document);
        assert_eq!((reason.kind(), reason.path()), (kind, path), "{reason}");
        // The reason is not part of the message.
        assert_eq!(again, message);
        let written = xml::to_string(&message).expect("writes");
        assert_eq!(written, xml::to_string(&value).expect("writes"));
    }
}

fn reason<'a>(message: &'a Message, document: &str) -> &'a xml::Error {
    let reason = message.other().and_then(OtherMessage::misfit);
    reason.unwrap_or_else(|| panic!("{message:?} from {document}"))
}

/// Checks that the document is an error for a [`Message`], and that the same fields as a [`Value`] are.
#[track_caller]
fn check_error(document: &str, kind: ErrorKind, path: &str, expected: &str) {
    for document in [document.to_owned(), type_last(document)] {
        let error = xml::from_str::<Message>(&document).expect_err(&document);
        assert_eq!((error.kind(), error.path()), (kind, path), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        let value: Value = read(&document);
        let error = value.read::<Message>().expect_err(&document);
        assert_eq!((error.kind(), error.path()), (kind, ""), "{error}");
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
        "",
        "`MediaId`",
    );
    check(
        &event("scancode_push", "<EventKey>6</EventKey>"),
        missing,
        "",
        "`ScanCodeInfo`",
    );
    check(
        &event(
            "subscribe_msg_popup_event",
            "<SubscribeMsgPopupEvent><List><PopupScene>0</PopupScene></List></SubscribeMsgPopupEvent>",
        ),
        missing,
        "SubscribeMsgPopupEvent.List",
        "`TemplateId`",
    );
    let late = event("CLICK", "<EventKey>6</EventKey>").replace("CreateTime", "Gone");
    check(&late, missing, "", "CreateTime");
    for name in ["ToUserName", "CreateTime"] {
        let gone = |document: String| document.replace(name, "Gone");
        check(
            &gone(message("text", "<Content>a</Content>")),
            missing,
            "",
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
        "SendLocationInfo.Location_X",
        "expected f64, found `north`",
    );
    let picture = "<EventKey>6</EventKey><SendPicsInfo><Count>-1</Count></SendPicsInfo>";
    check(
        &event("pic_weixin", picture),
        number,
        "SendPicsInfo.Count",
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
            "CreateTime",
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
            check_error(&event(known, &fields), twice, "xml", name);
        }
        for known in ["text", "made_up"] {
            let fields = format!("<Content>a</Content>{field}");
            check_error(&message(known, &fields), twice, "xml", name);
        }
    }
    let ids = "<Content>a</Content><MsgId>1</MsgId><MsgId>2</MsgId>";
    check_error(&message("text", ids), twice, "xml", "MsgId");
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
        "EventKey",
        "expected text, found ",
    );
    check(
        &message("text", "<Content><a>1</a></Content>"),
        kind,
        "Content",
        "text, found ",
    );
    check(
        &event(
            "scancode_push",
            "<EventKey>6</EventKey><ScanCodeInfo>qrcode</ScanCodeInfo>",
        ),
        kind,
        "ScanCodeInfo",
        "expected elements, found text",
    );
    let named = message("text", "<Content>a</Content>").replace("gh_1", "<a>1</a>");
    check(&named, kind, "ToUserName", "expected text, found ");
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

/// Only an event's own fields may be wrong: an [`EventMessage`] has a time.
#[test]
fn an_event_that_does_not_fit_its_type_is_an_event() {
    let wrong = event("scancode_push", "<ScanCodeInfo>qrcode</ScanCodeInfo>");
    let event: EventMessage = read(&wrong);
    assert_eq!(read::<Message>(&wrong), Message::Event(event.clone()));
    assert_eq!(event.event.name(), "scancode_push");
    let late = wrong.replace("CreateTime", "Gone");
    let error = xml::from_str::<EventMessage>(&late).expect_err("no time");
    assert_eq!(error.kind(), ErrorKind::Type, "{error}");
    assert!(matches!(read(&late), Message::Other(_)));
}

#[test]
fn an_unknown_event_without_a_time_says_so() {
    let document = event("made_up", "").replace("CreateTime", "Gone");
    check(&document, ErrorKind::MissingField, "", "CreateTime");
    assert!(matches!(read(&document), Message::Other(_)));
    let error = xml::from_str::<EventMessage>(&document).expect_err("no time");
    assert_eq!(error.kind(), ErrorKind::MissingField, "{error}");
}

/// The pushes of mini games name nobody.
#[test]
fn an_event_without_a_receiver_is_typed() {
    for name in ["minigame_coin_deliver_completed", "CLICK", "made_up"] {
        let known = event(
            name,
            "<EventKey>6</EventKey><MiniGame><Payload>{}</Payload></MiniGame>",
        );
        let document = known
            .replace("ToUserName", "Gone")
            .replace("FromUserName", "Gone2");
        let message: Message = read(&document);
        assert_eq!(
            (message.to_user_name(), message.from_user_name()),
            (None, None)
        );
        let (Message::Event(nobody), Message::Event(somebody)) = (message, read(&known)) else {
            panic!("no event: {document}")
        };
        assert_eq!(nobody.to_user_name, "");
        assert_eq!(nobody.event.name(), somebody.event.name());
        assert_eq!(nobody.other().is_some(), name == "made_up", "{nobody:?}");
    }
}

#[test]
fn a_field_of_another_name_is_not_a_reason() {
    for document in [message("made_up", ""), event("made_up", "")] {
        let message: Message = read(&document);
        assert!(message.other().expect("unknown").misfit().is_none());
    }
}

/// A reading that fails leaves nothing behind, wherever the message stands.
#[test]
fn a_message_inside_a_document_arrives_too() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Batch {
        before: u8,
        one: Message,
        many: Vec<Message>,
        #[serde(with = "xml::items")]
        items: Vec<Message>,
        after: u8,
    }

    let push = |name, message: String| {
        let content = message.replace("<xml>", "").replace("</xml>", "");
        format!("<{name}>{content}</{name}>")
    };
    let good = message("text", "<Content>a</Content>");
    let bad = message("text", "<Content><a><b>1</b></a></Content>");
    let document = [
        "<xml><before>1</before>".to_owned(),
        push("many", bad.clone()),
        push("one", bad.clone()),
        push("many", good.clone()),
        format!(
            "<items>{}{}</items>",
            push("item", bad.clone()),
            push("item", good.clone())
        ),
        push("many", bad.clone()),
        "<after>2</after></xml>".to_owned(),
    ];
    let document = document.concat();
    let batch: Batch = read(&document);
    let [good, bad] = [good, bad].map(|document| read::<Message>(&document));
    assert!(good.other().is_none() && bad.other().is_some());
    let expected = Batch {
        before: 1,
        one: bad.clone(),
        many: vec![bad.clone(), good.clone(), bad.clone()],
        items: vec![bad, good],
        after: 2,
    };
    assert_eq!(batch, expected);
    let value: Value = read(&document);
    assert_eq!(value.read::<Batch>().expect("reads"), expected);
}
