use std::convert::Infallible;

use tower_wechat::{Api, api::Recording, message::VoiceMessage, message_fn};

async fn answer(voice: VoiceMessage) -> Option<String> {
    voice.recognition
}

async fn recognize(_: Recording) -> Result<String, Infallible> {
    Ok(String::new())
}

fn with(api: Api) {
    let _ = message_fn(answer).recognize(api, recognize);
}

fn main() {}
