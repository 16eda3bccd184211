//! What a transcript and a chat print: a failed assertion on one is enough to see why.

use std::{convert::Infallible, fmt::Write as _, time::Duration};

use http::Response;
use tokio::time::sleep;
use tower::{Service, ServiceBuilder, service_fn};
use tower_wechat::{
    Account, DedupLayer, Message, Reply, ResponseBody, VerifySignatureLayer,
    late::NextMessage,
    message::VoiceMessage,
    message_fn,
    simulator::{ChatMessage, RequestBody, Simulator, USER, Way},
};

fn account() -> Account {
    Account::plain("walnut42").unwrap()
}

fn wechat() -> Simulator {
    Simulator::new(account())
}

trait Bot:
    Service<http::Request<RequestBody>, Response = Response<ResponseBody>, Error = Infallible> + Clone
{
}

impl<S> Bot for S where
    S: Service<http::Request<RequestBody>, Response = Response<ResponseBody>, Error = Infallible>
        + Clone
{
}

/// Answers after as many seconds as the text says, with the text; a text without a number fails.
fn bot(dedup: &DedupLayer) -> impl Bot + use<> {
    let answer = async |message: Message| {
        let Message::Text(text) = message else {
            return Ok(Reply::success());
        };
        if text.content.ends_with(" fail") {
            sleep(Duration::from_secs(7)).await;
            return Err("out of ink");
        }
        let number = text.content.split(' ').next().unwrap_or_default();
        let seconds = number.parse().map_err(|_| "out of ink")?;
        sleep(Duration::from_secs(seconds)).await;
        match text.content.strip_suffix(" long") {
            Some(_) => Ok(Reply::text(format!(
                "{}\n{}",
                "a".repeat(2040),
                "z".repeat(9)
            ))),
            None => Ok::<_, &str>(Reply::text(text.content)),
        }
    };
    ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account()))
        .layer(dedup.clone())
        .service(message_fn(answer))
}

#[tokio::test(start_paused = true)]
async fn a_transcript_says_what_became_of_each_delivery() {
    let dedup = DedupLayer::builder().with_retry_delays([]).build();
    let text = |text: &str| wechat().text(text);
    for (push, printed) in [
        (
            text("0 hi"),
            "the user sends: 0 hi\n\
             at 0.0 s: 200 after 0.0 s: reply (run)\n\
             at 0.0 s, the user sees: 0 hi",
        ),
        (
            text("7 hi"),
            "the user sends: 7 hi\n\
             at 0.0 s: no answer after 5.0 s: expected an answer within 5 s (run)\n\
             at 5.0 s: 200 after 2.0 s: reply (joined)\n\
             at 7.0 s, the user sees: 7 hi",
        ),
        (
            text("20 hi"),
            "the user sends: 20 hi\n\
             at 0.0 s: no answer after 5.0 s: expected an answer within 5 s (run)\n\
             at 5.0 s: no answer after 5.0 s: expected an answer within 5 s (joined)\n\
             at 10.0 s: 200 after 4.5 s: success (acknowledged)\n\
             the user sees nothing",
        ),
        (
            text("0 hi").lose_answers(1),
            "the user sends: 0 hi\n\
             at 0.0 s: no answer after 0.0 s: the answer was lost on its way (run)\n\
             at 0.5 s: 200 after 0.0 s: reply (kept_reply)\n\
             at 0.5 s, the user sees: 0 hi",
        ),
        (
            text("hi"),
            "the user sends: hi\n\
             at 0.0 s: 200 after 0.0 s: success (run: out of ink)\n\
             the user sees nothing",
        ),
        (
            text("7 fail"),
            "the user sends: 7 fail\n\
             at 0.0 s: no answer after 5.0 s: expected an answer within 5 s (run: out of ink)\n\
             at 5.0 s: 200 after 2.0 s: success (joined)\n\
             the user sees nothing",
        ),
        (
            text("0 hi").forge_signature(),
            "an attacker sends: 0 hi\n\
             at 0.0 s: 403 after 0.0 s: expected status 200, found 403 (rejected: wrong Token, or not from WeChat: \
             no token of the account makes the signature)\n\
             the user sees nothing",
        ),
        (
            wechat().event("CLICK").field("EventKey", "today"),
            "the user sends: [CLICK] today\n\
             at 0.0 s: 200 after 0.0 s: success (run)\n\
             the user sees nothing",
        ),
    ] {
        let transcript = push.deliver(bot(&dedup)).await;
        assert_eq!(transcript.to_string(), printed);
        assert_eq!(format!("{transcript:?}"), printed);
    }
}

/// The handler takes voice messages.
#[tokio::test(start_paused = true)]
async fn a_message_of_another_type_says_so() {
    let voice_bot = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account()))
        .layer(DedupLayer::in_memory())
        .service(message_fn(async |_: VoiceMessage| "hi"));
    let transcript = wechat().text("hi").deliver(voice_bot).await;
    assert_eq!(
        transcript.deliveries()[0].reason(),
        Some("the message has another type than the handler takes"),
    );
    assert_eq!(transcript, "");
}

#[tokio::test(start_paused = true)]
async fn of_another_server_a_transcript_says_what_is_on_the_wire() {
    let created = service_fn(async |_: http::Request<RequestBody>| {
        let response = Response::builder().status(201);
        Ok::<_, Infallible>(response.body("success".to_owned()).unwrap())
    });
    let transcript = wechat()
        .voice("Vo1")
        .recognition("你好")
        .deliver(created)
        .await;
    let mut printed = "the user sends: [voice] 你好\n".to_owned();
    for at in ["0.0", "0.5", "1.0"] {
        let line = "201 after 0.0 s: expected status 200, found 201";
        writeln!(printed, "at {at} s: {line}").unwrap();
    }
    printed += "at 1.0 s, the user sees: 该公众号提供的服务出现故障，请稍后再试";
    assert_eq!(transcript.to_string(), printed);
    assert_eq!(transcript.deliveries()[0].outcome(), None);
}

#[tokio::test(start_paused = true)]
async fn a_transcript_is_equal_to_what_the_user_sees() {
    let dedup = DedupLayer::in_memory();
    let transcript = wechat().text("0 hi").deliver(bot(&dedup)).await;
    assert_eq!(transcript, "0 hi");
    assert!(transcript != "");
}

#[tokio::test(start_paused = true)]
async fn a_chat_shows_who_said_what_when_and_how_it_came() {
    let dedup = DedupLayer::builder()
        .with_fallback(Reply::text("wait"))
        .unwrap()
        .with_next_message(NextMessage::in_memory().with_words(["more"]).unwrap())
        .build();
    let wechat = wechat();
    let long = wechat.text("2 long").deliver(bot(&dedup)).await;
    assert!(!long.is_fetched(), "{long}");
    sleep(Duration::from_secs(2)).await;
    let more = wechat.text("more").deliver(bot(&dedup)).await;
    assert!(more.is_fetched(), "{more}");
    assert!(
        more.to_string()
            .ends_with("the user sees: zzzzzzzzz (fetched)"),
        "{more}"
    );
    let chat = wechat.chat(USER);
    let first = format!("{}…", "a".repeat(2040));
    assert_eq!(
        chat.to_string(),
        format!(
            "at 0.0 s, the user: 2 long\n\
             at 2.0 s: {first}\n\
             at 4.0 s, the user: more\n\
             at 4.0 s: zzzzzzzzz (fetched)"
        )
    );
    let ways = chat.shown().iter().map(ChatMessage::way);
    assert!(ways.eq([Way::Reply, Way::Fetched]));
    assert_eq!(chat.shown(), [&*first, "zzzzzzzzz"]);
}
