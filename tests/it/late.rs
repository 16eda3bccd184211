//! Replies that are late or too long, as the user sees them. The paused clock makes hours and days free.

mod codes;
mod failure;
mod leaving;
mod next_message;
mod nodes;
mod races;
mod recovery;
mod sends;
mod sinks;
mod slots;
mod texts;
mod typing;
mod windows;

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use http::{Request, Response};
use tokio::time::sleep;
use tower::{Service, ServiceBuilder};
use tower_wechat::{
    Account, Api, DedupLayer, Message, Reply, ResponseBody, Verified, VerifySignatureLayer,
    dedup::{Acknowledgement, DedupBuilder},
    late::{CustomerService, LateReply, LateSink},
    message_fn,
    simulator::{
        APP_SECRET, ApiCall, ApiFailure, ChatMessage, Push, RequestBody, Simulator, Transcript,
        USER,
    },
};

const APP_ID: &str = "wx0f1e2d3c4b5a6978";

fn account() -> Account {
    Account::plain("walnut42").unwrap()
}

/// A clock that stands still, so that every delivery is new by its timestamp.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_760_000_000)
}

fn wechat() -> Simulator {
    Simulator::new(account()).with_clock(now)
}

fn api(wechat: &Simulator) -> Api {
    Api::new(wechat.api(), APP_ID, APP_SECRET).unwrap()
}

fn customer_service(wechat: &Simulator) -> CustomerService {
    CustomerService::new(api(wechat))
}

/// A finished stack.
pub(crate) trait Bot:
    Service<
        Request<RequestBody>,
        Response = Response<ResponseBody>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    + 'static
{
}

impl<S> Bot for S where
    S: Service<
            Request<RequestBody>,
            Response = Response<ResponseBody>,
            Error = Infallible,
            Future: Send,
        > + Clone
        + Send
        + 'static
{
}

/// Makes a whole bot of an inner service.
fn stack<S>(dedup: &DedupLayer, service: S) -> impl Bot + use<S>
where
    S: Service<
            Request<Verified>,
            Response = Response<ResponseBody>,
            Error = Infallible,
            Future: Send,
        > + Clone
        + Send
        + Sync
        + 'static,
{
    ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account()).with_clock(now))
        .layer(dedup.clone())
        .service(service)
}

/// Makes a bot that answers everything with `reply`, `after` seconds.
fn answering<R: Into<Reply>>(dedup: &DedupLayer, after: u64, reply: R) -> impl Bot + use<R> {
    let reply = reply.into();
    stack(
        dedup,
        message_fn(move |_: Message| {
            let reply = reply.clone();
            async move {
                sleep(secs(after)).await;
                reply
            }
        }),
    )
}

/// Delivers a push to a bot that answers `after` seconds, and waits until the sinks are done.
async fn tell(
    push: Push,
    builder: DedupBuilder,
    after: u64,
    reply: impl Into<Reply>,
) -> Transcript {
    let dedup = builder.build();
    let transcript = push.deliver(answering(&dedup, after, reply)).await;
    dedup.drain(secs(1000)).await;
    transcript
}

/// A sink that collects what it gets.
#[derive(Clone, Default)]
pub(crate) struct Collected(Arc<Mutex<Vec<LateReply>>>);

impl Collected {
    pub(crate) fn sink(&self) -> impl LateSink + use<> {
        let collected = Arc::clone(&self.0);
        move |late: LateReply| {
            collected.lock().unwrap().push(late);
            std::future::ready(())
        }
    }

    pub(crate) fn replies(&self) -> Vec<Option<Reply>> {
        let late = self.0.lock().unwrap();
        late.iter().map(|late| late.reply().cloned()).collect()
    }

    /// Returns the texts of the only reply, as messages of customer service. Empty if there is no reply.
    #[track_caller]
    fn parts(&self) -> Vec<String> {
        let replies = self.replies();
        assert!(replies.len() < 2, "{replies:?}");
        let reply = replies.into_iter().flatten().next().unwrap_or_default();
        let texts = reply.messages().flat_map(|message| {
            let text = message.as_text().expect("a text").to_owned();
            let parts: Vec<_> = tower_wechat::reply::split(&text, 2048)
                .map(str::to_owned)
                .collect();
            parts
        });
        texts.collect()
    }
}

/// Returns what the user has seen, in order.
fn seen(wechat: &Simulator) -> Vec<String> {
    let chat = wechat.chat(USER);
    chat.shown().iter().map(ChatMessage::to_string).collect()
}

/// Makes a text that needs so many messages of customer service. Each begins with its number, and is more than half full.
fn story(parts: usize) -> String {
    self::parts(0..parts).join("\n\n")
}

/// Makes the parts of [`story`].
fn parts(range: std::ops::Range<usize>) -> Vec<String> {
    range
        .map(|number| format!("{number}: {}", "涨潮落潮。".repeat(110)))
        .collect()
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const MILLISECOND: Duration = Duration::from_millis(1);
