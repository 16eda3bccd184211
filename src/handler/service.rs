use std::{
    convert::Infallible,
    fmt,
    marker::PhantomData,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use serde::de::DeserializeOwned;
use tower::{Service, ServiceExt};

use super::{decode_failure::DecodeFailure, future::ResponseFuture};
use crate::{
    delivery::{Verified, VerifiedBody},
    message::{self, Message},
    observe,
    reply::IntoReply,
    response::ResponseBody,
    xml::{self, Value},
};

/// Reads a verified delivery into an `M`, calls the handler with it, and sends the reply.
///
/// See the [module](super) for what WeChat gets. The service is always ready: it waits for the handler's readiness (a
/// limit, say) when it has a message for it.
pub struct MessageService<H, M = Message> {
    handler: H,
    on_decode_error: Option<Arc<OnDecodeError>>,
    message: PhantomData<fn() -> M>,
}

type OnDecodeError = dyn Fn(&DecodeFailure) + Send + Sync;

impl<H> MessageService<H> {
    /// Calls `handler`, a `Service<Request<Message>>`, with every message and event.
    pub fn new(handler: H) -> Self {
        Self::for_type(handler)
    }

    /// Calls `handler`, a `Service<Request<M>>`, with every message that is an `M`.
    ///
    /// Messages of other types are acknowledged, see the [module](super#other-types-and-decode-errors).
    ///
    /// ```
    /// use http::Request;
    /// use tower::BoxError;
    /// use tower_wechat::{Delivery, MessageService, Reply, message::VoiceMessage};
    ///
    /// let handler = tower::service_fn(|request: Request<VoiceMessage>| async move {
    ///     let account = request.extensions().get::<Delivery>().map(Delivery::account);
    ///     # let _ = account;
    ///     let voice = request.into_body();
    ///     Ok::<_, BoxError>(Reply::text(voice.media_id))
    /// });
    /// let service = MessageService::for_type::<VoiceMessage>(handler);
    /// # let _ = service;
    /// ```
    pub fn for_type<M>(handler: H) -> MessageService<H, M> {
        MessageService {
            handler,
            on_decode_error: None,
            message: PhantomData,
        }
    }
}

impl<H, M> MessageService<H, M> {
    /// Calls `hook` with each body that cannot be read; by default only the log has it.
    ///
    /// The hook runs before the delivery is answered: keep it short. Behind
    /// [`DedupLayer`](crate::dedup::DedupLayer), it is called once a message, however often WeChat retries.
    #[must_use]
    pub fn on_decode_error(
        mut self,
        hook: impl Fn(&DecodeFailure) + Send + Sync + 'static,
    ) -> Self {
        self.on_decode_error = Some(Arc::new(hook));
        self
    }

    /// Reports a body that is no `M`.
    fn report(&self, body: Verified, error: xml::Error)
    where
        M: DeserializeOwned,
    {
        let account = body.delivery().account();
        if is_another_type(&error) || is_named_otherwise::<M>(body.as_bytes()) {
            observe::another_type(account, error.path());
            return;
        }
        observe::decode_failed(account, &error);
        if let Some(hook) = &self.on_decode_error {
            hook(&DecodeFailure::new(body, error));
        }
    }
}

impl<H, M, V> Service<Request<V>> for MessageService<H, M>
where
    V: VerifiedBody,
    H: Service<Request<M>, Response: IntoReply, Error: fmt::Display> + Clone,
    M: DeserializeOwned,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = ResponseFuture<H, M>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<V>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let body = body.into_verified();
        match message::from_slice::<M>(body.as_bytes()) {
            Ok(message) => {
                // A request that no layer of ours has seen does not have it yet.
                parts.extensions.insert(body.delivery().clone());
                let request = Request::from_parts(parts, message);
                ResponseFuture::handle(self.handler.clone().oneshot(request), body)
            }
            Err(error) => {
                self.report(body, error);
                ResponseFuture::acknowledge()
            }
        }
    }
}

/// Written by hand: `M` need not be `Clone`.
impl<H: Clone, M> Clone for MessageService<H, M> {
    fn clone(&self) -> Self {
        Self {
            handler: self.handler.clone(),
            on_decode_error: self.on_decode_error.clone(),
            message: PhantomData,
        }
    }
}

impl<H: fmt::Debug, M> fmt::Debug for MessageService<H, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageService")
            .field("handler", &self.handler)
            .finish_non_exhaustive()
    }
}

/// Whether `error` says that the message is of another type than the handler's, rather than that the handler's type does
/// not fit.
fn is_another_type(error: &xml::Error) -> bool {
    error.kind() == xml::ErrorKind::UnknownVariant
        && error
            .path()
            .split_once('.')
            .is_some_and(|(_root, element)| TYPE_ELEMENTS.contains(&element))
}

/// Whether a push that does not fit `M` lacks the element that names `M`, and has another of the three. The pushes of
/// suites and of the open platform have an InfoType and no MsgType.
fn is_named_otherwise<M: DeserializeOwned>(plaintext: &[u8]) -> bool {
    let Ok(push) = message::from_slice::<Value>(plaintext) else {
        return false;
    };
    let (has, lacks): (Vec<_>, Vec<_>) = TYPE_ELEMENTS
        .into_iter()
        .partition(|name| push.element(name).is_some());
    !has.is_empty() && lacks.into_iter().any(is_named_by::<M>)
}

/// Whether the element `name` names `M`: then `M` rejects a name that no type has.
fn is_named_by<M: DeserializeOwned>(name: &str) -> bool {
    let unnamed = format!("<xml><{name}>-</{name}></xml>");
    xml::from_str::<M>(&unnamed).is_err_and(|error| is_another_type(&error))
}

/// The elements that name the type of a message, an event, or a push of a platform or suite.
const TYPE_ELEMENTS: [&str; 3] = ["MsgType", "Event", "InfoType"];
