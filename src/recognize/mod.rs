//! Words for what was spoken: [`RecognizeLayer`] has voice messages recognized before the handler sees them.
//!
//! WeChat's own speech recognition is usually off: [`recognition`](VoiceMessage::recognition) is empty. The layer then
//! fetches the recording with an [`Api`], and passes it to a recognizer of yours. The handler sees the words as if WeChat
//! had sent them:
//!
//! ```
//! use std::convert::Infallible;
//! use tower::{ServiceBuilder, service_fn};
//! use tower_wechat::{
//!     Account, Api, DedupLayer, VerifySignatureLayer, api::Recording, message::VoiceMessage, message_fn,
//! };
//! # use http::{Request, Response};
//! # use tower_wechat::api::RequestBody;
//! # let http_client = service_fn(async |_: Request<RequestBody>| {
//! #     Ok::<_, Infallible>(Response::new(String::new()))
//! # });
//! # let account = Account::plain("rosebud7")?;
//! # let (app_id, app_secret) = ("wx0a1b2c3d4e5f6071", "0123456789abcdef0123456789abcdef");
//!
//! async fn answer(voice: VoiceMessage) -> String {
//!     voice.recognition.unwrap_or_else(|| "没听清".to_owned())
//! }
//!
//! // Sends it to a speech recognizer, in real life.
//! let recognizer = service_fn(async |recording: Recording| {
//!     Ok::<_, Infallible>(format!("{} bytes", recording.as_bytes().len()))
//! });
//!
//! let api = Api::new(http_client, app_id, app_secret)?;
//! let wechat = ServiceBuilder::new()
//!     .layer(VerifySignatureLayer::new(account))
//!     .layer(DedupLayer::in_memory())
//!     .service(message_fn(answer).recognize(api, recognizer));
//! # let _ = wechat;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A recognizer usually takes longer than WeChat's five seconds. The recognition is part of the run, so
//! [`DedupLayer`](crate::DedupLayer) treats it as it treats a slow handler: the next delivery joins it.
//!
//! # Which messages
//!
//! Only a voice message whose recognition is missing, empty or blank is recognized. Afterwards, its recognition is either
//! `None`, or words without blanks around them. Everything else passes at once, and costs less than 100 ns. It
//! does not matter whether the push is XML or JSON.
//!
//! The trait [`HasVoice`] finds the voice message in the type that the handler takes. [`Message`] and [`VoiceMessage`]
//! have it. A type of your own may have it too:
//!
//! ```
//! use serde::Deserialize;
//! use tower_wechat::{message::{TextMessage, VoiceMessage}, recognize::HasVoice};
//!
//! #[derive(Deserialize)]
//! #[serde(untagged)]
//! enum Question {
//!     Spoken(VoiceMessage),
//!     Written(TextMessage),
//! }
//!
//! impl HasVoice for Question {
//!     fn voice_mut(&mut self) -> Option<&mut VoiceMessage> {
//!         match self {
//!             Self::Spoken(voice) => Some(voice),
//!             Self::Written(_) => None,
//!         }
//!     }
//! }
//! ```
//!
//! # Recognizers
//!
//! A [`Recognizer`] is any Tower service that takes a [`Recording`] and returns a `String`. It gets the bytes as WeChat keeps
//! them, usually AMR at 16 kHz or 8 kHz; [`Recording::encoding`] tells. Tencent, Aliyun and iFlytek take AMR. Servers with
//! the interface of `OpenAI`, whisper.cpp and vosk do not: convert it first, with `ffmpeg` for example.
//!
//! Each recording is passed to a clone of the recognizer, once the clone is ready. So you can put Tower's layers around the
//! recognizer. All clones share the limit:
//!
//! ```
//! use std::time::Duration;
//! # use std::convert::Infallible;
//! use tower::{ServiceBuilder, limit::ConcurrencyLimitLayer, util::MapRequestLayer};
//! # use tower_wechat::{Api, api::Recording, message_fn, Message, RecognizeLayer};
//! # let http = tower::service_fn(async |_: http::Request<tower_wechat::api::RequestBody>| {
//! #     Ok::<_, Infallible>(http::Response::new(String::new()))
//! # });
//! # let api = Api::new(http, "wx0a1b2c3d4e5f6071", "0123456789abcdef0123456789abcdef")?;
//! # let cloud = tower::service_fn(async |_: Recording| Ok::<_, Infallible>(String::new()));
//!
//! let recognizer = ServiceBuilder::new()
//!     // As many as the cloud's contract says. The others wait.
//!     .layer(ConcurrencyLimitLayer::new(4))
//!     // Tower's `RetryLayer` and `TimeoutLayer` go here.
//!     .service(cloud);
//!
//! let layer = RecognizeLayer::new(api, recognizer).with_timeout(Duration::from_secs(12));
//! let service = message_fn(|message: Message| async move { message.msg_id().map(str::to_owned) })
//!     .layer(layer);
//! # let _ = service;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The example `voice_bot` pipes the recording into any command and reads the words from its output. A user of a plain-mode
//! account can send anything as a recording: tell `ffmpeg` the format (`-f amr`), because a playlist would make it open
//! other files.
//!
//! A recognizer that computes for long without an await blocks its thread, and no time limit ends it. Put the work into
//! `tokio::task::spawn_blocking`.
//!
//! WeChat's own recognizer (`addvoicetorecofortext`) is not part of this crate. It takes MP3 alone, has to be polled, and
//! has been reported to find nothing.
//!
//! # Failures
//!
//! A message is never lost. If it cannot be recognized, the handler sees it with `None` as its recognition, and an
//! [`Error`] in the extensions of its request:
//!
//! | [`ErrorKind`] | cause | another run |
//! |---|---|---|
//! | `Fetch(MediaId)` | WeChat does not keep the recording: it is older than three days, or another account's | does not try again |
//! | `Fetch(Unauthorized)` | 48001: the account is unverified, see [below](#unverified-accounts) | fails at once, for an hour |
//! | `Fetch(Response)`, `Fetch(Status)` | a proxy's answer, such as an HTML page | tries again |
//! | `Fetch(_)` | any other [kind](crate::api::ErrorKind) of failed call | tries again |
//! | `TooLarge`, `TooLong` | the recording is over a limit | does not try again |
//! | `Timeout` | the recording was not fetched and recognized in time | tries again |
//! | `Recognizer`, `Panicked` | the recognizer returned an error, or panicked | tries again |
//! | `NoWords` | the recognizer returned nothing, or only blanks | does not try again |
//! | `TooManyWords` | the recognizer returned more than 8 KiB | does not try again |
//!
//! There is another run only if the handler fails. To have a failed recognition tried again, return an error from the handler.
//!
//! A function of [`message_fn`](crate::message_fn) gets the message alone, so it cannot see the reason. Take the whole
//! request for that:
//!
//! ```
//! # use std::convert::Infallible;
//! use http::Request;
//! use tower::service_fn;
//! use tower_wechat::{MessageService, api, message::VoiceMessage, recognize};
//! # use tower_wechat::Api;
//! # let http = service_fn(async |_: Request<api::RequestBody>| {
//! #     Ok::<_, Infallible>(http::Response::new(String::new()))
//! # });
//! # let api = Api::new(http, "wx0a1b2c3d4e5f6071", "0123456789abcdef0123456789abcdef")?;
//! # let recognizer = service_fn(async |_: api::Recording| Ok::<_, Infallible>(String::new()));
//!
//! async fn answer(request: Request<VoiceMessage>) -> Result<String, recognize::Error> {
//!     use recognize::ErrorKind::{Fetch, NoWords};
//!     let reason = request.extensions().get::<recognize::Error>().cloned();
//!     match (&request.body().recognition, reason) {
//!         (Some(words), _) => Ok(format!("你说的是：{words}")),
//!         (None, Some(reason)) => match reason.kind() {
//!             NoWords | Fetch(api::ErrorKind::MediaId) => Ok("没听清，请再说一遍".to_owned()),
//!             Fetch(api::ErrorKind::Unauthorized) => Ok("请打字".to_owned()),
//!             // Dedup runs the message again.
//!             _ => Err(reason),
//!         },
//!         (None, None) => Ok(String::new()),
//!     }
//! }
//!
//! let service = MessageService::for_type::<VoiceMessage>(service_fn(answer)).recognize(api, recognizer);
//! # let _ = service;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Each recognition has a span `recognize` (feature `tracing`) and is counted (feature `metrics`). A failure is a warning
//! with its kind; a failed fetch is at DEBUG, since the [`Api`] logs it. Nothing shows words, a user's OpenID or a media
//! id. But the text of the recognizer's error is logged, up to 400 characters. Put no key into the URL of a recognizer: the
//! errors of many HTTP clients quote it.
//!
//! # Once for each message
//!
//! If the handler fails after a recognition, the next run gets the same words, and the recognizer is not called again. The
//! layer remembers the words by the media id, for five minutes and for at most the latest 1024 recordings. So the next run may
//! belong to a later delivery. Nodes do not share these words. Without a [`DedupLayer`](crate::DedupLayer), deliveries of one
//! message that run at the same time are recognized several times.
//!
//! A run that is dropped stops its recognition, and nothing of it is remembered.
//!
//! # Limits
//!
//! | what | limit |
//! |---|---|
//! | to fetch and recognize one recording | 20 s ([`with_timeout`](RecognizeLayer::with_timeout)) |
//! | a recording | 2 MiB ([`with_max_bytes`](RecognizeLayer::with_max_bytes)) |
//! | the duration of a recording, if it is AMR | 61 s ([`with_max_duration`](RecognizeLayer::with_max_duration)) |
//! | the words | 8 KiB |
//!
//! The number of recognitions at a time has no limit here:
//! [dedup](crate::dedup::DedupBuilder::with_max_concurrent_runs) bounds the runs, and a `ConcurrencyLimit` around the
//! recognizer bounds the recognitions. To wait for such a limit is part of the 20 s.
//!
//! # What it costs
//!
//! A recognition is one call of `media/get`, or two if WeChat has no recording at 16 kHz, and what your recognizer takes.
//! A message of 60 s has about 100 KiB. It is held in memory once, however many clones of the [`Recording`] there are.
//!
//! # Unverified accounts
//!
//! An unverified account (未认证), such as any personal one, may not fetch recordings: WeChat answers 48001. Such an account
//! receives voice messages, and can answer them, but cannot learn what was said, unless WeChat itself sends the recognition.
//! The first message of an hour makes a call. The others reach the handler at once.
//!
//! # Plain mode
//!
//! In plain mode the signature does not cover the message. Anyone who has seen one signed query can send voice messages with
//! chosen media ids, and learn what was spoken in these recordings. Each recording costs a call and a
//! recognition. Use safe mode.
//!
//! # WeCom
//!
//! WeCom (企业微信) has the same `media/get` at another address, but no `stable_token`. Make the [`Api`] with
//! [`with_token_source`](Api::with_token_source), whose function calls WeCom's `gettoken`, and with
//! `with_base_url("https://qyapi.weixin.qq.com")`. Pushes of third-party apps (suites) have no recording that these calls
//! fetch.

mod error;
mod layer;
mod recognition;
mod service;

use std::fmt;

use tower::Service;

pub use self::{
    error::{Error, ErrorKind},
    layer::RecognizeLayer,
    service::{Recognize, ResponseFuture},
};
use crate::{
    api::{Api, Recording},
    handler::MessageService,
    message::{Message, VoiceMessage},
};

/// A handler's type that may be a voice message. See the [module docs](self#which-messages).
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no voice message that could be recognized",
    label = "the handler takes a `{Self}`",
    note = "take a `Message` or a `VoiceMessage`, or implement `HasVoice` for `{Self}`"
)]
pub trait HasVoice {
    /// Returns the voice message, if it is one.
    fn voice_mut(&mut self) -> Option<&mut VoiceMessage>;
}

impl HasVoice for VoiceMessage {
    fn voice_mut(&mut self) -> Option<&mut VoiceMessage> {
        Some(self)
    }
}

impl HasVoice for Message {
    fn voice_mut(&mut self) -> Option<&mut VoiceMessage> {
        match self {
            Self::Voice(voice) => Some(voice),
            _ => None,
        }
    }
}

/// A speech recognizer: any Tower service from a [`Recording`] to a `String`. See the
/// [module docs](self#recognizers).
///
/// Every service with these bounds is one. `tower::service_fn` makes one of an async function.
#[diagnostic::on_unimplemented(
    message = "this is no recognizer, such as `tower::service_fn` makes of an async function",
    label = "wrap an async function in `tower::service_fn`",
    note = "a recognizer is a `Service<Recording, Response = String>` that is `Clone + Send + Sync + 'static`",
    note = "its error is `Display`, and its future is `Send`"
)]
pub trait Recognizer:
    Service<Recording, Response = String, Error: fmt::Display, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

// Otherwise rustc speaks of the bound that fails first, and of `Service`.
#[diagnostic::do_not_recommend]
impl<R> Recognizer for R where
    R: Service<Recording, Response = String, Error: fmt::Display, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

impl<H, M> MessageService<H, M> {
    /// Puts a [`RecognizeLayer`] around the handler: voice messages get their words before the handler sees them.
    ///
    /// To change a limit, pass the layer to [`layer`](Self::layer). The [module docs](self) have an example.
    #[must_use]
    pub fn recognize<R>(self, api: Api, recognizer: R) -> MessageService<Recognize<H>, M>
    where
        M: HasVoice,
        R: Recognizer,
    {
        self.layer(RecognizeLayer::new(api, recognizer))
    }
}
