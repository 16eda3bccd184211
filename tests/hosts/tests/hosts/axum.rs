use axum::{Router, routing::post};
use bytes::Bytes;
use hosts::{Runs, account, check, check_example, http1, listen, stack};
use tower::ServiceBuilder;
use tower_wechat::{
    DedupLayer, VerifySignatureLayer,
    simulator::{Shown, Simulator},
};

#[allow(dead_code, reason = "its main is not called")]
#[path = "../../examples/axum.rs"]
pub(crate) mod example;

async fn serve(app: Router) -> Simulator {
    let (listener, wechat) = listen().await;
    tokio::spawn(async { axum::serve(listener, app).await });
    wechat
}

#[tokio::test]
async fn the_stack() {
    let runs = Runs::default();
    let stack = stack(&runs, DedupLayer::in_memory());
    let wechat = serve(Router::new().route_service("/wechat", stack)).await;
    check(&wechat, http1(), &runs).await;
}

#[tokio::test]
async fn the_example() {
    let wechat = serve(example::app(account(), DedupLayer::in_memory())).await;
    check_example(&wechat, http1()).await;
}

/// The layers alone, around handlers that extract the body as they do any other.
#[tokio::test]
async fn both_layers_around_a_router() {
    let runs = Runs::default();
    let seen = runs.clone();
    let receive = move |body: Bytes| async move {
        assert!(body.starts_with(b"<xml>"));
        seen.count();
        "success"
    };
    let app = Router::new().route("/wechat", post(receive)).layer(
        ServiceBuilder::new()
            .layer(VerifySignatureLayer::new(account()))
            .layer(DedupLayer::in_memory()),
    );
    let wechat = serve(app).await;
    assert_eq!(wechat.verify_url(http1()).await.fault(), None);
    for (push, ran) in [
        (wechat.text("hi").lose_answers(1), 1),
        (wechat.text("hi").forge_signature(), 0),
    ] {
        let transcript = push.deliver(http1()).await;
        assert_eq!(transcript.shown(), &Shown::Nothing, "{transcript}");
        assert_eq!(runs.since_last(), ran, "{transcript}");
    }
}
