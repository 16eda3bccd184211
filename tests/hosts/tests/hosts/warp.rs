use bytes::Bytes;
use hosts::{Runs, account, check_example, http1, listen};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tower::ServiceBuilder;
use tower_wechat::{DedupLayer, VerifySignatureLayer, simulator::Shown};
use warp::Filter;

#[allow(dead_code, reason = "its main is not called")]
#[path = "../../examples/warp.rs"]
mod example;

/// A filter has no typed message and makes no reply: what it says is answered as it is.
#[tokio::test]
async fn both_layers_around_a_filter() {
    let runs = Runs::default();
    let seen = runs.clone();
    let filter = warp::path("wechat".to_owned())
        .and(warp::body::bytes())
        .map(move |body: Bytes| {
            assert!(body.starts_with(b"<xml>"));
            seen.count();
            "success".to_owned()
        });
    let service = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account()))
        .layer(DedupLayer::in_memory())
        .service(warp::service(filter));
    let service = TowerToHyperService::new(service);
    let (listener, wechat) = listen().await;
    tokio::spawn(async move {
        loop {
            let stream = TokioIo::new(listener.accept().await.unwrap().0);
            let service = service.clone();
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                server.serve_connection(stream, service).await
            });
        }
    });
    assert_eq!(wechat.verify_url(http1()).await.fault(), None);
    for (push, ran) in [
        (wechat.text("hi").lose_answers(2), 1),
        (wechat.text("hi").forge_signature(), 0),
    ] {
        let transcript = push.deliver(http1()).await;
        assert_eq!(transcript.shown(), &Shown::Nothing, "{transcript}");
        assert_eq!(runs.since_last(), ran, "{transcript}");
    }
}

#[tokio::test]
async fn the_example() {
    let (listener, wechat) = listen().await;
    tokio::spawn(example::serve(listener, account()));
    check_example(&wechat, http1()).await;
}
