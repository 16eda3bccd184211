//! Three nodes as processes, a real Redis, and faults: kills, standstills, wrong clocks, cut and torn connections.
//!
//! WeChat's retries reach any node. All processes append to one log. At the end the lines of each message are checked
//! against [the promises](verdict), which say under which faults they hold, and [counted](tally). Each kind of fault has
//! a phase with nodes and a Redis of its own; all phases happen at the same time.

mod case;
mod deployment;
mod evidence;
mod faults;
mod log;
mod node;
mod process;
mod random;
mod runs;
mod tally;
mod traffic;
mod verdict;
mod witness;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::id,
    str::FromStr,
    time::{Duration, Instant, SystemTime},
};

use futures_util::future::join_all;
use tokio::{
    runtime,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

use self::{
    deployment::{Addresses, Deployment, NODES},
    evidence::{ALL_NODES, Evidence},
    faults::{Kind, Plan},
    log::{Answer, Event, Log, Operation, note_starvation, now},
    node::Node,
    tally::Judgement,
    traffic::{AFTERWARDS, RECOVERING, Task, Told, Traffic},
};

/// `WECHAT_FAULTS` sets the number of faults, and `WECHAT_SEED` picks others. A failure names both. `WECHAT_FAULT_KIND`
/// plays the kinds whose names contain it.
///
/// The faults are the seed's. Which messages they meet depends on the machine.
#[test]
fn faults_break_no_promise() {
    if let Some(node) = Node::asked_for() {
        return node.serve();
    }
    let seed = setting("WECHAT_SEED").unwrap_or(SEED);
    let count = setting("WECHAT_FAULTS").unwrap_or(24);
    let kind = env::var("WECHAT_FAULT_KIND").unwrap_or_default();
    eprintln!("WECHAT_SEED={seed} WECHAT_FAULTS={count} WECHAT_FAULT_KIND={kind:?}");
    let begun = Instant::now();
    let folder = Folder::new();
    let kinds = (0..).zip(Kind::ALL);
    let kinds: Vec<_> = kinds.filter(|(_, it)| it.name().contains(&kind)).collect();
    assert!(!kinds.is_empty(), "no kind of fault has this name");
    let phases = kinds.iter().enumerate().map(|(number, (own, kind))| Phase {
        kind: *kind,
        // A kind that is played alone has the same faults.
        seed: seed + own,
        faults: (count + number) / kinds.len(),
        log: folder.0.join(format!("{kind:?}")),
    });
    let phases: Vec<_> = phases.filter(|phase| phase.faults > 0).collect();

    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let told = runtime.block_on(async {
        let phases = phases.iter().cloned();
        let phases = phases.map(|phase| tokio::spawn(phase.happen()));
        join_all(phases.collect::<Vec<_>>()).await
    });
    let mut judgement = Judgement::new();
    for (phase, told) in phases.iter().zip(told) {
        let evidence = Evidence::of(Log::read(&phase.log), told.unwrap());
        judgement.add(phase.kind, phase.faults, &evidence);
    }
    let seconds = begun.elapsed().as_secs();
    eprintln!("{judgement}{count} faults in {seconds} s");
    if let Some(broken) = judgement.broken() {
        panic!("promises are broken with WECHAT_SEED={seed} WECHAT_FAULTS={count}\n{broken}");
    }
}

/// The faults of one kind, with nodes and a Redis of their own.
#[derive(Clone)]
struct Phase {
    kind: Kind,
    seed: u64,
    faults: usize,
    log: PathBuf,
}

impl Phase {
    /// Delivers messages during all the faults and shortly after.
    async fn happen(self) -> Vec<Told> {
        let Self {
            kind,
            seed,
            faults,
            log,
        } = self;
        let mut deployment = Deployment::start(THIS_TEST, log.clone()).await;
        let traffic = Traffic::new(seed, deployment.addresses());
        let starving = tokio::spawn(note_starvation(Log::open(&log), ALL_NODES));
        let plan = Plan::pick(kind, seed, faults);
        let messages = u64::try_from(faults).unwrap() * MESSAGES_PER_FAULT;
        let pause = plan.duration / u32::try_from(messages).unwrap();
        let messages = tokio::spawn(flow(traffic.clone(), messages, pause));
        deployment.suffer(plan).await;

        let mut told = recover(&traffic, &deployment.addresses(), &log).await;
        // What began before has its answer by now.
        sleep(Duration::from_secs(1)).await;
        let mut afterwards = JoinSet::new();
        for message in AFTERWARDS..AFTERWARDS + 30 {
            let traffic = traffic.clone();
            afterwards.spawn(async move {
                let task = traffic.task(message);
                traffic.deliver(message, task, None).await
            });
        }
        told.extend(afterwards.join_all().await);
        told.extend(messages.await.unwrap());
        deployment.drain();
        starving.abort();
        told
    }
}

/// Sends as many messages, one after each `pause`, then waits until each is answered or given up.
async fn flow(traffic: Traffic, messages: u64, pause: Duration) -> Vec<Told> {
    let mut sent = JoinSet::new();
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for message in 0..messages {
        ticks.tick().await;
        let traffic = traffic.clone();
        sent.spawn(async move {
            let task = traffic.task(message);
            traffic.deliver(message, task, None).await
        });
    }
    sent.join_all().await
}

/// Delivers to each node until the store answers it again.
async fn recover(traffic: &Traffic, addresses: &Addresses, log: &Path) -> Vec<Told> {
    let (since, length) = (now(), Log::length(log));
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut told = Vec::new();
    let mut ticks = interval(Duration::from_millis(100));
    for (node, address) in addresses.iter().enumerate().take(NODES) {
        let (process, _) = address.lock().unwrap().unwrap();
        let is_back = || {
            Log::read_from(log, length).into_iter().any(|line| {
                line.process == process
                    && matches!(
                        line.event,
                        Event::Store {
                            operation: Operation::Claim,
                            since: claimed,
                            answer: Answer::Run(_),
                            ..
                        } if claimed > since
                    )
            })
        };
        while !is_back() {
            if Instant::now() > deadline {
                Log::open(log).write(process, "", Event::StaysAlone);
                break;
            }
            ticks.tick().await;
            let message = RECOVERING + u64::try_from(told.len()).unwrap();
            told.push(traffic.deliver(message, QUICK, Some(node)).await);
        }
    }
    told
}

fn setting<T: FromStr>(name: &str) -> Option<T> {
    let value = env::var(name).ok()?;
    let number = value.parse().ok();
    Some(number.unwrap_or_else(|| panic!("{name} is not a number: {value}")))
}

/// The folder of the logs. Dropping it deletes it, unless the test has failed.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        let folder = env::temp_dir().join(format!("tower-wechat-nodes-{}-{now}", id()));
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the logs are in {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// The name of the test in the test harness.
const THIS_TEST: &str = "processes::faults_break_no_promise";

/// Pinned, so that a change that was green stays green.
const SEED: u64 = 20_261_123;

/// How many messages WeChat sends meanwhile.
const MESSAGES_PER_FAULT: u64 = 20;

const QUICK: Task = Task {
    thinks: 0,
    failures: 0,
};
