//! The kinds of faults, and plans of when they happen.

use std::time::Duration;

use super::{deployment::NODES, random::Random};
use crate::store::proxy::Weather;

/// A phase plays the faults of one kind, so that the effects of each kind can be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `kill -9` of a node, and a new process after a while.
    Kill,
    /// Stops a node for longer than a lease, as a swapping machine does.
    Stop,
    /// Sets a node's clock 20 s fast or slow.
    Skew,
    /// Cuts or tears a node's connections to Redis.
    Drop,
    /// Delays or holds what a node and Redis send to each other.
    Delay,
    /// Stops Redis.
    RedisStop,
    /// Holds back the answers to all clients, by Redis itself.
    Pause,
    /// Kills Redis. It comes back without data, as without an append-only file.
    Restart,
    /// Kills Redis. It comes back with all data, as with an append-only file.
    RestartKept,
    Flush,
    /// Gives Redis less memory than its data needs, so that it evicts the keys used least recently.
    Evict,
    /// All of these at the same time.
    Mixed,
}

impl Kind {
    pub(super) const ALL: [Self; 12] = [
        Self::Kill,
        Self::Stop,
        Self::Skew,
        Self::Drop,
        Self::Delay,
        Self::RedisStop,
        Self::Pause,
        Self::Restart,
        Self::RestartKept,
        Self::Flush,
        Self::Evict,
        Self::Mixed,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill -9",
            Self::Stop => "node stopped",
            Self::Skew => "clock skew",
            Self::Drop => "connections dropped",
            Self::Delay => "connections delayed",
            Self::RedisStop => "Redis stopped",
            Self::Pause => "CLIENT PAUSE",
            Self::Restart => "Redis restarted",
            Self::RestartKept => "restarted with AOF",
            Self::Flush => "FLUSHALL",
            Self::Evict => "eviction",
            Self::Mixed => "mixed",
        }
    }
}

/// The faults of each node's process, of each node's connections and of Redis, in the order of their times.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) nodes: [Lane<NodeFault>; NODES],
    pub(super) network: [Lane<Weather>; NODES],
    pub(super) redis: Lane<RedisFault>,
    /// How long all faults take.
    pub(super) duration: Duration,
}

pub(super) type Lane<F> = Vec<Planned<F>>;

#[derive(Debug)]
pub(super) struct Planned<F> {
    /// Since the start of the phase.
    pub(super) at: Duration,
    pub(super) lasts: Duration,
    pub(super) fault: F,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum NodeFault {
    Kill,
    Stop,
    /// By this many seconds.
    Skew(i64),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum RedisFault {
    Stop,
    Pause,
    Restart {
        keeps: bool,
    },
    Flush,
    Evict {
        /// The part of its data that Redis has memory for.
        percent: u64,
    },
}

impl Plan {
    /// Picks `count` faults of the kind by the seed: one after the other, or several at a time if they are mixed.
    pub(super) fn pick(kind: Kind, seed: u64, count: usize) -> Self {
        let mut random = Random::new(seed, FAULTS);
        let mut plan = Self::default();
        // Deals from shuffled decks, so that even a few faults are of many kinds and on each node.
        let (mut kinds, mut nodes) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let node = random.deal(&mut nodes, |deck| deck.extend(0..NODES));
            if kind == Kind::Mixed {
                let single = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Mixed);
                let kind = random.deal(&mut kinds, |deck| deck.extend(single));
                plan.add(kind, node, None, &mut random);
            } else {
                plan.add(kind, node, Some(plan.duration), &mut random);
            }
        }
        if kind == Kind::Mixed {
            // One thing has more faults than another.
            let whole = plan.duration;
            plan.nodes.iter_mut().for_each(|lane| spread(lane, whole));
            plan.network.iter_mut().for_each(|lane| spread(lane, whole));
            spread(&mut plan.redis, whole);
        }
        plan
    }

    /// Adds a fault some time after `since`, or else after the last one of the same thing.
    fn add(&mut self, kind: Kind, node: usize, since: Option<Duration>, random: &mut Random) {
        let after = random.milliseconds(PAUSE);
        let short = random.milliseconds(200..2_000);
        // Longer than a lease.
        let long = random.milliseconds(5_500..7_000);
        let either = if random.below(2) == 0 { short } else { long };
        let by = random.milliseconds(20..400);
        let number = random.below(3);
        let skew = if number == 0 { -SKEW } else { SKEW };
        let (nodes, network) = (&mut self.nodes[node], &mut self.network[node]);
        let redis = &mut self.redis;
        let end = match kind {
            Kind::Kill => plan(nodes, since, after, short, NodeFault::Kill),
            Kind::Stop => plan(nodes, since, after, long, NodeFault::Stop),
            Kind::Skew => plan(nodes, since, after, long, NodeFault::Skew(skew)),
            Kind::Drop if number == 0 => plan(network, since, after, short, Weather::Torn),
            Kind::Drop => plan(network, since, after, short, Weather::Cut),
            Kind::Delay if number == 0 => plan(network, since, after, short, Weather::Slow(by)),
            Kind::Delay => plan(network, since, after, either, Weather::Held),
            Kind::RedisStop => plan(redis, since, after, either, RedisFault::Stop),
            Kind::Pause => plan(redis, since, after, either, RedisFault::Pause),
            Kind::Restart | Kind::RestartKept => {
                let keeps = kind == Kind::RestartKept;
                plan(redis, since, after, either, RedisFault::Restart { keeps })
            }
            Kind::Flush => plan(redis, since, after, Duration::ZERO, RedisFault::Flush),
            Kind::Evict => {
                let percent = [0, 25, 50][number];
                plan(redis, since, after, either, RedisFault::Evict { percent })
            }
            Kind::Mixed => unreachable!("a fault is of one kind"),
        };
        self.duration = self.duration.max(end);
    }
}

/// Adds the fault to the lane, and returns its end.
fn plan<F>(
    lane: &mut Lane<F>,
    since: Option<Duration>,
    after: Duration,
    lasts: Duration,
    fault: F,
) -> Duration {
    let at = since.unwrap_or_else(|| end(lane)) + after;
    lane.push(Planned { at, lasts, fault });
    at + lasts
}

/// Puts more time between the faults, until the last one ends with the `whole` phase.
fn spread<F>(lane: &mut [Planned<F>], whole: Duration) {
    let rest = whole.saturating_sub(end(lane));
    let count = u32::try_from(lane.len()).unwrap();
    for (number, planned) in (1..).zip(lane) {
        planned.at += rest * number / count;
    }
}

fn end<F>(lane: &[Planned<F>]) -> Duration {
    lane.last()
        .map_or(Duration::ZERO, |last| last.at + last.lasts)
}

/// Between two faults, in milliseconds.
const PAUSE: std::ops::Range<u64> = 3_000..9_000;

/// In seconds. The last delivery is 10 s old.
const SKEW: i64 = 20;

/// The purpose of the random numbers.
const FAULTS: u64 = 1;
