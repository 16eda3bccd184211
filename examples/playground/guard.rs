//! Rejects requests of other pages.
//!
//! Every page in the browser can send requests to a port on loopback. Three checks reject them:
//!
//! - `Host` is a name of loopback. After DNS rebinding, it is the attacker's name.
//! - `Origin` and `Sec-Fetch-Site`, which browsers set, name this page.
//! - The Content-Type of a `POST` is `application/json`, which no HTML form can send.

use axum::{
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Passes on requests of this page, and of programs that are no browsers.
pub(crate) async fn only_from_here(request: Request, next: Next) -> Response {
    match check(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err((status, reason)) => (status, reason).into_response(),
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

fn check(method: &Method, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let own = host(headers).map(|host| format!("http://{host}"));
    let is_foreign = text(header::ORIGIN).is_some_and(|origin| Some(origin) != own.as_deref())
        || headers
            .get("sec-fetch-site")
            .is_some_and(|site| site != "same-origin" && site != "none");
    if is_foreign {
        return Err((StatusCode::FORBIDDEN, "expected a request of this page\n"));
    }
    if method == Method::POST && text(header::CONTENT_TYPE) != Some("application/json") {
        let reason = "expected application/json\n";
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
    }
    Ok(())
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
