//! The recognizer for servers with OpenAI's interface.

use std::{
    convert::Infallible,
    io::{self, Write},
    process::Stdio,
    sync::{Arc, Mutex},
};

use clients::{Server, openai, plain};
use futures_util::stream;
use http::{HeaderValue, Request, Response, StatusCode, header, request};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{io::AsyncWriteExt, process::Command};
use tower::{BoxError, ServiceExt, service_fn};
use tower_wechat::api::Recording;

const PATH: &str = "/v1/audio/transcriptions";

/// A second of narrow band, and of wide band: 50 frames.
fn recordings() -> [Recording; 2] {
    let frames = |header: &[u8], frame: &[u8]| Recording::new([header, &frame.repeat(50)].concat());
    let (narrow, wide) = (
        [&[0x04][..], &[0; 12]].concat(),
        [&[0x04][..], &[0; 17]].concat(),
    );
    [frames(b"#!AMR\n", &narrow), frames(b"#!AMR-WB\n", &wide)]
}

/// A server that answers all requests alike, and keeps the last one.
struct FakeServer {
    server: Server,
    last: Arc<Mutex<Option<(request::Parts, Bytes)>>>,
}

impl FakeServer {
    async fn new(status: u16, answer: &'static str) -> Self {
        let last = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&last);
        let service = service_fn(move |request: Request<Incoming>| {
            let kept = Arc::clone(&kept);
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                *kept.lock().unwrap() = Some((head, body));
                let mut response = Response::new(answer.to_owned());
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                Ok::<_, hyper::Error>(response)
            }
        });
        let server = Server::new(service, plain).await;
        Self { server, last }
    }

    /// Recognizes as a bot does.
    async fn recognize(&self, recording: Recording) -> Result<String, BoxError> {
        let server = openai::OpenAi {
            client: Client::builder(TokioExecutor::new()).build_http(),
            url: self.server.url("http", PATH).parse().unwrap(),
            authorization: HeaderValue::from_static("Bearer sk-1"),
            model: "whisper-1".to_owned(),
        };
        let recognizer = service_fn(move |recording| openai::recognize(server.clone(), recording));
        recognizer.oneshot(recording).await
    }
}

#[tokio::test]
async fn a_recording_is_sent_as_wav() {
    if !has_ffmpeg() {
        return;
    }
    for recording in recordings() {
        let server = FakeServer::new(200, r#"{"text":"天亮了","usage":{"type":"duration"}}"#).await;
        assert_eq!(server.recognize(recording).await.unwrap(), "天亮了");

        let (head, body) = server.last.lock().unwrap().take().unwrap();
        assert_eq!((head.method.as_str(), head.uri.path()), ("POST", PATH));
        assert_eq!(head.headers[header::AUTHORIZATION], "Bearer sk-1");
        let form_type = head.headers[header::CONTENT_TYPE].to_str().unwrap();
        let boundary = multer::parse_boundary(form_type).unwrap();
        let body = stream::iter([Ok::<_, Infallible>(body)]);
        let mut form = multer::Multipart::new(body, boundary);
        let (mut names, mut wav) = (Vec::new(), Bytes::new());
        while let Some(field) = form.next_field().await.unwrap() {
            let name = field.name().unwrap().to_owned();
            if name == "file" {
                assert!(field.file_name().unwrap().ends_with(".wav"));
                assert_eq!(field.content_type().unwrap().essence_str(), "audio/wav");
                wav = field.bytes().await.unwrap();
            } else {
                assert_eq!(
                    (&*name, &*field.text().await.unwrap()),
                    ("model", "whisper-1")
                );
            }
            names.push(name);
        }
        names.sort();
        assert_eq!(names, ["file", "model"]);
        check_wav(&wav);
    }
}

/// One second of 16 bits at 16 kHz, mono, within a frame.
#[track_caller]
fn check_wav(wav: &[u8]) {
    let number = |at: usize| u32::from_le_bytes(wav[at..at + 4].try_into().unwrap());
    assert_eq!(
        [&wav[..4], &wav[8..16], &wav[36..40]],
        [&b"RIFF"[..], b"WAVEfmt ", b"data"]
    );
    let length = u32::try_from(wav.len()).unwrap();
    assert_eq!(
        [number(4), number(16), number(40)],
        [length - 8, 16, length - 44]
    );
    // Format and channels; samples and bytes a second; bytes and bits a sample.
    assert_eq!(
        [number(20), number(24), number(28), number(32)],
        [0x1_0001, 16_000, 32_000, 0x10_0002]
    );
    assert!((31_000..=33_000).contains(&(length - 44)), "{length}");
}

#[tokio::test]
async fn an_answer_without_words_is_an_error() {
    if !has_ffmpeg() {
        return;
    }
    for (status, answer, message) in [
        (
            401,
            r#"{"error":{"message":"Incorrect API key"}}"#,
            r#"401 Unauthorized and {"error":{"message":"Incorrect API key"}}"#,
        ),
        (
            500,
            r#"{"text":"no"}"#,
            r#"500 Internal Server Error and {"text":"no"}"#,
        ),
        (200, r#"{"texts":[]}"#, r#"200 OK and {"texts":[]}"#),
        (200, r#"{"text":null}"#, r#"200 OK and {"text":null}"#),
        (200, "<html>", "200 OK and <html>"),
        (200, "", "200 OK and "),
    ] {
        let server = FakeServer::new(status, answer).await;
        let [recording, _] = recordings();
        let error = server.recognize(recording).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("expected JSON with `text`, found {message}")
        );
    }
    // No words are words: the layer knows what to do.
    let server = FakeServer::new(200, r#"{"text":""}"#).await;
    assert_eq!(server.recognize(recordings()[0].clone()).await.unwrap(), "");
}

#[tokio::test]
async fn an_answer_is_at_most_64_kib() {
    if !has_ffmpeg() {
        return;
    }
    let answer = format!(r#"{{"text":"{}"}}"#, "a".repeat(64 * 1024));
    let server = FakeServer::new(200, answer.leak()).await;
    let error = server.recognize(recordings()[0].clone()).await.unwrap_err();
    assert_eq!(error.to_string(), "length limit exceeded");
}

/// Neither is there a request.
#[tokio::test]
async fn what_ffmpeg_is_not_to_guess_is_an_error() {
    let server = FakeServer::new(200, r#"{"text":"no"}"#).await;
    for (recording, message) in [
        (
            &b"\x02#!SILK_V3"[..],
            "expected AMR or Speex in Ogg, found Silk",
        ),
        (
            b"#EXTM3U\nhttp://127.0.0.1/secret",
            "expected AMR or Speex in Ogg, found Other",
        ),
        (b"", "expected AMR or Speex in Ogg, found Other"),
    ] {
        let error = server
            .recognize(Recording::new(recording))
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    if has_ffmpeg() {
        for broken in [
            &b"#!AMR\n"[..],
            b"OggS\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0Speex   ",
        ] {
            let error = server.recognize(Recording::new(broken)).await.unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with("ffmpeg cannot decode the recording: "),
                "{error}"
            );
        }
    }
    assert!(server.last.lock().unwrap().is_none());
}

#[tokio::test]
async fn a_machine_without_ffmpeg_is_told() {
    let output = run("http://127.0.0.1:9/v1/audio/transcriptions", Some("")).await;
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        errors.contains("is ffmpeg installed? No such file"),
        "{errors}"
    );
    assert!(!output.status.success());
}

#[tokio::test]
async fn the_command_prints_the_words() {
    if !has_ffmpeg() {
        return;
    }
    let server = FakeServer::new(200, r#"{"text":"天亮了"}"#).await;
    let output = run(&server.server.url("http", PATH), None).await;
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "天亮了\n");
    assert!(output.status.success());
}

/// Runs the command, perhaps with another `PATH`.
async fn run(url: &str, path: Option<&str>) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openai"));
    command
        .args([url, "whisper-1"])
        .envs(path.map(|path| ("PATH", path)));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut command = command.spawn().unwrap();
    let mut stdin = command.stdin.take().unwrap();
    stdin.write_all(recordings()[0].as_bytes()).await.unwrap();
    drop(stdin);
    command.wait_with_output().await.unwrap()
}

/// Says so if there is no ffmpeg. With `WECHAT_REQUIRE_FFMPEG`, that fails.
fn has_ffmpeg() -> bool {
    let version = std::process::Command::new("ffmpeg")
        .arg("-version")
        .output();
    let Err(error) = version else { return true };
    assert!(
        std::env::var_os("WECHAT_REQUIRE_FFMPEG").is_none(),
        "no ffmpeg: {error}"
    );
    // A captured line would not be seen.
    let _ = writeln!(io::stderr(), "NOT TESTED without ffmpeg: {error}");
    false
}
