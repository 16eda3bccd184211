//! HTTP clients for WeChat's API, a recognizer over one of them, and servers on loopback for both.

use std::{
    future::{Ready, ready},
    io,
    net::{Ipv4Addr, SocketAddr},
};

use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};
use tower::{BoxError, Service};

#[path = "../../../examples/recognizers/openai.rs"]
pub mod openai;

/// The adapters in the docs of `api`, word for word.
pub mod adapters {
    use tower::BoxError;
    use tower_wechat::{Api, api::RequestBody};

    include!(concat!(env!("OUT_DIR"), "/adapters.rs"));
}

/// A server on a free port of loopback. It ends when it is dropped, and so do its connections.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    accepting: JoinSet<()>,
    /// Holds the port, and does not listen.
    port: TcpSocket,
}

impl Server {
    /// Serves `service` over HTTP/1.1. `handshake` is what happens on a new connection first.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    pub async fn new<S, B, H, F, T>(service: S, handshake: H) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
        H: Fn(TcpStream) -> F + Send + 'static,
        F: Future<Output = io::Result<T>> + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let port = socket((Ipv4Addr::LOCALHOST, 0).into());
        let address = port.local_addr().expect("an address");
        let listener = socket(address).listen(BACKLOG).expect("a listener");
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let stream = handshake(stream);
                let service = TowerToHyperService::new(service.clone());
                connections.spawn(async move {
                    if let Ok(stream) = stream.await {
                        let connection = http1::Builder::new();
                        let _ = connection
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    }
                });
            }
        });
        Self {
            address,
            accepting,
            port,
        }
    }

    /// The URL of a path. The scheme is `http` or `https`.
    pub fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://{}{path}", self.address)
    }

    /// Ends the server. Its port refuses connections until the socket is dropped.
    pub async fn end(mut self) -> TcpSocket {
        self.accepting.shutdown().await;
        self.port
    }
}

/// Binds a socket. Others may be bound to the same address, but only those that listen get connections.
fn socket(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseport(true).expect("an option of sockets");
    socket.bind(address).expect("a port");
    socket
}

/// As many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// The handshake of a connection without TLS.
pub fn plain(stream: TcpStream) -> Ready<io::Result<TcpStream>> {
    ready(Ok(stream))
}

// These are no secrets: the simulated WeChat knows them.
pub const APP_ID: &str = "wx0a1b2c3d4e5f6071";
pub use tower_wechat::simulator::APP_SECRET;
