//! Verified deliveries: the plaintext, and the facts about its HTTP request.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::{callback, message::Head, observe, run_number::RunNumber, timestamp::Timestamp, xml};

/// The plaintext of a delivery whose sender has been authenticated, with the [`Delivery`] itself.
///
/// This is the body type behind [`VerifySignature`](crate::verify::VerifySignature). It is a capability: the layers
/// that parse or remember messages accept no other body, so the compiler checks that verification comes first.
///
/// Clones share the plaintext and the parsed [head](Self::head).
#[derive(Clone)]
pub struct Verified {
    facts: Arc<Facts>,
    run_number: Option<RunNumber>,
    /// Whether the plaintext has been read as a frame.
    is_read: bool,
}

struct Facts {
    plaintext: Bytes,
    delivery: Delivery,
    /// Parsed on the first call of [`Verified::head`].
    head: OnceLock<xml::Result<Head>>,
    /// The span of the delivery, for dedup.
    trace: observe::Trace,
}

impl Verified {
    /// Marks `plaintext` as verified without a check, for servers that authenticate deliveries in another way.
    ///
    /// Bytes that are not UTF-8 are replaced by U+FFFD, as in every delivery.
    ///
    /// All inner layers trust the plaintext. If it comes from a request that nobody has authenticated, its sender can
    /// forge any user's message.
    ///
    /// A layer inside [`Dedup`](crate::dedup::Dedup) that makes a body anew loses the [run's number](Self::run_number).
    pub fn insecure_assume(plaintext: impl Into<Bytes>, delivery: Delivery) -> Self {
        let (plaintext, has_replaced_bytes) = callback::into_utf8(plaintext.into());
        if has_replaced_bytes {
            observe::plaintext_lossy(delivery.account());
        }
        Self::new(plaintext, None, delivery, observe::Trace::none())
    }

    /// Marks `plaintext` as verified. `head` is the result of parsing its head, if that was done already.
    pub(crate) fn new(
        plaintext: Bytes,
        head: Option<xml::Result<Head>>,
        delivery: Delivery,
        trace: observe::Trace,
    ) -> Self {
        Self {
            facts: Arc::new(Facts {
                plaintext,
                delivery,
                head: head.map_or_else(OnceLock::new, OnceLock::from),
                trace,
            }),
            run_number: None,
            is_read: false,
        }
    }

    /// Returns the plaintext: WeChat's XML, or JSON. It is valid UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        &self.facts.plaintext
    }

    /// Returns the plaintext without copying it.
    pub fn to_bytes(&self) -> Bytes {
        self.facts.plaintext.clone()
    }

    /// Returns the facts about the request.
    pub fn delivery(&self) -> &Delivery {
        &self.facts.delivery
    }

    /// Returns the fields that all messages share, such as type, sender, receiver and id.
    ///
    /// The first call parses the plaintext. All clones share the result.
    ///
    /// # Errors
    ///
    /// If the plaintext is not a readable document, or repeats one of these fields.
    pub fn head(&self) -> Result<&Head, &xml::Error> {
        self.facts
            .head
            .get_or_init(|| Head::read(&self.facts.plaintext))
            .as_ref()
    }

    /// Returns the number of the message's run. `None` outside a run: without a [`Dedup`](crate::dedup::Dedup) in front, and in
    /// [`LateReply::request`](crate::late::LateReply::request).
    pub fn run_number(&self) -> Option<RunNumber> {
        self.run_number
    }

    pub(crate) fn with_run_number(mut self, number: RunNumber) -> Self {
        self.run_number = Some(number);
        self
    }

    pub(crate) fn trace(&self) -> &observe::Trace {
        &self.facts.trace
    }
}

impl Body for Verified {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        self.is_read = true;
        Poll::Ready(Some(Ok(Frame::data(self.to_bytes()))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_read || self.as_bytes().is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let left = if self.is_read {
            0
        } else {
            self.as_bytes().len()
        };
        SizeHint::with_exact(left as u64)
    }
}

/// Shows the length of the plaintext, not its contents.
impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("len", &self.as_bytes().len())
            .field("delivery", self.delivery())
            .finish_non_exhaustive()
    }
}

/// The request body that [`Dedup`](crate::dedup::Dedup) and [`MessageService`](crate::MessageService) accept.
///
/// Only [`Verified`] implements it.
#[diagnostic::on_unimplemented(
    message = "`VerifySignatureLayer` is missing or in the wrong order: it goes first, around this service",
    label = "this service takes only `Verified` bodies, but got a request with a `{Self}`",
    note = "put the layers in this order: `ServiceBuilder::new().layer(VerifySignatureLayer::new(account)).layer(DedupLayer::in_memory()).service(message_fn(answer))`",
    note = "with axum, build the whole stack before `route_service`; of several `Router::layer` calls the last one is the outermost"
)]
pub trait VerifiedBody: sealed::Sealed + Send + 'static {
    #[doc(hidden)]
    fn into_verified(self) -> Verified;
}

impl VerifiedBody for Verified {
    fn into_verified(self) -> Verified {
        self
    }
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::Verified {}
}

/// The facts about one HTTP request from WeChat: its account, arrival and timestamp.
///
/// Every [`Verified`] body contains one. [`MessageService`](crate::MessageService) puts it into the extensions of the
/// handler's request, for example to learn the account of a message. Dedup counts its deadlines from the [`arrival`](Self::arrival).
///
/// Tests make one with [`Delivery::new`].
#[derive(Debug, Clone)]
pub struct Delivery {
    account: Arc<str>,
    arrival: tokio::time::Instant,
    timestamp: Timestamp,
    age: Duration,
    timestamp_tolerance: Duration,
    /// How old the timestamp may be.
    max_age: Duration,
}

impl Delivery {
    /// Makes a delivery to the account with the name `account`. It arrives now, and was signed now.
    pub fn new(account: impl Into<Arc<str>>) -> Self {
        Self {
            account: account.into(),
            arrival: tokio::time::Instant::now(),
            timestamp: Timestamp::now(),
            age: Duration::ZERO,
            timestamp_tolerance: TIMESTAMP_TOLERANCE,
            max_age: TIMESTAMP_TOLERANCE,
        }
    }

    /// Makes the delivery of a request whose head arrived at `arrival`, which is `now` by the clock of timestamps.
    pub(crate) fn of_request(
        account: Arc<str>,
        arrival: tokio::time::Instant,
        now: SystemTime,
        timestamp: Timestamp,
        timestamp_tolerance: Duration,
    ) -> Self {
        Self {
            account,
            arrival,
            timestamp,
            age: age(timestamp, now),
            timestamp_tolerance,
            max_age: timestamp_tolerance,
        }
    }

    /// Sets the arrival of the request's head; the default is the time of [`new`](Self::new).
    #[must_use]
    pub fn with_arrival(mut self, arrival: Instant) -> Self {
        self.arrival = arrival.into();
        self
    }

    /// Sets the time at which WeChat signed the request; the default is the time of [`new`](Self::new).
    ///
    /// The [age](Self::age) becomes the time from `timestamp` until now, by this machine's clock.
    #[must_use]
    pub fn with_timestamp(mut self, timestamp: Timestamp) -> Self {
        self.timestamp = timestamp;
        self.age = age(timestamp, SystemTime::now());
        self
    }

    /// Sets how far before or after the present a timestamp may be; the default is 300 s.
    ///
    /// Dedup remembers a finished message for at least twice this time.
    #[must_use]
    pub fn with_timestamp_tolerance(mut self, tolerance: Duration) -> Self {
        (self.timestamp_tolerance, self.max_age) = (tolerance, tolerance);
        self
    }

    /// Accepts a timestamp as old as this, too.
    pub(crate) fn accept_late(&mut self, max_age: Duration) {
        self.max_age = self.max_age.max(max_age);
    }

    /// For how long the request can be replayed until its timestamp is rejected: at first it may be ahead of the clock.
    pub(crate) fn replayable_for(&self) -> Duration {
        self.timestamp_tolerance.saturating_add(self.max_age)
    }

    /// Returns the name of the account, see [`Account::with_name`](crate::Account::with_name).
    pub fn account(&self) -> &str {
        &self.account
    }

    pub(crate) fn shared_account(&self) -> &Arc<str> {
        &self.account
    }

    /// Returns the time at which the request's head arrived. All deadlines count from it.
    pub fn arrival(&self) -> Instant {
        self.arrival.into_std()
    }

    pub(crate) fn arrived(&self) -> tokio::time::Instant {
        self.arrival
    }

    /// Returns the time at which WeChat signed the request: the query's `timestamp`. Retries repeat it.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// Returns the request's age on arrival: local time minus `timestamp`, or zero if the local clock is behind.
    pub fn age(&self) -> Duration {
        self.age
    }

    /// Returns how far before or after the present a timestamp may be.
    pub fn timestamp_tolerance(&self) -> Duration {
        self.timestamp_tolerance
    }
}

/// Returns the time from `timestamp` until `now`, or zero if `now` is earlier.
fn age(timestamp: Timestamp, now: SystemTime) -> Duration {
    now.duration_since(timestamp.into()).unwrap_or_default()
}

/// Far more than the 20 s of WeChat's retries, and enough for a clock that is somewhat wrong.
pub(crate) const TIMESTAMP_TOLERANCE: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests;
