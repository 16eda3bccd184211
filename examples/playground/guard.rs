//! Who may use the API: this page alone.
//!
//! A port on loopback is open to every page that the browser shows. So what another page can send is rejected:
//! by the Host, which is another one's if a foreign name has been made to point here (DNS rebinding), by what
//! browsers say of where a request comes from, and by the Content-Type, which no form can have.

use axum::{
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Passes on what comes from the page itself, or from a program that is no browser.
pub(crate) async fn only_from_here(request: Request, next: Next) -> Response {
    match check(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err((status, reason)) => (status, reason).into_response(),
    }
}

/// Passes on what is addressed to this machine.
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

/// The one Host there is, if it is a name of loopback.
fn host(headers: &HeaderMap) -> Option<Authority> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return None;
    };
    let host: Authority = host.to_str().ok()?.parse().ok()?;
    matches!(host.host(), "127.0.0.1" | "localhost" | "[::1]").then_some(host)
}
