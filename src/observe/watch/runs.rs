use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::time::Instant;

use super::{Known, Outcome};
use crate::{
    dedup::{Failure, Key},
    observe::{meters, spans},
};

/// The runs of a message on this node, and the delivery that started them, which may be gone.
pub(crate) struct Runs {
    account: Arc<str>,
    key: Key,
    cause: spans::Cause,
    /// Of the delivery that started them.
    known: Known,
    are_lost: AtomicBool,
}

impl Runs {
    pub(super) fn new(account: Arc<str>, key: Key, cause: spans::Cause, known: Known) -> Self {
        Self {
            account,
            key,
            cause,
            known,
            are_lost: AtomicBool::new(false),
        }
    }

    /// Another node runs the message: the delivery has joined that run.
    pub(crate) fn are_elsewhere(&self) {
        if self.known.turn(Some(Outcome::Run), Outcome::Joined) {
            meters::joined(Arc::clone(&self.account));
        }
    }

    /// Another node has kept a reply; it is the delivery's, unless that has waited for it.
    pub(crate) fn have_reply(&self) {
        if self.known.turn(Some(Outcome::Run), Outcome::KeptReply) {
            meters::kept_reply(Arc::clone(&self.account));
        }
    }

    /// Another node has ended the message, and no reply is left.
    pub(crate) fn are_done(&self) {
        self.known.turn(Some(Outcome::Run), Outcome::Done);
    }

    /// Another node has taken the message: what still runs is for nothing.
    pub(crate) fn are_lost(&self) {
        self.are_lost.store(true, Ordering::Relaxed);
    }

    /// Does one run of the message inside a span of its own.
    pub(crate) async fn run<T>(
        &self,
        number: u32,
        plaintext: &[u8],
        run: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut observed = Run::begin(self, number, plaintext);
        let result = observed.span.instrument(run).await;
        observed.came_to(&result);
        result
    }
}

struct Run<'a> {
    of: &'a Runs,
    number: u32,
    span: spans::Run,
    begun: Instant,
    is_over: bool,
}

impl<'a> Run<'a> {
    fn begin(of: &'a Runs, number: u32, plaintext: &[u8]) -> Self {
        meters::run_began();
        of.are_lost.store(false, Ordering::Relaxed);
        Self {
            of,
            number,
            span: spans::Run::open(&of.account, of.key, number, plaintext, &of.cause),
            begun: Instant::now(),
            is_over: false,
        }
    }

    fn came_to<T>(&mut self, result: &Result<T, Failure>) {
        if let Err(failure) = result {
            self.span.has_failed(&self.of.account, self.number, failure);
        }
        self.end(match result {
            Ok(_) => "answered",
            Err(Failure::Error(_) | Failure::Status(_)) => "failed",
            Err(Failure::Timeout) => "timed_out",
            Err(Failure::Panic) => "panicked",
        });
    }

    fn end(&mut self, result: &'static str) {
        self.is_over = true;
        let duration = self.begun.elapsed();
        self.span.is_over(result, duration);
        meters::run_ended(Arc::clone(&self.of.account), result, duration);
    }
}

/// It is dropped when it is for nothing, and when the node shuts down.
impl Drop for Run<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let are_lost = self.of.are_lost.load(Ordering::Relaxed);
            self.end(if are_lost { "lost_lease" } else { "cut" });
        }
    }
}
