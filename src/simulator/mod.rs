//! WeChat's side of the wire, for tests and local development: [`Simulator`].
//!
//! The simulator signs messages and delivers them to any Tower service, as WeChat's server does. It returns what the
//! user would see in the chat. With tokio's paused clock, a test of three deliveries takes milliseconds:
//!
//! ```
//! use std::{convert::Infallible, time::Duration};
//!
//! use http::{Request, Response};
//! use tower_wechat::{Account, simulator::{RequestBody, Shown, Simulator}};
//!
//! // In a test: #[tokio::test(start_paused = true)]
//! #[tokio::main(flavor = "current_thread", start_paused = true)]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let slow = tower::service_fn(|_: Request<RequestBody>| async {
//!         tokio::time::sleep(Duration::from_secs(60)).await;
//!         Ok::<_, Infallible>(Response::new("success".to_owned()))
//!     });
//!
//!     let wechat = Simulator::new(Account::plain("rosebud7")?);
//!     let transcript = wechat.voice("media-1").recognition("你好").deliver(slow).await;
//!
//!     let sent = transcript.deliveries().iter().map(|delivery| delivery.at().as_secs());
//!     assert_eq!(sent.collect::<Vec<_>>(), [0, 5, 10]);
//!     assert_eq!(transcript.shown(), &Shown::Fault);
//!     Ok(())
//! }
//! ```
//!
//! The service is your stack, an axum `Router`, or hyper-util's `Client`. A `Client` delivers to a server over its
//! socket; set the server's address with [`with_uri`](Simulator::with_uri). Delivering needs a tokio runtime with
//! timers enabled.
//!
//! The simulator signs and encrypts in the account's mode: plain, encrypted or WeCom's.
//!
//! # What WeChat does
//!
//! | answer | then |
//! |---|---|
//! | 200 with `success` or without a body | the user sees nothing |
//! | 200 with a reply to this user | the user sees the reply |
//! | none within 5 s | WeChat hangs up and retries at once |
//! | a broken connection, or a status other than 200 | WeChat retries after half a second |
//! | 200 with anything else: no XML, not encrypted in safe mode, addressed to another user, over a limit | the user sees the fault text |
//!
//! A message is delivered at most three times, with the same query string. After the third failure the user sees the
//! fault text, [`Shown::Fault`].
//!
//! WeChat's documentation leaves some of this open:
//!
//! - The page on passive replies mentions three retries. Integrations count on three deliveries, or have seen four. A
//!   server that handles three handles more.
//! - The page does not state the delay after a wrong status. In a published log, the retries came within about a
//!   second.
//! - The page does not state whether WeChat retries after a malformed answer. The simulator does not.
//!
//! # What goes wrong
//!
//! A [`Push`] can simulate a bad network: lost answers, latency, duplicates, a delivery that arrives after its own
//! retry, and a slow body. It can also simulate an attacker: a wrong signature, a changed part, or plaintext for an
//! encrypted account.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use tower_wechat::{Account, simulator::{Part, Simulator}};
//! # use std::time::Duration;
//! let wechat = Simulator::new(Account::plain("rosebud7")?);
//! let unlucky = wechat.text("hi").lose_answers(1).duplicate().latency(Duration::from_millis(300));
//! let forged = wechat.text("hi").tamper(Part::Nonce);
//! # Ok(())
//! # }
//! ```

mod answer;
mod api;
mod body;
mod chat;
mod deliver;
mod fault;
mod push;
mod server;
mod sign;
mod transcript;

pub use api::{ApiCall, ApiFailure, ApiFuture, ApiServer};
pub use body::RequestBody;
pub use chat::{Chat, ChatMessage};
pub use deliver::Part;
pub use fault::{Fault, FaultKind};
pub use push::{Push, USER};
pub use server::{APP_SECRET, Simulator};
pub use transcript::{DeliveryRecord, Shown, ShownReply, Transcript};

/// The type that a service's error is converted into. Tower's alias would make tower part of the public API.
type BoxError = Box<dyn std::error::Error + Send + Sync>;
