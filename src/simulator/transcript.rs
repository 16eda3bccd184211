use std::{fmt, time::Duration};

use http::StatusCode;

use super::{Fault, Shown};

/// What happened to one message: its deliveries, and what the user sees.
///
/// [`Display`](fmt::Display) shows it a line a delivery, for a failed test's message.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Transcript {
    deliveries: Vec<Delivery>,
    shown: Shown,
}

impl Transcript {
    pub(super) fn new(deliveries: Vec<Delivery>, shown: Shown) -> Self {
        Self { deliveries, shown }
    }

    /// The deliveries in their order; at least one.
    pub fn deliveries(&self) -> &[Delivery] {
        &self.deliveries
    }

    /// What the user sees in the chat.
    pub fn shown(&self) -> &Shown {
        &self.shown
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for delivery in &self.deliveries {
            writeln!(f, "{delivery}")?;
        }
        write!(f, "shown: {:?}", self.shown)
    }
}

/// One request, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Delivery {
    at: Duration,
    took: Duration,
    query: String,
    status: Option<StatusCode>,
    fault: Option<Fault>,
}

impl Delivery {
    pub(super) fn new(
        at: Duration,
        took: Duration,
        query: String,
        status: Option<StatusCode>,
        fault: Option<Fault>,
    ) -> Self {
        Self {
            at,
            took,
            query,
            status,
            fault,
        }
    }

    /// When it was sent, counted from the message's first delivery.
    pub fn at(&self) -> Duration {
        self.at
    }

    /// How long WeChat waited, until it had the answer or did without.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// The query string that WeChat added to the URL.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// The status of the answer; `None` if no answer reached WeChat, as [`fault`](Self::fault) says.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// Why WeChat did not accept the answer; `None` if it did.
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {:?}: ", self.at)?;
        if let Some(status) = self.status {
            write!(f, "{}", status.as_u16())?;
        }
        match (&self.fault, self.status) {
            (Some(fault), Some(_)) => write!(f, ", {fault}"),
            (Some(fault), None) => write!(f, "{fault}"),
            (None, _) => Ok(()),
        }
    }
}
