//! Observes deliveries and runs from start to end.
//!
//! A method's name says what happens to the delivery or the run; the method records it.

use std::{
    fmt, mem,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use http::{Extensions, Response};
use tokio::time::Instant;

use super::{
    events::{self, Answer, MessageKey, Severity},
    meters,
    outcome::{Outcome, OutcomeCell},
    sender::Sender,
    spans,
};
use crate::{account::Account, message::Head, xml};

/// Observes one request to the verifying layer until it is answered or dropped.
pub(crate) struct DeliveryGuard {
    span: spans::DeliverySpan,
    begun: Begun,
    sender: Mutex<Sender>,
    known: OutcomeCell,
    /// The kind of its rejection.
    rejection: OnceLock<&'static str>,
    /// The answer of the inner service.
    answer: OnceLock<Answer>,
    /// The outcome to record if the delivery is dropped now; `None` after its end.
    dropped: Option<Outcome>,
}

impl DeliveryGuard {
    /// `extensions` are those of the request.
    pub(crate) fn begin(extensions: &Extensions) -> Self {
        meters::delivery_began();
        Self {
            span: spans::DeliverySpan::open(),
            begun: Begun::now(),
            sender: Mutex::default(),
            known: OutcomeCell::of(extensions),
            rejection: OnceLock::new(),
            answer: OnceLock::new(),
            dropped: Some(Outcome::HungUp),
        }
    }

    /// Runs `work` inside the delivery's span.
    pub(crate) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.in_scope(work)
    }

    /// Records the account. It `is_picked` if the layer has more than one, and picks it by the request.
    pub(crate) fn record_account(&self, account: &Account, is_picked: bool) {
        if !IS_ON {
            return;
        }
        let mut sender = lock(&self.sender);
        *sender = Sender::new(account.clone(), is_picked);
        if !is_picked {
            sender.record_account(&self.span);
        }
    }

    /// Records that the query has a valid signature.
    pub(crate) fn record_signed_query(&self) {
        if IS_ON {
            lock(&self.sender).record_signature();
        }
    }

    /// Records that WeChat verifies the URL. All signatures of the request are valid.
    pub(crate) fn record_url_verification(&self) {
        if IS_ON {
            lock(&self.sender).record_signature();
        }
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
        if !IS_ON {
            return;
        }
        let mut sender = lock(&self.sender);
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
        // A delivery is rejected at most once.
        let _ = self.rejection.set(kind);
        if !IS_ON {
            return;
        }
        let mut sender = lock(&self.sender);
        if !matches!(severity, Severity::Unsigned) {
            sender.record_signature();
        }
        let account = sender.label().unwrap_or_default();
        self.in_scope(|| events::callback_rejected(&account, kind, severity, cause));
    }

    /// Records what the inner service has answered.
    pub(crate) fn record_inner_answer(&self, answer: Answer) {
        // It answers once.
        let _ = self.answer.set(answer);
    }

    /// Returns the trace, which the verified body takes to dedup.
    pub(crate) fn trace(&self) -> Trace {
        Trace {
            span: Mutex::new(self.span.clone()),
            known: self.known.clone(),
        }
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
        let rejection = self.rejection.get().copied();
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
        let sender = lock(&self.sender);
        let account = || sender.label().unwrap_or_default();
        match (outcome, self.answer.get()) {
            (Outcome::UrlVerified, _) => {
                events::url_verified(&account(), sender.url_checks_all());
            }
            (Outcome::Probed, _) => events::path_probed(&account()),
            (Outcome::TurnedAway, _) | (_, None) => {}
            (_, Some(answer)) => events::message_answered(&account(), outcome.as_str(), *answer),
        }
    }

    fn end(&mut self, outcome: Outcome) {
        self.dropped = None;
        if !IS_ON {
            return;
        }
        let (outcome, duration) = (outcome.as_str(), self.begun.elapsed());
        let mut sender = lock(&self.sender);
        sender.record_account(&self.span);
        self.span.is_over(outcome, duration);
        meters::delivery_ended(&sender.label().unwrap_or_default(), outcome, duration);
    }
}

impl Drop for DeliveryGuard {
    fn drop(&mut self) {
        if let Some(outcome) = self.dropped {
            self.end(outcome);
        }
    }
}

/// The delivery's span and outcome on the way to dedup. The layers in between may have spans of their own.
pub(crate) struct Trace {
    /// Until dedup takes it: the message may live longer than the delivery.
    span: Mutex<spans::DeliverySpan>,
    known: OutcomeCell,
}

impl Trace {
    /// Makes the trace of a delivery that `VerifySignature` has not verified.
    pub(crate) fn none() -> Self {
        Self {
            span: Mutex::default(),
            known: OutcomeCell::new(),
        }
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
pub(crate) struct Deduped {
    account: Arc<str>,
    key: MessageKey,
    span: spans::DeliverySpan,
    known: OutcomeCell,
}

impl Deduped {
    pub(crate) fn new(account: &Arc<str>, key: MessageKey, trace: &Trace) -> Self {
        let span = mem::take(&mut *lock(&trace.span));
        span.is_of(key);
        Self {
            account: Arc::clone(account),
            key,
            span,
            known: trace.known.clone(),
        }
    }

    /// Records that the delivery starts the message's runs.
    pub(crate) fn start_runs(&self) -> Runs {
        self.known.set(Outcome::Run);
        Runs {
            account: Arc::clone(&self.account),
            key: self.key,
            cause: Mutex::new(self.span.clone()),
            known: self.known.clone(),
            are_lost: AtomicBool::new(false),
        }
    }

    /// Records that the delivery waits for a run that another delivery started.
    pub(crate) fn record_join(&self) {
        self.known.set(Outcome::Joined);
        meters::joined(&self.account);
    }

    /// Records that the delivery gets a reply. The reply is a kept one, unless the delivery has waited for it. It
    /// `is_fetched` if it is a part of an earlier message's reply.
    pub(crate) fn record_kept_reply(&self, is_fetched: bool) {
        if is_fetched {
            self.known.record_fetched();
        }
        if self.known.turn(None, Outcome::KeptReply) {
            meters::kept_reply(&self.account);
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
    pub(crate) fn record_turned_away(&self, reason: &'static str) {
        self.known.set(Outcome::TurnedAway);
        self.known.record_trouble(&reason);
        self.span
            .in_scope(|| events::delivery_turned_away(&self.account, reason));
    }

    /// Records that WeChat hangs up before an answer, or has hung up.
    pub(crate) fn record_hang_up(&self) {
        self.span.in_scope(|| events::hung_up(&self.account));
        meters::hung_up(&self.account);
    }
}

/// Observes the runs of a message on this node. They may outlive the delivery that started them.
pub(crate) struct Runs {
    account: Arc<str>,
    key: MessageKey,
    /// The span of the delivery that started them, until the first of them begins.
    cause: Mutex<spans::DeliverySpan>,
    /// The outcome of the delivery that started the runs.
    known: OutcomeCell,
    are_lost: AtomicBool,
}

impl Runs {
    /// Records that another node runs the message. The delivery has joined that run.
    pub(crate) fn record_join_elsewhere(&self) {
        if self.known.turn(Some(Outcome::Run), Outcome::Joined) {
            meters::joined(&self.account);
        }
        self.forget_cause();
    }

    /// Closes the span of a delivery that has ended. The message may go on.
    fn forget_cause(&self) {
        mem::take(&mut *lock(&self.cause));
    }

    /// Records that another node has kept a reply. The delivery gets it, unless it has waited for it.
    pub(crate) fn record_reply_elsewhere(&self) {
        if self.known.turn(Some(Outcome::Run), Outcome::KeptReply) {
            meters::kept_reply(&self.account);
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

    /// Awaits one run of the message inside a span of its own.
    pub(crate) async fn run<'a, T, E: RunFailure>(
        &self,
        number: u32,
        head: impl FnOnce() -> Result<&'a Head, &'a xml::Error>,
        run: Pin<&mut impl Future<Output = Result<T, E>>>,
    ) -> Result<T, E> {
        let mut observed = RunGuard::begin(self, number, head);
        let result = observed.span.instrument(run).await;
        observed.end(match &result {
            Ok(_) => "answered",
            Err(failure) => {
                self.known.record_trouble(failure);
                observed.span.has_failed(&self.account, number, failure);
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
    span: spans::RunSpan,
    begun: Begun,
    is_over: bool,
}

impl<'a> RunGuard<'a> {
    fn begin<'h>(
        of: &'a Runs,
        number: u32,
        head: impl FnOnce() -> Result<&'h Head, &'h xml::Error>,
    ) -> Self {
        meters::run_began();
        of.are_lost.store(false, Ordering::Relaxed);
        let cause = mem::take(&mut *lock(&of.cause));
        let span = spans::RunSpan::open(&of.account, of.key, number, &cause);
        if span.is_enabled()
            && let Ok(head) = head()
        {
            span.is_of(head);
        }
        Self {
            of,
            span,
            begun: Begun::now(),
            is_over: false,
        }
    }

    fn end(&mut self, result: &'static str) {
        self.is_over = true;
        let duration = self.begun.elapsed();
        self.span.is_over(result, duration);
        meters::run_ended(&self.of.account, result, duration);
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

/// The time at which something began. Without the features, the clock is never read.
struct Begun(Option<Instant>);

impl Begun {
    fn now() -> Self {
        Self(IS_ON.then(Instant::now))
    }

    fn elapsed(&self) -> Duration {
        self.0.map_or(Duration::ZERO, |begun| begun.elapsed())
    }
}

/// Locks, even after a panic: each change is a single assignment, so a panic cannot leave half of one.
pub(super) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether anything is observed. Without both features, the guards store nothing and cost nothing.
pub(super) const IS_ON: bool = cfg!(any(feature = "metrics", feature = "tracing"));
