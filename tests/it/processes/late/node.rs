//! The accounts of a node whose replies are late or long.

use std::process;

use axum::Router;
use http::Request;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use redis::aio::ConnectionManager;
use tower::{BoxError, ServiceBuilder, layer::layer_fn};
use tower_wechat::{
    Api, DedupLayer, MessageService, Reply, VerifySignatureLayer,
    dedup::{DedupBuilder, Key, RedisStore, RunNumber},
    late::{CustomerService, NextMessage, mailbox::RedisMailbox},
    message::TextMessage,
    simulator::APP_SECRET,
};

use super::{
    super::{
        log::{Event, Log},
        node::{Desk, RUNS, account, clock},
        witness::Witness,
    },
    answer::{Answer, FAILED, WAIT, WORD},
    users::{ACCOUNTS, PATH, Setup},
};

/// The routes of all accounts, and their layers.
pub(in super::super) fn routes(
    api: u16,
    connection: &ConnectionManager,
    log: &Log,
) -> (Router, Vec<DedupLayer>) {
    let (mut routes, mut layers) = (Router::new(), Vec::new());
    for (name, setup) in ACCOUNTS {
        let store = || Witness::new(RedisStore::new(connection.clone()), log.clone());
        let mailbox = || NextMessage::shared(RedisMailbox::new(connection.clone()));
        let builder = DedupLayer::builder();
        let layer = match setup {
            Setup::Memory => with_texts(builder)
                .with_next_message(fetched_by_word(NextMessage::in_memory()))
                .build(),
            Setup::NextMessage => with_texts(builder.with_store(store()))
                .with_next_message(fetched_by_word(mailbox()))
                .build(),
            Setup::CustomerService => with_texts(builder.with_store(store()))
                .with_late_replies(CustomerService::new(api_of(name, api)))
                .with_next_message(fetched_by_word(mailbox()))
                .build(),
        };
        let (desk, bot) = (log.clone(), log.clone());
        let wechat = ServiceBuilder::new()
            .layer(VerifySignatureLayer::new(account(name).unwrap()).with_clock(clock))
            .layer(layer_fn(move |inner| Desk::new(inner, desk.clone())))
            .layer(layer.clone())
            .service(MessageService::for_type::<TextMessage>(tower::service_fn(
                move |request| think(bot.clone(), request),
            )));
        routes = routes.route_service(&format!("{PATH}{name}"), wechat);
        layers.push(layer);
    }
    (routes, layers)
}

fn with_texts<Scope>(builder: DedupBuilder<Scope>) -> DedupBuilder<Scope> {
    builder
        .with_fallback(Reply::text(WAIT))
        .unwrap()
        .with_failure_reply(Reply::text(FAILED))
        .unwrap()
}

fn fetched_by_word(next_message: NextMessage) -> NextMessage {
    next_message.with_words([WORD]).unwrap()
}

/// All accounts have one server, each with a path of its own.
fn api_of(account: &str, port: u16) -> Api {
    let http = Client::builder(TokioExecutor::new()).build_http();
    Api::new(http, APP_ID, APP_SECRET)
        .unwrap()
        .with_base_url(format!("http://127.0.0.1:{port}/{account}"))
        .unwrap()
}

/// A bot that answers as the message says.
async fn think(log: Log, request: Request<TextMessage>) -> Result<Reply, BoxError> {
    let run = request.extensions().get::<RunNumber>().unwrap().get();
    let key = *request.extensions().get::<Key>().unwrap();
    let text = request.into_body();
    let message = text.msg_id.unwrap().parse()?;
    let answer = Answer::asked_for(message, &text.content);
    log.write(process::id(), &key, Event::Begun { run });
    tokio::time::sleep(answer.thinks).await;
    if u64::from((run - 1) % RUNS) < answer.failures {
        log.write(process::id(), &key, Event::Failed { run });
        return Err("by design".into());
    }
    log.write(process::id(), &key, Event::Ended { run });
    Ok(answer.reply())
}

const APP_ID: &str = "wx0a1b2c3d4e5f6071";
