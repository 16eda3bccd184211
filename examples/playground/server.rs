//! The page and its API.

use std::{sync::Arc, time::SystemTime};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use serde_json::json;
use tower::{BoxError, ServiceExt};
use tower_wechat::simulator::APP_SECRET;

use crate::{
    arguments::Setup,
    calls::RecordedApi,
    chat::{Chat, Position},
    events::events,
    guard,
    letter::{Clock, Letter, Mode},
    office::{Office, app_id},
    sound::MAX_SOUND,
};

/// Makes the router of the page and its API.
pub(crate) fn router(setup: Setup) -> Result<Router, BoxError> {
    let (playground, calls) = Playground::new(setup)?;
    let mut api = Router::new()
        .route("/events", get(listen))
        .route("/messages", post(send))
        .route("/messages/{id}/sound", get(play))
        .route("/clear", post(clear))
        .layer(DefaultBodyLimit::max(MAX_LETTER + MAX_SOUND / 3 * 4))
        .layer(middleware::from_fn(guard::only_json))
        .with_state(Arc::new(playground));
    if let Some(calls) = calls {
        // WeChat's API, for the target. A bot need not say what it posts.
        let calls = any(call).with_state(calls);
        api = api.route("/cgi-bin/{*call}", calls);
    }
    let api = api.layer(middleware::from_fn(guard::only_from_here));
    let files = FILES.iter().fold(Router::new(), |router, file| {
        let (path, content_type, content) = *file;
        let answer = ([(header::CONTENT_TYPE, content_type)], content);
        router.route(path, get(async move || answer))
    });
    Ok(files
        .nest("/api", api)
        .layer(middleware::from_fn(guard::only_for_loopback))
        .layer(middleware::from_fn(harden)))
}

struct Playground {
    chat: Arc<Chat>,
    offices: Offices,
    /// The first event for each page, in JSON.
    setup: String,
}

enum Offices {
    BuiltIn { real: Office, simulated: Office },
    Target { office: Office, mode: Mode },
}

impl Playground {
    /// Returns WeChat's API too, if there is a target to call it.
    fn new(setup: Setup) -> Result<(Self, Option<RecordedApi>), BoxError> {
        let chat = Arc::new(Chat::new());
        let (offices, calls, setup) = match setup {
            Setup::BuiltIn { plain, safe } => {
                let office = |clock| Office::to_bot(Arc::clone(&chat), clock, &plain, &safe);
                let offices = Offices::BuiltIn {
                    real: office(Clock::Real)?,
                    simulated: office(Clock::Simulated)?,
                };
                (offices, None, json!({ "target": null }))
            }
            Setup::Target { url, account, mode } => {
                let api = json!({ "appId": app_id(&account), "appSecret": APP_SECRET });
                let setup = json!({ "target": url.to_string(), "mode": mode, "api": api });
                let (office, calls) = Office::to_server(Arc::clone(&chat), &url, account, mode)?;
                (Offices::Target { office, mode }, Some(calls), setup)
            }
        };
        let playground = Self {
            chat,
            offices,
            setup: setup.to_string(),
        };
        Ok((playground, calls))
    }

    /// Returns the office that delivers `letter`. A target has its own mode and real time, so these are set.
    fn office(&self, letter: &mut Letter) -> &Office {
        match &self.offices {
            Offices::BuiltIn { real, simulated } => match letter.clock {
                Clock::Real => real,
                Clock::Simulated => simulated,
            },
            Offices::Target { office, mode } => {
                letter.mode = *mode;
                letter.clock = Clock::Real;
                office
            }
        }
    }
}

async fn send(State(playground): State<Arc<Playground>>, body: Bytes) -> Response {
    let mut letter: Letter = match serde_json::from_slice(&body) {
        Ok(letter) => letter,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    if body.len() > MAX_LETTER && letter.content.sound().is_none() {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    let office = playground.office(&mut letter);
    let Some(id) = playground.chat.open(&letter, SystemTime::now()) else {
        let reason = "too many messages under way\n";
        return (StatusCode::TOO_MANY_REQUESTS, reason).into_response();
    };
    office.deliver(id, letter);
    StatusCode::ACCEPTED.into_response()
}

async fn listen(State(playground): State<Arc<Playground>>, headers: HeaderMap) -> Response {
    let last = headers
        .get("last-event-id")
        .and_then(|id| Position::parse(id.to_str().ok()?));
    events(Arc::clone(&playground.chat), playground.setup.clone(), last).into_response()
}

async fn play(State(playground): State<Arc<Playground>>, Path(id): Path<u64>) -> Response {
    match playground.chat.sound(id) {
        Some(sound) => ([(header::CONTENT_TYPE, sound.content_type)], sound.bytes).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn call(State(calls): State<RecordedApi>, request: Request) -> Response {
    match calls.oneshot(request).await {
        Ok(response) => response.map(Body::new),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

async fn clear(State(playground): State<Arc<Playground>>) -> StatusCode {
    playground.chat.clear();
    StatusCode::NO_CONTENT
}

/// Adds headers that stop the browser from running scripts in a bot's answer.
async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HARDENING {
        response.headers_mut().insert(name, value);
    }
    response
}

const HARDENING: [(HeaderName, HeaderValue); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
             media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Path, type and content.
const FILES: [(&str, &str, &str); 12] = [
    ("/", HTML, include_str!("page/index.html")),
    ("/style.css", "text/css", include_str!("page/style.css")),
    ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
    ("/chat.js", SCRIPT, include_str!("page/chat.js")),
    ("/composer.js", SCRIPT, include_str!("page/composer.js")),
    ("/conditions.js", SCRIPT, include_str!("page/conditions.js")),
    ("/element.js", SCRIPT, include_str!("page/element.js")),
    ("/payload.js", SCRIPT, include_str!("page/payload.js")),
    ("/script.js", SCRIPT, include_str!("page/script.js")),
    ("/sound.js", SCRIPT, include_str!("page/sound.js")),
    ("/texts.js", SCRIPT, include_str!("page/texts.js")),
    ("/timeline.js", SCRIPT, include_str!("page/timeline.js")),
];
const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The largest message in bytes, without its recording. It may be longer than WeChat allows.
const MAX_LETTER: usize = 64 * 1024;
