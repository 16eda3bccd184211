//! The body of a simulated request, which may arrive slowly or break off.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

/// The body of a simulated request. It arrives at once, or [slowly](super::Push::deliver_slowly) in pieces.
pub struct RequestBody {
    rest: Bytes,
    trickle: Option<Trickle>,
}

struct Trickle {
    /// The size of a piece in bytes.
    piece: usize,
    pause: Duration,
    next: Pin<Box<Sleep>>,
}

impl RequestBody {
    pub(super) fn new(body: Bytes) -> Self {
        Self {
            rest: body,
            trickle: None,
        }
    }

    /// Makes a body that arrives in pieces of equal size, the last one `over` after the start.
    pub(super) fn slow(body: Bytes, over: Duration) -> Self {
        let pause = over / PIECES;
        Self {
            trickle: Some(Trickle {
                piece: body.len().div_ceil(PIECES as usize).max(1),
                pause,
                next: Box::pin(sleep(pause)),
            }),
            rest: body,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let mut length = self.rest.len();
        if let Some(trickle) = &mut self.trickle {
            ready!(trickle.next.as_mut().poll(cx));
            let after_pause = Instant::now() + trickle.pause;
            trickle.next.as_mut().reset(after_pause);
            length = length.min(trickle.piece);
        }
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody")
            .field("len", &self.rest.len())
            .finish_non_exhaustive()
    }
}

const PIECES: u32 = 8;
