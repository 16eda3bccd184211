use std::{
    sync::{Arc, OnceLock},
    task::Poll,
};

use http::{Extensions, Response};
use tokio::time::Instant;

use super::{Known, Outcome, Runs};
use crate::{
    account::Account,
    dedup::Key,
    observe::{meters, spans},
    signature::Refusal,
};

/// One request to the signature layer, until it is answered or dropped.
pub(crate) struct Delivery {
    span: spans::Delivery,
    begun: Instant,
    account: OnceLock<Arc<str>>,
    known: Known,
    /// What becomes of it if it is dropped now; `None` if it is over.
    dropped: Option<Outcome>,
}

impl Delivery {
    pub(crate) fn begin() -> Self {
        meters::delivery_began();
        Self {
            span: spans::Delivery::open(),
            begun: Instant::now(),
            account: OnceLock::new(),
            known: Known::default(),
            dropped: Some(Outcome::HungUp),
        }
    }

    /// Does `work` inside the delivery's span.
    pub(crate) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.in_scope(work)
    }

    /// Whose callback it came to.
    pub(crate) fn is_for(&self, account: &Account) {
        self.span.is_for(account.name());
        // It is asked once.
        let _ = self.account.set(account.shared_name());
    }

    /// It asks whether this is the account's server, and that is all.
    pub(crate) fn verifies_url(&self) {
        self.known.set(Outcome::UrlVerified);
    }

    /// It has a verified `plaintext`. What dedup needs to say more goes along in `extensions`.
    pub(crate) fn is_verified(&self, plaintext: &[u8], extensions: &mut Extensions) {
        self.span.delivers(plaintext);
        extensions.insert(Handle {
            span: self.span.clone(),
            known: self.known.clone(),
        });
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
        let refusal = answer.and_then(|answer| answer.extensions().get::<Refusal>());
        let outcome = match (answer, self.known.outcome()) {
            (None, _) => Outcome::Failed,
            (Some(_), _) if refusal.is_some() => Outcome::Refused,
            (Some(_), Some(Outcome::TurnedAway)) => Outcome::TurnedAway,
            (Some(answer), _) if answer.status().is_server_error() => Outcome::Failed,
            (Some(_), known) => known.unwrap_or(Outcome::Passed),
        };
        if let Some(answer) = answer {
            let kind = refusal.map(Refusal::kind);
            self.span.is_answered(answer.status(), kind);
        }
        self.end(outcome);
    }

    fn end(&mut self, outcome: Outcome) {
        self.dropped = None;
        let (outcome, duration) = (outcome.as_str(), self.begun.elapsed());
        self.span.is_over(outcome, duration);
        let account = self.account.get().map_or_else(|| Arc::from(""), Arc::clone);
        meters::delivery_ended(account, outcome, duration);
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(outcome) = self.dropped {
            self.end(outcome);
        }
    }
}

/// A delivery on its way to dedup, whatever layers with spans of their own are between.
#[derive(Clone)]
struct Handle {
    span: spans::Delivery,
    known: Known,
}

/// A delivery as dedup sees it, in its lifetime: it keeps the span open.
pub(crate) struct Deduped {
    account: Arc<str>,
    key: Key,
    span: spans::Delivery,
    known: Known,
}

impl Deduped {
    /// Takes it out of `extensions`, which may outlive the delivery.
    pub(crate) fn take(account: &Arc<str>, key: Key, extensions: &mut Extensions) -> Self {
        let (span, known) = match extensions.remove::<Handle>() {
            Some(Handle { span, known }) => (span, known),
            // Another check than ours stands in front.
            None => (spans::Delivery::none(), Known::default()),
        };
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
        let (account, known) = (Arc::clone(&self.account), self.known.clone());
        Runs::new(account, self.key, self.span.cause(), known)
    }

    /// It waits for the run that another delivery has started.
    pub(crate) fn joins(&self) {
        self.known.set(Outcome::Joined);
        meters::joined(Arc::clone(&self.account));
    }

    /// It gets a reply: a kept one, unless it has waited for it.
    pub(crate) fn gets_reply(&self) {
        if self.known.turn(None, Outcome::KeptReply) {
            meters::kept_reply(Arc::clone(&self.account));
        }
    }

    /// No reply is left for it, unless it has waited for one.
    pub(crate) fn is_done(&self) {
        self.known.turn(None, Outcome::Done);
    }

    /// It is told that there is no answer to wait for.
    pub(crate) fn is_acknowledged(&self) {
        self.known.set(Outcome::Acknowledged);
    }

    /// It is answered 503, so that WeChat sends it again.
    pub(crate) fn is_turned_away(&self, reason: &'static str) {
        self.known.set(Outcome::TurnedAway);
        self.span.is_turned_away(&self.account, reason);
    }

    /// WeChat was left to hang up on it, or it went away when it could have been.
    pub(crate) fn hangs_up(&self) {
        self.span.hangs_up(&self.account);
        meters::hung_up(Arc::clone(&self.account));
    }
}
