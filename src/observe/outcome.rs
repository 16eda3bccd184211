//! How a delivery ends: the outcomes, as logs, metrics and the simulator name them.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use http::Extensions;

use super::lock;

/// The outcome of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was rejected.
    Rejected,
    /// WeChat verified the URL with it.
    UrlVerified,
    /// The console of cloud hosting, or somebody else, checked the path with it.
    Probed,
    /// It reached the inner service without dedup in between.
    Passed,
    /// It started the message's runs, and waited for them.
    Run,
    /// It waited for a run that another delivery started, here or on another node.
    Joined,
    /// It got the reply of a finished run.
    KeptReply,
    /// Its message was finished, and no reply was left.
    Done,
    /// It was acknowledged while the message ran.
    Acknowledged,
    /// It asked for the stream of a message that runs, or that has its reply.
    Polled,
    /// It was answered 503, so that WeChat retries.
    TurnedAway,
    /// The inner service failed or answered with a 5xx status, or its response could not be read or sealed.
    Failed,
    /// Its client disconnected before the answer.
    HungUp,
}

impl Outcome {
    /// Returns the outcome's name in spans and metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::UrlVerified | Self::Probed => "url_verified",
            Self::Passed => "passed",
            Self::Run => "run",
            Self::Joined => "joined",
            Self::KeptReply => "kept_reply",
            Self::Done => "done",
            Self::Acknowledged => "acknowledged",
            Self::Polled => "polled",
            Self::TurnedAway => "turned_away",
            Self::Failed => "failed",
            Self::HungUp => "hung_up",
        }
    }
}

/// A delivery's outcome as far as it is known. It may outlive the delivery; then only the simulator reads it.
#[derive(Clone)]
pub(crate) struct OutcomeCell(
    /// `None` if nothing is observed.
    Option<Arc<Mutex<Known>>>,
);

#[derive(Default)]
struct Known {
    outcome: Option<Outcome>,
    /// Only for the simulator.
    report: Option<Box<Report>>,
}

/// What the outcome does not say of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Report {
    /// Whether it is a part of an earlier message's reply.
    pub(crate) is_fetched: bool,
    /// Why it is not what the handler wants to say.
    pub(crate) trouble: Option<String>,
}

impl OutcomeCell {
    pub(super) fn new(is_observed: bool) -> Self {
        Self(is_observed.then(Arc::default))
    }

    /// Makes the cell for a request in whose extensions the simulator puts it.
    pub(crate) fn reported() -> Self {
        let report = Some(Box::default());
        let outcome = None;
        Self(Some(Arc::new(Mutex::new(Known { outcome, report }))))
    }

    /// Returns the cell of a request.
    pub(super) fn of(extensions: &Extensions, is_observed: bool) -> Self {
        let sent = cfg!(feature = "simulator").then(|| extensions.get::<Self>().cloned());
        sent.flatten().unwrap_or_else(|| Self::new(is_observed))
    }

    pub(super) fn is_observed(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn outcome(&self) -> Option<Outcome> {
        lock(self.0.as_ref()?).outcome
    }

    /// Returns the outcome's name in spans and metrics.
    pub(crate) fn name(&self) -> Option<&'static str> {
        self.outcome().map(Outcome::as_str)
    }

    pub(crate) fn report(&self) -> Report {
        let report = self.0.as_ref().and_then(|known| lock(known).report.clone());
        report.map(|report| *report).unwrap_or_default()
    }

    pub(super) fn set(&self, outcome: Outcome) {
        if let Some(known) = &self.0 {
            lock(known).outcome = Some(outcome);
        }
    }

    /// Changes the outcome to `new` if it is `old`. Returns whether it was.
    pub(super) fn turn(&self, old: Option<Outcome>, new: Outcome) -> bool {
        let Some(known) = &self.0 else {
            return false;
        };
        let mut known = lock(known);
        let is_old = known.outcome == old;
        if is_old {
            known.outcome = Some(new);
        }
        is_old
    }

    pub(super) fn record_fetched(&self) {
        self.change_report(|report| report.is_fetched = true);
    }

    /// The first trouble counts: what follows is a consequence.
    pub(super) fn record_trouble(&self, trouble: &dyn fmt::Display) {
        self.change_report(|report| {
            report.trouble.get_or_insert_with(|| trouble.to_string());
        });
    }

    fn change_report(&self, change: impl FnOnce(&mut Report)) {
        if let Some(known) = &self.0
            && let Some(report) = &mut lock(known).report
        {
            change(report);
        }
    }
}
