//! Two nodes as processes, a real Redis, and faults: kills, standstills, cut and torn connections.
//!
//! WeChat's retries reach either node. All processes append to one log. At the end the lines of each message are checked
//! against [the promises](verdict), which say under which faults they hold.

mod evidence;
mod faults;
mod log;
mod node;
mod process;
mod random;
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

use tokio::{
    runtime,
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use self::{
    evidence::{ALL_NODES, Evidence},
    faults::{Addresses, Deployment, Faults},
    log::{Answer, Event, Log, Operation, note_starvation, now},
    node::Node,
    traffic::{Task, Told, Traffic},
    verdict::Tally,
};

/// `WECHAT_FAULTS` sets the number of faults, and `WECHAT_SEED` picks others. A failure names both.
#[test]
fn faults_break_no_promise() {
    if let Some(node) = Node::asked_for() {
        return node.serve();
    }
    let seed = setting("WECHAT_SEED").unwrap_or(SEED);
    let count = setting("WECHAT_FAULTS").unwrap_or(20);
    let begun = Instant::now();
    let folder = Folder::new();
    let path = folder.0.join("log");
    let faults = Faults::pick(seed, count);
    eprintln!("WECHAT_SEED={seed} WECHAT_FAULTS={count}: {faults:?}");

    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let told = runtime.block_on(happen(seed, faults, &path));
    let evidence = Evidence::of(Log::read(&path), told);
    match Tally::of(&evidence) {
        Ok(tally) => {
            eprintln!(
                "{tally}\n{count} faults in {:.1} s",
                begun.elapsed().as_secs_f64()
            );
            // The faults are the seed's. Which messages they meet depends on the machine.
            if tally.taken_over() == 0 || tally.untroubled == 0 {
                eprintln!("few messages met a fault, or all did: try another seed or more faults");
            }
        }
        Err(broken) => panic!("{} promises broken\n{}", broken.len(), broken.join("\n\n")),
    }
}

/// Delivers messages during all the faults and shortly after.
async fn happen(seed: u64, faults: Faults, path: &Path) -> Vec<Told> {
    let mut deployment = Deployment::start(THIS_TEST, path.to_owned()).await;
    let traffic = Traffic::new(seed, deployment.addresses());
    tokio::spawn(note_starvation(Log::open(path), ALL_NODES));
    let (over, is_over) = watch::channel(false);
    let messages = tokio::spawn(flow(traffic.clone(), is_over));
    deployment.suffer(faults).await;
    over.send_replace(true);

    let mut told = recover(&traffic, &deployment.addresses(), path).await;
    let mut afterwards = JoinSet::new();
    for message in AFTERWARDS..AFTERWARDS + 100 {
        let traffic = traffic.clone();
        afterwards.spawn(async move {
            let task = traffic.task(message);
            let served = traffic.deliver(message, task, None).await;
            // A slower one may have to be acknowledged.
            if task.thinks < 3_000 && task.failures == 0 {
                let shown = served.transcript.shown().text();
                assert!(shown.is_some(), "not served afterwards: {served:?}");
            }
            served
        });
    }
    told.extend(afterwards.join_all().await);
    told.extend(messages.await.unwrap());
    deployment.drain();
    told
}

/// Sends twenty messages a second until it is `over`, then waits until each is answered or given up.
async fn flow(traffic: Traffic, mut over: watch::Receiver<bool>) -> Vec<Told> {
    let mut messages = JoinSet::new();
    let mut ticks = interval(Duration::from_millis(50));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for message in 0.. {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = over.wait_for(|over| *over) => break,
        }
        let traffic = traffic.clone();
        messages.spawn(async move {
            let task = traffic.task(message);
            traffic.deliver(message, task, None).await
        });
    }
    messages.join_all().await
}

/// Delivers to each node until the store answers it again.
async fn recover(traffic: &Traffic, addresses: &Addresses, path: &Path) -> Vec<Told> {
    let (since, deadline) = (now(), Instant::now() + Duration::from_secs(20));
    let mut told = Vec::new();
    let mut ticks = interval(Duration::from_millis(100));
    for node in [0, 1] {
        let address = *addresses[node].lock().unwrap();
        let (process, _) = address.unwrap();
        let is_back = || {
            Log::read(path).into_iter().any(|line| {
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
            assert!(Instant::now() < deadline, "node {process} stays alone");
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

/// The folder of the log. Dropping it deletes it, unless the test has failed.
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
            eprintln!("the log is in {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// The name of the test in the test harness.
const THIS_TEST: &str = "processes::faults_break_no_promise";

/// Pinned, so that a change that was green stays green.
const SEED: u64 = 20_261_123;

/// The first numbers of messages for special purposes.
const RECOVERING: u64 = 1_000_000;
const AFTERWARDS: u64 = 2_000_000;

const QUICK: Task = Task {
    thinks: 0,
    failures: 0,
};
