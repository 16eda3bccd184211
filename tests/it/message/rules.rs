//! What the accessors say, and which values are taken as they come.

use tower_wechat::{
    Message,
    message::{Event, event::Scan},
    xml,
};

use super::{event, fixtures, message, read, read_event};

#[test]
fn only_what_a_user_waits_for_accepts_a_reply() {
    for (name, document) in fixtures::fixtures("message") {
        assert!(read::<Message>(&document).accepts_reply(), "{name}");
    }
    for (name, document) in fixtures::events() {
        let answered = [
            "subscribe",
            "scan",
            "click",
            "scancode_waitmsg",
            "enter_agent",
            "taskcard_click",
            "template_card_event",
        ]
        .contains(&name.as_str());
        assert_eq!(
            read::<Message>(&document).accepts_reply(),
            answered,
            "{name}"
        );
    }
    assert!(read::<Message>(&message("made_up", "")).accepts_reply());
    assert!(!read::<Message>(&event("made_up", "")).accepts_reply());
    let suite = "<xml><InfoType>suite_ticket</InfoType></xml>";
    assert!(!read::<Message>(suite).accepts_reply());
}

#[track_caller]
fn check_scene(name: &str, fields: &str, expected: Option<&str>) {
    let message: Message = read(&event(name, fields));
    assert_eq!(message.scene(), expected, "{name}: {fields}");
}

#[test]
fn the_scene_is_the_same_whether_the_user_follows_or_not() {
    check_scene("subscribe", "<EventKey>qrscene_42</EventKey>", Some("42"));
    check_scene(
        "subscribe",
        "<EventKey><![CDATA[qrscene_qrscene_]]></EventKey>",
        Some("qrscene_"),
    );
    check_scene("subscribe", "<EventKey><![CDATA[]]></EventKey>", None);
    check_scene("subscribe", "<EventKey>last_trade_no_1</EventKey>", None);
    check_scene("subscribe", "", None);
    check_scene("SCAN", "<EventKey>42</EventKey>", Some("42"));
    check_scene("scan", "<EventKey>qrscene_</EventKey>", Some("qrscene_"));
    check_scene("SCAN", "<EventKey/>", None);
    check_scene("CLICK", "<EventKey>42</EventKey>", None);
}

#[test]
fn placeholders_where_numbers_belong_do_not_stop_a_message() {
    let fields =
        "<Content>a</Content><MsgId>49d7-1_2</MsgId><MsgDataId>xxxx</MsgDataId><Idx>xxxx</Idx>";
    let message: Message = read(&message("text", fields));
    assert_eq!(message.msg_id(), Some("49d7-1_2"));
    for name in ["MenuId", "MenuID"] {
        let fields = format!("<EventKey>https://example.com</EventKey><{name}>MENUID</{name}>");
        let Event::View(view) = read_event(&event("VIEW", &fields)).event else {
            panic!("no view");
        };
        assert_eq!(view.menu_id.as_deref(), Some("MENUID"));
    }
}

#[test]
fn an_empty_optional_number_or_flag_does_not_stop_a_message() {
    for empty in ["", "<![CDATA[]]>", " ", "<![CDATA[ ]]>"] {
        let fields =
            format!("<Location_X>1</Location_X><Location_Y>2</Location_Y><Scale>{empty}</Scale>");
        let Message::Location(place) = read(&message("location", &fields)) else {
            panic!("no place");
        };
        assert_eq!((place.location_x, place.scale), (Some(1.0), None));
        let fields = format!(
            "<CardId>c</CardId><UserCardCode>1</UserCardCode><IsGiveByFriend>{empty}</IsGiveByFriend>"
        );
        let Event::UserGetCard(card) = read_event(&event("user_get_card", &fields)).event else {
            panic!("no card");
        };
        assert_eq!(card.is_give_by_friend, None);
    }
}

#[test]
fn a_push_without_a_sender_or_an_id_arrives() {
    let document =
        event("CLICK", "<EventKey>k</EventKey>").replace("<FromUserName>o1</FromUserName>", "");
    assert_eq!(read_event(&document).from_user_name, None);
    let document =
        message("text", "<Content>a</Content>").replace("<FromUserName>o1</FromUserName>", "");
    let message: Message = read(&document);
    assert_eq!((message.from_user_name(), message.msg_id()), (None, None));
    assert!(matches!(message, Message::Text(_)));
}

#[test]
fn an_empty_sender_is_none_and_is_not_written() {
    let text = message("text", "<Content>a</Content>");
    let click = event("CLICK", "<EventKey>k</EventKey>");
    for empty in ["", " ", "<![CDATA[]]>"] {
        let Message::Text(text) = read(&text.replace("o1", empty)) else {
            panic!("no text");
        };
        assert_eq!(text.from_user_name, None, "{empty:?}");
        let click = read_event(&click.replace("o1", empty));
        assert_eq!(click.from_user_name, None, "{empty:?}");
        for message in [Message::Text(text), Message::Event(click)] {
            let written = xml::to_string(&message).expect("writes");
            assert!(!written.contains("FromUserName"), "{written}");
            let written = serde_json::to_string(&message).expect("writes");
            assert!(!written.contains("FromUserName"), "{written}");
        }
    }
}

#[test]
fn an_events_job_id_is_no_message_id() {
    let message: Message = read(&event(
        "TEMPLATESENDJOBFINISH",
        "<MsgID>7</MsgID><Status>failed: system failed</Status>",
    ));
    assert_eq!(message.msg_id(), None);
}

/// Dedup knows a message by its id under either name; so does the message.
#[test]
fn an_unknown_messages_id_has_both_names() {
    for name in ["MsgId", "MsgID"] {
        let id = format!("<{name}>7</{name}>");
        assert_eq!(
            read::<Message>(&message("made_up", &id)).msg_id(),
            Some("7")
        );
        assert_eq!(read::<Message>(&event("made_up", &id)).msg_id(), None);
    }
    let suite = "<xml><InfoType>suite_ticket</InfoType><MsgId>7</MsgId></xml>";
    assert_eq!(read::<Message>(suite).msg_id(), None);
}

#[test]
fn a_text_may_stand_for_a_message_that_is_not_passed_on() {
    for (content, replaces) in [
        ("【收到不支持的消息类型，暂无法显示】", true),
        ("【收到不支援的訊息類型，無法顯示】", true),
        ("<![CDATA[ 【收到不支持的消息类型，暂无法显示】\n]]>", true),
        ("收到不支持的消息类型，暂无法显示", false),
        ("为什么是【收到不支持的消息类型，暂无法显示】", false),
        ("", false),
    ] {
        let Message::Text(text) = read(&message("text", &format!("<Content>{content}</Content>")))
        else {
            panic!("no text");
        };
        assert_eq!(text.replaces_unsupported_message(), replaces, "{content}");
    }
}

#[test]
fn a_test_can_make_an_event() {
    let mut scan = Scan::default();
    scan.event_key = Some("lobby".to_owned());
    assert_eq!(Event::Scan(scan).scene(), Some("lobby"));
}
