//! One delivery: what it is answered, and when.

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::{BoxFuture, join};
use http::{HeaderValue, Request, Response, StatusCode, header::CONNECTION};
use http_body::Body;
use http_body_util::Full;
use tokio::{
    sync::watch,
    time::{self, Instant},
};
use tower::{BoxError, Service};

use super::{
    Key, Outcome,
    fallback::fallback,
    state::Shared,
    store::{self, Owner, Store},
    table::{Acknowledged, Claim},
    task::Claimed,
};
use crate::{
    observe,
    signature::{Delivery as Arrival, Verified},
};

/// A delivery that waits for an answer. Dropping its future stops no run.
pub(super) struct Delivery<St> {
    shared: Shared<St>,
    request: Request<Verified>,
    key: Key,
    account: Arc<str>,
    observed: observe::Deduped,
    arrival: Instant,
    /// How long ago WeChat signed it, when it arrived.
    age: Duration,
    replayable: Duration,
}

impl<St: Store> Delivery<St> {
    pub(super) fn new(shared: Shared<St>, mut request: Request<Verified>) -> Self {
        let key = (shared.settings.key)(&request);
        let delivery = request.extensions().get::<Arrival>();
        let account = delivery.map_or_else(|| Arc::from(""), Arrival::shared_account);
        let arrival = delivery.map_or_else(Instant::now, |it| Instant::from_std(it.arrival()));
        let age = delivery.map_or(Duration::ZERO, Arrival::age);
        // It can be sent again until its timestamp is refused: up to `freshness` ahead of the clock at
        // first, and as much behind it at last.
        let replayable = delivery
            .map_or(Duration::ZERO, Arrival::freshness)
            .saturating_mul(2);
        Self {
            observed: observe::Deduped::take(&account, key, request.extensions_mut()),
            key,
            account,
            arrival,
            age,
            replayable,
            shared,
            request,
        }
    }

    pub(super) async fn answer<S, B>(&self, inner: S) -> Response<Full<Bytes>>
    where
        S: Service<Request<Verified>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
            + Clone
            + Send
            + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let draining = &self.shared.node.draining;
        let mut permit = None;
        let mut lost = 0;
        loop {
            let now = Instant::now();
            if draining.is_cancelled() {
                permit = None;
            }
            // WeChat has hung up: a reply would be lost with this delivery.
            if now >= self.arrival + HANG_UP || lost > LOST {
                return self.turn_away("no outcome in time");
            }
            let claim = self.shared.table().claim(
                self.key,
                self.arrival,
                now,
                permit.is_some(),
                self.shared.limits(),
            );
            let waited = match claim {
                Claim::Replied(outcome) => {
                    self.observed.gets_reply();
                    return outcome.into_response();
                }
                Claim::Done => {
                    self.observed.is_done();
                    return Outcome::success().into_response();
                }
                Claim::Join(owner, waiting) => {
                    self.observed.joins();
                    permit = None;
                    self.wait(owner, waiting).await
                }
                Claim::Run(owner, waiting) => {
                    // There is one: the table has asked for it.
                    let Some(permit) = permit.take() else {
                        continue;
                    };
                    let claimed = Claimed {
                        shared: self.shared.clone(),
                        key: self.key,
                        owner,
                        times: self.shared.times(self.replayable),
                        request: self.request.clone(),
                        observed: self.observed.starts_runs(),
                        permit,
                    };
                    let task = claimed.see_through(inner.clone());
                    let tasks = &self.shared.node.tasks;
                    if self.shared.settings.runs_inline {
                        let answer = self.wait_and_answer(owner, waiting, inner);
                        return join(tasks.track_future(task), answer).await.1;
                    }
                    tasks.spawn(task);
                    self.wait(owner, waiting).await
                }
                Claim::NoPermit if draining.is_cancelled() => {
                    return self.turn_away("shutting down");
                }
                Claim::NoPermit => {
                    let permits = Arc::clone(&self.shared.permits);
                    let permit_or_end = draining.run_until_cancelled(permits.acquire_owned());
                    match time::timeout_at(self.arrival + PATIENCE, permit_or_end).await {
                        Ok(Some(Ok(acquired))) => permit = Some(acquired),
                        // Looks again, without a permit.
                        Ok(None) => {}
                        Ok(Some(Err(_))) | Err(_) => {
                            return self.turn_away("too many messages running");
                        }
                    }
                    continue;
                }
                Claim::Full if now < self.arrival + PATIENCE => {
                    permit = None;
                    time::sleep(LOOK_AGAIN).await;
                    continue;
                }
                Claim::Full => return self.turn_away("too many deliveries"),
            };
            if let Some(response) = waited {
                return response;
            }
            lost += 1;
        }
    }

    /// The answer of a delivery whose run goes on beside it: the run ends when its reply has been fetched.
    fn wait_and_answer<S, B>(
        &self,
        owner: Owner,
        waiting: watch::Receiver<()>,
        inner: S,
    ) -> BoxFuture<'_, Response<Full<Bytes>>>
    where
        S: Service<Request<Verified>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
            + Clone
            + Send
            + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        Box::pin(async move {
            match self.wait(owner, waiting).await {
                Some(response) => response,
                None => self.answer(inner).await,
            }
        })
    }

    /// Waits until the message is over; the caller looks what has become of it then. Answers when waiting
    /// has to end.
    async fn wait(
        &self,
        owner: Owner,
        mut waiting: watch::Receiver<()>,
    ) -> Option<Response<Full<Bytes>>> {
        // Nothing is ever sent: the sender is dropped.
        let mut ended = pin!(async move { while waiting.changed().await.is_ok() {} });
        if time::timeout_at(self.arrival + PATIENCE, &mut ended)
            .await
            .is_ok()
        {
            return None;
        }
        if !self.may_hang() {
            return self.acknowledge(owner).await;
        }
        let mut hang_up = HangUp {
            delivery: self,
            is_answered: false,
        };
        if time::timeout_at(self.arrival + HANG_UP, &mut ended)
            .await
            .is_ok()
        {
            hang_up.is_answered = true;
            return None;
        }
        // An outcome that comes now is for the next delivery. To answer before WeChat hangs up would make it
        // deliver again at once, and its clock may be a little behind.
        time::sleep_until(self.arrival + CAP).await;
        Some(self.turn_away("no outcome in time"))
    }

    /// Whether WeChat may be left to hang up and deliver again.
    fn may_hang(&self) -> bool {
        let first_seen = self.shared.table().first_seen(self.key);
        let age = first_seen.map_or(Duration::ZERO, |first| {
            self.arrival.saturating_duration_since(first)
        });
        let is_last = age.max(self.age) >= LAST;
        let node = &self.shared.node;
        !is_last
            && (self.shared.settings.answerable)(&self.request)
            && !node.hang_ups.are_spent(&self.account, Instant::now())
    }

    /// Tells WeChat not to wait, or the reply if it is there by now. `None` if the run was lost.
    async fn acknowledge(&self, owner: Owner) -> Option<Response<Full<Bytes>>> {
        let stored = self.shared.remote.acknowledge(self.key, owner).await;
        let (now, limits) = (Instant::now(), self.shared.limits());
        if let Ok(store::Acknowledged::Replied(outcome)) = stored {
            let mut table = self.shared.table();
            table.fetched_from_store(self.key, now, limits);
            return Some(outcome.into_response());
        }
        let acknowledged = self.shared.table().acknowledge(self.key, now, limits);
        let outcome = match acknowledged {
            Acknowledged::Marked => {
                self.observed.is_acknowledged();
                fallback(&self.shared.settings.fallback, &self.request)
            }
            Acknowledged::Replied(outcome) => outcome,
            Acknowledged::Vacant => return None,
        };
        Some(outcome.into_response())
    }

    /// A failure in WeChat's eyes, so that it delivers the message again. The connection is closed since
    /// WeChat has given up on it, or will.
    fn turn_away(&self, reason: &'static str) -> Response<Full<Bytes>> {
        self.observed.is_turned_away(reason);
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
        response
    }
}

/// Counts a hang-up, unless the delivery is answered after all. Whoever sends one message again and again
/// cannot spend what all messages of the account have.
struct HangUp<'a, St> {
    delivery: &'a Delivery<St>,
    is_answered: bool,
}

impl<St> Drop for HangUp<'_, St> {
    fn drop(&mut self) {
        let Delivery {
            shared,
            key,
            account,
            observed,
            ..
        } = self.delivery;
        if self.is_answered {
            return;
        }
        observed.hangs_up();
        if shared.table().hang_up(*key) {
            shared.node.hang_ups.count(account, Instant::now());
        }
    }
}

/// From a delivery's arrival: half a second is left for the answer's way back.
const PATIENCE: Duration = Duration::from_millis(4500);

/// From a delivery's arrival: WeChat has hung up.
const HANG_UP: Duration = Duration::from_secs(5);

/// From a delivery's arrival: what still waits is not WeChat.
const CAP: Duration = Duration::from_secs(6);

/// How old a message is when WeChat delivers it for the last time: it does so after 10 s, and half a second
/// is for the ways there.
const LAST: Duration = Duration::from_millis(9500);

/// How often a delivery looks whether there is room to wait.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Runs that are lost one after the other are lost for a reason, such as the runtime's end.
const LOST: u32 = 3;
