//! What is unknown is kept whole.

use serde::Deserialize;
use tower_wechat::{
    Message, Timestamp,
    message::{Event, EventMessage, Head, OtherMessage, event::XpaySubscribeIosRefundQueryNotify},
    xml::{self, Value},
};

use super::{event, message, read, read_event};

/// Checks that a push is kept as `Other`, field by field.
#[track_caller]
fn check(document: &str) -> OtherMessage {
    let other = match read(document) {
        Message::Other(other)
        | Message::Event(EventMessage {
            event: Event::Other(other),
            ..
        }) => other,
        known => panic!("{known:?}"),
    };
    assert_eq!(other.fields(), &read::<Value>(document));
    let written = xml::to_string(&read::<Message>(document)).expect("writes");
    assert_eq!(read::<Message>(&written), read::<Message>(document));
    other
}

const FIELDS: &str = "<B><N>2</N></B><A>1</A><B><N>3</N></B><C><D><![CDATA[]]></D><E/></C>";

#[test]
fn an_unknown_event() {
    let other = check(&event("made_up", FIELDS));
    assert_eq!(other.event(), Some("made_up"));
    assert_eq!(other.from_user_name(), Some("o1"));
    let event = read_event(&event("made_up", FIELDS));
    assert_eq!(
        (event.to_user_name.as_str(), event.create_time),
        ("gh_1", Timestamp::from_secs(1_717_500_123))
    );
    assert_eq!(event.event.name(), "made_up");
}

#[test]
fn an_unknown_message() {
    let other = check(&message("made_up", FIELDS));
    assert_eq!(other.msg_type(), Some("made_up"));
    assert_eq!(
        other.create_time(),
        Some(Timestamp::from_secs(1_717_500_123))
    );
    let soon = check(&message("made_up", FIELDS).replace("1717500123", "soon"));
    assert_eq!(soon.create_time(), None);
    let nobody = check(&message("made_up", FIELDS).replace("o1", ""));
    assert_eq!(nobody.from_user_name(), None);
}

/// A text that a user wrote could close its element and give the message another id.
#[test]
fn an_id_may_not_be_repeated_under_its_other_name() {
    let other = check(&message("made_up", "<MsgID>8</MsgID>").replace("<MsgId>7</MsgId>", ""));
    assert_eq!(other.msg_type(), Some("made_up"));
    for ids in [
        "<MsgId>7</MsgId><MsgID>8</MsgID>",
        "<MsgID>7</MsgID><MsgId>8</MsgId>",
        "<MsgID>7</MsgID><MsgID>8</MsgID>",
    ] {
        let document = format!("<xml><MsgType>made_up</MsgType>{ids}</xml>");
        let error = xml::from_str::<Message>(&document).expect_err(ids);
        assert_eq!(error.kind(), xml::ErrorKind::DuplicateField, "{error}");
        assert!(Head::read(document.as_bytes()).is_err());
    }
}

/// `Message` and `Head` say the same of it.
#[test]
fn which_pushes_accept_a_reply() {
    for (fields, accepts_reply) in [
        ("<MsgType>made_up</MsgType>", true),
        ("<MsgType></MsgType>", false),
        ("<InfoType>suite_ticket</InfoType>", false),
        ("<MsgType>event</MsgType><Event>made_up</Event>", false),
    ] {
        let document = format!("<xml>{fields}</xml>");
        let head = Head::read(document.as_bytes()).expect("reads");
        let found = (
            read::<Message>(&document).accepts_reply(),
            head.accepts_reply(),
        );
        assert_eq!(found, (accepts_reply, accepts_reply), "{fields}");
    }
}

#[test]
fn the_type_may_stand_anywhere() {
    for at in 0..=3 {
        let mut fields = vec![
            "<A>1</A>",
            "<ToUserName>gh_1</ToUserName>",
            "<CreateTime>7</CreateTime>",
        ];
        fields.insert(at, "<MsgType>made_up</MsgType>");
        check(&format!("<xml>{}</xml>", fields.concat()));
        fields[at] = "<Event>made_up</Event><X/><MsgType>event</MsgType>";
        check(&format!("<xml>{}</xml>", fields.concat()));
        fields[at] = "<MsgType>event</MsgType><X/><Event>made_up</Event>";
        check(&format!("<xml>{}</xml>", fields.concat()));
    }
}

#[test]
fn pushes_without_a_message_type() {
    let suite = check(
        "<xml><SuiteId>ww1</SuiteId><InfoType>suite_ticket</InfoType><TimeStamp>7</TimeStamp></xml>",
    );
    assert_eq!(suite.info_type(), Some("suite_ticket"));
    assert_eq!((suite.to_user_name(), suite.create_time()), (None, None));
    check("<xml><action>CheckContainerPath</action></xml>");
    check("<xml></xml>".replace("></", "><A/></").as_str());
}

#[test]
fn an_unknown_event_without_the_common_fields_is_kept_too() {
    let document = "<xml><MsgType>event</MsgType><Event>made_up</Event><A>1</A></xml>";
    assert!(matches!(read(document), Message::Other(_)));
    check(document);
}

#[test]
fn it_reads_into_a_type_of_the_users() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Mine {
        #[serde(rename = "A")]
        a: u8,
        #[serde(rename = "B")]
        b: Vec<Number>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Number {
        n: u8,
    }

    let other = check(&event("made_up", FIELDS));
    let mine: Mine = other.deserialize().expect("reads");
    assert_eq!(
        mine,
        Mine {
            a: 1,
            b: vec![Number { n: 2 }, Number { n: 3 }]
        }
    );
    let json = r#"{"MsgType":"event","Event":"made_up","A":"1","B":[{"N":2},{"N":"3"}]}"#;
    let Message::Other(other) = serde_json::from_str(json).expect("reads") else {
        panic!("a typed event");
    };
    assert_eq!(other.deserialize::<Mine>().expect("reads"), mine);
}

/// As WeChat's sample of a delivery in a mini game.
#[test]
fn a_push_without_a_receiver_is_its_type() {
    let message: Message = read(
        "<xml><CreateTime>1717500123</CreateTime><MsgType>event</MsgType>\
         <Event>minigame_coin_deliver_completed</Event>\
         <MiniGame><Payload>{}</Payload><IsMock>true</IsMock></MiniGame></xml>",
    );
    let Some(Event::MinigameCoinDeliverCompleted(delivery)) = message.event() else {
        panic!("{message:?}")
    };
    assert_eq!(delivery.mini_game.is_mock, Some(true));
}

/// As WeChat's table of Apple's question.
#[test]
fn a_push_without_its_common_fields_reads_as_its_type() {
    let message: Message =
        read("<xml><refund_time>7</refund_time><pay_order_id>order-9</pay_order_id></xml>");
    let other = message.other().expect("no name");
    let query: XpaySubscribeIosRefundQueryNotify = other.deserialize().expect("a question");
    assert_eq!(query.pay_order_id, "order-9");
}
