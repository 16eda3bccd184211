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

/// A request's body that trickles in; see [`Push::deliver_slowly`](super::Push::deliver_slowly).
pub struct SlowBody {
    rest: Bytes,
    piece: usize,
    pause: Duration,
    next: Pin<Box<Sleep>>,
}

impl SlowBody {
    /// In pieces of one size, the last one when this time is over.
    pub(super) fn new(body: Bytes, over: Duration) -> Self {
        let pause = over / PIECES;
        Self {
            piece: body.len().div_ceil(PIECES as usize).max(1),
            rest: body,
            pause,
            next: Box::pin(sleep(pause)),
        }
    }
}

impl Body for SlowBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        ready!(self.next.as_mut().poll(cx));
        let after_pause = Instant::now() + self.pause;
        self.next.as_mut().reset(after_pause);
        let length = self.piece.min(self.rest.len());
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

impl fmt::Debug for SlowBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlowBody").finish_non_exhaustive()
    }
}

const PIECES: u32 = 8;
