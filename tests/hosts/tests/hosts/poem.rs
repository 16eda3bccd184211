use hosts::{Runs, account, check, check_example, http1, listen, stack};
use poem::{Route, Server, endpoint::TowerCompatExt, listener::TcpAcceptor};
use tower_wechat::{DedupLayer, simulator::Simulator};

#[allow(dead_code, reason = "its main is not called")]
#[path = "../../examples/poem.rs"]
pub(crate) mod example;

async fn serve(app: Route) -> Simulator {
    let (listener, wechat) = listen().await;
    let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
    tokio::spawn(Server::new_with_acceptor(acceptor).run(app));
    wechat
}

#[tokio::test]
async fn the_stack() {
    let runs = Runs::default();
    let stack = stack(&runs, DedupLayer::in_memory());
    let wechat = serve(Route::new().at("/wechat", stack.compat())).await;
    check(&wechat, http1(), &runs).await;
}

#[tokio::test]
async fn the_example() {
    let wechat = serve(example::app(account(), DedupLayer::in_memory())).await;
    check_example(&wechat, http1()).await;
}
