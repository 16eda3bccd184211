//! A chat window in the browser that acts as WeChat, to try a bot without a public server.
//!
//! ```sh
//! cargo run --example playground --features simulator
//! ```
//!
//! The [simulator](tower_wechat::simulator) delivers each message of the window to a bot. The window shows what the
//! user would see, and every delivery. The bot is the one in `bot.rs`, or the server at
//! `--target http://127.0.0.1:PORT/path`. The built-in bot calls WeChat's API in process, the server
//! calls it at `/api`.
//!
//! ```text
//! browser ─POST /api/messages→ server ─Letter→ office ─Push→ recorder → bot or target
//!    ↑                                            │              │
//!    └────GET /api/events──── chat ←──────────exchange───────────┤
//!                                                      calls → WeChat's API
//! ```

mod arguments;
mod bot;
mod calls;
mod chat;
#[path = "../command_line/mod.rs"]
mod command_line;
mod events;
mod exchange;
mod guard;
mod letter;
mod mailbox;
mod office;
mod record;
mod recorder;
mod server;
mod sound;
mod wire;

use std::process::ExitCode;

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
    let arguments = Arguments::parse(lexopt::Parser::from_env());
    let Some(arguments) = arguments.map_err(|error| command_line::see_help(&error))? else {
        println!("{USAGE}");
        return Ok(());
    };
    let listener = command_line::listen(arguments.listen).await?;
    let address = listener.local_addr()?;
    let app = server::router(arguments.setup)?;
    println!("Open http://{address}/ in a browser. Press Ctrl-C to exit.");
    axum::serve(listener, app).await?;
    Ok(())
}
