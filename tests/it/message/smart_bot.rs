//! Pushes to a smart bot of WeCom: typed in any order of fields, with whatever is empty, and told from all others.
#![cfg(feature = "json")]

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tower_wechat::{
    Message, Reply, Timestamp,
    message::{
        self, Head,
        platform::PlatformMessage,
        smart_bot::{
            BotCard, BotContent, BotEvent, BotFeedback, BotMedia, BotMessage, BotStream, BotText,
        },
    },
    reply::Addressing,
    xml::ErrorKind,
};

use super::{generate::generate, message};

/// One push of each type.
fn pushes() -> Vec<(&'static str, Json)> {
    let push = |own: Json| {
        let mut push = json!({
            "msgid": "CAIQ7/2b+w==", "aibotid": "aib-7", "chatid": "wr-1", "chattype": "group",
            "from": { "userid": "mei", "corpid": "wp-1" }, "response_url": "https://example.com/respond?code=5",
        });
        for (name, value) in own.as_object().unwrap() {
            push[name] = value.clone();
        }
        push
    };
    let media = json!({ "url": "https://example.com/a?sign=1", "aeskey": "k" });
    let text = json!({ "content": "@tides today?" });
    let item = |msgtype: &str, own: &Json| json!({ "msgtype": msgtype, msgtype: own });
    let event = |name: &str, own: Json| json!({ "msgtype": "event", "create_time": 1_717_500_123, "event": { "eventtype": name, name: own } });
    let mut quoting = item("text", &text);
    quoting["quote"] = item(
        "mixed",
        &json!({ "msg_item": [item("text", &text), item("image", &media)] }),
    );
    vec![
        ("text", push(quoting)),
        ("voice", push(item("voice", &text))),
        ("image", push(item("image", &media))),
        ("file", push(item("file", &media))),
        ("video", push(item("video", &media))),
        (
            "mixed",
            push(item(
                "mixed",
                &json!({ "msg_item": [item("image", &media), item("text", &text)] }),
            )),
        ),
        ("stream", push(item("stream", &json!({ "id": "s-7" })))),
        (
            "enter_chat",
            push(
                json!({ "msgtype": "event", "create_time": "7", "event": { "eventtype": "enter_chat" } }),
            ),
        ),
        (
            "template_card_event",
            push(event(
                "template_card_event",
                json!({
                    "card_type": "vote_interaction", "event_key": "submit", "task_id": "task-7",
                    "selected_items": { "selected_item": [
                        { "question_key": "q1", "option_ids": { "option_id": ["o1", "o2"] } },
                        { "question_key": "q2", "option_ids": { "option_id": ["o3"] } },
                    ] },
                }),
            )),
        ),
        (
            "feedback_event",
            push(event(
                "feedback_event",
                json!({
                    "id": "f-7", "type": 2, "content": "more", "inaccurate_reason_list": [2, 4],
                }),
            )),
        ),
    ]
}

#[track_caller]
fn read(push: &str) -> BotMessage {
    match message::from_slice(push.as_bytes()) {
        Ok(message) => message,
        Err(error) => panic!("{error} in {push}"),
    }
}

/// Which type it is.
fn name(content: &BotContent) -> &'static str {
    match content {
        BotContent::Text(_) => "text",
        BotContent::Voice(_) => "voice",
        BotContent::Image(_) => "image",
        BotContent::File(_) => "file",
        BotContent::Video(_) => "video",
        BotContent::Mixed(_) => "mixed",
        BotContent::Stream(_) => "stream",
        BotContent::Event(BotEvent::EnterChat) => "enter_chat",
        BotContent::Event(BotEvent::TemplateCard(_)) => "template_card_event",
        BotContent::Event(BotEvent::Feedback(_)) => "feedback_event",
        _ => "other",
    }
}

/// All texts and numbers of a document, with their paths.
fn leaves(path: &str, value: &Json, found: &mut Vec<(String, String)>) {
    match value {
        Json::Object(fields) => {
            for (name, value) in fields {
                leaves(&format!("{path}.{name}"), value, found);
            }
        }
        Json::Array(members) => {
            for value in members {
                leaves(path, value, found);
            }
        }
        Json::Null => {}
        Json::String(text) => found.push((path.to_owned(), text.clone())),
        other => found.push((path.to_owned(), other.to_string())),
    }
}

fn sorted_leaves(value: &Json) -> Vec<(String, String)> {
    let mut found = Vec::new();
    leaves("", value, &mut found);
    found.sort();
    found
}

#[test]
fn every_push_is_typed_and_keeps_its_fields() {
    for (expected, push) in pushes() {
        let message = read(&push.to_string());
        assert_eq!(name(&message.content), expected, "{message:?}");
        assert_eq!(message.msg_id, "CAIQ7/2b+w==");
        let identity = (
            message.aibot_id.as_deref(),
            message.user_id.as_deref(),
            message.chat_id.as_deref(),
        );
        assert_eq!(identity, (Some("aib-7"), Some("mei"), Some("wr-1")));
        let written = serde_json::to_value(&message).unwrap();
        assert_eq!(sorted_leaves(&written), sorted_leaves(&push));
        assert_eq!(
            serde_json::from_value::<BotMessage>(written).unwrap(),
            message
        );
        let head = Head::read(push.to_string().as_bytes()).unwrap();
        assert!(head.is_smart_bot() && head.is_json());
        assert_eq!(head.message_id(), Some("CAIQ7/2b+w=="));
        assert_eq!(
            (head.to_user_name(), head.from_user_name(), head.chat_id()),
            identity
        );
        assert_eq!(head.stream_id(), (expected == "stream").then_some("s-7"));
        assert_eq!(
            head.accepts_reply(),
            expected != "feedback_event",
            "{expected}"
        );
        assert_eq!(head.is_event(), expected.contains('_'), "{expected}");
        // To a handler of messages it is none, and has all fields.
        let message: Message = message::from_slice(push.to_string().as_bytes()).unwrap();
        assert!(matches!(&message, Message::Other(other) if other.misfit().is_none()));
    }
    let (_, push) = &pushes()[0];
    let message = read(&push.to_string());
    let Some(BotContent::Mixed(parts)) = message.quote.as_deref() else {
        panic!("a quote of two parts")
    };
    assert_eq!((name(&parts[0]), name(&parts[1])), ("text", "image"));
    assert_eq!(
        read(&pushes()[8].1.to_string()).create_time,
        Some(Timestamp::from_secs(1_717_500_123))
    );
}

/// The names that the table of WeCom's page has in place of those of its samples.
#[test]
fn a_card_is_read_under_both_names() {
    let (_, push) = &pushes()[8];
    let other = push
        .to_string()
        .replace("card_type", "cardtype")
        .replace("event_key", "eventkey");
    let other = other.replace("option_id", "optionid");
    assert_eq!(read(&other), read(&push.to_string()));
}

#[test]
fn what_is_unknown_or_misfit_keeps_its_fields() {
    for (own, misfit) in [
        (
            json!({ "msgtype": "location", "location": { "x": 1 } }),
            None,
        ),
        (
            json!({ "msgtype": "event", "event": { "eventtype": "made_up", "made_up": { "x": 1 } } }),
            None,
        ),
        (json!({ "msgid": "1" }), None),
        (
            json!({ "msgtype": "text", "text": "bare" }),
            Some((ErrorKind::Type, "text")),
        ),
        (
            json!({ "msgtype": "mixed", "mixed": { "msg_item": [1] } }),
            None,
        ),
        (
            json!({ "msgtype": "event", "event": { "eventtype": "feedback_event", "feedback_event": { "type": "x" } } }),
            Some((ErrorKind::Number, "event.feedback_event.type")),
        ),
    ] {
        let mut push = own.clone();
        push["msgid"] = "7".into();
        let message = read(&push.to_string());
        if own["msgtype"] == "mixed" {
            assert!(
                matches!(&message.content, BotContent::Mixed(parts) if name(&parts[0]) == "other")
            );
            continue;
        }
        let other = message.other().unwrap_or_else(|| panic!("{message:?}"));
        let found = other.misfit().map(|error| (error.kind(), error.path()));
        assert_eq!(found, misfit, "{push}");
        assert_eq!(
            sorted_leaves(&serde_json::to_value(&message).unwrap()),
            sorted_leaves(&push)
        );
    }
}

#[test]
fn a_push_of_another_product_is_none_to_a_bot() {
    let text = message("text", "<Content>a</Content>");
    let error = message::from_slice::<BotMessage>(text.as_bytes()).unwrap_err();
    assert_eq!(
        (error.kind(), error.path()),
        (ErrorKind::UnknownVariant, "xml.MsgType")
    );
    let ticket = r#"{"InfoType":"component_verify_ticket","msgid":"7"}"#;
    let error = message::from_slice::<BotMessage>(ticket.as_bytes()).unwrap_err();
    assert_eq!(
        (error.kind(), error.path()),
        (ErrorKind::UnknownVariant, "json.InfoType")
    );
    assert!(message::from_slice::<BotMessage>(b"{}").is_err());
    let push = pushes()[0].1.to_string();
    assert!(message::from_slice::<PlatformMessage>(push.as_bytes()).is_err());
    // A field that says who sent what stands once.
    let twice = r#"{"msgid":"1","msgid":"2","msgtype":"text","text":{"content":"a"}}"#;
    assert!(message::from_slice::<BotMessage>(twice.as_bytes()).is_err());
    assert!(Head::read(twice.as_bytes()).is_err());
}

/// The stream of an answer has the id of its message and the user, whatever WeCom takes for an id, or that of the poll that asks for it.
#[test]
fn a_stream_has_the_id_of_its_message() {
    for (position, id) in [(0, "CAIQ7_2f2b_2bw_3d_3d__mei"), (6, "s-7")] {
        let push = pushes()[position].1.to_string();
        let head = Head::read(push.as_bytes()).unwrap();
        let rendered =
            Reply::text("a \"]]>\" b").render(&Addressing::answering(&head), Timestamp::now());
        let rendered = rendered.unwrap();
        assert_eq!(rendered.content_type(), "application/json");
        let body: Json = serde_json::from_str(rendered.body()).unwrap();
        let expected = json!({
            "msgtype": "stream", "stream": { "id": id, "finish": true, "content": "a \"]]>\" b" },
        });
        assert_eq!(body, expected);
    }
}

/// The document with the fields of each object in another order.
fn shuffled(value: &Json, keys: &[u32], turn: &mut usize) -> String {
    match value {
        Json::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| {
                *turn += 1;
                keys[*turn % keys.len()].rotate_left(u32::try_from(name.len()).unwrap())
            });
            let fields: Vec<_> = fields
                .into_iter()
                .map(|(name, value)| format!("{}:{}", json!(name), shuffled(value, keys, turn)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Json::Array(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|value| shuffled(value, keys, turn))
                .collect();
            format!("[{}]", members.join(","))
        }
        leaf => leaf.to_string(),
    }
}

/// Replaces each leaf in turn; `None` leaves it out. Returns the path of the leaf, too.
fn swept(push: &Json, replacement: Option<&Json>) -> Vec<(String, Json)> {
    fn sweep(value: &mut Json, left: &mut usize, replacement: Option<&Json>) -> Option<String> {
        let Json::Object(fields) = value else {
            if let Json::Array(members) = value {
                return members
                    .iter_mut()
                    .find_map(|member| sweep(member, left, replacement));
            }
            return None;
        };
        let names: Vec<String> = fields.keys().cloned().collect();
        for name in names {
            if fields[&name].is_object() || fields[&name].is_array() {
                if let Some(path) = sweep(&mut fields[&name], left, replacement) {
                    return Some(format!("{name}.{path}"));
                }
            } else if *left == 0 {
                match replacement {
                    Some(replacement) => fields[&name] = replacement.clone(),
                    None => drop(fields.remove(&name)),
                }
                return Some(name);
            } else {
                *left -= 1;
            }
        }
        None
    }
    (0..)
        .map_while(|number| {
            let mut push = push.clone();
            let path = sweep(&mut push, &mut { number }, replacement)?;
            Some((path, push))
        })
        .collect()
}

#[test]
fn every_push_arrives_whatever_one_leaf_is() {
    let replacements = [
        None,
        Some(json!(null)),
        Some(json!("")),
        Some(json!({})),
        Some(json!([])),
        Some(json!(7)),
        Some(json!("word")),
    ];
    let mut count = 0;
    for (expected, push) in pushes() {
        for replacement in &replacements {
            for (path, push) in swept(&push, replacement.as_ref()) {
                count += 1;
                let message = read(&push.to_string());
                let is_empty = replacement
                    .as_ref()
                    .is_none_or(|it| *it != 7 && *it != "word");
                let names_it = path == "msgtype" || path == "event.eventtype";
                if is_empty && !names_it {
                    assert_eq!(name(&message.content), expected, "{path} in {push}");
                }
                if let Some(other) = message.other() {
                    assert_eq!(other.misfit().is_none(), names_it, "{path} in {push}");
                }
                Head::read(push.to_string().as_bytes()).unwrap();
            }
        }
    }
    assert!(count > 500, "{count}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_fields_does_not_matter(keys in prop::collection::vec(any::<u32>(), 16)) {
        for (name, push) in pushes() {
            let shuffled = shuffled(&push, &keys, &mut 0);
            prop_assert_eq!(read(&shuffled), read(&push.to_string()), "{}: {}", name, shuffled);
        }
    }

    #[test]
    fn values_of_every_type_survive(seed in any::<[u8; 32]>()) {
        let parts = vec![BotContent::Text(generate(seed)), BotContent::Image(generate(seed))];
        let contents = [
            BotContent::Text(generate::<BotText>(seed)),
            BotContent::Voice(generate(seed)),
            BotContent::Image(generate::<BotMedia>(seed)),
            BotContent::File(generate(seed)),
            BotContent::Video(generate(seed)),
            BotContent::Mixed(parts),
            BotContent::Stream(generate::<BotStream>(seed)),
            BotContent::Event(BotEvent::EnterChat),
            BotContent::Event(BotEvent::TemplateCard(generate::<BotCard>(seed))),
            BotContent::Event(BotEvent::Feedback(generate::<BotFeedback>(seed))),
        ];
        for content in contents {
            let mut message = BotMessage::default();
            message.msg_id = "7".to_owned();
            message.quote = Some(Box::new(content.clone()));
            message.content = content;
            let written = serde_json::to_string(&message).unwrap();
            prop_assert_eq!(read(&written), message, "{}", written);
        }
    }
}
