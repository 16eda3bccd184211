//! A voice bot on axum, at <http://127.0.0.1:8080/wechat>.

use axum::Router;
use tokio::net::TcpListener;
use tower::{BoxError, ServiceBuilder};
use tower_wechat::{Account, DedupLayer, Message, Reply, VerifySignatureLayer, message_fn};

async fn answer(message: Message) -> Reply {
    match message {
        Message::Voice(voice) => Reply::text(voice.recognition.unwrap_or_default()),
        _ => Reply::success(),
    }
}

pub(crate) fn app(account: Account) -> Router {
    let wechat = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account))
        .layer(DedupLayer::in_memory())
        .service(message_fn(answer));
    Router::new().route_service("/wechat", wechat)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let aes_key = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
    let account = Account::encrypted("rosebud7", "wx0a1b2c3d4e5f6071", aes_key)?;
    let listener = TcpListener::bind("127.0.0.1:8080")
        .await
        .map_err(|error| format!("cannot listen on 127.0.0.1:8080: {error}"))?;
    Ok(axum::serve(listener, app(account)).await?)
}
