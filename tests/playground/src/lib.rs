//! What the tests of the playground's page stand on: the programs that they start, and a browser.
//!
//! ```sh
//! .ci/browser
//! ```

mod browser;
mod http;
mod programs;
mod server;

pub use browser::{Browser, Element, keys};
pub use http::{Answer, Sent};
pub use programs::{Playground, VoiceBot, refused};
pub use server::Server;
