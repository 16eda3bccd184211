//! Three nodes, a Redis, and a proxy between each node and Redis; and what each fault does to them.

use std::{
    fmt::Debug,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use futures_util::future::join_all;
use redis::cmd;
use tokio::{
    task::block_in_place,
    time::{Instant, sleep, sleep_until},
};

use super::{
    evidence::ALL_NODES,
    faults::{Lane, NodeFault, Plan, Planned, RedisFault},
    log::{Event, Log},
    process::{Process, signal},
};
use crate::store::{
    proxy::{Proxy, Weather},
    server::Server,
};

pub(super) const NODES: usize = 3;

pub(super) struct Deployment {
    nodes: [Node; NODES],
    redis: Redis,
    weather: [Proxy; NODES],
    addresses: Addresses,
    log: Log,
}

/// The process and port of each node; `None` while the node is missing.
pub(super) type Addresses = Arc<[Mutex<Option<(u32, u16)>>; NODES]>;

struct Node {
    process: Process,
    start: Box<dyn Fn() -> Process + Send>,
}

struct Redis {
    server: Server,
    /// The memory that it needs without data, in bytes.
    least_memory: u64,
}

impl Deployment {
    /// Starts everything, and returns when all of it runs. The nodes reach WeChat's API on the port `api`.
    pub(super) async fn start(test: &'static str, api: Option<u16>, path: PathBuf) -> Self {
        let server = block_in_place(Server::start_keeping);
        let weather = [(); NODES].map(|()| Proxy::before(server.port()));
        let weather: [Proxy; NODES] = join_all(weather).await.try_into().ok().unwrap();
        let nodes = weather.each_ref().map(|weather| {
            let (redis, path) = (weather.port(), path.clone());
            let start =
                Box::new(move || block_in_place(|| Process::start(test, redis, api, &path)));
            Node {
                process: start(),
                start,
            }
        });
        let addresses = nodes
            .each_ref()
            .map(|node| Mutex::new(Some(node.address())));
        let mut redis = Redis {
            server,
            least_memory: 0,
        };
        redis.least_memory = redis.memory().await;
        Self {
            nodes,
            redis,
            weather,
            addresses: Arc::new(addresses),
            log: Log::open(&path),
        }
    }

    pub(super) fn addresses(&self) -> Addresses {
        Arc::clone(&self.addresses)
    }

    /// Makes all the faults happen. At the end, everything runs again.
    pub(super) async fn suffer(&mut self, plan: Plan) {
        // Real time: faults between processes cannot use a paused clock.
        let (log, start) = (&self.log, Instant::now());
        let nodes = self.nodes.iter_mut().zip(&*self.addresses).zip(plan.nodes);
        let nodes = nodes.map(|((node, address), lane)| node.suffer(lane, start, address, log));
        let network = self.weather.iter().zip(&*self.addresses).zip(plan.network);
        let network = network.map(|((weather, address), lane)| async move {
            for planned in lane {
                sleep_until(start + planned.at).await;
                let node = address.lock().unwrap().map_or(ALL_NODES, |(id, _)| id);
                note(log, node, &planned);
                weather.change(planned.fault);
                sleep(planned.lasts).await;
                weather.change(Weather::Fair);
            }
        });
        let redis = self.redis.suffer(plan.redis, start, log);
        tokio::join!(join_all(nodes), join_all(network), redis);
    }

    /// Drains all nodes, and waits for their ends.
    pub(super) fn drain(self) {
        let mut processes = self.nodes.map(|node| node.process);
        processes.iter_mut().for_each(Process::drain);
        block_in_place(|| processes.into_iter().for_each(Process::wait));
    }
}

impl Node {
    fn address(&self) -> (u32, u16) {
        (self.process.id(), self.process.port())
    }

    async fn suffer(
        &mut self,
        lane: Lane<NodeFault>,
        start: Instant,
        address: &Mutex<Option<(u32, u16)>>,
        log: &Log,
    ) {
        for planned in lane {
            sleep_until(start + planned.at).await;
            let process = self.process.id();
            note(log, process, &planned);
            match planned.fault {
                NodeFault::Kill => {
                    *address.lock().unwrap() = None;
                    log.write(process, "", Event::Killed);
                    block_in_place(|| self.process.kill());
                    sleep(planned.lasts).await;
                    self.process = (self.start)();
                    *address.lock().unwrap() = Some(self.address());
                }
                NodeFault::Stop => {
                    log.write(process, "", Event::Stopped);
                    block_in_place(|| signal(process, "STOP"));
                    sleep(planned.lasts).await;
                    block_in_place(|| signal(process, "CONT"));
                    log.write(process, "", Event::Continued);
                }
                NodeFault::Skew(seconds) => {
                    self.process.set_clock(seconds);
                    sleep(planned.lasts).await;
                    self.process.set_clock(0);
                }
            }
        }
    }
}

impl Redis {
    async fn suffer(&mut self, lane: Lane<RedisFault>, start: Instant, log: &Log) {
        for planned in lane {
            sleep_until(start + planned.at).await;
            note(log, ALL_NODES, &planned);
            let forgets = match planned.fault {
                RedisFault::Stop | RedisFault::Pause | RedisFault::Restart { keeps: true } => false,
                RedisFault::Restart { keeps: false }
                | RedisFault::Flush
                | RedisFault::Evict { .. } => true,
            };
            if forgets {
                log.write(ALL_NODES, "", Event::Forgetting);
            }
            match planned.fault {
                RedisFault::Stop => {
                    block_in_place(|| signal(self.server.id(), "STOP"));
                    sleep(planned.lasts).await;
                    block_in_place(|| signal(self.server.id(), "CONT"));
                }
                RedisFault::Pause => {
                    let milliseconds = planned.lasts.as_millis().to_string();
                    self.run(&["CLIENT", "PAUSE", &milliseconds, "ALL"]).await;
                    sleep(planned.lasts).await;
                }
                RedisFault::Restart { keeps } => {
                    block_in_place(|| self.server.kill());
                    if !keeps {
                        self.server.forget();
                    }
                    sleep(planned.lasts).await;
                    block_in_place(|| self.server.restart());
                }
                RedisFault::Flush => self.run(&["FLUSHALL"]).await,
                RedisFault::Evict { percent } => {
                    let data = self.memory().await.saturating_sub(self.least_memory);
                    let memory = self.least_memory + data * percent / 100;
                    self.limit(memory, "allkeys-lru").await;
                    sleep(planned.lasts).await;
                    self.limit(0, "noeviction").await;
                }
            }
            if forgets {
                log.write(ALL_NODES, "", Event::Forgot);
            }
        }
    }

    async fn limit(&self, memory: u64, policy: &str) {
        self.run(&["CONFIG", "SET", "maxmemory-policy", policy])
            .await;
        self.run(&["CONFIG", "SET", "maxmemory", &memory.to_string()])
            .await;
    }

    /// Returns the memory that it uses, in bytes.
    async fn memory(&self) -> u64 {
        let mut connection = self.server.connect().await;
        let info: String = cmd("INFO")
            .arg("memory")
            .query_async(&mut connection)
            .await
            .unwrap();
        let used = info
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:"));
        used.unwrap().parse().unwrap()
    }

    async fn run(&self, command: &[&str]) {
        let mut connection = self.server.connect().await;
        let (name, arguments) = command.split_first().unwrap();
        let answer = cmd(name).arg(arguments).exec_async(&mut connection).await;
        answer.unwrap();
    }
}

fn note<F: Debug>(log: &Log, process: u32, planned: &Planned<F>) {
    let text = format!("{:?} for {:?}", planned.fault, planned.lasts);
    log.write(process, "", Event::Fault(text));
}
