//! Reading HTTP bodies within bounds.

use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

pin_project! {
    /// Reads a whole body, within bounds on its size and on the time it takes.
    pub(crate) struct ReadBody<B> {
        #[pin]
        body: B,
        gathered: Gathered,
        // How many bytes may still come.
        room: usize,
        deadline: Option<Instant>,
        // Most bodies have arrived with the head; they need no timer.
        #[pin]
        timer: Option<Sleep>,
    }
}

/// Why a body has not been read to its end.
#[derive(Debug)]
pub(crate) enum ReadError<E> {
    TooLarge,
    Timeout,
    /// The body's own error.
    Body(E),
}

impl<E: fmt::Display> fmt::Display for ReadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("the body is over the limit"),
            Self::Timeout => f.write_str("the body was not there in time"),
            Self::Body(error) => error.fmt(f),
        }
    }
}

impl<B> ReadBody<B> {
    /// Reads at most `limit` bytes, until `deadline` if there is one.
    pub(crate) fn new(body: B, limit: usize, deadline: Option<Instant>) -> Self {
        Self {
            body,
            gathered: Gathered::default(),
            room: limit,
            deadline,
            timer: None,
        }
    }

    /// Reads the body of an inner service's response.
    pub(crate) fn of_response(body: B) -> Self {
        Self::new(body, RESPONSE_LIMIT, None)
    }
}

impl<B: Body> Future for ReadBody<B> {
    type Output = Result<Bytes, ReadError<B::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        while let Poll::Ready(frame) = this.body.as_mut().poll_frame(cx) {
            let frame = match frame {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Err(ReadError::Body(error))),
                None => return Poll::Ready(Ok(mem::take(this.gathered).into_bytes())),
            };
            match frame.into_data() {
                Ok(data) if data.has_remaining() => {
                    let Some(room) = this.room.checked_sub(data.remaining()) else {
                        return Poll::Ready(Err(ReadError::TooLarge));
                    };
                    *this.room = room;
                    this.gathered.push(data);
                }
                // An endless row of frames without data must leave the timer and the other tasks their turn.
                _ => {
                    cx.waker().wake_by_ref();
                    break;
                }
            }
        }
        let Some(deadline) = *this.deadline else {
            return Poll::Pending;
        };
        if this.timer.is_none() {
            this.timer.set(Some(sleep_until(deadline)));
        }
        match this.timer.as_pin_mut() {
            Some(timer) => timer.poll(cx).map(|()| Err(ReadError::Timeout)),
            None => Poll::Pending,
        }
    }
}

/// A body's data. The usual single frame is kept as it came.
#[derive(Default)]
struct Gathered {
    first: Bytes,
    /// `first` and all that came after, once there is more than one frame.
    all: BytesMut,
}

impl Gathered {
    fn push(&mut self, mut data: impl Buf) {
        if self.first.is_empty() {
            self.first = data.copy_to_bytes(data.remaining());
            return;
        }
        if self.all.is_empty() {
            self.all.extend_from_slice(&self.first);
        }
        self.all.put(data);
    }

    fn into_bytes(self) -> Bytes {
        if self.all.is_empty() {
            self.first
        } else {
            self.all.freeze()
        }
    }
}

/// In bytes: far more than WeChat takes of any reply.
pub(crate) const RESPONSE_LIMIT: usize = 1024 * 1024;
