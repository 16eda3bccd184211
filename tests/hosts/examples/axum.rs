//! A voice bot on axum, at <http://127.0.0.1:8080/wechat>. SIGTERM ends it without losing a message.

use axum::Router;
use futures_util::FutureExt;
use std::{io, time::Duration};
use tokio::{net::TcpListener, signal::unix::SignalKind, signal::unix::signal};
use tower::{BoxError, ServiceBuilder};
use tower_wechat::{Account, DedupLayer, VerifySignatureLayer, message::VoiceMessage, message_fn};

async fn answer(voice: VoiceMessage) -> String {
    voice.recognition.unwrap_or("我没听清，请打字".to_owned())
}

pub(crate) fn app(account: Account, dedup: DedupLayer) -> Router {
    let wechat = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account))
        .layer(dedup)
        .service(message_fn(answer));
    Router::new().route_service("/wechat", wechat)
}

/// Accepts retries until the drain is over, then gives the open connections a second.
pub(crate) async fn serve(listener: TcpListener, app: Router, dedup: DedupLayer) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let drained = async move {
        terminate.recv().await;
        dedup.drain(Duration::from_secs(20)).await;
    };
    let drained = drained.shared();
    let server = axum::serve(listener, app).with_graceful_shutdown(drained.clone());
    let end = drained.then(|()| tokio::time::sleep(Duration::from_secs(1)));
    tokio::select! { served = server => served, () = end => Ok(()) }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let aes_key = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
    let account = Account::encrypted("rosebud7", "wx0a1b2c3d4e5f6071", aes_key)?;
    let listener = TcpListener::bind("127.0.0.1:8080")
        .await
        .map_err(|error| format!("cannot listen on 127.0.0.1:8080: {error}"))?;
    let dedup = DedupLayer::in_memory();
    Ok(serve(listener, app(account, dedup.clone()), dedup).await?)
}
