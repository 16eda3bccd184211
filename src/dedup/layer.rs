//! The layer and its builder: all settings and their defaults. How long a delivery waits is fixed, in `waiter`.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use http::Request;
use tokio::time;
use tower::Layer;

use super::{
    guarded::GuardedStore,
    messages::Bounds,
    node::{Node, Settings, UserFn, accepts_reply_by_default},
    service::Dedup,
    store::Store,
};
use crate::{
    breaker::Guarded,
    delivery::Verified,
    key::Keyed,
    late::{LateSink, NextMessage, Sinks},
    observe,
    reply::{self, Reply},
};

/// Applies [`Dedup`]: one run of the inner service for each message.
///
/// All services that a layer and its clones make share one table, however often a framework calls
/// [`layer`](Layer::layer). The [module docs](super) say what happens to a delivery.
///
/// [`DedupLayer::builder`] makes one with other settings:
///
/// ```
/// use std::time::Duration;
///
/// use tower_wechat::{DedupLayer, Reply};
///
/// let layer = DedupLayer::builder()
///     .with_fallback(Reply::text("回复任意内容获取结果"))?
///     .with_run_timeout(Duration::from_secs(30))
///     .build();
/// # let _ = layer;
/// # Ok::<(), tower_wechat::reply::Error>(())
/// ```
#[derive(Clone)]
pub struct DedupLayer {
    node: Arc<Node>,
}

impl DedupLayer {
    /// Remembers messages in this process alone.
    pub fn in_memory() -> Self {
        Self::builder().build()
    }

    /// Shares the state of each message with other nodes through `store`.
    ///
    /// This node's own table stays in front of the store: a retry that reaches the node that ran the message is answered
    /// without the store. A store operation that a delivery or a run waits for times out after 250 ms. While the store is
    /// away, each node goes on alone, with a warning in the log, and two nodes may run one message. When the store is back,
    /// each node tells it the replies that are still [kept](DedupBuilder::with_reply_ttl).
    /// [`DedupBuilder::with_fail_closed`] runs nothing without the store.
    pub fn shared(store: impl Store) -> Self {
        Self::builder().with_store(store).build()
    }

    #[cfg(test)]
    pub(super) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Starts with the default settings.
    pub fn builder() -> DedupBuilder {
        DedupBuilder {
            settings: Settings {
                key: UserFn(Box::new(Keyed::of)),
                accepts_reply: UserFn(Box::new(accepts_reply_by_default)),
                bounds: Bounds {
                    messages: 100_000,
                    reply_bytes: 16 * 1024 * 1024,
                    spares_unfetched: true,
                },
                max_waiters_per_message: 16,
                reply_ttl: Duration::from_mins(1),
                max_concurrent_runs: 1024,
                dedup_ttl: Duration::from_mins(10),
                run_timeout: Duration::from_mins(1),
                retry_delays: vec![Duration::from_millis(500), Duration::from_secs(2)],
                fallback: Reply::success(),
                failure: None,
                acknowledgement: None,
                sinks: Sinks::default(),
                is_fail_closed: false,
                runs_inline: false,
                runs_in_turn: false,
            },
            store: None,
            scope: PhantomData,
        }
    }

    /// Runs no new messages, and waits for the running ones. A message is waited for until its reply has been fetched or the
    /// sinks have returned, and until a store that was away knows the reply. The server has to accept connections until
    /// `drain` returns ([Shutting down](super#shutting-down)).
    ///
    /// Deliveries of new messages are answered 503. Deliveries of running messages still join their runs. After `patience`,
    /// runs that have not ended are dropped. The store is told, so that a retry on another node runs the message again at
    /// once. Sinks that have not returned are dropped with an error in the log. `drain` returns at most a second after
    /// `patience`.
    pub async fn drain(&self, patience: Duration) {
        let node = &self.node;
        node.draining.cancel();
        node.tasks.close();
        if time::timeout(patience, node.tasks.wait()).await.is_err() {
            node.cut.cancel();
            let _ = time::timeout(HAND_BACK, node.tasks.wait()).await;
            node.end.cancel();
            // A handler or a sink that blocks its thread cannot be dropped.
            let _ = time::timeout(DROPPING, node.tasks.wait()).await;
        }
    }
}

impl<S> Layer<S> for DedupLayer {
    type Service = Dedup<S>;

    fn layer(&self, inner: S) -> Dedup<S> {
        Dedup::new(inner, Arc::clone(&self.node))
    }
}

impl fmt::Debug for DedupLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DedupLayer")
            .field("settings", &self.node.settings)
            .finish_non_exhaustive()
    }
}

/// The settings of a [`DedupLayer`].
///
/// `Scope` is [`Local`], or [`Shared`] if there is a store. Some settings need a store.
pub struct DedupBuilder<Scope = Local> {
    settings: Settings,
    store: Option<Box<dyn GuardedStore>>,
    scope: PhantomData<Scope>,
}

/// The scope of a [`DedupBuilder`] without a store: this process alone knows a message's state.
#[derive(Debug)]
#[non_exhaustive]
pub struct Local;

/// The scope of a [`DedupBuilder`] with a store: all nodes share a message's state.
#[derive(Debug)]
#[non_exhaustive]
pub struct Shared;

/// A scope with a store. Only [`Shared`] is one.
#[diagnostic::on_unimplemented(
    message = "this setting needs a store: call `with_store` before it",
    label = "this builder has no store",
    note = "`DedupLayer::builder().with_store(store)`, where `store` is a `Store` such as `RedisStore`"
)]
pub trait HasStore: sealed::Sealed {}

impl HasStore for Shared {}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::Shared {}
}

/// When a message without a reply is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Acknowledgement {
    /// Acknowledges a message 4.5 s after the arrival of its first delivery. WeChat does not hang up. The reply of a slower
    /// handler goes to the [sinks](DedupBuilder::with_late_replies), which costs a call of WeChat's API, or makes the user
    /// write again.
    FirstDelivery,
    /// Acknowledges a message 4.5 s after the arrival of its last delivery, about 14.5 s after that of the first. A reply
    /// that is ready by then is the passive reply, which costs nothing. WeChat hangs up once or twice, and counts that: at
    /// 30 hang-ups in 5 minutes it raises an alarm.
    LastDelivery,
}

impl DedupBuilder {
    /// Shares the state of each message with other nodes, see [`DedupLayer::shared`].
    #[must_use]
    pub fn with_store(self, store: impl Store) -> DedupBuilder<Shared> {
        DedupBuilder {
            settings: self.settings,
            store: Some(guarded(store)),
            scope: PhantomData,
        }
    }

    /// Shares the state of each message with other nodes if `store` is `Some`, for a program whose store is optional. `None`
    /// changes nothing.
    ///
    /// The settings that need a store stay unavailable. For these, call [`with_store`](DedupBuilder::with_store).
    ///
    /// ```
    /// use tower_wechat::{DedupLayer, dedup::Store};
    ///
    /// fn layer(store: Option<impl Store>) -> DedupLayer {
    ///     DedupLayer::builder().with_optional_store(store).build()
    /// }
    /// # let _ = layer(None::<tower_wechat::dedup::store::MemoryStore>);
    /// ```
    #[must_use]
    pub fn with_optional_store(mut self, store: Option<impl Store>) -> Self {
        if let Some(store) = store {
            self.store = Some(guarded(store));
        }
        self
    }
}

fn guarded(store: impl Store) -> Box<dyn GuardedStore> {
    Box::new(Guarded::new(store, "store"))
}

impl<Scope> DedupBuilder<Scope> {
    /// Runs no message while the store is away. By default each node then goes on alone. Deliveries wait for the store. If it
    /// does not come back, they are answered 503 after 6 s. Deliveries of messages that have already ended on this node get
    /// their answers as usual.
    #[must_use]
    pub fn with_fail_closed(mut self) -> Self
    where
        Scope: HasStore,
    {
        self.settings.is_fail_closed = true;
        self
    }

    /// Makes each run part of the delivery that began it, for serverless hosts such as AWS Lambda, where no task
    /// outlives the response. By default a run is a task of its own. A delivery is not answered before its run has ended.
    ///
    /// WeChat's retries reach other instances of the program, so they need the store. There they join the run, and are
    /// answered in time.
    ///
    /// Late replies are sent within the delivery, too:
    ///
    /// - A delivery is not answered before the sinks have taken a late reply. Use quick ones.
    /// - If the first sink is no [mailbox](Self::with_next_message), a reply that needs several messages goes to the sinks
    ///   as a whole: its rest would be sent after the response, when the host may have stopped the program.
    /// - A message that fetches from a mailbox is not answered before its own run has ended, either. If it is acknowledged
    ///   before that, the user's next message gets the part.
    /// - While the store is away, a rest does not wait for it.
    ///
    /// One thing is still done after the response: telling a store that was away what it has missed.
    #[must_use]
    pub fn with_inline_runs(mut self) -> Self
    where
        Scope: HasStore,
    {
        self.settings.runs_inline = true;
        self
    }

    /// Makes the layer.
    pub fn build(self) -> DedupLayer {
        let next_message = self.settings.sinks.next_message();
        if self.store.is_some() && next_message.is_some_and(|next| !next.is_shared()) {
            observe::mailbox_is_not_shared();
        }
        DedupLayer {
            node: Arc::new(Node::new(self.settings, self.store)),
        }
    }

    /// Tells messages apart by `key` instead of [`Keyed::of`]. It returns a [`Key`](crate::dedup::Key), or a [`Keyed`] that
    /// says for how long WeChat retries the message.
    ///
    /// Two deliveries with one key are one message: the second never reaches the handler. So a key has
    /// to contain the account, and everything by which two messages may differ. If `key` panics, the log has an error, and
    /// the key is [`Keyed::of`].
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use serde::Deserialize;
    /// use tower_wechat::{
    ///     DedupLayer,
    ///     dedup::{Key, Keyed},
    ///     message,
    /// };
    ///
    /// #[derive(Deserialize)]
    /// struct ShopOrder {
    ///     order_id: String,
    /// }
    ///
    /// let layer = DedupLayer::builder()
    ///     .with_key(|request| {
    ///         let delivery = request.body();
    ///         let is_order = delivery.head().is_ok_and(|head| head.event() == Some("my_shop_order"));
    ///         match message::from_slice(delivery.as_bytes()) {
    ///             Ok(ShopOrder { order_id }) if is_order => {
    ///                 let key = Key::new([delivery.delivery().account(), "my_shop_order", &order_id]);
    ///                 Keyed::from(key).retried_for(Duration::from_hours(6))
    ///             }
    ///             _ => Keyed::of(request),
    ///         }
    ///     })
    ///     .build();
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn with_key<K: Into<Keyed>>(
        mut self,
        key: impl Fn(&Request<Verified>) -> K + Send + Sync + 'static,
    ) -> Self {
        self.settings.key = UserFn(Box::new(move |request| key(request).into()));
        self
    }

    /// Sets to which messages and events WeChat shows a reply. Only for these does the layer let WeChat hang up and retry.
    ///
    /// The default is [`Head::accepts_reply`](crate::message::Head::accepts_reply): all messages, and events such as
    /// `subscribe`, `SCAN`, `CLICK` and `scancode_waitmsg`. All others are acknowledged 4.5 s after the arrival of their
    /// first delivery. If `accepts_reply` panics, the log has an error, and the default decides.
    #[must_use]
    pub fn with_reply_filter(
        mut self,
        accepts_reply: impl Fn(&Request<Verified>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.settings.accepts_reply = UserFn(Box::new(accepts_reply));
        self
    }

    /// Sets the reply to a message that is acknowledged before its own reply is ready, and to a message whose runs have all
    /// failed; the default is [`Reply::success`], which shows nothing.
    ///
    /// An account without the customer-service API may ask the user to write again, for example with
    /// 回复任意内容获取结果 (answer anything to get the result).
    ///
    /// Together with [sinks for late replies](Self::with_late_replies), the user gets two messages: the fallback, then the
    /// late reply.
    ///
    /// # Errors
    ///
    /// If [`Reply::check`] fails: WeChat would refuse the reply. Also if the reply is a text of more than 2047 bytes, which
    /// would be cut.
    pub fn with_fallback(mut self, reply: Reply) -> Result<Self, reply::Error> {
        reply.check_whole()?;
        self.settings.fallback = reply;
        Ok(self)
    }

    /// Sets the reply to messages whose runs have all failed; the default is the [fallback](Self::with_fallback). Set both if
    /// the fallback says that the answer comes later.
    ///
    /// If the message has been acknowledged, the [sinks](Self::with_late_replies) get it.
    ///
    /// # Errors
    ///
    /// As for the fallback.
    pub fn with_failure_reply(mut self, reply: Reply) -> Result<Self, reply::Error> {
        reply.check_whole()?;
        self.settings.failure = Some(reply);
        Ok(self)
    }

    /// Adds a sink for replies that are [too late](super#either-delivered-or-handed-over) to be the passive one, and for
    /// what a passive reply does not show. Each sink gets what those added before have left. See [`late`](crate::late).
    ///
    /// By default there is no sink. The sinks are called once for a late reply, [as long as the
    /// store answers](super#either-delivered-or-handed-over), by the node that ran the message or by the last node that could
    /// have given the reply to a delivery. They also get the final failure of an acknowledged message.
    /// They are not called with [`Reply::success`], which shows nothing. The log has an error if there is no sink, or if
    /// something is left after the last one.
    #[must_use]
    pub fn with_late_replies(mut self, sink: impl LateSink) -> Self {
        self.settings.sinks.push(sink);
        self
    }

    /// Keeps late replies until the user's next message, for accounts without the customer-service API. It is a sink like
    /// those of [`with_late_replies`](Self::with_late_replies), at its place among them.
    ///
    /// If it is the first sink, the order of the replies is that of the questions. A second call removes the first mailbox
    /// and adds the new one behind all sinks.
    #[must_use]
    pub fn with_next_message(mut self, next_message: NextMessage) -> Self {
        self.settings.sinks.push_next_message(next_message);
        self
    }

    /// Sets which delivery of a message is acknowledged while the message has no reply. It concerns only messages to which
    /// WeChat shows a reply.
    ///
    /// The default is [`LastDelivery`](Acknowledgement::LastDelivery), or
    /// [`FirstDelivery`](Acknowledgement::FirstDelivery) if there is a sink that [is prompt](LateSink::is_prompt), such as
    /// `CustomerService`.
    #[must_use]
    pub fn with_acknowledgement(mut self, acknowledgement: Acknowledgement) -> Self {
        self.settings.acknowledgement = Some(acknowledgement);
        self
    }

    /// Sets how long a run may take before it counts as failed; the default is 60 s.
    #[must_use]
    pub fn with_run_timeout(mut self, timeout: Duration) -> Self {
        self.settings.run_timeout = timeout;
        self
    }

    /// Runs the messages of one user one after the other. By default they run side by side.
    ///
    /// On one node, messages run in the order of their arrival. With a [store](Self::with_store), no two messages of a user
    /// run at the same time on any nodes, as long as the store answers. Messages that arrive at different nodes have no
    /// order. Each user costs an entry in the store. Each message costs two operations, one more for each second of its run,
    /// and one for each 0.4 s of its wait.
    ///
    /// A message waits until the runs before it have ended, with their [retries](Self::with_retry_delays). The wait does not
    /// count towards the [time of its run](Self::with_run_timeout). A waiting message counts as
    /// [running](Self::with_max_concurrent_runs). On one node, at most 16 messages of a user run or wait. A further one that
    /// has no room 4.5 s after its arrival gets 503.
    #[must_use]
    pub fn with_runs_in_turn(mut self) -> Self {
        self.settings.runs_in_turn = true;
        self
    }

    /// Sets the delays between a failed run and the next run of the message; the default is 0.5 s, then 2 s.
    ///
    /// Each delay allows one more run: two delays make three runs in all, and no delays make one.
    #[must_use]
    pub fn with_retry_delays(mut self, delays: impl IntoIterator<Item = Duration>) -> Self {
        self.settings.retry_delays = delays.into_iter().collect();
        self
    }

    /// Sets how long a reply is kept for retries; the default is 60 s. A later retry gets `success`.
    ///
    /// WeChat's last delivery comes 10 to 15 s after the first. A reply is kept for at least 11 s, so that
    /// all nodes agree on which one sends a reply that no delivery has fetched. No reply is kept for longer than the
    /// message is [remembered](Self::with_dedup_ttl).
    ///
    /// Pushes that are [retried until they are answered](super#pushes-that-are-retried-until-they-are-answered) have their
    /// own time, 25 hours for those about payments.
    #[must_use]
    pub fn with_reply_ttl(mut self, ttl: Duration) -> Self {
        self.settings.reply_ttl = ttl;
        self
    }

    /// Sets the minimum time that a finished message is remembered; the default is 10 min. A delivery that comes later
    /// runs the message again.
    ///
    /// A captured delivery can be replayed for at most twice the
    /// [tolerance](crate::VerifySignatureLayer::with_timestamp_tolerance) of its timestamp, or for about 25 hours if it is an
    /// encrypted push about a payment. The message is remembered at least for this time, at least for 11 s, and at most for
    /// ten years. A failed answer to a push that is
    /// [retried until it is answered](super#pushes-that-are-retried-until-they-are-answered) is remembered for 11 s.
    #[must_use]
    pub fn with_dedup_ttl(mut self, ttl: Duration) -> Self {
        self.settings.dedup_ttl = ttl;
        self
    }

    /// Sets the largest [number of messages that this node remembers](super#bounds); the default is 100 000, and 0 means 1. A store
    /// has a bound of its own. At the bound, the message that was claimed first is forgotten, and a retry runs it again; in a
    /// large table, [a little earlier](super#bounds). A running message is never forgotten.
    ///
    /// No more messages [run at a time](Self::with_max_concurrent_runs) than are remembered.
    #[must_use]
    pub fn with_capacity(mut self, messages: usize) -> Self {
        self.settings.bounds.messages = messages.max(1);
        self
    }

    /// Sets the largest [number of messages that run at a time](super#bounds); the default is 1024, and 0 means 1.
    ///
    /// At the bound, a delivery of a new message waits for room. If it has none 4.5 s after its arrival, it gets 503. Two more
    /// kinds of messages count as running: those whose reply no delivery has fetched yet, and those that another node runs
    /// while a delivery waits for them here.
    #[must_use]
    pub fn with_max_concurrent_runs(mut self, messages: usize) -> Self {
        self.settings.max_concurrent_runs = messages.max(1);
        self
    }

    /// Sets the largest [number of deliveries that wait for one message](super#bounds); the default is 16, and 0 means 1.
    /// A further delivery that has no room 4.5 s after its arrival gets 503. WeChat makes three or four deliveries.
    #[must_use]
    pub fn with_max_waiters_per_message(mut self, deliveries: usize) -> Self {
        self.settings.max_waiters_per_message = deliveries.max(1);
        self
    }

    /// Sets the largest [size of all kept replies together](super#bounds), in bytes; the default is 16 MiB.
    ///
    /// A reply that is larger is given to one delivery, and not kept for later ones.
    #[must_use]
    pub fn with_max_reply_bytes(mut self, bytes: usize) -> Self {
        self.settings.bounds.reply_bytes = bytes;
        self
    }
}

impl<Scope> fmt::Debug for DedupBuilder<Scope> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DedupBuilder")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// After the patience of a drain, the time for handing messages back to the store, and replies over to the sinks.
const HAND_BACK: Duration = Duration::from_millis(900);

/// The time for dropping what is left then.
const DROPPING: Duration = Duration::from_millis(100);
