use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Full;
use tower_wechat::{Account, VerifySignatureLayer, callback::ErrorKind, verify::RejectionKind};

use super::{
    NONCE, NOW, TOKEN, at, block_on, check_accepted, check_rejected, get, layer, post, query, send,
    signature, signed, signed_at,
};

#[test]
fn each_rejection_has_its_status() {
    let unsigned = query(&"0".repeat(40), "1735689600", NONCE);
    let requests = [
        (
            post(&unsigned),
            RejectionKind::Callback(ErrorKind::Signature),
            403,
        ),
        (
            post(&signed_at(NOW - 301)),
            RejectionKind::Callback(ErrorKind::Timestamp),
            403,
        ),
        (
            post(""),
            RejectionKind::Callback(ErrorKind::Parameters),
            400,
        ),
        (
            post(&format!("{}&encrypt_type=des", signed())),
            RejectionKind::Callback(ErrorKind::Parameters),
            400,
        ),
        (
            get(&format!("{unsigned}&echostr=1")),
            RejectionKind::Callback(ErrorKind::Signature),
            403,
        ),
        (
            get(&format!("{}&echostr=1", signed_at(NOW + 301))),
            RejectionKind::Callback(ErrorKind::Timestamp),
            403,
        ),
        (
            get(&signed()),
            RejectionKind::Callback(ErrorKind::Echostr),
            400,
        ),
        (
            get(&format!("{}&echostr=a%20b", signed())),
            RejectionKind::Callback(ErrorKind::Echostr),
            400,
        ),
        (
            post(&signed()).map(|_| Full::default()),
            RejectionKind::BodyEmpty,
            400,
        ),
        (
            post(&signed()).map(|_| vec![b' '; 65537].into()),
            RejectionKind::BodyTooLarge,
            413,
        ),
    ];
    for (request, kind, status) in requests {
        let line = format!("{} {}", request.method(), request.uri());
        let outcome = block_on(send(&layer(), request.clone()));
        assert_eq!(outcome.response.status(), status, "{line}");
        check_rejected(&layer(), request, kind);
    }
}

#[test]
fn other_methods_are_told_which_are_allowed() {
    for method in [
        Method::HEAD,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
        Method::PATCH,
    ] {
        let mut request = post(&signed());
        *request.method_mut() = method;
        check_rejected(&layer(), request.clone(), RejectionKind::Method);
        let outcome = block_on(send(&layer(), request));
        assert_eq!(outcome.response.status(), 405);
        assert_eq!(outcome.response.headers()[header::ALLOW], "GET, POST");
    }
}

#[test]
fn what_passes() {
    check_accepted(&layer(), post(&signed()));
    check_accepted(
        &layer(),
        post(&format!("{}&encrypt_type=raw&openid=o", signed())),
    );
    check_accepted(
        &layer(),
        post(&format!(
            "{}&encrypt_type=aes&msg_signature=0000000000000000000000000000000000000000",
            signed()
        )),
    );
    let whole = post(&signed()).map(|_| Full::<Bytes>::from(vec![b' '; 65536]));
    assert_eq!(block_on(send(&layer(), whole)).runs, 1);
}

#[test]
fn url_verification_is_answered_with_the_echostr() {
    let request = get(&format!("{}&echostr=%3Cb%3E5577006791947779410", signed()));
    let outcome = block_on(send(&layer(), request));
    assert_eq!(outcome.response.status(), 200);
    assert_eq!(outcome.body, "<b>5577006791947779410");
    assert_eq!(
        outcome.response.headers()[header::CONTENT_TYPE],
        "text/plain"
    );
    assert_eq!(
        outcome.response.headers()[header::X_CONTENT_TYPE_OPTIONS],
        "nosniff"
    );
    assert_eq!(outcome.runs, 0);
}

/// The published GET of the message-push page, and its plain POST.
#[test]
fn published_requests() {
    let account = || Account::plain("AAAAA").unwrap();
    let query = query(
        "f464b24fc39322e44b38aa78f5edd27bd1441696",
        "1714036504",
        "1514711492",
    );
    let layer = VerifySignatureLayer::new(account()).with_clock(|| at(1_714_036_504));
    let request = get(&format!("{query}&echostr=4375120948345356249"));
    assert_eq!(block_on(send(&layer, request)).body, "4375120948345356249");

    let query = super::query(
        "899cf89e464efb63f54ddac96b0a0a235f53aa78",
        "1714037059",
        "486452656",
    );
    let layer = VerifySignatureLayer::new(account()).with_clock(|| at(1_714_037_059));
    check_accepted(&layer, post(&query));
}

#[test]
fn the_tolerance_has_two_sharp_ends() {
    let nanosecond = Duration::from_nanos(1);
    let window = Duration::from_mins(5);
    for (now, is_accepted) in [
        (at(NOW), true),
        (at(NOW) + window, true),
        (at(NOW) + window + nanosecond, false),
        (at(NOW) - window, true),
        (at(NOW) - window - nanosecond, false),
        (SystemTime::UNIX_EPOCH, false),
        (SystemTime::UNIX_EPOCH - Duration::from_secs(1), false),
    ] {
        let layer = layer().with_clock(move || now);
        if is_accepted {
            check_accepted(&layer, post(&signed()));
        } else {
            check_rejected(
                &layer,
                post(&signed()),
                RejectionKind::Callback(ErrorKind::Timestamp),
            );
        }
    }
}

#[test]
fn the_window_is_configurable() {
    let narrow = layer().with_timestamp_tolerance(Duration::ZERO);
    check_accepted(&narrow, post(&signed()));
    check_rejected(
        &narrow,
        post(&signed_at(NOW + 1)),
        RejectionKind::Callback(ErrorKind::Timestamp),
    );
    let open = layer().with_timestamp_tolerance(Duration::MAX);
    check_accepted(&open, post(&signed_at(0)));
    check_accepted(&open, post(&signed_at(9_999_999_999)));
}

#[test]
fn the_ends_of_time_do_not_overflow() {
    check_rejected(
        &layer(),
        post(&signed_at(0)),
        RejectionKind::Callback(ErrorKind::Timestamp),
    );
    check_rejected(
        &layer(),
        post(&signed_at(9_999_999_999)),
        RejectionKind::Callback(ErrorKind::Timestamp),
    );
    let timeless = layer().with_body_timeout(Duration::MAX);
    check_accepted(&timeless, post(&signed()));
}

#[test]
fn accounts_are_picked_per_request() {
    let layer = VerifySignatureLayer::from_fn(|head| {
        let account = match (head.uri.path(), head.headers.get(header::HOST)) {
            ("/news", _) => Account::plain("walnut42"),
            (_, Some(host)) if host == "shop.example" => Account::plain(TOKEN),
            _ => return None,
        };
        account.ok()
    })
    .with_clock(|| at(NOW));
    let request = |path: &str, host: &str, token: &str| {
        let query = query(&signature(token, "1735689600", NONCE), "1735689600", NONCE);
        Request::post(format!("{path}?{query}"))
            .header(header::HOST, host)
            .body(Full::from(super::MESSAGE))
            .unwrap()
    };
    check_accepted(&layer, request("/news", "news.example", "walnut42"));
    check_accepted(&layer, request("/any", "shop.example", TOKEN));
    check_rejected(
        &layer,
        request("/news", "news.example", TOKEN),
        RejectionKind::Callback(ErrorKind::Signature),
    );
    check_rejected(
        &layer,
        request("/any", "shop.example", "walnut42"),
        RejectionKind::Callback(ErrorKind::Signature),
    );
    check_rejected(
        &layer,
        request("/any", "news.example", TOKEN),
        RejectionKind::UnknownAccount,
    );
    let unknown = request("/any", "news.example", TOKEN);
    assert_eq!(block_on(send(&layer, unknown)).response.status(), 404);
}
