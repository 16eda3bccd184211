//! No token, secret or OpenID in what the crate shows of itself.

use std::fmt::Write as _;

use futures_util::future::join_all;
use tower_wechat::api::AccessToken;
use tracing::Instrument as _;

use super::*;
use crate::log;

/// The HTTP client and WeChat repeat all that they were sent.
#[tokio::test(start_paused = true)]
async fn no_secret_reaches_an_error_or_the_log() {
    let repeat: fn(&str, &str) -> tower::BoxError =
        |uri, body| format!("cannot send {uri} {body}").into();
    let quote: fn(&str, &str) -> tower::BoxError = |uri, _| {
        let token = uri.split(['=', '&']).nth(1).unwrap_or_default();
        format!("a proxy does not let {token} pass").into()
    };
    let shown = std::cell::RefCell::new(String::new());
    let log = log::of(async || {
        for answer in [
            Answer::Echo(1),
            Answer::Echo(40_001),
            Answer::Echo(48_001),
            Answer::ClientError(repeat),
            Answer::ClientError(quote),
            Answer::BrokenBody,
            Answer::Never,
            Answer::Http(200, "text/html; a=7_t0ken+1/==", "7_t0ken+1/==".into()),
            Answer::Http(200, "text/x-7_t0ken", "7_t0ken+1/==".into()),
        ] {
            for path in [TOKEN, MEDIA, UPLOAD, SEND, TYPING] {
                let wechat = WeChat::new();
                let api = api(&wechat);
                wechat.script(path, vec![answer.clone(); 3]);
                // The second time, what is known already fails.
                for (_, error) in each_call(&api)
                    .await
                    .into_iter()
                    .chain(each_call(&api).await)
                {
                    let Some(error) = error else { continue };
                    let source = std::error::Error::source(&error);
                    let _ = writeln!(
                        shown.borrow_mut(),
                        "{error}\n{error:?}\n{error:#?}\n{source:?}"
                    );
                }
                let token = api.access_token().await;
                let _ = writeln!(shown.borrow_mut(), "{api:?} {api:#?} {token:?} {token:#?}");
            }
        }
    })
    .await;
    let shown = shown.into_inner();
    // Something was repeated.
    for repeated in [
        "invalid https://",
        "cannot send https://",
        "cut off: https://",
        "a proxy does not let [removed] pass",
    ] {
        assert!(shown.contains(repeated), "{shown}");
        assert!(log.contains(repeated), "{log}");
    }
    for secret in [SECRET, OPENID, "7_t0ken", "7%5Ft0ken", "t0ken"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_is_one_warning() {
    let log = log::of(async || {
        let wechat = WeChat::new();
        let api = api(&wechat);
        wechat.script(MEDIA, [Answer::Code(42_001, "access_token expired")]);
        api.media("Me1").await.unwrap();
        wechat.script(MEDIA, [Answer::Code(48_001, "api unauthorized")]);
        api.media("Me1").await.unwrap_err();
        api.media("Me1").await.unwrap_err();
        wechat.script(TYPING, [Answer::Code(45_081, "already typing")]);
        api.typing(OPENID, true).await.unwrap_err();
        wechat.script(TOKEN, [Answer::Code(40_243, "frozen")]);
        wechat.script(SEND, vec![Answer::Code(40_014, "invalid access_token")]);
        api.send(OPENID, &"a".into()).await.unwrap_err();
    })
    .await;
    let app_id = format!("app_id=\"{APP_ID}\"");
    log::check(
        &log,
        [
            &[
                "WARN",
                "WeChat rejected the access token",
                &app_id,
                "call=\"media/get\"",
            ],
            &[
                "WARN",
                &app_id,
                "call=\"media/get\"",
                "kind=\"unauthorized\"",
                "errcode=48001",
            ],
            &[
                "DEBUG",
                &app_id,
                "call=\"media/get\"",
                "kind=\"unauthorized\"",
                "errcode=48001",
            ],
            &[
                "DEBUG",
                "call=\"message/custom/typing\"",
                "kind=\"typing\"",
                "errcode=45081",
            ],
            &[
                "WARN",
                "WeChat rejected the access token",
                "call=\"message/custom/send\"",
            ],
            &[
                "WARN",
                "call=\"stable_token\"",
                "kind=\"credentials\"",
                "errcode=40243",
                "(frozen)",
            ],
            &[
                "DEBUG",
                "call=\"message/custom/send\"",
                "kind=\"credentials\"",
            ],
        ],
    );
}

/// All callers get the error.
#[tokio::test(start_paused = true)]
async fn a_token_source_that_panics_is_one_warning() {
    let log = log::of(async || {
        let source = || async { panic!("no token today") as Result<AccessToken, String> };
        let api = Api::with_token_source(WeChat::new().client(), APP_ID, source).unwrap();
        for media in join_all([(); 3].map(|()| api.media("Me1"))).await {
            media.unwrap_err();
        }
    })
    .await;
    let of_the_caller = [
        "DEBUG",
        "failed app_id=",
        " call=\"media/get\" kind=\"token_source\"",
    ];
    log::check(
        &log,
        [
            &[
                "WARN",
                "failed app_id=",
                " call=\"stable_token\" kind=\"token_source\"",
            ],
            &of_the_caller,
            &of_the_caller,
            &of_the_caller,
        ],
    );
}

/// The token is fetched in a task of its own.
#[tokio::test(start_paused = true)]
async fn each_call_has_a_span_inside_the_callers() {
    let log = log::of(async || {
        let wechat = WeChat::new();
        wechat.script(TOKEN, [Answer::Code(40_243, "frozen")]);
        let call = async { api(&wechat).media("Me1").await.unwrap_err() };
        call.instrument(tracing::info_span!("mine")).await;
    })
    .await;
    let span = |call| format!("api_call{{app_id=\"{APP_ID}\" call=\"{call}\"}}");
    let outer = format!("mine:{}:", span(MEDIA));
    let inner = format!("{outer}{}: ", span(TOKEN));
    log::check(&log, [&["WARN", &inner], &["DEBUG", &outer]]);
}
