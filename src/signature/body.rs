use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::signature::RefusalKind;

pin_project! {
    /// Reads a whole request body, so much of it and so long at most.
    pub(super) struct ReadBody<B> {
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

impl<B> ReadBody<B> {
    /// Without a `deadline` it waits for ever.
    pub(super) fn new(body: B, limit: usize, deadline: Option<Instant>) -> Self {
        Self {
            body,
            gathered: Gathered::default(),
            room: limit,
            deadline,
            timer: None,
        }
    }
}

impl<B> Future for ReadBody<B>
where
    B: Body,
{
    type Output = Result<Bytes, RefusalKind>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        while let Poll::Ready(frame) = this.body.as_mut().poll_frame(cx) {
            let Some(frame) = frame else {
                let whole = mem::take(this.gathered).into_bytes();
                return Poll::Ready(if whole.is_empty() {
                    Err(RefusalKind::BodyEmpty)
                } else {
                    Ok(whole)
                });
            };
            let Ok(frame) = frame else {
                return Poll::Ready(Err(RefusalKind::BodyUnreadable));
            };
            match frame.into_data() {
                Ok(data) if data.has_remaining() => {
                    let Some(room) = this.room.checked_sub(data.remaining()) else {
                        return Poll::Ready(Err(RefusalKind::BodyTooLarge));
                    };
                    *this.room = room;
                    this.gathered.push(data);
                }
                // Nothing came: an endless row of such frames must not keep the timer, and the other
                // tasks, from having their turn.
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
            Some(timer) => timer.poll(cx).map(|()| Err(RefusalKind::BodyTimeout)),
            None => Poll::Pending,
        }
    }
}

/// A body's data; the usual single frame is kept as it came.
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
