//! What all services of a layer share on a node, and the times of leases and polls.

use std::{fmt, sync::Arc, time::Duration};

use http::Request;
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    clock::Clock,
    guarded::GuardedStore,
    hang_ups::HangUps,
    layer::Acknowledgement,
    machine::FOREVER,
    messages::Bounds,
    shards::{Shards, TableGuard},
    store::Ttls,
    streams::Streams,
    table::DELIVERIES_LAST,
    turns::Turns,
};
use crate::{
    delivery::{Delivery, Verified},
    key::{Key, Keyed},
    late::Sinks,
    message::Head,
    reply::Reply,
    user_fn,
};

/// The state that a layer and all its services share: the settings, and this node's messages.
pub(super) struct Node {
    pub(super) settings: Settings,
    shards: Shards,
    /// `None`: this node is the only one.
    pub(super) store: Option<Box<dyn GuardedStore>>,
    /// A permit for each message that runs, given in the order of asking.
    pub(super) run_permits: Arc<Semaphore>,
    /// A permit for each response that waits for the store to come back.
    pub(super) backlog_permits: Arc<Semaphore>,
    /// A permit for each reply of another node that a delivery here has got a short time ago.
    pub(super) reminder_permits: Arc<Semaphore>,
    pub(super) hang_ups: HangUps,
    pub(super) tasks: TaskTracker,
    /// Cancelled when no new message may run.
    pub(super) draining: CancellationToken,
    /// Cancelled when everything that still runs has to stop.
    pub(super) cut: CancellationToken,
    /// Cancelled a little later, when what was cut has had its time to be handed back or over.
    pub(super) end: CancellationToken,
    pub(super) clock: Clock,
    pub(super) streams: Streams,
    /// `None`: the messages of one user run side by side.
    pub(super) turns: Option<Arc<Turns>>,
    started: Instant,
}

#[derive(Debug)]
pub(super) struct Settings {
    pub(super) key: UserFn<KeyFn>,
    pub(super) accepts_reply: UserFn<ReplyFilter>,
    pub(super) bounds: Bounds,
    pub(super) max_waiters_per_message: usize,
    pub(super) reply_ttl: Duration,
    pub(super) max_concurrent_runs: usize,
    pub(super) dedup_ttl: Duration,
    pub(super) run_timeout: Duration,
    pub(super) retry_delays: Vec<Duration>,
    pub(super) fallback: Reply,
    pub(super) failure: Option<Reply>,
    pub(super) acknowledgement: Option<Acknowledgement>,
    pub(super) sinks: Sinks,
    pub(super) is_fail_closed: bool,
    pub(super) runs_inline: bool,
    pub(super) runs_in_turn: bool,
}

/// A function that the user of the layer has set.
pub(super) struct UserFn<F: ?Sized>(pub(super) Box<F>);

type KeyFn = dyn Fn(&Request<Verified>) -> Keyed + Send + Sync;
type ReplyFilter = dyn Fn(&Request<Verified>) -> bool + Send + Sync;

impl Node {
    pub(super) fn new(settings: Settings, store: Option<Box<dyn GuardedStore>>) -> Self {
        // So there is always room for a message that may run.
        let max_runs = settings.max_concurrent_runs.min(settings.bounds.messages);
        Self {
            shards: Shards::new(&settings.bounds, settings.max_waiters_per_message, max_runs),
            store,
            run_permits: permits(max_runs),
            backlog_permits: permits(MAX_BACKLOG),
            reminder_permits: permits(MAX_BACKLOG),
            hang_ups: HangUps::default(),
            tasks: TaskTracker::new(),
            draining: CancellationToken::new(),
            cut: CancellationToken::new(),
            end: CancellationToken::new(),
            started: Instant::now(),
            clock: Clock::default(),
            streams: Streams::default(),
            turns: settings.runs_in_turn.then(Arc::default),
            settings,
        }
    }

    /// The table that knows the key's message, locked.
    pub(super) fn table(&self, key: Key) -> TableGuard<'_> {
        self.shards.lock(key)
    }

    /// The message that the request delivers.
    pub(super) fn key_of(&self, request: &Request<Verified>) -> Keyed {
        let key = user_fn::call("with_key", || self.settings.key.0(request));
        key.unwrap_or_else(|| Keyed::of(request))
    }

    /// Whether WeChat shows a reply to the request.
    pub(super) fn accepts_reply(&self, request: &Request<Verified>) -> bool {
        let accepts_reply = || self.settings.accepts_reply.0(request);
        user_fn::call("with_reply_filter", accepts_reply)
            .unwrap_or_else(|| accepts_reply_by_default(request))
    }

    /// Whether a message is acknowledged on its first delivery.
    pub(super) fn acknowledges_first(&self) -> bool {
        match self.settings.acknowledgement {
            Some(acknowledgement) => acknowledgement == Acknowledgement::FirstDelivery,
            None => self.settings.sinks.are_prompt(),
        }
    }

    /// Whether this node has been up long enough before `now` to have seen all deliveries of a message.
    pub(super) fn has_seen_all(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.started) >= DELIVERIES_LAST
    }

    /// How long to keep a message. If there is `retried_for`, WeChat retries it for this time until it gets the reply that
    /// it wants.
    pub(super) fn ttls(&self, delivery: &Delivery, retried_for: Option<Duration>) -> Ttls {
        let Settings {
            dedup_ttl,
            reply_ttl,
            ..
        } = self.settings;
        // At last with a timestamp of its own.
        let signed_for = delivery.timestamp_tolerance().saturating_mul(2);
        let retried = retried_for.map(|time| time.saturating_add(signed_for));
        let mark = dedup_ttl.max(delivery.replayable_for());
        let mark = mark.max(retried.unwrap_or_default());
        let mark = mark.clamp(LEAST_TTL, FOREVER);
        let reply = retried.unwrap_or(reply_ttl).clamp(LEAST_TTL, mark);
        Ttls {
            lease: LEASE,
            reply,
            mark,
        }
    }
}

fn permits(count: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)))
}

impl<F: ?Sized> fmt::Debug for UserFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// The default of [`DedupBuilder::with_reply_filter`](super::DedupBuilder::with_reply_filter).
pub(super) fn accepts_reply_by_default(request: &Request<Verified>) -> bool {
    request.body().head().is_ok_and(Head::accepts_reply)
}

/// A reply that no delivery has fetched by now stays unfetched: WeChat delivers again at once after
/// it has hung up.
pub(super) const FETCH_WAIT: Duration = Duration::from_secs(6);

/// As long as a node may give the reply to a delivery or call the sinks, the store has to know of it.
pub(super) const LEAST_TTL: Duration = LEASE.saturating_add(FETCH_WAIT);

/// Five renewals: a late one costs nothing.
pub(super) const LEASE: Duration = Duration::from_secs(5);

pub(super) const RENEWAL: Duration = Duration::from_secs(1);

/// How often a message asks for what another one has.
pub(super) const FIRST_POLL: Duration = Duration::from_millis(50);
pub(super) const LAST_POLL: Duration = Duration::from_millis(400);

/// After as many missing answers to its claim, a message runs without the store. The rest of a reply, and a turn, wait for one
/// answer more.
pub(super) const MAX_CLAIM_FAILURES: u32 = 3;

/// Responses beyond them that end while the store is away stay known to this node alone.
const MAX_BACKLOG: usize = 1024;
