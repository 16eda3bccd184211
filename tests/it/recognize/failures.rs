//! A message that cannot be recognized reaches the handler without words, and with the reason.

use std::{
    future::{Pending, Ready, pending, ready},
    task::{Context, Poll},
};

use tower_wechat::{api::ErrorKind as Fetch, recognize::ErrorKind};

use super::*;

/// Checks that a voice message whose recording is answered so, is without words for this reason. Returns how long it took.
async fn check(
    answers: impl IntoIterator<Item = Answer>,
    recognizer: impl Recognizes,
    kind: ErrorKind,
    message: &str,
) -> u64 {
    let wechat = WeChat::new();
    wechat.script(MEDIA, answers);
    let layer = RecognizeLayer::new(api(&wechat), recognizer);
    let begun = tokio::time::Instant::now();
    let mut empty = voice("Vo1");
    empty.recognition = Some(" ".to_owned());
    let error = words(&layer, empty).await.unwrap_err();
    assert_eq!(error.kind(), kind);
    assert_eq!(error.to_string(), message);
    assert_eq!(format!("{error:?}"), message);
    let is_fetch = matches!(kind, ErrorKind::Fetch(_));
    let source = std::error::Error::source(&error);
    let source = source.map(|source| source.downcast_ref::<tower_wechat::api::Error>().unwrap());
    assert!(source.is_some() || !is_fetch);
    begun.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn a_recording_that_cannot_be_fetched() {
    let html = || Answer::Http(200, "text/html", "<html>sign in".into());
    for (answers, kind, message, took) in [
        (
            vec![Answer::Code(40_007, "invalid media_id")],
            Fetch::MediaId,
            "cannot fetch a media file: WeChat answered 40007 (invalid media_id): media are kept for three days, and \
             belong to one account",
            0,
        ),
        (
            vec![Answer::Code(48_001, "api unauthorized")],
            Fetch::Unauthorized,
            "cannot fetch a media file: WeChat answered 48001 (api unauthorized): unverified accounts may not make this \
             call",
            0,
        ),
        (
            vec![Answer::Code(-1, "system error"); 4],
            Fetch::Busy,
            "cannot fetch a media file: WeChat answered -1 (system error)",
            7,
        ),
        (
            vec![Answer::Code(42_001, "access_token expired"); 2],
            Fetch::AccessToken,
            "cannot fetch a media file: WeChat answered 42001 (access_token expired): does another program fetch tokens \
             of this account?",
            0,
        ),
        (
            vec![Answer::Never],
            Fetch::Timeout,
            "cannot fetch a media file: no whole answer within 10s",
            10,
        ),
        (
            vec![html()],
            Fetch::Response,
            "cannot fetch a media file: expected a recording, found 13 bytes of text/html",
            0,
        ),
        (
            vec![Answer::Http(502, "text/html", "<html>".into())],
            Fetch::Status,
            "cannot fetch a media file: expected the HTTP status 200, found 502 Bad Gateway",
            0,
        ),
        (
            vec![Answer::ClientError(|uri, _| {
                format!("no route for {uri}").into()
            })],
            Fetch::Client,
            "cannot fetch a media file: the HTTP client failed: no route for \
             https://api.weixin.qq.com/cgi-bin/media/get?[removed]",
            0,
        ),
    ] {
        let never = Counted::default();
        let kind = ErrorKind::Fetch(kind);
        assert_eq!(
            check(answers, never.saying("no"), kind, message).await,
            took
        );
        assert_eq!(never.count(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_recording_over_a_limit_is_not_recognized() {
    let never = Counted::default();
    for answer in [
        Answer::Bytes((2 << 20) + 1),
        Answer::Bytes(11 << 20),
        Answer::Sized(11 << 20),
    ] {
        let message =
            "cannot fetch a media file: expected an answer of at most 2097152 bytes, found more";
        check([answer], never.saying("no"), ErrorKind::TooLarge, message).await;
    }
    let message = "expected a recording of at most 61s, found 61.02s";
    let answer = file(amr(61 * 50 + 1));
    check([answer], never.saying("no"), ErrorKind::TooLong, message).await;
    assert_eq!(never.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn limits_can_be_set_and_what_is_within_them_is_recognized() {
    let recognized = async |recording: Vec<u8>, set: fn(RecognizeLayer) -> RecognizeLayer| {
        let layer = RecognizeLayer::new(api(&keeping(recording)), Counted::default().saying("好"));
        words(&set(layer), voice("Vo1"))
            .await
            .map_err(|error| error.kind())
    };
    let good = Ok("好".to_owned());
    let default = |layer| layer;
    assert_eq!(recognized(amr(61 * 50), default).await, good);
    // Not AMR, so its duration is not known.
    assert_eq!(recognized(vec![1; 2 << 20], default).await, good);
    let bytes: fn(RecognizeLayer) -> _ = |layer| layer.with_max_bytes(38);
    assert_eq!(recognized(amr(1), bytes).await, good);
    assert_eq!(recognized(amr(2), bytes).await, Err(ErrorKind::TooLarge));
    let duration: fn(RecognizeLayer) -> _ = |layer| layer.with_max_duration(secs(1));
    assert_eq!(recognized(amr(50), duration).await, good);
    assert_eq!(recognized(amr(51), duration).await, Err(ErrorKind::TooLong));
}

/// A recording that is cut off has fewer whole frames. The recognizer decides what can be understood.
#[tokio::test(start_paused = true)]
async fn a_truncated_recording_is_recognized_as_it_is() {
    for length in [6, 7, 36, 37, 70] {
        let mut cut = amr(2);
        cut.truncate(length);
        let layer = RecognizeLayer::new(
            api(&keeping(cut)),
            Counted::default().recognizer(async |recording: Recording| {
                Ok::<_, Infallible>(recording.as_bytes().len().to_string())
            }),
        );
        let words = words(&layer, voice("Vo1")).await;
        assert_eq!(words.unwrap(), length.min(70).to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn a_recognizer_that_fails_or_says_nothing_or_too_much() {
    let amr = || [file(amr(50))];
    let fails = service_fn(async |_: Recording| Err::<String, _>("no money left"));
    let message = "the recognizer failed: no money left";
    check(amr(), fails, ErrorKind::Recognizer, message).await;
    for blank in ["", " ", "\r\n\t\u{3000}\u{a0}"] {
        let message = "the recognizer found no words";
        let says = Counted::default();
        check(amr(), says.saying(blank), ErrorKind::NoWords, message).await;
    }
    for (length, found) in [(8193, "8193"), (100 << 10, "102400")] {
        let says = service_fn(move |_: Recording| ready(Ok::<_, Infallible>("a".repeat(length))));
        let message =
            format!("expected at most 8192 bytes of words from the recognizer, found {found}");
        check(amr(), says, ErrorKind::TooManyWords, &message).await;
    }
}

/// The blanks around them do not count.
#[tokio::test(start_paused = true)]
async fn words_of_8_kib_are_accepted() {
    let long = || "字a".repeat(2048);
    let says = service_fn(move |_: Recording| ready(Ok::<_, Infallible>(format!(" {} ", long()))));
    let layer = RecognizeLayer::new(api(&keeping(amr(1))), says);
    assert_eq!(words(&layer, voice("Vo1")).await.unwrap(), long());
}

#[tokio::test(start_paused = true)]
async fn a_recognizer_that_is_too_slow_is_dropped_after_20_s() {
    let dropped = Counted::default();
    let slow = |seconds| {
        let dropped = dropped.clone();
        service_fn(move |_: Recording| {
            let counting = OnDrop(dropped.clone());
            async move {
                let _counting = counting;
                tokio::time::sleep(secs(seconds)).await;
                Ok::<_, Infallible>("好".to_owned())
            }
        })
    };
    let message = "not recognized within 20s";
    let took = check([file(amr(1))], slow(21), ErrorKind::Timeout, message).await;
    assert_eq!((took, dropped.count()), (20, 1));
    let layer = RecognizeLayer::new(api(&keeping(amr(1))), slow(19));
    assert_eq!(words(&layer, voice("Vo1")).await.unwrap(), "好");
    let layer = layer.with_timeout(secs(18));
    let error = words(&layer, voice("Vo2")).await.unwrap_err();
    assert_eq!(error.to_string(), "not recognized within 18s");
}

/// The time is that of the fetch as well.
#[tokio::test(start_paused = true)]
async fn a_slow_fetch_leaves_less_time_to_recognize() {
    let busy = || Answer::Code(-1, "system error");
    let slow = service_fn(async |_: Recording| {
        tokio::time::sleep(secs(14)).await;
        Ok::<_, Infallible>("好".to_owned())
    });
    let message = "not recognized within 20s";
    let answers = [busy(), busy(), busy(), file(amr(1))];
    assert_eq!(check(answers, slow, ErrorKind::Timeout, message).await, 20);
}

/// A recognizer that panics in one of its parts.
struct Panics(&'static str);

impl Clone for Panics {
    fn clone(&self) -> Self {
        assert!(self.0 != "clone");
        Self(self.0)
    }
}

impl Service<Recording> for Panics {
    type Response = String;
    type Error = Infallible;
    type Future = Ready<Result<String, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        assert!(self.0 != "poll_ready");
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Recording) -> Self::Future {
        assert!(self.0 != "call");
        ready(Ok("好".to_owned()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_recognizer_that_panics() {
    let message = "the recognizer or the HTTP client panicked";
    for part in ["clone", "poll_ready", "call"] {
        let answers = [file(amr(1))];
        check(answers, Panics(part), ErrorKind::Panicked, message).await;
    }
    let panics = service_fn(async |_: Recording| -> Result<String, Infallible> { panic!("!") });
    check([file(amr(1))], panics, ErrorKind::Panicked, message).await;
    // Dropped after the time limit.
    let panics = service_fn(|_: Recording| {
        let guard = PanicOnDrop;
        async move {
            let _guard = guard;
            let never: Pending<Result<String, Infallible>> = pending();
            never.await
        }
    });
    check([file(amr(1))], panics, ErrorKind::Panicked, message).await;
}

struct PanicOnDrop;

impl Drop for PanicOnDrop {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

struct OnDrop(Counted);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// The recognition goes on with a token that is still valid.
#[tokio::test(start_paused = true)]
async fn a_token_that_has_ended_is_no_failure() {
    let wechat = WeChat::new();
    wechat.script(
        MEDIA,
        [Answer::Code(42_001, "access_token expired"), file(amr(1))],
    );
    let layer = RecognizeLayer::new(api(&wechat), Counted::default().saying("好"));
    assert_eq!(words(&layer, voice("Vo1")).await.unwrap(), "好");
    assert_eq!(wechat.count(MEDIA), 2);
}

/// A message with an id that no API accepts is only a message without words.
#[tokio::test(start_paused = true)]
async fn a_voice_message_without_a_media_id() {
    let wechat = WeChat::new();
    let layer = RecognizeLayer::new(api(&wechat), Counted::default().saying("no"));
    for id in [String::new(), "x".repeat(1025)] {
        let error = words(&layer, voice(&id)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Fetch(Fetch::MediaId));
    }
    assert_eq!(wechat.count(MEDIA), 0);
}
