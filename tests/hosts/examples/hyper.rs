//! A voice bot on hyper alone, for HTTP/1.1 and HTTP/2, at <http://127.0.0.1:8080/wechat>.

use std::time::Duration;

use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::{BoxError, ServiceBuilder};
use tower_wechat::{Account, DedupLayer, Message, Reply, VerifySignatureLayer, message_fn};

async fn answer(message: Message) -> Reply {
    match message {
        Message::Voice(voice) => Reply::text(voice.recognition.unwrap_or_default()),
        _ => Reply::success(),
    }
}

pub(crate) async fn serve(listener: TcpListener, account: Account) -> Result<(), BoxError> {
    let wechat = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account))
        .layer(DedupLayer::in_memory())
        .service(message_fn(answer));
    loop {
        let stream = TokioIo::new(listener.accept().await?.0);
        let service = TowerToHyperService::new(wechat.clone());
        tokio::spawn(async move {
            let mut server = auto::Builder::new(TokioExecutor::new());
            // Cuts clients that drip a head. Those that send nothing are cut only if HTTP/2 is off: `http1_only`.
            server
                .http1()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(10));
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
