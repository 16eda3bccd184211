//! One voice message, from the document to the SDK's own type for it. Compare ratios within one run.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tower_wechat::{Message, xml};
use wechat_oa_sdk::{Config, WeChatClient, api::message::IncomingMessage};
use wx_rust_mp::bean::message::WxMpXmlMessage;
use wx_sdk::mp::event::{ReceivedEvent, ReceivedMessage};

use peers::questions::{RECOGNITION, VOICE};

fn voice(c: &mut Criterion) {
    let client = WeChatClient::new(Config::new("wx0a1b2c3d4e5f6071", "unused", peers::TOKEN));
    read_the_same(&client);

    let mut group = c.benchmark_group("parse a voice message");
    group.throughput(Throughput::Bytes(VOICE.len() as u64));
    group.bench_function("tower-wechat, Message", |b| {
        b.iter(|| xml::from_str::<Message>(black_box(VOICE)));
    });
    group.bench_function("wechat-oa-sdk 1.0.5, parse_message", |b| {
        b.iter(|| client.parse_message(black_box(VOICE)));
    });
    group.bench_function("wx-rust-mp 0.1.5, WxMpXmlMessage::from_xml", |b| {
        b.iter(|| WxMpXmlMessage::from_xml(black_box(VOICE)));
    });
    group.bench_function("wx-sdk 0.0.9, ReceivedEvent::parse", |b| {
        b.iter(|| ReceivedEvent::parse(black_box(VOICE)));
    });
    group.finish();
}

/// Who skips the work is not measured.
fn read_the_same(client: &WeChatClient) {
    let Ok(Message::Voice(voice)) = xml::from_str(VOICE) else {
        panic!("tower-wechat");
    };
    assert_eq!(voice.recognition.as_deref(), Some(RECOGNITION));
    let Ok(IncomingMessage::Voice(voice)) = client.parse_message(VOICE) else {
        panic!("wechat-oa-sdk");
    };
    assert_eq!(voice.recognition.as_deref(), Some(RECOGNITION));
    let voice = WxMpXmlMessage::from_xml(VOICE).expect("wx-rust-mp");
    assert_eq!(voice.recognition.as_deref(), Some(RECOGNITION));
    let voice = ReceivedEvent::parse(VOICE).ok().map(|event| event.body);
    let Some(ReceivedMessage::Voice(voice)) = voice else {
        panic!("wx-sdk");
    };
    assert_eq!(voice.recognition.as_deref(), Some(RECOGNITION));
}

criterion_group!(benches, voice);
criterion_main!(benches);
