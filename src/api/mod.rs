//! Calls to WeChat's API, as far as an answer needs them: [`Api`].
//!
//! An [`Api`] fetches the recording of a voice message, uploads pictures for a reply, and sends replies that are too late
//! to be passive ones. It fetches the access token by itself. The HTTP client is yours: any Tower service.
//!
//! ```
//! use std::convert::Infallible;
//! use http::{Request, Response};
//! use tower::service_fn;
//! use tower_wechat::{
//!     Api,
//!     api::{Encoding, RequestBody},
//!     message::VoiceMessage,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower_wechat::api::Error> {
//! // Stands in for an HTTP client and WeChat behind it.
//! let http = service_fn(|request: Request<RequestBody>| async move {
//!     Ok::<_, Infallible>(Response::new(match request.uri().path() {
//!         "/cgi-bin/stable_token" => r#"{"access_token":"78_aTQ","expires_in":7200}"#.to_owned(),
//!         "/cgi-bin/media/get" => "#!AMR\n\x3c…".to_owned(),
//!         _ => r#"{"errcode":-1,"errmsg":"system error"}"#.to_owned(),
//!     }))
//! });
//! let api = Api::new(http, "wx0a1b2c3d4e5f6071", "0123456789abcdef0123456789abcdef")?;
//!
//! let mut voice = VoiceMessage::default();
//! voice.media_id = "Vp3x".to_owned();
//! let recording = api.recording(&voice).await?;
//! assert_eq!(recording.encoding(), Encoding::AmrNb);
//! # Ok(())
//! # }
//! ```
//!
//! # The HTTP client
//!
//! hyper-util's client (features `client-legacy`, `http1`, `tokio`) with hyper-rustls (feature `webpki-tokio`). The type of
//! its body is [`RequestBody`]:
//!
//! ```text
//! let https = hyper_rustls::HttpsConnectorBuilder::new().with_webpki_roots().https_only().enable_http1().build();
//! let http = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build(https);
//! let api = Api::new(http, app_id, app_secret)?;
//! ```
//!
//! reqwest, 0.12 or 0.13. If it followed a proxy's redirect, it would send the token and the AppSecret there:
//!
//! ```text
//! let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
//! let http = tower::service_fn(move |request: http::Request<RequestBody>| {
//!     let client = client.clone();
//!     async move {
//!         let request = request.map(reqwest::Body::wrap).try_into()?;
//!         client.execute(request).await.map(http::Response::<reqwest::Body>::from)
//!     }
//! });
//! let api = Api::new(http, app_id, app_secret)?;
//! ```
//!
//! In a test, `simulator.api()` is the client (feature `simulator`): WeChat's API, which gives what the simulated users have
//! sent.
//!
//! Tower's own layers go around the client: a `ConcurrencyLimit`, or a `RateLimit` with a `Buffer` outside it. Put no
//! `Retry` around it: [`send`](Api::send) is not idempotent. An access token is part of the URL of most requests, so a layer
//! around the client, or the client itself, must not log URLs.
//!
//! # The access token
//!
//! WeChat's `stable_token` gives each caller the same token, so every node may fetch it by itself. An [`Api`] and its clones
//! share a cached token:
//!
//! - At most one fetch is in flight. It is a task of its own, so a caller that leaves does not cancel it.
//! - The token is renewed when it is valid for less than 300 s. Until the new token is there, calls use the old one while it
//!   is valid. Renewals begin at least 10 s apart. Only calls without a valid token wait.
//! - If WeChat rejects the token (40001, 40014, 41001, 42001), it is dropped, unless another one has been fetched
//!   meanwhile. Then the call is repeated once.
//!
//! [`with_token_source`](Api::with_token_source) takes the token from somewhere else: a central server, or an authorizer's
//! token of a third-party platform.
//!
//! # Failures
//!
//! [`ErrorKind`] says what to do about each failure. Some need nothing:
//!
//! - A call that WeChat answers with -1 (busy) is repeated after 1, 2 and 4 s.
//! - A call that WeChat does not authorize (48001, 40200) fails at once for the next hour. This concerns all unverified
//!   accounts. Each call has an hour of its own.
//!
//! A failed call is a warning in the log (feature `tracing`), and is counted (feature `metrics`). It is at the level DEBUG
//! in three cases: the fetch of its token has failed, which has a warning of its own; WeChat has refused to authorize the
//! same call within the last hour; or the call is [`typing`](Api::typing).
//!
//! # Secrets
//!
//! The crate wipes its memory of the AppSecret and of the access token when it drops them, and so that of a URL or body that
//! contains one of them. It cannot wipe the memory of the HTTP client, or of WeChat's answer with the token.
//!
//! # Limits
//!
//! | what | limit |
//! |---|---|
//! | one request, its answer's body included | 10 s ([`with_timeout`](Api::with_timeout)) |
//! | a call that WeChat is too busy for | four requests and 7 s |
//! | a media file | 10 MiB |
//! | any other answer | 1 MiB |
//! | a media id | 1024 bytes |
//! | an access token | 4096 bytes |
//!
//! A call may need a token first, and both may be repeated. To limit the whole, put a `tokio::time::timeout` around the
//! call. A future that is dropped stops its call. WeChat may have carried it out.

mod call;
mod client;
mod error;
mod media;
mod recording;
mod respond;
mod text;
mod token;

use std::{fmt, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use http::Uri;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use self::{
    call::{Call, FAILURE_LIMIT, Outgoing, Unauthorized, done, read, unexpected},
    client::Client,
    error::Cause,
    media::Wanted,
    token::TokenCache,
};
pub use self::{
    client::{HttpClient, RequestBody},
    error::{Error, ErrorKind},
    media::{Media, MediaKind},
    recording::{Encoding, Recording},
    token::AccessToken,
};
pub(crate) use self::{respond::Responder, text::one_short_line};
use crate::{
    account::{self, AppId},
    body::RESPONSE_LIMIT,
    message::VoiceMessage,
    reply::Reply,
    verify::IpNet,
};

/// WeChat's API for one account. See the [module docs](self).
///
/// Clones share the access token. `Debug` shows no secret.
#[derive(Clone)]
pub struct Api {
    client: Client,
    app_id: Arc<str>,
    source: Source,
    /// Without a slash at its end.
    base_url: Arc<str>,
    timeout: Duration,
    tokens: TokenCache,
    unauthorized: Unauthorized,
}

/// Where the access token comes from.
#[derive(Clone)]
enum Source {
    /// `stable_token`, with the AppSecret.
    Secret(Arc<Zeroizing<String>>),
    Function(Arc<TokenFunction>),
}

/// An error is its text.
type TokenFunction = dyn Fn() -> BoxFuture<'static, Result<AccessToken, String>> + Send + Sync;

impl Api {
    /// Makes an `Api` for the account with this app id and AppSecret, both as the console shows them.
    ///
    /// Each call uses a clone of `client`.
    ///
    /// # Errors
    ///
    /// If the app id or the secret is empty, or has a character other than ASCII letters, digits, `_` and `-`.
    pub fn new(
        client: impl HttpClient,
        app_id: impl TryInto<AppId, Error: Into<account::Error>>,
        app_secret: impl AsRef<str>,
    ) -> Result<Self, Error> {
        let secret = app_secret.as_ref();
        let strange = |byte: u8| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'-');
        let position = secret.bytes().position(strange);
        if secret.is_empty() || position.is_some() {
            return Err(Error::of_setting(Cause::AppSecret(position)));
        }
        let secret = Arc::new(Zeroizing::new(secret.to_owned()));
        Self::from_parts(client.into_client(), app_id, Source::Secret(secret))
    }

    /// Makes an `Api` whose access tokens come from `source`, such as a central server, or the authorizer tokens of a
    /// third-party platform. No AppSecret is needed. The app id names the account in the log.
    ///
    /// `source` is called when there is no token, when less than 300 s are left of it, and when WeChat has rejected it. At
    /// most one call is in flight, and fails after the time of [one request](Self::with_timeout). The `Api` caches the
    /// token, so `source` needs no cache of its own. The first 400 characters of its error's text are logged: put no key
    /// into a URL that the text may quote.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_wechat::{Api, api::AccessToken};
    /// # use http::{Request, Response};
    /// # use tower_wechat::api::RequestBody;
    /// # let http = tower::service_fn(async |_: Request<RequestBody>| {
    /// #     Ok::<_, std::convert::Infallible>(Response::new(String::new()))
    /// # });
    /// # async fn ask_central_server() -> Result<(String, u64), std::io::Error> {
    /// #     Ok(("78_aTQ".to_owned(), 7200))
    /// # }
    ///
    /// let api = Api::with_token_source(http, "wx0a1b2c3d4e5f6071", || async {
    ///     let (token, seconds) = ask_central_server().await?;
    ///     Ok::<_, std::io::Error>(AccessToken::new(token, Duration::from_secs(seconds)))
    /// })?;
    /// # let _ = api;
    /// # Ok::<(), tower_wechat::api::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the app id is empty, or has a character other than ASCII letters, digits, `_` and `-`.
    pub fn with_token_source<F, Fut, E>(
        client: impl HttpClient,
        app_id: impl TryInto<AppId, Error: Into<account::Error>>,
        source: F,
    ) -> Result<Self, Error>
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<AccessToken, E>> + Send + 'static,
        E: fmt::Display,
    {
        let source = move || {
            let token = source();
            async move {
                token
                    .await
                    .map_err(|error| one_short_line(&format!("{error:#}")))
            }
            .boxed()
        };
        Self::from_parts(
            client.into_client(),
            app_id,
            Source::Function(Arc::new(source)),
        )
    }

    fn from_parts(
        client: Client,
        app_id: impl TryInto<AppId, Error: Into<account::Error>>,
        source: Source,
    ) -> Result<Self, Error> {
        let app_id = app_id
            .try_into()
            .map_err(|error| Error::of_setting(Cause::AppId(error.into())))?;
        Ok(Self {
            client,
            app_id: Arc::from(app_id.as_str()),
            source,
            base_url: Arc::from(BASE_URL),
            timeout: TIMEOUT,
            tokens: TokenCache::default(),
            unauthorized: Unauthorized::default(),
        })
    }

    /// Sets the URL before `/cgi-bin/`, for a reverse proxy, or another domain of WeChat's such as
    /// `https://sh.api.weixin.qq.com`. The default is `https://api.weixin.qq.com`.
    ///
    /// The secret and the token are sent there, so use `https` outside of your own network.
    ///
    /// # Errors
    ///
    /// If the URL has more than 1024 bytes, no host, or a scheme other than `https` and `http`. Also if it has a user name,
    /// a query or a fragment, or ends in `/cgi-bin`, which the calls add.
    pub fn with_base_url(mut self, base_url: impl AsRef<str>) -> Result<Self, Error> {
        let base_url = base_url.as_ref();
        if let Some(problem) = base_url_problem(base_url) {
            return Err(Error::of_setting(Cause::BaseUrl(problem)));
        }
        self.base_url = Arc::from(base_url.trim_end_matches('/'));
        // The token, and which calls are not authorized, are those of the former server.
        self.tokens = TokenCache::default();
        self.unauthorized = Unauthorized::default();
        Ok(self)
    }

    /// Sets how long one request may take, with the body of its answer; the default is 10 s. A slower request fails with
    /// [`Timeout`](ErrorKind::Timeout). Each repetition has the same time again.
    ///
    /// A time of less than 100 ms counts as 100 ms, and one of more than a day as a day.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.clamp(MIN_TIMEOUT, MAX_TIMEOUT);
        self
    }

    /// Returns the addresses that WeChat's deliveries come from, for an [`AllowList`](crate::verify::AllowList). There is at
    /// least one.
    ///
    /// WeChat asks to fetch them once a day. An [allow-list](crate::verify#an-allow-list) has an example.
    ///
    /// Source: WeChat's page on `getcallbackip`. Its list has addresses and networks.
    ///
    /// # Errors
    ///
    /// [`Response`](ErrorKind::Response) if WeChat gives no address, or something else among them, and any kind of failed
    /// call.
    pub async fn callback_ips(&self) -> Result<Vec<IpNet>, Error> {
        #[derive(Deserialize)]
        struct Addresses {
            ip_list: Vec<String>,
        }
        let call = Call::CallbackIps;
        let fetch = async {
            let outgoing = Outgoing {
                call,
                parameter: None,
                body: None,
                secret: "",
                limit: RESPONSE_LIMIT,
            };
            let answer = self.call(&outgoing).await?;
            let Addresses { ip_list } = read(call, &answer, EXPECTED_ADDRESSES)?;
            let nets: Result<Vec<IpNet>, _> =
                ip_list.iter().map(|net| net.trim().parse()).collect();
            // An empty list would allow every address.
            nets.ok()
                .filter(|nets| !nets.is_empty())
                .ok_or_else(|| Error::new(call, unexpected(EXPECTED_ADDRESSES, &answer)))
        };
        self.observed(call, fetch).await
    }

    /// Fetches a media file by its id, such as the [`media_id`](crate::message::ImageMessage::media_id) of a picture.
    ///
    /// For a video, the file is a JSON text with the field `video_url`, from which the video can be downloaded.
    ///
    /// # Errors
    ///
    /// [`MediaId`](ErrorKind::MediaId) if WeChat does not keep the file, [`Unauthorized`](ErrorKind::Unauthorized) if the
    /// account is unverified, and any kind of failed call.
    pub async fn media(&self, media_id: &str) -> Result<Media, Error> {
        let fetch = self.fetch_media(media_id, Wanted::File, MEDIA_LIMIT);
        self.observed(Call::Media, fetch).await
    }

    /// Fetches the recording of a voice message: the one at 16 kHz if WeChat has it, otherwise the one at 8 kHz.
    ///
    /// WeChat keeps it for three days. It is at most 60 s long.
    ///
    /// # Errors
    ///
    /// As for [`media`](Self::media), and [`Response`](ErrorKind::Response) if it is a picture or a video.
    pub async fn recording(&self, voice: &VoiceMessage) -> Result<Recording, Error> {
        let fetched = self.recording_within(voice, MEDIA_LIMIT).await;
        fetched.map(|(recording, _)| recording)
    }

    /// Fetches a recording of at most `limit` bytes. Returns the media id that WeChat has it by, too.
    pub(crate) async fn recording_within(
        &self,
        voice: &VoiceMessage,
        limit: usize,
    ) -> Result<(Recording, String), Error> {
        let fetch = async {
            let wide = voice.media_id_16k.as_deref().unwrap_or_default();
            let narrow = &*voice.media_id;
            let fetch = async |id| self.fetch_media(id, Wanted::Recording, limit).await;
            let (media, id) = match fetch(wide).await {
                Err(error)
                    if error.kind() == ErrorKind::MediaId
                        && (wide.is_empty() || !narrow.is_empty()) =>
                {
                    (fetch(narrow).await, narrow)
                }
                media => (media, wide),
            };
            Ok((Recording::new(media?.to_bytes()), id.to_owned()))
        };
        self.observed(Call::Media, fetch).await
    }

    async fn fetch_media(
        &self,
        media_id: &str,
        wanted: Wanted,
        limit: usize,
    ) -> Result<Media, Error> {
        let call = Call::Media;
        let problem = match media_id.len() {
            0 => Some("is empty"),
            1..=MAX_MEDIA_ID => None,
            _ => Some("is over 1024 bytes"),
        };
        if let Some(problem) = problem {
            return Err(Error::new(call, Cause::MediaId(problem)));
        }
        let outgoing = Outgoing {
            call,
            parameter: Some(("media_id", media_id)),
            body: None,
            secret: media_id,
            // A failure may be longer than the file.
            limit: limit.max(FAILURE_LIMIT),
        };
        let answer = self.call(&outgoing).await?;
        if answer.body().len() > limit {
            return Err(Error::new(call, Cause::TooLarge(limit)));
        }
        Media::read(answer, wanted)
    }

    /// Uploads a media file, and returns its media id, for [`Reply::image`] for example. WeChat keeps it for three days.
    ///
    /// # Errors
    ///
    /// [`Upload`](ErrorKind::Upload) if the file is over the limit or WeChat does not accept it, and any kind of failed call.
    pub async fn upload(&self, kind: MediaKind, file: impl AsRef<[u8]>) -> Result<String, Error> {
        let form = media::form(kind, file.as_ref());
        // The form has a copy.
        drop(file);
        let upload = async {
            let outgoing = Outgoing {
                call: Call::Upload,
                parameter: Some(("type", kind.name())),
                body: Some(form?),
                secret: "",
                limit: RESPONSE_LIMIT,
            };
            media::uploaded(&self.call(&outgoing).await?)
        };
        self.observed(Call::Upload, upload).await
    }

    /// Sends a reply to a user as a customer-service message (客服消息).
    ///
    /// WeChat accepts five within 48 hours after the user's message, and three within one minute after a menu click, a
    /// scan or a subscription. [`Reply::success`] sends nothing.
    ///
    /// # Errors
    ///
    /// [`Reply`](ErrorKind::Reply) if the reply is over a limit, [`WindowClosed`](ErrorKind::WindowClosed) and
    /// [`QuotaSpent`](ErrorKind::QuotaSpent) if WeChat accepts no message, and any kind of failed call. After
    /// [`Client`](ErrorKind::Client) and [`Timeout`](ErrorKind::Timeout), WeChat may have sent the message.
    pub async fn send(&self, openid: &str, reply: &Reply) -> Result<(), Error> {
        if reply.is_success() {
            return Ok(());
        }
        let send = async {
            let cause = match reply.to_customer_service(openid) {
                Ok(Some(json)) => {
                    let outgoing = Outgoing::json(Call::Send, json, openid);
                    return self.command(&outgoing).await;
                }
                Ok(None) => Cause::Unsendable,
                Err(error) => Cause::Reply(error),
            };
            Err(Error::new(Call::Send, cause))
        };
        self.observed(Call::Send, send).await
    }

    /// Shows the user 对方正在输入 (typing) for 15 s if `on`, otherwise hides it.
    ///
    /// WeChat accepts it within 30 s after the user's message.
    ///
    /// # Errors
    ///
    /// [`Typing`](ErrorKind::Typing) if it is shown already or the user wrote too long ago, and any kind of failed call.
    pub async fn typing(&self, openid: &str, on: bool) -> Result<(), Error> {
        let command = if on { "Typing" } else { "CancelTyping" };
        let json = json!({ "touser": openid, "command": command }).to_string();
        let outgoing = Outgoing::json(Call::Typing, json, openid);
        self.observed(Call::Typing, self.command(&outgoing)).await
    }

    /// Makes a call that returns nothing. Only the errcode 0 is a success.
    async fn command(&self, outgoing: &Outgoing<'_>) -> Result<(), Error> {
        done(outgoing.call, &self.call(outgoing).await?)
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("app_id", &self.app_id)
            .field("base_url", &self.base_url)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Returns what is wrong with a base URL.
fn base_url_problem(base_url: &str) -> Option<&'static str> {
    let Some((scheme, rest)) = base_url.split_once("://") else {
        return Some("has no scheme");
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let has_web_scheme = ["https", "http"]
        .iter()
        .any(|web| web.eq_ignore_ascii_case(scheme));
    if !has_web_scheme {
        Some("has a scheme other than `https` and `http`")
    } else if authority.contains('@') {
        Some("has a user name")
    } else if rest.contains(['?', '#']) {
        Some("has a query or a fragment")
    } else if rest.trim_end_matches('/').ends_with("/cgi-bin") {
        Some("ends in `/cgi-bin`, which the calls add")
    } else if base_url.len() > MAX_BASE_URL {
        Some("is over 1024 bytes")
    } else if !has_host(base_url) {
        Some("is no URL")
    } else {
        None
    }
}

fn has_host(url: &str) -> bool {
    let url = url.parse::<Uri>();
    url.is_ok_and(|url| url.host().is_some_and(|host| !host.is_empty()))
}

const EXPECTED_ADDRESSES: &str = "a list of IP addresses and networks";

const BASE_URL: &str = "https://api.weixin.qq.com";

/// In bytes.
const MAX_BASE_URL: usize = 1024;

/// WeChat usually answers within a second. A recording of 60 s has about 100 KiB.
const TIMEOUT: Duration = Duration::from_secs(10);

/// With less, no call would succeed.
const MIN_TIMEOUT: Duration = Duration::from_millis(100);

const MAX_TIMEOUT: Duration = Duration::from_hours(24);

/// In bytes. WeChat's own limit for images and videos; that for recordings is 2 MiB.
const MEDIA_LIMIT: usize = 10 * 1024 * 1024;

/// In bytes. WeChat's have 64 to about 100 characters. A message in plain mode can name any.
const MAX_MEDIA_ID: usize = 1024;
