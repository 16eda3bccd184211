//! A verified delivery: the plaintext and what is known of the request that brought it.

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

use crate::{message::Head, observe, timestamp::Timestamp, xml};

/// The plaintext of a delivery whose sender has been authenticated, with what is known of the delivery.
///
/// This is the body type behind [`VerifySignature`](crate::verify::VerifySignature), and it is a capability: the layers
/// that parse or remember messages take nothing else, so the compiler checks that verification comes first.
///
/// Clones share the plaintext and the parsed [head](Self::head).
#[derive(Clone)]
pub struct Verified {
    known: Arc<Known>,
    /// Whether the body has been handed out as a frame.
    is_read: bool,
}

struct Known {
    plaintext: Bytes,
    delivery: Delivery,
    /// Parsed when it is first asked for.
    head: OnceLock<xml::Result<Head>>,
    /// The span of the delivery, for dedup.
    trace: observe::Trace,
}

impl Verified {
    /// Vouches for `plaintext`, for servers that authenticate deliveries in another way.
    ///
    /// Every layer behind trusts it. A stranger who can reach this call can forge any user's message.
    pub fn insecure_assume(plaintext: impl Into<Bytes>, delivery: Delivery) -> Self {
        Self::new(plaintext.into(), None, delivery, observe::Trace::none())
    }

    /// `head` is the plaintext's, if it has been parsed already.
    pub(crate) fn new(
        plaintext: Bytes,
        head: Option<Head>,
        delivery: Delivery,
        trace: observe::Trace,
    ) -> Self {
        Self {
            known: Arc::new(Known {
                plaintext,
                delivery,
                head: head.map(Ok).map_or_else(OnceLock::new, OnceLock::from),
                trace,
            }),
            is_read: false,
        }
    }

    /// Returns the plaintext: WeChat's XML, or JSON.
    pub fn as_bytes(&self) -> &[u8] {
        &self.known.plaintext
    }

    /// Returns the plaintext without copying it.
    pub fn to_bytes(&self) -> Bytes {
        self.known.plaintext.clone()
    }

    /// Returns what is known of the request.
    pub fn delivery(&self) -> &Delivery {
        &self.known.delivery
    }

    /// Returns what the message says about itself: its type, sender, receiver and id.
    ///
    /// It is parsed when it is first asked for. All clones share the result.
    ///
    /// # Errors
    ///
    /// If the plaintext is no readable document, or repeats one of these fields.
    pub fn head(&self) -> Result<&Head, &xml::Error> {
        self.known
            .head
            .get_or_init(|| Head::read(&self.known.plaintext))
            .as_ref()
    }

    pub(crate) fn trace(&self) -> &observe::Trace {
        &self.known.trace
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

/// Shows the length alone.
impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("len", &self.as_bytes().len())
            .field("delivery", self.delivery())
            .finish_non_exhaustive()
    }
}

/// The request body that [`Dedup`](crate::dedup::Dedup) and [`MessageService`](crate::MessageService) take. Only
/// [`Verified`] is one.
#[diagnostic::on_unimplemented(
    message = "`VerifySignatureLayer` is missing in front of this service, or stands behind it",
    label = "this service takes `Verified` bodies alone, and got a request with a `{Self}`",
    note = "the layers stand in this order: `ServiceBuilder::new().layer(VerifySignatureLayer::new(account)).layer(DedupLayer::in_memory()).service(message_fn(answer))`"
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

/// What is known of one HTTP request from WeChat.
///
/// It is part of every [`Verified`] body, and stands in the request's extensions for handlers: dedup counts its deadlines
/// from [`arrival`](Self::arrival), and a handler learns for which account a message came.
///
/// A test makes one with [`Delivery::new`].
#[derive(Debug, Clone)]
pub struct Delivery {
    account: Arc<str>,
    arrival: tokio::time::Instant,
    timestamp: Timestamp,
    age: Duration,
    timestamp_tolerance: Duration,
}

impl Delivery {
    /// A delivery to the account called `account` that arrives now and was signed now.
    pub fn new(account: impl Into<Arc<str>>) -> Self {
        Self {
            account: account.into(),
            arrival: tokio::time::Instant::now(),
            timestamp: Timestamp::from(SystemTime::now()),
            age: Duration::ZERO,
            timestamp_tolerance: TIMESTAMP_TOLERANCE,
        }
    }

    /// Sets the arrival of the request's head; the default is the time of [`new`](Self::new).
    #[must_use]
    pub fn with_arrival(mut self, arrival: Instant) -> Self {
        self.arrival = arrival.into();
        self
    }

    /// Sets the time at which WeChat signed the request, and how long before the arrival that was by this machine's
    /// clock.
    #[must_use]
    pub fn with_timestamp(mut self, timestamp: Timestamp, age: Duration) -> Self {
        self.timestamp = timestamp;
        self.age = age;
        self
    }

    /// Sets how far a timestamp may be from the present; the default is 300 s.
    ///
    /// Dedup remembers messages for at least as long.
    #[must_use]
    pub fn with_timestamp_tolerance(mut self, tolerance: Duration) -> Self {
        self.timestamp_tolerance = tolerance;
        self
    }

    /// Returns the name of the account it is for, see [`Account::with_name`](crate::Account::with_name).
    pub fn account(&self) -> &str {
        &self.account
    }

    pub(crate) fn shared_account(&self) -> &Arc<str> {
        &self.account
    }

    /// Returns the arrival of the request's head. Every deadline counts from here.
    pub fn arrival(&self) -> Instant {
        self.arrival.into_std()
    }

    pub(crate) fn arrived(&self) -> tokio::time::Instant {
        self.arrival
    }

    /// Returns the time at which WeChat signed it: the query's `timestamp`. Retries repeat it.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// Returns the time between signing and arrival: local time minus `timestamp`, or zero if the local clock is behind.
    pub fn age(&self) -> Duration {
        self.age
    }

    /// Returns how far a timestamp may be from the present to be accepted.
    pub fn timestamp_tolerance(&self) -> Duration {
        self.timestamp_tolerance
    }
}

/// Far more than the 20 s of WeChat's retries, and as much as a server's clock may reasonably be off.
pub(crate) const TIMESTAMP_TOLERANCE: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests;
