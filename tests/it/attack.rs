//! What a hostile client, a copied request or bad luck does to streams, late retries, queries, addresses and inline runs.

use std::{
    convert::Infallible,
    future::poll_fn,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use proptest::{prelude::*, sample::select};
use serde_json::json;
use tokio::time::{advance, sleep};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_wechat::{
    Account, DedupLayer, Message, Reply, ResponseBody, VerifySignatureLayer,
    callback::Query,
    dedup::{Key, store::MemoryStore},
    handler::{Partial, stream_fn},
    late::{LateReply, ResponseUrl},
    message::smart_bot::{BotContent, BotMessage},
    message_fn,
    reply::XpayAnswer,
    simulator::{Simulator, Transcript},
    verify::IpNet,
};

const TOKEN: &str = "walnut42";
const KEY: &str = "kWxPzR4mNq7vTc2Lb9HsYf0Jd3Ua6Ge8Xi5Oo1Zt4Qw";
const APP_ID: &str = "wx0f1e2d3c4b5a6978";

fn bot_account() -> Account {
    Account::smart_bot(TOKEN, KEY).unwrap().with_name("bot")
}

fn safe() -> Account {
    Account::encrypted(TOKEN, APP_ID, KEY).unwrap()
}

/// A clock that goes with tokio's.
fn clock() -> impl Fn() -> SystemTime + Clone {
    let start = tokio::time::Instant::now();
    move || SystemTime::UNIX_EPOCH + secs(1_760_000_000) + start.elapsed()
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

macro_rules! stack {
    ($account:expr, $clock:expr, $dedup:expr, $handler:expr) => {
        ServiceBuilder::new()
            .layer(VerifySignatureLayer::new($account).with_clock($clock))
            .layer(DedupLayer::clone($dedup))
            .service($handler)
    };
}

fn poll_of(id: &str, msg_id: u32) -> String {
    json!({
        "msgid": msg_id.to_string(), "aibotid": "aib-7", "chattype": "single", "from": { "userid": "mei" },
        "msgtype": "stream", "stream": { "id": id },
    })
    .to_string()
}

/// Says who it is for, slowly, and in the end.
async fn slow_for(message: BotMessage, partial: Partial) -> String {
    let user = message.user_id.unwrap_or_default();
    partial.push(format!("for {user}: "));
    sleep(secs(20)).await;
    format!("for {user}: end")
}

fn text_of(transcript: &Transcript) -> &str {
    transcript.shown().text().unwrap_or_default()
}

// Streams.

/// The answer to a poll is about the stream that WeCom asks for, also if another program began it.
#[tokio::test(start_paused = true)]
async fn a_foreign_stream_is_answered_by_its_own_id() {
    let clock = clock();
    let wecom = Simulator::new(bot_account()).with_clock(clock.clone());
    for id in ["s7", "s-7", "CAIQ/+=", "流", "\u{1}\"\\"] {
        let handler = message_fn(|message: BotMessage| async move {
            assert!(matches!(message.content, BotContent::Stream(_)));
            Reply::text("gone")
        });
        let bot = stack!(
            bot_account(),
            clock.clone(),
            &DedupLayer::in_memory(),
            handler
        );
        let transcript = wecom.xml(poll_of(id, 1)).deliver(bot).await;
        assert_eq!(transcript, "gone", "{id:?}");
    }
}

/// Ids that differ in one character only are two messages, and two streams.
#[tokio::test(start_paused = true)]
async fn similar_ids_have_streams_of_their_own() {
    for [one, other] in [
        ["CAIQ7/gI=", "CAIQ7+gI="],
        ["a_b", "a-b"],
        ["a_2db", "a-b"],
        ["好", "坏"],
    ] {
        let clock = clock();
        let wecom = Simulator::new(bot_account()).with_clock(clock.clone());
        let bot = stack!(
            bot_account(),
            clock,
            &DedupLayer::in_memory(),
            stream_fn(slow_for)
        );
        let push = |id: &str, user: &str| wecom.text("hi").msg_id(id).from_user(user);
        let (one, other) = tokio::join!(
            push(one, "mei").deliver(bot.clone()),
            push(other, "li").deliver(bot)
        );
        assert_eq!(
            [text_of(&one), text_of(&other)],
            ["for mei: end", "for li: end"]
        );
    }
}

/// Messages without an id are answered, but no member gets the text of another.
#[tokio::test(start_paused = true)]
async fn messages_without_an_id_share_no_stream() {
    for id in [json!(null), json!(""), json!("0"), json!({}), json!([])] {
        let clock = clock();
        let wecom = Simulator::new(bot_account()).with_clock(clock.clone());
        let bot = stack!(
            bot_account(),
            clock,
            &DedupLayer::in_memory(),
            stream_fn(slow_for)
        );
        let push = |user: &str| {
            let push = json!({
                "msgid": id, "aibotid": "aib-7", "from": { "userid": user }, "msgtype": "text",
                "text": { "content": "hi" },
            });
            wecom.xml(push.to_string())
        };
        let (one, other) = tokio::join!(push("mei").deliver(bot.clone()), push("li").deliver(bot));
        assert!(!text_of(&one).contains("li"), "{id}: {one}");
        assert!(!text_of(&other).contains("mei"), "{id}: {other}");
    }
}

/// Polls of streams that nobody knows cost a run each, and none of them breaks a stream that goes on.
#[tokio::test(start_paused = true)]
async fn a_flood_of_unknown_polls_breaks_nothing() {
    let clock = clock();
    let wecom = Simulator::new(bot_account()).with_clock(clock.clone());
    let dedup = DedupLayer::builder().with_capacity(64).build();
    let handler = stream_fn(|message: BotMessage, partial: Partial| async move {
        match message.content {
            BotContent::Stream(_) => String::new(),
            _ => slow_for(message, partial).await,
        }
    });
    let bot = stack!(bot_account(), clock, &dedup, handler);
    let message = wecom.text("hi").from_user("mei").deliver(bot.clone());
    let flood = async {
        sleep(secs(2)).await;
        for number in 0..2000 {
            let poll = wecom.xml(poll_of(&format!("s{number}"), number));
            let request = poll.request().unwrap().map(Full::new);
            let response = bot.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), 200);
        }
    };
    let (transcript, ()) = tokio::join!(message, flood);
    assert_eq!(transcript, "for mei: end");
}

/// A handler that panics, at first or always, leaves no stream open.
#[tokio::test(start_paused = true)]
async fn a_panicking_handler_ends_its_stream() {
    for panics in [1, 2, 100] {
        let clock = clock();
        let wecom = Simulator::new(bot_account()).with_clock(clock.clone());
        let dedup = DedupLayer::builder()
            .with_failure_reply(Reply::text("sorry"))
            .unwrap()
            .build();
        let runs = Arc::new(AtomicUsize::new(0));
        let handler = stream_fn(move |_: BotMessage, partial: Partial| {
            let run = runs.fetch_add(1, Ordering::SeqCst);
            async move {
                partial.push("half ");
                sleep(secs(4)).await;
                assert!(run >= panics, "by intention");
                partial.push("whole");
            }
        });
        let bot = stack!(bot_account(), clock, &dedup, handler);
        let transcript = wecom.text("hi").deliver(bot).await;
        let expected = if panics > 2 { "sorry" } else { "half whole" };
        assert_eq!(transcript, expected, "{panics}: {transcript}");
    }
}

/// What a bot cannot say, and nothing at all, ends its stream as well.
#[tokio::test(start_paused = true)]
async fn whatever_is_returned_ends_the_stream() {
    let replies: [fn() -> Result<Reply, String>; 9] = [
        || Ok(Reply::image("m")),
        || Ok(Reply::update_button("m")),
        || Err("by intention".to_owned()),
        || Ok(Reply::success()),
        || Ok(Reply::text("")),
        || Ok(Reply::text(" \n")),
        || Ok(Reply::text("a\u{0}\u{b}\u{fffe}\u{7f}b")),
        || Ok(Reply::text("a").then(Reply::image("m"))),
        || Ok(Reply::image("m").then(Reply::text("a"))),
    ];
    for (number, reply) in replies.into_iter().enumerate() {
        for words in ["", "so far\u{1}\u{b}"] {
            let clock = clock();
            let wecom = Simulator::new(bot_account()).with_clock(clock.clone());
            let handler = stream_fn(move |_: BotMessage, partial: Partial| async move {
                partial.push(words);
                sleep(secs(4)).await;
                reply()
            });
            let bot = stack!(bot_account(), clock, &DedupLayer::in_memory(), handler);
            let transcript = wecom.text("hi").deliver(bot).await;
            let polls = transcript.deliveries();
            assert!(polls.len() < 20, "{number} {words:?}: {transcript}");
            assert!(
                polls.iter().all(|poll| poll.fault().is_none()),
                "{number} {words:?}: {transcript}"
            );
        }
    }
}

// Bodies.

/// Answers each of the bodies, at once.
async fn check_bodies(account: Account, bodies: Vec<String>, statuses: &[u16]) {
    let clock = clock();
    let wechat = Simulator::new(account.clone()).with_clock(clock.clone());
    for body in bodies {
        let begin: String = body.chars().take(60).collect();
        let mut quickest = Duration::MAX;
        // Another process may take the time of one try.
        for _ in 0..3 {
            let handler = message_fn(|message: BotMessage| async move {
                let _ = (message.content.text(), format!("{message:?}"));
                Reply::text("heard")
            });
            let bot = stack!(
                account.clone(),
                clock.clone(),
                &DedupLayer::in_memory(),
                handler
            );
            let request = wechat.xml(body.clone()).request().unwrap().map(Full::new);
            let before = Instant::now();
            let response = bot.oneshot(request).await.unwrap();
            quickest = quickest.min(before.elapsed());
            assert!(
                statuses.contains(&response.status().as_u16()),
                "{begin}: {}",
                response.status()
            );
            if quickest < secs(1) {
                break;
            }
        }
        assert!(quickest < secs(1), "{begin}: {quickest:?}");
    }
}

fn hostile_bodies() -> Vec<String> {
    let push = |fields: &str| {
        format!(r#"{{"msgid":"7","aibotid":"b","from":{{"userid":"mei"}},{fields}}}"#)
    };
    let mut bodies = Vec::new();
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"a":"#, "}]")] {
        for depth in [10, 120, 126, 127, 128, 129, 5000] {
            let value = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            bodies.push(push(&format!(r#""x":{value}"#)));
            // Half a surrogate pair makes it a matter of the lenient reader.
            bodies.push(push(&format!(r#""y":"\ud800","x":{value}"#)));
            bodies.push(push(&format!(r#""y":"\ud800","x":{}"#, open.repeat(depth))));
        }
    }
    for depth in [1, 10, 40, 60] {
        let mut item = r#"{"msgtype":"text","text":{"content":"a"}}"#.to_owned();
        for _ in 0..depth {
            item = format!(r#"{{"msgtype":"mixed","mixed":{{"msg_item":[{item}]}}}}"#);
        }
        let fat = item.replace(r#""a""#, &format!(r#""{}""#, "a".repeat(30_000)));
        for item in [item, fat] {
            bodies.push(push(
                item.trim_start_matches('{').strip_suffix('}').unwrap(),
            ));
            bodies.push(push(&format!(
                r#""msgtype":"text","text":{{"content":"a"}},"quote":{item}"#
            )));
        }
    }
    bodies.extend([
        push(r#""a":1,"#.repeat(9000).trim_end_matches(',')),
        push(&(0..5000).map(|n| format!(r#""k{n}":1"#)).collect::<Vec<_>>().join(",")),
        push(&format!(r#""msgtype":"mixed","mixed":{{"msg_item":[{}]}}"#, "{},".repeat(20_000).trim_end_matches(','))),
        push(&format!(r#""msgtype":"mixed","mixed":{{"msg_item":[{}]}}"#, "[],".repeat(20_000).trim_end_matches(','))),
        push(r#""msgid":"8""#),
        push(r#""from":{"userid":"li"}"#),
        push(r#""from":[{"userid":"li"},{"userid":"mei"}]"#),
        push(r#""msgtype":"text","msgtype":"event""#),
        push(r#""msgtype":["text"],"text":[{"content":"a"},{"content":"b"}]"#),
        push(r#""msgtype":"text","text":"a""#),
        push(r#""msgtype":"text","text":null"#),
        push(r#""msgtype":"text","text":{"content":{"a":[1]}}"#),
        push(r#""msgtype":"text","text":{"content":"\ud83c"},"create_time":1e999999"#),
        push(r#""msgtype":"text","text":{"content":"\udf0a\ud83c\ud83c\udf0a"},"create_time":-1"#),
        push(&format!(r#""msgtype":"text","text":{{"content":"{}"}}"#, r"\ud800".repeat(9000))),
        push(&format!(r#""msgtype":"text","text":{{"content":"{}"}}"#, r"\u".repeat(20_000))),
        push(&format!(r#""create_time":{}"#, "9".repeat(50_000))),
        push(r#""msgtype":"stream","stream":{"id":["a","b"]}"#),
        push(r#""msgtype":"stream","stream":{"id":"a","id":"b"}"#),
        push(r#""msgtype":"msgtype""#),
        push(r#""msgtype":"from""#),
        push(r#""msgtype":"$text","$text":"a","@a":"b","$value":{"@b":1}"#),
        push(r#""msgtype":"event","event":{"eventtype":"event","event":{"eventtype":"enter_chat"}}"#),
        push(r#""msgtype":"event","event":{"eventtype":"feedback_event","feedback_event":{"type":"x","inaccurate_reason_list":{"a":1}}}"#),
        format!(r#"{{"msgid":"{}","aibotid":"b","msgtype":"text","text":{{"content":"a"}}}}"#, "7".repeat(60_000)),
        r#"{"msgid":7,"aibotid":true,"from":"mei","chatid":[],"msgtype":"text","text":{"content":"a"}}"#.to_owned(),
        "\u{feff} {\"msgid\":\"7\",\"msgtype\":\"text\"}\0\0\0".to_owned(),
        r#"{"msgid":"7""#.to_owned(),
        "{".to_owned(),
        "{}".to_owned(),
        r#"{"":{"":[]}}"#.to_owned(),
    ]);
    bodies.retain(|body| body.len() < 48 * 1024 + 40_000);
    bodies
}

#[tokio::test]
async fn no_body_breaks_a_smart_bot() {
    // 413 for those that are too long once they are encrypted.
    check_bodies(bot_account(), hostile_bodies(), &[200, 400, 413]).await;
}

/// The same at an Official Account, and Official Accounts' at a bot.
#[tokio::test]
async fn no_body_of_the_other_product_breaks_an_account() {
    let plain = Account::plain(TOKEN).unwrap();
    check_bodies(plain, hostile_bodies(), &[200, 413]).await;
    check_bodies(safe(), hostile_bodies(), &[200, 413]).await;
    let xml = "<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName><CreateTime>1</CreateTime>\
        <MsgType>text</MsgType><Content>hi</Content><MsgId>7</MsgId></xml>";
    let json = r#"{"ToUserName":"gh_1","FromUserName":"o1","CreateTime":1,"MsgType":"text","Content":"hi","MsgId":7}"#;
    check_bodies(bot_account(), vec![xml.to_owned(), json.to_owned()], &[400]).await;
}

proptest! {
    #![proptest_config(crate::cases(256))]

    /// Pieces of JSON, in any order.
    #[test]
    fn no_mixed_up_json_breaks_a_smart_bot(pieces in prop::collection::vec(select(vec![
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "d800", "null", "1e9", "-", "\"msgid\":", "\"7\"", "\"aibotid\":",
        "\"from\":{\"userid\":\"mei\"}", "\"msgtype\":\"text\"", "\"text\":{\"content\":\"a\"}", "\"stream\":{\"id\":\"7\"}",
        "\"msgtype\":\"mixed\"", "\"mixed\":{\"msg_item\":[", "\"quote\":", "\u{1}", "é", " ", "\0", "\"$text\":", "\"@a\":",
    ]), 0..40)) {
        let body = format!("{{\"msgid\":\"7\",{}}}", pieces.concat());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(check_bodies(bot_account(), vec![body], &[200, 400]));
    }
}

// The response_url.

/// A forged push cannot make the server post to an address of its own network.
#[tokio::test(start_paused = true)]
async fn no_forged_response_url_reaches_another_host() {
    let (posted, clock) = (Arc::new(Mutex::new(Vec::new())), clock());
    let noted = Arc::clone(&posted);
    let http = service_fn(move |request: Request<tower_wechat::api::RequestBody>| {
        noted.lock().unwrap().push(request.uri().to_string());
        let answer = Full::<Bytes>::from(r#"{"errcode":0}"#);
        std::future::ready(Ok::<_, Infallible>(Response::new(answer)))
    });
    // Plain mode does not sign the body.
    let account = Account::plain(TOKEN).unwrap();
    let dedup = DedupLayer::builder()
        .with_late_replies(ResponseUrl::new(http))
        .build();
    let bot = stack!(account.clone(), clock.clone(), &dedup, stream_fn(slow_for));
    let genuine = "https://qyapi.weixin.qq.com/cgi-bin/aibot/response?response_code=7";
    let urls = [
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/latest/meta-data",
        "http://localhost:6379/",
        "https://[::1]/",
        "https://10.0.0.1/?qyapi.weixin.qq.com",
        "https://qyapi.weixin.qq.com@10.0.0.1/",
        "https://qyapi.weixin.qq.com:7@10.0.0.1/",
        "https://qyapi.weixin.qq.com.example.com/",
        "https://evilqyapi.weixin.qq.com/",
        "https://weixin.qq.com/",
        "http://qyapi.weixin.qq.com/cgi-bin/aibot/response?response_code=7",
        "https://qyapi.weixin.qq.com:6379/",
        "file:///etc/passwd",
        "//qyapi.weixin.qq.com/",
        "/cgi-bin/aibot/response",
        "qyapi.weixin.qq.com:443",
        "*",
        "",
        genuine,
        "HTTPS://QYAPI.weixin.qq.com:443/cgi-bin/aibot/response?response_code=8",
    ];
    let wechat = Simulator::new(account).with_clock(clock);
    for (number, url) in urls.iter().enumerate() {
        let push = json!({
            "msgid": number.to_string(), "aibotid": "b", "from": { "userid": "mei" }, "response_url": url,
            "msgtype": "text", "text": { "content": "hi" },
        });
        let request = wechat.xml(push.to_string()).request().unwrap();
        let response = bot.clone().oneshot(request.map(Full::new)).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    sleep(secs(120)).await;
    dedup.drain(secs(60)).await;
    let posted = posted.lock().unwrap();
    assert_eq!(posted.len(), 2, "{posted:?}");
    assert!(posted.iter().all(|url| {
        url.to_lowercase()
            .starts_with("https://qyapi.weixin.qq.com")
    }));
}

// Copies.

const GOODS: &str = include_str!("fixtures/event/xpay_goods_deliver_notify.xml");
const OTHER: &str = include_str!("fixtures/event/xpay_subscribe_signing_result_notify.xml");

/// A copy of a push that is accepted for a day is one message for a day, whatever its key and its fields are.
#[tokio::test(start_paused = true)]
async fn a_copy_within_its_day_runs_once() {
    let without_id = GOODS.replace("OutTradeNo", "InTradeNo");
    for (document, has_own_key) in [
        (GOODS, false),
        (GOODS, true),
        (&*without_id, false),
        (&*without_id, true),
    ] {
        let (runs, clock) = (Arc::new(AtomicUsize::new(0)), clock());
        let counted = Arc::clone(&runs);
        let dedup = if has_own_key {
            DedupLayer::builder()
                .with_key(|request| Key::new([request.body().as_bytes()]))
                .build()
        } else {
            DedupLayer::in_memory()
        };
        let handler = message_fn(move |_: Message| {
            counted.fetch_add(1, Ordering::SeqCst);
            async { XpayAnswer::success() }
        });
        let service = stack!(safe(), clock.clone(), &dedup, handler);
        let wechat = Simulator::new(safe()).with_clock(clock);
        let request = wechat.xml(document.to_owned()).request().unwrap();
        for pause in [0, 60, 1200, 3600, 20 * 3600] {
            advance(secs(pause)).await;
            let copy = request.clone().map(Full::new);
            let _ = service.clone().oneshot(copy).await.unwrap();
        }
        assert_eq!(
            runs.load(Ordering::SeqCst),
            1,
            "own key: {has_own_key}, {document}"
        );
    }
}

/// An old query opens no other door.
#[tokio::test(start_paused = true)]
async fn old_queries_and_foreign_ones_are_rejected() {
    let clock = clock();
    let plain = || Account::plain(TOKEN).unwrap();
    let nobody = || {
        message_fn(|_: Message| async {
            assert_eq!("accepted", "");
        })
    };
    let request = |account: Account, document: &str| {
        let wechat = Simulator::new(account).with_clock(clock.clone());
        wechat.xml(document.to_owned()).request().unwrap()
    };
    let requests: Vec<(Account, Request<Bytes>)> = vec![
        (plain(), request(plain(), GOODS)),
        (safe(), request(safe(), OTHER)),
        (bot_account(), request(bot_account(), &poll_of("7", 1))),
        // The plaintext in place of the ciphertext.
        (safe(), request(safe(), OTHER).map(|_| GOODS.into())),
    ];
    advance(secs(301)).await;
    for (account, old) in requests {
        let service = stack!(
            account.clone(),
            clock.clone(),
            &DedupLayer::in_memory(),
            nobody()
        );
        let response = service
            .clone()
            .oneshot(old.clone().map(Full::new))
            .await
            .unwrap();
        assert!(
            matches!(response.status().as_u16(), 400 | 403),
            "{}",
            response.status()
        );
        if account.mode() != plain().mode() {
            // The same ciphertext with a query of now.
            let mut copied = request(account.clone(), GOODS);
            *copied.body_mut() = old.body().clone();
            let response = service.oneshot(copied.map(Full::new)).await.unwrap();
            assert!(
                matches!(response.status().as_u16(), 400 | 403),
                "{}",
                response.status()
            );
        }
    }
    // Without the signature of the query, and with the signature of another.
    let late = request(safe(), GOODS);
    let other = request(safe(), GOODS);
    advance(secs(301)).await;
    let service = stack!(safe(), clock.clone(), &DedupLayer::in_memory(), nobody());
    let query = late.uri().query().unwrap();
    let signature = |request: &Request<Bytes>| {
        let query = request.uri().query().unwrap().to_owned();
        let found = query
            .split('&')
            .find(|pair| pair.starts_with("signature="))
            .unwrap();
        found.to_owned()
    };
    let (own, foreign) = (signature(&late), signature(&other));
    for query in [
        query.replace(&format!("{own}&"), ""),
        query.replace(&own, "signature="),
        query.replace("encrypt_type=aes", "encrypt_type=raw"),
        query.replace("msg_signature", "x"),
        query.replace(
            &own,
            if own == foreign {
                "signature=7"
            } else {
                &foreign
            },
        ),
    ] {
        let mut request = late.clone().map(Full::new);
        *request.uri_mut() = format!("/?{query}").parse().unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert!(
            matches!(response.status().as_u16(), 400 | 403),
            "{query}: {}",
            response.status()
        );
    }
}

// Seals.

/// On all threads.
#[test]
fn seals_differ() {
    let all: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    (0..500)
                        .map(|_| {
                            let sealed = tower_wechat::callback::seal(&safe(), b"<xml/>").unwrap();
                            (
                                sealed.nonce().to_owned(),
                                sealed.encrypt().chars().take(20).collect::<String>(),
                            )
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|it| it.join().unwrap())
            .collect()
    });
    let nonces: std::collections::HashSet<_> = all.iter().map(|it| &it.0).collect();
    let texts: std::collections::HashSet<_> = all.iter().map(|it| &it.1).collect();
    assert_eq!((nonces.len(), texts.len()), (4000, 4000));
}

// Queries.

/// The parser, said once more and in the simplest way: the timestamp if the query is accepted.
fn reference(query: &str) -> Option<String> {
    if query.len() > 4096 {
        return None;
    }
    let decode = |text: &str| {
        let (bytes, mut at, mut decoded) = (text.as_bytes(), 0, Vec::new());
        while at < bytes.len() {
            let digits = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
            let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
            if let Some(digits) = digits {
                let digits = std::str::from_utf8(digits).unwrap();
                decoded.push(u8::from_str_radix(digits, 16).unwrap());
                at += 3;
            } else {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
        decoded
    };
    let mut known: [Vec<Vec<u8>>; 6] = Default::default();
    let names = [
        "signature",
        "timestamp",
        "nonce",
        "msg_signature",
        "encrypt_type",
        "echostr",
    ];
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if let Some(at) = names
            .iter()
            .position(|known| known.as_bytes() == decode(name))
        {
            known[at].push(decode(value));
        }
    }
    if known.iter().any(|values| values.len() > 1) {
        return None;
    }
    let [signature, timestamp, nonce, msg_signature, encrypt_type, _] =
        known.map(|mut it| it.pop());
    for signature in [signature, msg_signature].into_iter().flatten() {
        if !signature.is_empty()
            && (signature.len() != 40 || !signature.iter().all(u8::is_ascii_hexdigit))
        {
            return None;
        }
    }
    if !["", "raw", "aes"]
        .map(str::as_bytes)
        .contains(&&*encrypt_type.unwrap_or_default())
    {
        return None;
    }
    let (timestamp, nonce) = (timestamp?, nonce?);
    let is_time = timestamp.len() == 10 && timestamp.iter().all(u8::is_ascii_digit);
    let is_nonce = (1..=32).contains(&nonce.len()) && nonce.iter().all(u8::is_ascii_alphanumeric);
    (is_time && is_nonce).then(|| String::from_utf8(timestamp).unwrap())
}

fn parameter() -> impl Strategy<Value = String> {
    let name = select(vec![
        "signature",
        "timestamp",
        "nonce",
        "msg_signature",
        "encrypt_type",
        "echostr",
        "openid",
        "",
        "%73ignature",
        "nonc%65",
        "nonce%00",
        "Nonce",
        " nonce",
        "nonce+",
        "%6eonce",
        "time%stamp",
        "%74imestamp",
        "echostr%",
    ]);
    let value = prop_oneof![
        select(vec![
            "",
            "raw",
            "aes",
            "AES",
            "ra%77",
            "1760000000",
            "176000000%30",
            "0000000000",
            "+760000000",
            "12345678901",
            "42",
            "a%62c",
            "%",
            "%4",
            "%zz",
            "%25",
            "=",
            "==",
            "é",
            "a=b",
            "%00",
            "%C3%A9",
            "0123456789abcdef0123456789ABCDEF01234567",
            "0123456789abcdef0123456789ABCDEF0123456%37",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,12}",
    ];
    (name, select(vec!["=", "=", "=", "", "%3D"]), value)
        .prop_map(|(name, is, value)| [name, is, &value].concat())
}

proptest! {
    #![proptest_config(crate::cases(4096))]

    #[test]
    fn the_query_is_read_as_the_simplest_parser_reads_it(
        has_base in any::<bool>(),
        parameters in prop::collection::vec(parameter(), 0..4),
        at in any::<prop::sample::Index>(),
        mark in select(vec!["&", "&", "&&", "&=&", ";"]),
        longer in select(vec![0, 0, 0, 4000, 4096, 5000]),
    ) {
        let mut parameters = parameters;
        if has_base {
            let at = at.index(parameters.len() + 1);
            parameters.insert(at, "timestamp=1760000000".to_owned());
            parameters.insert(at, "nonce=42".to_owned());
        }
        let mut query = parameters.join(mark);
        if longer > 0 {
            query = [&*query, "&openid=", &"o".repeat(longer)].concat();
        }
        let found = Query::parse(&query).ok().map(|query| format!("{:010}", query.timestamp().as_secs()));
        prop_assert_eq!(found, reference(&query), "{}", query);
    }
}

// Addresses.

fn bits(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("4:{:032b}", address.to_bits()),
        IpAddr::V6(address) => format!("6:{:0128b}", address.to_bits()),
    }
}

proptest! {
    #![proptest_config(crate::cases(2048))]

    #[test]
    fn a_network_contains_what_begins_with_its_bits(
        four in any::<u32>(), six in any::<u128>(), prefix in 0..=128_u32, flipped in 0..128_u32, form in 0..4,
    ) {
        let four = Ipv4Addr::from_bits(four);
        let (address, other): (IpAddr, IpAddr) = match form {
            0 => (four.into(), Ipv4Addr::from_bits(four.to_bits() ^ (1 << (flipped % 32))).into()),
            1 => (four.to_ipv6_mapped().into(), Ipv4Addr::from_bits(four.to_bits() ^ (1 << (flipped % 32))).into()),
            2 => (four.to_ipv6_compatible().into(), four.into()),
            _ => (Ipv6Addr::from_bits(six).into(), Ipv6Addr::from_bits(six ^ (1 << flipped)).into()),
        };
        let net = format!("{address}/{prefix}").parse::<IpNet>();
        let (most, mapped) = match address {
            IpAddr::V4(_) => (32, 0),
            IpAddr::V6(it) if it.to_ipv4_mapped().is_some() => (128, 96),
            IpAddr::V6(_) => (128, 0),
        };
        let is_net = prefix <= most && prefix >= mapped;
        prop_assert_eq!(net.is_ok(), is_net, "{}/{}", address, prefix);
        if let Ok(net) = net {
            let shared: String = bits(address).chars().take(2 + (prefix - mapped) as usize).collect();
            for asked in [address, other, four.into(), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
                prop_assert_eq!(net.contains(asked), bits(asked).starts_with(&shared), "{} in {}", asked, net);
            }
            prop_assert_eq!(net.to_string().parse::<IpNet>(), Ok(net));
        }
    }
}

#[test]
fn what_is_no_network_is_none() {
    for text in [
        "",
        "/",
        "1.2.3.4/",
        "/24",
        "1.2.3.4/33",
        "1.2.3.4/-1",
        "1.2.3.4/+8",
        "1.2.3.4/8 ",
        " 1.2.3.4",
        "1.2.3",
        "01.2.3.4",
        "1.2.3.4:80",
        "[::1]",
        "::1%eth0",
        "::/129",
        "::ffff:1.2.3.4/95",
        "1.2.3.4/8/8",
        "1.2.3.4/٣",
        "0x7f.1",
        "localhost",
        "1.2.3.4/256",
        "1.2.3.4/4294967304",
    ] {
        assert!(text.parse::<IpNet>().is_err(), "{text:?}");
    }
}

// Inline runs.

/// Polls a future so many times, and drops it then.
async fn dropped_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut left) = (pin!(future), polls);
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// A delivery that is dropped at any point loses no message: a later delivery to another instance gets the reply.
#[tokio::test(start_paused = true)]
async fn a_dropped_inline_delivery_loses_no_message() {
    for drains in [false, true] {
        for polls in 0..40 {
            let (clock, store) = (clock(), MemoryStore::new());
            let (runs, late) = (
                Arc::new(AtomicUsize::new(0)),
                Arc::new(Mutex::new(Vec::new())),
            );
            let account = || Account::plain(TOKEN).unwrap();
            let instance = || {
                let collected = Arc::clone(&late);
                let sink = move |late: LateReply| {
                    let text = late.reply().and_then(Reply::as_text).map(str::to_owned);
                    collected.lock().unwrap().extend(text);
                    std::future::ready(())
                };
                let dedup = DedupLayer::builder()
                    .with_store(store.clone())
                    .with_late_replies(sink)
                    .with_inline_runs()
                    .build();
                let counted = Arc::clone(&runs);
                let handler = message_fn(move |_: Message| {
                    counted.fetch_add(1, Ordering::SeqCst);
                    async {
                        for _ in 0..5 {
                            sleep(Duration::from_millis(200)).await;
                        }
                        Reply::text("heard")
                    }
                });
                let service = stack!(account(), clock.clone(), &dedup, handler);
                (dedup, service)
            };
            let wechat = Simulator::new(account()).with_clock(clock.clone());
            let request = wechat.text("hi").request().unwrap();
            let (dedup, first) = instance();
            let delivery = first.oneshot(request.clone().map(Full::new));
            let mut answer = dropped_after(polls, delivery).await.map(Result::unwrap);
            if drains {
                dedup.drain(secs(1)).await;
            }
            let (_others, second) = instance();
            for _ in 0..2 {
                if answer.as_ref().is_none_or(|it| it.status() != 200) {
                    sleep(secs(5)).await;
                    let delivery = second.clone().oneshot(request.clone().map(Full::new));
                    answer = tokio::time::timeout(secs(5), delivery)
                        .await
                        .ok()
                        .map(Result::unwrap);
                }
            }
            let answer: Response<ResponseBody> =
                answer.unwrap_or_else(|| panic!("{polls}, drains: {drains}"));
            let body = String::from_utf8(answer.body().to_bytes().to_vec()).unwrap();
            sleep(secs(60)).await;
            let shown = usize::from(body.contains("heard")) + late.lock().unwrap().len();
            assert_eq!(
                shown,
                1,
                "{polls}, drains: {drains}: {} {body}",
                answer.status()
            );
            assert!(
                runs.load(Ordering::SeqCst) <= 2,
                "{polls}, drains: {drains}"
            );
        }
    }
}

// The log.

/// Nothing secret or personal is in the log at any level.
#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn the_log_has_no_secrets_at_trace() {
    use std::io;
    use tracing_subscriber::{filter::LevelFilter, fmt::format::FmtSpan};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let guard = crate::log::listen(subscriber);
    let clock = clock();
    let http = service_fn(|request: Request<tower_wechat::api::RequestBody>| {
        let error = io::Error::other(format!("could not post to {}", request.uri()));
        std::future::ready(Err::<Response<Full<Bytes>>, _>(error))
    });
    let dedup = DedupLayer::builder()
        .with_late_replies(ResponseUrl::new(http))
        .build();
    let runs = Arc::new(AtomicUsize::new(0));
    let handler = stream_fn(move |message: BotMessage, partial: Partial| {
        let run = runs.fetch_add(1, Ordering::SeqCst);
        async move {
            partial.push("personal-partial");
            sleep(secs(run as u64 % 3 * 2)).await;
            assert!(run % 5 != 4, "by intention");
            drop(message);
            Reply::text("personal-reply")
        }
    });
    let bot = stack!(bot_account(), clock.clone(), &dedup, handler);
    let wecom = Simulator::new(bot_account()).with_clock(clock.clone());
    let url = "https://qyapi.weixin.qq.com/cgi-bin/aibot/response?response_code=secret-code";
    for number in 0..12 {
        let push = json!({
            "msgid": format!("personal-id{number}"), "aibotid": "aib-7", "chatid": "personal-chat", "from": { "userid": "personal-mei" },
            "response_url": url, "msgtype": "text", "text": { "content": "personal-text" }, "extra": "personal-extra",
        });
        let request = wecom.xml(push.to_string()).request().unwrap();
        let response = bot.clone().oneshot(request.map(Full::new)).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    for body in [
        poll_of("personal-stream", 1),
        r#"{"msgid":"personal-id","aibotid":"b","msgtype":"personal-type","stream":{"id":"personal-stream"}}"#.to_owned(),
        r#"{"msgid":"personal-id","aibotid":"b","msgtype":"text","text":{"content":["personal-text"]}}"#.to_owned(),
        r#"{"msgid":"personal-id","#.to_owned(),
        r#"{"MsgType":"personal-type"}"#.to_owned(),
    ] {
        let request = wecom.xml(body).request().unwrap();
        let _ = bot.clone().oneshot(request.map(Full::new)).await.unwrap();
    }
    let forged = wecom
        .text("personal-text")
        .forge_signature()
        .request()
        .unwrap();
    let _ = bot.clone().oneshot(forged.map(Full::new)).await.unwrap();
    sleep(secs(300)).await;
    dedup.drain(secs(60)).await;
    drop(guard);
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("way=\"unknown\""), "{log}");
    for secret in [TOKEN, KEY, "secret-code", "personal-", "signature="] {
        let found: Vec<_> = log
            .lines()
            .filter(|line| line.contains(secret))
            .take(3)
            .collect();
        assert!(found.is_empty(), "{secret}: {found:#?}");
    }
}

/// Nor does a body write lines of its own.
#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn no_line_is_forged() {
    let log = crate::log::of(async || {
        let plain = || Account::plain(TOKEN).unwrap();
        let clock = clock();
        let wechat = Simulator::new(plain()).with_clock(clock.clone());
        for body in [
            "<xml\u{1b}[31m><MsgType>voice</MsgType></xml\u{1b}[31m>",
            "<x\u{1b}[31m><MsgType>x</MsgType><Event>a</Event></x\u{1b}[31m>",
            "<xml><MsgType>text\nERROR forged</MsgType></xml>",
            "<xml><MsgType>event</MsgType><Event>a\nERROR forged\u{1b}[31m</Event></xml>",
            "<xml><MsgType>text</MsgType><MsgId>7\nERROR forged</MsgId></xml>",
            "<xml><InfoType>x\nERROR forged</InfoType></xml>",
            "<xml><MsgType>location</MsgType><Location_X>a\nERROR forged\u{1b}</Location_X></xml>",
            "{\"MsgType\":\"location\",\"Location_X\":\"a\\nERROR forged\"}",
            "{\"msgid\":\"7\\nERROR forged\",\"aibotid\":\"\\n\",\"msgtype\":\"text\",\"text\":{\"content\":{\"a\\nERROR forged\":[1]}}}",
            "{\"msgid\":\"7\",\"a\\nERROR forged\":",
        ] {
            let dedup = DedupLayer::in_memory();
            let voice = stack!(
                plain(),
                clock.clone(),
                &dedup,
                message_fn(|_: tower_wechat::message::VoiceMessage| async {})
            );
            let any = stack!(
                plain(),
                clock.clone(),
                &dedup,
                message_fn(|_: Message| async {})
            );
            let bot = stack!(
                plain(),
                clock.clone(),
                &dedup,
                message_fn(|_: BotMessage| async {})
            );
            let request = wechat
                .xml(body.to_owned())
                .request()
                .unwrap()
                .map(Full::new);
            let other = |body: &str| {
                wechat
                    .xml(body.to_owned())
                    .request()
                    .unwrap()
                    .map(Full::new)
            };
            let _ = voice.oneshot(request).await.unwrap();
            let _ = any.oneshot(other(&format!("{body} "))).await.unwrap();
            let _ = bot.oneshot(other(&format!("{body}  "))).await.unwrap();
        }
    });
    let log = log.await;
    assert!(!log.contains('\u{1b}'));
    for line in log.lines() {
        assert!(!line.trim_start().starts_with("ERROR forged"), "{line}");
    }
}
