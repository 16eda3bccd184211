//! The finished stack against whatever the network may send.

#![allow(
    clippy::string_slice,
    reason = "a slice that panics is a test that fails"
)]

mod oracle;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use proptest::prelude::*;
use tower::{Layer, ServiceExt};
use tower_wechat::{Account, DedupLayer, Message, Reply, VerifySignatureLayer, message_fn};

use self::oracle::{NOW, TOKEN, is_signed, signature};

const VOICE: &str = "<xml><ToUserName><![CDATA[gh_0]]></ToUserName>\
    <FromUserName><![CDATA[oUser]]></FromUserName><CreateTime>1718000000</CreateTime>\
    <MsgType><![CDATA[voice]]></MsgType><MediaId><![CDATA[m]]></MediaId>\
    <Format><![CDATA[amr]]></Format><MsgId>7</MsgId></xml>";

/// Sends a request to a stack of its own. Returns the status and how often the handler ran; `None` if
/// HTTP itself has no such request.
fn send(method: Method, query: &str, body: &[u8]) -> Option<(StatusCode, u32)> {
    let runs = Arc::new(AtomicU32::new(0));
    let handler = message_fn({
        let runs = Arc::clone(&runs);
        move |_: Message| {
            runs.fetch_add(1, Ordering::Relaxed);
            async { Reply::text("heard") }
        }
    });
    let stack = VerifySignatureLayer::new(Account::plain(TOKEN).expect("a token"))
        .with_clock(|| SystemTime::UNIX_EPOCH + Duration::from_secs(NOW))
        .layer(DedupLayer::in_memory().layer(handler));
    let request = Request::builder()
        .method(method)
        .uri(format!("/wechat?{query}"))
        .body(Full::new(Bytes::copy_from_slice(body)))
        .ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let response = runtime
        .block_on(stack.oneshot(request))
        .expect("a rejection is a response");
    Some((response.status(), runs.load(Ordering::Relaxed)))
}

fn signed_query(timestamp: u64, nonce: &str) -> String {
    let timestamp = timestamp.to_string();
    let signature = signature(&timestamp, nonce);
    format!("signature={signature}&timestamp={timestamp}&nonce={nonce}")
}

/// Pieces of a query, a valid one among them.
fn query() -> impl Strategy<Value = String> {
    let parameter = prop_oneof![
        4 => Just(signed_query(NOW, "42")),
        1 => Just(signed_query(NOW - 301, "42")),
        1 => "(signature|%73ignature|timestamp|nonce|echostr|openid|encrypt_type)(=[0-9a-f%+]{0,12})?",
        1 => "[!\"$-~]{0,20}",
    ];
    proptest::collection::vec(parameter, 0..4).prop_map(|parameters| parameters.join("&"))
}

#[test]
fn the_oracle_knows_a_signed_query() {
    let query = signed_query(NOW, "42");
    assert!(is_signed(&query));
    assert_eq!(
        send(Method::POST, &query, VOICE.as_bytes()),
        Some((StatusCode::OK, 1))
    );
    assert_eq!(
        send(Method::GET, &query, VOICE.as_bytes()).map(|(_, runs)| runs),
        Some(0)
    );
}

proptest! {
    #[test]
    fn no_query_deceives_the_handler(query in query()) {
        let Some((status, runs)) = send(Method::POST, &query, VOICE.as_bytes()) else {
            return Ok(());
        };
        prop_assert!(runs == 0 || is_signed(&query), "{query}");
        prop_assert_eq!(status == StatusCode::OK, runs == 1, "{} for {}", status, query);
    }

    #[test]
    fn any_change_of_a_signed_part_is_rejected(at in any::<prop::sample::Index>(), to in "[0-9a-zA-Z]") {
        let query = signed_query(NOW, "wx1234567890");
        let at = at.index(query.len());
        prop_assume!(!query[at..].eq_ignore_ascii_case(&[&to, &query[at + 1..]].concat()));
        let changed = [&query[..at], &to, &query[at + 1..]].concat();
        let (status, runs) = send(Method::POST, &changed, VOICE.as_bytes()).expect("a request");
        prop_assert_eq!(runs, 0, "{}", changed);
        prop_assert_ne!(status, StatusCode::OK);
    }

    /// WeChat cannot mend a body, so whatever it signed is answered 200.
    #[test]
    fn any_signed_body_is_answered(cut in any::<prop::sample::Index>(), noise in prop::collection::vec(any::<u8>(), 0..40)) {
        let cut = cut.index(VOICE.len());
        let body = [&VOICE.as_bytes()[..cut], &noise, &VOICE.as_bytes()[cut..]].concat();
        let (status, runs) = send(Method::POST, &signed_query(NOW, "42"), &body).expect("a request");
        prop_assert_eq!(status, StatusCode::OK);
        prop_assert!(runs <= 1);
    }
}
