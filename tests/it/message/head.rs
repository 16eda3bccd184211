//! The head agrees with the typed message, and cannot be replaced by a text.

use proptest::prelude::*;
use tower_wechat::{
    Message, Timestamp,
    message::{Event, Head},
    xml::{self, ErrorKind},
};

use super::{event, fixtures::all, message, read};

#[track_caller]
fn head(document: &str) -> Head {
    Head::read(document.as_bytes()).expect(document)
}

#[test]
fn it_agrees_with_the_message() {
    for (name, document) in all() {
        let head = head(&document);
        let message: Message = read(&document);
        assert_eq!(head.to_user_name(), message.to_user_name(), "{name}");
        assert_eq!(head.from_user_name(), message.from_user_name(), "{name}");
        assert_eq!(head.create_time(), message.create_time(), "{name}");
        assert_eq!(head.message_id(), message.msg_id(), "{name}");
        assert_eq!(head.accepts_reply(), message.accepts_reply(), "{name}");
        assert_eq!(head.is_event(), message.event().is_some(), "{name}");
        assert_eq!(head.is_message(), message.event().is_none(), "{name}");
        let event = message.event().map(Event::name);
        assert_eq!(head.event(), event, "{name}");
    }
}

#[test]
fn each_field_is_its_own() {
    let head = head(
        "<xml><ToUserName>a</ToUserName><FromUserName>&lt;b</FromUserName><CreateTime> 7 </CreateTime>\
         <MsgType><![CDATA[语音]]></MsgType><Event>d</Event><MsgID>e]</MsgID></xml>",
    );
    assert_eq!(head.to_user_name(), Some("a"));
    assert_eq!(head.from_user_name(), Some("<b"));
    assert_eq!(head.create_time(), Some(Timestamp::from_secs(7)));
    assert_eq!(head.msg_type(), Some("语音"));
    assert_eq!(head.event(), Some("d"));
    assert_eq!(head.message_id(), Some("e]"));
}

#[test]
fn a_field_that_is_absent_or_empty_is_none() {
    for document in [
        "<xml><InfoType>suite_ticket</InfoType></xml>",
        "<xml><ToUserName/><FromUserName></FromUserName><CreateTime> </CreateTime>\
         <MsgType><![CDATA[]]></MsgType><Event/><MsgId/></xml>",
    ] {
        let head = head(document);
        let texts = [
            head.to_user_name(),
            head.from_user_name(),
            head.msg_type(),
            head.event(),
            head.message_id(),
        ];
        assert_eq!(texts, [None; 5], "{document}");
        assert_eq!(head.create_time(), None, "{document}");
        assert!(!head.is_message() && !head.is_event() && !head.accepts_reply());
    }
}

#[test]
fn an_event_has_no_message_id_and_zero_is_none() {
    assert_eq!(head(&event("CLICK", "<MsgID>7</MsgID>")).message_id(), None);
    assert_eq!(
        head(&message("text", "<MsgId>0</MsgId>")).message_id(),
        None
    );
    assert_eq!(
        head(&message("text", "<MsgId>7</MsgId>")).message_id(),
        Some("7")
    );
}

#[test]
fn a_repeated_field_is_an_error() {
    for field in [
        "<ToUserName>g</ToUserName>",
        "<FromUserName>o</FromUserName>",
        "<CreateTime>7</CreateTime>",
        "<MsgType>image</MsgType>",
        "<MsgID>8</MsgID>",
    ] {
        let document = message("text", &format!("<MsgId>7</MsgId>{field}"));
        let error: xml::Error = Head::read(document.as_bytes()).expect_err(&document);
        assert_eq!(error.kind(), ErrorKind::DuplicateField, "{document}");
    }
}

#[test]
fn its_debug_output_has_no_names() {
    let document = message("text", "<MsgId>7</MsgId>");
    let debug = format!("{:?}", head(&document));
    assert_eq!(
        debug,
        r#"Head { msg_type: Some("text"), event: None, msg_id: Some("7"), .. }"#
    );
}

#[cfg(feature = "json")]
#[test]
fn json_has_the_same_head() {
    let json = r#"{"ToUserName":"gh_1","FromUserName":"o1","CreateTime":1717500123,"MsgType":"text","MsgId":7}"#;
    let (json, xml) = (head(json), head(&message("text", "<MsgId>7</MsgId>")));
    assert_eq!(json.from_user_name(), xml.from_user_name());
    assert_eq!(json.to_user_name(), xml.to_user_name());
    assert_eq!(json.create_time(), xml.create_time());
    assert_eq!(json.message_id(), xml.message_id());
    assert_eq!(json.msg_type(), xml.msg_type());
}

proptest! {
    /// Fields of any length and in any order, some of them empty or absent, in XML and in JSON.
    #[test]
    fn each_field_is_what_stands_in_it(
        texts in prop::array::uniform6(prop::option::of("[a-z好é🌊 ]{0,12}")),
        order in Just([0, 1, 2, 3, 4, 5]).prop_shuffle(),
        is_json: bool,
    ) {
        let is_json = is_json && cfg!(feature = "json");
        let names = ["ToUserName", "FromUserName", "MsgType", "Event", "MsgId", "AgentID"];
        let fields = order.iter().filter_map(|at| {
            let text = texts[*at].as_deref()?;
            Some(if is_json {
                format!("\"{}\":\"{text}\"", names[*at])
            } else {
                format!("<{0}><![CDATA[{text}]]></{0}>", names[*at])
            })
        });
        let fields: Vec<_> = fields.collect();
        let document = if is_json {
            format!("{{{}}}", fields.join(","))
        } else {
            format!("<xml>{}</xml>", fields.concat())
        };
        let head = head(&document);
        let texts = texts.each_ref().map(|text| text.as_deref().filter(|text| !text.is_empty()));
        let [to, from, msg_type, event, id, agent] = texts;
        prop_assert_eq!(
            [head.to_user_name(), head.from_user_name(), head.msg_type(), head.event(), head.agent_id()],
            [to, from, msg_type, event, agent],
            "{}", document
        );
        let id = id.filter(|_| msg_type.is_some());
        prop_assert_eq!(head.message_id(), id, "{}", document);
    }
}
