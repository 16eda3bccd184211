//! Counts the bytes that reading looks at, for the tests that prove it linear.

#[derive(Debug)]
pub(super) struct Meter(pub(super) usize);

impl Meter {
    pub(super) fn new() -> Self {
        Self(0)
    }

    pub(super) fn add(&mut self, steps: usize) {
        self.0 += steps;
    }
}
