//! A recording is recognized once, however often its message runs.

use std::future::pending;

use tokio::time::{Instant, sleep, timeout};
use tower_wechat::{
    DedupLayer, Message, MessageService, Verified,
    dedup::{RunNumber, store::MemoryStore},
};

use super::*;
use crate::assume;

/// Fails so many times, and repeats what was said then.
fn failing(
    times: usize,
) -> impl Service<
    Request<Message>,
    Response = Result<String, &'static str>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ Sync {
    let left = Arc::new(AtomicUsize::new(times));
    service_fn(move |request: Request<Message>| {
        let left = Arc::clone(&left);
        async move {
            let Message::Voice(voice) = request.into_body() else {
                panic!("a voice message");
            };
            let words = voice.recognition.unwrap_or_default();
            let less = |left: usize| left.checked_sub(1);
            let is_failure = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
            Ok(is_failure.map_or(Ok(words), |_| Err("out of ink")))
        }
    })
}

fn delivery() -> Request<Verified> {
    Request::new(assume(xml("Vo1", "")))
}

#[track_caller]
fn check_says(response: &http::Response<tower_wechat::ResponseBody>, words: &str) {
    let body = std::str::from_utf8(response.body().as_bytes()).unwrap();
    assert!(body.contains(words), "{body}");
}

#[tokio::test(start_paused = true)]
async fn the_runs_after_a_failure_find_the_words() {
    let (wechat, counted) = (keeping(amr(50)), Counted::default());
    let handler = MessageService::new(failing(2)).recognize(api(&wechat), counted.saying("再来"));
    let service = DedupLayer::in_memory().layer(handler);
    let begun = Instant::now();
    let response = service.oneshot(delivery()).await.unwrap();
    check_says(&response, "再来");
    // Three runs.
    assert_eq!(begun.elapsed().as_millis(), 2500);
    assert_eq!((wechat.count(MEDIA), counted.count()), (1, 1));
}

/// Without dedup each delivery is a run of its own.
#[tokio::test(start_paused = true)]
async fn another_deliverys_run_finds_the_words() {
    let (wechat, counted) = (keeping(amr(50)), Counted::default());
    let layer = RecognizeLayer::new(api(&wechat), counted.saying("再来"));
    let handler = failing(1);
    // Of one layer, as axum makes one for each route.
    let service = || MessageService::new(handler.clone()).layer(layer.clone());
    let response = service().oneshot(delivery()).await.unwrap();
    assert_eq!(response.status(), 500);
    let response = service().oneshot(delivery()).await.unwrap();
    check_says(&response, "再来");
    assert_eq!((wechat.count(MEDIA), counted.count()), (1, 1));
}

/// The host drops the first delivery while its handler works, and the run with it. The second delivery runs the message
/// again.
#[tokio::test(start_paused = true)]
async fn the_run_after_a_dropped_one_finds_the_words() {
    let (wechat, counted) = (keeping(amr(50)), Counted::default());
    let recognizer = counted.recognizer(async |_| {
        sleep(secs(2)).await;
        Ok::<_, Infallible>("再来".to_owned())
    });
    let handler = service_fn(async |request: Request<VoiceMessage>| {
        if request.extensions().get().copied().map(RunNumber::get) == Some(1) {
            pending::<()>().await;
        }
        Ok::<_, Infallible>(request.into_body().recognition)
    });
    let handler = MessageService::for_type(handler).recognize(api(&wechat), recognizer);
    let builder = DedupLayer::builder().with_store(MemoryStore::new());
    let service = builder.with_inline_runs().build().layer(handler);
    let first = timeout(secs(5), service.clone().oneshot(delivery())).await;
    assert!(first.is_err());
    let response = service.oneshot(delivery()).await.unwrap();
    check_says(&response, "再来");
    assert_eq!((wechat.count(MEDIA), counted.count()), (1, 1));
}

/// A run that is dropped while it recognizes leaves nothing behind.
#[tokio::test(start_paused = true)]
async fn a_dropped_recognition_stops_and_is_made_again() {
    let counted = Counted::default();
    let (stopped, stops) = tokio::sync::mpsc::unbounded_channel::<()>();
    let recognizer = counted.recognizer(move |_| {
        let stopped = stopped.clone();
        async move {
            sleep(secs(3)).await;
            drop(stopped);
            Ok::<_, Infallible>("好".to_owned())
        }
    });
    let layer = RecognizeLayer::new(api(&keeping(amr(1))), recognizer);
    assert!(timeout(secs(1), words(&layer, voice("Vo1"))).await.is_err());
    // The recognizer's own sender is left, and none of a recognition.
    assert_eq!(stops.sender_strong_count(), 1);
    let begun = Instant::now();
    assert_eq!(words(&layer, voice("Vo1")).await.unwrap(), "好");
    assert_eq!((begun.elapsed(), counted.count()), (secs(3), 2));
}

/// Returns how many calls of `media/get` and of the recognizer a second run makes.
async fn second_try(
    answers: Vec<Answer>,
    says: fn() -> Result<String, &'static str>,
) -> (usize, usize) {
    let (wechat, counted) = (WeChat::new(), Counted::default());
    wechat.script(MEDIA, answers);
    let recognizer = counted.recognizer(move |_| async move { says() });
    let layer = RecognizeLayer::new(api(&wechat), recognizer);
    let first = words(&layer, voice("Vo1")).await.unwrap_err();
    let before = (wechat.count(MEDIA), counted.count());
    let second = words(&layer, voice("Vo1")).await;
    if let Err(second) = second {
        assert_eq!(second.kind(), first.kind());
    }
    (wechat.count(MEDIA) - before.0, counted.count() - before.1)
}

#[tokio::test(start_paused = true)]
async fn only_what_may_end_in_another_way_is_tried_again() {
    let good = || Ok("好".to_owned());
    let kept = || vec![file(amr(1)); 2];
    for answers in [
        vec![Answer::Code(40_007, "invalid media_id")],
        vec![Answer::Code(48_001, "api unauthorized")],
        vec![Answer::Bytes(11 << 20)],
        vec![Answer::Bytes(3 << 20)],
        vec![file(amr(100_000))],
    ] {
        assert_eq!(second_try(answers, good).await, (0, 0));
    }
    assert_eq!(second_try(kept(), || Ok(String::new())).await, (0, 0));
    let too_many = || Ok("字".repeat(40_000));
    assert_eq!(second_try(kept(), too_many).await, (0, 0));
    let busy = [vec![Answer::Code(-1, "system error"); 4], kept()].concat();
    assert_eq!(second_try(busy, good).await, (1, 1));
    let cut = [vec![Answer::BrokenBody], kept()].concat();
    assert_eq!(second_try(cut, good).await, (1, 1));
    assert_eq!(second_try(kept(), || Err("busy")).await, (1, 1));
    assert_eq!(second_try(kept(), || panic!("busy")).await, (1, 1));
}

#[tokio::test(start_paused = true)]
async fn words_are_those_of_the_recording_and_of_no_other() {
    let counted = Counted::default();
    let count = counted.clone();
    let numbered = counted.recognizer(move |_| {
        let number = count.count();
        async move { Ok::<_, Infallible>(number.to_string()) }
    });
    let layer = RecognizeLayer::new(api(&keeping(amr(1))), numbered);
    let mut wide = voice("Vo1");
    wide.media_id_16k = Some("Vo2".to_owned());
    let mut swapped = voice("Vo2");
    swapped.media_id_16k = Some("Vo1".to_owned());
    for _ in 0..2 {
        let voices = [voice("Vo1"), voice("Vo2"), wide.clone(), swapped.clone()];
        for (voice, number) in voices.into_iter().zip(["1", "2", "2", "1"]) {
            assert_eq!(words(&layer, voice).await.unwrap(), number);
        }
    }
    // Another message with the same recording.
    let mut other = voice("Vo1");
    other.msg_id = Some("78".to_owned());
    assert_eq!(words(&layer, other).await.unwrap(), "1");
    // Another layer may have another recognizer.
    let layer = RecognizeLayer::new(api(&keeping(amr(1))), Counted::default().saying("别的"));
    assert_eq!(words(&layer, voice("Vo1")).await.unwrap(), "别的");
}

#[tokio::test(start_paused = true)]
async fn words_are_forgotten_after_five_minutes() {
    let counted = Counted::default();
    let layer = RecognizeLayer::new(api(&keeping(amr(1))), counted.saying("好"));
    for (pause, count) in [(0, 1), (299, 1), (2, 2), (299, 2), (1, 3)] {
        sleep(secs(pause)).await;
        words(&layer, voice("Vo1")).await.unwrap();
        assert_eq!(counted.count(), count);
    }
}

#[tokio::test(start_paused = true)]
async fn the_oldest_words_make_room() {
    let (wechat, counted) = (WeChat::new(), Counted::default());
    wechat.script(MEDIA, vec![file(amr(1)); 1030]);
    let layer = RecognizeLayer::new(api(&wechat), counted.saying("好"));
    for number in 0..1025 {
        words(&layer, voice(&format!("Vo{number}"))).await.unwrap();
    }
    words(&layer, voice("Vo1")).await.unwrap();
    assert_eq!(counted.count(), 1025);
    words(&layer, voice("Vo0")).await.unwrap();
    assert_eq!(counted.count(), 1026);
}

/// A plain-mode account lets anyone who has seen one query name a recording, beside ids that do not exist.
#[tokio::test(start_paused = true)]
async fn other_ids_beside_a_recordings_own_cost_no_recognition() {
    let (wechat, counted) = (WeChat::new(), Counted::default());
    let unknown = Answer::Code(40_007, "invalid media_id");
    wechat.script(MEDIA, [unknown, file(amr(1))]);
    let layer = RecognizeLayer::new(api(&wechat), counted.saying("好"));
    for number in 0..10 {
        let mut forged = voice("Vo1");
        forged.media_id_16k = Some(format!("Vo16k{number}"));
        assert_eq!(words(&layer, forged).await.unwrap(), "好");
    }
    assert_eq!((wechat.count(MEDIA), counted.count()), (2, 1));
}
