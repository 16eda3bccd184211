//! Delivers and retries as WeChat does: time limits, simulated faults, and when the user sees the fault text.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use futures_util::future::{Either, FutureExt, join, select};
use http::{Request, Response};
use http_body::Body;
use tokio::{
    sync::Mutex,
    time::{self, Instant},
};
use tower::{Service, ServiceExt};

use super::{
    BoxError, DeliveryRecord, Fault, FaultKind, Shown, Transcript,
    answer::{Judgement, Parties, check_payment, check_reply},
    smart_bot::{POLL_PAUSE, POLLED_FOR},
    transcript::AnswerKind,
};
use crate::{
    account::Account,
    body::{ReadBody, ReadError},
    observe::OutcomeCell,
};

/// A message to deliver, and the failures to simulate.
pub(super) struct Plan {
    /// Opens a sealed answer.
    pub(super) account: Account,
    pub(super) parties: Parties,
    /// Makes the request that polls a smart bot's stream with this id.
    pub(super) poll: Box<Poll>,
    pub(super) mishaps: Mishaps,
}

type Poll = dyn Fn(&str) -> Sent + Send;

/// The failures to simulate.
#[derive(Debug, Clone, Default)]
pub(super) struct Mishaps {
    pub(super) lost_answers: usize,
    /// The time that each request and each answer takes on its way.
    pub(super) latency: Duration,
    pub(super) is_duplicated: bool,
    /// Whether the second delivery overtakes the first.
    pub(super) is_overtaken: bool,
    pub(super) attack: Option<Attack>,
    /// Whether it is retried as virtual payment does.
    pub(super) is_payment: bool,
}

/// A request as it is sent, and its query without the URL's own.
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) request: Result<Request<Bytes>, Fault>,
    pub(super) query: String,
}

/// An attack to simulate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attack {
    Forge,
    Tamper(Part),
    Downgrade,
}

/// The part that [`tamper`](super::Push::tamper) changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// The `timestamp` of the query.
    Timestamp,
    /// The `nonce` of the query.
    Nonce,
    /// The ciphertext. In plain mode, a line end is added to the body, which the signature does not cover.
    Body,
}

/// Delivers a message until WeChat gets an answer with status 200, at most [`DELIVERIES`] times. An attack is sent
/// once. `make` makes the request of the delivery with this number, counted from 0.
pub(super) async fn deliver<S, R, B>(
    plan: Plan,
    make: impl Fn(u32) -> Sent,
    body: impl Fn(Bytes) -> R,
    service: S,
) -> Transcript
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body,
    B::Error: Into<BoxError>,
{
    let Plan {
        account,
        parties,
        poll,
        mishaps,
    } = plan;
    let mut current = make(0);
    // Two requests may use the service at the same time.
    let service = Mutex::new(service);
    let send = |sent: &Sent| {
        let request = sent.request.clone().map(|request| request.map(&body));
        send(&service, request, mishaps.latency)
    };
    let mut deliveries = Vec::new();
    let mut judge = |at, sent: &Sent, answer: HttpAnswer| {
        let verdict = check(&answer, mishaps.is_payment, &account, &parties);
        let kind = verdict.as_ref().map(|judgement| judgement.kind);
        let kind = kind.map_err(Fault::clone);
        let delivery = DeliveryRecord::new(at, sent.query.clone(), &answer, kind);
        deliveries.push((delivery, answer.seen));
        verdict
    };

    let mut answers_to_lose = mishaps.lost_answers;
    let start = Instant::now();
    let mut number: u32 = 0;
    let mut judgement = loop {
        // An ordinary retry is a copy.
        if mishaps.is_payment && number > 0 {
            current = make(number);
        }
        number += 1;
        let at = start.elapsed();
        let mut copy = None;
        let mut answer = match number {
            1 if mishaps.is_overtaken => hang_up().await,
            2 if mishaps.is_overtaken => {
                match select(pin!(send(&current)), pin!(send(&current))).await {
                    Either::Left((answer, overtaken)) => {
                        // Polls the other request once, so that it reaches the service however fast the answer was.
                        let _ = overtaken.now_or_never();
                        answer
                    }
                    Either::Right((_nobody_waits_for_it, answer)) => answer.await,
                }
            }
            _ if mishaps.is_duplicated => {
                let (answer, copied) = join(send(&current), send(&current)).await;
                copy = Some(copied);
                answer
            }
            _ => send(&current).await,
        };
        if answers_to_lose > 0 && answer.response.is_ok() {
            answers_to_lose -= 1;
            answer.response = Err(Fault::lost());
        }
        let verdict = judge(at, &current, answer);
        if let Some(copy) = copy {
            let _ = judge(at, &current, copy);
        }

        if mishaps.attack.is_some() {
            break Judgement::new(Shown::Nothing, AnswerKind::Success);
        }
        let kind = match verdict {
            Ok(judgement) => break judgement,
            Err(fault) => fault.kind(),
        };
        if mishaps.is_payment {
            if number == 1 + PAYMENT_RETRIES {
                break Judgement::new(Shown::Nothing, AnswerKind::Success);
            }
            time::sleep(Duration::from_secs(1 << number)).await;
            continue;
        }
        if !is_sent_again(kind) || number == DELIVERIES {
            break Judgement::new(Shown::Fault, AnswerKind::Success);
        }
        // After a hang-up, WeChat retries at once.
        if kind != FaultKind::HungUp {
            time::sleep(PAUSE).await;
        }
    };
    while let Some(id) = &judgement.stream_id {
        time::sleep(POLL_PAUSE).await;
        if start.elapsed() >= POLLED_FOR {
            break;
        }
        let at = start.elapsed();
        let asked = poll(id);
        let answer = send(&asked).await;
        // Whatever WeCom cannot read, or that says nothing, makes it poll again.
        if let Ok(next) = judge(at, &asked, answer) {
            judgement.go_on(next);
        }
    }
    let who = mishaps.attack.map_or("the user", |_| "an attacker");
    let message = format!("{who} sends: {}", parties.said);
    Transcript::new(message, deliveries, judgement.shown, start.elapsed())
}

fn check(
    answer: &HttpAnswer,
    is_payment: bool,
    account: &Account,
    parties: &Parties,
) -> Result<Judgement, Fault> {
    let response = answer.response.as_ref().map_err(Fault::clone)?;
    if is_payment {
        check_payment(response, account)
    } else {
        check_reply(response, account, parties)
    }
}

/// The result of a request, and the time it took.
pub(super) struct HttpAnswer {
    pub(super) response: Result<Response<Bytes>, Fault>,
    pub(super) took: Duration,
    /// What the layers make of the delivery, if they are in this process.
    pub(super) seen: OutcomeCell,
}

/// Sends a request, and waits for the whole answer as long as WeChat does.
pub(super) async fn send<S, R, B>(
    service: &Mutex<S>,
    mut request: Result<Request<R>, Fault>,
    latency: Duration,
) -> HttpAnswer
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body,
    B::Error: Into<BoxError>,
{
    let start = Instant::now();
    let seen = OutcomeCell::reported();
    if let Ok(request) = &mut request {
        request.extensions_mut().insert(seen.clone());
    }
    let answer = async {
        let request = request?;
        pass(latency).await;
        let response = {
            let mut service = service.lock().await;
            let service = service.ready().await.map_err(Fault::connection)?;
            service.call(request)
        };
        let (head, body) = response.await.map_err(Fault::connection)?.into_parts();
        let body = match ReadBody::new(body, ANSWER_LIMIT, None).await {
            Ok(body) => body,
            Err(ReadError::Body(error)) => return Err(Fault::connection(error)),
            Err(ReadError::TooLarge | ReadError::Timeout) => {
                return Err(Fault::limit(format!(
                    "expected at most {ANSWER_LIMIT} bytes of answer, found more"
                )));
            }
        };
        pass(latency).await;
        Ok(Response::from_parts(head, body))
    };
    let response = time::timeout(HANG_UP, answer).await;
    HttpAnswer {
        response: response.unwrap_or_else(|_elapsed| Err(Fault::hung_up(HANG_UP))),
        took: start.elapsed(),
        seen,
    }
}

/// Waits until WeChat hangs up, without sending a request.
async fn hang_up() -> HttpAnswer {
    time::sleep(HANG_UP).await;
    HttpAnswer {
        response: Err(Fault::hung_up(HANG_UP)),
        took: HANG_UP,
        seen: OutcomeCell::reported(),
    }
}

async fn pass(latency: Duration) {
    // Even a timer of zero would wait for the next millisecond.
    if !latency.is_zero() {
        time::sleep(latency).await;
    }
}

/// Returns whether WeChat retries after this fault.
fn is_sent_again(kind: FaultKind) -> bool {
    match kind {
        FaultKind::HungUp | FaultKind::Lost | FaultKind::Connection | FaultKind::Status => true,
        FaultKind::Unsent
        | FaultKind::Malformed
        | FaultKind::Addressing
        | FaultKind::Limit
        | FaultKind::Envelope
        | FaultKind::Refused
        | FaultKind::Echo => false,
    }
}

/// WeChat hangs up after this time. Source: its page on passive replies.
const HANG_UP: Duration = Duration::from_secs(5);

/// The number of deliveries in all. The page says 总共重试三次, which can mean three retries or three deliveries.
/// Integrations count on three deliveries: they say that there are 15 s for an answer.
const DELIVERIES: u32 = 3;

/// Virtual payment retries as often, after 2, 4, 8 … s: 18 hours in all. Source: implementations by others; WeChat's page
/// says that it retries.
const PAYMENT_RETRIES: u32 = 15;

/// The delay before a retry. WeChat does not document it. In a published log, all retries after a 201 came within about
/// a second.
const PAUSE: Duration = Duration::from_millis(500);

/// In bytes. WeChat's own limit is unknown. The longest reply that it accepts, eight articles, is far smaller.
const ANSWER_LIMIT: usize = 64 * 1024;
