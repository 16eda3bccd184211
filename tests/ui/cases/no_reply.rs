use tower_wechat::{Message, message_fn};

async fn answer(_: Message) -> u32 {
    7
}

fn main() {
    let _ = message_fn(answer);
}
