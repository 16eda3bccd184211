//! Pushes in JSON: the same types, told from XML by the first byte.
#![cfg(feature = "json")]

use std::convert::Infallible;

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_wechat::{
    Message, Reply,
    message::{self, Event, EventMessage, OtherMessage, TextMessage, VoiceMessage},
    message_fn,
    xml::{ErrorKind, Value},
};

use super::{fixtures::all, read};

#[track_caller]
fn read_json(body: &str) -> Message {
    match message::from_slice(body.as_bytes()) {
        Ok(message) => message,
        Err(error) => panic!("{error} in {body}"),
    }
}

/// What a fixture is in JSON: repeated elements are lists, all scalars strings.
fn as_json(value: &Value) -> serde_json::Value {
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
    let reason = message.other().and_then(OtherMessage::reason);
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
    let (seen, mut recognised) = tokio::sync::mpsc::unbounded_channel();
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
        assert_eq!(recognised.recv().await, Some(Some("hi".to_owned())));
    }
    assert_eq!(recognised.recv().await, None);
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
