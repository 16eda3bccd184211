//! The message that a smart bot of WeCom may post to a `response_url`. It needs no access token.

use std::time::Duration;

use http::{
    HeaderValue, Method, Request, StatusCode, Uri,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
    uri::Scheme,
};

use super::{
    call::{Call, done, failure},
    client::{Client, HttpClient, Limits, RequestBody},
    error::{Cause, Error},
};
use crate::body::RESPONSE_LIMIT;

/// Posts answers to the URLs that come with a smart bot's messages.
#[derive(Debug, Clone)]
pub(crate) struct Responder(Client);

impl Responder {
    pub(crate) fn new(http: impl HttpClient) -> Self {
        Self(http.into_client())
    }

    /// Posts `body`, once. The error does not quote the URL: its holder may post.
    pub(crate) async fn respond(&self, url: &str, body: String) -> Result<(), Error> {
        let failed = |cause: Cause| Error::new(Call::Respond, cause);
        let uri: Uri = url
            .parse()
            .ok()
            .filter(is_wecoms)
            .ok_or_else(|| failed(Cause::Unreached(FOREIGN.to_owned())))?;
        let query = uri.query().unwrap_or_default().to_owned();
        let mut request = Request::new(RequestBody::default());
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_LENGTH, body.len().into());
        *request.body_mut() = RequestBody::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let limits = Limits {
            timeout: TIMEOUT,
            size: RESPONSE_LIMIT,
        };
        let cause = match self.0.send(request, limits).await {
            Ok(answer) if answer.status() != StatusCode::OK => Cause::Status(answer.status()),
            Ok(answer) => match failure(&answer) {
                Some((errcode, errmsg)) => Cause::Code { errcode, errmsg },
                None => return done(Call::Respond, &answer),
            },
            Err(cause) => cause,
        };
        Err(failed(cause.without(&[&query])))
    }
}

/// Whether the URL is one of WeCom's. Where a push can be forged, as in plain mode, its sender could otherwise make this
/// server post to its own network.
fn is_wecoms(url: &Uri) -> bool {
    url.scheme() == Some(&Scheme::HTTPS)
        && url
            .host()
            .is_some_and(|host| host.eq_ignore_ascii_case(HOST))
        && url.port_u16().is_none_or(|port| port == 443)
}

/// Source: WeCom's page "Active replies" (101138).
const HOST: &str = "qyapi.weixin.qq.com";

const FOREIGN: &str = "expected a response_url at https://qyapi.weixin.qq.com, found another";

const TIMEOUT: Duration = Duration::from_secs(10);
