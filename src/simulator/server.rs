//! WeChat's server for one account: its secrets, its clock, and what it sends and understands.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, Uri, header};
use http_body::Body;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tower::Service;

use super::{
    ApiServer, BoxError, Chat, DeliveryRecord, Fault, Push,
    answer::{check_echo, check_probe},
    api::{Failures, MediaFiles, Tokens},
    body::RequestBody,
    chat::Chats,
    deliver::send,
    push::ACCOUNT,
    smart_bot::ResponseUrls,
    transcript::AnswerKind,
    unique::{number, second, seconds_ago},
};
use crate::{
    account::{Account, Platform},
    timestamp::Timestamp,
};

/// WeChat's server for one account: it delivers to the callback URL, and answers the [API](Self::api).
///
/// The [module docs](super) have examples, and list what it does. Clones share all that the API and the chats know.
///
/// No two pushes are one message by accident, whatever the clock says. Each message has a MsgId that no other message of
/// any simulator has, in this process or in another. An event has none, so the events of one user differ in their
/// CreateTime, which moves ahead of the clock by seconds if it has to. Unless [`with_clock`](Self::with_clock) sets
/// one, the clock for the CreateTime of events is slow by up to a day, differently in each process.
#[derive(Clone)]
pub struct Simulator {
    account: Account,
    is_compatible: bool,
    uri: Uri,
    /// `None` for the system's clock.
    clock: Option<Arc<dyn Fn() -> SystemTime + Send + Sync>>,
    app_secret: Arc<str>,
    state: Arc<Mutex<State>>,
}

/// What pushes and API calls have brought about.
#[derive(Default)]
pub(super) struct State {
    pub(super) tokens: Tokens,
    pub(super) media: MediaFiles,
    pub(super) chats: Chats,
    pub(super) response_urls: ResponseUrls,
    pub(super) failures: Failures,
}

impl Simulator {
    /// Makes a server that signs with the account's current token and delivers to `/wechat`. To an encrypted account it
    /// delivers as in safe mode, with the account's current key.
    pub fn new(account: Account) -> Self {
        Self {
            account,
            is_compatible: false,
            uri: Uri::from_static("/wechat"),
            clock: None,
            app_secret: Arc::from(APP_SECRET),
            state: Arc::default(),
        }
    }

    /// Sets the callback URL as the console has it, or only its path if the service is called in process; the default
    /// is `/wechat`. If `uri` has a query, WeChat's parameters are added to it.
    ///
    /// # Errors
    ///
    /// If `uri` is neither a URL nor a path.
    pub fn with_uri(mut self, uri: impl AsRef<str>) -> Result<Self, http::Error> {
        self.uri = uri.as_ref().parse()?;
        // Fails now if the URI cannot have a query: then nothing could be delivered to it.
        self.uri_with("nonce=1")?;
        Ok(self)
    }

    /// Delivers to an encrypted account as in compatible mode (兼容模式): the body is the plaintext as it is, with the
    /// ciphertext as one more field at its end.
    #[must_use]
    pub fn with_compatible_mode(mut self) -> Self {
        self.is_compatible = true;
        self
    }

    /// Sets the clock for timestamps and CreateTime, which are in whole seconds; the default is the system's clock.
    ///
    /// Waiting uses tokio's clock.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Sets the AppSecret that the API accepts; the default is [`APP_SECRET`].
    #[must_use]
    pub fn with_app_secret(mut self, app_secret: impl Into<Arc<str>>) -> Self {
        self.app_secret = app_secret.into();
        self
    }

    /// Returns WeChat's API for the account, as the HTTP client of an [`Api`](crate::Api). The
    /// [module docs](super#the-api) say how it answers.
    ///
    /// ```
    /// use tower_wechat::{Account, Api, simulator::{APP_SECRET, Simulator}};
    ///
    /// let wechat = Simulator::new(Account::plain("rosebud7")?);
    /// let api = Api::new(wechat.api(), "wx0a1b2c3d4e5f6071", APP_SECRET)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn api(&self) -> ApiServer {
        ApiServer::new(self.clone())
    }

    /// Returns what the user with this OpenID has seen so far. [`USER`](super::USER) is the sender of a push by default.
    pub fn chat(&self, openid: impl AsRef<str>) -> Chat {
        self.state().chats.chat(openid.as_ref())
    }

    /// Makes a voice message. It has no Recognition, as for an account that has turned speech recognition off; add one
    /// with [`recognition`](Push::recognition). It has no recording; add one with [`sound`](Push::sound).
    pub fn voice(&self, media_id: impl Into<String>) -> Push {
        let own = [("MediaId", media_id.into()), ("Format", "amr".to_owned())];
        Push::message(self.clone(), "voice", own)
    }

    /// Makes a text message.
    pub fn text(&self, content: impl Into<String>) -> Push {
        Push::message(self.clone(), "text", [("Content", content.into())])
    }

    /// Makes an image.
    pub fn image(&self, media_id: impl Into<String>, pic_url: impl Into<String>) -> Push {
        let own = [("PicUrl", pic_url.into()), ("MediaId", media_id.into())];
        Push::message(self.clone(), "image", own)
    }

    /// Makes a location: latitude and longitude in degrees, and its name on the map.
    pub fn location(&self, latitude: f64, longitude: f64, label: impl Into<String>) -> Push {
        let own = [
            ("Location_X", latitude.to_string()),
            ("Location_Y", longitude.to_string()),
            ("Scale", "15".to_owned()),
            ("Label", label.into()),
        ];
        Push::message(self.clone(), "location", own)
    }

    /// Makes a link.
    pub fn link(&self, title: impl Into<String>, url: impl Into<String>) -> Push {
        let own = [
            ("Title", title.into()),
            ("Description", String::new()),
            ("Url", url.into()),
        ];
        Push::message(self.clone(), "link", own)
    }

    /// Makes an event with this name, such as `subscribe` or `CLICK`. Add its fields with [`field`](Push::field).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tower_wechat::{Account, simulator::Simulator};
    /// let wechat = Simulator::new(Account::plain("rosebud7")?);
    /// let click = wechat.event("CLICK").field("EventKey", "today");
    /// # Ok(())
    /// # }
    /// ```
    pub fn event(&self, name: impl Into<String>) -> Push {
        Push::event(self.clone(), name.into())
    }

    /// Makes a push from a raw body in XML or JSON, which is sent unchanged.
    ///
    /// An answer is accepted if it goes to the body's FromUserName, and comes from its ToUserName.
    pub fn xml(&self, body: impl Into<Bytes>) -> Push {
        Push::raw(self.clone(), body.into())
    }

    /// Verifies the URL, as the console does when you save its settings.
    ///
    /// Sends one `GET` with an echostr. The answer must be the echostr and nothing else, with status 200, within 5 s.
    /// Otherwise the [`fault`](DeliveryRecord::fault) of the record says why the console would refuse the URL.
    ///
    /// For an account on cloud hosting, sends the `POST` with which its console checks the path.
    pub async fn verify_url<S, B>(&self, service: S) -> DeliveryRecord
    where
        S: Service<Request<RequestBody>, Response = Response<B>>,
        S::Error: Into<BoxError>,
        B: Body,
        B::Error: Into<BoxError>,
    {
        if self.account.is_cloud_hosted() {
            let request = self.request(Method::POST, "", Bytes::from_static(PROBE));
            return Self::verify(service, request, String::new(), check_probe).await;
        }
        let echostr = (FIRST_ECHOSTR + number()).to_string();
        let mut query = self.sign();
        let sent = if self.account.is_wecom() {
            self.encrypt(&mut query, echostr.as_bytes())
        } else {
            None
        };
        let sent = sent.as_deref().unwrap_or(&echostr);
        let sent = utf8_percent_encode(sent, NON_ALPHANUMERIC);
        let query = format!("{query}&echostr={sent}");
        let request = self.request(Method::GET, &query, Bytes::new());
        let check = |response: &Response<Bytes>| check_echo(response, &echostr);
        Self::verify(service, request, query, check).await
    }

    async fn verify<S, B>(
        service: S,
        request: Result<Request<Bytes>, http::Error>,
        query: String,
        check: impl FnOnce(&Response<Bytes>) -> Result<(), Fault>,
    ) -> DeliveryRecord
    where
        S: Service<Request<RequestBody>, Response = Response<B>>,
        S::Error: Into<BoxError>,
        B: Body,
        B::Error: Into<BoxError>,
    {
        let request = request.map_err(|error| Fault::unsent(&error));
        let request = request.map(|request| request.map(RequestBody::new));
        let answer = send(&tokio::sync::Mutex::new(service), request, Duration::ZERO).await;
        let response = answer.response.as_ref().map_err(Fault::clone);
        let verdict = response.and_then(check);
        let verdict = verdict.map(|()| AnswerKind::Echo);
        let record = DeliveryRecord::new(Duration::ZERO, query, &answer, verdict);
        record.explained(&answer.seen)
    }

    /// Makes a request with WeChat's headers.
    pub(super) fn request(
        &self,
        method: Method,
        query: &str,
        body: Bytes,
    ) -> Result<Request<Bytes>, http::Error> {
        let mut request = Request::new(body);
        *request.uri_mut() = self.uri_with(query)?;
        let headers = request.headers_mut();
        headers.insert(header::USER_AGENT, USER_AGENT);
        if method == Method::POST {
            headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
        }
        *request.method_mut() = method;
        Ok(request)
    }

    fn uri_with(&self, query: &str) -> Result<Uri, http::Error> {
        let path = self.uri.path();
        let path_and_query = match self.uri.query() {
            Some(own) if query.is_empty() => format!("{path}?{own}"),
            None if query.is_empty() => path.to_owned(),
            Some(own) => format!("{path}?{own}&{query}"),
            None => format!("{path}?{query}"),
        };
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = Some(path_and_query.parse()?);
        Ok(Uri::from_parts(parts)?)
    }

    pub(super) fn now(&self) -> Timestamp {
        match &self.clock {
            Some(clock) => clock().into(),
            None => Timestamp::now(),
        }
    }

    /// Returns a CreateTime that no other event of the user has.
    pub(super) fn create_time_of_event(&self, openid: &str) -> Timestamp {
        let ago = if self.clock.is_some() {
            0
        } else {
            seconds_ago()
        };
        second(
            openid,
            Timestamp::from_secs(self.now().as_secs().saturating_sub(ago)),
        )
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    /// Returns the receiver of messages.
    pub(super) fn original_id(&self) -> &str {
        match self.account.encryption().map(|it| &it.platform) {
            Some(Platform::Authorizer(original_id)) => original_id,
            _ => ACCOUNT,
        }
    }

    pub(super) fn is_compatible(&self) -> bool {
        self.is_compatible
    }

    pub(super) fn app_secret(&self) -> &str {
        &self.app_secret
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator")
            .field("account", &self.account)
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}

const USER_AGENT: HeaderValue = HeaderValue::from_static("Mozilla/4.0");

/// The body with which the console of cloud hosting checks a path. Source: WeChat's page on its message pushes.
const PROBE: &[u8] = b"<xml><action>CheckContainerPath</action></xml>";

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("text/xml");

/// The AppSecret of an account, unless [`with_app_secret`](Simulator::with_app_secret) sets another.
pub const APP_SECRET: &str = "5ec2e7f0c0ffee11a77e57ab1e0ddba1";

/// The echostr has as many digits as WeChat's.
const FIRST_ECHOSTR: u64 = 4_000_000_000_000_000_000;
