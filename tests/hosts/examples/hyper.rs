//! A voice bot on hyper alone, at <http://127.0.0.1:8080/wechat>. SIGTERM ends it without losing a message.

use std::{pin::pin, time::Duration};

use futures_util::{FutureExt, future::Either, future::select};
use hyper_util::{rt::TokioExecutor, rt::TokioIo, rt::TokioTimer, service::TowerToHyperService};
use hyper_util::{server::conn::auto, server::graceful::GracefulShutdown};
use tokio::{net::TcpListener, signal::unix::SignalKind, signal::unix::signal, time::timeout};
use tower::{BoxError, ServiceBuilder};
use tower_wechat::{Account, DedupLayer, VerifySignatureLayer, message::VoiceMessage, message_fn};

async fn answer(voice: VoiceMessage) -> String {
    voice.recognition.unwrap_or("我没听清，请打字".to_owned())
}

/// Accepts retries until the drain is over, then gives the open connections a second.
pub(crate) async fn serve(listener: TcpListener, account: Account) -> Result<(), BoxError> {
    let dedup = DedupLayer::in_memory();
    let wechat = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account))
        .layer(dedup.clone())
        .service(message_fn(answer));
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new());
    // Cuts clients that drip a head. Those that send nothing are cut only if HTTP/2 is off: `http1_only`.
    server.http1().header_read_timeout(Duration::from_secs(10));
    let (open, patience) = (GracefulShutdown::new(), Duration::from_secs(20));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut drained = pin!(terminate.recv().then(|_| dedup.drain(patience)));
    while let Either::Left((accepted, _)) = select(pin!(listener.accept()), &mut drained).await {
        let service = TowerToHyperService::new(wechat.clone());
        let connection = server.serve_connection(TokioIo::new(accepted?.0), service);
        tokio::spawn(open.watch(connection.into_owned()));
    }
    let _ = timeout(Duration::from_secs(1), open.shutdown()).await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let aes_key = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
    let account = Account::encrypted("rosebud7", "wx0a1b2c3d4e5f6071", aes_key)?;
    let listener = TcpListener::bind("127.0.0.1:8080")
        .await
        .map_err(|error| format!("cannot listen on 127.0.0.1:8080: {error}"))?;
    serve(listener, account).await
}
