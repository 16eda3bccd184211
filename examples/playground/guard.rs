//! Rejects requests of other pages.
//!
//! Every page in the browser can send requests to a port on loopback. Three checks reject them:
//!
//! - `Host` is a name of loopback. After DNS rebinding, it is the attacker's name.
//! - `Origin` and `Sec-Fetch-Site`, which browsers set, name this page.
//! - The Content-Type of a `POST` is `application/json`, which no HTML form can send. Calls of WeChat's API are excepted.

use axum::{
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Passes on requests of this page, and of programs that are no browsers.
pub(crate) async fn only_from_here(request: Request, next: Next) -> Response {
    if is_foreign(request.headers()) {
        (StatusCode::FORBIDDEN, "expected a request of this page\n").into_response()
    } else {
        next.run(request).await
    }
}

/// Passes on a `POST` only if it is JSON.
pub(crate) async fn only_json(request: Request, next: Next) -> Response {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    if request.method() == Method::POST && content_type.is_none_or(|it| it != "application/json") {
        let reason = "expected application/json\n";
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, reason).into_response()
    } else {
        next.run(request).await
    }
}

/// Passes on requests whose `Host` is this machine.
pub(crate) async fn only_for_loopback(request: Request, next: Next) -> Response {
    if host(request.headers()).is_some() {
        next.run(request).await
    } else {
        let reason = "expected a Host that is this machine\n";
        (StatusCode::MISDIRECTED_REQUEST, reason).into_response()
    }
}

/// Whether another page has sent the request.
fn is_foreign(headers: &HeaderMap) -> bool {
    let own = host(headers).map(|host| format!("http://{host}"));
    let origin = headers
        .get(header::ORIGIN)
        .map(|it| it.to_str().unwrap_or("?"));
    let site = headers.get("sec-fetch-site");
    origin.is_some_and(|origin| Some(origin) != own.as_deref())
        || site.is_some_and(|site| site != "same-origin" && site != "none")
}

/// Returns the `Host`, if there is exactly one and it is a name of loopback.
fn host(headers: &HeaderMap) -> Option<Authority> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return None;
    };
    let host: Authority = host.to_str().ok()?.parse().ok()?;
    matches!(host.host(), "127.0.0.1" | "localhost" | "[::1]").then_some(host)
}
