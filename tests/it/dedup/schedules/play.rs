//! Plays a schedule: its deliveries come and go, nodes drain, time passes.

use std::{sync::Arc, time::Duration};

use http::Request;
use tokio::{
    task::JoinHandle,
    time::{advance, sleep},
};
use tower::{Layer, service_fn};
use tower_wechat::DedupLayer;

use super::{
    super::{Delivers, event, settle, text},
    choices::{Choice, Choices},
    link::{Link, Server},
    promises::{self, Fate},
    world::{Client, World, build, drain, handle},
};
use crate::assume;

/// The nodes, and what may go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One node without a store.
    One,
    /// Two nodes that share a store.
    Two,
    /// Two nodes whose store is slow, fails, goes away and forgets.
    Faulty,
    /// Two nodes that see the end of some times only, so that a lease may run out before it is renewed.
    Stalling,
    /// Two nodes whose runs are part of the deliveries.
    Inline,
}

#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) shape: Shape,
    pub(super) plan: Plan,
}

#[derive(Debug, Clone)]
pub(super) enum Plan {
    Drawn,
    /// Two deliveries to one node: the second comes at this time, and the reply at that one.
    Small {
        accepts_reply: bool,
        second: u64,
        takes: u64,
    },
}

impl Setting {
    pub(super) fn drawn(shape: Shape) -> Self {
        Self {
            shape,
            plan: Plan::Drawn,
        }
    }

    /// A message that may be answered later and one that is acknowledged at once; the reply comes before, at and after
    /// the patience of a delivery.
    pub(super) fn small() -> impl Iterator<Item = Self> {
        let plans = [
            (false, 0, [4_400, 4_500, 4_600]),
            (true, 5_000, [4_900, 5_000, 5_100]),
            (true, 9_500, [13_900, 14_000, 14_100]),
        ];
        plans
            .into_iter()
            .flat_map(|(accepts_reply, second, times)| {
                times.into_iter().map(move |takes| Self {
                    shape: Shape::One,
                    plan: Plan::Small {
                        accepts_reply,
                        second,
                        takes,
                    },
                })
            })
    }

    pub(super) fn is_small(&self) -> bool {
        matches!(self.plan, Plan::Small { .. })
    }
}

/// One node: its layer, and the service that it makes.
pub(super) struct Node<S> {
    pub(super) layer: DedupLayer,
    pub(super) service: S,
}

/// Plays a schedule. Returns the choices that it has made.
pub(super) async fn play(
    setting: &Setting,
    choices: Choices,
) -> (Vec<Choice>, Result<Fate, String>) {
    let world = World::new(setting, choices);
    let server = Server::default();
    let layers = match setting.shape {
        Shape::One => vec![build(&world, DedupLayer::builder())],
        shape => (0..2)
            .map(|node| {
                let link = Link::new(&world, &server, node);
                let builder = DedupLayer::builder().with_store(link);
                if shape == Shape::Inline {
                    build(&world, builder.with_inline_runs())
                } else {
                    build(&world, builder)
                }
            })
            .collect(),
    };
    let nodes: Vec<_> = layers
        .into_iter()
        .enumerate()
        .map(|(node, layer)| {
            let world = Arc::clone(&world);
            let inner = service_fn(move |request| handle(Arc::clone(&world), node, request));
            Node {
                service: layer.layer(inner),
                layer,
            }
        })
        .collect();

    let accepts_reply = match setting.plan {
        Plan::Small { accepts_reply, .. } => accepts_reply,
        Plan::Drawn => world.pick("the message may be answered, or is acknowledged", &[3, 1]) == 0,
    };
    let message = if accepts_reply {
        text("user", "1", "hi")
    } else {
        event("a")
    };
    let mut deliveries: Vec<JoinHandle<()>> = Vec::new();
    let deliver = |deliveries: &mut Vec<JoinHandle<()>>, node: usize| {
        let name = deliveries.len();
        world.log(|| format!("delivery {name} to node {node}"));
        let request = Request::new(assume(message.clone()));
        let answer = nodes[node].service.clone().send(request);
        let client = Client::new(&world, &nodes[node].layer, node, name, answer);
        deliveries.push(tokio::spawn(client));
    };

    deliver(&mut deliveries, 0);
    match setting.plan {
        Plan::Small { second, .. } => {
            sleep(Duration::from_millis(second)).await;
            deliver(&mut deliveries, 0);
        }
        Plan::Drawn => {
            let mut is_moving = true;
            while is_moving && deliveries.len() < 8 {
                is_moving = step(&world, &server, &nodes, &mut deliveries, &deliver).await;
            }
        }
    }
    if setting.is_small() {
        // Longer than any deadline.
        sleep(Duration::from_secs(30)).await;
    }
    world.choices.end();
    server.come_back();
    // Longer than a reply waits for the store, shorter than the message is remembered.
    sleep(Duration::from_mins(2)).await;
    let taken = world.choices.taken();
    let mut result = promises::check_idle(&world, &nodes, deliveries).await;
    if result.is_ok() {
        result = promises::check(&world);
    }
    let result = result.map_err(|violation| {
        let mut log = world.seen().log.clone();
        log.truncate(LOG_LINES);
        let log = log.join("\n  ");
        format!("{violation}\n  {log}\n")
    });
    (taken, result.map(|()| Fate::of(&world.seen())))
}

/// One step of a drawn schedule. Returns `false` at its end.
async fn step<S>(
    world: &Arc<World>,
    server: &Server,
    nodes: &[Node<S>],
    deliveries: &mut Vec<JoinHandle<()>>,
    deliver: &impl Fn(&mut Vec<JoinHandle<()>>, usize),
) -> bool {
    let steps: &[Step] = match world.setting.shape {
        Shape::One => &[
            Step::End,
            Step::Wait,
            Step::DeliverA,
            Step::Leave,
            Step::Drain,
        ],
        Shape::Two | Shape::Inline => &[
            Step::End,
            Step::Wait,
            Step::DeliverA,
            Step::Leave,
            Step::DeliverB,
            Step::Drain,
        ],
        Shape::Stalling => &[
            Step::End,
            Step::Wait,
            Step::DeliverA,
            Step::Leave,
            Step::DeliverB,
            Step::Drain,
            Step::Stall,
        ],
        Shape::Faulty => &[
            Step::End,
            Step::Wait,
            Step::DeliverA,
            Step::Leave,
            Step::DeliverB,
            Step::Drain,
            Step::GoAway,
            Step::Forget,
        ],
    };
    let weights: Vec<_> = steps.iter().map(|step| step.weight()).collect();
    match steps[world.pick("a step", &weights)] {
        Step::End => return false,
        Step::Wait => {
            let millis = WAITS[world.pick("a wait", &[1; WAITS.len()])];
            sleep(Duration::from_millis(millis)).await;
        }
        Step::DeliverA => deliver(deliveries, 0),
        Step::DeliverB => deliver(deliveries, 1),
        Step::Leave => {
            let which = world.pick("a delivery leaves", &vec![1; deliveries.len()]);
            world.log(|| format!("delivery {which} leaves"));
            deliveries[which].abort();
        }
        Step::Drain => {
            let node = world.pick("a node drains", &vec![1; nodes.len()]);
            let patience = PATIENCES[world.pick("its patience", &[1; PATIENCES.len()])];
            if !world.seen().is_drained[node] {
                drop(drain(world, &nodes[node].layer, node, patience));
            }
        }
        Step::Stall => {
            let millis = WAITS[world.pick("a stall", &[1; WAITS.len()])];
            world.log(|| format!("all stall for {millis} ms"));
            advance(Duration::from_millis(millis)).await;
            settle().await;
        }
        Step::GoAway => {
            let millis = AWAY[world.pick("the store is away", &[1; AWAY.len()])];
            world.log(|| format!("the store is away for {millis} ms"));
            server.go_away(Duration::from_millis(millis));
        }
        Step::Forget => {
            world.log(|| "the store forgets".to_owned());
            server.forget();
            world.seen().has_forgotten = true;
        }
    }
    true
}

#[derive(Debug, Clone, Copy)]
enum Step {
    End,
    Wait,
    DeliverA,
    DeliverB,
    Leave,
    Drain,
    Stall,
    GoAway,
    Forget,
}

impl Step {
    fn weight(self) -> u32 {
        match self {
            Self::Wait => 12,
            Self::DeliverA | Self::DeliverB | Self::Leave => 5,
            Self::Stall => 3,
            Self::End | Self::Drain | Self::GoAway | Self::Forget => 1,
        }
    }
}

const WAITS: [u64; 10] = [20, 1, 50, 400, 500, 1_000, 4_480, 4_500, 5_000, 6_000];

/// Of a violation's log.
const LOG_LINES: usize = 120;

const PATIENCES: [u64; 4] = [0, 20, 1_000, 20_000];

const AWAY: [u64; 4] = [300, 1_000, 5_000, 15_000];
