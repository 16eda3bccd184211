//! Spans of deliveries and runs. Their fields are only ids, kinds, counts and times.

use std::{fmt, time::Duration};

use http::StatusCode;
#[cfg(feature = "tracing")]
pub(super) use tracing::{Instrument, Span};
#[cfg(feature = "tracing")]
use tracing::{
    field::{Empty, display},
    level_filters::LevelFilter,
};

#[cfg(not(feature = "tracing"))]
use self::silent::display;
#[cfg(not(feature = "tracing"))]
pub(super) use self::silent::{Instrument, Span};
use super::events::{self, MessageKey};
use crate::message::Head;

/// The span of one request to the verifying layer. It is open until its last clone is dropped.
#[derive(Clone)]
pub(super) struct DeliverySpan(Span);

impl DeliverySpan {
    /// Opens the span inside the server's span, if there is one.
    pub(super) fn open() -> Self {
        Self(span!(
            tracing::Level::INFO,
            "delivery",
            account = Empty,
            msg_type = Empty,
            event = Empty,
            msg_id = Empty,
            message_key = Empty,
            outcome = Empty,
            rejection = Empty,
            status = Empty,
            duration_seconds = Empty,
        ))
    }

    pub(super) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.in_scope(work)
    }

    pub(super) fn is_enabled(&self) -> bool {
        !self.0.is_disabled()
    }

    /// Whether the span or an event in it may be logged.
    pub(super) fn is_logged(&self) -> bool {
        #[cfg(feature = "tracing")]
        if LevelFilter::current() != LevelFilter::OFF {
            return true;
        }
        // For the crate `log`, a span has its name even if nothing is subscribed.
        !self.0.is_none()
    }

    pub(super) fn is_for(&self, account: &str) {
        self.0.record("account", account);
    }

    pub(super) fn delivers(&self, head: &Head) {
        record_head(&self.0, head);
    }

    pub(super) fn is_of(&self, key: MessageKey) {
        self.0.record("message_key", display(key));
    }

    pub(super) fn is_answered(&self, status: StatusCode, rejection: Option<&'static str>) {
        self.0.record("status", status.as_u16());
        if let Some(kind) = rejection {
            self.0.record("rejection", kind);
        }
    }

    pub(super) fn is_over(&self, outcome: &'static str, duration: Duration) {
        self.0.record("outcome", outcome);
        self.0.record("duration_seconds", duration.as_secs_f64());
    }
}

/// A disabled span: the delivery has none, or it is with another owner.
impl Default for DeliverySpan {
    fn default() -> Self {
        Self(Span::none())
    }
}

/// The span of one run of a message.
pub(super) struct RunSpan(Span);

impl RunSpan {
    /// Opens the span as a root span: the run may outlive the delivery that started it, and other deliveries wait for
    /// it too.
    ///
    /// Two links connect run and deliveries. `follows_from` links the first run to the delivery that started it.
    /// `message_key` is the same for all deliveries and runs of a message on all nodes, and plain logs show it.
    pub(super) fn open(account: &str, key: MessageKey, number: u32, cause: &DeliverySpan) -> Self {
        let span = span!(
            parent: None,
            tracing::Level::INFO,
            "run",
            account,
            msg_type = Empty,
            event = Empty,
            msg_id = Empty,
            message_key = %key,
            number,
            result = Empty,
            duration_seconds = Empty,
        );
        span.follows_from(&cause.0);
        Self(span)
    }

    pub(super) fn is_enabled(&self) -> bool {
        !self.0.is_disabled()
    }

    /// Whether the span is logged, be it by the crate `log` alone.
    pub(super) fn is_logged(&self) -> bool {
        !self.0.is_none()
    }

    pub(super) fn is_of(&self, head: &Head) {
        record_head(&self.0, head);
    }

    pub(super) fn instrument<F: Future>(&self, run: F) -> impl Future<Output = F::Output> {
        run.instrument(self.0.clone())
    }

    pub(super) fn has_failed(&self, account: &str, number: u32, failure: &dyn fmt::Display) {
        self.0
            .in_scope(|| events::run_failed(account, number, failure));
    }

    pub(super) fn is_over(&self, result: &'static str, duration: Duration) {
        self.0.record("result", result);
        self.0.record("duration_seconds", duration.as_secs_f64());
    }
}

fn record_head(span: &Span, head: &Head) {
    for (field, name) in [
        ("msg_type", head.msg_type()),
        ("event", head.event().filter(|_| head.is_event())),
    ] {
        if let Some(name) = name
            && is_name(name)
        {
            span.record(field, name);
        }
    }
    if let Some(id) = head.message_id()
        && is_name(id)
    {
        span.record("msg_id", id);
    }
}

/// Returns whether `text` can be one of WeChat's names or ids. In plain mode the signature does not cover the body, so
/// it can be any text.
fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(is_part)
}

/// In bytes. The longest event names have 40.
const MAX_NAME: usize = 64;

/// Stands in for the parts of `tracing` that this module uses. The types have no size, and the functions do nothing.
#[cfg(not(feature = "tracing"))]
mod silent {
    #[derive(Clone)]
    pub(in super::super) struct Span;

    #[expect(clippy::unused_self, reason = "the signatures are those of `tracing`")]
    impl Span {
        pub(super) fn none() -> Self {
            Self
        }

        #[cfg(feature = "api")]
        pub(in super::super) fn current() -> Self {
            Self
        }

        pub(super) fn is_none(&self) -> bool {
            true
        }

        pub(super) fn is_disabled(&self) -> bool {
            true
        }

        pub(super) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
            work()
        }

        pub(super) fn record<T>(&self, _field: &str, _value: T) {}

        pub(super) fn follows_from(&self, _cause: &Self) {}
    }

    pub(in super::super) trait Instrument: Sized {
        fn instrument(self, _span: Span) -> Self {
            self
        }
    }

    impl<F: Future> Instrument for F {}

    pub(super) fn display<T>(value: T) -> T {
        value
    }
}
