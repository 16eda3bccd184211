//! A chat window in the browser that plays WeChat, so that a bot can be tried without a public server.
//!
//! ```sh
//! cargo run --example playground --features simulator
//! ```
//!
//! What is sent in the window reaches a bot through the [simulator](tower_wechat::simulator), and the window
//! shows what the user would see, with every delivery beside it. The bot is the one in `bot.rs`, or with
//! `--target http://127.0.0.1:PORT/path` a server of one's own.
//!
//! ```text
//! browser ─POST /api/messages→ server ─Letter→ office ─Push→ recorder → bot or target
//!    ↑                                            │              │
//!    └────GET /api/events──── chat ←──────────exchange───────────┘
//! ```

mod arguments;
mod bot;
mod chat;
mod events;
mod exchange;
mod guard;
mod letter;
mod office;
mod record;
mod recorder;
mod server;
mod wire;

use std::process::ExitCode;

use tokio::net::TcpListener;
use tower::BoxError;

use arguments::{Arguments, USAGE};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("playground: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), BoxError> {
    let Some(arguments) = Arguments::parse(lexopt::Parser::from_env())? else {
        println!("{USAGE}");
        return Ok(());
    };
    let listener = TcpListener::bind(arguments.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", arguments.listen))?;
    let address = listener.local_addr()?;
    let app = server::router(arguments.setup)?;
    println!("Open http://{address}/ in a browser; Ctrl-C ends it.");
    axum::serve(listener, app).await?;
    Ok(())
}
