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
