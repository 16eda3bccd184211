//! The Tower service: passes verified deliveries on, sends the echostr back, and rejects all other requests.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body::Body;
use tower::Service;

use super::{
    decision::{Accounts, Config, Decision},
    future::{Pending, ResponseFuture},
    rejection::{Rejection, RejectionKind},
};
use crate::{body::ReadBody, delivery::Verified, observe, response::ResponseBody, user_fn};

/// Passes deliveries that WeChat has signed to the inner service, and answers all other requests itself.
///
/// [`VerifySignatureLayer`](super::VerifySignatureLayer) makes it. It is always ready. It waits for the inner service
/// to be ready only after a delivery has passed the checks, so an unverified request never takes a permit of an inner
/// limit.
#[derive(Clone)]
pub struct VerifySignature<S> {
    inner: S,
    config: Arc<Config>,
}

impl<S> VerifySignature<S> {
    pub(super) fn new(inner: S, config: Arc<Config>) -> Self {
        Self { inner, config }
    }
}

impl<S, B, RB> Service<Request<B>> for VerifySignature<S>
where
    S: Service<Request<Verified>, Response = Response<RB>> + Clone,
    B: Body,
    RB: Body<Error: fmt::Display> + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S, S::Future, B, RB>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let observed = observe::DeliveryGuard::begin(request.extensions());
        let (head, body) = request.into_parts();
        let size = body.size_hint().lower();
        let decision = observed.in_scope(|| {
            let account = match &self.config.accounts {
                Accounts::One(account) => account,
                Accounts::Picked(pick) => &user_fn::call("from_fn", || pick(&head))
                    .ok_or(Rejection::new(RejectionKind::AccountPanic))?
                    .ok_or(Rejection::new(RejectionKind::UnknownAccount))?,
            };
            let is_picked = matches!(self.config.accounts, Accounts::Picked(_));
            observed.record_account(account, is_picked);
            self.config.decide(account, &head, size)
        });
        match decision {
            Ok(Decision::Read(delivery, opener)) => {
                if opener.is_signed {
                    observed.record_signed_query();
                }
                // A timeout that ends beyond the range of `Instant` means no deadline.
                let deadline = delivery.arrived().checked_add(self.config.body_timeout);
                let limit = opener.body_limit(self.config.body_limit);
                let body = ReadBody::new(body, limit, deadline);
                let pending = Pending {
                    head,
                    delivery,
                    opener,
                    inner: self.inner.clone(),
                };
                ResponseFuture::read(body, pending, observed)
            }
            Ok(Decision::Echo(echostr)) => {
                observed.record_url_verification();
                ResponseFuture::ready(echo(echostr), observed)
            }
            Err(rejection) => ResponseFuture::ready(rejection.into_response(&observed), observed),
        }
    }
}

/// Makes the response with the echostr. The client chooses its text, so a browser must never treat it as a document.
fn echo(echostr: Bytes) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::new(echostr));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

impl<S: fmt::Debug> fmt::Debug for VerifySignature<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifySignature")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
