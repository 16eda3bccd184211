//! No body is parsed twice. The counts are the thread's, so each test has a runtime on its own thread.

use std::{future::Future, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::{sync::mpsc, time};
use tower::{Service, ServiceBuilder, ServiceExt};

use super::{Delivery, Verified};
use crate::{
    account::{Account, Mode, Token},
    callback::{self, Signature},
    dedup::DedupLayer,
    handler::message_fn,
    late::{LateCause, LateReply},
    message::{Message, parses},
    response::ResponseBody,
    timestamp::Timestamp,
    verify::VerifySignatureLayer,
};

const TOKEN: &str = "rosebud7";
const APP_ID: &str = "wx0a1b2c3d4e5f6071";
const KEY: &str = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";

const TEXT: &str = "<xml><ToUserName>gh_1</ToUserName><FromUserName>openid</FromUserName>\
    <CreateTime>1</CreateTime><MsgType>text</MsgType><Content>hi</Content><MsgId>7</MsgId></xml>";

const TICKET: &str = "<xml><AppId>wx1</AppId><InfoType>component_verify_ticket</InfoType></xml>";

/// Checks how many heads and how many typed messages `work` parses.
#[track_caller]
fn check_parses<F: Future>(heads: usize, messages: usize, work: F) {
    // Deliveries and runs have spans that are enabled: these want the head, too.
    #[cfg(feature = "tracing")]
    {
        let subscriber = tracing_subscriber::fmt().with_writer(std::io::sink);
        // For the whole process: `tests/it/log.rs` says why one for this thread may be passed over.
        let _ = tracing::subscriber::set_global_default(subscriber.finish());
    }
    let before = (parses::heads(), parses::messages());
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(work);
    let after = (parses::heads(), parses::messages());
    let parsed = (after.0 - before.0, after.1 - before.1);
    assert_eq!(parsed, (heads, messages), "parsed heads and messages");
}

/// All layers, around a handler that takes this long; and the late replies.
fn stack(
    account: &Account,
    takes: Duration,
) -> (
    impl Service<Request<Full<Bytes>>, Response = Response<ResponseBody>, Error: std::fmt::Debug>
    + Clone,
    mpsc::UnboundedReceiver<LateReply>,
) {
    let (sender, late) = mpsc::unbounded_channel();
    let dedup = DedupLayer::builder().with_late_replies(move |reply: LateReply| {
        let _ = sender.send(reply);
        async {}
    });
    let stack = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account.clone()))
        .layer(dedup.build())
        .service(message_fn(move |_: Message| async move {
            time::sleep(takes).await;
            "hi"
        }));
    (stack, late)
}

/// A delivery as WeChat sends it now.
fn delivery(account: &Account, plaintext: &str) -> Request<Full<Bytes>> {
    let signed = |timestamp: &str, nonce: &str| {
        let token = Token::new(TOKEN).expect("a token");
        let signature = Signature::sign(&token, [timestamp, nonce]);
        format!("signature={signature}&timestamp={timestamp}&nonce={nonce}")
    };
    let (query, body) = if account.mode() == Mode::Plain {
        let query = signed(&Timestamp::now().to_string(), "90817");
        (query, plaintext.to_owned())
    } else {
        let sealed = callback::seal(account, plaintext.as_bytes()).expect("a key");
        let query = signed(&sealed.timestamp().to_string(), sealed.nonce());
        let msg_signature = sealed.msg_signature();
        (
            format!("{query}&msg_signature={msg_signature}"),
            sealed.to_xml(),
        )
    };
    let request = Request::post(format!("/wechat?{query}")).body(Full::from(body));
    request.expect("a request")
}

#[test]
fn all_clones_share_the_parsed_head() {
    for (plaintext, is_readable) in [(TEXT, true), ("<xml", false)] {
        check_parses(0, 0, async {
            let verified = Verified::insecure_assume(plaintext, Delivery::new("news"));
            let _ = (verified.as_bytes(), verified.delivery(), verified.clone());
        });
        check_parses(1, 0, async {
            let verified = Verified::insecure_assume(plaintext, Delivery::new("news"));
            let clone = verified.clone();
            for verified in [&clone, &verified, &verified.clone(), &clone] {
                assert_eq!(verified.head().is_ok(), is_readable);
            }
        });
    }
}

#[test]
fn a_new_message_is_parsed_once_beside_the_typed_read() {
    let component = Account::component(TOKEN, APP_ID, KEY).expect("an account");
    for (account, plaintext) in [
        (Account::plain(TOKEN), TEXT),
        (Account::encrypted(TOKEN, APP_ID, KEY), TEXT),
        // Their check of the receiver reads the head already.
        (component.authorizer("gh_1"), TEXT),
        (Ok(component), TICKET),
    ] {
        let account = account.expect("an account");
        check_parses(1, 1, async {
            let (stack, _late) = stack(&account, Duration::ZERO);
            let response = stack.oneshot(delivery(&account, plaintext)).await;
            let body = response.expect("an answer").into_body();
            assert!(!body.as_bytes().is_empty());
        });
    }
}

/// The check of the receiver finds that the head is unreadable, and all that follow take its word.
#[test]
fn an_unreadable_head_is_parsed_once() {
    let component = Account::component(TOKEN, APP_ID, KEY).expect("an account");
    let account = component.authorizer("gh_1").expect("an account");
    let repeated = TEXT.replace("</xml>", "<MsgType>event</MsgType></xml>");
    // The handler's type, and then the search for the element that names the type.
    check_parses(1, 2, async {
        let (stack, _late) = stack(&account, Duration::ZERO);
        let response = stack.oneshot(delivery(&account, &repeated)).await;
        assert_eq!(response.expect("an answer").body().as_bytes(), b"success");
    });
}

/// A retry needs its head for the key, and nothing is read for a handler that has run.
#[test]
fn a_retry_is_parsed_once_and_never_as_a_message() {
    let account = Account::plain(TOKEN).expect("an account");
    let (stack, _late) = stack(&account, Duration::ZERO);
    check_parses(3, 1, async {
        for _ in 0..3 {
            let response = stack.clone().oneshot(delivery(&account, TEXT)).await;
            assert!(response.is_ok_and(|response| response.status().is_success()));
        }
    });
}

#[test]
fn a_late_reply_is_addressed_without_another_parse() {
    let account = Account::plain(TOKEN).expect("an account");
    check_parses(1, 1, async {
        let (stack, mut late) = stack(&account, Duration::from_secs(20));
        let answer = stack.oneshot(delivery(&account, TEXT));
        // WeChat hangs up, and does not come again.
        let hung_up = time::timeout(Duration::from_secs(5), answer).await;
        assert!(hung_up.is_err());
        let late = late.recv().await.expect("a late reply");
        assert_eq!(late.cause(), LateCause::Unfetched);
        assert_eq!(late.openid(), Some("openid"));
        assert_eq!(late.original_id(), Some("gh_1"));
        assert!(late.send_until() > Some(Timestamp::now()));
        assert!(late.reply().is_some());
    });
}
