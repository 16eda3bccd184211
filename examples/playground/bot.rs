//! The built-in bot.

use std::{
    convert::Infallible,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::time;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_wechat::{
    Account, Api, DedupLayer, Message, MessageService, RecognizeLayer, Reply, ResponseBody,
    Verified, VerifySignatureLayer,
    api::Recording,
    dedup::Key,
    late::{CustomerService, LateReply, LateSink, NextMessage},
    message::{Event, EventMessage, LocationMessage},
    recognize,
    reply::Article,
};

use crate::{
    exchange::{EXCHANGE, Exchange},
    letter::{Language, Recognizer},
    mailbox::RecordedMailbox,
};

/// Makes the whole stack of an account that may send customer-service messages, as a server mounts it at its callback URL.
pub(crate) fn bot(
    account: Account,
    api: Api,
    clock: impl Fn() -> SystemTime + Send + Sync + 'static,
) -> impl Bot {
    let sink = Recorded(CustomerService::new(api.clone()));
    let dedup = DedupLayer::builder().with_late_replies(sink).build();
    ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account).with_clock(clock))
        .layer(dedup)
        .service(MessageService::new(service_fn(move |request| {
            handle(api.clone(), request)
        })))
}

/// Makes the stack of an account that may not: the user's next message gets what is late.
pub(crate) fn personal_bot(
    account: Account,
    api: Api,
    clock: impl Fn() -> SystemTime + Send + Sync + 'static,
    language: Language,
) -> Result<impl Bot, BoxError> {
    let (fallback, cut_marker) = match language {
        Language::English => (
            "I am still thinking. Send “more” to see the answer.",
            "\n… (send “more”)",
        ),
        Language::Chinese => ("还在想，回复“继续”看结果", "\n……（回复“继续”）"),
    };
    let mailbox = RecordedMailbox::new();
    let next_message = NextMessage::shared(mailbox.clone())
        .with_words(["more", "继续"])?
        .with_cut_marker(cut_marker)?;
    let dedup = DedupLayer::builder()
        .with_fallback(Reply::text(fallback))?
        .with_next_message(next_message)
        .build();
    let handler = service_fn(move |request| handle(api.clone(), request));
    Ok(ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account).with_clock(clock))
        .map_request(move |request: Request<Verified>| {
            if let Some(exchange) = request.extensions().get::<Exchange>() {
                mailbox.follow(Key::of(&request), exchange.clone());
            }
            request
        })
        .layer(dedup)
        .service(MessageService::new(handler).with_cut_marker(cut_marker)?))
}

/// A finished stack.
pub(crate) trait Bot:
    Service<
        Request<Full<Bytes>>,
        Response = Response<ResponseBody>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Bot for S where
    S: Service<
            Request<Full<Bytes>>,
            Response = Response<ResponseBody>,
            Error = Infallible,
            Future: Send,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

/// Recognizes a voice message, and answers.
///
/// A bot of your own has one recognizer: `MessageService::new(handler).recognize(api, recognizer)`. Here each message brings
/// its own, as the page sets it.
async fn handle(api: Api, request: Request<Message>) -> Result<Reply, Infallible> {
    // The recorder puts it into each request.
    let Some(exchange) = request.extensions().get::<Exchange>().cloned() else {
        return Ok(Reply::success());
    };
    let _run = exchange.run();
    let handler = {
        let exchange = exchange.clone();
        service_fn(move |request| think(exchange.clone(), request))
    };
    let recognizer = {
        let exchange = exchange.clone();
        service_fn(move |_: Recording| recognize(exchange.clone()))
    };
    let handler = RecognizeLayer::new(api, recognizer).layer(handler);
    EXCHANGE.scope(exchange, handler.oneshot(request)).await
}

/// Stands in for a speech recognizer: it knows the words from the page.
async fn recognize(exchange: Exchange) -> Result<String, &'static str> {
    match exchange.recognizer() {
        Recognizer::Knows => {}
        Recognizer::Slow => time::sleep(Duration::from_secs(8)).await,
        Recognizer::Fails => return Err("out of order"),
    }
    Ok(exchange.spoken().to_owned())
}

/// Waits for the time that the page asks for, then answers.
async fn think(exchange: Exchange, request: Request<Message>) -> Result<Reply, Infallible> {
    if let Some(error) = request.extensions().get::<recognize::Error>() {
        exchange.unrecognized(error);
    }
    // A sleep of zero still takes up to a millisecond.
    if !exchange.thinking().is_zero() {
        time::sleep(exchange.thinking()).await;
    }
    if exchange.is_long() {
        return Ok(Reply::text(story(exchange.language())));
    }
    Ok(answer(request.into_body(), exchange.language()))
}

fn answer(message: Message, language: Language) -> Reply {
    let say = |english: String, chinese: String| {
        Reply::text(match language {
            Language::English => english,
            Language::Chinese => chinese,
        })
    };
    match message {
        Message::Voice(voice) => match voice.recognition {
            Some(words) if !words.is_empty() => Reply::text(words),
            _ => say(
                "I could not hear that, please say it again.".to_owned(),
                "没听清，请再说一遍".to_owned(),
            ),
        },
        // A text of blanks gets no reply.
        Message::Text(text) if !text.content.trim().is_empty() => Reply::text(text.content),
        Message::Image(image) => match image.media_id {
            Some(media_id) if !media_id.is_empty() => Reply::image(media_id),
            _ => Reply::success(),
        },
        Message::Location(LocationMessage {
            location_x: Some(x),
            location_y: Some(y),
            label,
            ..
        }) => say(
            format!("{label} is at {x}, {y}."),
            format!("{label}：{x}, {y}"),
        ),
        // So does a link without a title.
        Message::Link(link) if !link.title.trim().is_empty() => Reply::news([Article::new(
            link.title,
            link.description,
            PICTURE,
            link.url,
        )]),
        Message::Event(EventMessage { event, .. }) => match event {
            Event::Click(click) => {
                let key = click.event_key.unwrap_or_default();
                say(format!("You tapped {key}."), format!("您点击了 {key}"))
            }
            Event::Scan(scan) => {
                let scene = scan.scene().unwrap_or_default();
                say(format!("You scanned {scene}."), format!("您扫描了 {scene}"))
            }
            Event::Subscribe(subscribe) => match subscribe.scene() {
                Some(scene) => say(
                    format!("Welcome, you come from {scene}."),
                    format!("欢迎关注，您来自 {scene}"),
                ),
                None => say("Welcome!".to_owned(), "欢迎关注！".to_owned()),
            },
            _ => Reply::success(),
        },
        _ => Reply::success(),
    }
}

/// Makes a text of three messages. Each line has a number, so that one sees that none is missing.
fn story(language: Language) -> String {
    let nights = (1..=60).map(|night| match language {
        Language::English => {
            format!("Night {night}: the king asks for one more tale, and the ship sails on to harbour {night}.")
        }
        Language::Chinese => {
            format!("第 {night} 夜：国王还想再听一个故事，于是船又驶向第 {night} 座港口。")
        }
    });
    nights.collect::<Vec<_>>().join("\n")
}

/// Records the calls of a sink with the message that they answer. A real bot has only the sink.
struct Recorded(CustomerService);

impl LateSink for Recorded {
    async fn accept(&self, late: &mut LateReply) {
        let Some(exchange) = late.request().extensions().get::<Exchange>().cloned() else {
            return;
        };
        if late.reply().is_none() {
            exchange.failed();
            return late.hand_over();
        }
        EXCHANGE.scope(exchange, self.0.accept(late)).await;
    }
}

/// The page shows this URL, and does not fetch it.
const PICTURE: &str = "https://example.com/picture.jpg";
