//! What the bot says. This is the part to replace.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::sleep;
use tower_wechat::{Message, Reply, message::Event};

/// What all messages share. In a real bot, a pool of connections to its database.
#[derive(Debug, Default)]
pub struct State {
    scans: Mutex<BTreeMap<String, u64>>,
}

/// Answers a message or an event.
pub async fn answer(state: Arc<State>, message: Message) -> Reply {
    // A user who scans your QR code sends `SCAN`, a new one `subscribe`. Both have the code's scene.
    if let Some(scene) = message.scene() {
        let count = state.count_scan(scene);
        return Reply::text(format!("欢迎，你是第 {count} 位扫描“{scene}”的朋友"));
    }
    match message {
        Message::Text(text) => talk(text.content.trim()).await,
        Message::Voice(voice) => match voice.recognition {
            Some(words) => talk(&words).await,
            None => Reply::text("我没听清，请打字"),
        },
        Message::Event(event) => match event.event {
            Event::Subscribe(_) => Reply::text(HELP),
            Event::Click(click) => state.answer_menu(click.event_key.as_deref()),
            _ => Reply::success(),
        },
        _ => Reply::text(HELP),
    }
}

/// Takes as long as a language model or a database takes.
async fn talk(words: &str) -> Reply {
    // Nothing is kept, or the layers would have answered.
    if words == MORE {
        return Reply::text(NOTHING_MORE);
    }
    let seconds = words.strip_prefix("计时").map(str::trim).map(str::parse);
    if let Some(Ok(seconds @ 0..=50)) = seconds {
        sleep(Duration::from_secs(seconds)).await;
        return Reply::text(format!("{seconds} 秒到了"));
    }
    Reply::text(format!("你说的是：{words}"))
}

impl State {
    fn count_scan(&self, scene: &str) -> u64 {
        let mut scans = self.scans.lock().unwrap_or_else(PoisonError::into_inner);
        let count = scans.entry(scene.to_owned()).or_default();
        *count += 1;
        *count
    }

    fn answer_menu(&self, key: Option<&str>) -> Reply {
        match key {
            Some("scans") => {
                let scans = self.scans.lock().unwrap_or_else(PoisonError::into_inner);
                let lines = scans
                    .iter()
                    .map(|(scene, count)| format!("{scene}：{count}"));
                Reply::text(format!(
                    "扫码次数\n{}",
                    lines.collect::<Vec<_>>().join("\n")
                ))
            }
            Some(MORE_KEY) => Reply::text(NOTHING_MORE),
            _ => Reply::text(HELP),
        }
    }
}

/// Fetches an answer that came too late, as does a click on the menu item with the key `more`.
pub const MORE: &str = "继续";
pub const MORE_KEY: &str = "more";

pub const THINKING: &str = "还在想。稍后没有答案，请回复“继续”";
pub const FAILED: &str = "抱歉，没有得到答案";
const NOTHING_MORE: &str = "没有更多了";
const HELP: &str = "你好！说句话，或者发“计时 20”";
