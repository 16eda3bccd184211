//! Spans through the `tracing` crate. No fields but these: ids, kinds, counts and times.

use std::time::Duration;

use http::StatusCode;
use tracing::{
    Instrument as _, Level, Span,
    field::{Empty, debug, display},
    instrument::Instrumented,
    span,
};

use super::events;
use crate::{
    dedup::{Failure, Key},
    message::Head,
    signature::RefusalKind,
};

/// One request to the signature layer. As long as one of its clones lives, it is open.
#[derive(Clone)]
pub(super) struct Delivery(Span);

impl Delivery {
    /// Inside the span that the server is in, if any.
    pub(super) fn open() -> Self {
        Self(span!(
            Level::INFO,
            "delivery",
            account = Empty,
            msg_type = Empty,
            event = Empty,
            msg_id = Empty,
            message_key = Empty,
            outcome = Empty,
            refusal = Empty,
            status = Empty,
            duration_seconds = Empty,
        ))
    }

    /// Of a delivery that the signature layer has not seen.
    pub(super) fn none() -> Self {
        Self(Span::none())
    }

    pub(super) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.in_scope(work)
    }

    pub(super) fn is_for(&self, account: &str) {
        self.0.record("account", account);
    }

    pub(super) fn delivers(&self, plaintext: &[u8]) {
        record_head(&self.0, plaintext);
    }

    pub(super) fn is_of(&self, key: Key) {
        self.0.record("message_key", display(key));
    }

    pub(super) fn is_answered(&self, status: StatusCode, refusal: Option<RefusalKind>) {
        self.0.record("status", status.as_u16());
        if let Some(kind) = refusal {
            self.0.record("refusal", debug(kind));
        }
    }

    pub(super) fn is_over(&self, outcome: &'static str, duration: Duration) {
        self.0.record("outcome", outcome);
        self.0.record("duration_seconds", duration.as_secs_f64());
    }

    pub(super) fn is_turned_away(&self, account: &str, reason: &'static str) {
        self.in_scope(|| events::delivery_turned_away(account, reason));
    }

    pub(super) fn hangs_up(&self, account: &str) {
        self.in_scope(|| events::hung_up(account));
    }

    /// What a run's span follows from.
    pub(super) fn cause(&self) -> Cause {
        Cause(self.0.id())
    }
}

/// The id of a delivery's span, which does not keep that open.
pub(super) struct Cause(Option<span::Id>);

/// One run of a message.
pub(super) struct Run(Span);

impl Run {
    /// A root: the delivery that started it is over before it, or never heard of it, and others wait for it
    /// too. The link is `follows_from`, and `message_key`, which all deliveries and runs of a message have in
    /// common on all nodes, and which plain logs show.
    pub(super) fn open(
        account: &str,
        key: Key,
        number: u32,
        plaintext: &[u8],
        cause: &Cause,
    ) -> Self {
        let span = span!(
            parent: None,
            Level::INFO,
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
        span.follows_from(cause.0.clone());
        record_head(&span, plaintext);
        Self(span)
    }

    pub(super) fn instrument<F: Future>(&self, run: F) -> Instrumented<F> {
        run.instrument(self.0.clone())
    }

    pub(super) fn has_failed(&self, account: &str, number: u32, failure: &Failure) {
        self.0
            .in_scope(|| events::run_failed(account, number, failure));
    }

    pub(super) fn is_over(&self, result: &'static str, duration: Duration) {
        self.0.record("result", result);
        self.0.record("duration_seconds", duration.as_secs_f64());
    }
}

fn record_head(span: &Span, plaintext: &[u8]) {
    if span.is_disabled() {
        return;
    }
    // What cannot be read is told of where the message is.
    let Ok(head) = Head::read(plaintext) else {
        return;
    };
    for (field, name) in [("msg_type", head.msg_type()), ("event", head.event())] {
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

/// Whether it may be one of WeChat's names or ids, rather than a text. In plain mode the signature does not
/// cover the body.
fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(is_part)
}

/// The longest names of events have 40 characters.
const MAX_NAME: usize = 64;
