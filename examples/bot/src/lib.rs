//! A bot for a WeChat Official Account, with what a server needs besides.
//!
//! [`settings`] reads the environment, [`answer`] is what the bot says, and this file puts the layers around it.

pub mod answer;
#[path = "../../recognizers/openai.rs"]
pub mod openai;
pub mod settings;

use std::{future::ready, io, sync::Arc, time::Duration};

use axum::{Router, routing::get};
use futures_util::FutureExt;
use metrics_exporter_prometheus::PrometheusHandle;
use redis::aio::ConnectionManager;
use tokio::{net::TcpListener, select, time::sleep};
use tower::{BoxError, ServiceBuilder, util::option_layer};
use tower_wechat::{
    DedupLayer, RecognizeLayer, Reply, VerifySignatureLayer,
    dedup::RedisStore,
    late::{CustomerService, NextMessage, mailbox::RedisMailbox},
    message_fn,
};

use self::{answer::answer, settings::Settings};

/// Runs each message once. An answer that takes too long reaches the user by customer service, or with the next message.
///
/// # Errors
///
/// If there is no connection to Redis.
pub async fn dedup(settings: &Settings) -> Result<DedupLayer, BoxError> {
    let redis = match &settings.redis {
        Some(client) => Some(connect(client).await?),
        None => None,
    };
    let mailbox = redis.clone().map(RedisMailbox::new);
    let next_message = mailbox.map_or_else(NextMessage::in_memory, NextMessage::shared);
    let mut dedup = DedupLayer::builder()
        .with_optional_store(redis.map(RedisStore::new))
        .with_fallback(Reply::text(answer::THINKING))?
        .with_failure_reply(Reply::text(answer::FAILED))?;
    if let Some(api) = settings.api.clone() {
        dedup = dedup.with_late_replies(CustomerService::new(api));
    }
    let next_message = next_message.with_words([answer::MORE])?;
    let next_message = next_message.with_menu_keys([answer::MORE_KEY])?;
    Ok(dedup.with_next_message(next_message).build())
}

async fn connect(redis: &redis::Client) -> Result<ConnectionManager, BoxError> {
    let address = redis.get_connection_info().addr();
    tracing::info!("connecting to the Redis at {address}");
    let connecting = ConnectionManager::new(redis.clone()).await;
    Ok(connecting.map_err(|error| format!("REDIS_URL: no Redis at {address}: {error}"))?)
}

/// The bot, and beside it a page for what restarts it and one for Prometheus. Show the world `/wechat` alone.
pub fn router(settings: &Settings, dedup: DedupLayer, metrics: PrometheusHandle) -> Router {
    let state = Arc::<answer::State>::default();
    let recognizer = settings.api.clone().zip(settings.recognizer.clone());
    let recognize = recognizer.map(|(api, recognizer)| RecognizeLayer::new(api, recognizer));
    let answer = message_fn(move |message| answer(Arc::clone(&state), message));
    let wechat = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(settings.account.clone()))
        .layer(dedup)
        .service(answer.layer(option_layer(recognize)));
    Router::new()
        .route_service("/wechat", wechat)
        .route("/health", get(|| ready("ok")))
        .route("/metrics", get(move || ready(metrics.render())))
}

/// Serves until `stop`. Then WeChat's retries are still accepted until the running messages have been answered, and the open
/// connections have one second more.
///
/// Let a proxy stand in front: `axum::serve` waits for the head of a request without limit.
///
/// # Errors
///
/// If the listener fails.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    dedup: DedupLayer,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let drain = async move { dedup.drain(DRAIN_PATIENCE).await };
    let drained = stop.then(|()| drain).shared();
    let server = axum::serve(listener, router).with_graceful_shutdown(drained.clone());
    let end = drained.then(|()| sleep(Duration::from_secs(1)));
    select! { served = server => served, () = end => Ok(()) }
}

/// As long as one run may take: its answer still reaches the user by customer service, or with the next message. A run that
/// is repeated may be cut.
const DRAIN_PATIENCE: Duration = Duration::from_secs(60);
