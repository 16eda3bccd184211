//! A voice bot on salvo, at <http://127.0.0.1:8080/wechat>.

use salvo::conn::{Listener, TcpListener};
use salvo::{Router, Server, http::ReqBody, prelude::TowerServiceCompat};
use tower::{BoxError, ServiceBuilder};
use tower_wechat::{Account, DedupLayer, Message, Reply, VerifySignatureLayer, message_fn};

async fn answer(message: Message) -> Reply {
    match message {
        Message::Voice(voice) => Reply::text(match voice.recognition {
            Some(words) => words,
            None => "我没听清，请打字".to_owned(),
        }),
        _ => Reply::success(),
    }
}

pub(crate) fn app(account: Account) -> Router {
    let wechat = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account))
        .layer(DedupLayer::in_memory())
        .service(message_fn(answer));
    Router::with_path("wechat").goal(TowerServiceCompat::<ReqBody, _, _, _>::compat(wechat))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let aes_key = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
    let account = Account::encrypted("rosebud7", "wx0a1b2c3d4e5f6071", aes_key)?;
    let acceptor = TcpListener::new("127.0.0.1:8080")
        .try_bind()
        .await
        .map_err(|error| format!("cannot listen on 127.0.0.1:8080: {error}"))?;
    Server::new(acceptor).serve(app(account)).await;
    Ok(())
}
