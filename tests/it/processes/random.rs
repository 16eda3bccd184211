//! Random numbers from a seed.

use std::{ops::Range, time::Duration};

/// `SplitMix64`.
#[derive(Clone)]
pub(super) struct Random(u64);

impl Random {
    /// The numbers for one purpose do not depend on the numbers drawn for another.
    pub(super) fn new(seed: u64, purpose: u64) -> Self {
        let mut random = Self(seed);
        random.0 = random.next() ^ purpose;
        random
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap();
        usize::try_from(self.next() % bound).unwrap()
    }

    pub(super) fn milliseconds(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(range.start + self.next() % (range.end - range.start))
    }

    /// Deals the next card of a deck, which `fill` fills with each card once.
    pub(super) fn deal<T>(&mut self, deck: &mut Vec<T>, fill: impl FnOnce(&mut Vec<T>)) -> T {
        if deck.is_empty() {
            fill(deck);
            self.shuffle(deck);
        }
        deck.pop().unwrap()
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
