use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The plaintext of a delivery whose sender has been authenticated.
///
/// This is the body type behind [`VerifySignature`](super::VerifySignature), and it is a capability:
/// the layers that parse or remember messages take nothing else, so the compiler checks that
/// verification comes first. `Debug` shows the length alone.
#[derive(Clone)]
pub struct Verified {
    plaintext: Bytes,
    /// Whether the body has been handed out as a frame.
    read: bool,
}

impl Verified {
    /// Vouches for `plaintext`, for callers that authenticate deliveries in another way.
    ///
    /// Everything behind trusts it: whoever can reach this call can forge any user's message.
    pub fn assume(plaintext: impl Into<Bytes>) -> Self {
        Self {
            plaintext: plaintext.into(),
            read: false,
        }
    }

    /// The plaintext: WeChat's XML.
    pub fn as_bytes(&self) -> &[u8] {
        &self.plaintext
    }

    /// The plaintext, without copying it.
    pub fn into_bytes(self) -> Bytes {
        self.plaintext
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
        self.read = true;
        Poll::Ready(Some(Ok(Frame::data(self.plaintext.clone()))))
    }

    fn is_end_stream(&self) -> bool {
        self.read || self.plaintext.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let left = if self.read { 0 } else { self.plaintext.len() };
        SizeHint::with_exact(left as u64)
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("len", &self.plaintext.len())
            .finish_non_exhaustive()
    }
}
