//! The parts of a schedule: deliveries, runs, the hook and drains, and what has been seen of them.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::{
    task::{JoinHandle, yield_now},
    time::{Instant, sleep},
};
use tower::BoxError;
use tower_wechat::{
    DedupLayer, Reply, Verified,
    dedup::{DedupBuilder, RunNumber},
    late::{LateCause, LateReply},
};

use super::{
    choices::Choices,
    play::{Plan, Setting},
};

/// What the parts of a schedule share.
pub(super) struct World {
    pub(super) setting: Setting,
    pub(super) choices: Choices,
    begun: Instant,
    seen: Mutex<Seen>,
}

/// What has happened.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) runs: Vec<Run>,
    pub(super) most_at_a_time: usize,
    pub(super) acknowledgements: usize,
    pub(super) failures_handed_over: usize,
    pub(super) longest_wait: Duration,
    pub(super) is_drained: [bool; 2],
    pub(super) cuts: usize,
    /// When each node was cut.
    pub(super) cut_at: [Option<Instant>; 2],
    pub(super) too_long_drain: Option<Duration>,
    /// Operations of the store that had no answer within the time that a node waits for it.
    pub(super) unanswered: usize,
    /// When each node gave up the last of them.
    pub(super) last_unanswered: [Option<Instant>; 2],
    /// All operations.
    pub(super) asked: usize,
    pub(super) has_forgotten: bool,
    /// Whether the store has told each node that it has lost the message.
    pub(super) has_lost: [bool; 2],
    pub(super) log: Vec<String>,
}

pub(super) struct Run {
    pub(super) node: usize,
    pub(super) claim: u32,
    pub(super) state: RunState,
    pub(super) ended: Option<Instant>,
    /// Whether the message had been acknowledged before.
    pub(super) is_after_acknowledgement: bool,
    pub(super) given: usize,
    pub(super) late: Vec<LateCause>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunState {
    Going,
    Replied,
    Failed,
    /// Its future was dropped before it had a result.
    Dropped,
}

impl World {
    pub(super) fn new(setting: &Setting, choices: Choices) -> Arc<Self> {
        Arc::new(Self {
            setting: setting.clone(),
            choices,
            begun: Instant::now(),
            seen: Mutex::default(),
        })
    }

    pub(super) fn pick(&self, what: &'static str, weights: &[u32]) -> usize {
        self.choices.pick(what, weights)
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    pub(super) fn log(&self, what: impl FnOnce() -> String) {
        if self.choices.is_given() {
            let millis = self.begun.elapsed().as_millis();
            self.seen().log.push(format!("{millis:>6} ms: {}", what()));
        }
    }

    /// Lets others go first, or does not.
    async fn maybe_yield(&self, what: &'static str) {
        if self.pick(what, &[3, 1]) == 1 {
            yield_now().await;
        }
    }
}

/// A delivery whose client may leave at any poll.
pub(super) struct Client<F> {
    world: Arc<World>,
    layer: DedupLayer,
    node: usize,
    name: usize,
    answer: Option<Pin<Box<F>>>,
    begun: Instant,
    has_deferred: bool,
}

impl<F> Client<F> {
    pub(super) fn new(
        world: &Arc<World>,
        layer: &DedupLayer,
        node: usize,
        name: usize,
        answer: F,
    ) -> Self {
        Self {
            world: Arc::clone(world),
            layer: layer.clone(),
            node,
            name,
            answer: Some(Box::pin(answer)),
            begun: Instant::now(),
            has_deferred: false,
        }
    }
}

impl<F: Future<Output = Response<Bytes>>> Future for Client<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let world = Arc::clone(&this.world);
        let is_drained = world.seen().is_drained[this.node];
        let taken = if !world.setting.is_small() {
            world.pick("a delivery is polled, waits, or leaves", &[30, 10, 1])
        } else if is_drained {
            world.pick("a delivery is polled, waits, or leaves", &[1, 1, 1])
        } else {
            world.pick(
                "a delivery is polled, waits, or leaves, or a drain begins",
                &[1, 1, 1, 1, 1],
            )
        };
        match taken {
            1 if !this.has_deferred => {
                this.has_deferred = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            2 => {
                world.log(|| format!("delivery {} leaves at a poll", this.name));
                this.answer = None;
                return Poll::Ready(());
            }
            3 => drop(drain(&world, &this.layer, this.node, 0)),
            4 => drop(drain(&world, &this.layer, this.node, 1_000)),
            _ => {}
        }
        this.has_deferred = false;
        let Some(answer) = &mut this.answer else {
            return Poll::Ready(());
        };
        let Poll::Ready(response) = answer.as_mut().poll(cx) else {
            return Poll::Pending;
        };
        let (head, body) = response.into_parts();
        let body = str::from_utf8(&body).unwrap();
        world.log(|| format!("delivery {} is answered {} {body}", this.name, head.status));
        let waited = this.begun.elapsed();
        let mut seen = world.seen();
        seen.longest_wait = seen.longest_wait.max(waited);
        if let Some(run) = body.strip_prefix("reply ") {
            let run: usize = run.parse().unwrap();
            seen.runs[run].given += 1;
        } else if body.contains("wait") {
            seen.acknowledgements += 1;
        }
        Poll::Ready(())
    }
}

impl<F> Drop for Client<F> {
    fn drop(&mut self) {
        let waited = self.begun.elapsed();
        let mut seen = self.world.seen();
        seen.longest_wait = seen.longest_wait.max(waited);
    }
}

pub(super) fn drain(
    world: &Arc<World>,
    layer: &DedupLayer,
    node: usize,
    patience: u64,
) -> JoinHandle<()> {
    world.log(|| format!("node {node} drains for {patience} ms"));
    world.seen().is_drained[node] = true;
    let (world, layer) = (Arc::clone(world), layer.clone());
    let patience = Duration::from_millis(patience);
    tokio::spawn(async move {
        let begun = Instant::now();
        layer.drain(patience).await;
        let took = begun.elapsed();
        world.log(|| format!("node {node} is drained"));
        let mut seen = world.seen();
        if took >= patience {
            seen.cuts += 1;
            seen.cut_at[node] = Some(begun + patience);
        }
        if took > patience + Duration::from_secs(1) {
            seen.too_long_drain = Some(took);
        }
    })
}

/// A run in progress. Dropped before it has a result, it says so.
struct Going {
    world: Arc<World>,
    number: usize,
}

impl Going {
    fn begin(world: &Arc<World>, node: usize, number: RunNumber) -> Self {
        let mut seen = world.seen();
        let run = Run {
            node,
            // Each claim makes three runs at most.
            claim: (number.get() - 1) / 3,
            state: RunState::Going,
            ended: None,
            is_after_acknowledgement: seen.acknowledgements > 0,
            given: 0,
            late: Vec::new(),
        };
        seen.runs.push(run);
        let going = seen.runs.iter().filter(|run| run.state == RunState::Going);
        seen.most_at_a_time = going.count().max(seen.most_at_a_time);
        let own = Self {
            world: Arc::clone(world),
            number: seen.runs.len() - 1,
        };
        drop(seen);
        world.log(|| {
            format!(
                "run {} begins on node {node}, number {}",
                own.number,
                number.get()
            )
        });
        own
    }

    fn end(&self, state: RunState) {
        self.world.log(|| format!("run {}: {state:?}", self.number));
        let run = &mut self.world.seen().runs[self.number];
        run.state = state;
        run.ended = Some(Instant::now());
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let is_going = self.world.seen().runs[self.number].state == RunState::Going;
        if is_going {
            self.end(RunState::Dropped);
        }
    }
}

pub(super) async fn handle(
    world: Arc<World>,
    node: usize,
    request: Request<Verified>,
) -> Result<Response<Full<Bytes>>, BoxError> {
    let is_probe = request.extensions().get::<Probe>().is_some();
    if is_probe {
        return Ok(Response::new(Full::from("probe")));
    }
    let number = request.body().run_number();
    let run = Going::begin(&world, node, number.expect("the run's number"));
    world.maybe_yield("a run begins").await;
    let (takes, has_failed) = match world.setting.plan {
        Plan::Small { takes, .. } => (takes, false),
        Plan::Drawn => (
            RUN_TIMES[world.pick("a run's time", &[1; RUN_TIMES.len()])],
            world.pick("a run fails", &[6, 1]) == 1,
        ),
    };
    if takes > 0 {
        sleep(Duration::from_millis(takes)).await;
    }
    world.maybe_yield("a run ends").await;
    if has_failed {
        run.end(RunState::Failed);
        return Err("it has failed".into());
    }
    run.end(RunState::Replied);
    Ok(Response::new(Full::from(format!("reply {}", run.number))))
}

/// In the extensions of a request that is not the schedule's message.
#[derive(Clone)]
pub(super) struct Probe;

pub(super) fn build<Scope>(world: &Arc<World>, builder: DedupBuilder<Scope>) -> DedupLayer {
    let world = Arc::clone(world);
    builder
        // A permit that is not given back is noticed.
        .with_max_concurrent_runs(1)
        .with_fallback(Reply::text("wait"))
        .unwrap()
        .with_late_replies(move |late: LateReply| {
            hand_over(&world, &late);
            let world = Arc::clone(&world);
            async move { world.maybe_yield("the hook").await }
        })
        .build()
}

fn hand_over(world: &World, late: &LateReply) {
    let mut seen = world.seen();
    let body = late
        .response()
        .and_then(|response| str::from_utf8(response.body()).ok());
    match body.and_then(|body| body.strip_prefix("reply ")) {
        Some(run) => {
            let run: usize = run.parse().unwrap();
            seen.runs[run].late.push(late.cause());
        }
        // The other node keeps the fallback of a message whose runs have failed.
        None => seen.failures_handed_over += 1,
    }
    drop(seen);
    world.log(|| format!("the hook gets {late:?}"));
}

/// In milliseconds: around the deadlines of a delivery that comes first, second and third.
const RUN_TIMES: [u64; 12] = [
    0, 20, 400, 3_000, 4_500, 5_000, 5_020, 9_500, 10_000, 12_000, 14_000, 14_500,
];
