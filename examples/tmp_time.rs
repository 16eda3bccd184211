use std::{hint::black_box, time::Instant};
use tower_wechat::{Message, message::{VoiceMessage,OtherMessage}, xml};
const VOICE: &str = "<xml>
<ToUserName><![CDATA[gh_5d1c0e94a7b3]]></ToUserName>
<FromUserName><![CDATA[oW3xTt0mZr6uQkYb1LsNdEvCjPhA]]></FromUserName>
<CreateTime>1718000000</CreateTime>
<MsgType><![CDATA[voice]]></MsgType>
<MediaId><![CDATA[hT0vXqLr3mZs8NcWb5YkEj7UdGfPaoR1iCtB2wVxK4nMzSyQpDlH6gJeF9uO0]]></MediaId>
<Format><![CDATA[amr]]></Format>
<Recognition><![CDATA[腾讯微信团队]]></Recognition>
<MsgId>2459170863524170538</MsgId>
</xml>";
fn min(f: impl Fn()) -> f64 { let mut best = f64::MAX; for _ in 0..300 { let t = Instant::now(); for _ in 0..2000 { f(); } best = best.min(t.elapsed().as_nanos() as f64 / 2000.0); } best }
fn main() { if std::env::args().len() > 2 { for _ in 0..3_000_000 { black_box(xml::from_str::<VoiceMessage>(black_box(VOICE)).unwrap()); } return } if std::env::args().len() > 1 { for _ in 0..3_000_000 { black_box(xml::from_str::<Message>(black_box(VOICE)).unwrap()); } return } for _ in 0..3 {
  let v = min(|| { black_box(xml::from_str::<VoiceMessage>(black_box(VOICE)).unwrap()); });
  let m = min(|| { black_box(xml::from_str::<Message>(black_box(VOICE)).unwrap()); });
  println!("voice {v:.0} message {m:.0} ratio {:.2}", m / v); } }
