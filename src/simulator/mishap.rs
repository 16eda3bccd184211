use std::time::Duration;

/// What goes wrong with a message on its way, on request.
#[derive(Debug, Clone, Default)]
pub(super) struct Mishaps {
    pub(super) lost_answers: usize,
    /// There and back each.
    pub(super) latency: Duration,
    pub(super) is_duplicated: bool,
    /// The first delivery, by the second.
    pub(super) is_overtaken: bool,
    pub(super) attack: Option<Attack>,
}

/// Who sends instead of WeChat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attack {
    Forge,
    Tamper(Part),
    Downgrade,
}

/// What [`tamper`](super::Push::tamper) changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// The `timestamp` of the query.
    Timestamp,
    /// The `nonce` of the query.
    Nonce,
    /// The ciphertext; in plain mode, whose signature does not cover the body, a line end is added to it.
    Body,
}
