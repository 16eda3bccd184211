//! A voice bot on AWS Lambda, behind a function URL or an API gateway; `cargo lambda watch` runs it locally.

use std::convert::Infallible;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use lambda_http::Request;
use tower::{BoxError, Service, ServiceBuilder};
use tower_wechat::{Account, DedupLayer, Message, Reply, VerifySignatureLayer, message_fn};

async fn answer(message: Message) -> Result<Reply, BoxError> {
    Ok(match message {
        Message::Voice(voice) => Reply::text(voice.recognition.unwrap_or_default()),
        _ => Reply::success(),
    })
}

/// Once a response is out, Lambda stops the clock: a run belongs to its delivery. Retries may reach another
/// instance, so more than one of them want `DedupLayer::with_store` and a store of their own.
pub(crate) fn function(
    account: Account,
) -> impl Service<Request, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send> + Clone
{
    ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account))
        .layer(DedupLayer::in_memory().with_inline_runs())
        .service(message_fn(answer))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let aes_key = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
    let account = Account::encrypted("rosebud7", "wx0a1b2c3d4e5f6071", aes_key)?;
    lambda_http::run(function(account)).await
}
