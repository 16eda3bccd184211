//! Deliveries and runs, each observed from its beginning to its end.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use http::Response;
use tokio::time::Instant;

use super::{
    events::{self, MessageKey},
    meters,
    sender::Sender,
    spans,
};
use crate::{account::Account, message::Head, xml};

/// One request to the verifying layer, until it is answered or dropped.
pub(crate) struct Delivery {
    span: spans::Delivery,
    begun: Begun,
    sender: Mutex<Sender>,
    known: Known,
    /// The kind of the rejection.
    rejection: OnceLock<&'static str>,
    /// The outcome if it is dropped now; `None` if it is over.
    dropped: Option<Outcome>,
}

impl Delivery {
    pub(crate) fn begin() -> Self {
        meters::delivery_began();
        Self {
            span: spans::Delivery::open(),
            begun: Begun::now(),
            sender: Mutex::default(),
            known: Known::new(),
            rejection: OnceLock::new(),
            dropped: Some(Outcome::HungUp),
        }
    }

    /// Does `work` inside the delivery's span.
    pub(crate) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.in_scope(work)
    }

    /// It came to the callback of `account`. The account `is_picked` if it depends on the request, where the
    /// layer has more than one.
    pub(crate) fn is_for(&self, account: &Account, is_picked: bool) {
        if !IS_ON {
            return;
        }
        let mut sender = lock(&self.sender);
        *sender = Sender::new(account.clone(), is_picked);
        if !is_picked {
            sender.record_account(&self.span);
        }
    }

    /// Its query has passed the checks.
    pub(crate) fn query_is_verified(&self) {
        if IS_ON {
            lock(&self.sender).query_is_verified();
        }
    }

    /// It asks whether this is the account's server, and nothing else. All its signatures hold.
    pub(crate) fn verifies_url(&self) {
        if IS_ON {
            lock(&self.sender).signature_holds();
        }
        self.known.set(Outcome::UrlVerified);
    }

    /// It has been verified. `head` is asked for if it is wanted.
    pub(crate) fn is_verified<'a>(&self, head: impl FnOnce() -> Result<&'a Head, &'a xml::Error>) {
        if !IS_ON {
            return;
        }
        let mut sender = lock(&self.sender);
        sender.message_is_verified();
        sender.record_account(&self.span);
        if self.span.is_enabled()
            && let Ok(head) = head()
        {
            self.span.delivers(head);
        }
    }

    /// It is rejected, after a signature held or before.
    pub(crate) fn is_rejected(&self, kind: &'static str, is_signed: bool) {
        // A delivery is rejected once.
        let _ = self.rejection.set(kind);
        let mut sender = lock(&self.sender);
        if is_signed {
            sender.signature_holds();
        }
        let account = sender.label().unwrap_or_default();
        self.in_scope(|| events::callback_rejected(&account, kind, is_signed));
    }

    /// What travels to dedup with the verified body.
    pub(crate) fn trace(&self) -> Trace {
        Trace {
            span: self.span.clone(),
            known: self.known.clone(),
        }
    }

    /// Polls for the answer inside the delivery's span.
    pub(crate) fn poll<B, E>(
        &mut self,
        poll: impl FnOnce(&Self) -> Poll<Result<Response<B>, E>>,
    ) -> Poll<Result<Response<B>, E>> {
        // Only a panic of the inner service ends it in between.
        self.dropped = Some(Outcome::Failed);
        let polled = self.span.in_scope(|| poll(self));
        self.dropped = Some(Outcome::HungUp);
        if let Poll::Ready(answer) = &polled {
            self.is_answered(answer.as_ref().ok());
        }
        polled
    }

    fn is_answered<B>(&mut self, answer: Option<&Response<B>>) {
        let rejection = self.rejection.get().copied();
        let outcome = match (answer, self.known.outcome()) {
            (None, _) => Outcome::Failed,
            (Some(_), _) if rejection.is_some() => Outcome::Rejected,
            (Some(_), Some(Outcome::TurnedAway)) => Outcome::TurnedAway,
            (Some(answer), _) if answer.status().is_server_error() => Outcome::Failed,
            (Some(_), known) => known.unwrap_or(Outcome::Passed),
        };
        if let Some(answer) = answer {
            self.span.is_answered(answer.status(), rejection);
        }
        self.end(outcome);
    }

    fn end(&mut self, outcome: Outcome) {
        self.dropped = None;
        let (outcome, duration) = (outcome.as_str(), self.begun.elapsed());
        let mut sender = lock(&self.sender);
        sender.record_account(&self.span);
        self.span.is_over(outcome, duration);
        meters::delivery_ended(&sender.label().unwrap_or_default(), outcome, duration);
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(outcome) = self.dropped {
            self.end(outcome);
        }
    }
}

/// A delivery on its way to dedup, through layers that may have spans of their own.
#[derive(Clone)]
pub(crate) struct Trace {
    span: spans::Delivery,
    known: Known,
}

impl Trace {
    /// The trace of a delivery that another check than ours has verified.
    pub(crate) fn none() -> Self {
        Self {
            span: spans::Delivery::none(),
            known: Known::new(),
        }
    }
}

/// A delivery as dedup sees it. It keeps the span open.
pub(crate) struct Deduped {
    account: Arc<str>,
    key: MessageKey,
    span: spans::Delivery,
    known: Known,
}

impl Deduped {
    pub(crate) fn new(account: &Arc<str>, key: MessageKey, trace: &Trace) -> Self {
        let Trace { span, known } = trace.clone();
        span.is_of(key);
        Self {
            account: Arc::clone(account),
            key,
            span,
            known,
        }
    }

    /// It makes the message run.
    pub(crate) fn starts_runs(&self) -> Runs {
        self.known.set(Outcome::Run);
        Runs {
            account: Arc::clone(&self.account),
            key: self.key,
            cause: self.span.cause(),
            known: self.known.clone(),
            are_lost: AtomicBool::new(false),
        }
    }

    /// It waits for the run that another delivery has started.
    pub(crate) fn joins(&self) {
        self.known.set(Outcome::Joined);
        meters::joined(&self.account);
    }

    /// It gets a reply: a kept one, unless it has waited for it.
    pub(crate) fn gets_reply(&self) {
        if self.known.turn(None, Outcome::KeptReply) {
            meters::kept_reply(&self.account);
        }
    }

    /// No reply is left for it, unless it has waited for one.
    pub(crate) fn is_done(&self) {
        self.known.turn(None, Outcome::Done);
    }

    /// It is acknowledged while the message runs.
    pub(crate) fn is_acknowledged(&self) {
        self.known.set(Outcome::Acknowledged);
    }

    /// It is answered 503, so that WeChat sends it again.
    pub(crate) fn is_turned_away(&self, reason: &'static str) {
        self.known.set(Outcome::TurnedAway);
        self.span
            .in_scope(|| events::delivery_turned_away(&self.account, reason));
    }

    /// WeChat hangs up on it without an answer, or has done so.
    pub(crate) fn hangs_up(&self) {
        self.span.in_scope(|| events::hung_up(&self.account));
        meters::hung_up(&self.account);
    }
}

/// The runs of a message on this node. The delivery that started them may be over.
pub(crate) struct Runs {
    account: Arc<str>,
    key: MessageKey,
    cause: spans::Cause,
    /// Of the delivery that started them.
    known: Known,
    are_lost: AtomicBool,
}

impl Runs {
    /// Another node runs the message: the delivery has joined that run.
    pub(crate) fn are_elsewhere(&self) {
        if self.known.turn(Some(Outcome::Run), Outcome::Joined) {
            meters::joined(&self.account);
        }
    }

    /// Another node has kept a reply; the delivery gets it, unless it has waited for it.
    pub(crate) fn have_reply(&self) {
        if self.known.turn(Some(Outcome::Run), Outcome::KeptReply) {
            meters::kept_reply(&self.account);
        }
    }

    /// Another node has ended the message, and no reply is left.
    pub(crate) fn are_done(&self) {
        self.known.turn(Some(Outcome::Run), Outcome::Done);
    }

    /// Another node has taken the message: the result of the current run is discarded.
    pub(crate) fn are_lost(&self) {
        self.are_lost.store(true, Ordering::Relaxed);
    }

    /// Does one run of the message inside a span of its own.
    pub(crate) async fn run<'a, T, E: RunFailure>(
        &self,
        number: u32,
        head: impl FnOnce() -> Result<&'a Head, &'a xml::Error>,
        run: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut observed = Run::begin(self, number, head);
        let result = observed.span.instrument(run).await;
        observed.end(match &result {
            Ok(_) => "answered",
            Err(failure) => {
                observed.span.has_failed(&self.account, number, failure);
                failure.result()
            }
        });
        result
    }
}

/// A failure of a run, for the log and the metrics.
pub(crate) trait RunFailure: fmt::Display {
    /// The `result` of the run: `failed`, `timed_out` or `panicked`.
    fn result(&self) -> &'static str;
}

struct Run<'a> {
    of: &'a Runs,
    span: spans::Run,
    begun: Begun,
    is_over: bool,
}

impl<'a> Run<'a> {
    fn begin<'h>(
        of: &'a Runs,
        number: u32,
        head: impl FnOnce() -> Result<&'h Head, &'h xml::Error>,
    ) -> Self {
        meters::run_began();
        of.are_lost.store(false, Ordering::Relaxed);
        let span = spans::Run::open(&of.account, of.key, number, &of.cause);
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

/// It is dropped when its lease is lost, and when the node shuts down.
impl Drop for Run<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let are_lost = self.of.are_lost.load(Ordering::Relaxed);
            self.end(if are_lost { "lost_lease" } else { "cut" });
        }
    }
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It was rejected.
    Rejected,
    /// It only asked whether this is the account's server.
    UrlVerified,
    /// It went to the inner service, without dedup between.
    Passed,
    /// It made the message run, and waited for that.
    Run,
    /// It waited for a run that another delivery had started, here or on another node.
    Joined,
    /// It got the reply of a run that was over.
    KeptReply,
    /// Its message was over, and no reply was left.
    Done,
    /// It was acknowledged while the message ran.
    Acknowledged,
    /// It was answered 503, so that WeChat delivers the message again.
    TurnedAway,
    /// The inner service failed, or its answer could not be read or sealed.
    Failed,
    /// Its client went away before it was answered.
    HungUp,
}

impl Outcome {
    /// As spans and metrics name it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::UrlVerified => "url_verified",
            Self::Passed => "passed",
            Self::Run => "run",
            Self::Joined => "joined",
            Self::KeptReply => "kept_reply",
            Self::Done => "done",
            Self::Acknowledged => "acknowledged",
            Self::TurnedAway => "turned_away",
            Self::Failed => "failed",
            Self::HungUp => "hung_up",
        }
    }
}

/// A delivery's outcome as far as it is known. It may outlive the delivery, and is no longer read then.
#[derive(Clone)]
struct Known(
    /// `None` where nothing is observed.
    Option<Arc<Mutex<Option<Outcome>>>>,
);

impl Known {
    fn new() -> Self {
        Self(IS_ON.then(Arc::default))
    }

    fn outcome(&self) -> Option<Outcome> {
        *lock(self.0.as_ref()?)
    }

    fn set(&self, outcome: Outcome) {
        if let Some(known) = &self.0 {
            *lock(known) = Some(outcome);
        }
    }

    /// Changes the outcome from `old` to `new`, and says whether it was `old`.
    fn turn(&self, old: Option<Outcome>, new: Outcome) -> bool {
        let Some(known) = &self.0 else {
            return false;
        };
        let mut known = lock(known);
        let is_old = *known == old;
        if is_old {
            *known = Some(new);
        }
        is_old
    }
}

/// When something began. Without the features nobody asks the clock.
struct Begun(Option<Instant>);

impl Begun {
    fn now() -> Self {
        Self(IS_ON.then(Instant::now))
    }

    fn elapsed(&self) -> Duration {
        self.0.map_or(Duration::ZERO, |begun| begun.elapsed())
    }
}

/// Each change is made at once, so a panic leaves none half made.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether anything is observed. Without both features, the guards keep nothing and cost nothing.
const IS_ON: bool = cfg!(any(feature = "metrics", feature = "tracing"));
