//! Recognizes the recording on its standard input, to try a server:
//!
//! ```sh
//! export OPENAI_API_KEY=...
//! cargo run --bin openai -- http://127.0.0.1:8000/v1/audio/transcriptions whisper-1 < voice.amr
//! ```

use std::{env, io, io::Read};

use clients::openai::{OpenAi, recognize};
use http::HeaderValue;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::BoxError;
use tower_wechat::api::Recording;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [url, model] = &*arguments else {
        return Err("usage: openai URL MODEL < RECORDING".into());
    };
    let https = HttpsConnectorBuilder::new()
        .with_webpki_roots()
        .https_or_http();
    let client = Client::builder(TokioExecutor::new()).build(https.enable_http1().build());
    let key = env::var("OPENAI_API_KEY").unwrap_or_default();
    let mut authorization = HeaderValue::try_from(format!("Bearer {key}"))?;
    authorization.set_sensitive(true);
    let url = url.parse()?;
    let model = model.clone();
    let mut recording = Vec::new();
    io::stdin().read_to_end(&mut recording)?;
    let server = OpenAi {
        client,
        url,
        authorization,
        model,
    };
    println!("{}", recognize(server, Recording::new(recording)).await?);
    Ok(())
}
