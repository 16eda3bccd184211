use axum::Router;
use tower::ServiceBuilder;
use tower_wechat::{Account, DedupLayer, Message, Reply, VerifySignatureLayer, message_fn};

async fn answer(_: Message) -> Reply {
    Reply::text("hi")
}

fn main() {
    let account = Account::plain("rosebud7").unwrap();
    let wechat = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account))
        .layer(DedupLayer::in_memory())
        .service(message_fn(answer));
    let _: Router = Router::new().route_service("/wechat", wechat);
}
