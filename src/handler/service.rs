//! The Tower service: reads a plaintext into the typed message, and calls the handler.

use std::{
    convert::Infallible,
    fmt,
    marker::PhantomData,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use serde::de::DeserializeOwned;
use tower::{Layer, Service};

use super::{decode_failure::DecodeFailure, future::ResponseFuture};
use crate::{
    delivery::{Verified, VerifiedBody},
    message::{self, Head, Message, NoMessage},
    observe,
    reply::{self, IntoReply},
    response::ResponseBody,
    user_fn,
    xml::{self, Value},
};

/// Reads a verified delivery into an `M`, calls the handler with it, and sends the reply.
///
/// The [module docs](super) list the answers to WeChat. The service is always ready. It waits for the handler to be
/// ready, for example for a permit of a limit, only when it has a message for the handler.
pub struct MessageService<H, M = Message> {
    handler: H,
    /// Whether the delivery and the run's number are added to the extensions of the handler's request.
    adds_extensions: bool,
    on_decode_error: Option<Arc<OnDecodeError>>,
    texts: Texts,
    message: PhantomData<fn() -> M>,
}

/// What is added to replies. The default has no owner: the threads of a server would take turns counting its owners.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts(Option<Arc<OwnTexts>>);

#[derive(Debug, Clone)]
struct OwnTexts {
    cut_marker: Arc<str>,
    footer: Arc<str>,
}

impl Texts {
    fn change(&mut self) -> &mut OwnTexts {
        Arc::make_mut(self.0.get_or_insert_default())
    }

    pub(super) fn cut_marker(&self) -> &str {
        let own = self.0.as_ref();
        own.map_or(reply::CUT_MARKER, |own| &own.cut_marker)
    }

    pub(super) fn footer(&self) -> &str {
        self.0.as_ref().map_or("", |own| &own.footer)
    }
}

impl Default for OwnTexts {
    fn default() -> Self {
        Self {
            cut_marker: reply::CUT_MARKER.into(),
            footer: "".into(),
        }
    }
}

type OnDecodeError = dyn Fn(&DecodeFailure) + Send + Sync;

impl<H> MessageService<H> {
    /// Makes the service that calls `handler`, a `Service<Request<Message>>`, with every message and event.
    pub fn new(handler: H) -> Self {
        Self::for_type(handler)
    }

    /// Makes the service that calls `handler`, a `Service<Request<M>>`, with every message that is an `M`.
    ///
    /// Messages of other types are acknowledged, see the [module docs](super#other-types-and-decode-errors).
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
            adds_extensions: true,
            on_decode_error: None,
            texts: Texts::default(),
            message: PhantomData,
        }
    }
}

impl<H, M> MessageService<H, M> {
    /// Makes the service of a handler that reads neither the delivery nor the run's number: adding them takes time.
    pub(super) fn of_function(handler: H) -> Self {
        Self {
            adds_extensions: false,
            ..MessageService::for_type(handler)
        }
    }

    /// Puts a layer around the handler. The last one is the outermost.
    ///
    /// The layer's service gets the handler's requests, with the typed message. Behind `DedupLayer` it is called once for
    /// each run, so a duplicate never takes a permit of it.
    ///
    /// ```
    /// use tower::limit::ConcurrencyLimitLayer;
    /// use tower_wechat::{message::VoiceMessage, message_fn};
    ///
    /// let service = message_fn(|voice: VoiceMessage| async move { voice.recognition })
    ///     .layer(ConcurrencyLimitLayer::new(8));
    /// # let _ = service;
    /// ```
    #[must_use]
    pub fn layer<L: Layer<H>>(self, layer: L) -> MessageService<L::Service, M> {
        MessageService {
            handler: layer.layer(self.handler),
            adds_extensions: true,
            on_decode_error: self.on_decode_error,
            texts: self.texts,
            message: PhantomData,
        }
    }

    /// Sets the hook that is called with each body that cannot be read. By default, such a body is only logged.
    ///
    /// For a handler of [`Message`], these are bodies that are not a readable document, and documents that
    /// [repeat a field such as MsgType](message#messages-that-do-not-fit-their-type). Every other body reaches the handler.
    /// For a handler of another type, the hook is also called with each body that does not fit the type.
    ///
    /// The hook runs before the delivery is answered: keep it short. Behind [`DedupLayer`](crate::dedup::DedupLayer),
    /// it is called once for each message, however often WeChat retries. If it panics, the log has an error.
    #[must_use]
    pub fn on_decode_error(
        mut self,
        hook: impl Fn(&DecodeFailure) + Send + Sync + 'static,
    ) -> Self {
        self.on_decode_error = Some(Arc::new(hook));
        self
    }

    /// Sets what the first part of a [long text](crate::reply#long-texts) ends in; the default is `…`.
    ///
    /// It comes directly behind the text. To put it on a line of its own, begin it with a line feed. It counts: text and
    /// marker together have at most 2047 bytes.
    ///
    /// ```
    /// use tower_wechat::{Message, message_fn};
    ///
    /// let service = message_fn(|_: Message| async { "a long story\n".repeat(200) })
    ///     .with_cut_marker("\n（全文请看公众号菜单）")?;
    /// # let _ = service;
    /// # Ok::<(), tower_wechat::reply::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the marker has more than 1023 bytes.
    pub fn with_cut_marker(mut self, marker: impl Into<String>) -> Result<Self, reply::Error> {
        self.texts.change().cut_marker = reply::addition(marker)?;
        Ok(self)
    }

    /// Sets the footer of each reply, such as the label that answers of an AI must carry; the default is none.
    ///
    /// The footer stands directly behind the last text of a reply. A reply without a text has none. To put it on a line of
    /// its own, begin it with a line feed. It counts towards the limit of a text, and stays whole in the last part.
    ///
    /// ```
    /// use tower_wechat::{Message, message_fn};
    ///
    /// let service = message_fn(|_: Message| async { "High water at six." }).with_footer("\n（由 AI 生成）")?;
    /// # let _ = service;
    /// # Ok::<(), tower_wechat::reply::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the footer has more than 1023 bytes.
    pub fn with_footer(mut self, footer: impl Into<String>) -> Result<Self, reply::Error> {
        self.texts.change().footer = reply::addition(footer)?;
        Ok(self)
    }

    /// Reports a body that is not an `M`.
    fn report(&self, body: Verified, error: xml::Error)
    where
        M: DeserializeOwned,
    {
        let account = body.delivery().account();
        let is_bots = || body.head().is_ok_and(Head::is_smart_bot);
        if is_another_type(&error) || is_named_otherwise::<M>(body.as_bytes()) || is_bots() {
            body.trace().record_trouble(&ANOTHER_TYPE);
            observe::another_type(account, error.path());
            return;
        }
        body.trace().record_trouble(&error);
        observe::decode_failed(account, &error);
        if let Some(hook) = &self.on_decode_error {
            let failure = DecodeFailure::new(body, error);
            user_fn::call("on_decode_error", || hook(&failure));
        }
    }
}

impl<H, M, V> Service<Request<V>> for MessageService<H, M>
where
    V: VerifiedBody,
    H: Service<Request<M>, Response: IntoReply, Error: fmt::Display> + Clone,
    M: DeserializeOwned + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = ResponseFuture<H, H::Future, M>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<V>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let body = body.into_verified();
        match message::from_slice::<M>(body.as_bytes()) {
            Ok(message) => {
                let run = body.run_number();
                if run.is_none_or(|run| run.get() == 1) {
                    let account = body.delivery().account();
                    if let Some(misfit) = message::misfit(&message) {
                        observe::misfit(account, misfit);
                    }
                    match message::no_message(&message) {
                        Some(NoMessage::Info) => observe::no_message(account),
                        Some(NoMessage::SmartBot) => observe::smart_bot_is_no_message(account),
                        None => {}
                    }
                }
                if self.adds_extensions {
                    let extensions = &mut parts.extensions;
                    // A layer in front may have put another one there.
                    extensions.get_or_insert_with(|| body.delivery().clone());
                    if let Some(run) = run {
                        extensions.insert(run);
                    }
                }
                let request = Request::from_parts(parts, message);
                let texts = self.texts.clone();
                ResponseFuture::handle(self.handler.clone(), request, body, texts, run.is_some())
            }
            Err(error) => {
                self.report(body, error);
                ResponseFuture::acknowledge()
            }
        }
    }
}

/// Written by hand, since `M` need not be `Clone`.
impl<H: Clone, M> Clone for MessageService<H, M> {
    fn clone(&self) -> Self {
        Self {
            handler: self.handler.clone(),
            adds_extensions: self.adds_extensions,
            on_decode_error: self.on_decode_error.clone(),
            texts: self.texts.clone(),
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

/// Returns whether `error` means that the message has another type than `M`. Otherwise `M` does not fit the message.
fn is_another_type(error: &xml::Error) -> bool {
    error.kind() == xml::ErrorKind::UnknownVariant
        && error
            .path()
            .split_once('.')
            .is_some_and(|(_root, element)| TYPE_ELEMENTS.contains(&element))
}

/// Returns whether a push lacks the element that names `M`, and has another of the three instead. For example, pushes
/// of suites and of the open platform have an InfoType and no MsgType.
fn is_named_otherwise<M: DeserializeOwned>(plaintext: &[u8]) -> bool {
    let Ok(push) = message::from_slice::<Value>(plaintext) else {
        return false;
    };
    let (has, lacks): (Vec<_>, Vec<_>) = TYPE_ELEMENTS
        .into_iter()
        .partition(|name| push.element(name).is_some());
    !has.is_empty() && lacks.into_iter().any(is_named_by::<M>)
}

/// Returns whether the element `name` names `M`. It does if `M` rejects a document in which that element has a text
/// that no type has.
fn is_named_by<M: DeserializeOwned>(name: &str) -> bool {
    let unnamed = format!("<xml><{name}>-</{name}></xml>");
    xml::from_str::<M>(&unnamed).is_err_and(|error| is_another_type(&error))
}

const ANOTHER_TYPE: &str = "the message has another type than the handler takes";

/// The elements that name the type of a message, an event, or a push of a platform or suite.
const TYPE_ELEMENTS: [&str; 3] = ["MsgType", "Event", "InfoType"];
