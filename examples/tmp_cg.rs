use std::hint::black_box;
use tower_wechat::{Message, message::VoiceMessage, xml};
const VOICE: &str = include_str!("tmp_voice.xml");
fn main() { let m = std::env::args().nth(1).unwrap(); for _ in 0..2000 { if m == "m" { black_box(xml::from_str::<Message>(black_box(VOICE)).unwrap()); } else { black_box(xml::from_str::<VoiceMessage>(black_box(VOICE)).unwrap()); } } }
