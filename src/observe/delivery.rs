//! Observes a request to the verifying layer from start to end.
//!
//! A method's name says what happens to the delivery; the method records it.

use std::{
    cell::{Cell, RefCell},
    fmt,
    task::Poll,
};

use http::{Extensions, Response};

use super::{
    deduped::Trace,
    events::{self, Answer, Severity},
    meters::{self, Begun},
    outcome::{Outcome, OutcomeCell},
    sender::Sender,
    spans,
};
use crate::{account::Account, message::Head, xml};

/// Observes one request to the verifying layer until it is answered or dropped.
pub(crate) struct DeliveryGuard {
    span: spans::DeliverySpan,
    begun: Begun,
    sender: RefCell<Sender>,
    known: OutcomeCell,
    /// The kind of its rejection.
    rejection: Cell<Option<&'static str>>,
    /// The answer of the inner service.
    answer: Cell<Option<Answer>>,
    /// The outcome to record if the delivery is dropped now; `None` after its end.
    dropped: Option<Outcome>,
}

impl DeliveryGuard {
    /// `extensions` are those of the request.
    pub(crate) fn begin(extensions: &Extensions) -> Self {
        let span = spans::DeliverySpan::open();
        let begun = meters::delivery_began(span.is_logged());
        Self {
            known: OutcomeCell::of(extensions, begun.is_counted() || span.is_logged()),
            span,
            begun,
            sender: RefCell::default(),
            rejection: Cell::new(None),
            answer: Cell::new(None),
            dropped: Some(Outcome::HungUp),
        }
    }

    /// Runs `work` inside the delivery's span.
    pub(crate) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.in_scope(work)
    }

    /// Records the account. It `is_picked` if the layer has more than one, and picks it by the request.
    pub(crate) fn record_account(&self, account: &Account, is_picked: bool) {
        if !self.known.is_observed() {
            return;
        }
        let mut sender = self.sender.borrow_mut();
        *sender = Sender::new(account.clone(), is_picked);
        if !is_picked {
            sender.record_account(&self.span);
        }
    }

    /// Records that the query has a valid signature.
    pub(crate) fn record_signed_query(&self) {
        self.sender.borrow_mut().record_signature();
    }

    /// Records that WeChat verifies the URL. All signatures of the request are valid.
    pub(crate) fn record_url_verification(&self) {
        self.record_signed_query();
        self.known.set(Outcome::UrlVerified);
    }

    /// Records that the console checks the path, or that somebody sends the same.
    pub(crate) fn record_probe(&self) {
        self.known.set(Outcome::Probed);
    }

    /// Records that the delivery is verified. Calls `head` only if the span needs it.
    pub(crate) fn record_verified<'a>(
        &self,
        head: impl FnOnce() -> Result<&'a Head, &'a xml::Error>,
    ) {
        if !self.known.is_observed() {
            return;
        }
        let mut sender = self.sender.borrow_mut();
        sender.record_verified_message();
        sender.record_account(&self.span);
        if self.span.is_enabled()
            && let Ok(head) = head()
        {
            self.span.delivers(head);
        }
    }

    /// Records a rejection.
    pub(crate) fn record_rejection(
        &self,
        kind: &'static str,
        severity: Severity,
        cause: &dyn fmt::Display,
    ) {
        self.rejection.set(Some(kind));
        if !self.known.is_observed() {
            return;
        }
        if !matches!(severity, Severity::Unsigned) {
            self.record_signed_query();
        }
        let account = self.sender.borrow().label().unwrap_or_default();
        self.in_scope(|| events::callback_rejected(&account, kind, severity, cause));
    }

    /// Records what the inner service has answered.
    pub(crate) fn record_inner_answer(&self, answer: Answer) {
        self.answer.set(Some(answer));
    }

    /// Returns the trace, which the verified body takes to dedup.
    pub(crate) fn trace(&self) -> Trace {
        Trace::new(self.span.clone(), self.known.clone())
    }

    /// Polls for the answer inside the delivery's span.
    pub(crate) fn poll<B, E>(
        &mut self,
        poll: impl FnOnce(&Self) -> Poll<Result<Response<B>, E>>,
    ) -> Poll<Result<Response<B>, E>> {
        // If the delivery ends inside `poll`, the inner service has panicked.
        self.dropped = Some(Outcome::Failed);
        let polled = self.span.in_scope(|| poll(self));
        self.dropped = Some(Outcome::HungUp);
        if let Poll::Ready(answer) = &polled {
            self.record_answer(answer.as_ref().ok());
        }
        polled
    }

    fn record_answer<B>(&mut self, answer: Option<&Response<B>>) {
        let rejection = self.rejection.get();
        let outcome = match (answer, self.known.outcome()) {
            (None, _) => Outcome::Failed,
            (Some(_), _) if rejection.is_some() => Outcome::Rejected,
            (Some(_), Some(Outcome::TurnedAway)) => Outcome::TurnedAway,
            (Some(answer), _) if answer.status().is_server_error() => Outcome::Failed,
            (Some(_), known) => known.unwrap_or(Outcome::Passed),
        };
        self.known.set(outcome);
        if let Some(answer) = answer {
            self.span.is_answered(answer.status(), rejection);
        }
        self.end(outcome);
        self.in_scope(|| self.log_answer(outcome));
    }

    /// Logs the answer, unless it has been logged as a rejection or as a failure.
    fn log_answer(&self, outcome: Outcome) {
        let sender = self.sender.borrow();
        let account = || sender.label().unwrap_or_default();
        match (outcome, self.answer.get()) {
            (Outcome::UrlVerified, _) => {
                events::url_verified(&account(), sender.url_checks_all());
            }
            (Outcome::Probed, _) => events::path_probed(&account()),
            (Outcome::TurnedAway, _) | (_, None) => {}
            (_, Some(answer)) => events::message_answered(&account(), outcome.as_str(), answer),
        }
    }

    fn end(&mut self, outcome: Outcome) {
        self.dropped = None;
        let (outcome, duration) = (outcome.as_str(), self.begun.elapsed());
        let mut sender = self.sender.borrow_mut();
        sender.record_account(&self.span);
        self.span.is_over(outcome, duration);
        if self.begun.is_counted() {
            meters::delivery_ended(&sender.label().unwrap_or_default(), outcome, duration);
        }
    }
}

impl Drop for DeliveryGuard {
    fn drop(&mut self) {
        if let Some(outcome) = self.dropped {
            self.end(outcome);
        }
    }
}
