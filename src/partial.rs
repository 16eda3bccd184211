//! What a handler has written of a reply so far, for the polls of a smart bot's stream.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What a handler has written of its reply so far. Polls of a smart bot's [stream](crate::message::smart_bot#streams) show it.
///
/// A function of [`stream_fn`](crate::handler::stream_fn) gets one. Another handler finds it in the extensions of the requests
/// that `DedupLayer` makes of a smart bot's messages. Clones are the same text. It holds 64 KiB at most: what is written
/// beyond is dropped, so return a longer reply as a whole.
#[derive(Clone, Default)]
pub struct Partial(Arc<Mutex<String>>);

impl Partial {
    /// Makes an empty text, such as for a test.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends to the text.
    pub fn push(&self, text: impl AsRef<str>) {
        append(&mut self.lock(), text.as_ref());
    }

    /// Replaces the text.
    pub fn set(&self, text: impl AsRef<str>) {
        let mut written = self.lock();
        written.clear();
        append(&mut written, text.as_ref());
    }

    /// Returns the text.
    pub fn text(&self) -> String {
        self.lock().clone()
    }

    /// Each change leaves a whole text.
    fn lock(&self) -> MutexGuard<'_, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn append(written: &mut String, text: &str) {
    let end = text.floor_char_boundary(LIMIT - written.len());
    written.push_str(text.get(..end).unwrap_or_default());
}

/// Shows the length of the text, not the text.
impl fmt::Debug for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partial")
            .field("len", &self.lock().len())
            .finish_non_exhaustive()
    }
}

/// In bytes.
const LIMIT: usize = 64 * 1024;
