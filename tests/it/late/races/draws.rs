//! What is drawn from a seed.

use std::sync::{Arc, Mutex};

/// A `SplitMix64`. Clones draw from one state.
#[derive(Clone)]
pub(super) struct Draws(Arc<Mutex<u64>>);

impl Draws {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(seed)))
    }

    /// Draws a number below `end`.
    pub(super) fn below(&self, end: u64) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    /// Draws whether something happens that happens once in `n` times.
    pub(super) fn once_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Draws an index.
    pub(super) fn index(&self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap()
    }

    pub(super) fn one_of<T: Copy>(&self, options: &[T]) -> T {
        options[self.index(options.len())]
    }
}
