//! A recognizer for servers with OpenAI's interface: OpenAI, vLLM, whisper.cpp's server. Needs ffmpeg.

use std::hash::{BuildHasher, RandomState};
use std::process::Stdio;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body::Body;
use http_body_util::{BodyExt, Full, Limited};
use tokio::{io::AsyncWriteExt, process::Command};
use tower::{BoxError, Service, ServiceExt};
use tower_wechat::api::{Encoding, Recording};

#[derive(Clone)]
pub struct OpenAi<C> {
    /// Any Tower service that sends HTTP requests.
    pub client: C,
    /// Ends in `/v1/audio/transcriptions`.
    pub url: Uri,
    /// `Bearer` and the API key. Mark it with `set_sensitive`.
    pub authorization: HeaderValue,
    pub model: String,
}

/// Use it in `service_fn(move |recording| recognize(server.clone(), recording))`.
pub async fn recognize<C, B>(server: OpenAi<C>, voice: Recording) -> Result<String, BoxError>
where
    C: Service<Request<Full<Bytes>>, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Error: Into<BoxError>>,
{
    let (wav, model) = (wav(&voice).await?, server.model);
    let boundary = format!("{:016x}", RandomState::new().hash_one(wav.len()));
    let field = format!("--{boundary}\r\nContent-Disposition: form-data; name");
    let file = format!("{field}=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n");
    let end = format!("\r\n{field}=\"model\"\r\n\r\n{model}\r\n--{boundary}--\r\n");
    let form = [file.as_bytes(), &wav, end.as_bytes()].concat();
    let form_type = format!("multipart/form-data; boundary={boundary}");
    let request = Request::post(server.url)
        .header(header::AUTHORIZATION, server.authorization)
        .header(header::CONTENT_TYPE, form_type)
        .body(Full::from(form))?;
    let response = server.client.oneshot(request).await.map_err(Into::into)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), 64 * 1024).collect();
    let body = body.await?.to_bytes();
    let answer: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    if let (Some(words), true) = (answer["text"].as_str(), status.is_success()) {
        return Ok(words.to_owned());
    }
    let found = String::from_utf8_lossy(body.get(..200).unwrap_or(&body));
    Err(format!("expected JSON with `text`, found {status} and {found}").into())
}

/// Makes a WAV file at 16 kHz. ffmpeg is told the format, so that only its parser sees a user's bytes.
async fn wav(recording: &Recording) -> Result<Vec<u8>, BoxError> {
    let format = match recording.encoding() {
        Encoding::AmrNb | Encoding::AmrWb => "amr",
        Encoding::Speex => "ogg",
        other => return Err(format!("expected AMR or Speex in Ogg, found {other:?}").into()),
    };
    let arguments = format!("-v error -f {format} -i - -t 60 -ac 1 -ar 16000 -bitexact -f wav -");
    let (mut command, pipe) = (Command::new("ffmpeg"), Stdio::piped);
    command.args(arguments.split(' ')).kill_on_drop(true);
    let ffmpeg = command.stdin(pipe()).stdout(pipe()).stderr(pipe()).spawn();
    let mut ffmpeg = ffmpeg.map_err(|error| format!("is ffmpeg installed? {error}"))?;
    let mut stdin = ffmpeg.stdin.take().ok_or("ffmpeg has no standard input")?;
    // ffmpeg prints before it has read everything. If it stops reading, its status says so.
    let write = async move { drop(stdin.write_all(recording.as_bytes()).await) };
    let ((), output) = tokio::join!(write, ffmpeg.wait_with_output());
    let output = output?;
    let (mut wav, errors) = (output.stdout, String::from_utf8_lossy(&output.stderr));
    if !output.status.success() || wav.len() <= 44 {
        return Err(format!("ffmpeg cannot decode the recording: {errors}").into());
    }
    // Into a pipe, ffmpeg writes a header without the lengths.
    let length = u32::try_from(wav.len())?;
    wav[4..8].copy_from_slice(&(length - 8).to_le_bytes());
    wav[40..44].copy_from_slice(&(length - 44).to_le_bytes());
    Ok(wav)
}
