//! What becomes of one message on this node: a task that no delivery's end can stop.

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::future::{Either, select};
use http::{Request, Response};
use http_body::Body;
use tokio::{
    runtime::Handle,
    sync::OwnedSemaphorePermit,
    time::{self, Instant},
};
use tower::{BoxError, Service};

use super::{
    Key, Outcome,
    fallback::fallback,
    remote::Away,
    run::{self, Run},
    state::Shared,
    store::{self, Owner, Store, Times},
};
use crate::{
    observe,
    signature::{Delivery, Verified},
};

mod hand_over;

/// A message that a delivery has claimed on this node. Dropped before it is over, it is vacant again.
pub(super) struct Claimed<St: Store> {
    pub(super) shared: Shared<St>,
    pub(super) key: Key,
    pub(super) owner: Owner,
    pub(super) times: Times,
    pub(super) request: Request<Verified>,
    pub(super) observed: observe::Runs,
    pub(super) permit: OwnedSemaphorePermit,
}

/// How the message stands among all nodes.
enum Standing {
    /// This node runs it.
    Ours { number: u32 },
    /// Another node has run it, and this one holds the reply.
    Replied(Outcome),
    /// It is over.
    Done,
    /// Another node runs it, and nobody here waits for it any more.
    Unwanted,
}

/// What all runs of a message came to.
struct Verdict {
    outcome: Outcome,
    has_failed: bool,
}

impl<St: Store> Claimed<St> {
    /// Sees the message through to its end: runs it, or follows the node that does.
    pub(super) async fn see_through<S, B>(self, inner: S)
    where
        S: Service<Request<Verified>, Response = Response<B>> + Clone,
        S::Error: Into<BoxError>,
        B: Body<Error: Into<BoxError>>,
    {
        let Self {
            shared,
            key,
            owner,
            times,
            request,
            observed,
            permit,
        } = self;
        let cut = shared.node.cut.clone();
        let mut message = Message {
            shared,
            key,
            owner,
            times,
            request,
            observed,
            permit: Some(permit),
            is_claimed_in_store: false,
        };
        let is_cut = {
            let seen_through = pin!(message.see_through(inner));
            matches!(
                select(seen_through, pin!(cut.cancelled())).await,
                Either::Right(_)
            )
        };
        if is_cut {
            message.let_go().await;
        }
    }
}

struct Message<St: Store> {
    shared: Shared<St>,
    key: Key,
    owner: Owner,
    times: Times,
    request: Request<Verified>,
    observed: observe::Runs,
    /// As long as it runs, or its reply is nobody's.
    permit: Option<OwnedSemaphorePermit>,
    is_claimed_in_store: bool,
}

impl<St: Store> Message<St> {
    async fn see_through<S, B>(&mut self, inner: S)
    where
        S: Service<Request<Verified>, Response = Response<B>> + Clone,
        S::Error: Into<BoxError>,
        B: Body<Error: Into<BoxError>>,
    {
        loop {
            match self.stand().await {
                Standing::Ours { number } => {
                    if let Some(verdict) = self.run(inner.clone(), number).await
                        && self.complete(verdict).await
                    {
                        return;
                    }
                    // Another node has it by now, and what this one did is not wanted.
                    observe::lease_lost(self.account(), self.key);
                    self.is_claimed_in_store = false;
                }
                Standing::Replied(outcome) => {
                    self.observed.have_reply();
                    let verdict = Verdict {
                        outcome,
                        has_failed: false,
                    };
                    return self.hand_over(verdict, Ok(store::Completed::Kept)).await;
                }
                Standing::Done => {
                    self.observed.are_done();
                    let (now, mark_ttl) = (Instant::now(), self.times.mark);
                    return self.shared.table().end(self.key, self.owner, now, mark_ttl);
                }
                Standing::Unwanted => return,
            }
        }
    }

    /// Claims the message among all nodes, or waits for the one that has it.
    async fn stand(&mut self) -> Standing {
        let mut pause = FIRST_POLL;
        // By this node's clock.
        let mut leased_until = None;
        loop {
            let claim = self.shared.remote.claim(self.key, self.owner, self.times);
            match claim.await {
                Ok(store::Claim::Run { age, number }) => {
                    self.is_claimed_in_store = true;
                    self.seen(age);
                    return Standing::Ours { number };
                }
                Ok(store::Claim::Running { age, lease }) => {
                    self.seen(age);
                    self.observed.are_elsewhere();
                    leased_until = Some(Instant::now() + lease);
                    // Not a moment before the lease is over, by the store's clock.
                    time::sleep(pause.min(lease + Duration::from_millis(1))).await;
                }
                Ok(store::Claim::Replied(outcome)) => return Standing::Replied(outcome),
                Ok(store::Claim::Done) => return Standing::Done,
                Err(Away) if self.shared.settings.is_fail_closed => time::sleep(pause).await,
                // One answer that does not come says nothing about the node that has it.
                Err(Away) if leased_until.is_some_and(|until| Instant::now() < until) => {
                    time::sleep(pause).await;
                }
                Err(Away) => return Standing::Ours { number: 1 },
            }
            if !self.is_wanted() {
                return Standing::Unwanted;
            }
            pause = (pause * 2).min(LAST_POLL);
        }
    }

    /// Whether a delivery waits for the message, or WeChat has been told on this node that none need come: then
    /// nobody else will take it over from a node that is lost.
    fn is_wanted(&self) -> bool {
        let table = self.shared.table();
        table.is_awaited(self.key, self.owner) || table.is_acknowledged(self.key, self.owner)
    }

    fn seen(&self, age: Duration) {
        if let Some(since) = Instant::now().checked_sub(age) {
            self.shared.table().seen(self.key, self.owner, since);
        }
    }

    /// Runs the message until a run succeeds or there have been enough; `None` if another node has taken it
    /// meanwhile.
    async fn run<S, B>(&self, inner: S, number: u32) -> Option<Verdict>
    where
        S: Service<Request<Verified>, Response = Response<B>> + Clone,
        S::Error: Into<BoxError>,
        B: Body<Error: Into<BoxError>>,
    {
        let runs = pin!(self.runs(inner, number));
        let lost = pin!(self.keep(number));
        match select(runs, lost).await {
            Either::Left((verdict, _)) => Some(verdict),
            Either::Right(((), _runs)) => {
                self.observed.are_lost();
                None
            }
        }
    }

    async fn runs<S, B>(&self, inner: S, number: u32) -> Verdict
    where
        S: Service<Request<Verified>, Response = Response<B>> + Clone,
        S::Error: Into<BoxError>,
        B: Body<Error: Into<BoxError>>,
    {
        let settings = &self.shared.settings;
        let mut delays = settings.retry_delays.iter();
        let mut run = Run::first(number, settings.retry_delays.len());
        loop {
            let mut request = self.request.clone();
            request.extensions_mut().insert(run);
            let attempt = run::attempt(inner.clone(), request, settings.run_timeout);
            let message = self.request.body().as_bytes();
            if let Ok(outcome) = self.observed.run(run.number(), message, attempt).await {
                return Verdict {
                    outcome,
                    has_failed: false,
                };
            }
            let Some(delay) = delays.next() else {
                observe::message_given_up(self.account(), self.key, run.number());
                return Verdict {
                    outcome: fallback(&settings.fallback, &self.request),
                    has_failed: true,
                };
            };
            time::sleep(*delay).await;
            run = run.next();
        }
    }

    /// Keeps the message this node's, and ends when it is not.
    async fn keep(&self, number: u32) {
        loop {
            time::sleep(RENEWAL).await;
            let remote = &self.shared.remote;
            let renewal = remote.renew(self.key, self.owner, number, self.times);
            if renewal.await == Ok(false) {
                return;
            }
        }
    }

    /// Gives the message back to the other nodes: this one is going away.
    async fn let_go(&mut self) {
        if self.is_claimed_in_store {
            self.is_claimed_in_store = false;
            let _ = self.shared.remote.release(self.key, self.owner).await;
        } else if let Some((cause, outcome)) = self.take_back().await
            && !outcome.is_silent()
        {
            self.hand_late(cause, Some(outcome)).await;
        }
    }

    fn account(&self) -> &str {
        let delivery = self.request.extensions().get::<Delivery>();
        delivery.map_or("", Delivery::account)
    }
}

impl<St: Store> Drop for Message<St> {
    fn drop(&mut self) {
        // Of a message that is over there is nothing to release.
        self.shared.table().release(self.key, self.owner);
        if self.is_claimed_in_store
            && let Ok(runtime) = Handle::try_current()
        {
            let (remote, key, owner) = (Arc::clone(&self.shared.remote), self.key, self.owner);
            // Without a runtime its lease runs out.
            runtime.spawn(async move { remote.release(key, owner).await });
        }
    }
}

/// A fifth of the lease, which so outlives four failures.
const RENEWAL: Duration = Duration::from_secs(1);

/// A reply that no delivery has come for by now has none to come for it: WeChat delivers again at once after
/// it has hung up.
pub(super) const FETCH_WAIT: Duration = Duration::from_secs(6);

const FIRST_POLL: Duration = Duration::from_millis(50);
const LAST_POLL: Duration = Duration::from_millis(400);
