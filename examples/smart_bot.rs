//! A smart bot of WeCom (智能机器人) that counts, and shows each step as it goes.
//!
//! `cargo run --example smart_bot --features json,simulator` plays a chat with it. With the bot's Token and EncodingAESKey as
//! arguments, it serves `http://127.0.0.1:8080/bot` instead: put a proxy with TLS in front, and set the URL in WeCom.

use std::{env, time::Duration};

use tokio::{net::TcpListener, time::sleep};
use tower::{BoxError, ServiceBuilder};
use tower_wechat::{
    Account, DedupLayer, Reply, VerifySignatureLayer,
    handler::{Partial, stream_fn},
    late::ResponseUrl,
    message::smart_bot::{BotContent, BotEvent, BotMessage},
    simulator::{Simulator, USER},
};

async fn answer(message: BotMessage, partial: Partial) -> Reply {
    let words = match &message.content {
        BotContent::Event(BotEvent::EnterChat) => return Reply::text("Tell me how far to count."),
        // A stream from before a restart ends as it is.
        BotContent::Stream(_) | BotContent::Event(_) => return Reply::success(),
        content => content.text().unwrap_or_default(),
    };
    let Some(end) = words.split(' ').find_map(|word| word.parse::<u16>().ok()) else {
        return Reply::text("That is no number.");
    };
    for number in 1..=end {
        partial.push(format!("{number}… "));
        sleep(Duration::from_secs(1)).await;
    }
    partial.push("**done**");
    Reply::success()
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let settings: Vec<String> = env::args().skip(1).collect();
    let account = match &*settings {
        [token, aes_key] => Account::smart_bot(token, aes_key)?,
        _ => Account::smart_bot("rosebud7", "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb")?,
    };
    let wecom = Simulator::new(account.clone());
    // WeCom polls for six minutes. A later reply is posted to the `response_url`: with an HTTPS client, in real life.
    let dedup = DedupLayer::builder().with_late_replies(ResponseUrl::new(wecom.api()));
    let dedup = dedup.with_run_timeout(Duration::from_mins(10)).build();
    let bot = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account))
        .layer(dedup)
        .service(stream_fn(answer));
    if settings.len() == 2 {
        let listener = TcpListener::bind("127.0.0.1:8080").await?;
        return Ok(axum::serve(listener, axum::Router::new().route_service("/bot", bot)).await?);
    }
    let _ = wecom.event("enter_chat").deliver(bot.clone()).await;
    let counted = wecom.text("count to 5").deliver(bot).await;
    println!("{counted}\n\n{}", wecom.chat(USER));
    Ok(())
}
