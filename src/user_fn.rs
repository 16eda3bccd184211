//! Calls a function that the user of the crate has set, and catches its panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::observe;

/// Calls a function that the user has set as `name`. A panic is an error in the log, and `None`.
pub(crate) fn call<T>(name: &'static str, function: impl FnOnce() -> T) -> Option<T> {
    // A function that panics may leave its own state broken. Nothing of the crate is shared with it.
    catch_unwind(AssertUnwindSafe(function))
        .inspect_err(|_panic| observe::function_panicked(name))
        .ok()
}
