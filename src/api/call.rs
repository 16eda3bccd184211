//! One call: the token, the repetitions, and what an answer means.

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
use tokio::time::{Instant, sleep, timeout};
use zeroize::Zeroizing;

use super::{
    Api, Source,
    client::{Answer, Limits, RequestBody},
    error::{Cause, Error, ErrorKind},
    token::{AccessToken, MAX_TOKEN},
};
use crate::{body::RESPONSE_LIMIT, observe};

/// The calls of WeChat's API that the crate makes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Call {
    Token,
    Media,
    Upload,
    Send,
    Typing,
}

impl Call {
    /// Returns the path below `/cgi-bin/`, which is also the name in events and metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Token => "stable_token",
            Self::Media => "media/get",
            Self::Upload => "media/upload",
            Self::Send => "message/custom/send",
            Self::Typing => "message/custom/typing",
        }
    }

    /// Returns what the call is for, after "cannot".
    pub(super) fn purpose(self) -> &'static str {
        match self {
            Self::Token => "get an access token",
            Self::Media => "fetch a media file",
            Self::Upload => "upload a media file",
            Self::Send => "send a customer-service message",
            Self::Typing => "show that an answer is being typed",
        }
    }

    fn method(self) -> Method {
        match self {
            Self::Media => Method::GET,
            Self::Token | Self::Upload | Self::Send | Self::Typing => Method::POST,
        }
    }

    fn answer_limit(self) -> usize {
        match self {
            Self::Media => MEDIA_LIMIT,
            Self::Token | Self::Upload | Self::Send | Self::Typing => RESPONSE_LIMIT,
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
}

impl<'a> Outgoing<'a> {
    pub(super) fn json(call: Call, json: impl Into<Bytes>, secret: &'a str) -> Self {
        let content_type = HeaderValue::from_static("application/json");
        Self {
            call,
            parameter: None,
            body: Some((content_type, json.into())),
            secret,
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
            size: call.answer_limit(),
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
            let escaped = utf8_percent_encode(token, ESCAPED).to_string();
            Error::new(
                call,
                cause.without([query, token, &escaped, outgoing.secret]),
            )
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
            let problem = "the access token is too long for a URL";
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

/// Reads the JSON of a call that has succeeded.
pub(super) fn read<T: DeserializeOwned>(
    call: Call,
    answer: &Answer,
    expected: &'static str,
) -> Result<T, Error> {
    serde_json::from_slice(answer.body())
        .map_err(|_| Error::new(call, unexpected(expected, answer)))
}

/// Makes the cause for an answer that is not as WeChat's documentation says. It quotes nothing of the body.
pub(super) fn unexpected(expected: &'static str, answer: &Answer) -> Cause {
    let length = answer.body().len();
    let found = match content_type(answer) {
        Some(content_type) => format!("{length} bytes of {content_type}"),
        None => format!("{length} bytes without a Content-Type"),
    };
    Cause::Answer(expected, found)
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
fn failure(answer: &Answer) -> Option<(i64, String)> {
    #[derive(Deserialize)]
    struct Failure {
        errcode: i64,
        #[serde(default)]
        errmsg: String,
    }
    let body = answer.body();
    if body.len() > FAILURE_LIMIT || !body.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let failure: Failure = serde_json::from_slice(body).ok()?;
    (failure.errcode != 0).then_some((failure.errcode, failure.errmsg))
}

impl Cause {
    /// Removes `secrets` from the texts that others have written, and makes them one short line.
    fn without(mut self, secrets: [&str; 4]) -> Self {
        if let Self::Client(text) | Self::Code { errmsg: text, .. } = &mut self {
            for secret in secrets.into_iter().filter(|secret| !secret.is_empty()) {
                *text = text.replace(secret, "[removed]");
            }
            *text = text
                .chars()
                .filter(|c| !c.is_control())
                .take(MAX_TEXT)
                .collect();
        }
        self
    }
}

const EXPECTED_TOKEN: &str = "an access_token";

/// In bytes. WeChat's own limit for images and videos; that for recordings is 2 MiB.
const MEDIA_LIMIT: usize = 10 * 1024 * 1024;

/// In bytes. A failure's JSON has some hundred; a longer body is a media file.
const FAILURE_LIMIT: usize = 64 * 1024;

/// In characters; a text that another party has written is cut there.
const MAX_TEXT: usize = 400;

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
