//! WeChat's API, as the [`Simulator`] of an account answers it.

mod calls;
mod failures;
mod form;
mod media;
mod refusal;
mod tokens;

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use tokio::time::sleep;
use tower::Service;

use self::calls::{ApiRequest, response};
pub use self::failures::{ApiCall, ApiFailure};
pub(super) use self::{failures::Failures, media::MediaFiles, refusal::Refusal, tokens::Tokens};
use super::{BoxError, Simulator};
use crate::{
    body::{ReadBody, ReadError},
    response::ResponseBody,
};

/// WeChat's API for one account, as a Tower service. [`Simulator::api`] makes it.
///
/// It is the HTTP client of an [`Api`](crate::Api), or serves bots in any language on loopback. It looks at the path, not
/// at the host. The [module docs](super#the-api) say how it answers.
///
/// Its error is that of a request's body, or a connection that breaks because of [`ApiFailure::LostAnswer`].
#[derive(Debug, Clone)]
pub struct ApiServer {
    simulator: Simulator,
}

impl ApiServer {
    pub(super) fn new(simulator: Simulator) -> Self {
        Self { simulator }
    }

    /// Makes the next `count` requests for this call fail, behind those for which a failure has been set already.
    ///
    /// An [`Api`](crate::Api) repeats a request that WeChat was too busy for: one of its calls is up to four requests.
    ///
    /// ```
    /// # use tower_wechat::{Account, simulator::{ApiCall, ApiFailure, Simulator}};
    /// # let wechat = Simulator::new(Account::plain("rosebud7")?);
    /// wechat.api().fail_next(2, ApiCall::Send, ApiFailure::Busy);
    /// # Ok::<(), tower_wechat::account::Error>(())
    /// ```
    pub fn fail_next(&self, count: usize, call: ApiCall, failure: ApiFailure) {
        self.simulator.state().failures.add(count, call, failure);
    }

    /// Makes all requests for this call fail from now on.
    ///
    /// A later [`fail_next`](Self::fail_next) comes first.
    pub fn fail_always(&self, call: ApiCall, failure: ApiFailure) {
        self.simulator.state().failures.set(call, failure);
    }

    /// Ends the failures of all calls.
    pub fn recover(&self) {
        self.simulator.state().failures.clear();
    }

    async fn answer<B>(self, request: Request<B>) -> io::Result<Response<ResponseBody>>
    where
        B: Body,
        B::Error: Into<BoxError>,
    {
        let (head, body) = request.into_parts();
        let call = ApiCall::at(head.uri.path());
        let limit = match call {
            Some(ApiCall::Upload) => UPLOAD_LIMIT,
            _ => BODY_LIMIT,
        };
        let body = match ReadBody::new(body, limit, None).await {
            Ok(body) => body,
            Err(ReadError::Body(error)) => return Err(io::Error::other(error)),
            Err(ReadError::TooLarge | ReadError::Timeout) => {
                return Ok(html(StatusCode::PAYLOAD_TOO_LARGE));
            }
        };
        let Some(call) = call else {
            return Ok(Refusal::URL.into_response());
        };
        let failure = self.simulator.state().failures.take(call);
        let refusal = match failure {
            Some(ApiFailure::Status(status)) => return Ok(html(status)),
            Some(ApiFailure::Html) => return Ok(html(StatusCode::OK)),
            Some(ApiFailure::Busy) => Refusal::BUSY,
            Some(ApiFailure::UnknownMedia) => Refusal::MEDIA_ID,
            Some(ApiFailure::Unauthorized) => Refusal::UNAUTHORIZED,
            Some(ApiFailure::Errcode(errcode)) => Refusal::new(errcode, "simulated"),
            None
            | Some(
                ApiFailure::EndedToken
                | ApiFailure::Slow(_)
                | ApiFailure::LostAnswer
                | ApiFailure::HalfAnswer,
            ) => {
                if failure == Some(ApiFailure::EndedToken) {
                    self.simulator.state().tokens.end();
                }
                let request = ApiRequest::new(head, body);
                let answer = self.simulator.answer_call(call, &request);
                match failure {
                    Some(ApiFailure::Slow(time)) => sleep(time).await,
                    Some(ApiFailure::LostAnswer) => {
                        return Err(io::ErrorKind::ConnectionReset.into());
                    }
                    _ => {}
                }
                let answer = answer.unwrap_or_else(Refusal::into_response);
                if failure == Some(ApiFailure::HalfAnswer) {
                    return Ok(answer.map(|body| half(&body)));
                }
                return Ok(answer);
            }
        };
        Ok(refusal.into_response())
    }
}

impl<B> Service<Request<B>> for ApiServer
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody>;
    type Error = io::Error;
    type Future = ApiFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ApiFuture {
        ApiFuture(Box::pin(self.clone().answer(request)))
    }
}

/// The future of an [`ApiServer`].
#[must_use = "futures do nothing unless polled"]
pub struct ApiFuture(Pin<Box<dyn Future<Output = io::Result<Response<ResponseBody>>> + Send>>);

impl Future for ApiFuture {
    type Output = io::Result<Response<ResponseBody>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for ApiFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiFuture").finish_non_exhaustive()
    }
}

fn half(body: &ResponseBody) -> ResponseBody {
    let mut bytes = body.to_bytes();
    bytes.truncate(bytes.len() / 2);
    ResponseBody::new(bytes)
}

/// Makes a page as a proxy does.
fn html(status: StatusCode) -> Response<ResponseBody> {
    let page = format!("<html><head><title>{status}</title></head><body>{status}</body></html>");
    let mut response = response("text/html", Bytes::from(page));
    *response.status_mut() = status;
    response
}

/// In bytes. WeChat's own limit is unknown.
const BODY_LIMIT: usize = 64 * 1024;

/// In bytes: the largest file, and the form around it.
const UPLOAD_LIMIT: usize = 11 * 1024 * 1024;
