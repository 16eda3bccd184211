//! The finished stack, from WeChat's request to what the user sees, on the servers it is mounted on.

mod usage;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, routing::post};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use proptest::{collection::vec, prelude::*, sample::Index};
use sha1::{Digest, Sha1};
use tokio::{net::TcpListener, runtime};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use tower_wechat::{
    Account, DedupLayer, Message, ResponseBody, VerifySignatureLayer, message_fn,
    simulator::{RequestBody, Shown, Simulator},
};

const TOKEN: &str = "walnut42";

fn account() -> Account {
    Account::plain(TOKEN).unwrap()
}

/// Answers a voice with what it says and a text with itself, each after `delay`; counts its runs.
fn stack<B>(
    runs: &Arc<AtomicUsize>,
    delay: Duration,
) -> impl Service<
    Request<B>,
    Response = Response<ResponseBody>,
    Error = Infallible,
    Future: Send + 'static,
> + Clone
+ Send
+ Sync
+ 'static
where
    B: Body<Data: Send, Error: Send> + Send + 'static,
{
    let runs = Arc::clone(runs);
    ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account()))
        .layer(DedupLayer::in_memory())
        .service(message_fn(move |message: Message| {
            runs.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::time::sleep(delay).await;
                match message {
                    Message::Voice(voice) => voice.recognition,
                    Message::Text(text) => Some(text.content),
                    _ => None,
                }
            }
        }))
}

/// Plays a user's afternoon to a mounted stack.
async fn check<S, B>(wechat: &Simulator, mut service: S, runs: &AtomicUsize)
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Error: Into<BoxError>>,
{
    let verification = wechat.verify_url(&mut service).await;
    assert_eq!(verification.fault(), None);

    for (push, statuses, ran, text) in [
        (wechat.voice("m-1"), vec![Some(200)], 1, None),
        (
            wechat.voice("m-2").recognition("腾讯微信团队"),
            vec![Some(200)],
            1,
            Some("腾讯微信团队"),
        ),
        (
            wechat.voice("m-3").recognition("又一次").lose_answers(2),
            vec![None, None, Some(200)],
            1,
            Some("又一次"),
        ),
        (wechat.text("hi"), vec![Some(200)], 1, Some("hi")),
        (
            wechat.text("hi").forge_signature(),
            vec![Some(403)],
            0,
            None,
        ),
        (wechat.xml("<xml>broken"), vec![Some(200)], 0, None),
    ] {
        let transcript = push.deliver(&mut service).await;
        let deliveries = transcript.deliveries().iter();
        let found: Vec<_> = deliveries
            .map(|delivery| delivery.status().map(|status| status.as_u16()))
            .collect();
        assert_eq!(found, statuses, "{transcript}");
        assert_eq!(runs.swap(0, Ordering::Relaxed), ran, "{transcript}");
        assert_eq!(transcript.shown().text(), text, "{transcript}");
        assert_ne!(transcript.shown(), &Shown::Fault, "{transcript}");
    }
}

fn client() -> Client<HttpConnector, RequestBody> {
    Client::builder(TokioExecutor::new()).build_http()
}

/// A listener on loopback, and a simulator that delivers to it.
async fn listen() -> (TcpListener, Simulator) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/wechat", listener.local_addr().unwrap());
    let wechat = Simulator::new(account()).with_uri(uri).unwrap();
    (listener, wechat)
}

#[tokio::test(start_paused = true)]
async fn in_process() {
    let runs = Arc::default();
    let wechat = Simulator::new(account());
    check(&wechat, stack(&runs, Duration::ZERO), &runs).await;
}

#[tokio::test]
async fn on_axum() {
    let runs = Arc::default();
    let app = Router::new().route_service("/wechat", stack(&runs, Duration::ZERO));
    let (listener, wechat) = listen().await;
    tokio::spawn(async { axum::serve(listener, app).await });
    check(&wechat, client(), &runs).await;
}

#[tokio::test]
async fn on_hyper_util() {
    let runs = Arc::default();
    let service = TowerToHyperService::new(stack(&runs, Duration::ZERO));
    let (listener, wechat) = listen().await;
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let connection =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
            tokio::spawn(connection);
        }
    });
    check(&wechat, client(), &runs).await;
}

/// One's own axum handlers behind the check, with the body as they extract any other.
#[tokio::test]
async fn the_signature_layer_alone_around_a_router() {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let handler = move |body: Bytes| async move {
        assert!(body.starts_with(b"<xml>\n<ToUserName>"));
        count.fetch_add(1, Ordering::Relaxed);
        "success"
    };
    let app = Router::new()
        .route("/wechat", post(handler))
        .layer(VerifySignatureLayer::new(account()));
    let (listener, wechat) = listen().await;
    tokio::spawn(async { axum::serve(listener, app).await });

    assert_eq!(wechat.verify_url(client()).await.fault(), None);
    let forged = wechat.text("hi").forge_signature();
    let status = forged.deliver(client()).await.deliveries()[0].status();
    assert_eq!(status, Some(StatusCode::FORBIDDEN));
    assert_eq!(seen.load(Ordering::Relaxed), 0);

    let transcript = wechat.text("hi").deliver(client()).await;
    assert_eq!(transcript.shown(), &Shown::Nothing, "{transcript}");
    assert_eq!(seen.load(Ordering::Relaxed), 1);
}

/// A handler has longer than the five seconds of one delivery: the retry joins the run that goes on
/// after WeChat has hung up.
#[tokio::test(start_paused = true)]
async fn a_slow_answer_reaches_the_user_with_a_retry() {
    let runs = Arc::default();
    let wechat = Simulator::new(account());
    for (seconds, deliveries) in [(4, 1), (7, 2), (12, 3)] {
        let stack = stack(&runs, Duration::from_secs(seconds));
        let transcript = wechat.text("hi").deliver(stack).await;
        assert_eq!(transcript.shown().text(), Some("hi"), "{transcript}");
        assert_eq!(transcript.deliveries().len(), deliveries, "{transcript}");
        assert_eq!(runs.swap(0, Ordering::Relaxed), 1, "{transcript}");
    }
}

/// What is done to a valid request's query.
#[derive(Debug, Clone)]
enum Tampering {
    None,
    Forged,
    Replaced(Index, char),
    /// Timestamp and nonce are signed without a separator between them.
    Shifted,
    Removed(Index),
    Repeated(Index),
}

impl Tampering {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            4 => Just(Self::None),
            1 => Just(Self::Forged),
            3 => (any::<Index>(), prop::char::range('!', '~'))
                .prop_map(|(index, character)| Self::Replaced(index, character)),
            1 => Just(Self::Shifted),
            1 => any::<Index>().prop_map(Self::Removed),
            1 => any::<Index>().prop_map(Self::Repeated),
        ]
    }

    fn apply(&self, query: &str) -> String {
        let mut parameters: Vec<_> = query.split('&').collect();
        match self {
            Self::None | Self::Forged => query.to_owned(),
            Self::Replaced(index, character) => {
                let mut query: Vec<_> = query.chars().collect();
                *index.get_mut(&mut query) = *character;
                query.into_iter().collect()
            }
            Self::Shifted => {
                let (before, after) = query.split_once("&nonce=").unwrap();
                let (before, digit) = before.split_at(before.len() - 1);
                format!("{before}&nonce={digit}{after}")
            }
            Self::Removed(index) => {
                parameters.remove(index.index(parameters.len()));
                parameters.join("&")
            }
            Self::Repeated(index) => {
                let repeated = *index.get(&parameters);
                parameters.push(repeated);
                parameters.join("&")
            }
        }
    }
}

/// Whether a handler may run for a `query` that this has been done to.
fn may_run(tampering: &Tampering, original: &str, query: &str) -> bool {
    let is_unsigned = |index: &Index| {
        let parameters: Vec<_> = original.split('&').collect();
        index.get(&parameters[..]).starts_with("openid=")
    };
    match tampering {
        Tampering::None => true,
        Tampering::Forged | Tampering::Shifted => false,
        Tampering::Replaced(..) => is_signed(query),
        Tampering::Removed(index) | Tampering::Repeated(index) => is_unsigned(index),
    }
}

/// The oracle: whether the token's owner has signed this, by WeChat's page to the letter.
fn is_signed(query: &str) -> bool {
    let parameter = |wanted: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let value = pairs.find_map(|(name, value)| (name == wanted).then_some(value))?;
        Some(percent_encoding::percent_decode_str(value).decode_utf8_lossy())
    };
    let (Some(signature), Some(timestamp), Some(nonce)) = (
        parameter("signature"),
        parameter("timestamp"),
        parameter("nonce"),
    ) else {
        return false;
    };
    let mut parts = [TOKEN, &timestamp, &nonce];
    parts.sort_unstable();
    let digest = Sha1::digest(parts.concat());
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let digest: String = digits
        .map(|digit| char::from_digit(digit.into(), 16).unwrap())
        .collect();
    signature.eq_ignore_ascii_case(&digest)
}

/// Any bytes, or a message that something has happened to.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<Index>(), 0..8_usize, pieces());
    prop_oneof![
        1 => vec(any::<u8>(), 0..300),
        4 => (any::<bool>(), vec(edit, 0..4)).prop_map(|(is_voice, edits)| {
            let wechat = Simulator::new(account());
            let push = if is_voice {
                wechat.voice("m").recognition("你好")
            } else {
                wechat.text("hi")
            };
            let mut body = push.request().unwrap().into_body().to_vec();
            for (start, removed, piece) in edits {
                let start = start.index(body.len());
                let end = body.len().min(start + removed);
                body.splice(start..end, piece);
            }
            body
        }),
    ]
}

/// What makes XML go wrong, more often than chance has it.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "",
        "<",
        ">",
        "]]>",
        "<![CDATA[",
        "</xml>",
        "<xml>",
        "&",
        "&#0;",
        "<!--",
        "<!DOCTYPE x>",
        "<?",
        "<MsgType>event</MsgType>",
        "<MsgId>",
        "\u{0}",
        "\u{2}",
        "语",
    ]);
    prop_oneof![
        3 => known.prop_map(|piece| piece.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..4),
    ]
}

proptest! {
    /// No panic, no handler without a valid signature, and under a valid one no status that makes
    /// WeChat send a body again that cannot be mended.
    #[test]
    fn whatever_arrives_is_answered(body in bodies(), tampering in Tampering::any()) {
        let mut push = Simulator::new(account()).xml(body.clone());
        if matches!(tampering, Tampering::Forged) {
            push = push.forge_signature();
        }
        let mut request = push.request().unwrap();
        let original = request.uri().query().unwrap().to_owned();
        let query = tampering.apply(&original);
        // Some characters make it no URI at all, which no server gets to see.
        if let Ok(uri) = format!("/wechat?{query}").parse() {
            *request.uri_mut() = uri;
            let runs = Arc::default();
            let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let response = runtime
                .block_on(stack(&runs, Duration::ZERO).oneshot(request.map(Full::new)))
                .unwrap();

            let query = query.split('#').next().unwrap();
            let runs = runs.load(Ordering::Relaxed);
            prop_assert!(runs <= usize::from(may_run(&tampering, &original, query)), "{query}");
            if matches!(tampering, Tampering::None) {
                let expected = if body.is_empty() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
                prop_assert_eq!(response.status(), expected);
            }
        }
    }
}
