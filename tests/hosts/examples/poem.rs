//! A voice bot on poem, at <http://127.0.0.1:8080/wechat>. SIGTERM ends it without losing a message.

use std::{io, time::Duration};

use poem::listener::{Listener, TcpAcceptor, TcpListener};
use poem::{Route, Server, endpoint::TowerCompatExt};
use tokio::signal::unix::{SignalKind, signal};
use tower::{BoxError, ServiceBuilder};
use tower_wechat::{Account, DedupLayer, VerifySignatureLayer, message::VoiceMessage, message_fn};

async fn answer(voice: VoiceMessage) -> String {
    voice.recognition.unwrap_or("我没听清，请打字".to_owned())
}

pub(crate) fn app(account: Account, dedup: DedupLayer) -> Route {
    let wechat = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account))
        .layer(dedup)
        .service(message_fn(answer));
    Route::new().at("/wechat", wechat.compat())
}

/// Accepts retries until the drain is over, then gives the open connections a second.
pub(crate) async fn serve(acceptor: TcpAcceptor, app: Route, dedup: DedupLayer) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let drained = async {
        terminate.recv().await;
        dedup.drain(Duration::from_secs(20)).await;
    };
    let server = Server::new_with_acceptor(acceptor);
    let end = Some(Duration::from_secs(1));
    server.run_with_graceful_shutdown(app, drained, end).await
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let aes_key = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
    let account = Account::encrypted("rosebud7", "wx0a1b2c3d4e5f6071", aes_key)?;
    let bound = TcpListener::bind("127.0.0.1:8080").into_acceptor().await;
    let acceptor = bound.map_err(|error| format!("cannot serve 127.0.0.1:8080: {error}"))?;
    let dedup = DedupLayer::in_memory();
    Ok(serve(acceptor, app(account, dedup.clone()), dedup).await?)
}
