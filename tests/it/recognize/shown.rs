//! What the log says of a recognition, and what it does not.

use std::fmt::Write as _;

use super::*;
use crate::log;

const RECOGNIZED: &str = "recognized a voice message";
const FAILED: &str = "cannot recognize a voice message";

#[tokio::test(start_paused = true)]
async fn each_recognition_is_one_line() {
    let log = log::of(async || {
        let wechat = keeping(amr(100));
        let layer = RecognizeLayer::new(api(&wechat), Counted::default().saying("悄悄话"));
        words(&layer, voice("Vo1")).await.unwrap();
        // This one is remembered.
        words(&layer, voice("Vo1")).await.unwrap();
        let slow = Counted::default().recognizer(async |_| {
            tokio::time::sleep(secs(3)).await;
            Err::<String, _>("no money left")
        });
        let layer = RecognizeLayer::new(api(&wechat), slow);
        words(&layer, voice("Vo1")).await.unwrap_err();
    })
    .await;
    let recording = ["bytes=3206", "encoding=\"amr_nb\""];
    log::check(
        &log,
        [
            &[
                "DEBUG",
                RECOGNIZED,
                recording[0],
                recording[1],
                "seconds=0.0",
            ],
            &[
                "WARN",
                FAILED,
                "kind=\"recognizer\"",
                recording[0],
                recording[1],
                "seconds=3.0",
                "error=the recognizer failed: no money left",
            ],
        ],
    );
}

/// The API's own line says why.
#[tokio::test(start_paused = true)]
async fn a_failed_fetch_is_one_warning() {
    let log = log::of(async || {
        let wechat = WeChat::new();
        wechat.script(MEDIA, [Answer::Code(40_007, "invalid media_id")]);
        let layer = RecognizeLayer::new(api(&wechat), Counted::default().saying("no"));
        words(&layer, voice("Vo1")).await.unwrap_err();
    })
    .await;
    log::check(
        &log,
        [
            &["WARN", "a call to WeChat's API failed", "errcode=40007"],
            &["DEBUG", FAILED, "kind=\"fetch_media_id\"", "40007"],
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn no_words_and_no_ids_are_logged_or_shown() {
    let shown = std::cell::RefCell::new(String::new());
    let log = log::of(async || {
        for answer in [
            file(amr(10)),
            file(amr(100_000)),
            Answer::Echo(40_007),
            Answer::Echo(48_001),
            Answer::ClientError(|uri, _| format!("cannot reach {uri}").into()),
            Answer::ClientError(|uri, _| {
                let (_, id) = uri.rsplit_once('=').unwrap();
                format!("the cache has no {id}").into()
            }),
            Answer::BrokenBody,
        ] {
            for said in ["悄悄话".to_owned(), "悄悄话".repeat(4000), String::new()] {
                let wechat = WeChat::new();
                wechat.script(MEDIA, vec![answer.clone(); 2]);
                let recognizer = Counted::default().recognizer(move |_| {
                    let said = said.clone();
                    async { Ok::<_, Infallible>(said) }
                });
                let layer = RecognizeLayer::new(api(&wechat), recognizer);
                let mut voice = voice("Vo1-sEcret");
                voice.from_user_name = Some(OPENID.to_owned());
                voice.media_id_16k = Some("Vo2-hIdden".to_owned());
                if let Err(error) = words(&layer, voice).await {
                    let source = std::error::Error::source(&error);
                    let _ = writeln!(shown.borrow_mut(), "{error} {error:#?} {source:?}");
                }
                let service = layer.layer(());
                let _ = writeln!(shown.borrow_mut(), "{layer:?} {service:?}");
            }
        }
    })
    .await;
    let shown = shown.into_inner();
    for told in [
        RECOGNIZED,
        FAILED,
        "40007",
        "cannot reach",
        "the cache has no [removed]",
    ] {
        assert!(log.contains(told), "{log}");
    }
    for secret in [
        "悄悄话",
        OPENID,
        "sEcret",
        "hIdden",
        "t0ken",
        crate::api::SECRET,
    ] {
        assert!(!log.contains(secret), "{secret} in {log}");
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
