//! The sinks of late replies, and their order.

use std::{fmt, panic::AssertUnwindSafe, pin::pin, time::Duration};

use futures_util::{
    FutureExt,
    future::{self, BoxFuture, Either, select},
};
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::{LateCause, LateReply, NextMessage};
use crate::observe::{self, Way};

/// A way to the user for replies that are late.
///
/// An async function that takes a [`LateReply`] is one. It hands over everything, unless it returns an error. A sink of
/// another type says what it has handed over part by part:
///
/// ```
/// use tower_wechat::{Reply, late::{LateReply, LateSink}};
///
/// struct Printer;
///
/// impl LateSink for Printer {
///     async fn accept(&self, late: &mut LateReply) {
///         while let Some(part) = late.next_part(80) {
///             let Some(text) = part.reply().as_text() else { return };
///             println!("{text}");
///             part.hand_over();
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no sink of late replies",
    label = "this must be a `LateSink`",
    note = "an async function of a `LateReply` is one: `|late: LateReply| async move {{ … }}`"
)]
pub trait LateSink: Send + Sync + 'static {
    /// Hands over what it can of the reply. The next sink gets what is left when it returns, panics or takes longer than a
    /// [run](crate::dedup::DedupBuilder::with_run_timeout) may.
    fn accept(&self, late: &mut LateReply) -> impl Future<Output = ()> + Send;

    /// Returns whether this sink sends a late reply at once, so that it is as good as a passive one; the default is `false`.
    /// It is asked once, when the sink is added.
    ///
    /// If it does, the layer acknowledges a message on its first delivery, unless
    /// [`with_acknowledgement`](crate::dedup::DedupBuilder::with_acknowledgement) sets another delivery.
    fn is_prompt(&self) -> bool {
        false
    }
}

impl<F, Fut> LateSink for F
where
    F: Fn(LateReply) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: HandedOver> + Send,
{
    async fn accept(&self, late: &mut LateReply) {
        match self(late.clone()).await.into_result() {
            Ok(()) => {
                late.observe_parts(Way::Function, late.count_parts());
                late.hand_over();
            }
            Err(error) => observe::sink_failed(late.account(), late.key().observed(), &error),
        }
    }
}

/// What an async function says of a late reply: `()`, or a `Result` whose error passes the reply on to the next sink.
pub trait HandedOver {
    #[doc(hidden)]
    fn into_result(self) -> Result<(), String>;
}

impl HandedOver for () {
    fn into_result(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: fmt::Display> HandedOver for Result<(), E> {
    fn into_result(self) -> Result<(), String> {
        self.map_err(|error| format!("{error:#}"))
    }
}

/// All sinks of a layer, in their order.
#[derive(Default)]
pub(crate) struct Sinks(Vec<Sink>);

enum Sink {
    Other {
        sink: Box<dyn BoxedSink>,
        is_prompt: bool,
    },
    NextMessage(NextMessage),
}

/// [`LateSink`] as an object.
trait BoxedSink: Send + Sync {
    fn accept<'a>(&'a self, late: &'a mut LateReply) -> BoxFuture<'a, ()>;
}

impl<S: LateSink> BoxedSink for S {
    fn accept<'a>(&'a self, late: &'a mut LateReply) -> BoxFuture<'a, ()> {
        LateSink::accept(self, late).boxed()
    }
}

impl Sinks {
    pub(crate) fn push(&mut self, sink: impl LateSink) {
        let is_prompt = sink.is_prompt();
        let sink = Box::new(sink);
        self.0.push(Sink::Other { sink, is_prompt });
    }

    /// Removes an earlier one, and adds this one behind all sinks.
    pub(crate) fn push_next_message(&mut self, next_message: NextMessage) {
        self.0.retain(|sink| !matches!(sink, Sink::NextMessage(_)));
        self.0.push(Sink::NextMessage(next_message));
    }

    pub(crate) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The mailbox from which messages fetch.
    pub(crate) fn next_message(&self) -> Option<&NextMessage> {
        self.0.iter().find_map(|sink| match sink {
            Sink::NextMessage(next_message) => Some(next_message),
            Sink::Other { .. } => None,
        })
    }

    /// Whether the user's next message fetches the reply, unless that mailbox is away: it is the first sink.
    pub(crate) fn expects_next_message(&self) -> bool {
        matches!(self.0.first(), Some(Sink::NextMessage(_)))
    }

    /// Whether the first sink sends by itself, and does not wait for the user.
    pub(crate) fn send_at_once(&self) -> bool {
        matches!(self.0.first(), Some(Sink::Other { .. }))
    }

    /// Whether a late reply is as good as a passive one.
    pub(crate) fn are_prompt(&self) -> bool {
        let mut sinks = self.0.iter();
        sinks.any(|sink| {
            matches!(
                sink,
                Sink::Other {
                    is_prompt: true,
                    ..
                }
            )
        })
    }

    /// Hands the reply over. Each sink has `timeout`.
    ///
    /// If the node is `leaving`, the mailbox is asked first: it is quick.
    pub(crate) async fn hand_over(
        &self,
        mut handover: Handover,
        timeout: Duration,
        leaving: &CancellationToken,
    ) {
        let late = &handover.late;
        let cause = late.cause();
        if self.0.is_empty() && cause == LateCause::Rest {
            observe::reply_cut(late.account(), late.count_parts());
            return handover.late.hand_over();
        }
        observe::reply_is_late(late.account(), late.key().observed(), cause.name());
        handover.failure = "there is no sink for late replies";
        let mut sinks: Vec<&Sink> = self.0.iter().collect();
        while !sinks.is_empty() {
            let is_mailbox = |sink: &&Sink| matches!(sink, Sink::NextMessage(_));
            let mailbox = sinks.iter().position(is_mailbox);
            let sink = sinks.remove(mailbox.filter(|_| leaving.is_cancelled()).unwrap_or(0));
            let makes_way = async {
                if mailbox.is_none() || is_mailbox(&sink) {
                    future::pending::<()>().await;
                }
                leaving.cancelled().await;
                time::sleep(MAKE_WAY).await;
            };
            handover.failure = CUT;
            // `accept` may panic before it returns its future.
            let accept = async {
                match sink {
                    Sink::Other { sink, .. } => sink.accept(&mut handover.late).await,
                    Sink::NextMessage(next) => next.keep(&mut handover.late).await,
                }
            };
            let accept = AssertUnwindSafe(time::timeout(timeout, accept)).catch_unwind();
            let failure = match select(pin!(accept), pin!(makes_way)).await {
                Either::Left((Ok(Ok(())), _)) => None,
                Either::Left((Ok(Err(_elapsed)), _)) => Some("its sink took too long"),
                Either::Left((Err(_panic), _)) => Some("its sink panicked"),
                Either::Right(((), _accept)) => Some(CUT),
            };
            handover.failure = failure.unwrap_or("no sink has taken it");
            let late = &handover.late;
            if late.is_handed_over() {
                return;
            }
            // After the last sink, the error says so.
            if let Some(failure) = failure
                && !sinks.is_empty()
            {
                observe::sink_failed(late.account(), late.key().observed(), failure);
            }
        }
    }
}

/// A late reply on its way to the sinks. Logs an error when it is dropped, unless everything has been handed over.
pub(crate) struct Handover {
    late: LateReply,
    failure: &'static str,
}

impl Handover {
    pub(crate) fn get_mut(&mut self) -> &mut LateReply {
        &mut self.late
    }
}

impl From<LateReply> for Handover {
    fn from(late: LateReply) -> Self {
        Self { late, failure: CUT }
    }
}

impl Drop for Handover {
    fn drop(&mut self) {
        let late = &self.late;
        // The log already has that all runs have failed.
        let is_known = late.cause() == LateCause::Failed && late.reply().is_none();
        if !late.is_handed_over() && !is_known {
            let (key, parts) = (late.key().observed(), late.count_parts());
            observe::reply_is_lost(late.account(), key, self.failure, parts);
        }
    }
}

impl fmt::Debug for Sinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sinks", self.0.len())
    }
}

const CUT: &str = "it was cut";

/// On a node that goes away, the time for a sink whose rest the mailbox can keep.
const MAKE_WAY: Duration = Duration::from_millis(400);
