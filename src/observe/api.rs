//! Logs and counts calls to WeChat's API.

use std::{fmt, time::Duration};

use super::{
    labels::label,
    spans::{Instrument, Span},
};

/// Puts a call into its span.
pub(crate) fn in_api_call<F: Future>(
    app_id: &str,
    call: &'static str,
    work: F,
) -> impl Future<Output = F::Output> + use<F> {
    work.instrument(span!(tracing::Level::INFO, "api_call", app_id, call))
}

/// Keeps the caller's span for a task.
pub(crate) fn in_current_span<F: Future>(task: F) -> impl Future<Output = F::Output> {
    task.instrument(Span::current())
}

/// Logs a failed call. The error's text may be WeChat's or the HTTP client's, without token, secret and OpenID.
///
/// If the failure `is_logged_elsewhere`, or normal. Then it is at DEBUG.
pub(crate) fn api_call_failed(
    app_id: &str,
    call: &'static str,
    kind: &'static str,
    errcode: Option<i64>,
    is_logged_elsewhere: bool,
    error: &dyn fmt::Display,
) {
    if is_logged_elsewhere {
        event!(DEBUG, app_id, call, kind, errcode, %error, "a call to WeChat's API failed");
    } else {
        event!(WARN, app_id, call, kind, errcode, %error, "a call to WeChat's API failed");
    }
}

/// Logs that WeChat rejected the cached access token, and that the call is repeated with another one.
pub(crate) fn access_token_rejected(app_id: &str, call: &'static str) {
    event!(WARN, app_id, call, "WeChat rejected the access token");
}

/// Counts a call, and how long it took.
pub(crate) fn api_call_ended(
    app_id: &str,
    call: &'static str,
    result: &'static str,
    duration: Duration,
) {
    meter!(
        histogram!(API_CALL_DURATION, "app_id" => label(app_id), "call" => call).record(duration)
    );
    meter!(
        counter!(API_CALLS, "app_id" => label(app_id), "call" => call, "result" => result)
            .increment(1)
    );
}
