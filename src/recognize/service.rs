//! The Tower service: a voice message without words waits for them, and everything else passes.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_util::{FutureExt, future::BoxFuture};
use http::Request;
use pin_project_lite::pin_project;
use tower::Service;

use super::{HasVoice, error::Error, recognition::Recognition};
use crate::{call::Call, delivery::Delivery};

/// Calls the handler with each message. A voice message without words is recognized before.
///
/// [`RecognizeLayer`](super::RecognizeLayer) makes it. It is always ready: it waits for the handler to be ready when it
/// has a message for the handler.
#[derive(Clone)]
pub struct Recognize<H> {
    handler: H,
    recognition: Arc<Recognition>,
}

impl<H> Recognize<H> {
    pub(super) fn new(handler: H, recognition: Arc<Recognition>) -> Self {
        Self {
            handler,
            recognition,
        }
    }
}

impl<H, M> Service<Request<M>> for Recognize<H>
where
    H: Service<Request<M>> + Clone,
    M: HasVoice,
{
    type Response = H::Response;
    type Error = H::Error;
    type Future = ResponseFuture<H, H::Future, M>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), H::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<M>) -> Self::Future {
        let mut words = None;
        if let Some(voice) = request.body_mut().voice_mut()
            && !is_spoken(voice.recognition.as_deref())
        {
            let voice = voice.clone();
            let recognition = Arc::clone(&self.recognition);
            let delivery = request.extensions().get::<Delivery>();
            let account = delivery.map(|delivery| Arc::clone(delivery.shared_account()));
            let account = account.unwrap_or_default();
            words = Some(async move { recognition.words(&voice, &account).await }.boxed());
        }
        ResponseFuture {
            words,
            call: Call::new(self.handler.clone(), request),
        }
    }
}

/// Returns whether there are words, and not only blanks.
fn is_spoken(words: Option<&str>) -> bool {
    words.is_some_and(|words| !words.trim().is_empty())
}

pin_project! {
    /// The response future of [`Recognize`].
    ///
    /// `F` is the handler's future.
    pub struct ResponseFuture<H, F, M> {
        words: Option<BoxFuture<'static, Result<String, Error>>>,
        #[pin]
        call: Call<H, F, Request<M>>,
    }
}

impl<H, M> Future for ResponseFuture<H, H::Future, M>
where
    H: Service<Request<M>>,
    M: HasVoice,
{
    type Output = Result<H::Response, H::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(words) = this.words {
            let words = ready!(words.poll_unpin(cx));
            *this.words = None;
            if let Some(request) = this.call.as_mut().request_mut() {
                add(words, request);
            }
        }
        this.call.poll(cx)
    }
}

fn add(words: Result<String, Error>, request: &mut Request<impl HasVoice>) {
    let (words, error) = match words {
        Ok(words) => (Some(words), None),
        Err(error) => (None, Some(error)),
    };
    if let Some(voice) = request.body_mut().voice_mut() {
        voice.recognition = words;
    }
    if let Some(error) = error {
        request.extensions_mut().insert(error);
    }
}

impl<H: fmt::Debug> fmt::Debug for Recognize<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recognize")
            .field("handler", &self.handler)
            .finish_non_exhaustive()
    }
}

impl<H, F, M> fmt::Debug for ResponseFuture<H, F, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
