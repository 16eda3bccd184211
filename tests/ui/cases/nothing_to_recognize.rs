use std::convert::Infallible;

use tower::service_fn;
use tower_wechat::{Api, api::Recording, message::TextMessage, message_fn};

async fn answer(text: TextMessage) -> String {
    text.content
}

fn with(api: Api) {
    let recognizer = service_fn(async |_: Recording| Ok::<_, Infallible>(String::new()));
    let _ = message_fn(answer).recognize(api, recognizer);
}

fn main() {}
