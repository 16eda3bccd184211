//! One call of WeChat's API: again with a new token if the token is refused, and after a pause if WeChat is busy.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, StatusCode, Uri,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};
use zeroize::Zeroizing;

use super::{
    Api, Source,
    client::{Answer, Limits, RequestBody},
    error::{Cause, Error, ErrorKind},
    text::without_secrets,
    token::{AccessToken, MAX_TOKEN},
};
use crate::{body::RESPONSE_LIMIT, observe};

/// The calls of WeChat's API that the crate makes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Call {
    Token,
    CallbackIps,
    Media,
    Upload,
    Send,
    Typing,
    Respond,
}

impl Call {
    /// Returns the path below `/cgi-bin/`, which is also the name in events and metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Token => "stable_token",
            Self::CallbackIps => "getcallbackip",
            Self::Media => "media/get",
            Self::Upload => "media/upload",
            Self::Send => "message/custom/send",
            Self::Typing => "message/custom/typing",
            Self::Respond => "aibot/response",
        }
    }

    /// Returns what the call is for, after "cannot".
    pub(super) fn purpose(self) -> &'static str {
        match self {
            Self::Token => "get an access token",
            Self::CallbackIps => "get the addresses of WeChat's servers",
            Self::Media => "fetch a media file",
            Self::Upload => "upload a media file",
            Self::Send => "send a customer-service message",
            Self::Typing => "show that an answer is being typed",
            Self::Respond => "post an answer to a response_url",
        }
    }

    fn method(self) -> Method {
        match self {
            Self::CallbackIps | Self::Media => Method::GET,
            Self::Token | Self::Upload | Self::Send | Self::Typing | Self::Respond => Method::POST,
        }
    }
}

/// What a call sends, beside the token.
pub(super) struct Outgoing<'a> {
    pub(super) call: Call,
    /// A name and a value.
    pub(super) parameter: Option<(&'a str, &'a str)>,
    /// The body and its type.
    pub(super) body: Option<(HeaderValue, Bytes)>,
    /// What must not appear in the error: the AppSecret, an OpenID or a media id. The token need not be named.
    pub(super) secret: &'a str,
    /// Of the answer's body, in bytes.
    pub(super) limit: usize,
}

impl<'a> Outgoing<'a> {
    pub(super) fn json(call: Call, json: impl Into<Bytes>, secret: &'a str) -> Self {
        let content_type = HeaderValue::from_static("application/json");
        Self {
            call,
            parameter: None,
            body: Some((content_type, json.into())),
            secret,
            limit: RESPONSE_LIMIT,
        }
    }
}

impl Api {
    /// Returns the access token: the cached one, which is renewed in the background if less than five minutes are left.
    ///
    /// It is for the calls that this module does not make. Do not log it.
    ///
    /// # Errors
    ///
    /// If WeChat or the [token source](Self::with_token_source) gives none.
    pub async fn access_token(&self) -> Result<AccessToken, Error> {
        self.tokens.get(self).await
    }

    /// Returns how long a call takes at most, without its token: four requests and the pauses between them.
    pub(super) fn longest_call(&self) -> Duration {
        let requests = BUSY_PAUSES.map(|pause| self.timeout + pause);
        requests.iter().sum::<Duration>() + self.timeout
    }

    pub(super) async fn fetch_token(&self) -> Result<AccessToken, Error> {
        let call = Call::Token;
        match &self.source {
            Source::Function(function) => {
                let cause = match timeout(self.timeout, function()).await {
                    Ok(Ok(token)) if token.is_usable() => return Ok(token),
                    Ok(Ok(token)) => Cause::TokenSource(format!(
                        "expected a token of 1 to {MAX_TOKEN} bytes, found {}",
                        token.as_str().len()
                    )),
                    Ok(Err(text)) => Cause::TokenSource(text),
                    Err(_elapsed) => Cause::Timeout(self.timeout),
                };
                Err(Error::new(call, cause))
            }
            Source::Secret(secret) => {
                // Neither the id nor the secret has a character that JSON escapes. The capacity is enough, so that
                // no copy of the secret is left behind.
                let mut json = String::with_capacity(self.app_id.len() + secret.len() + 80);
                for part in [
                    r#"{"grant_type":"client_credential","appid":""#,
                    &self.app_id,
                    r#"","secret":""#,
                    secret,
                    r#""}"#,
                ] {
                    json.push_str(part);
                }
                let json = Bytes::from_owner(Zeroizing::new(json));
                let outgoing = Outgoing::json(call, json, secret);
                let answer = self.attempts(&outgoing, None).await?;
                let token: TokenAnswer = read(call, &answer, EXPECTED_TOKEN)?;
                let life = Duration::from_secs(token.expires_in);
                let token = AccessToken::new(token.access_token, life);
                if !token.is_usable() {
                    return Err(Error::new(call, unexpected(EXPECTED_TOKEN, &answer)));
                }
                Ok(token)
            }
        }
    }

    /// Makes a call with the access token. If WeChat rejects the token, repeats the call once with another one.
    pub(super) async fn call(&self, outgoing: &Outgoing<'_>) -> Result<Answer, Error> {
        let call = outgoing.call;
        if let Some(errcode) = self.unauthorized.get(call) {
            return Err(Error::new(call, Cause::Known { errcode }));
        }
        let mut is_repeated = false;
        loop {
            let token = self.access_token().await?;
            let answer = self.attempts(outgoing, Some(&token)).await;
            match answer.as_ref().map_err(Error::kind) {
                Err(ErrorKind::AccessToken) => {
                    self.tokens.reject(&token);
                    if !is_repeated {
                        observe::access_token_rejected(&self.app_id, call.name());
                        is_repeated = true;
                        continue;
                    }
                }
                Err(ErrorKind::Unauthorized) => self.unauthorized.remember(call, &answer),
                _ => {}
            }
            return answer;
        }
    }

    /// Makes a call, and repeats it as long as WeChat is busy.
    async fn attempts(
        &self,
        outgoing: &Outgoing<'_>,
        token: Option<&AccessToken>,
    ) -> Result<Answer, Error> {
        for pause in BUSY_PAUSES {
            match self.exchange(outgoing, token).await {
                Err(error) if error.kind() == ErrorKind::Busy => sleep(pause).await,
                answer => return answer,
            }
        }
        self.exchange(outgoing, token).await
    }

    async fn exchange(
        &self,
        outgoing: &Outgoing<'_>,
        token: Option<&AccessToken>,
    ) -> Result<Answer, Error> {
        let call = outgoing.call;
        let uri = self.uri(outgoing, token)?;
        let mut request = Request::new(RequestBody::default());
        if let Some((content_type, body)) = &outgoing.body {
            let headers = request.headers_mut();
            headers.insert(CONTENT_TYPE, content_type.clone());
            headers.insert(CONTENT_LENGTH, body.len().into());
            *request.body_mut() = RequestBody::new(body.clone());
        }
        *request.method_mut() = call.method();
        *request.uri_mut() = uri.clone();

        let limits = Limits {
            timeout: self.timeout,
            size: outgoing.limit,
        };
        let answer = match self.client.send(request, limits).await {
            Ok(answer) if answer.status() != StatusCode::OK => Err(Cause::Status(answer.status())),
            Ok(answer) => match failure(&answer) {
                Some((errcode, errmsg)) => Err(Cause::Code { errcode, errmsg }),
                None => Ok(answer),
            },
            Err(cause) => Err(cause),
        };
        answer.map_err(|cause| {
            // The client's text may quote the URL, and the server may repeat what it was sent.
            let query = uri.query().unwrap_or_default();
            let token = token.map(AccessToken::as_str).unwrap_or_default();
            let escape = |secret| Zeroizing::new(utf8_percent_encode(secret, ESCAPED).to_string());
            // A shorter id is no user's. It would be found in the middle of words.
            let is_secret = call == Call::Token || outgoing.secret.len() >= MIN_ID;
            let secret = if is_secret { outgoing.secret } else { "" };
            let (token_escaped, secret_escaped) = (escape(token), escape(secret));
            let secrets = [query, token, &token_escaped, secret, &secret_escaped];
            Error::new(call, cause.without(&secrets))
        })
    }

    fn uri(&self, outgoing: &Outgoing<'_>, token: Option<&AccessToken>) -> Result<Uri, Error> {
        let call = outgoing.call;
        let token = token.map(|token| ("access_token", token.as_str()));
        let parameters = || token.into_iter().chain(outgoing.parameter);
        // Enough for all characters to be encoded, so that no copy of the token is left behind.
        let values = parameters().map(|(_, value)| 3 * value.len() + 32);
        let mut uri = String::with_capacity(self.base_url.len() + 64 + values.sum::<usize>());
        uri.push_str(&self.base_url);
        uri.push_str("/cgi-bin/");
        uri.push_str(call.name());
        for ((name, value), separator) in parameters().zip(["?", "&"]) {
            uri.extend([separator, name, "="]);
            uri.extend(utf8_percent_encode(value, ESCAPED));
        }
        // Shared with the URI, and wiped with it.
        let uri = Bytes::from_owner(Zeroizing::new(uri));
        Uri::from_maybe_shared(uri).map_err(|_| {
            let problem = "the base URL, the access token and the media id make no URL";
            Error::new(call, Cause::Client(problem.to_owned()))
        })
    }

    /// Awaits what the user has called, and logs and counts how it ended.
    pub(super) async fn observed<T>(
        &self,
        call: Call,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let work = async {
            let begun = Instant::now();
            let ended = work.await;
            self.ended(call, begun, ended.as_ref().err());
            ended
        };
        observe::in_api_call(&self.app_id, call.name(), work).await
    }

    pub(super) fn ended(&self, call: Call, begun: Instant, error: Option<&Error>) {
        let (app_id, name) = (&*self.app_id, call.name());
        let result = error.map_or("ok", |error| error.kind().name());
        if let Some(error) = error {
            let is_logged_elsewhere = error.is_logged_elsewhere(call);
            let errcode = error.errcode();
            observe::api_call_failed(app_id, name, result, errcode, is_logged_elsewhere, error);
        }
        observe::api_call_ended(app_id, name, result, begun.elapsed());
    }
}

/// The calls that WeChat has not authorized, and since when. All clones of an `Api` share it.
#[derive(Clone, Default)]
pub(super) struct Unauthorized(Arc<Mutex<BTreeMap<Call, (i64, Instant)>>>);

impl Unauthorized {
    fn get(&self, call: Call) -> Option<i64> {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (errcode, since) = calls.get(&call)?;
        (since.elapsed() < UNAUTHORIZED_FOR).then_some(*errcode)
    }

    fn remember(&self, call: Call, answer: &Result<Answer, Error>) {
        let errcode = answer.as_ref().err().and_then(Error::errcode);
        if let Some(errcode) = errcode {
            let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            calls.insert(call, (errcode, Instant::now()));
        }
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    /// In seconds.
    expires_in: u64,
}

/// Reads the JSON object of a call that has succeeded.
pub(super) fn read<T: DeserializeOwned>(
    call: Call,
    answer: &Answer,
    expected: &'static str,
) -> Result<T, Error> {
    object(answer.body()).ok_or_else(|| Error::new(call, unexpected(expected, answer)))
}

/// Checks that a call that returns nothing has succeeded. Only the errcode 0 is a success.
pub(super) fn done(call: Call, answer: &Answer) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Done {
        errcode: i64,
    }
    let expected = "an errcode";
    match read(call, answer, expected)? {
        Done { errcode: 0 } => Ok(()),
        // Too long to be a failure of WeChat's.
        Done { .. } => Err(Error::new(call, unexpected(expected, answer))),
    }
}

/// Reads a JSON object. serde would read a struct from a list too.
pub(super) fn object<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let text = text_of(body);
    let is_object = text.starts_with(b"{");
    is_object.then(|| serde_json::from_slice(text).ok())?
}

/// Returns the body without a byte order mark and blanks before it.
pub(super) fn text_of(body: &[u8]) -> &[u8] {
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    text.trim_ascii_start()
}

/// Makes the cause for an answer that is not as WeChat's documentation says. It quotes nothing that the server wrote.
pub(super) fn unexpected(expected: &'static str, answer: &Answer) -> Cause {
    let length = answer.body().len();
    let is = |found: &str, known: &&&str| found.eq_ignore_ascii_case(known);
    let found = match content_type(answer) {
        Some(found) => match KNOWN_TYPES.iter().find(|known| is(found, known)) {
            Some(known) => format!("{length} bytes of {known}"),
            None => format!("{length} bytes of another type"),
        },
        None => format!("{length} bytes without a Content-Type"),
    };
    Cause::Response(expected, found)
}

/// Returns the media type without its parameters, if it is one.
pub(super) fn content_type(answer: &Answer) -> Option<&str> {
    let value = answer.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next()?.trim();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"/+-._".contains(&byte);
    (essence.len() <= 64 && essence.contains('/') && essence.bytes().all(is_part))
        .then_some(essence)
}

/// Returns WeChat's error code and message, if the answer is the JSON of a failure. Its HTTP status is 200.
pub(super) fn failure(answer: &Answer) -> Option<(i64, String)> {
    #[derive(Deserialize)]
    struct Failure {
        errcode: i64,
        /// Whatever it is, the code counts.
        #[serde(default)]
        errmsg: Value,
    }
    let body = answer.body();
    if body.len() > FAILURE_LIMIT {
        return None;
    }
    let Failure { errcode, errmsg } = object(body)?;
    let errmsg = errmsg.as_str().unwrap_or_default();
    (errcode != 0).then(|| (errcode, errmsg.to_owned()))
}

impl Cause {
    /// Removes `secrets` from the texts that others have written, and makes them one short line.
    pub(super) fn without(mut self, secrets: &[&str]) -> Self {
        if let Self::Client(text) | Self::Unreached(text) | Self::Code { errmsg: text, .. } =
            &mut self
        {
            *text = without_secrets(text, secrets);
        }
        self
    }
}

const EXPECTED_TOKEN: &str = "an access_token";

/// What WeChat and proxies send. Any other type could be a text of the server's.
const KNOWN_TYPES: [&str; 13] = [
    "application/json",
    "application/octet-stream",
    "application/xml",
    "audio/amr",
    "audio/mpeg",
    "image/gif",
    "image/jpeg",
    "image/png",
    "text/html",
    "text/plain",
    "text/xml",
    "video/mp4",
    "voice/amr",
];

/// In bytes. A failure's JSON has some hundred; a longer body is a media file.
pub(super) const FAILURE_LIMIT: usize = 64 * 1024;

/// In bytes. An OpenID has 28, a media id 64 and more.
const MIN_ID: usize = 8;

/// WeChat's pages on its API say to repeat a call that was answered -1 later.
const BUSY_PAUSES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// A verification takes days.
const UNAUTHORIZED_FOR: Duration = Duration::from_hours(1);

/// All but the characters that never need an escape in a query.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
