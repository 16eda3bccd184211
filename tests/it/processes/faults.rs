//! The faults, and when they happen.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::sleep;

use super::{
    evidence::ALL_NODES,
    log::{Event, Log},
    process::Process,
    random::Random,
};
use crate::store::{
    proxy::{Proxy, Weather},
    server::Server,
};

/// Two nodes, a Redis, and a proxy between each node and Redis.
pub(super) struct Deployment {
    nodes: [Process; 2],
    redis: Server,
    weather: [Proxy; 2],
    addresses: Addresses,
    log: Log,
    start: Box<dyn Fn(u16) -> Process + Send>,
}

/// The process and port of each node; `None` while the node is missing.
pub(super) type Addresses = Arc<[Mutex<Option<(u32, u16)>>; 2]>;

/// The faults of the nodes, of Redis and of the network: three lanes, each one fault after the other.
#[derive(Debug)]
pub(super) struct Faults {
    nodes: Vec<(usize, Duration, NodeFault)>,
    redis: Vec<(Duration, RedisFault)>,
    network: Vec<(usize, Duration, Weather)>,
    pauses: u64,
}

#[derive(Debug, Clone, Copy)]
enum NodeFault {
    /// `kill -9`, and a new process after a while.
    Kill,
    /// Stops the process for longer than a lease, as a swapping machine does.
    Stop,
}

#[derive(Debug, Clone, Copy)]
enum RedisFault {
    Restart,
    RestartWithoutData,
}

impl Faults {
    /// Picks `count` faults by the seed.
    pub(super) fn pick(seed: u64, count: usize) -> Self {
        let mut random = Random::new(seed, FAULTS);
        let mut faults = Self {
            nodes: Vec::new(),
            redis: Vec::new(),
            network: Vec::new(),
            pauses: seed,
        };
        // Deals from shuffled decks, so that even a few faults are of many kinds.
        let mut deck = Vec::new();
        for _ in 0..count {
            if deck.is_empty() {
                deck.extend(0..10);
                random.shuffle(&mut deck);
            }
            let node = random.below(2);
            let short = random.milliseconds(200..2_000);
            let long = random.milliseconds(5_500..7_000);
            match deck.pop().unwrap() {
                0 | 1 => faults.nodes.push((node, short, NodeFault::Kill)),
                2 => faults.nodes.push((node, long, NodeFault::Stop)),
                3 => faults.redis.push((short, RedisFault::Restart)),
                4 => faults.redis.push((short, RedisFault::RestartWithoutData)),
                5 => faults.network.push((node, short, Weather::Cut)),
                6 => faults.network.push((node, short, Weather::Held)),
                7 => faults.network.push((node, long, Weather::Held)),
                8 => faults.network.push((node, short, Weather::Torn)),
                _ => {
                    let by = random.milliseconds(20..400);
                    faults.network.push((node, short, Weather::Slow(by)));
                }
            }
        }
        faults
    }
}

impl Deployment {
    /// Starts everything, and returns when all of it runs.
    pub(super) async fn start(test: &'static str, path: PathBuf) -> Self {
        let redis = Server::start_keeping();
        let weather = [
            Proxy::before(redis.port()).await,
            Proxy::before(redis.port()).await,
        ];
        let log = Log::open(&path);
        let start = Box::new(move |redis| Process::start(test, redis, &path));
        let nodes = [start(weather[0].port()), start(weather[1].port())];
        let addresses = nodes
            .each_ref()
            .map(|node| Mutex::new(Some((node.id(), node.port()))));
        Self {
            nodes,
            redis,
            weather,
            addresses: Arc::new(addresses),
            log,
            start,
        }
    }

    pub(super) fn addresses(&self) -> Addresses {
        Arc::clone(&self.addresses)
    }

    /// Makes all the faults happen. At the end, everything runs again.
    pub(super) async fn suffer(&mut self, faults: Faults) {
        let Self {
            nodes,
            redis,
            weather,
            addresses,
            log,
            start,
        } = self;
        let pause = |lane| Random::new(faults.pauses, lane);
        // Real time: faults between processes cannot use a paused clock.
        tokio::join!(
            async {
                let mut pauses = pause(NODES);
                for (node, lasts, fault) in faults.nodes {
                    sleep(pauses.milliseconds(PAUSE)).await;
                    let process = &mut nodes[node];
                    match fault {
                        NodeFault::Kill => {
                            *addresses[node].lock().unwrap() = None;
                            log.write(process.id(), "", Event::Killed);
                            process.kill();
                            sleep(lasts).await;
                            *process = start(weather[node].port());
                            let address = (process.id(), process.port());
                            *addresses[node].lock().unwrap() = Some(address);
                        }
                        NodeFault::Stop => {
                            log.write(process.id(), "", Event::Stopped);
                            process.signal("STOP");
                            sleep(lasts).await;
                            process.signal("CONT");
                            log.write(process.id(), "", Event::Continued);
                        }
                    }
                }
            },
            async {
                let mut pauses = pause(REDIS);
                for (lasts, fault) in faults.redis {
                    sleep(pauses.milliseconds(PAUSE) * 3).await;
                    let forgets = matches!(fault, RedisFault::RestartWithoutData);
                    if forgets {
                        log.write(ALL_NODES, "", Event::Forgetting);
                    }
                    redis.kill();
                    if forgets {
                        redis.forget();
                    }
                    sleep(lasts).await;
                    redis.restart();
                    if forgets {
                        log.write(ALL_NODES, "", Event::Forgot);
                    }
                }
            },
            async {
                let mut pauses = pause(NETWORK);
                for (node, lasts, now) in faults.network {
                    sleep(pauses.milliseconds(PAUSE)).await;
                    weather[node].change(now);
                    sleep(lasts).await;
                    weather[node].change(Weather::Fair);
                }
            },
        );
    }

    /// Drains both nodes, and waits for their ends.
    pub(super) fn drain(self) {
        let Self { mut nodes, .. } = self;
        nodes.iter_mut().for_each(Process::drain);
        nodes.into_iter().for_each(Process::wait);
    }
}

/// Between two faults of a lane, in milliseconds.
const PAUSE: std::ops::Range<u64> = 300..1_500;

/// The purposes of the random numbers.
const FAULTS: u64 = 1;
const NODES: u64 = 2;
const REDIS: u64 = 3;
const NETWORK: u64 = 4;
