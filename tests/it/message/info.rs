//! Pushes that an InfoType names, of the open platform and to suites of WeCom: typed, in any order and format, and told from messages.

use std::{fmt::Debug, sync::Arc};

use http::Request;
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::Mutex;
use tower::ServiceExt;
use tower_wechat::{
    Message, Timestamp,
    message::{
        EventMessage, OtherMessage, VoiceMessage,
        platform::{PlatformEvent, PlatformMessage},
        wecom::SuiteMessage,
    },
    message_fn,
    xml::{self, ErrorKind, Value},
};

use super::{
    event,
    fixtures::{fixtures, leaves, shuffled},
    message, read,
    sweep::{EMPTY, REPLACEMENTS, swept},
};

/// A type of push that an InfoType names.
trait Push: Debug + PartialEq + Serialize + DeserializeOwned + Clone {
    const FOLDER: &'static str;

    fn other(&self) -> Option<&OtherMessage>;

    fn name(&self) -> &str;
}

impl Push for SuiteMessage {
    const FOLDER: &'static str = "suite";

    fn other(&self) -> Option<&OtherMessage> {
        self.other()
    }

    fn name(&self) -> &str {
        self.event.name()
    }
}

impl Push for PlatformMessage {
    const FOLDER: &'static str = "platform";

    fn other(&self) -> Option<&OtherMessage> {
        self.other()
    }

    fn name(&self) -> &str {
        self.event.name()
    }
}

fn check_fixtures<P: Push>() {
    let fixtures = fixtures(P::FOLDER);
    assert!(!fixtures.is_empty());
    for (name, document) in fixtures {
        let push: P = read(&document);
        assert_eq!(push.other(), None, "{name}: {push:?}");
        // The name of a fixture may say more behind a point.
        assert_eq!(Some(push.name()), name.split('.').next());
        // Every element is read, whatever the case of the name.
        let written = xml::to_string(&push).expect("writes");
        assert_eq!(leaves(&written), leaves(&document), "{name}");
        let upper = document.replace(
            &format!("[{}]", push.name()),
            &format!("[{}]", push.name().to_uppercase()),
        );
        assert_ne!(upper, document);
        assert_eq!(read::<P>(&upper), push);
        // As a value and in JSON, too.
        let value: Value = read(&document);
        assert_eq!(value.read::<P>().expect("reads"), push);
        let json = serde_json::to_string(&push).expect("writes");
        assert_eq!(serde_json::from_str::<P>(&json).expect("reads"), push);
        #[cfg(feature = "json")]
        {
            let json = super::json::as_json(&value).to_string();
            let read: P = tower_wechat::message::from_slice(json.as_bytes()).expect("reads");
            assert_eq!(read, push);
        }
        // To a handler of messages it is no message, and has all fields.
        let message: Message = read(&document);
        let other = message.other().expect("no message");
        assert_eq!(other.fields(), &value);
        assert!(!message.accepts_reply());
    }
}

/// The push arrives with whatever one leaf is, and as its type if the leaf is empty.
fn check_leaves<P: Push>() {
    for (fixture, document) in fixtures(P::FOLDER) {
        for replacement in REPLACEMENTS {
            for (path, document) in swept(&read(&document), replacement) {
                let case = format!("{fixture}: {path} as {replacement:?}");
                let is_named = xml::from_str::<Value>(&document)
                    .is_ok_and(|value| value["InfoType"].as_str().is_some());
                let push = match xml::from_str::<P>(&document) {
                    Ok(push) => push,
                    Err(error) => {
                        assert!(!is_named, "{case}: {error}");
                        continue;
                    }
                };
                let value: Value = read(&document);
                assert_eq!(value.read::<P>().expect("reads"), push, "{case}");
                if let Some(other) = push.other() {
                    assert_eq!(other.fields(), &value, "{case}");
                    let is_unknown = path == "InfoType";
                    assert_eq!(other.misfit().is_none(), is_unknown, "{case}");
                    let is_empty = EMPTY.contains(&replacement);
                    assert!(!is_empty || NAMES.contains(&&*path), "{case}");
                }
            }
        }
    }
}

/// Where an empty leaf names no type.
const NAMES: [&str; 2] = ["InfoType", "ChangeType"];

fn check_order<P: Push>(keys: &[u32]) {
    for (name, document) in fixtures(P::FOLDER) {
        let expected: P = read(&document);
        let shuffled = shuffled(&read(&document), keys);
        assert_eq!(read::<P>(&shuffled), expected, "{name}: {shuffled}");
    }
}

#[test]
fn every_fixture_is_typed() {
    check_fixtures::<PlatformMessage>();
    check_fixtures::<SuiteMessage>();
}

#[test]
fn every_push_arrives_whatever_one_leaf_is() {
    check_leaves::<PlatformMessage>();
    check_leaves::<SuiteMessage>();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_order_of_fields_does_not_matter(keys in prop::collection::vec(any::<u32>(), 16)) {
        check_order::<PlatformMessage>(&keys);
        check_order::<SuiteMessage>(&keys);
    }
}

#[test]
fn a_platform_and_a_mini_program_stay_apart() {
    let push: PlatformMessage = read(
        "<xml><AppId>wx1</AppId><CreateTime>7</CreateTime><InfoType>notify_3rd_wxa_auth</InfoType>\
         <appid>wx2</appid></xml>",
    );
    assert_eq!(push.app_id, "wx1");
    assert_eq!(push.create_time, Some(Timestamp::from_secs(7)));
    let PlatformEvent::WxaAuth(auth) = push.event else {
        panic!("{push:?}");
    };
    assert_eq!(auth.appid, "wx2");
}

#[test]
fn an_unknown_push_keeps_all_fields() {
    let document = "<xml><AppId>wx1</AppId><CreateTime>7</CreateTime><InfoType>made_up</InfoType>\
         <a>1</a><a>2</a></xml>";
    let push: PlatformMessage = read(document);
    assert_eq!((&*push.app_id, push.event.name()), ("wx1", "made_up"));
    let other = push.other().expect("unknown");
    assert_eq!(other.fields(), &read::<Value>(document));
    assert!(other.misfit().is_none());
    let written = xml::to_string(&push).expect("writes");
    assert_eq!(read::<PlatformMessage>(&written), push);
}

#[test]
fn what_is_missing_is_said() {
    let document = "<xml><AppId>wx1</AppId><InfoType>unauthorized</InfoType></xml>";
    let push: PlatformMessage = read(document);
    let misfit = push.other().and_then(OtherMessage::misfit);
    let misfit = misfit.expect("no account");
    assert_eq!(misfit.kind(), ErrorKind::MissingField);
    assert!(misfit.to_string().contains("AuthorizerAppid"), "{misfit}");
    for twice in ["InfoType", "CreateTime"] {
        let document = format!(
            "<xml><InfoType>a</InfoType><CreateTime>7</CreateTime><{twice}>8</{twice}></xml>"
        );
        let error = xml::from_str::<PlatformMessage>(&document).expect_err(twice);
        assert_eq!(error.kind(), ErrorKind::DuplicateField);
    }
}

/// Sends `document` to a handler of `M`. Returns what arrived, and the bodies that could not be decoded.
async fn handle<M>(document: &str) -> (Vec<M>, usize)
where
    M: DeserializeOwned + Send + 'static,
{
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&arrived);
    let failures = Arc::new(Mutex::new(0));
    let failed = Arc::clone(&failures);
    let service = message_fn(move |message: M| {
        let seen = Arc::clone(&seen);
        async move { seen.lock().await.push(message) }
    })
    .on_decode_error(move |_| *failed.try_lock().expect("free") += 1);
    let request = Request::new(crate::assume(document.to_owned()));
    let response = service.oneshot(request).await.expect("infallible");
    assert_eq!(response.status(), 200);
    assert_eq!(response.body().as_bytes(), b"success");
    let arrived = std::mem::take(&mut *arrived.lock().await);
    let failures = *failures.lock().await;
    (arrived, failures)
}

#[tokio::test]
async fn a_push_to_the_wrong_handler_is_acknowledged() {
    let ticket = "<xml><AppId>wx1</AppId><InfoType>component_verify_ticket</InfoType>\
                  <ComponentVerifyTicket>t</ComponentVerifyTicket></xml>";
    assert_eq!(handle::<PlatformMessage>(ticket).await.0.len(), 1);
    let (messages, failures) = handle::<Message>(ticket).await;
    assert!(matches!(&messages[..], [Message::Other(_)]));
    assert_eq!(failures, 0);
    assert_eq!(handle::<VoiceMessage>(ticket).await, (vec![], 0));
    assert_eq!(handle::<EventMessage>(ticket).await, (vec![], 0));
    for document in [
        message("text", "<Content>a</Content>"),
        event("CLICK", "<EventKey>6</EventKey>"),
        format!(
            "<xml><InfoType>authorized</InfoType>{}</xml>",
            "<MsgType>text</MsgType>"
        ),
    ] {
        assert_eq!(
            handle::<PlatformMessage>(&document).await,
            (vec![], 0),
            "{document}"
        );
        assert_eq!(
            handle::<SuiteMessage>(&document).await,
            (vec![], 0),
            "{document}"
        );
    }
    // Neither of the two.
    let probe = "<xml><action>CheckContainerPath</action></xml>";
    assert_eq!(handle::<PlatformMessage>(probe).await, (vec![], 1));
}
