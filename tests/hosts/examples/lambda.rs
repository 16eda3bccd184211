//! A voice bot on AWS Lambda, behind a function URL or an API gateway; `cargo lambda watch` runs it locally.

use std::{convert::Infallible, env};

use http::Response;
use lambda_http::Request;
use redis::{Client, aio::ConnectionManager};
use tower::{BoxError, Service, ServiceBuilder};
use tower_wechat::{Account, DedupLayer, ResponseBody, VerifySignatureLayer, message_fn};
use tower_wechat::{dedup::RedisStore, dedup::Store, message::VoiceMessage};

async fn answer(voice: VoiceMessage) -> String {
    voice.recognition.unwrap_or("我没听清，请打字".to_owned())
}

/// Lambda stops the clock once a response is out, so a run belongs to its delivery. Retries reach other instances,
/// which share the store.
pub(crate) fn function(
    account: Account,
    store: impl Store,
) -> impl Service<Request, Response = Response<ResponseBody>, Error = Infallible, Future: Send> + Clone
{
    let dedup = DedupLayer::builder().with_store(store).with_inline_runs();
    ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account))
        .layer(dedup.build())
        .service(message_fn(answer))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let aes_key = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
    let account = Account::encrypted("rosebud7", "wx0a1b2c3d4e5f6071", aes_key)?;
    let redis = Client::open(env::var("REDIS_URL")?)?;
    let store = RedisStore::new(ConnectionManager::new(redis).await?);
    lambda_http::run(function(account, store)).await
}
