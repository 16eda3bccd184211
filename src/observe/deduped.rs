//! Logs and counts what dedup makes of one delivery: a run, a wait for one, a kept reply.

use std::{
    fmt, mem,
    sync::{Arc, Mutex},
};

use super::{
    events::{self, MessageKey},
    lock, meters,
    outcome::{Outcome, OutcomeCell},
    runs::Runs,
    spans,
};

/// The delivery's span and outcome on the way to dedup. The layers in between may have spans of their own.
pub(crate) struct Trace {
    /// Until dedup takes it: the message may live longer than the delivery.
    span: Mutex<spans::DeliverySpan>,
    known: OutcomeCell,
}

impl Trace {
    pub(super) fn new(span: spans::DeliverySpan, known: OutcomeCell) -> Self {
        let span = Mutex::new(span);
        Self { span, known }
    }

    /// Makes the trace of a delivery that `VerifySignature` has not verified.
    pub(crate) fn none() -> Self {
        let known = OutcomeCell::new(meters::is_recorded());
        Self::new(spans::DeliverySpan::default(), known)
    }

    /// Records why the handler's answer does not reach the user.
    pub(crate) fn record_trouble(&self, trouble: &dyn fmt::Display) {
        self.known.record_trouble(trouble);
    }

    /// Records that the delivery asks for the stream of a message.
    pub(crate) fn record_polled(&self) {
        self.known.set(Outcome::Polled);
    }
}

/// Observes a delivery in dedup. It keeps the span open.
///
/// Its methods are told the delivery's account. If it owned the name too, the threads of a server would take turns counting the
/// owners.
pub(crate) struct Deduped {
    key: MessageKey,
    span: spans::DeliverySpan,
    known: OutcomeCell,
}

impl Deduped {
    pub(crate) fn new(key: MessageKey, trace: &Trace) -> Self {
        let span = mem::take(&mut *lock(&trace.span));
        span.is_of(key);
        Self {
            key,
            span,
            known: trace.known.clone(),
        }
    }

    /// Records that the delivery starts the message's runs.
    pub(crate) fn start_runs(&self) -> Runs {
        self.known.set(Outcome::Run);
        Runs::new(self.key, self.span.clone(), self.known.clone())
    }

    /// Records that the delivery waits for a run that another delivery started.
    pub(crate) fn record_join(&self, account: &Arc<str>) {
        self.known.set(Outcome::Joined);
        meters::joined(account);
    }

    /// Records that the delivery gets a reply. The reply is a kept one, unless the delivery has waited for it. It
    /// `is_fetched` if it is a part of an earlier message's reply.
    pub(crate) fn record_kept_reply(&self, account: &Arc<str>, is_fetched: bool) {
        if is_fetched {
            self.known.record_fetched();
        }
        if self.known.turn(None, Outcome::KeptReply) {
            meters::kept_reply(account);
        }
    }

    /// Records that no reply is left for the delivery, unless it has waited for one.
    pub(crate) fn record_done(&self) {
        self.known.turn(None, Outcome::Done);
    }

    /// Records that the delivery is acknowledged while the message runs.
    pub(crate) fn record_acknowledged(&self) {
        self.known.set(Outcome::Acknowledged);
    }

    /// Records that the delivery is answered 503, so that WeChat retries.
    pub(crate) fn record_turned_away(&self, account: &Arc<str>, reason: &'static str) {
        self.known.set(Outcome::TurnedAway);
        self.known.record_trouble(&reason);
        self.span
            .in_scope(|| events::delivery_turned_away(account, reason));
    }

    /// Records that WeChat hangs up before an answer, or has hung up.
    pub(crate) fn record_hang_up(&self, account: &Arc<str>) {
        self.span.in_scope(|| events::hung_up(account));
        meters::hung_up(account);
    }
}
