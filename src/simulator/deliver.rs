use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use tokio::time::{self, Instant};
use tower::{BoxError, Service, ServiceExt};

use super::{
    Delivery, Fault, FaultKind, Shown, Transcript,
    answer::{Parties, check_reply},
};

/// What is to be delivered, and what is to go wrong with it.
pub(super) struct Plan {
    /// The same for each delivery.
    pub(super) request: Result<Request<Bytes>, http::Error>,
    pub(super) query: String,
    pub(super) parties: Parties,
    pub(super) lost_answers: usize,
    pub(super) forged: bool,
}

/// Sends until there is an answer that counts, or none has come too often.
pub(super) async fn deliver<S, B>(plan: Plan, mut service: S) -> Transcript
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body,
    B::Error: Into<BoxError>,
{
    let request = plan.request.map_err(|error| Fault::unsent(&error));
    let mut answers_to_lose = plan.lost_answers;
    let mut deliveries = Vec::new();
    let start = Instant::now();
    let shown = loop {
        let at = start.elapsed();
        let answer = match send(&mut service, request.clone()).await {
            Ok(_) if answers_to_lose > 0 => {
                answers_to_lose -= 1;
                Err(Fault::lost())
            }
            answer => answer,
        };
        let status = answer.as_ref().ok().map(Response::status);
        let verdict = answer.and_then(|answer| check_reply(&answer, &plan.parties));
        let fault = verdict.as_ref().err().cloned();
        deliveries.push(Delivery::new(at, plan.query.clone(), status, fault));

        if plan.forged {
            break Shown::Nothing;
        }
        let kind = match verdict {
            Ok(shown) => break shown,
            Err(fault) => fault.kind(),
        };
        if !is_sent_again(kind) || deliveries.len() == DELIVERIES {
            break Shown::Fault;
        }
        // It has waited long enough before it hung up.
        if kind != FaultKind::HungUp {
            time::sleep(PAUSE).await;
        }
    };
    Transcript::new(deliveries, shown)
}

/// Waits for the whole answer, as long as WeChat does.
pub(super) async fn send<S, B>(
    service: &mut S,
    request: Result<Request<Bytes>, Fault>,
) -> Result<Response<Bytes>, Fault>
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body,
    B::Error: Into<BoxError>,
{
    let request = request?.map(Full::new);
    let answer = async {
        let service = service.ready().await.map_err(Fault::connection)?;
        let response = service.call(request).await;
        let (head, body) = response.map_err(Fault::connection)?.into_parts();
        match Limited::new(body, ANSWER_LIMIT).collect().await {
            Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => Err(Fault::limit(format!(
                "expected at most {ANSWER_LIMIT} bytes of answer, found more"
            ))),
            Err(error) => Err(Fault::connection(error)),
        }
    };
    time::timeout(HANG_UP, answer)
        .await
        .unwrap_or_else(|_elapsed| Err(Fault::hung_up(HANG_UP)))
}

/// Whether what ended like this is sent again.
fn is_sent_again(kind: FaultKind) -> bool {
    match kind {
        FaultKind::HungUp | FaultKind::Lost | FaultKind::Connection | FaultKind::Status => true,
        FaultKind::Unsent
        | FaultKind::Malformed
        | FaultKind::Addressing
        | FaultKind::Limit
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
