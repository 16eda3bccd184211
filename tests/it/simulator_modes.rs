//! The simulator in each mode, against the finished stack: what is encrypted is answered encrypted.

use std::convert::Infallible;

use tower::{Layer, Service, ServiceBuilder};
use tower_wechat::{
    Account, DedupLayer, Message, ResponseBody, VerifySignatureLayer, message_fn,
    simulator::{FaultKind, RequestBody, Shown, Simulator},
};

const KEY: &str = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";

/// A stack that says what it hears.
fn echo(
    account: Account,
) -> impl Service<
    http::Request<RequestBody>,
    Response = http::Response<ResponseBody>,
    Error = Infallible,
> + Clone {
    ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account))
        .layer(DedupLayer::in_memory())
        .service(message_fn(async |message: Message| match message {
            Message::Text(text) => Some(text.content),
            _ => None,
        }))
}

fn accounts() -> Vec<(&'static str, Account)> {
    let component = Account::component("rosebud7", "wxcomponent", KEY).unwrap();
    vec![
        ("plain", Account::plain("rosebud7").unwrap()),
        (
            "safe",
            Account::encrypted("rosebud7", "wx0a1b", KEY).unwrap(),
        ),
        ("WeCom", Account::wecom("rosebud7", "ww0a1b", KEY).unwrap()),
        (
            "WeCom without an id",
            Account::wecom("rosebud7", "", KEY).unwrap(),
        ),
        (
            "authorizer",
            component.authorizer("gh_of_the_authorizer").unwrap(),
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn every_mode_is_spoken_in_both_directions() {
    for (mode, account) in accounts() {
        let service = echo(account.clone());
        let wechat = Simulator::new(account);
        assert_eq!(
            wechat.verify_url(service.clone()).await.fault(),
            None,
            "{mode}"
        );
        for wechat in [wechat.clone(), wechat.with_compatible_mode()] {
            let transcript = wechat.text("你好 ]]> <b>").deliver(service.clone()).await;
            assert_eq!(transcript.shown().text(), Some("你好 ]]> <b>"), "{mode}");
            assert_eq!(transcript.deliveries().len(), 1, "{mode}");

            let forged = wechat
                .text("forged")
                .forge_signature()
                .deliver(service.clone())
                .await;
            assert_eq!(
                forged.deliveries()[0].status().map(|it| it.as_u16()),
                Some(403),
                "{mode}"
            );
        }
    }
}

/// A text message whose Content has these bytes, as WeChat would write it.
fn text_of(content: &[u8]) -> Vec<u8> {
    [
        b"<xml>\n<ToUserName><![CDATA[gh_1]]></ToUserName>\n<FromUserName><![CDATA[o1]]></FromUserName>\n\
          <CreateTime>1718000000</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[",
        content,
        b"]]></Content>\n<MsgId>7</MsgId>\n</xml>",
    ]
    .concat()
}

/// Compatible mode is WeChat's own: the plaintext as it is, with one more field.
#[tokio::test(start_paused = true)]
async fn compatible_mode_changes_no_byte_of_the_plaintext() {
    let account = Account::encrypted("rosebud7", "wx0a1b", KEY).unwrap();
    let wechat = Simulator::new(account).with_compatible_mode();
    for content in [
        &b"]]></Content><Encrypt><![CDATA["[..],
        b"]]></xml><xml>",
        b"1 ]]> 0 \x02 <b>&nbsp;",
        b"half an emoji \xf0\x9f",
    ] {
        let sent = text_of(content);
        let body = wechat.xml(sent.clone()).request().unwrap().into_body();
        let end = body.len() - "</xml>".len();
        let field = memchr::memmem::rfind(&body, b"<Encrypt>").unwrap();
        assert_eq!([&body[..field], &body[end..]].concat(), sent);
    }
    let json = r#"{"MsgType":"text","Content":"}"}"#;
    let body = wechat.xml(json).request().unwrap().into_body();
    assert!(body.starts_with(br#"{"MsgType":"text","Content":"}","Encrypt":""#));
    assert!(body.ends_with(br#""}"#));
}

/// Whatever a user types: the document beside the ciphertext may be no document at all.
#[tokio::test(start_paused = true)]
async fn in_compatible_mode_no_text_refuses_a_message() {
    let account = Account::encrypted("rosebud7", "wx0a1b", KEY).unwrap();
    let wechat = Simulator::new(account.clone()).with_compatible_mode();
    let service = echo(account);
    for content in [
        "]]></Content>",
        "]]></Content><Encrypt><![CDATA[",
        "]]></Content><Encrypt><![CDATA[Zm9yZ2Vk]]></Encrypt><Content><![CDATA[",
        "</xml>",
        "]]></Content></xml>",
        "<!--",
        "]]><!DOCTYPE xml [",
        "]]>&nbsp;",
    ] {
        let push = text_of(content.as_bytes());
        let delivered = wechat.xml(push).deliver(service.clone()).await;
        let status = delivered.deliveries()[0].status().unwrap();
        assert_eq!(status.as_u16(), 200, "{content}");
    }
}

/// The half of a character: where WeChat, or a phone, has cut a text.
#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_utf8_arrive_in_every_mode() {
    let mut table: Vec<(Vec<u8>, &str)> = [
        (&b"\xbd\xa0 you"[..], "\u{fffd}\u{fffd} you"),
        (b"\xe4\xbd", "\u{fffd}"),
        ("你好".as_bytes().split_last().unwrap().1, "你\u{fffd}"),
        (b"a\xf0\x9f\x98b", "a\u{fffd}b"),
        (b"a\xff\xfeb", "a\u{fffd}\u{fffd}b"),
        (b"\xed\xa0\xbd", "\u{fffd}\u{fffd}\u{fffd}"),
        (
            b"\xc0\xbcxml\xc0\xbe",
            "\u{fffd}\u{fffd}xml\u{fffd}\u{fffd}",
        ),
    ]
    .map(|(content, text)| (text_of(content), text))
    .into();
    // In the name of a field that nobody reads, and in a value of one.
    let beside = |field: &[u8]| {
        let text = String::from_utf8(text_of(b"hi")).unwrap();
        let (start, end) = text.split_once("<MsgId>").unwrap();
        [start.as_bytes(), field, b"<MsgId>", end.as_bytes()].concat()
    };
    table.push((beside(b"<Na\xffme>1</Na\xffme>"), "hi"));
    table.push((beside(b"<Idx>\xff</Idx>"), "hi"));
    if cfg!(feature = "json") {
        let json = b"{\"ToUserName\":\"gh_1\",\"FromUserName\":\"o1\",\"CreateTime\":1718000000,\
            \"MsgType\":\"text\",\"Content\":\"you \xe4\xbd\",\"MsgId\":7}";
        table.push((json.to_vec(), "you \u{fffd}"));
    }
    for (mode, account) in accounts() {
        let wechat = Simulator::new(account.clone());
        for wechat in [wechat.clone(), wechat.with_compatible_mode()] {
            for (push, text) in &table {
                let mut push = push.clone();
                // An authorizer's messages are for it.
                if mode == "authorizer" {
                    let at = memchr::memmem::find(&push, b"gh_1").unwrap();
                    push.splice(at..at + 4, *b"gh_of_the_authorizer");
                }
                let service = echo(account.clone());
                let shown = std::sync::Mutex::new(None);
                let deliver = async || {
                    let push = wechat.xml(push.clone());
                    let delivered = push.deliver(service.clone()).await;
                    *shown.lock().unwrap() = Some(delivered);
                };
                #[cfg(feature = "tracing")]
                {
                    let log = crate::log::of(deliver).await;
                    let warnings = log.lines().filter(|line| line.contains("WARN"));
                    let warnings: Vec<_> = warnings.collect();
                    assert_eq!(warnings.len(), 1, "{mode}: {log}");
                    assert!(warnings[0].contains("not UTF-8"), "{mode}: {log}");
                }
                #[cfg(not(feature = "tracing"))]
                deliver().await;
                let delivered = shown.lock().unwrap().take().unwrap();
                assert_eq!(delivered.shown().text(), Some(*text), "{mode}");
                assert_eq!(delivered.deliveries().len(), 1, "{mode}");
            }
        }
    }
}

/// WeChat shows the fault text for a reply in safe mode that is not sealed, or not for it.
#[tokio::test(start_paused = true)]
async fn what_is_not_sealed_is_a_fault() {
    let account = Account::encrypted("rosebud7", "wx0a1b", KEY).unwrap();
    let others = Account::encrypted(
        "rosebud7",
        "wx0a1b",
        "Z9yXw8VuT7sRq6PoN5mLk4JiH3gFe2DcB1aAzYxWvUt",
    )
    .unwrap();
    let wechat = Simulator::new(account.clone());
    // A server that seals with another key than WeChat has now.
    let service = echo(others.with_previous_aes_key(KEY).unwrap());
    let with_its_own = wechat.text("hi").deliver(service).await;
    assert_eq!(
        with_its_own.shown().text(),
        Some("hi"),
        "the key that opened it"
    );

    let unsealed = VerifySignatureLayer::new(account).layer(tower::service_fn(
        async |_: http::Request<tower_wechat::Verified>| {
            Ok::<_, Infallible>(http::Response::new(
                http_body_util::Full::<bytes::Bytes>::from("<xml/>"),
            ))
        },
    ));
    let sealed_nonsense = wechat.text("hi").deliver(unsealed).await;
    assert_eq!(sealed_nonsense.shown(), &Shown::Fault);

    let plain = tower::service_fn(async |_: http::Request<RequestBody>| {
        Ok::<_, Infallible>(http::Response::new(
            http_body_util::Full::<bytes::Bytes>::from("<xml><MsgType>text</MsgType></xml>"),
        ))
    });
    let plaintext = wechat.text("hi").deliver(plain).await;
    assert_eq!(plaintext.shown(), &Shown::Fault);
    let fault = plaintext.deliveries()[0]
        .fault()
        .map(tower_wechat::simulator::Fault::kind);
    assert_eq!(fault, Some(FaultKind::Envelope));
}

#[cfg(feature = "json")]
#[tokio::test(start_paused = true)]
async fn a_push_in_json_is_sealed_and_answered_in_json() {
    let account = Account::encrypted("rosebud7", "wx0a1b", KEY).unwrap();
    let body = r#"{"ToUserName":"gh_1","FromUserName":"o1","CreateTime":"1718000000","MsgType":"text","Content":"hi","MsgId":7}"#;
    let transcript = Simulator::new(account.clone())
        .xml(body)
        .deliver(echo(account))
        .await;
    assert_eq!(transcript.shown().text(), Some("hi"));
}

/// A WeChat shop pushes JSON in safe mode, of types that this crate has none for. The handler reads them into its own, and
/// gives a custom answer.
#[cfg(feature = "json")]
#[tokio::test(start_paused = true)]
async fn a_shops_push_is_read_into_a_type_of_ones_own() {
    use serde::{Deserialize, Serialize};
    use tower_wechat::{Reply, xml};

    #[derive(Deserialize)]
    struct NewOrder {
        order_info: OrderInfo,
    }

    #[derive(Deserialize)]
    struct OrderInfo {
        // A number of more digits than a float holds.
        order_id: String,
    }

    #[derive(Serialize)]
    struct Taken {
        order_id: String,
        taken: bool,
    }

    let answer = async |message: Message| {
        let Some(other) = message.other() else {
            return Ok(Reply::success());
        };
        match other.event() {
            Some("channels_ec_order_new") => {
                let NewOrder { order_info } = other.deserialize()?;
                let order_id = order_info.order_id;
                Ok::<_, xml::Error>(Reply::custom(&Taken {
                    order_id,
                    taken: true,
                }))
            }
            _ => Ok(Reply::success()),
        }
    };
    let account = Account::encrypted("rosebud7", "wx0a1b", KEY).unwrap();
    let wechat = Simulator::new(account.clone());
    let answers = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let shop = |order: &str| {
        let noted = std::sync::Arc::clone(&answers);
        let service = ServiceBuilder::new()
            .layer(VerifySignatureLayer::new(account.clone()))
            .layer(DedupLayer::in_memory())
            .map_response(move |response: http::Response<ResponseBody>| {
                let body = String::from_utf8(response.body().as_bytes().to_vec()).unwrap();
                noted.lock().unwrap().push(body);
                response
            })
            .service(message_fn(answer));
        let push = format!(
            r#"{{"ToUserName":"gh_5d1c0e94a7b3","FromUserName":"oShop","CreateTime":1717500123,"MsgType":"event",
            "Event":"channels_ec_order_new","order_info":{order}}}"#
        );
        wechat.xml(push).deliver(service)
    };
    for (order, answered) in [
        (
            r#"{"order_id":3705115058471208928}"#,
            r#"{"order_id":"3705115058471208928","taken":true}"#,
        ),
        (r#"{"order_id":"37"}"#, r#"{"order_id":"37","taken":true}"#),
    ] {
        let transcript = shop(order).await;
        assert_eq!(transcript.deliveries().len(), 1, "{transcript}");
        assert_eq!(transcript.deliveries()[0].fault(), None, "{transcript}");
        assert_eq!(answers.lock().unwrap().pop().unwrap(), answered);
    }
}
