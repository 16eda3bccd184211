use hosts::{Runs, account, check, check_example, http1, http2, listen, stack};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tower_wechat::DedupLayer;

#[allow(dead_code, reason = "its main is not called")]
#[path = "../../examples/hyper.rs"]
pub(crate) mod example;

#[tokio::test]
async fn the_stack_on_both_versions() {
    let runs = Runs::default();
    let service = TowerToHyperService::new(stack(&runs, DedupLayer::in_memory()));
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
    check(&wechat, http1(), &runs).await;
    check(&wechat, http2(), &runs).await;
}

#[tokio::test]
async fn the_example_on_both_versions() {
    let (listener, wechat) = listen().await;
    tokio::spawn(example::serve(listener, account()));
    check_example(&wechat, http1()).await;
    check_example(&wechat, http2()).await;
}
