//! WeChat's API, as the simulator plays it. The paused clock makes hours and days free.

mod calls;
mod chat;
mod failures;
mod tokens;
mod windows;

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tokio::time::advance;
use tower::{BoxError, ServiceExt as _, service_fn};
use tower_wechat::{
    Account, Api, Reply,
    api::{self, ErrorKind, MediaKind},
    simulator::{APP_SECRET, ApiCall, ApiFailure, Push, RequestBody, Simulator, USER},
};

const APP_ID: &str = "wx0f1e2d3c4b5a6978";

const AMR: &[u8] = b"#!AMR\n\x3c0123456789abcdef0123456789abcde";

fn account() -> Account {
    Account::plain("walnut42").unwrap()
}

fn wechat() -> Simulator {
    Simulator::new(account())
}

fn api(wechat: &Simulator) -> Api {
    Api::new(wechat.api(), APP_ID, APP_SECRET).unwrap()
}

/// A bot that answers nothing.
async fn hear(push: Push) {
    let silent = service_fn(async |_: Request<RequestBody>| {
        Ok::<_, Infallible>(Response::new("success".to_owned()))
    });
    let transcript = push.deliver(silent).await;
    assert!(transcript.deliveries()[0].fault().is_none(), "{transcript}");
}

#[track_caller]
fn kind<T>(result: Result<T, api::Error>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[track_caller]
fn errcode<T>(result: Result<T, api::Error>) -> Option<i64> {
    result.err().and_then(|error| error.errcode())
}

/// Makes a request as a bot in another language does. Returns the status, the Content-Type and the body.
async fn raw(
    wechat: &Simulator,
    method: Method,
    uri: &str,
    body: impl Into<Bytes>,
) -> (StatusCode, String, Bytes) {
    let request = Request::builder().method(method).uri(uri);
    let request = request.body(Full::new(body.into())).unwrap();
    answer(wechat.api().oneshot(request).await.unwrap()).await
}

async fn answer<B>(response: Response<B>) -> (StatusCode, String, Bytes)
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError> + std::fmt::Debug>,
{
    let (head, body) = response.into_parts();
    let content_type = head.headers["content-type"].to_str().unwrap().to_owned();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, content_type, body)
}

/// Posts JSON to a path below `/cgi-bin/`, and returns the JSON of the answer.
async fn post(wechat: &Simulator, path: &str, json: &Value) -> Value {
    let uri = format!("/cgi-bin/{path}");
    let (status, content_type, body) = raw(wechat, Method::POST, &uri, json.to_string()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(content_type.starts_with("application/json"));
    serde_json::from_slice(&body).unwrap()
}

fn credentials() -> Value {
    json!({ "grant_type": "client_credential", "appid": APP_ID, "secret": APP_SECRET })
}

/// Returns a token and its life in seconds.
async fn token(wechat: &Simulator) -> (String, u64) {
    let json = post(wechat, "stable_token", &credentials()).await;
    let token = json["access_token"].as_str().unwrap().to_owned();
    (token, json["expires_in"].as_u64().unwrap())
}

/// Posts JSON with a token. Returns the errcode.
async fn command(wechat: &Simulator, path: &str, json: &Value) -> i64 {
    let (token, _) = token(wechat).await;
    let answer = post(wechat, &format!("{path}?access_token={token}"), json).await;
    answer["errcode"].as_i64().unwrap()
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A millisecond less.
const fn almost(seconds: u64) -> Duration {
    Duration::from_millis(seconds * 1000 - 1)
}

const MILLISECOND: Duration = Duration::from_millis(1);
