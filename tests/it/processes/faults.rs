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

/// The faults of each node's process, of each node's connections and of Redis: lanes, each one fault after the other.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) nodes: [Lane<NodeFault>; NODES],
    pub(super) network: [Lane<Weather>; NODES],
    pub(super) redis: Lane<RedisFault>,
}

pub(super) type Lane<F> = Vec<Planned<F>>;

#[derive(Debug)]
pub(super) struct Planned<F> {
    /// Since the end of the fault before.
    pub(super) after: Duration,
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
    /// Picks `count` faults of the kind by the seed.
    pub(super) fn pick(kind: Kind, seed: u64, count: usize) -> Self {
        let mut random = Random::new(seed, FAULTS);
        let mut plan = Self::default();
        // Deals from shuffled decks, so that even a few faults are of many kinds and on each node.
        let (mut kinds, mut nodes) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let kind = match kind {
                Kind::Mixed => random.deal(&mut kinds, |deck| {
                    deck.extend(Kind::ALL.into_iter().filter(|kind| *kind != Kind::Mixed));
                }),
                kind => kind,
            };
            let node = random.deal(&mut nodes, |deck| deck.extend(0..NODES));
            plan.add(kind, node, &mut random);
        }
        plan.stretch();
        plan
    }

    fn add(&mut self, kind: Kind, node: usize, random: &mut Random) {
        let after = random.milliseconds(PAUSE);
        let short = random.milliseconds(200..2_000);
        // Longer than a lease.
        let long = random.milliseconds(5_500..7_000);
        let either = if random.below(2) == 0 { short } else { long };
        let by = random.milliseconds(20..400);
        let number = random.below(3);
        let mut node_has = |lasts, fault| {
            self.nodes[node].push(Planned {
                after,
                lasts,
                fault,
            });
        };
        let mut network_has = |lasts, fault| {
            self.network[node].push(Planned {
                after,
                lasts,
                fault,
            });
        };
        let mut redis_has = |lasts, fault| {
            self.redis.push(Planned {
                after,
                lasts,
                fault,
            });
        };
        match kind {
            Kind::Kill => node_has(short, NodeFault::Kill),
            Kind::Stop => node_has(long, NodeFault::Stop),
            Kind::Skew if number == 0 => node_has(long, NodeFault::Skew(-SKEW)),
            Kind::Skew => node_has(long, NodeFault::Skew(SKEW)),
            Kind::Drop if number == 0 => network_has(short, Weather::Torn),
            Kind::Drop => network_has(short, Weather::Cut),
            Kind::Delay if number == 0 => network_has(short, Weather::Slow(by)),
            Kind::Delay => network_has(either, Weather::Held),
            Kind::RedisStop => redis_has(either, RedisFault::Stop),
            Kind::Pause => redis_has(either, RedisFault::Pause),
            Kind::Restart => redis_has(either, RedisFault::Restart { keeps: false }),
            Kind::RestartKept => redis_has(either, RedisFault::Restart { keeps: true }),
            Kind::Flush => redis_has(Duration::ZERO, RedisFault::Flush),
            Kind::Evict => {
                let percent = [0, 25, 50][number];
                redis_has(either, RedisFault::Evict { percent });
            }
            Kind::Mixed => unreachable!("a single fault is of another kind"),
        }
    }

    /// Spreads the faults of each lane over the whole time.
    fn stretch(&mut self) {
        let whole = self.duration();
        self.nodes.iter_mut().for_each(|lane| stretch(lane, whole));
        self.network
            .iter_mut()
            .for_each(|lane| stretch(lane, whole));
        stretch(&mut self.redis, whole);
    }

    /// How long all faults take.
    pub(super) fn duration(&self) -> Duration {
        let nodes = self.nodes.iter().map(|lane| duration(lane));
        let network = self.network.iter().map(|lane| duration(lane));
        let lanes = nodes.chain(network).chain([duration(&self.redis)]);
        lanes.max().unwrap_or_default()
    }
}

fn duration<F>(lane: &[Planned<F>]) -> Duration {
    lane.iter().map(|fault| fault.after + fault.lasts).sum()
}

fn stretch<F>(lane: &mut [Planned<F>], whole: Duration) {
    let rest = whole.saturating_sub(duration(lane));
    if let Ok(count @ 1..) = u32::try_from(lane.len()) {
        for fault in lane {
            fault.after += rest / count;
        }
    }
}

/// Between two faults of a lane, in milliseconds.
const PAUSE: std::ops::Range<u64> = 500..3_000;

/// In seconds. The last delivery is 10 s old.
const SKEW: i64 = 20;

/// The purpose of the random numbers.
const FAULTS: u64 = 1;
