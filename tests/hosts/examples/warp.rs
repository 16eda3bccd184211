//! A filter of warp behind the layers, at <http://127.0.0.1:8080/wechat>.

use bytes::Bytes;
use hyper_util::{
    rt::TokioExecutor, rt::TokioIo, server::conn::auto, service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::{BoxError, ServiceBuilder};
use tower_wechat::message::{self, VoiceMessage};
use tower_wechat::reply::Addressing;
use tower_wechat::{Account, DedupLayer, Reply, Timestamp, VerifySignatureLayer};
use warp::Filter;

/// A filter gets the bytes, and answers with bytes. `None` shows nothing.
fn answer(message: &[u8]) -> Option<String> {
    let voice: VoiceMessage = message::from_slice(message).ok()?;
    let addressing = Addressing::new(voice.from_user_name?, voice.to_user_name);
    let reply = Reply::text(voice.recognition.unwrap_or("我没听清，请打字".to_owned()));
    let rendered = reply.render(&addressing, Timestamp::now()).ok()?;
    Some(rendered.into_body().into_owned())
}

pub(crate) async fn serve(listener: TcpListener, account: Account) -> Result<(), BoxError> {
    let filter = warp::path("wechat".to_owned()).and(warp::body::bytes());
    let filter = filter.map(|message: Bytes| answer(&message).unwrap_or_default());
    let wechat = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account))
        .layer(DedupLayer::in_memory())
        .service(warp::service(filter));
    loop {
        let stream = TokioIo::new(listener.accept().await?.0);
        let service = TowerToHyperService::new(wechat.clone());
        tokio::spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            server.serve_connection(stream, service).await
        });
    }
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
