//! Records each delivery on its way from WeChat to the bot.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use tower::{BoxError, Service, ServiceExt};
use tower_wechat::{Account, simulator::RequestBody, verify::Rejection};

use crate::{
    exchange::Exchange,
    office::{AnswerBody, Target},
    record::Answer,
    wire::Payload,
};

/// Passes the deliveries of one message to the target, and records them.
pub(crate) struct Recorder {
    target: Target,
    exchange: Exchange,
    /// The account, if it is encrypted.
    account: Option<Account>,
}

impl Recorder {
    pub(crate) fn new(target: Target, exchange: Exchange, account: Option<Account>) -> Self {
        Self {
            target,
            exchange,
            account,
        }
    }
}

impl Service<Request<RequestBody>> for Recorder {
    type Response = Response<RecordedBody>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let (head, body) = request.into_parts();
        let query = head.uri.query().unwrap_or_default().to_owned();
        // The playground sends no slow bodies, so the whole body is there.
        let body = body.collect().now_or_never();
        let body = body.and_then(Result::ok).unwrap_or_default().to_bytes();
        let payload = Payload::delivered(self.account.as_ref(), &query, &body);
        let mut recording = Recording {
            number: self.exchange.begin_delivery(query, payload),
            exchange: self.exchange.clone(),
            account: self.account.clone(),
            status: None,
            rejection: None,
            body: Vec::new(),
            is_cut: false,
        };
        let mut request = Request::from_parts(head, Full::new(body));
        // The built-in bot records its runs with it.
        request.extensions_mut().insert(self.exchange.clone());
        let target = self.target.clone();
        Box::pin(async move {
            let response = target.oneshot(request).await?;
            recording.status = Some(response.status());
            recording.rejection = response.extensions().get().map(Rejection::to_string);
            Ok(response.map(|inner| RecordedBody { inner, recording }))
        })
    }
}

/// A delivery under way. It ends when this is dropped: after the answer, or when WeChat hangs up.
struct Recording {
    exchange: Exchange,
    number: usize,
    account: Option<Account>,
    status: Option<StatusCode>,
    rejection: Option<String>,
    /// The answer, up to a bound.
    body: Vec<u8>,
    is_cut: bool,
}

impl Recording {
    fn note(&mut self, data: &[u8]) {
        let room = MAX_ANSWER.saturating_sub(self.body.len());
        let (kept, rest) = data.split_at(room.min(data.len()));
        self.body.extend_from_slice(kept);
        self.is_cut |= !rest.is_empty();
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let body = mem::take(&mut self.body);
        let body = self
            .status
            .map(|_| Payload::answered(self.account.as_ref(), &body, self.is_cut));
        let answer = Answer {
            status: self.status.map(|status| status.as_u16()),
            rejection: self.rejection.take(),
            body,
        };
        self.exchange.end_delivery(self.number, answer);
    }
}

/// The answer on its way to WeChat.
pub(crate) struct RecordedBody {
    inner: AnswerBody,
    recording: Recording,
}

impl Body for RecordedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let Some(data) = frame.as_ref().and_then(|it| it.as_ref().ok()?.data_ref()) {
            self.recording.note(data);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// In bytes; WeChat takes no more than a few KiB.
const MAX_ANSWER: usize = 16 * 1024;
