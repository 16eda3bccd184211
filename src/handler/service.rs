use std::{
    convert::Infallible,
    fmt,
    marker::PhantomData,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde::de::DeserializeOwned;
use tower::{BoxError, Service, ServiceExt, util::Oneshot};

use super::{ResponseFuture, Unreadable, future::Inbound};
use crate::{
    Message, Reply, message, observe,
    signature::{Delivery, Verified},
    xml::{self, Value},
};

/// Reads a verified delivery into an `M`, calls the handler with it, and sends the reply.
///
/// See the [module](super) for what WeChat gets. The service is always ready: a handler that is not
/// (a limit, say) is waited for once there is a message for it.
pub struct MessageService<H, M = Message> {
    handler: H,
    on_unreadable: Option<Arc<OnUnreadable>>,
    message: PhantomData<fn() -> M>,
}

type OnUnreadable = dyn Fn(&Unreadable) + Send + Sync;

impl<H> MessageService<H> {
    /// Hands every message and event to `handler`, a `Service<Request<Message>>`.
    pub fn new(handler: H) -> Self {
        Self::for_type(handler)
    }

    /// Hands what can be read as an `M` to `handler`, a `Service<Request<M>>`.
    ///
    /// Other types of messages are acknowledged, see the [module](super#other-types-and-unreadable-bodies).
    ///
    /// ```
    /// use http::Request;
    /// use tower::BoxError;
    /// use tower_wechat::{MessageService, Reply, message::VoiceMessage};
    ///
    /// let handler = tower::service_fn(|request: Request<VoiceMessage>| async move {
    ///     let voice = request.into_body();
    ///     Ok::<_, BoxError>(Reply::text(voice.media_id))
    /// });
    /// let service = MessageService::for_type::<VoiceMessage>(handler);
    /// # let _ = service;
    /// ```
    pub fn for_type<M>(handler: H) -> MessageService<H, M> {
        MessageService {
            handler,
            on_unreadable: None,
            message: PhantomData,
        }
    }
}

impl<H, M> MessageService<H, M> {
    /// Calls `hook` with each body that cannot be read; by default the log alone tells.
    ///
    /// It runs before the delivery is answered: keep it short. Behind
    /// [`DedupLayer`](crate::dedup::DedupLayer), WeChat's retries of a body do not reach it.
    #[must_use]
    pub fn on_unreadable(mut self, hook: impl Fn(&Unreadable) + Send + Sync + 'static) -> Self {
        self.on_unreadable = Some(Arc::new(hook));
        self
    }

    /// Tells about a body that is no `M`.
    fn report(&self, inbound: Inbound, error: xml::Error)
    where
        M: DeserializeOwned,
    {
        let account = inbound.account();
        if is_another_type(&error) || is_named_otherwise::<M>(&inbound.plaintext) {
            observe::another_type(account, error.path());
            return;
        }
        observe::unreadable(account, &error);
        if let Some(hook) = &self.on_unreadable {
            hook(&Unreadable {
                account: account.to_owned(),
                body: inbound.plaintext,
                error,
            });
        }
    }
}

impl<H, M> Service<Request<Verified>> for MessageService<H, M>
where
    H: Service<Request<M>> + Clone,
    H::Response: Into<Reply>,
    H::Error: Into<BoxError>,
    M: DeserializeOwned,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = ResponseFuture<Oneshot<H, Request<M>>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Verified>) -> Self::Future {
        let (head, body) = request.into_parts();
        let inbound = Inbound {
            plaintext: body.into_bytes(),
            delivery: head.extensions.get::<Delivery>().cloned(),
        };
        match message::from_slice::<M>(&inbound.plaintext) {
            Ok(message) => {
                let request = Request::from_parts(head, message);
                ResponseFuture::handled(self.handler.clone().oneshot(request), inbound)
            }
            Err(error) => {
                self.report(inbound, error);
                ResponseFuture::acknowledged()
            }
        }
    }
}

/// By hand, because `M` need not be `Clone`.
impl<H: Clone, M> Clone for MessageService<H, M> {
    fn clone(&self) -> Self {
        Self {
            handler: self.handler.clone(),
            on_unreadable: self.on_unreadable.clone(),
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

/// Whether `error` says that the message is of another type than the handler's, rather than that
/// the handler's type does not fit.
fn is_another_type(error: &xml::Error) -> bool {
    error.kind() == xml::ErrorKind::UnknownVariant
        && error
            .path()
            .split_once('.')
            .is_some_and(|(_root, element)| TYPE_ELEMENTS.contains(&element))
}

/// Whether a push that does not fit `M` lacks the element that tells `M` from other types, and has another
/// of the three: the pushes of suites and of the open platform have an InfoType and no MsgType.
fn is_named_otherwise<M: DeserializeOwned>(plaintext: &[u8]) -> bool {
    let Ok(push) = message::from_slice::<Value>(plaintext) else {
        return false;
    };
    let (has, lacks): (Vec<_>, Vec<_>) = TYPE_ELEMENTS
        .into_iter()
        .partition(|name| push.element(name).is_some());
    !has.is_empty() && lacks.into_iter().any(is_told_by::<M>)
}

/// Whether `M` is told from other types by the element `name`: it then refuses what no type is called.
fn is_told_by<M: DeserializeOwned>(name: &str) -> bool {
    let nobodys = format!("<xml><{name}>-</{name}></xml>");
    xml::from_str::<M>(&nobodys).is_err_and(|error| is_another_type(&error))
}

/// What says which type a push is: messages, events, and the pushes of platforms and suites.
const TYPE_ELEMENTS: [&str; 3] = ["MsgType", "Event", "InfoType"];
