//! Accounts on WeChat's cloud hosting, which signs nothing.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::stream;
use http::{HeaderName, Method, Request, header};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use tower_wechat::{
    Account, VerifySignatureLayer,
    account::{ErrorKind, Mode},
    callback::{self, Query},
    verify::RejectionKind,
};

use super::{
    Bytes, MESSAGE, NOW, TOKEN, at, block_on, check_accepted, check_rejected, send, signed,
};

fn account() -> Account {
    Account::insecure_cloud_hosting("wx0a1b2c3d4e5f6071").unwrap()
}

fn hosted() -> VerifySignatureLayer {
    VerifySignatureLayer::new(account()).with_clock(|| at(NOW))
}

fn request(method: Method, header: &str, body: &str) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::from(body.to_owned()));
    *request.method_mut() = method;
    *request.uri_mut() = "/wechat".parse().unwrap();
    if let Some((name, value)) = header.split_once(": ") {
        let name: HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    request
}

const MARK: &str = "X-WX-SOURCE: other";

#[test]
fn the_platform_marks_its_deliveries() {
    for mark in [MARK, "x-wx-source: 1", "X-WX-SOURCES: other"] {
        check_accepted(&hosted(), request(Method::POST, mark, MESSAGE));
    }
    for mark in ["", "X-WX-SOURCE: ", "X-WX-OPENID: o1", "X-WX-SOURC: other"] {
        let stranger = request(Method::POST, mark, MESSAGE);
        check_rejected(&hosted(), stranger.clone(), RejectionKind::Source);
        assert_eq!(block_on(send(&hosted(), stranger)).response.status(), 403);
    }
    // No signature takes the header's place: the account has no token.
    let mut signed_request = request(Method::POST, "", MESSAGE);
    *signed_request.uri_mut() = format!("/wechat?{}", signed()).parse().unwrap();
    check_rejected(&hosted(), signed_request, RejectionKind::Source);
}

/// The console sends it when it saves the path. WeChat does not document whether it has the header.
#[test]
fn the_probe_is_answered() {
    for mark in [MARK, ""] {
        for probe in [
            "<xml><action>CheckContainerPath</action></xml>",
            "<xml>\n  <action><![CDATA[CheckContainerPath]]></action>\n</xml>",
            r#"{"action":"CheckContainerPath"}"#,
            "{\n  \"action\": \"CheckContainerPath\"\n}",
        ] {
            let probe = request(Method::POST, mark, probe);
            let outcome = block_on(send(&hosted(), probe.clone()));
            assert_eq!(outcome.response.status(), 200);
            assert_eq!((&*outcome.body, outcome.runs), (&b"success"[..], 0));
            // Nobody else answers it.
            let plain = VerifySignatureLayer::new(Account::plain(TOKEN).unwrap());
            assert_eq!(block_on(send(&plain, probe)).response.status(), 400);
        }
    }
    // A user may write the same word.
    for text in [
        "<xml><MsgType>text</MsgType><Content>CheckContainerPath</Content></xml>",
        r#"{"MsgType":"text","Content":"CheckContainerPath"}"#,
    ] {
        let outcome = block_on(send(&hosted(), request(Method::POST, MARK, text)));
        assert_eq!((&*outcome.body, outcome.runs), (text.as_bytes(), 1));
        check_rejected(
            &hosted(),
            request(Method::POST, "", text),
            RejectionKind::Source,
        );
    }
}

#[test]
fn its_requests_have_the_bounds_of_all_others() {
    for (method, body, kind) in [
        (Method::GET, "", RejectionKind::NotPost),
        (Method::PUT, MESSAGE, RejectionKind::NotPost),
        (Method::POST, "", RejectionKind::BodyEmpty),
        (
            Method::POST,
            &*" ".repeat(65_537),
            RejectionKind::BodyTooLarge,
        ),
    ] {
        check_rejected(&hosted(), request(method, MARK, body), kind);
    }
    let get = block_on(send(&hosted(), request(Method::GET, MARK, "")));
    assert_eq!(get.response.headers()[header::ALLOW], "POST");
}

/// A request without the platform's header.
#[test]
fn no_more_is_read_of_a_stranger_than_a_probe_has() {
    let read = AtomicUsize::new(0);
    let frames = stream::repeat_with(|| {
        read.fetch_add(64, Ordering::Relaxed);
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b' '; 64])))
    });
    let stranger = request(Method::POST, "", "").map(|_| StreamBody::new(frames));
    let outcome = block_on(send(&hosted(), stranger));
    assert_eq!(outcome.rejection(), Some(RejectionKind::Source));
    // With the frame that is beyond it.
    assert_eq!(read.into_inner(), 256 + 64);
}

#[test]
fn a_stranger_may_send_a_probe_alone() {
    for (size, kind) in [
        (0, RejectionKind::BodyEmpty),
        (256, RejectionKind::Source),
        (257, RejectionKind::Source),
        (65_537, RejectionKind::Source),
    ] {
        let stranger = request(Method::POST, "", &" ".repeat(size));
        check_rejected(&hosted(), stranger, kind);
    }
    let mut announced = request(Method::POST, "", " ");
    let headers = announced.headers_mut();
    headers.insert(header::CONTENT_LENGTH, 257.into());
    check_rejected(&hosted(), announced, RejectionKind::Source);
}

#[test]
fn the_account_has_no_token_and_no_key() {
    let account = account();
    assert_eq!(account.mode(), Mode::CloudHosting);
    assert_eq!(account.name(), "wx0a1b2c3d4e5f6071");
    let error = account.clone().with_previous_token(TOKEN).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoToken);
    assert_eq!(
        error.to_string(),
        "an account on cloud hosting has no token: build it with `Account::encrypted`"
    );
    let key = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
    let error = account.clone().with_previous_aes_key(key).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotEncrypted);
    let error = Account::insecure_cloud_hosting("gh_5130c4e1d2a7").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OriginalIdAsAppId);
    let error = Account::insecure_cloud_hosting("").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AppIdEmpty);
    // As pure functions, the checks accept nothing.
    let query = Query::parse(&signed()).unwrap();
    let verified = query.verify(&account, at(NOW), Duration::from_mins(5));
    let error = verified.unwrap_err();
    assert_eq!(error.kind(), callback::ErrorKind::Signature);
}

/// The finished stack, with the simulator as the platform.
#[cfg(feature = "simulator")]
#[tokio::test(start_paused = true)]
async fn the_finished_stack_answers_the_platform() {
    use tower::ServiceBuilder;
    use tower_wechat::{DedupLayer, message::TextMessage, message_fn, simulator::Simulator};

    let bot = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account()))
        .layer(DedupLayer::in_memory())
        .service(message_fn(async |text: TextMessage| text.content));
    let wechat = Simulator::new(account());
    let verified = wechat.verify_url(bot.clone()).await;
    assert_eq!(verified.fault(), None);
    assert_eq!(verified.outcome(), Some("url_verified"));
    let transcript = wechat.text("hi").lose_answers(1).deliver(bot.clone()).await;
    assert_eq!(transcript.shown().text(), Some("hi"));
    assert_eq!(transcript.deliveries().len(), 2);
    let request = wechat.text("hi").request().unwrap();
    assert_eq!(request.uri(), "/wechat");
    assert!(request.headers().contains_key("x-wx-source"));

    let forged = wechat.text("hi").forge_signature().deliver(bot).await;
    let status = forged.deliveries()[0].status();
    assert_eq!(status.map(|status| status.as_u16()), Some(403));
    // The console does not accept a path that answers something else.
    let page = tower::service_fn(async |_| {
        Ok::<_, std::convert::Infallible>(http::Response::new(Full::<Bytes>::from("<html>")))
    });
    let fault = wechat.verify_url(page).await;
    let fault = fault.fault().map(ToString::to_string);
    assert_eq!(fault.as_deref(), Some("expected `success` or nothing"));
}
