use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was refused.
    Refused,
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
    /// The inner service failed, or what it answered could not be read or sealed.
    Failed,
    /// Its client went away before it was answered.
    HungUp,
}

impl Outcome {
    /// As spans and metrics name it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
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

/// A delivery's outcome as far as it is known. It may outlive the delivery; then nobody asks it any more.
#[derive(Clone, Default)]
pub(super) struct Known(Arc<Mutex<Option<Outcome>>>);

impl Known {
    pub(super) fn outcome(&self) -> Option<Outcome> {
        *self.lock()
    }

    pub(super) fn set(&self, outcome: Outcome) {
        *self.lock() = Some(outcome);
    }

    /// Sets what is `old` to `new`, and says whether it was.
    pub(super) fn turn(&self, old: Option<Outcome>, new: Outcome) -> bool {
        let mut known = self.lock();
        let is_old = *known == old;
        if is_old {
            *known = Some(new);
        }
        is_old
    }

    fn lock(&self) -> MutexGuard<'_, Option<Outcome>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
