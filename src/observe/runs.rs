//! Observes the runs of a message, which may outlive the delivery that starts them.

use std::{
    fmt, mem,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    events::MessageKey,
    lock,
    meters::{self, Begun},
    outcome::{Outcome, OutcomeCell},
    spans,
};
use crate::{message::Head, xml};

/// Observes the runs of a message on this node. They may outlive the delivery that started them.
pub(crate) struct Runs {
    key: MessageKey,
    /// The span of the delivery that started them, until the first of them begins.
    cause: Mutex<spans::DeliverySpan>,
    /// The outcome of the delivery that started the runs.
    known: OutcomeCell,
    are_lost: AtomicBool,
}

impl Runs {
    pub(super) fn new(key: MessageKey, cause: spans::DeliverySpan, known: OutcomeCell) -> Self {
        Self {
            key,
            cause: Mutex::new(cause),
            known,
            are_lost: AtomicBool::new(false),
        }
    }

    /// Records that another node runs the message. The delivery has joined that run.
    pub(crate) fn record_join_elsewhere(&self, account: &Arc<str>) {
        if self.known.turn(Some(Outcome::Run), Outcome::Joined) {
            meters::joined(account);
        }
        self.forget_cause();
    }

    /// Closes the span of a delivery that has ended. The message may go on.
    fn forget_cause(&self) {
        mem::take(&mut *lock(&self.cause));
    }

    /// Records that another node has kept a reply. The delivery gets it, unless it has waited for it.
    pub(crate) fn record_reply_elsewhere(&self, account: &Arc<str>) {
        if self.known.turn(Some(Outcome::Run), Outcome::KeptReply) {
            meters::kept_reply(account);
        }
        self.forget_cause();
    }

    /// Records that another node has finished the message, and that no reply is left.
    pub(crate) fn record_done_elsewhere(&self) {
        self.known.turn(Some(Outcome::Run), Outcome::Done);
        self.forget_cause();
    }

    /// Records that another node has taken over the message. The result of the current run is discarded.
    pub(crate) fn mark_lost(&self) {
        self.are_lost.store(true, Ordering::Relaxed);
    }

    /// Awaits one run of the account's message inside a span of its own.
    pub(crate) async fn run<'a, T, E: RunFailure>(
        &self,
        account: &Arc<str>,
        number: u32,
        head: impl FnOnce() -> Result<&'a Head, &'a xml::Error>,
        run: Pin<&mut impl Future<Output = Result<T, E>>>,
    ) -> Result<T, E> {
        let mut observed = RunGuard::begin(self, account, number, head);
        let result = observed.span.instrument(run).await;
        observed.end(match &result {
            Ok(_) => "answered",
            Err(failure) => {
                self.known.record_trouble(failure);
                observed.span.has_failed(account, number, failure);
                failure.result()
            }
        });
        result
    }
}

/// A failure of a run, for the log and the metrics.
pub(crate) trait RunFailure: fmt::Display {
    /// Returns the `result` of the run: `failed`, `timed_out` or `panicked`.
    fn result(&self) -> &'static str;
}

struct RunGuard<'a> {
    of: &'a Runs,
    account: &'a Arc<str>,
    span: spans::RunSpan,
    begun: Begun,
    is_over: bool,
}

impl<'a> RunGuard<'a> {
    fn begin<'h>(
        of: &'a Runs,
        account: &'a Arc<str>,
        number: u32,
        head: impl FnOnce() -> Result<&'h Head, &'h xml::Error>,
    ) -> Self {
        of.are_lost.store(false, Ordering::Relaxed);
        let cause = mem::take(&mut *lock(&of.cause));
        let span = spans::RunSpan::open(account, of.key, number, &cause);
        if span.is_enabled()
            && let Ok(head) = head()
        {
            span.is_of(head);
        }
        Self {
            of,
            account,
            begun: meters::run_began(span.is_logged()),
            span,
            is_over: false,
        }
    }

    fn end(&mut self, result: &'static str) {
        self.is_over = true;
        let duration = self.begun.elapsed();
        self.span.is_over(result, duration);
        if self.begun.is_counted() {
            meters::run_ended(self.account, result, duration);
        }
    }
}

/// A run is dropped before its end if its lease is lost or the node shuts down.
impl Drop for RunGuard<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let are_lost = self.of.are_lost.load(Ordering::Relaxed);
            self.end(if are_lost { "lost_lease" } else { "cut" });
        }
    }
}
