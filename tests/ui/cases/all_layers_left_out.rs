use axum::Router;
use tower_wechat::{Message, Reply, message_fn};

async fn answer(_: Message) -> Reply {
    Reply::text("hi")
}

fn main() {
    let _: Router = Router::new().route_service("/wechat", message_fn(answer));
}
