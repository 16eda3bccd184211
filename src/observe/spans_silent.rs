//! The twin of `spans.rs` for builds with the `metrics` feature alone: spans of no size, doing nothing.

use std::time::Duration;

use http::StatusCode;

use crate::{
    dedup::{Failure, Key},
    signature::RefusalKind,
};

#[derive(Clone)]
pub(super) struct Delivery;

#[expect(clippy::unused_self, reason = "its twin has a self")]
impl Delivery {
    pub(super) fn open() -> Self {
        Self
    }

    pub(super) fn none() -> Self {
        Self
    }

    pub(super) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }

    pub(super) fn is_for(&self, _account: &str) {}

    pub(super) fn delivers(&self, _plaintext: &[u8]) {}

    pub(super) fn is_of(&self, _key: Key) {}

    pub(super) fn is_answered(&self, _status: StatusCode, _refusal: Option<RefusalKind>) {}

    pub(super) fn is_over(&self, _outcome: &'static str, _duration: Duration) {}

    pub(super) fn is_turned_away(&self, _account: &str, _reason: &'static str) {}

    pub(super) fn hangs_up(&self, _account: &str) {}

    pub(super) fn cause(&self) -> Cause {
        Cause
    }
}

pub(super) struct Cause;

pub(super) struct Run;

#[expect(clippy::unused_self, reason = "its twin has a self")]
impl Run {
    pub(super) fn open(
        _account: &str,
        _key: Key,
        _number: u32,
        _plaintext: &[u8],
        _cause: &Cause,
    ) -> Self {
        Self
    }

    pub(super) fn instrument<F: Future>(&self, run: F) -> F {
        run
    }

    pub(super) fn has_failed(&self, _account: &str, _number: u32, _failure: &Failure) {}

    pub(super) fn is_over(&self, _result: &'static str, _duration: Duration) {}
}
