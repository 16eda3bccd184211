//! Calls to WeChat's API, against a WeChat written for these tests.

mod calls;
mod failures;
mod recordings;
#[cfg(feature = "tracing")]
mod shown;
mod tokens;
mod wechat;

use std::{fmt, time::Duration};

use tower_wechat::{
    Api,
    api::{Error, ErrorKind},
};

pub(crate) use self::wechat::{Answer, WeChat};

pub(crate) const APP_ID: &str = "wx0f1e2d3c4b5a6978";
pub(crate) const SECRET: &str = "5ecre7a0b1c2d3e4f5061728394a5b6c";
const OPENID: &str = "oAp1UserQ7x";

const SEND: &str = "message/custom/send";
const TYPING: &str = "message/custom/typing";
pub(crate) const MEDIA: &str = "media/get";
const UPLOAD: &str = "media/upload";
pub(crate) const TOKEN: &str = "stable_token";

pub(crate) fn api(wechat: &WeChat) -> Api {
    Api::new(wechat.client(), APP_ID, SECRET).unwrap()
}

/// Makes one call of each kind but the one for the token. Returns the paths, and how the calls failed.
async fn each_call(api: &Api) -> [(&'static str, Option<Error>); 4] {
    let image = tower_wechat::api::MediaKind::Image;
    let text = "天亮了".into();
    [
        (MEDIA, api.media("Me1").await.err()),
        (UPLOAD, api.upload(image, b"\x89PNG...").await.err()),
        (SEND, api.send(OPENID, &text).await.err()),
        (TYPING, api.typing(OPENID, true).await.err()),
    ]
}

#[track_caller]
fn check<T: fmt::Debug>(result: Result<T, Error>, kind: ErrorKind, message: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.to_string(), message);
    assert_eq!(error.kind(), kind);
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
