use tower_wechat::{Message, Reply, message_fn};

struct Failed;

async fn answer(_: Message) -> Result<Reply, Failed> {
    Err(Failed)
}

fn main() {
    let _ = message_fn(answer);
}
