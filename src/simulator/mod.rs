//! WeChat's side of the wire, for tests and local development: [`Simulator`].
//!
//! It signs and delivers messages to any Tower service, as WeChat's server does to yours, and says
//! what the user would see in the chat. With tokio's paused clock, a test of three deliveries takes
//! milliseconds:
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
//! The service is your stack, an axum `Router`, or hyper-util's `Client`, which reaches a server over
//! its socket; [`with_uri`](Simulator::with_uri) says where that is. Delivering needs a tokio runtime
//! with its timers enabled. It speaks the account's mode: plain, encrypted, or WeCom's.
//!
//! # What WeChat does
//!
//! | answer | then |
//! |---|---|
//! | 200 with `success` or without a body | the user sees nothing |
//! | 200 with a reply to this user | the user sees the reply |
//! | none within 5 s | WeChat hangs up and sends again at once |
//! | a connection that breaks off, or a status other than 200 | it sends again after half a second |
//! | 200 with anything else: no XML, not encrypted in safe mode, addressed to somebody else, over a limit | the user sees the fault text |
//!
//! A message is delivered three times at most, with the same query string; after that the user sees the
//! fault text, [`Shown::Fault`]. WeChat's page on passive replies speaks of three retries, integrations
//! count on three deliveries or have met four; a server that copes with three copes with more. How long
//! WeChat waits after a wrong status it does not say: in a published log, the retries came within
//! about a second. Nor does it say whether it repeats a delivery whose answer makes no sense: the
//! simulator takes it for answered.
//!
//! # What goes wrong
//!
//! A [`Push`] can lose answers, take its time on the way, arrive twice, or be overtaken by its own retry; its
//! body can trickle in. And it can come from somebody else: with a wrong signature, with a part changed, or as
//! plaintext to an account that encrypts.
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
mod body;
mod deliver;
mod envelope;
mod fault;
mod push;
mod server;
mod transcript;

pub use body::RequestBody;
pub use deliver::Part;
pub use fault::{Fault, FaultKind};
pub use push::Push;
pub use server::Simulator;
pub use transcript::{DeliveryRecord, Shown, ShownReply, Transcript};
