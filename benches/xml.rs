//! Reading and writing the dialect, beside its rivals on the same document in the same run.
//!
//! `cargo bench --bench xml` runs all of it, `cargo bench --bench xml -- voice` one part. Compare ratios
//! within one run: absolute times depend on the machine and on its other guests. A group is a task, a
//! row is who does it; `owned` reads into `String`s, `cow` into `Cow<str>`s that borrow where they can.
#![allow(missing_docs, reason = "Criterion's macros write public items")]
#![allow(clippy::expect_used, reason = "a bench that fails measures nothing")]

use std::{borrow::Cow, hint::black_box};

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tower_wechat::{
    Message,
    message::{Event, VoiceMessage},
    xml::{self, Value},
};

/// A voice message with ids as long as real ones: 427 bytes, eight fields.
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

/// What a bot's server reads of it, and what every rival can read.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Owned {
    to_user_name: String,
    from_user_name: String,
    create_time: u64,
    msg_type: String,
    media_id: String,
    format: String,
    recognition: Option<String>,
    msg_id: u64,
}

/// `VoiceMessage`, as quick-xml can read it: without the helpers that take a number for a text.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "reading them is what is measured")]
struct VoiceTwin {
    to_user_name: String,
    from_user_name: String,
    create_time: u64,
    msg_type: String,
    media_id: String,
    format: String,
    recognition: Option<String>,
    #[serde(rename = "MediaId16K")]
    media_id_16k: Option<String>,
    msg_id: Option<String>,
    msg_data_id: Option<String>,
    idx: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Borrowed<'a> {
    #[serde(borrow)]
    to_user_name: Cow<'a, str>,
    #[serde(borrow)]
    from_user_name: Cow<'a, str>,
    create_time: u64,
    #[serde(borrow)]
    msg_type: Cow<'a, str>,
    #[serde(borrow)]
    media_id: Cow<'a, str>,
    #[serde(borrow)]
    format: Cow<'a, str>,
    // serde borrows in a `Cow`, never in an `Option` of one.
    #[serde(borrow, default)]
    recognition: Cow<'a, str>,
    msg_id: u64,
}

fn voice_owned(c: &mut Criterion) {
    let json = as_json();
    let owned: Owned = xml::from_str(VOICE).expect("reads");
    assert_eq!(
        quick_xml::de::from_str::<Owned>(VOICE).expect("reads"),
        owned
    );
    assert_eq!(serde_json::from_str::<Owned>(&json).expect("reads"), owned);
    let voice: VoiceMessage = xml::from_str(VOICE).expect("reads");
    assert_eq!(voice.recognition, owned.recognition);
    let twin: VoiceTwin = quick_xml::de::from_str(VOICE).expect("reads");
    assert_eq!(
        (twin.recognition, twin.msg_id),
        (voice.recognition, voice.msg_id)
    );

    let mut group = c.benchmark_group("read a voice message, owned");
    row(&mut group, "tower-wechat, Message", VOICE, |xml| {
        xml::from_str::<Message>(xml)
    });
    row(&mut group, "tower-wechat, VoiceMessage", VOICE, |xml| {
        xml::from_str::<VoiceMessage>(xml)
    });
    row(
        &mut group,
        "tower-wechat, VoiceMessage from bytes",
        VOICE,
        |xml| xml::from_slice::<VoiceMessage>(xml.as_bytes()),
    );
    row(&mut group, "tower-wechat, plain struct", VOICE, |xml| {
        xml::from_str::<Owned>(xml)
    });
    row(&mut group, "serde_json, plain struct", &json, |json| {
        serde_json::from_str::<Owned>(json)
    });
    row(
        &mut group,
        "quick-xml, VoiceMessage's fields",
        VOICE,
        quick_xml::de::from_str::<VoiceTwin>,
    );
    row(&mut group, "quick-xml, plain struct", VOICE, |xml| {
        quick_xml::de::from_str::<Owned>(xml)
    });
    group.finish();
}

/// Events with parts of their own: pictures chosen with a menu button, and the result of a mass-sent
/// message.
fn nested_events(c: &mut Criterion) {
    nested_event::<Pics>(c, "read a picture picker's event", PICS);
    nested_event::<MassSend>(c, "read a mass-send result", MASS_SEND);
}

/// `T` is what a rival, which cannot tell the types apart, reads the event into.
fn nested_event<T: DeserializeOwned>(c: &mut Criterion, name: &str, event: &'static str) {
    assert!(quick_xml::de::from_str::<T>(event).is_ok());
    let typed = match xml::from_str(event).expect("reads") {
        Message::Event(event) => !matches!(event.event, Event::Other(_)),
        _ => false,
    };
    assert!(typed, "{event}");

    let mut group = c.benchmark_group(name);
    row(&mut group, "tower-wechat, Message", event, |xml| {
        xml::from_str::<Message>(xml)
    });
    row(&mut group, "tower-wechat, plain struct", event, |xml| {
        xml::from_str::<T>(xml)
    });
    row(&mut group, "quick-xml, plain struct", event, |xml| {
        quick_xml::de::from_str::<T>(xml)
    });
    group.finish();
}

const PICS: &str = include_str!("../tests/it/fixtures/event/pic_photo_or_album.xml");
const MASS_SEND: &str = include_str!("../tests/it/fixtures/event/masssendjobfinish.xml");

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "only read")]
struct Pics {
    to_user_name: String,
    from_user_name: String,
    create_time: u64,
    msg_type: String,
    event: String,
    event_key: String,
    send_pics_info: SendPicsInfo,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "only read")]
struct SendPicsInfo {
    count: u64,
    pic_list: List<Picture>,
}

#[derive(Deserialize)]
struct List<T> {
    #[serde(default = "Vec::new")]
    #[expect(dead_code, reason = "only read")]
    item: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "only read")]
struct Picture {
    pic_md5_sum: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "only read")]
struct MassSend {
    to_user_name: String,
    from_user_name: String,
    create_time: u64,
    msg_type: String,
    event: String,
    #[serde(rename = "MsgID")]
    msg_id: String,
    status: String,
    total_count: u64,
    filter_count: u64,
    sent_count: u64,
    error_count: u64,
    copyright_check_result: Option<CopyrightCheckResult>,
    article_url_result: Option<ArticleUrlResult>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "only read")]
struct CopyrightCheckResult {
    count: u64,
    result_list: List<CopyrightCheck>,
    check_state: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "only read")]
struct CopyrightCheck {
    article_idx: u64,
    user_declare_state: Option<i64>,
    audit_state: Option<i64>,
    original_article_url: String,
    original_article_type: Option<i64>,
    can_reprint: u8,
    need_replace_content: u8,
    need_show_reprint_source: u8,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "only read")]
struct ArticleUrlResult {
    count: u64,
    result_list: List<ArticleUrl>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "only read")]
struct ArticleUrl {
    article_idx: u64,
    article_url: String,
}

fn voice_cow(c: &mut Criterion) {
    let json = as_json();
    let borrowed: Borrowed<'_> = xml::from_str(VOICE).expect("reads");
    assert!(matches!(
        borrowed.recognition,
        Cow::Borrowed("腾讯微信团队")
    ));
    assert_eq!(
        quick_xml::de::from_str::<Borrowed<'_>>(VOICE).expect("reads"),
        borrowed
    );
    assert_eq!(
        serde_json::from_str::<Borrowed<'_>>(&json).expect("reads"),
        borrowed
    );

    let mut group = c.benchmark_group("read a voice message, cow");
    row(&mut group, "tower-wechat", VOICE, |xml| {
        xml::from_str::<Borrowed<'_>>(xml)
    });
    row(&mut group, "serde_json", &json, |json| {
        serde_json::from_str::<Borrowed<'_>>(json)
    });
    row(&mut group, "quick-xml", VOICE, |xml| {
        quick_xml::de::from_str::<Borrowed<'_>>(xml)
    });
    group.finish();
}

fn voice_tree(c: &mut Criterion) {
    let mut group = c.benchmark_group("read a voice message, tree");
    row(&mut group, "tower-wechat, Value", VOICE, |xml| {
        xml::from_str::<Value>(xml)
    });
    row(&mut group, "roxmltree", VOICE, |xml| {
        roxmltree::Document::parse(xml)
    });
    group.finish();
}

/// One long text: what is left of the speed when the markup is a trifle.
fn long_text(c: &mut Criterion) {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Text<'a> {
        #[serde(borrow)]
        content: Cow<'a, str>,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct OwnedText {
        content: String,
    }

    let sentence = "语音消息 and its answer: [微笑] 1 < 2 & 3. ";
    let content = sentence.repeat(32 * 1024 / sentence.len());
    let xml = format!(
        "<xml><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{content}]]></Content></xml>"
    );
    assert_eq!(
        xml::from_str::<Text<'_>>(&xml).expect("reads").content,
        content
    );
    assert_eq!(
        quick_xml::de::from_str::<Text<'_>>(&xml)
            .expect("reads")
            .content,
        content
    );

    let mut group = c.benchmark_group("read a text of 32 KiB");
    row(&mut group, "tower-wechat, cow", &xml, |xml| {
        xml::from_str::<Text<'_>>(xml)
    });
    row(&mut group, "tower-wechat, cow from bytes", &xml, |xml| {
        xml::from_slice::<Text<'_>>(xml.as_bytes())
    });
    row(&mut group, "tower-wechat, owned", &xml, |xml| {
        xml::from_str::<OwnedText>(xml)
    });
    row(&mut group, "quick-xml, cow", &xml, |xml| {
        quick_xml::de::from_str::<Text<'_>>(xml)
    });
    row(&mut group, "quick-xml, owned", &xml, |xml| {
        quick_xml::de::from_str::<OwnedText>(xml)
    });
    group.finish();
}

fn text_reply(c: &mut Criterion) {
    #[derive(Serialize)]
    #[serde(rename = "xml", rename_all = "PascalCase")]
    struct TextReply<'a> {
        to_user_name: &'a str,
        from_user_name: &'a str,
        create_time: u64,
        msg_type: &'a str,
        content: &'a str,
    }

    let reply = TextReply {
        to_user_name: "oW3xTt0mZr6uQkYb1LsNdEvCjPhA",
        from_user_name: "gh_5d1c0e94a7b3",
        create_time: 1_718_000_001,
        msg_type: "text",
        content: "您刚才说的是：腾讯微信团队",
    };
    let written = xml::to_string(&reply).expect("writes");

    let mut group = c.benchmark_group("write a text reply");
    group.throughput(Throughput::Bytes(written.len() as u64));
    group.bench_function("tower-wechat", |b| {
        b.iter(|| xml::to_string(black_box(&reply)));
    });
    group.bench_function("quick-xml", |b| {
        b.iter(|| quick_xml::se::to_string(black_box(&reply)));
    });
    group.finish();
}

fn row<'a, T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    input: &'a str,
    read: impl Fn(&'a str) -> T,
) {
    group.throughput(Throughput::Bytes(input.len() as u64));
    group.bench_function(name, |b| b.iter(|| read(black_box(input))));
}

/// The voice message as WeChat's JSON format has it.
fn as_json() -> String {
    assert_eq!(VOICE.len(), 427, "the size that the figures are about");
    let voice: Borrowed<'_> = xml::from_str(VOICE).expect("reads");
    serde_json::to_string(&voice).expect("writes")
}

criterion_group!(
    benches,
    voice_owned,
    voice_cow,
    voice_tree,
    long_text,
    text_reply,
    nested_events
);
criterion_main!(benches);
