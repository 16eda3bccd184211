//! Records each call of WeChat's API on its way from the bot to WeChat.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response, header, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt, Full, Limited};
use serde::de::IgnoredAny;
use tower::{BoxError, Service, ServiceExt};
use tower_wechat::simulator::ApiServer;

use crate::{
    exchange::{EXCHANGE, Exchange},
    record::Call,
};

/// WeChat's API. A call of the built-in bot is recorded with the message that it is for, a call of a target with the latest
/// message: nothing in a call names another.
#[derive(Clone)]
pub(crate) struct RecordedApi {
    api: ApiServer,
    latest: Arc<Mutex<Option<Exchange>>>,
}

impl RecordedApi {
    pub(crate) fn new(api: ApiServer) -> Self {
        Self {
            api,
            latest: Arc::default(),
        }
    }

    /// Records the calls from now on with this message.
    pub(crate) fn follow(&self, exchange: Exchange) {
        *self.latest() = Some(exchange);
    }

    fn latest(&self) -> MutexGuard<'_, Option<Exchange>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer<B>(
        self,
        request: Request<B>,
        exchange: Option<Exchange>,
    ) -> Result<Response<Full<Bytes>>, BoxError>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>>,
    {
        let at = exchange.as_ref().map(Exchange::now);
        let (head, body) = request.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await?.to_bytes();
        let path = head.uri.path();
        let name = path.strip_prefix("/cgi-bin/").unwrap_or(path).to_owned();
        let asked = asked(&name, &head, &body);
        let request = Request::from_parts(head, Full::new(body));
        let response = self.api.oneshot(request).await?;
        let (head, body) = response.into_parts();
        let body = body.to_bytes();
        if let (Some(exchange), Some(at)) = (exchange, at) {
            exchange.call(Call {
                at,
                took: exchange.now() - at,
                name,
                request: asked,
                status: head.status.as_u16(),
                answer: readable(&head.headers, &body),
            });
        }
        Ok(Response::from_parts(head, Full::new(body)))
    }
}

impl<B> Service<Request<B>> for RecordedApi
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let of_task = EXCHANGE.try_with(Exchange::clone).ok();
        let exchange = of_task.or_else(|| self.latest().clone());
        Box::pin(self.clone().answer(request, exchange))
    }
}

/// Returns what the bot asks for, without its secrets.
fn asked(name: &str, head: &Parts, body: &[u8]) -> String {
    if name.ends_with("token") {
        return String::new();
    }
    if !body.is_empty() {
        return readable(&head.headers, body);
    }
    let query = head.uri.query().unwrap_or_default().split('&');
    let query = query.filter(|it| !it.starts_with("access_token=") && !it.starts_with("secret="));
    query.collect::<Vec<_>>().join("&")
}

/// Returns JSON as it is, and the size of anything else.
fn readable(headers: &HeaderMap, body: &[u8]) -> String {
    if serde_json::from_slice::<IgnoredAny>(body).is_ok() {
        return String::from_utf8_lossy(body).into_owned();
    }
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|it| it.to_str().ok());
    let content_type = content_type.and_then(|it| it.split(';').next());
    format!("{}, {} bytes", content_type.unwrap_or("?"), body.len())
}

/// In bytes. Above its own limits, which are lower, the API answers 413.
const MAX_BODY: usize = 12 * 1024 * 1024;
