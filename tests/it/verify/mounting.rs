//! On axum, in its two ways, and on hyper.

use std::{convert::Infallible, time::Duration};

use axum::{Router, routing};
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};
use tower_wechat::Verified;

use super::{MESSAGE, get, layer, post, signed};

/// One answer of each kind: a run, URL verification, a rejection.
async fn check_mounted<S>(service: S)
where
    S: Service<Request<axum::body::Body>, Error = Infallible> + Clone,
    S::Response: axum::response::IntoResponse,
{
    let requests = [
        (post(&signed()), 200, MESSAGE),
        (
            get(&format!("{}&echostr=5577006791947779410", signed())),
            200,
            "5577006791947779410",
        ),
        (post(&signed().replace("nonce=9", "nonce=8")), 403, ""),
    ];
    for (request, status, body) in requests {
        let response = service
            .clone()
            .oneshot(request.map(axum::body::Body::new))
            .await
            .unwrap();
        let response = axum::response::IntoResponse::into_response(response);
        assert_eq!(response.status(), status);
        assert_eq!(
            response.into_body().collect().await.unwrap().to_bytes(),
            body
        );
    }
}

async fn echo(request: Request<Verified>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(request.into_body().to_bytes().into()))
}

#[tokio::test]
async fn as_a_service_of_an_axum_route() {
    let service = layer().layer(service_fn(echo));
    check_mounted(Router::new().route_service("/wechat", service)).await;
}

#[tokio::test]
async fn around_an_axum_router() {
    let router = Router::new().route("/wechat", routing::post(async |body: Bytes| body));
    check_mounted(layer().layer(router)).await;
}

#[tokio::test]
async fn around_the_routes_of_an_axum_router() {
    let router = Router::new().route("/wechat", routing::post(async |body: Bytes| body));
    check_mounted(router.layer(layer())).await;
}

#[tokio::test]
async fn on_hyper() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = layer()
        .with_body_timeout(Duration::from_secs(30))
        .layer(service_fn(echo));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(
                TokioIo::new(stream),
                TowerToHyperService::new(service.clone()),
            );
            tokio::spawn(connection);
        }
    });
    let client = service_fn(move |request: Request<axum::body::Body>| async move {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        let (mut head, body) = request.into_parts();
        head.headers
            .insert(header::HOST, "localhost".parse().unwrap());
        let response: Response<Incoming> = sender
            .send_request(Request::from_parts(head, body))
            .await
            .unwrap();
        Ok::<_, Infallible>(response.map(axum::body::Body::new))
    });
    check_mounted(client).await;
}
