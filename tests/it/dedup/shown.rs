//! Keys, late replies and kept responses as a log or a store sees them.

use http::HeaderValue;
use sha1::{Digest as _, Sha1};
use tower_wechat::{
    dedup::{StoredResponse, store::ClaimId},
    late::{LateCause, LateReply},
};

use super::*;

/// A store of one's own may keep the bytes, and the key in Redis is the text.
#[test]
fn a_key_is_the_hash_of_its_parts_and_their_lengths() {
    let long = "d".repeat(200);
    let key = Key::new(["a", "bc", &long]);
    let mut hash = Sha1::new();
    // 200 in base 128, the last digit first.
    for part in [b"\x01a", b"\x02bc".as_slice(), b"\xc8\x01", long.as_bytes()] {
        hash.update(part);
    }
    let expected: [u8; 20] = hash.finalize().into();
    assert_eq!(key.as_bytes(), &expected);
    let digits = format!("{:x}", Bytes::copy_from_slice(&expected));
    assert_eq!(key.to_string(), digits);
    assert_eq!(format!("{key:?}"), format!("Key({digits})"));
}

/// A store of one's own may keep either.
#[test]
fn a_claims_id_has_its_bytes_and_shows_them_in_hexadecimal() {
    let id = ClaimId::random();
    let digits = format!("{:x}", Bytes::copy_from_slice(&id.to_bytes()));
    assert_eq!(id.to_string(), digits);
}

#[test]
fn debug_shows_no_message_and_no_reply() {
    let response = StoredResponse::new(
        StatusCode::OK,
        Some(HeaderValue::from_static("application/xml")),
        Bytes::from("hush"),
    );
    let shown =
        "StoredResponse { status: 200, content_type: Some(\"application/xml\"), bytes: 4, .. }";
    assert_eq!(format!("{response:?}"), shown);

    let request = Request::new(assume(text("user", "1", "hush")));
    let key = Key::of(&request);
    let late = LateReply::new(
        key,
        request,
        LateCause::Unfetched,
        tower_wechat::Reply::success(),
    )
    .with_response(response);
    assert_eq!(
        format!("{late:?}"),
        format!("LateReply {{ key: {key:?}, cause: Unfetched, response: Some({shown}), .. }}")
    );
}

#[test]
fn debug_of_the_layer_and_its_service_shows_what_they_are() {
    let layer = DedupLayer::in_memory();
    let shown = format!("{layer:?}");
    assert!(
        shown.starts_with("DedupLayer { settings: Settings {") && shown.contains("key: .., "),
        "{shown}"
    );
    // The documented bounds.
    assert!(
        shown.contains("messages: 100000, reply_bytes: 16777216, "),
        "{shown}"
    );
    assert_eq!(
        format!("{:?}", layer.layer("inner")),
        "Dedup { inner: \"inner\", .. }"
    );
    let shown = format!("{:?}", DedupLayer::builder());
    assert!(
        shown.starts_with("DedupBuilder { settings: Settings {"),
        "{shown}"
    );
    let request = Request::new(assume(text("user", "1", "hush")));
    let answer = layer.layer(replying()).call(request);
    assert_eq!(format!("{answer:?}"), "ResponseFuture { .. }");
}

/// A store of one's own writes these parts, and makes the response from them again.
#[test]
fn a_kept_response_has_the_parts_that_wechat_reads() {
    for (status, content_type) in [
        (StatusCode::OK, Some("application/xml")),
        (StatusCode::OK, Some("text/html; charset=utf-8")),
        (StatusCode::ACCEPTED, None),
    ] {
        let content_type = content_type.map(HeaderValue::from_static);
        let response = StoredResponse::new(status, content_type.clone(), "reply");
        assert_eq!(response.status(), status);
        assert_eq!(response.content_type(), content_type.as_ref());
        assert_eq!(response.body(), b"reply");
    }
    assert_eq!(StoredResponse::success().status(), StatusCode::OK);
    assert_eq!(StoredResponse::success().body(), b"success");
}
