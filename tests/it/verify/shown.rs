//! What the layer, its service and its rejections say of themselves.

use std::time::Duration;

use http_body_util::Full;
use tower::{Service as _, service_fn};
use tower_wechat::callback::ErrorKind;

use super::*;

#[test]
fn debug_shows_the_settings_and_nothing_secret() {
    let layer = layer()
        .with_timestamp_tolerance(Duration::from_mins(1))
        .with_body_limit(7)
        .with_body_timeout(Duration::from_secs(3));
    assert_eq!(
        format!("{layer:?}"),
        "VerifySignatureLayer { timestamp_tolerance: 60s, body_limit: 7, body_timeout: 3s, .. }"
    );
    assert_eq!(
        format!("{:?}", layer.layer("inner")),
        "VerifySignature { inner: \"inner\", .. }"
    );
    let mut service = layer.layer(service_fn(async |request: Request<Verified>| {
        Ok::<_, Infallible>(Response::new(request.into_body()))
    }));
    let answered = service.call(get(""));
    assert_eq!(format!("{answered:?}"), "ResponseFuture { .. }");
}

/// The message names what was expected. The log and outer layers show it.
#[test]
fn a_rejection_says_what_was_expected() {
    let put = Request::put("/wechat").body(Full::default()).unwrap();
    let empty = post(&signed()).map(|_| Full::default());
    let unknown = VerifySignatureLayer::from_fn(|_| None);
    for (layer, request, kind, message) in [
        (
            unknown,
            post(&signed()),
            RejectionKind::UnknownAccount,
            "no known account has this URL",
        ),
        (
            layer(),
            put,
            RejectionKind::Method,
            "no callback of WeChat: the method is neither GET nor POST",
        ),
        (
            layer(),
            empty,
            RejectionKind::BodyEmpty,
            "the body is empty: something may have dropped it",
        ),
        (
            layer().with_body_limit(1),
            post(&signed()),
            RejectionKind::BodyTooLarge,
            "the body is larger than the limit",
        ),
        (
            layer(),
            get(&signed()),
            RejectionKind::Callback(ErrorKind::Echostr),
            "no echostr of 1 to 256 visible ASCII characters: a redirect may have made a GET of a POST",
        ),
    ] {
        let outcome = block_on(send(&layer, request));
        let rejection: &Rejection = outcome.response.extensions().get().unwrap();
        assert_eq!((rejection.kind(), &*rejection.to_string()), (kind, message));
    }
}
