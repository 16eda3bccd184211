//! Shows the user that the account is typing (对方正在输入) while a run goes on.

use std::{
    any::Any,
    fmt,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::future::{Either, select};
use http::{Request, Response};
use pin_project_lite::pin_project;
use tokio::{
    runtime::Handle,
    sync::oneshot::{self, error::TryRecvError},
    time::sleep,
};
use tower::{Layer, Service};

use crate::{
    api::{Api, ErrorKind},
    delivery::{Verified, VerifiedBody},
    reply,
    response::ResponseBody,
};

/// Shows the user 对方正在输入 (typing) while a run goes on.
///
/// It goes behind [`DedupLayer`](crate::DedupLayer), so that it sees runs and no retries:
///
/// ```
/// use tower::ServiceBuilder;
/// use tower_wechat::{
///     Account, Api, DedupLayer, Message, VerifySignatureLayer,
///     late::{CustomerService, TypingLayer},
///     message_fn,
/// };
///
/// fn bot(account: Account, api: Api) {
///     let dedup = DedupLayer::builder().with_late_replies(CustomerService::new(api.clone()));
///     let wechat = ServiceBuilder::new()
///         .layer(VerifySignatureLayer::new(account))
///         .layer(dedup.build())
///         .layer(TypingLayer::new(api))
///         .service(message_fn(|_: Message| async { "a long thought" }));
///     # let _ = wechat;
/// }
/// # let _ = bot;
/// ```
///
/// It is shown to the sender of a push that WeChat [shows a reply to](crate::message::Head::accepts_reply), first
/// after [a delay](Self::with_delay), then again every 15 s, when WeChat stops showing it. WeChat accepts the call within 30 s
/// after the user's message, so the user sees typing for at most 45 s.
///
/// Typing ends with the account's next message. If a run ends with [`Reply::success`](crate::Reply::success), no message
/// comes, and the layer hides typing. After a failed run WeChat hides it within 15 s: another run may follow.
///
/// The calls are made by a task of their own, which neither delays nor fails a run. Errors are logged at `DEBUG`.
#[derive(Debug, Clone)]
pub struct TypingLayer {
    api: Api,
    delay: Duration,
}

impl TypingLayer {
    /// Makes the layer that calls `api`, which has to be of the same account as the messages.
    pub fn new(api: Api) -> Self {
        Self { api, delay: DELAY }
    }

    /// Sets how long a run takes before typing is shown; the default is 1 s, so that a quick answer costs no call.
    #[must_use]
    pub fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

impl<S> Layer<S> for TypingLayer {
    type Service = Typing<S>;

    fn layer(&self, inner: S) -> Typing<S> {
        Typing {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service that a [`TypingLayer`] makes.
#[derive(Debug, Clone)]
pub struct Typing<S> {
    inner: S,
    layer: TypingLayer,
}

impl<S, V, B> Service<Request<V>> for Typing<S>
where
    V: VerifiedBody,
    S: Service<Request<Verified>, Response = Response<B>>,
    B: 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = TypingFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<V>) -> Self::Future {
        let request = request.map(VerifiedBody::into_verified);
        let head = request.body().head().ok();
        let sender = head
            .filter(|head| head.accepts_reply())
            .and_then(|head| head.from_user_name())
            .map(str::to_owned);
        let mut silent_end = None;
        if let (Some(openid), Ok(runtime)) = (sender, Handle::try_current()) {
            let (sender, end) = oneshot::channel();
            let TypingLayer { api, delay } = self.layer.clone();
            runtime.spawn(show(api, openid, delay, end));
            silent_end = Some(sender);
        }
        TypingFuture {
            response: self.inner.call(request),
            silent_end,
        }
    }
}

pin_project! {
    /// The future of [`Typing`].
    pub struct TypingFuture<F> {
        #[pin]
        response: F,
        // Told if the run ends and shows nothing, dropped if it ends otherwise.
        silent_end: Option<oneshot::Sender<()>>,
    }
}

impl<F, B, E> Future for TypingFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: 'static,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let ended = ready!(this.response.poll(cx));
        if let Some(silent_end) = this.silent_end.take()
            && let Ok(response) = &ended
            && is_silent(response)
        {
            // Without a receiver, nothing is shown.
            let _ = silent_end.send(());
        }
        Poll::Ready(ended)
    }
}

impl<F> fmt::Debug for TypingFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypingFuture").finish_non_exhaustive()
    }
}

/// Whether it is a response of [`MessageService`](crate::MessageService) that shows nothing. Another body is not read.
fn is_silent<B: 'static>(response: &Response<B>) -> bool {
    let body: &dyn Any = response.body();
    let body = body.downcast_ref::<ResponseBody>();
    response.status().is_success() && body.is_some_and(|body| reply::is_silent(body.as_bytes()))
}

/// Shows typing until the run ends. `end` is told if the run shows nothing.
async fn show(api: Api, openid: String, delay: Duration, mut end: oneshot::Receiver<()>) {
    if let Either::Right(_) = select(pin!(sleep(delay)), &mut end).await {
        return;
    }
    loop {
        if let Err(error) = api.typing(&openid, true).await
            && (error.errcode() == Some(TOO_LATE) || error.kind() == ErrorKind::Unauthorized)
        {
            return;
        }
        // The run has ended meanwhile: the call may have come after the message.
        let is_over = end.try_recv() != Err(TryRecvError::Empty);
        if !is_over {
            match select(pin!(sleep(SHOWN)), &mut end).await {
                Either::Left(_) => continue,
                Either::Right((Ok(()), _)) => {}
                // A message hides it, or another run goes on.
                Either::Right((Err(_), _)) => return,
            }
        }
        let _ = api.typing(&openid, false).await;
        return;
    }
}

const DELAY: Duration = Duration::from_secs(1);

/// The user wrote more than 30 s ago.
const TOO_LATE: i64 = 45_080;

/// How long WeChat shows it. Source: WeChat's page on customer-service messages.
const SHOWN: Duration = Duration::from_secs(15);
