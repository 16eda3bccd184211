//! The built-in bot.

use std::{convert::Infallible, time::SystemTime};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::time;
use tower::{Service, ServiceBuilder, service_fn};
use tower_wechat::{
    Account, DedupLayer, Message, MessageService, Reply, ResponseBody, VerifySignatureLayer,
    dedup::LateReply,
    message::{Event, EventMessage, LocationMessage},
    reply::Article,
};

use crate::{exchange::Exchange, letter::Language};

/// Makes the whole stack, as a server mounts it at its callback URL.
pub(crate) fn bot(
    account: Account,
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
    let dedup = DedupLayer::builder().with_late_reply(hand_over).build();
    ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account).with_clock(clock))
        .layer(dedup)
        .service(MessageService::new(service_fn(handle)))
}

/// Waits for the time that the page asks for, then answers.
async fn handle(request: Request<Message>) -> Result<Reply, Infallible> {
    // The recorder puts it into each request.
    let exchange = request.extensions().get::<Exchange>().cloned();
    let _run = exchange.as_ref().map(Exchange::run);
    let language = exchange
        .as_ref()
        .map_or(Language::English, Exchange::language);
    if let Some(exchange) = &exchange {
        // A sleep of zero still takes up to a millisecond.
        if !exchange.thinking().is_zero() {
            time::sleep(exchange.thinking()).await;
        }
    }
    Ok(answer(request.into_body(), language))
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

/// Shows the late reply. A real bot would send it through the customer-service API.
async fn hand_over(late: LateReply) {
    if let Some(exchange) = late.request().extensions().get::<Exchange>() {
        exchange.late(&late);
    }
}

/// The page shows this URL, and does not fetch it.
const PICTURE: &str = "https://example.com/picture.jpg";
