//! A campaign: phases of faults, all at the same time, and how each begins and ends.

use std::{
    env, fmt, fs,
    path::{Path, PathBuf},
    process::id,
    str::FromStr,
    time::{Duration, Instant, SystemTime},
};

use futures_util::future::join_all;
use tokio::{runtime, time::interval};
use tokio_util::task::AbortOnDropHandle;

use super::{
    deployment::{Addresses, NODES},
    evidence::ALL_NODES,
    faults::Kind,
    log::{Answer, Event, Log, Operation, note_starvation, now},
    node::Node,
    traffic::{RECOVERING, Target, Task, Told, Traffic},
};

/// A campaign, with what each phase has told.
pub(super) struct Played<T> {
    pub(super) phases: Vec<(Phase, T)>,
    settings: String,
    begun: Instant,
    _folder: Folder,
}

impl<T: Send + 'static> Played<T> {
    /// Plays all phases. `None` if this process is a node, or the campaign is not wanted.
    pub(super) fn campaign<F>(mode: &str, happen: impl Fn(Phase) -> F) -> Option<Self>
    where
        F: Future<Output = T> + Send + 'static,
    {
        if let Some(node) = Node::asked_for() {
            node.serve();
            return None;
        }
        if let Ok(wanted) = env::var("WECHAT_FAULT_MODE") {
            assert!(MODES.contains(&&*wanted), "no campaign has this name");
            if wanted != mode {
                return None;
            }
        }
        let seed = setting("WECHAT_SEED").unwrap_or(SEED);
        // One of each kind.
        let count = setting("WECHAT_FAULTS").unwrap_or(12);
        let kind = env::var("WECHAT_FAULT_KIND").unwrap_or_default();
        let settings = format!("WECHAT_FAULT_MODE={mode} WECHAT_SEED={seed} WECHAT_FAULTS={count}");
        eprintln!("{settings} WECHAT_FAULT_KIND={kind:?}");
        let begun = Instant::now();
        let folder = Folder::new(mode);
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
            let phases = phases.map(|phase| tokio::spawn(happen(phase)));
            join_all(phases.collect::<Vec<_>>()).await
        });
        Some(Self {
            phases: phases
                .into_iter()
                .zip(told.into_iter().map(Result::unwrap))
                .collect(),
            settings,
            begun,
            _folder: folder,
        })
    }

    /// Prints the judgement, and panics if promises are broken.
    pub(super) fn end(self, judgement: &impl fmt::Display, broken: Option<String>) {
        let faults: usize = self.phases.iter().map(|(phase, _)| phase.faults).sum();
        let seconds = self.begun.elapsed().as_secs();
        eprintln!("{judgement}{faults} faults in {seconds} s");
        if let Some(broken) = broken {
            panic!("promises are broken with {}\n{broken}", self.settings);
        }
    }
}

/// The faults of one kind, with nodes and a Redis of their own.
#[derive(Clone)]
pub(super) struct Phase {
    pub(super) kind: Kind,
    pub(super) seed: u64,
    pub(super) faults: usize,
    pub(super) log: PathBuf,
}

/// Notes when the machine has no time for this process, which is WeChat, until it is dropped.
pub(super) fn watch(log: &Path) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(note_starvation(Log::open(log), ALL_NODES)))
}

/// Delivers to each node until the store answers it again.
pub(super) async fn recover(traffic: &Traffic, addresses: &Addresses, log: &Path) -> Vec<Told> {
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
            told.push(traffic.deliver(message, QUICK, Target::First(node)).await);
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
    fn new(mode: &str) -> Self {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        let folder = env::temp_dir().join(format!("tower-wechat-{mode}-{}-{now}", id()));
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

/// The names of the campaigns.
const MODES: [&str; 2] = ["dedup", "late"];

/// Pinned, so that a change that was green stays green.
const SEED: u64 = 20_261_123;

const QUICK: Task = Task {
    thinks: 0,
    failures: 0,
};
