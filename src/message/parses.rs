//! Counts the parses of bodies on this thread, so that a unit test can show that no body is parsed twice.

use std::cell::Cell;

thread_local! {
    static HEADS: Cell<usize> = const { Cell::new(0) };
    static MESSAGES: Cell<usize> = const { Cell::new(0) };
}

/// How many heads [`Head::read`](super::Head::read) has parsed.
pub(crate) fn heads() -> usize {
    HEADS.get()
}

/// How many typed messages [`from_slice`](super::from_slice) has parsed.
pub(crate) fn messages() -> usize {
    MESSAGES.get()
}

pub(super) fn count_head() {
    HEADS.set(HEADS.get() + 1);
}

pub(super) fn count_message() {
    MESSAGES.set(MESSAGES.get() + 1);
}
