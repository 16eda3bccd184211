//! Tests: what a stored response keeps, and what it gives to each delivery.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use super::*;

/// A store in this process keeps all of it.
#[test]
fn the_size_counts_what_stands_behind_the_body() {
    let of = |behind| StoredResponse {
        behind,
        ..StoredResponse::new(StatusCode::OK, None, b"0123")
    };
    let whole = Whole {
        reply: Reply::text("01234567").then("0123"),
        rest: Some(Reply::text("01")),
    };
    let whole = of(Behind::Whole(Arc::new(whole)));
    assert_eq!(whole.size(), 4 + 12 + 2);
    assert_eq!(whole.without_reply().size(), 4);
}

/// What a client has read is a slice of its buffer.
#[test]
fn no_part_keeps_the_buffer_that_it_was_read_into() {
    let buffer = Bytes::from("text/html".repeat(100));
    let content_type = HeaderValue::from_maybe_shared(buffer.slice(..9)).expect("a value");
    let response = StoredResponse::new(StatusCode::OK, Some(content_type), buffer.slice(9..));
    assert!(buffer.is_unique());
    assert_eq!(response.content_type().expect("kept"), "text/html");
    assert_eq!(response.body(), &buffer[9..]);
}

#[test]
fn each_response_that_is_made_of_it_has_the_whole_body_once() {
    let stored = StoredResponse::new(StatusCode::OK, None, "reply");
    for _ in 0..2 {
        let mut body = stored.clone().into_response().into_body();
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(
            (body.size_hint().exact(), body.is_end_stream()),
            (Some(5), false)
        );
        let frame = Pin::new(&mut body).poll_frame(&mut cx);
        let Poll::Ready(Some(Ok(frame))) = frame else {
            panic!("expected a frame, got {frame:?}");
        };
        assert_eq!(frame.into_data().expect("data"), "reply");
        assert_eq!(
            (body.size_hint().exact(), body.is_end_stream()),
            (Some(0), true)
        );
        assert!(body.to_bytes().is_empty());
    }
}
