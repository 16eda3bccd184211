//! The built-in bot.

use std::{
    convert::Infallible,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::time;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_wechat::{
    Account, Api, DedupLayer, Message, MessageService, RecognizeLayer, Reply, ResponseBody,
    Timestamp, VerifySignatureLayer,
    api::Recording,
    late::{LateReply, LateSink},
    message::{Event, EventMessage, LocationMessage},
    recognize,
    reply::{Addressing, Article},
};

use crate::{
    exchange::Exchange,
    letter::{Language, Recognizer},
};

/// Makes the whole stack, as a server mounts it at its callback URL.
pub(crate) fn bot(
    account: Account,
    api: Api,
    clock: impl Fn() -> SystemTime + Send + Sync + 'static,
) -> impl Service<
    Request<Full<Bytes>>,
    Response = Response<ResponseBody>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ Sync
+ 'static {
    let dedup = DedupLayer::builder().with_late_replies(Page).build();
    ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account).with_clock(clock))
        .layer(dedup)
        .service(MessageService::new(service_fn(move |request| {
            handle(api.clone(), request)
        })))
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
    let recognizer = service_fn(move |_: Recording| recognize(exchange.clone()));
    let handler = RecognizeLayer::new(api, recognizer).layer(handler);
    handler.oneshot(request).await
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

/// Shows late replies on the page, part by part. A real bot has `CustomerService` here.
struct Page;

impl LateSink for Page {
    async fn accept(&self, late: &mut LateReply) {
        let Some(exchange) = late.request().extensions().get::<Exchange>().cloned() else {
            return;
        };
        if late.reply().is_none() {
            exchange.late(None);
            return late.hand_over();
        }
        let request = late.request().clone();
        let Ok(head) = request.body().head() else {
            return;
        };
        let addressing = Addressing::answering(head);
        while let Some(part) = late.next_part(TEXT_LIMIT) {
            let Ok(rendered) = part.reply().render(&addressing, Timestamp::now()) else {
                return;
            };
            exchange.late(Some(rendered.body()));
            part.hand_over();
        }
    }
}

/// In bytes.
const TEXT_LIMIT: usize = 2047;

/// The page shows this URL, and does not fetch it.
const PICTURE: &str = "https://example.com/picture.jpg";
