use std::{pin::pin, time::Duration};

use bytes::Bytes;
use futures_util::future::{Either, FutureExt, join, select};
use http::{Request, Response};
use http_body::Body;
use tokio::{
    sync::Mutex,
    time::{self, Instant},
};
use tower::{BoxError, Service, ServiceExt};

use super::{
    DeliveryRecord, Fault, FaultKind, Shown, Transcript,
    answer::{Parties, check_reply},
};
use crate::{
    account::Account,
    body::{ReadBody, ReadError},
};

/// What is to be delivered, and what is to go wrong with it.
pub(super) struct Plan {
    /// The same for each delivery.
    pub(super) request: Result<Request<Bytes>, http::Error>,
    pub(super) query: String,
    /// For what is in a sealed answer.
    pub(super) account: Account,
    pub(super) parties: Parties,
    pub(super) mishaps: Mishaps,
}

/// The failures that a test asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Mishaps {
    pub(super) lost_answers: usize,
    /// On the way there, and again on the way back.
    pub(super) latency: Duration,
    pub(super) is_duplicated: bool,
    /// Whether the second delivery overtakes the first.
    pub(super) is_overtaken: bool,
    pub(super) attack: Option<Attack>,
}

/// The attacker that sends instead of WeChat.
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
    /// The ciphertext; in plain mode, whose signature does not cover the body, a line end is added to it.
    Body,
}

/// Sends until there is an answer that counts, or none has come too often.
pub(super) async fn deliver<S, R, B>(
    plan: Plan,
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
        request,
        query,
        account,
        parties,
        mishaps,
    } = plan;
    let request = request.map_err(|error| Fault::unsent(&error));
    // Two requests may be under way at a time.
    let service = Mutex::new(service);
    let send = || {
        let request = request.clone().map(|request| request.map(&body));
        send(&service, request, mishaps.latency)
    };
    let judge = |at, Answer { response, took }| {
        let status = response.as_ref().ok().map(Response::status);
        let verdict = response.and_then(|answer| check_reply(&answer, &account, &parties));
        let fault = verdict.as_ref().err().cloned();
        let delivery = DeliveryRecord::new(at, took, query.clone(), status, fault);
        (delivery, verdict)
    };

    let mut deliveries = Vec::new();
    let mut answers_to_lose = mishaps.lost_answers;
    let start = Instant::now();
    let mut number = 0;
    let shown = loop {
        number += 1;
        let at = start.elapsed();
        let mut copy = None;
        let mut answer = match number {
            1 if mishaps.is_overtaken => hang_up().await,
            2 if mishaps.is_overtaken => match select(pin!(send()), pin!(send())).await {
                Either::Left((answer, overtaken)) => {
                    // However fast the answer was, the other request has reached the service.
                    let _ = overtaken.now_or_never();
                    answer
                }
                Either::Right((_nobody_waits_for_it, answer)) => answer.await,
            },
            _ if mishaps.is_duplicated => {
                let (answer, copied) = join(send(), send()).await;
                copy = Some(copied);
                answer
            }
            _ => send().await,
        };
        if answers_to_lose > 0 && answer.response.is_ok() {
            answers_to_lose -= 1;
            answer.response = Err(Fault::lost());
        }
        let (delivery, verdict) = judge(at, answer);
        deliveries.push(delivery);
        deliveries.extend(copy.map(|copy| judge(at, copy).0));

        if mishaps.attack.is_some() {
            break Shown::Nothing;
        }
        let kind = match verdict {
            Ok(shown) => break shown,
            Err(fault) => fault.kind(),
        };
        if !is_sent_again(kind) || number == DELIVERIES {
            break Shown::Fault;
        }
        // It has waited long enough before it hung up.
        if kind != FaultKind::HungUp {
            time::sleep(PAUSE).await;
        }
    };
    Transcript::new(deliveries, shown)
}

/// What came of a request, and after how long.
pub(super) struct Answer {
    pub(super) response: Result<Response<Bytes>, Fault>,
    pub(super) took: Duration,
}

/// Waits for the whole answer, as long as WeChat does.
pub(super) async fn send<S, R, B>(
    service: &Mutex<S>,
    request: Result<Request<R>, Fault>,
    latency: Duration,
) -> Answer
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body,
    B::Error: Into<BoxError>,
{
    let start = Instant::now();
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
    Answer {
        response: response.unwrap_or_else(|_elapsed| Err(Fault::hung_up(HANG_UP))),
        took: start.elapsed(),
    }
}

/// Waits in vain.
async fn hang_up() -> Answer {
    time::sleep(HANG_UP).await;
    Answer {
        response: Err(Fault::hung_up(HANG_UP)),
        took: HANG_UP,
    }
}

async fn pass(latency: Duration) {
    // A timer waits for the next millisecond, even if there is nothing to wait for.
    if !latency.is_zero() {
        time::sleep(latency).await;
    }
}

/// Whether what ended like this is sent again.
fn is_sent_again(kind: FaultKind) -> bool {
    match kind {
        FaultKind::HungUp | FaultKind::Lost | FaultKind::Connection | FaultKind::Status => true,
        FaultKind::Unsent
        | FaultKind::Malformed
        | FaultKind::Addressing
        | FaultKind::Limit
        | FaultKind::Envelope
        | FaultKind::Echo => false,
    }
}

/// WeChat's page on passive replies: no answer within five seconds, and it hangs up.
const HANG_UP: Duration = Duration::from_secs(5);

/// In all. The page says 总共重试三次, which is three retries or three deliveries; the second is what
/// integrations count on, as in the 15 s that they say there are for an answer.
const DELIVERIES: usize = 3;

/// Undocumented. In a published log, all the retries after a 201 came within about a second.
const PAUSE: Duration = Duration::from_millis(500);

/// In bytes. WeChat's own is unknown; the longest reply that it takes, eight articles, is far smaller.
const ANSWER_LIMIT: usize = 64 * 1024;
