//! WeChat's side of the wire, for tests and local development: [`Simulator`].
//!
//! The simulator signs messages and delivers them to any Tower service, as WeChat's server does. It returns what the user
//! would see in the chat. It also answers [WeChat's API](#the-api). With tokio's paused clock, a test of three deliveries
//! takes milliseconds:
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
//! To a [smart bot](crate::Account::smart_bot) it sends JSON: texts, pictures, voice messages with their
//! [words](Push::recognition), and events. It [polls](crate::message::smart_bot#streams) the stream of an answer every
//! second, for six minutes after the message. The user then sees the last text of the stream. The [API](#the-api) takes
//! what the bot posts to the message's `response_url`.
//!
//! # A whole bot
//!
//! [`Simulator::api`] is the other side of WeChat: the API that the bot calls. It knows the messages that the simulator
//! has delivered, and [`Simulator::chat`] shows what the user has seen. This bot fetches the recording of a voice message,
//! and thinks about it for longer than WeChat waits:
//!
//! ```
//! use std::time::Duration;
//!
//! use tower::ServiceBuilder;
//! use tower_wechat::{
//!     Account, Api, DedupLayer, VerifySignatureLayer, api, late::CustomerService, message::VoiceMessage,
//!     message_fn, simulator::{APP_SECRET, Simulator, USER},
//! };
//!
//! // In a test: #[tokio::test(start_paused = true)]
//! #[tokio::main(flavor = "current_thread", start_paused = true)]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let account = Account::plain("rosebud7")?;
//!     let wechat = Simulator::new(account.clone());
//!     let api = Api::new(wechat.api(), "wx0a1b2c3d4e5f6071", APP_SECRET)?;
//!
//!     let sink = CustomerService::new(api.clone());
//!     let dedup = DedupLayer::builder().with_late_replies(sink).build();
//!     let answer = move |voice: VoiceMessage| {
//!         let api = api.clone();
//!         async move {
//!             let recording = api.recording(&voice).await?;
//!             tokio::time::sleep(Duration::from_secs(20)).await;
//!             Ok::<_, api::Error>(format!("{:?}", recording.encoding()))
//!         }
//!     };
//!     let bot = ServiceBuilder::new()
//!         .layer(VerifySignatureLayer::new(account))
//!         .layer(dedup.clone())
//!         .service(message_fn(answer));
//!
//!     let voice = wechat.voice("media-1").sound(&b"#!AMR\n\x3c"[..]);
//!     let transcript = voice.deliver(bot).await;
//!     // Customer service answers as well, so WeChat need not hang up.
//!     assert_eq!(transcript.deliveries().len(), 1);
//!     dedup.drain(Duration::from_secs(20)).await;
//!     assert_eq!(wechat.chat(USER).shown(), ["AmrNb"]);
//!     assert_eq!(
//!         wechat.chat(USER).to_string(),
//!         "at 0.0 s, the user: [voice]\nat 20.0 s: AmrNb (customer service)",
//!     );
//!     Ok(())
//! }
//! ```
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
//! A [`Push`] can simulate a bad network: lost answers, latency, duplicates, a delivery that arrives after its own retry,
//! and a slow body. [`retry_as_payment`](Push::retry_as_payment) retries as virtual payment does: each time with another
//! `RetryTimes` and ciphertext, for hours. It can also simulate an attacker: a wrong signature, a changed part, or
//! plaintext for an encrypted account.
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

//! # The API
//!
//! | call | what it checks |
//! |---|---|
//! | `stable_token`, `token` | AppID and AppSecret (40013, 40125) |
//! | `getcallbackip` | nothing: the addresses are `127.0.0.1`, `192.0.2.7` and `198.51.100.0/25` |
//! | `media/get` | a media id of the last three days (40007): a push's [`sound`](Push::sound), or an upload |
//! | `media/upload` | type, format and size (40004, 40005, 40006), and that there is a file (41005) |
//! | `message/custom/send` | the text's length (45002), the number of articles (45008), media ids (40007), window and quota (45015, 45047) |
//! | `message/custom/typing` | that the user wrote within 30 s (45080), and that typing is not shown already (45081) |
//! | `aibot/response` | a `response_url` of the last hour that has not been used (40058), and the message's type and size (40008, 44004, 45002) |
//! | any other path | 40066: WeChat has more calls, the simulator has not |
//!
//! All calls but the first two and `aibot/response` check the access token (40001, 41001, 42001), and those that send to a
//! user check the OpenID: 40003 for a user who has sent nothing. As at WeChat, a failed call has the status 200.
//!
//! - **The account.** The AppSecret is [`APP_SECRET`], or that of [`with_app_secret`](Simulator::with_app_secret). Only an
//!   account in safe mode ([`Account::encrypted`](crate::Account::encrypted)) has its own AppID. For all other accounts,
//!   the API accepts any AppID that could be one. The API is that of Official Accounts, for a WeCom account too.
//! - **Tokens.** A token is valid for two hours. In its last five minutes, `stable_token` gives the next one, and both are
//!   valid. With `force_refresh` the former token ends at once, 20 times a day and at least 30 s apart (45009, 45011).
//!   The older `token` (`GET`, with its parameters in the query) gives another token each time, after which the former is
//!   valid for five minutes. The tokens of the two calls do not affect each other.
//! - **Windows.** A message opens a window of 48 hours for five customer-service messages. The events `CLICK`,
//!   `scancode_push`, `scancode_waitmsg`, `SCAN` and `subscribe`, and a text with a `bizmsgmenuid`, open one of a minute
//!   for three. If both are open, the account may use both quotas. The simulator uses that of the short window first.
//!   `unsubscribe` closes both. The window opens with the first delivery of a push, whatever the bot answers. Deliveries of
//!   an attacker open none.
//! - **Time** is tokio's, so that a paused clock passes windows, tokens and media at once.
//! - **Bounds.** The simulator keeps at most 4096 media files with 64 MiB in all, 10 000 users, and 4096 messages of all chats,
//!   both the users' and the account's. At a bound, it forgets the oldest.
//!
//! [`fail_next`](ApiServer::fail_next) and [`fail_always`](ApiServer::fail_always) make calls fail:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use tower_wechat::{Account, simulator::{ApiCall, ApiFailure, Simulator}};
//! let wechat = Simulator::new(Account::plain("rosebud7")?);
//! // Twice, WeChat is too busy to send a message. It never lets this account show that it is typing.
//! wechat.api().fail_next(2, ApiCall::Send, ApiFailure::Busy);
//! wechat.api().fail_always(ApiCall::Typing, ApiFailure::Unauthorized);
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
mod smart_bot;
mod transcript;
mod unique;

pub use api::{ApiCall, ApiFailure, ApiFuture, ApiServer};
pub use body::RequestBody;
pub use chat::{Chat, ChatMessage, Way};
pub use deliver::Part;
pub use fault::{Fault, FaultKind};
pub use push::{Push, USER};
pub use server::{APP_SECRET, Simulator};
pub use transcript::{DeliveryRecord, Shown, ShownReply, Transcript};

/// The type that a service's error is converted into. Tower's alias would make tower part of the public API.
type BoxError = Box<dyn std::error::Error + Send + Sync>;
