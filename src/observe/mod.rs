//! Logs and metrics of the crate: events and spans through `tracing`, metrics through `metrics`.
//!
//! Fields and labels are ids, kinds, counts and times. They never hold contents, secrets, signatures or user ids.
//!
//! This module compiles in every build. Without a feature, the macros below and the `Span` of `spans` do nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Logs an event, with the syntax of `tracing::event!`.
macro_rules! event {
    ($level:ident, $($field:tt)*) => {
        #[cfg(feature = "tracing")]
        tracing::event!(tracing::Level::$level, $($field)*);
    };
}

/// Opens a span, with the syntax of `tracing::span!`.
macro_rules! span {
    ($($field:tt)*) => {{
        #[cfg(feature = "tracing")]
        let span = tracing::span!($($field)*);
        #[cfg(not(feature = "tracing"))]
        let span = Span;
        span
    }};
}

/// Changes a metric, with the syntax of the crate `metrics`.
macro_rules! meter {
    ($kind:ident!($name:ident $(, $label:literal => $value:expr)*).$change:ident($by:expr)) => {
        #[cfg(feature = "metrics")]
        if crate::observe::recorder::is_recorded() {
            ::metrics::$kind!(crate::observe::recorder::$name $(, $label => $value)*).$change($by);
        }
        // Uses the values, but does not compute them.
        #[cfg(not(feature = "metrics"))]
        let _ = || ($($value,)* $by);
    };
}

#[cfg(feature = "api")]
#[cfg_attr(
    not(feature = "tracing"),
    expect(unused_variables, reason = "`event!` drops its fields")
)]
mod api;
mod deduped;
mod delivery;
#[cfg_attr(
    not(feature = "tracing"),
    expect(unused_variables, reason = "`event!` drops its fields")
)]
mod events;
mod labels;
mod meters;
#[cfg_attr(
    not(feature = "simulator"),
    expect(dead_code, reason = "only the simulator reads it")
)]
mod outcome;
#[cfg(feature = "api")]
#[cfg_attr(
    not(feature = "tracing"),
    expect(unused_variables, reason = "`event!` drops its fields")
)]
mod recognize;
#[cfg(feature = "metrics")]
mod recorder;
mod runs;
mod sender;
#[cfg_attr(
    not(feature = "tracing"),
    expect(unused_variables, reason = "`span!` drops its fields")
)]
mod spans;

#[cfg(feature = "simulator")]
pub(crate) use self::outcome::{OutcomeCell, Report};
#[cfg(feature = "api")]
pub(crate) use self::{
    api::{access_token_rejected, api_call_ended, api_call_failed, in_api_call, in_current_span},
    recognize::{Recognition, RecognitionFailure, in_recognition},
};
pub(crate) use self::{
    deduped::{Deduped, Trace},
    delivery::DeliveryGuard,
    events::{
        Answer, MessageKey, Severity, Way, allow_list_empty, another_type, clock_differs,
        decode_failed, function_panicked, handler_failed, is_back, lease_lost,
        mailbox_is_not_shared, message_given_up, misfit, no_message, parts_evicted,
        parts_may_be_evicted, parts_went, plaintext_lossy, reply_cut, reply_dropped, reply_is_late,
        reply_is_left, reply_is_lost, reply_not_sealed, reply_unconfirmed, reply_unheard,
        response_unreadable, retry_differs, sink_failed, smart_bot_is_no_message, store_failed,
        store_silent, unknown_stream,
    },
    meters::{account_is_served, accounts_are_picked},
    runs::{RunFailure, Runs},
};
#[cfg(feature = "metrics")]
pub(crate) use self::{meters::node_is_observed, recorder::describe_metrics};

/// Locks, even after a panic: each change is a single assignment, so a panic cannot leave half of one.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
