//! Recognizes the recording on its standard input, for `.ci/speech`: the recognizer for servers with OpenAI's interface
//! sends it to such a server, which passes the WAV file to a shell command, and answers with what that prints.

use std::{
    convert::Infallible,
    env,
    io::{self, Read, Write},
    process::{Command, Stdio},
};

use clients::{Server, openai, plain};
use futures_util::stream;
use http::{HeaderValue, Request, Response, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{BoxError, service_fn};
use tower_wechat::api::Recording;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let command = env::args()
        .nth(1)
        .ok_or("usage: speech COMMAND < RECORDING")?;
    let server = Server::new(
        service_fn(move |request| transcribe(command.clone(), request)),
        plain,
    );
    let server = server.await;
    let recognizer = openai::OpenAi {
        client: Client::builder(TokioExecutor::new()).build_http(),
        url: server.url("http", "/v1/audio/transcriptions").parse()?,
        authorization: HeaderValue::from_static("Bearer sk-1"),
        model: "a-command".to_owned(),
    };
    let mut recording = Vec::new();
    io::stdin().read_to_end(&mut recording)?;
    println!(
        "{}",
        openai::recognize(recognizer, Recording::new(recording)).await?
    );
    Ok(())
}

async fn transcribe(
    shell: String,
    request: Request<Incoming>,
) -> Result<Response<String>, BoxError> {
    let boundary = multer::parse_boundary(request.headers()[header::CONTENT_TYPE].to_str()?)?;
    let body = request.into_body().collect().await?.to_bytes();
    let mut form = multer::Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
    while let Some(field) = form.next_field().await? {
        if field.name() == Some("file") {
            let mut command = Command::new("sh");
            command
                .args(["-c", &shell])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped());
            let mut command = command.spawn()?;
            command
                .stdin
                .take()
                .ok_or("no standard input")?
                .write_all(&field.bytes().await?)?;
            let words = String::from_utf8(command.wait_with_output()?.stdout)?;
            let answer = serde_json::json!({ "text": words.trim() });
            return Ok(Response::new(answer.to_string()));
        }
    }
    Err("no file".into())
}
