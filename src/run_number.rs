//! The number of a message's run.

/// The number of a message's run, for handlers that fence their own writes.
///
/// [`Verified::run_number`](crate::Verified::run_number) returns it.
/// [`MessageService`](crate::MessageService) puts it into the extensions of the handler's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunNumber(u32);

impl RunNumber {
    /// The first run of a message's claim number `claim`. Each claim makes up to `repetitions + 1` runs.
    pub(crate) fn first(claim: u32, repetitions: usize) -> Self {
        let repetitions = u32::try_from(repetitions).unwrap_or(u32::MAX);
        let earlier = claim.saturating_sub(1);
        Self(earlier.saturating_mul(repetitions.saturating_add(1))).next()
    }

    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Returns the number: 1 for the first run, and a larger one for each later run, on whichever node it is.
    ///
    /// The numbers of a lost node's runs are skipped. The store counts: a node that goes on without it begins with 1, and
    /// so does a store that has lost its data.
    pub fn get(self) -> u32 {
        self.0
    }
}
