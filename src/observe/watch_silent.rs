//! The twin of `watch` for builds without the features `metrics` and `tracing`: types of no size, doing nothing.

use std::{sync::Arc, task::Poll};

use http::{Extensions, Response};

use crate::{
    account::Account,
    dedup::{Failure, Key},
};

pub(crate) struct Delivery;

#[expect(clippy::unused_self, reason = "its twin has a self")]
impl Delivery {
    pub(crate) fn begin() -> Self {
        Self
    }

    pub(crate) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }

    pub(crate) fn is_for(&self, _account: &Account) {}

    pub(crate) fn verifies_url(&self) {}

    pub(crate) fn is_verified(&self, _plaintext: &[u8], _extensions: &mut Extensions) {}

    pub(crate) fn poll<B, E>(
        &mut self,
        poll: impl FnOnce(&Self) -> Poll<Result<Response<B>, E>>,
    ) -> Poll<Result<Response<B>, E>> {
        poll(self)
    }
}

pub(crate) struct Deduped;

#[expect(clippy::unused_self, reason = "its twin has a self")]
impl Deduped {
    pub(crate) fn take(_account: &Arc<str>, _key: Key, _extensions: &mut Extensions) -> Self {
        Self
    }

    pub(crate) fn starts_runs(&self) -> Runs {
        Runs
    }

    pub(crate) fn joins(&self) {}

    pub(crate) fn gets_reply(&self) {}

    pub(crate) fn is_done(&self) {}

    pub(crate) fn is_acknowledged(&self) {}

    pub(crate) fn is_turned_away(&self, _reason: &'static str) {}

    pub(crate) fn hangs_up(&self) {}
}

pub(crate) struct Runs;

#[expect(clippy::unused_self, reason = "its twin has a self")]
impl Runs {
    pub(crate) fn are_elsewhere(&self) {}

    pub(crate) fn have_reply(&self) {}

    pub(crate) fn are_done(&self) {}

    pub(crate) fn are_lost(&self) {}

    pub(crate) fn run<T>(
        &self,
        _number: u32,
        _plaintext: &[u8],
        run: impl Future<Output = Result<T, Failure>>,
    ) -> impl Future<Output = Result<T, Failure>> {
        run
    }
}
