//! Logs and counts calls to WeChat's API. `account` is the app id.

use std::{fmt, time::Duration};

use super::labels::label;

/// Logs a failed call. The error's text may be WeChat's or the HTTP client's, without token, secret and OpenID.
///
/// If the failure `is_known`, another line has it, or it is normal. Then it is at DEBUG.
pub(crate) fn api_call_failed(
    account: &str,
    call: &'static str,
    kind: &'static str,
    errcode: Option<i64>,
    is_known: bool,
    error: &dyn fmt::Display,
) {
    if is_known {
        event!(DEBUG, account, call, kind, errcode, %error, "a call to WeChat's API failed");
    } else {
        event!(WARN, account, call, kind, errcode, %error, "a call to WeChat's API failed");
    }
}

/// Logs that WeChat rejected the cached access token, and that the call is repeated with another one.
pub(crate) fn access_token_rejected(account: &str, call: &'static str) {
    event!(WARN, account, call, "WeChat rejected the access token");
}

/// Counts a call, and how long it took.
pub(crate) fn api_call_ended(
    account: &str,
    call: &'static str,
    result: &'static str,
    duration: Duration,
) {
    meter!(
        histogram!(API_CALL_DURATION, "account" => label(account), "call" => call).record(duration)
    );
    meter!(
        counter!(API_CALLS, "account" => label(account), "call" => call, "result" => result)
            .increment(1)
    );
}
