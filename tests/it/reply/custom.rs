//! Custom answers: in the push's format, kept for its retries, sealed, and shown to nobody.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde::{Serialize, Serializer, ser};
use serde_json::json;
use tokio::time::{Duration, Instant, sleep};
use tower::{ServiceBuilder, ServiceExt};
use tower_wechat::{
    Account, DedupLayer, Message, VerifySignatureLayer,
    callback::{self, Query, Signature},
    dedup::store::MemoryStore,
    late::LateReply,
    message_fn,
    reply::XpayAnswer,
    xml::{self, Value},
};

use super::*;

const TOKEN: &str = "walnut42";

#[derive(Serialize)]
struct Receipt {
    code: i32,
    note: &'static str,
    goods: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<u8>,
}

const RECEIPT: Receipt = Receipt {
    code: -7,
    note: "a ]]> \u{1} & <b>",
    goods: vec![],
    left: None,
};

fn receipt() -> Receipt {
    Receipt {
        goods: vec!["fig", "lime"],
        ..RECEIPT
    }
}

const XML_PUSH: &str = "<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName>\
     <CreateTime>1717500123</CreateTime><MsgType>event</MsgType><Event>xpay_coin_pay_notify</Event>\
     <OutTradeNo>7</OutTradeNo></xml>";

fn json_push() -> String {
    let push = json!({
        "ToUserName": "gh_1", "FromUserName": "o1", "CreateTime": 1_717_500_123, "MsgType": "event",
        "Event": "xpay_coin_pay_notify", "OutTradeNo": "7",
    });
    push.to_string()
}

/// The answer to a push: its body and its Content-Type.
fn answer(reply: &Reply, push: &str) -> Result<(String, &'static str), ErrorKind> {
    let head = Head::read(push.as_bytes()).expect("reads");
    let rendered = reply.render(&Addressing::answering(&head), NOW);
    let rendered = rendered.map_err(|error| error.kind())?;
    assert_eq!(rendered.rest(), None);
    let content_type = rendered.content_type();
    Ok((rendered.into_body().into_owned(), content_type))
}

#[track_caller]
fn check(reply: &Reply, xml: &str, json: &serde_json::Value) {
    assert!(reply.check().is_ok());
    let expected = (xml.to_owned(), "application/xml");
    assert_eq!(answer(reply, XML_PUSH).as_ref(), Ok(&expected));
    // Without a receiver, a sender or a MsgType.
    let bare = "<xml><InfoType>made_up</InfoType></xml>";
    assert_eq!(answer(reply, bare).as_ref(), Ok(&expected));
    if cfg!(feature = "json") {
        for push in [&*json_push(), r#"{"Event":"made_up"}"#] {
            let (body, content_type) = answer(reply, push).expect("is written");
            assert_eq!(content_type, "application/json");
            let body: serde_json::Value = serde_json::from_str(&body).expect("is JSON");
            assert_eq!(&body, json);
        }
    }
}

#[test]
fn an_answer_is_written_in_the_pushs_format() {
    check(
        &Reply::custom(&receipt()),
        "<xml><code>-7</code><note><![CDATA[a ]]]]><![CDATA[>  & <b>]]></note>\
         <goods><![CDATA[fig]]></goods><goods><![CDATA[lime]]></goods></xml>",
        &json!({ "code": -7, "note": RECEIPT.note, "goods": ["fig", "lime"] }),
    );
}

#[test]
fn virtual_payment_gets_its_answers() {
    check(
        &XpayAnswer::success().into(),
        "<xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>",
        &json!({ "ErrCode": 0, "ErrMsg": "success" }),
    );
    check(
        &XpayAnswer::failure(9, "later").into(),
        "<xml><ErrCode>9</ErrCode><ErrMsg><![CDATA[later]]></ErrMsg></xml>",
        &json!({ "ErrCode": 9, "ErrMsg": "later" }),
    );
    for (answer, code) in [
        (XpayAnswer::approve_refund("unused", "0 logins"), 0),
        (XpayAnswer::refuse_refund("unused", "0 logins"), 1),
    ] {
        check(
            &answer.into(),
            &format!(
                "<xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg>\
                 <result_code>{code}</result_code><result_info><![CDATA[unused]]></result_info>\
                 <evidence><![CDATA[0 logins]]></evidence></xml>"
            ),
            &json!({
                "ErrCode": 0, "ErrMsg": "success", "result_code": code, "result_info": "unused",
                "evidence": "0 logins",
            }),
        );
    }
}

#[test]
fn what_cannot_be_written_is_an_error() {
    // No name of an element.
    let spaced = Reply::custom(&HashMap::from([("a b", 1)]));
    assert_eq!(answer(&spaced, XML_PUSH), Err(ErrorKind::Unwritable));
    assert_eq!(spaced.check().is_ok(), cfg!(feature = "json"));
    if cfg!(feature = "json") {
        assert!(answer(&spaced, &json_push()).is_ok());
    }
    let neither = Reply::custom(&Unwritable);
    for push in [XML_PUSH, r#"{"Event":"made_up"}"#]
        .into_iter()
        .take(formats())
    {
        assert_eq!(answer(&neither, push), Err(ErrorKind::Unwritable));
    }
    let error = neither.check().expect_err("no format");
    let source = std::error::Error::source(&error).expect("a reason");
    assert!(source.to_string().contains("out of ink"), "{source}");
}

struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        Err(ser::Error::custom("out of ink"))
    }
}

/// How many of XML and JSON can be read.
fn formats() -> usize {
    1 + usize::from(cfg!(feature = "json"))
}

#[test]
fn it_stands_alone() {
    let custom = Reply::custom(&receipt());
    assert_eq!(custom.clone().then("hi"), custom);
    assert_eq!(Reply::text("hi").then(custom.clone()), Reply::text("hi"));
    assert_eq!(Reply::success().then(custom.clone()), custom);
    assert_eq!(custom.clone().then(Reply::success()), custom);
    assert!(!custom.is_success());
    #[cfg(feature = "json")]
    assert_eq!(custom.to_customer_service("o1").expect("no error"), None);
}

#[tokio::test(start_paused = true)]
async fn a_retry_gets_the_same_answer_on_any_node() {
    for push in [XML_PUSH.to_owned(), json_push()]
        .into_iter()
        .take(formats())
    {
        let store = MemoryStore::new();
        let runs = Arc::new(Mutex::new(0));
        let nodes = [(); 2].map(|()| {
            let runs = Arc::clone(&runs);
            let handler = message_fn(move |_: Message| {
                *runs.lock().unwrap() += 1;
                async { XpayAnswer::success() }
            });
            let layer = DedupLayer::shared(store.clone());
            ServiceBuilder::new().layer(layer).service(handler)
        });
        let mut answers = Vec::new();
        for node in [&nodes[0], &nodes[0], &nodes[1], &nodes[1]] {
            let request = Request::new(crate::assume(push.clone()));
            let response = node.clone().oneshot(request).await.unwrap();
            let content_type = response.headers()["content-type"].to_str().unwrap();
            answers.push((content_type.to_owned(), response.body().to_bytes()));
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(*runs.lock().unwrap(), 1);
        let expected = answer(&XpayAnswer::success().into(), &push).unwrap();
        for (content_type, body) in answers {
            assert_eq!(
                (body, &*content_type),
                (Bytes::from(expected.0.clone()), expected.1)
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_one_is_no_message_to_the_user() {
    let late = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&late);
    let layer = DedupLayer::builder()
        .with_late_replies(move |late: LateReply| {
            *seen.lock().unwrap() = Some(late);
            async {}
        })
        .build();
    let handler = message_fn(|_: Message| async {
        sleep(Duration::from_secs(10)).await;
        XpayAnswer::success()
    });
    let service = ServiceBuilder::new().layer(layer).service(handler);
    let start = Instant::now();
    // Virtual payment waits for the answer.
    let push = XML_PUSH.replace("xpay_", "other_");
    assert_ne!(push, XML_PUSH);
    let response = service
        .oneshot(Request::new(crate::assume(push)))
        .await
        .unwrap();
    assert_eq!(response.body().as_bytes(), b"success");
    assert_eq!(start.elapsed(), Duration::from_millis(4_500));
    sleep(Duration::from_secs(10)).await;
    let late = late.lock().unwrap().take().expect("a late answer");
    assert_eq!(late.reply(), None);
    let response = late.response().expect("its response");
    assert!(response.body().starts_with(b"<xml><ErrCode>"));
}

/// Sealed as any reply, in the format of the envelope.
#[tokio::test]
async fn an_encrypted_account_seals_it() {
    let key = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
    let account = Account::encrypted(TOKEN, "wx0a1b2c3d4e5f6071", key).unwrap();
    let service = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account.clone()))
        .layer(DedupLayer::in_memory())
        .service(message_fn(|_: Message| async { Reply::custom(&receipt()) }));
    let json = json_push();
    let pushes = [(XML_PUSH, false), (&*json, true)];
    for (push, is_json) in pushes.into_iter().take(formats()) {
        let sealed = callback::seal(&account, push.as_bytes()).unwrap();
        let (timestamp, nonce) = (sealed.timestamp().to_string(), "7");
        let token = callback_token();
        let signature = Signature::sign(&token, [&*timestamp, nonce]);
        let msg_signature = Signature::sign(&token, [&*timestamp, nonce, sealed.encrypt()]);
        let query = format!(
            "signature={signature}&timestamp={timestamp}&nonce={nonce}&encrypt_type=aes&msg_signature={msg_signature}"
        );
        let body = if is_json {
            json!({ "ToUserName": "gh_1", "Encrypt": sealed.encrypt() }).to_string()
        } else {
            format!("<xml><Encrypt>{}</Encrypt></xml>", sealed.encrypt())
        };
        let request = Request::post(format!("/wechat?{query}")).body(Full::<Bytes>::from(body));
        let response = service.clone().oneshot(request.unwrap()).await.unwrap();
        let body = response.body().to_bytes();
        let envelope: Value = tower_wechat::message::from_slice(&body).unwrap();
        let query = format!(
            "timestamp={}&nonce={}&encrypt_type=aes&msg_signature={}",
            envelope["TimeStamp"].as_str().unwrap(),
            envelope["Nonce"].as_str().unwrap(),
            envelope["MsgSignature"].as_str().unwrap(),
        );
        assert_eq!(body.starts_with(b"{"), is_json);
        let opened = callback::open(&account, &Query::parse(&query).unwrap(), body).unwrap();
        let expected = answer(&Reply::custom(&receipt()), push).unwrap();
        assert_eq!(opened.plaintext(), expected.0.as_bytes());
        if !is_json {
            assert!(xml::from_slice::<Value>(opened.plaintext()).is_ok());
        }
    }
}

fn callback_token() -> tower_wechat::account::Token {
    tower_wechat::account::Token::new(TOKEN).unwrap()
}

#[cfg(feature = "simulator")]
#[tokio::test(start_paused = true)]
async fn the_user_sees_nothing_of_it() {
    use tower_wechat::simulator::{Shown, Simulator};

    let account = Account::plain(TOKEN).unwrap();
    let service = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account.clone()))
        .service(message_fn(|_: Message| async { XpayAnswer::success() }));
    let wechat = Simulator::new(account);
    for push in [XML_PUSH.to_owned(), json_push()]
        .into_iter()
        .take(formats())
    {
        let transcript = wechat.xml(push).deliver(service.clone()).await;
        assert_eq!(transcript.shown(), &Shown::Nothing, "{transcript}");
        assert!(transcript.deliveries()[0].fault().is_none(), "{transcript}");
    }
}
