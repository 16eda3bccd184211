//! A WeChat that answers as its documentation says, or as a test has told it to.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    future::pending,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::{
    HeaderMap, Method, Request, Response,
    header::{CONTENT_DISPOSITION, CONTENT_TYPE},
};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use tokio::{sync::Semaphore, time::Instant};
use tower::{BoxError, Service, service_fn};
use tower_wechat::api::RequestBody;

#[derive(Clone)]
pub(crate) struct WeChat(Arc<Mutex<State>>);

struct State {
    begun: Instant,
    seen: Vec<Seen>,
    /// By path.
    scripts: BTreeMap<&'static str, VecDeque<Answer>>,
    /// With their ends.
    tokens: Vec<(String, Instant)>,
    /// The number of tokens ever made.
    made: u32,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) uri: String,
    /// Below `/cgi-bin/`.
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Since the beginning of the test.
    pub(crate) at: Duration,
}

impl Seen {
    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.headers[CONTENT_TYPE], "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[cfg_attr(
    not(feature = "tracing"),
    expect(dead_code, reason = "the tests of the log use all answers")
)]
#[derive(Clone)]
pub(crate) enum Answer {
    /// A 200 with this errcode.
    Code(i64, &'static str),
    /// The status, the Content-Type and the body.
    Http(u16, &'static str, Bytes),
    File(&'static str, &'static str, &'static [u8]),
    /// As WeChat would, once the semaphore has a permit.
    Gated(Arc<Semaphore>),
    /// The HTTP client's error is made from the request's URI and body.
    ClientError(fn(&str, &str) -> BoxError),
    /// The errmsg is made from the request's URI and body.
    Echo(i64),
    Never,
    /// The body begins and never ends.
    HalfBody,
    BrokenBody,
    /// A body of this many bytes, in frames of 64 KiB.
    Bytes(usize),
    /// The same, with a Content-Length.
    Sized(usize),
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

impl WeChat {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            begun: Instant::now(),
            seen: Vec::new(),
            scripts: BTreeMap::new(),
            tokens: Vec::new(),
            made: 0,
        })))
    }

    /// Answers the next calls of a path with `answers`, and the ones after them as WeChat does.
    pub(crate) fn script(&self, path: &'static str, answers: impl IntoIterator<Item = Answer>) {
        let mut state = self.0.lock().unwrap();
        state.scripts.entry(path).or_default().extend(answers);
    }

    /// Returns the requests for a path so far.
    pub(crate) fn seen(&self, path: &str) -> Vec<Seen> {
        let state = self.0.lock().unwrap();
        let seen = state.seen.iter().filter(|seen| seen.path == path);
        seen.cloned().collect()
    }

    pub(crate) fn count(&self, path: &str) -> usize {
        self.seen(path).len()
    }

    /// Ends the life of the latest token.
    pub(crate) fn end_token(&self) {
        self.0.lock().unwrap().tokens.clear();
    }

    pub(crate) fn client(
        &self,
    ) -> impl Service<
        Request<RequestBody>,
        Response = Response<Body>,
        Error = BoxError,
        Future: Send,
    > + Clone
    + Send
    + Sync
    + use<> {
        let wechat = self.clone();
        service_fn(move |request| {
            let wechat = wechat.clone();
            async move { wechat.answer(request).await }
        })
    }

    async fn answer(&self, request: Request<RequestBody>) -> Result<Response<Body>, BoxError> {
        let (head, body) = request.into_parts();
        let (is_empty, length) = (body.is_end_stream(), body.size_hint().exact());
        let body = body.collect().await.unwrap().to_bytes();
        assert_eq!(
            (is_empty, length),
            (body.is_empty(), Some(body.len() as u64))
        );
        let uri = head.uri.to_string();
        let path = head.uri.path().split_once("/cgi-bin/").unwrap().1;
        let parameters = head.uri.query().unwrap_or_default().split('&');
        let parameters = parameters.filter_map(|parameter| parameter.split_once('='));
        let text = |text| percent_encoding::percent_decode_str(text).decode_utf8_lossy();
        let parameters = parameters.map(|(name, value)| (name.to_owned(), text(value).into()));
        let (seen, script) = {
            let mut state = self.0.lock().unwrap();
            let seen = Seen {
                method: head.method,
                uri: uri.clone(),
                path: path.to_owned(),
                query: parameters.collect(),
                headers: head.headers,
                body,
                at: state.begun.elapsed(),
            };
            state.seen.push(seen.clone());
            let script = state.scripts.get_mut(path);
            (seen, script.and_then(VecDeque::pop_front))
        };
        let sent = String::from_utf8_lossy(&seen.body);
        let frame = |bytes| Ok(Frame::data(bytes));
        let streamed = |frames| Response::new(StreamBody::new(frames).boxed_unsync());
        let half = || stream::iter([frame(Bytes::from_static(b"{\"errcode\":"))]);
        Ok(match script {
            None => self.right(&seen),
            Some(Answer::Gated(gate)) => {
                gate.acquire().await.unwrap().forget();
                self.right(&seen)
            }
            Some(Answer::Code(errcode, errmsg)) => failure(errcode, errmsg),
            Some(Answer::Echo(errcode)) => failure(errcode, &format!("invalid {uri} {sent}")),
            Some(Answer::Http(status, content_type, body)) => {
                let mut response = text_response(content_type, body);
                *response.status_mut() = status.try_into().unwrap();
                response
            }
            Some(Answer::File(content_type, disposition, bytes)) => {
                let mut response = text_response(content_type, Bytes::from_static(bytes));
                let headers = response.headers_mut();
                headers.insert(CONTENT_DISPOSITION, disposition.parse().unwrap());
                response
            }
            Some(Answer::ClientError(error)) => return Err(error(&uri, &sent)),
            Some(Answer::Never) => pending().await,
            Some(Answer::HalfBody) => streamed(half().chain(stream::pending()).boxed()),
            Some(Answer::BrokenBody) => {
                let broken = stream::iter([Err(io::Error::other(format!("cut off: {uri}")))]);
                streamed(half().chain(broken).boxed())
            }
            Some(Answer::Bytes(bytes)) => streamed(frames(bytes).boxed()),
            Some(Answer::Sized(bytes)) => {
                let body = StreamBody::new(frames(bytes));
                Response::new(Sized { body, left: bytes }.boxed_unsync())
            }
        })
    }

    /// Answers as WeChat's documentation says.
    fn right(&self, seen: &Seen) -> Response<Body> {
        if seen.path == super::TOKEN {
            assert_eq!(seen.method, Method::POST);
            return self.token(&seen.json());
        }
        let token = &seen.query["access_token"];
        let tokens = &self.0.lock().unwrap().tokens;
        if !tokens
            .iter()
            .any(|(it, end)| it == token && *end > Instant::now())
        {
            return failure(
                40_001,
                "invalid credential, access_token is invalid or not latest",
            );
        }
        match &*seen.path {
            super::MEDIA if seen.query["media_id"] == "Me1" => {
                let mut response =
                    text_response("image/jpeg", Bytes::from_static(b"\xff\xd8\xff!"));
                let name = "attachment; filename=\"Me1.jpg\"".parse().unwrap();
                response.headers_mut().insert(CONTENT_DISPOSITION, name);
                response
            }
            super::MEDIA => failure(40_007, "invalid media_id"),
            super::UPLOAD => {
                let media =
                    r#"{"type":"image","media_id":"Up1","created_at":1767225600,"item":[]}"#;
                text_response("text/plain", media.into())
            }
            super::SEND | super::TYPING => failure(0, "ok"),
            path => panic!("{path}"),
        }
    }

    /// Gives everyone the same token until five minutes before its end.
    fn token(&self, asked: &serde_json::Value) -> Response<Body> {
        let State { tokens, made, .. } = &mut *self.0.lock().unwrap();
        assert_eq!(asked["grant_type"], "client_credential");
        if asked["appid"] != super::APP_ID || asked["secret"] != super::SECRET {
            return failure(40_125, "invalid appsecret");
        }
        let now = Instant::now();
        if tokens
            .last()
            .is_none_or(|(_, end)| *end < now + super::secs(300))
        {
            *made += 1;
            // With characters that a URL escapes.
            tokens.push((format!("7_t0ken+{made}/=="), now + super::secs(7200)));
        }
        let (token, end) = tokens.last().unwrap();
        let life = end.duration_since(now).as_secs();
        let json = format!(r#"{{"access_token":"{token}","expires_in":{life}}}"#);
        text_response("application/json; charset=utf-8", json.into())
    }
}

fn failure(errcode: i64, errmsg: &str) -> Response<Body> {
    let json = serde_json::json!({ "errcode": errcode, "errmsg": errmsg });
    text_response("application/json; encoding=utf-8", json.to_string().into())
}

fn text_response(content_type: &str, body: Bytes) -> Response<Body> {
    let never = |never: Infallible| match never {};
    let mut response = Response::new(Full::new(body).map_err(never).boxed_unsync());
    if !content_type.is_empty() {
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
    }
    response
}

fn frames(bytes: usize) -> impl Stream<Item = io::Result<Frame<Bytes>>> {
    let starts = (0..bytes).step_by(FRAME.len());
    let frame = move |start| FRAME.slice(..FRAME.len().min(bytes - start));
    stream::iter(starts.map(move |start| Ok(Frame::data(frame(start)))))
}

/// A body that knows its length.
struct Sized<B> {
    body: B,
    left: usize,
}

impl<B: http_body::Body<Data = Bytes> + Unpin> http_body::Body for Sized<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            self.left -= frame.data_ref().unwrap().len();
        }
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

static FRAME: Bytes = Bytes::from_static(&[b'x'; 64 * 1024]);
