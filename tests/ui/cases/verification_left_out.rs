use axum::Router;
use tower::ServiceBuilder;
use tower_wechat::{DedupLayer, Message, Reply, message_fn};

async fn answer(_: Message) -> Reply {
    Reply::text("hi")
}

fn main() {
    let wechat = ServiceBuilder::new()
        .layer(DedupLayer::in_memory())
        .service(message_fn(answer));
    let _: Router = Router::new().route_service("/wechat", wechat);
}
