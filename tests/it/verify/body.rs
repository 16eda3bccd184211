use std::{
    convert::Infallible,
    io, iter,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Full, StreamBody};
use tokio::{
    sync::mpsc,
    time::{Instant, advance, sleep},
};
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};
use tower_wechat::{
    Verified,
    callback::ErrorKind,
    verify::{Rejection, RejectionKind},
};

use super::{MESSAGE, NONCE, get, layer, post, query, send, signed};

type Frames = mpsc::UnboundedSender<Result<Frame<Bytes>, io::Error>>;

/// A body that a test writes frame by frame; dropping the sender ends it.
fn channel() -> (Frames, impl Body<Data = Bytes, Error = io::Error>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let frames = stream::unfold(receiver, async |mut receiver| {
        Some((receiver.recv().await?, receiver))
    });
    (sender, StreamBody::new(Box::pin(frames)))
}

#[expect(clippy::unnecessary_wraps, reason = "what a body's stream yields")]
fn data(bytes: &'static str) -> Result<Frame<Bytes>, io::Error> {
    Ok(Frame::data(bytes.into()))
}

fn request<B>(body: B) -> Request<B> {
    post(&signed()).map(|_| body)
}

#[tokio::test(start_paused = true)]
async fn a_stalled_body_is_given_up_two_seconds_after_the_head() {
    let (_frames, body) = channel();
    let mut service = layer().layer(service_fn(async |_: Request<Verified>| {
        Ok::<_, Infallible>(http::Response::new(Full::<Bytes>::default()))
    }));
    let arrival = Instant::now();
    let response = service.call(request(body));
    // The server is slow to look at it; that is part of the two seconds.
    advance(Duration::from_millis(700)).await;
    let response = response.await.unwrap();
    assert_eq!(response.status(), 408);
    assert!(
        response
            .extensions()
            .get::<Rejection>()
            .unwrap()
            .is_signed()
    );
    // tokio's timer counts whole milliseconds.
    let waited = arrival.elapsed();
    assert!((2000..=2001).contains(&waited.as_millis()), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_read_to_its_end() {
    let (frames, body) = channel();
    tokio::spawn(async move {
        for part in ["<xml>", "", "<MsgType>te", "xt</MsgType>", "</xml>"] {
            sleep(Duration::from_millis(390)).await;
            frames.send(data(part)).unwrap();
        }
        frames.send(Ok(Frame::trailers(HeaderMap::new()))).unwrap();
    });
    let outcome = send(&layer(), request(body)).await;
    assert_eq!((outcome.runs, &*outcome.body), (1, MESSAGE.as_bytes()));
}

#[tokio::test(start_paused = true)]
async fn a_trickling_body_gains_no_time() {
    let (frames, body) = channel();
    tokio::spawn(async move {
        while frames.send(data("<")).is_ok() {
            sleep(Duration::from_millis(300)).await;
        }
    });
    let start = Instant::now();
    let outcome = send(
        &layer().with_body_timeout(Duration::from_secs(1)),
        request(body),
    )
    .await;
    assert_eq!(outcome.rejection(), Some(RejectionKind::BodyTimeout));
    assert_eq!(outcome.runs, 0);
    assert!(
        start.elapsed() < Duration::from_millis(1100),
        "{:?}",
        start.elapsed()
    );
}

/// A body that is always ready, with nothing, would never end.
#[tokio::test(start_paused = true)]
async fn a_body_of_empty_frames_is_given_up() {
    let endless = || StreamBody::new(stream::repeat_with(|| data("")));
    let layer = layer().with_body_timeout(Duration::MAX);
    let outcome = send(&layer, request(endless())).await;
    assert_eq!(outcome.rejection(), Some(RejectionKind::BodyTooLarge));

    let service = layer.layer(service_fn(move |_: Request<Verified>| async move {
        Ok::<_, Infallible>(http::Response::new(endless()))
    }));
    let response = service
        .oneshot(request(Full::<Bytes>::from(MESSAGE)))
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), response.body().as_bytes()),
        (500, &b""[..])
    );

    // A few do no harm.
    let some = iter::repeat_with(|| data("")).take(1024);
    let frames = stream::iter(some.chain([data(MESSAGE)]));
    let outcome = send(&layer, request(StreamBody::new(frames))).await;
    assert_eq!((outcome.runs, &*outcome.body), (1, MESSAGE.as_bytes()));
}

/// Many frames without data must not keep the timer from its turn.
#[tokio::test]
async fn empty_frames_gain_no_time() {
    let frames = stream::repeat_with(|| {
        std::thread::sleep(Duration::from_millis(1));
        data("")
    });
    let layer = layer().with_body_timeout(Duration::from_millis(20));
    let outcome = send(&layer, request(StreamBody::new(frames))).await;
    assert_eq!(outcome.rejection(), Some(RejectionKind::BodyTimeout));
}

#[tokio::test(start_paused = true)]
async fn a_body_is_rejected_with_the_byte_that_is_too_much() {
    for (parts, expected) in [
        (&["123456", "7890"], None),
        (&["123456", "78901"], Some(RejectionKind::BodyTooLarge)),
    ] {
        let (frames, body) = channel();
        for part in parts {
            frames.send(data(part)).unwrap();
        }
        // The one that is too large is rejected although it goes on.
        let frames = expected.map(|_| frames);
        let outcome = send(&layer().with_body_limit(10), request(body)).await;
        assert_eq!(outcome.rejection(), expected);
        assert_eq!(outcome.runs, usize::from(expected.is_none()));
        drop(frames);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_rejected() {
    let (frames, body) = channel();
    frames.send(data("<xml>")).unwrap();
    frames
        .send(Err(io::ErrorKind::ConnectionReset.into()))
        .unwrap();
    let outcome = send(&layer(), request(body)).await;
    assert_eq!(outcome.rejection(), Some(RejectionKind::BodyIncomplete));
    assert_eq!(
        (outcome.response.status(), outcome.runs),
        (http::StatusCode::BAD_REQUEST, 0)
    );
    let extensions = outcome.response.extensions();
    assert!(extensions.get::<Rejection>().unwrap().is_signed());
}

#[tokio::test(start_paused = true)]
async fn a_body_without_data_is_empty() {
    let (frames, body) = channel();
    frames.send(data("")).unwrap();
    drop(frames);
    let outcome = send(&layer(), request(body)).await;
    assert_eq!(outcome.rejection(), Some(RejectionKind::BodyEmpty));
}

/// For who cannot sign, or announces too much, nothing is read from the socket.
#[tokio::test(start_paused = true)]
async fn rejected_bodies_are_never_polled() {
    let unsigned = query(&"0".repeat(40), "1735689600", NONCE);
    let outcome = send(&layer(), post(&unsigned).map(|_| Untouchable(1))).await;
    assert_eq!(
        outcome.rejection(),
        Some(RejectionKind::Callback(ErrorKind::Signature))
    );

    let outcome = send(&layer(), request(Untouchable(65_537))).await;
    assert_eq!(outcome.rejection(), Some(RejectionKind::BodyTooLarge));

    // A layer in between may have lost the body's size, but not the header.
    let mut announced = request(Untouchable(0));
    let length = "65537".parse().unwrap();
    announced
        .headers_mut()
        .insert(header::CONTENT_LENGTH, length);
    let outcome = send(&layer(), announced).await;
    assert_eq!(outcome.rejection(), Some(RejectionKind::BodyTooLarge));

    let verification = get(&format!("{}&echostr=1", signed())).map(|_| Untouchable(1));
    assert_eq!(send(&layer(), verification).await.body, "1");
}

/// A body of a known size that nobody may read.
struct Untouchable(u64);

impl Body for Untouchable {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("the body was polled")
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0)
    }
}
