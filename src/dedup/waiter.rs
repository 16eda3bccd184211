//! One delivery: how long it waits, and when it is acknowledged or answered.

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, join};
use http::{HeaderValue, Request, Response, StatusCode, header::CONNECTION};
use http_body::Body;
use tokio::{
    sync::watch,
    time::{self, Instant},
};
use tower::Service;

use super::{
    key::Key,
    node::Node,
    running::RunningMessage,
    store::{AcknowledgeRequest, Acknowledged, ClaimId},
    table::{Acknowledgement, Admission},
};
use crate::{
    delivery::{Delivery, Verified},
    observe,
    response::{self, ResponseBody},
};

/// A delivery that waits for an answer. Dropping its future stops no run.
pub(super) struct Waiter {
    shared: Arc<Node>,
    request: Request<Verified>,
    key: Key,
    observed: observe::Deduped,
}

impl Waiter {
    pub(super) fn new(shared: Arc<Node>, request: Request<Verified>) -> Self {
        let key = (shared.settings.key)(&request);
        let body = request.body();
        let account = body.delivery().shared_account();
        Self {
            observed: observe::Deduped::new(account, key.observed(), body.trace()),
            key,
            shared,
            request,
        }
    }

    pub(super) async fn answer<S, B>(&self, inner: S) -> Response<ResponseBody>
    where
        S: Service<Request<Verified>, Response = Response<B>, Error: fmt::Display, Future: Send>
            + Clone
            + Send
            + 'static,
        B: Body<Data: Send, Error: fmt::Display> + Send + 'static,
    {
        self.answer_after(0, inner).await
    }

    /// Answers, after this many runs of the message have been lost.
    async fn answer_after<S, B>(&self, mut lost: u32, inner: S) -> Response<ResponseBody>
    where
        S: Service<Request<Verified>, Response = Response<B>, Error: fmt::Display, Future: Send>
            + Clone
            + Send
            + 'static,
        B: Body<Data: Send, Error: fmt::Display> + Send + 'static,
    {
        let arrival = self.delivery().arrived();
        let draining = &self.shared.draining;
        let mut permit = None;
        loop {
            let now = Instant::now();
            // With a permit this delivery may make the message run: until its task is spawned, a drain waits for it.
            let token = permit.is_some().then(|| self.shared.tasks.token());
            if draining.is_cancelled() {
                permit = None;
            }
            // WeChat has hung up: a reply would be lost with this delivery.
            if now >= arrival + HANG_UP {
                return self.turn_away("no outcome in time");
            }
            if lost > MAX_LOST_RUNS {
                return self.turn_away("its runs were lost");
            }
            let admission = self.shared.table().claim(
                self.key,
                arrival,
                now,
                permit.take(),
                self.shared.limits(),
            );
            let waited = match admission {
                Admission::Replied(response) => {
                    self.observed.record_kept_reply();
                    return response.into_response();
                }
                Admission::Done => {
                    self.observed.record_done();
                    return response::success();
                }
                Admission::Join(id, waiting) => {
                    drop(token);
                    self.observed.record_join();
                    self.wait(id, waiting).await
                }
                Admission::Run(id, permit, waiting) => {
                    let message = RunningMessage::new(
                        Arc::clone(&self.shared),
                        self.key,
                        id,
                        self.request.clone(),
                        self.observed.start_runs(),
                        permit,
                    );
                    let task = message.drive(inner.clone());
                    let tasks = &self.shared.tasks;
                    if self.shared.settings.runs_inline {
                        let answer = self.wait_and_answer(lost, id, waiting, inner);
                        drop(token);
                        // The answer is polled first: a reply that it fetches is sent before the host can drop it.
                        return join(answer, tasks.track_future(task)).await.0;
                    }
                    tasks.spawn(task);
                    drop(token);
                    self.wait(id, waiting).await
                }
                Admission::NoPermit if draining.is_cancelled() => {
                    return self.turn_away("shutting down");
                }
                Admission::NoPermit => {
                    drop(token);
                    let permits = Arc::clone(&self.shared.run_permits);
                    let permit_or_end = draining.run_until_cancelled(permits.acquire_owned());
                    match time::timeout_at(arrival + PATIENCE, permit_or_end).await {
                        Ok(Some(Ok(acquired))) => permit = Some(acquired),
                        // Looks again, without a permit.
                        Ok(None) => {}
                        Ok(Some(Err(_))) | Err(_) => {
                            return self.turn_away("too many messages running");
                        }
                    }
                    continue;
                }
                Admission::Full if now < arrival + PATIENCE => {
                    drop(token);
                    time::sleep(LOOK_AGAIN).await;
                    continue;
                }
                Admission::Full => return self.turn_away("too many deliveries"),
            };
            if let Some(response) = waited {
                return response;
            }
            lost += 1;
        }
    }

    /// The answer of a delivery whose run is part of it. The run ends when its reply has been fetched.
    fn wait_and_answer<S, B>(
        &self,
        lost: u32,
        id: ClaimId,
        waiting: watch::Receiver<()>,
        inner: S,
    ) -> BoxFuture<'_, Response<ResponseBody>>
    where
        S: Service<Request<Verified>, Response = Response<B>, Error: fmt::Display, Future: Send>
            + Clone
            + Send
            + 'static,
        B: Body<Data: Send, Error: fmt::Display> + Send + 'static,
    {
        Box::pin(async move {
            match self.wait(id, waiting).await {
                Some(response) => response,
                None => self.answer_after(lost + 1, inner).await,
            }
        })
    }

    /// Waits until the message is over, and returns `None`: the caller looks at the table again. Returns an answer if
    /// waiting ends earlier.
    async fn wait(
        &self,
        id: ClaimId,
        mut waiting: watch::Receiver<()>,
    ) -> Option<Response<ResponseBody>> {
        let arrival = self.delivery().arrived();
        // The sender never sends; it is dropped.
        let mut ended = pin!(async move { while waiting.changed().await.is_ok() {} });
        if time::timeout_at(arrival + PATIENCE, &mut ended)
            .await
            .is_ok()
        {
            return None;
        }
        if !self.may_hang() {
            return self.acknowledge(id).await;
        }
        let mut hang_up = HangUp {
            waiter: self,
            is_answered: false,
        };
        if time::timeout_at(arrival + HANG_UP, &mut ended)
            .await
            .is_ok()
        {
            hang_up.is_answered = true;
            return None;
        }
        // An outcome that comes now is for the next delivery. An answer before WeChat hangs up would make it retry at
        // once, and its clock may be a little behind.
        time::sleep_until(arrival + CAP).await;
        Some(self.turn_away("no outcome in time"))
    }

    /// Whether WeChat may be left to hang up and deliver again.
    fn may_hang(&self) -> bool {
        let delivery = self.delivery();
        // Without the store's answer a message that fails closed does not run, so there is nothing to acknowledge.
        if self.shared.settings.is_fail_closed && !self.shared.table().is_shared(self.key) {
            return true;
        }
        let first_seen = self.shared.table().first_seen(self.key);
        let age = first_seen.map_or(Duration::ZERO, |first| {
            delivery.arrived().saturating_duration_since(first)
        });
        let is_last = age.max(delivery.age()) >= LAST_DELIVERY;
        !is_last
            && (self.shared.settings.accepts_reply)(&self.request)
            && !self
                .shared
                .hang_ups
                .are_spent(delivery.account(), Instant::now())
    }

    /// Acknowledges the message, or sends the reply if it is there by now. Returns `None` if the run was lost.
    async fn acknowledge(&self, id: ClaimId) -> Option<Response<ResponseBody>> {
        let request = AcknowledgeRequest::new(self.key, id);
        let stored = self.shared.store.acknowledge(request).await;
        let (now, limits) = (Instant::now(), self.shared.limits());
        if let Ok(Acknowledged::Replied(response)) = stored
            && self
                .shared
                .table()
                .fetched_from_store(self.key, id, now, limits)
        {
            return Some(response.into_response());
        }
        let acknowledgement = self.shared.table().acknowledge(self.key, now, limits);
        match acknowledgement {
            Acknowledgement::Recorded => {
                self.observed.record_acknowledged();
                let fallback = self.shared.settings.fallback.clone();
                Some(response::of_reply(fallback, self.request.body()))
            }
            Acknowledgement::Replied(response) => Some(response.into_response()),
            Acknowledgement::Vacant => None,
        }
    }

    /// Answers 503, so that WeChat delivers the message again. The connection is closed, since
    /// WeChat has given up on it, or will.
    fn turn_away(&self, reason: &'static str) -> Response<ResponseBody> {
        self.observed.record_turned_away(reason);
        let mut response = Response::new(ResponseBody::default());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
        response
    }

    fn delivery(&self) -> &Delivery {
        self.request.body().delivery()
    }
}

/// Counts a hang-up when it is dropped, unless the delivery has been answered.
///
/// Hang-ups are counted at most four times per message, so replaying one message cannot exhaust the account's budget.
struct HangUp<'a> {
    waiter: &'a Waiter,
    is_answered: bool,
}

impl Drop for HangUp<'_> {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        let Waiter {
            shared,
            key,
            observed,
            request,
        } = self.waiter;
        observed.record_hang_up();
        if shared.table().hang_up(*key) {
            let account = request.body().delivery().shared_account();
            shared.hang_ups.count(account, Instant::now());
        }
    }
}

/// From a delivery's arrival: half a second is left for the answer's way back.
const PATIENCE: Duration = Duration::from_millis(4500);

/// From a delivery's arrival: WeChat has hung up.
const HANG_UP: Duration = Duration::from_secs(5);

/// From a delivery's arrival: a client that still waits is not WeChat.
const CAP: Duration = Duration::from_secs(6);

/// The age of a message in its last delivery. WeChat makes it after 10 s; half a second is for the ways there.
const LAST_DELIVERY: Duration = Duration::from_millis(9500);

/// How often a delivery looks whether there is room to wait.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A delivery gives up after more lost runs in a row: they have a reason, such as the runtime's end.
const MAX_LOST_RUNS: u32 = 3;
