use hosts::{Runs, account, check, check_example, http1, stack, wechat_at};
use salvo::{
    Listener, Router, Server,
    conn::{Acceptor, TcpListener},
    http::ReqBody,
    prelude::TowerServiceCompat,
};
use tower_wechat::{DedupLayer, simulator::Simulator};

#[allow(dead_code, reason = "its main is not called")]
#[path = "../../examples/salvo.rs"]
mod example;

async fn serve(app: Router) -> Simulator {
    let acceptor = TcpListener::new("127.0.0.1:0").bind().await;
    let address = acceptor.holdings()[0].local_addr.clone();
    let port = address.into_std().unwrap().port();
    tokio::spawn(Server::new(acceptor).serve(app));
    wechat_at(port)
}

#[tokio::test]
async fn the_stack() {
    let runs = Runs::default();
    let stack = stack(&runs, DedupLayer::in_memory());
    let goal = TowerServiceCompat::<ReqBody, _, _, _>::compat(stack);
    let wechat = serve(Router::with_path("wechat").goal(goal)).await;
    check(&wechat, http1(), &runs).await;
}

#[tokio::test]
async fn the_example() {
    let wechat = serve(example::app(account())).await;
    check_example(&wechat, http1()).await;
}
