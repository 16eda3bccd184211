//! Reads HTTP bodies within bounds.

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
    /// Reads a whole body, within bounds of size and time.
    pub(crate) struct ReadBody<B> {
        #[pin]
        body: B,
        gathered: Gathered,
        // The number of bytes that may still arrive.
        room: usize,
        // The number of frames without data that may still arrive.
        empty_frames: usize,
        deadline: Option<Instant>,
        // Created late: most bodies arrive with the head and need no timer.
        timer: Option<Pin<Box<Sleep>>>,
    }
}

/// The reason why a body was not read to its end.
#[derive(Debug)]
pub(crate) enum ReadError<E> {
    /// Too many bytes, or too many frames without data.
    TooLarge,
    Timeout,
    /// The body's own error.
    Body(E),
}

impl<E: fmt::Display> fmt::Display for ReadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("the body is over the limit"),
            Self::Timeout => f.write_str("the body did not arrive in time"),
            Self::Body(error) => error.fmt(f),
        }
    }
}

impl<B> ReadBody<B> {
    /// Makes the future that reads at most `limit` bytes and [`EMPTY_FRAMES`] frames without data, until `deadline` if
    /// there is one.
    pub(crate) fn new(body: B, limit: usize, deadline: Option<Instant>) -> Self {
        Self {
            body,
            gathered: Gathered::default(),
            room: limit,
            empty_frames: EMPTY_FRAMES,
            deadline,
            timer: None,
        }
    }

    /// Makes the future that reads the body of an inner service's response, at most [`RESPONSE_LIMIT`] bytes.
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
                    let rest = usize::try_from(this.body.size_hint().lower()).unwrap_or(room);
                    this.gathered.push(data, rest.min(room));
                }
                // Yields, so that many frames without data starve neither the timer nor other tasks.
                _ => {
                    let Some(left) = this.empty_frames.checked_sub(1) else {
                        return Poll::Ready(Err(ReadError::TooLarge));
                    };
                    *this.empty_frames = left;
                    cx.waker().wake_by_ref();
                    break;
                }
            }
        }
        let Some(deadline) = *this.deadline else {
            return Poll::Pending;
        };
        let timer = this
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        timer.as_mut().poll(cx).map(|()| Err(ReadError::Timeout))
    }
}

/// A body's data. A single frame, the usual case, is not copied.
#[derive(Default)]
struct Gathered {
    first: Bytes,
    /// All frames, `first` included; empty until there is a second frame.
    all: BytesMut,
}

impl Gathered {
    /// Adds a frame. `rest` is the number of bytes that the body says are still to come.
    fn push(&mut self, mut data: impl Buf, rest: usize) {
        if self.first.is_empty() {
            self.first = data.copy_to_bytes(data.remaining());
            return;
        }
        if self.all.is_empty() {
            // Room for the whole body, so that each byte is copied once.
            let rest = data.remaining().saturating_add(rest);
            self.all.reserve(self.first.len().saturating_add(rest));
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

/// Servers send a few at most, such as trailers or an empty last frame. The body of a response has no deadline, so this
/// bound ends an endless one.
const EMPTY_FRAMES: usize = 1024;

/// In bytes; far more than WeChat accepts in any reply.
pub(crate) const RESPONSE_LIMIT: usize = 1024 * 1024;
