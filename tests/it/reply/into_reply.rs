//! What a handler may return, and what becomes of it.

use std::{borrow::Cow, convert::Infallible, fmt, io};

use http::{Request, StatusCode};
use tower::{BoxError, ServiceExt, service_fn};
use tower_wechat::{Message, MessageService, Reply, message_fn, reply::IntoReply};

use crate::assume;

const TEXT: &str = "<xml><ToUserName>gh_account</ToUserName><FromUserName>openid</FromUserName>\
    <CreateTime>1</CreateTime><MsgType>text</MsgType><Content>hi</Content><MsgId>7</MsgId></xml>";

/// Checks the conversion, and what WeChat gets when a handler returns `value`.
#[track_caller]
fn check<T: IntoReply + Clone>(value: T, expected: Result<&Reply, &str>) {
    let found = value.clone().into_reply();
    let found = found.as_ref().map_err(ToString::to_string);
    assert_eq!(found, expected.map_err(str::to_owned));

    let service = message_fn(move |_: Message| std::future::ready(value.clone()));
    check_answer(service, expected.ok());
}

/// `None` is a failure.
#[track_caller]
fn check_answer<H>(service: MessageService<H>, expected: Option<&Reply>)
where
    H: tower::Service<Request<Message>, Response: IntoReply, Error: fmt::Display> + Clone,
{
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let request = Request::new(assume(TEXT));
    let response = runtime.unwrap().block_on(service.oneshot(request)).unwrap();
    let body = response.body();
    assert_eq!(body.reply(), expected);
    if let Some(reply) = expected {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(body.as_bytes() == b"success", reply.is_success());
    } else {
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(body.as_bytes(), b"");
    }
}

/// Displayable, and no `std::error::Error`.
#[derive(Clone)]
struct Complaint(&'static str);

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Shows its causes with `{:#}` alone, as `anyhow::Error` does.
#[derive(Clone)]
struct Chain;

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot answer")?;
        if f.alternate() {
            f.write_str(": cannot reach the model: connection refused")?;
        }
        Ok(())
    }
}

const WHOLE_CHAIN: &str = "cannot answer: cannot reach the model: connection refused";

#[test]
fn every_kind_of_value_has_its_outcome() {
    let (hi, success) = (&Reply::text("hi"), &Reply::success());
    let image = &Reply::image("media-1");

    check(image.clone(), Ok(image));
    check(Reply::success(), Ok(success));
    check((), Ok(success));
    check("hi", Ok(hi));
    check("hi".to_owned(), Ok(hi));
    check(Cow::Borrowed("hi"), Ok(hi));
    check(Cow::<str>::Owned("hi".into()), Ok(hi));

    check(Some("hi"), Ok(hi));
    check(Some(image.clone()), Ok(image));
    check(None::<String>, Ok(success));
    check(Some(None::<Reply>), Ok(success));

    check(Ok::<_, Infallible>("hi"), Ok(hi));
    check(Ok::<_, Complaint>(Some("hi".to_owned())), Ok(hi));
    check(Ok::<Option<Reply>, Complaint>(None), Ok(success));
    check(Some(Ok::<_, Complaint>(())), Ok(success));

    check(Err::<Reply, _>("out of paper"), Err("out of paper"));
    check(Err::<(), _>(String::from("no ink")), Err("no ink"));
    check(
        Err::<Option<String>, _>(io::ErrorKind::TimedOut),
        Err("timed out"),
    );
    check(Err::<&str, _>(Complaint("too loud")), Err("too loud"));
    check(Some(Err::<(), _>(Complaint("too loud"))), Err("too loud"));
    check(Err::<(), _>(Chain), Err(WHOLE_CHAIN));
    check(Ok::<_, Complaint>(Err::<(), _>(Chain)), Err(WHOLE_CHAIN));
}

/// A `BoxError` is `Display`, although it is no `Error`.
#[test]
fn a_boxed_error_is_a_failure() {
    async fn answer(_: Message) -> Result<String, BoxError> {
        let number: u32 = "seven".parse()?;
        Ok(number.to_string())
    }

    let error: Result<(), BoxError> = Err("out of paper".into());
    assert_eq!(error.into_reply().unwrap_err().to_string(), "out of paper");
    check_answer(message_fn(answer), None);
}

/// A service has an error beside its response. Both say that the run has failed.
#[test]
fn the_error_of_a_service_need_be_no_error_type() {
    let failing = service_fn(async |_: Request<Message>| Err::<Reply, _>(Complaint("too loud")));
    check_answer(MessageService::new(failing), None);
    let inside =
        service_fn(async |_: Request<Message>| Ok::<_, Chain>(Err::<(), _>(Complaint("too loud"))));
    check_answer(MessageService::new(inside), None);
    let answering = service_fn(async |_: Request<Message>| Ok::<_, Complaint>(Some("hi")));
    check_answer(MessageService::new(answering), Some(&Reply::text("hi")));
}

/// The log has all of the chain, wherever the error comes from.
#[cfg(feature = "tracing")]
#[test]
fn the_log_shows_the_whole_chain() {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let log = runtime.unwrap().block_on(crate::log::of(async || {
        let request = || Request::new(assume(TEXT));
        let returned = message_fn(|_: Message| async { Err::<(), _>(Chain) });
        returned.oneshot(request()).await.unwrap();
        let failed = service_fn(async |_: Request<Message>| Err::<Reply, _>(Chain));
        let failed = MessageService::new(failed);
        failed.oneshot(request()).await.unwrap();
    }));
    crate::log::check(&log, [&["ERROR", WHOLE_CHAIN], &["ERROR", WHOLE_CHAIN]]);
}
