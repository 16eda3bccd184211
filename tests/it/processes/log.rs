//! The log that all processes write: one file, one line for each event, in the order of writing.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

/// A file that all nodes and the test append to. A written line outlives a `kill -9`.
#[derive(Clone)]
pub(super) struct Log {
    file: Arc<File>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Line {
    /// In microseconds of the machine's clock, which all processes share.
    pub(super) at: u64,
    /// The node that writes it, or that it happens to.
    pub(super) process: u32,
    /// The message's key; empty if it concerns no message.
    pub(super) key: String,
    pub(super) event: Event,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Event {
    Arrived {
        delivery: u64,
        message: u32,
    },
    Answered {
        delivery: u64,
        status: u16,
    },
    /// The client has gone away.
    Left {
        delivery: u64,
    },
    Begun {
        run: u32,
    },
    Failed {
        run: u32,
    },
    Ended {
        run: u32,
    },
    /// The hook has been called.
    Late {
        cause: String,
        text: Option<String>,
    },
    /// An operation of the store has ended.
    Store {
        operation: Operation,
        /// Of the claim.
        id: String,
        /// When it began, in microseconds of the machine's clock.
        since: u64,
        answer: Answer,
    },
    /// The node's own log says where parts of a late reply have gone.
    Parts {
        way: String,
        parts: usize,
    },
    /// Likewise, that a late reply is lost.
    Lost {
        reason: String,
        parts: usize,
    },
    /// Likewise, that a mailbox of the account has dropped parts to make room.
    Evicted {
        account: String,
        parts: usize,
    },
    /// Likewise, that a late reply may be given twice.
    MayBeTwice,
    /// WeChat's API fails from now on, as often as the text says.
    ApiFails(String),
    /// A fault begins. The text describes it.
    Fault(String),
    Killed,
    Stopped,
    Continued,
    /// The machine gave it no time to run, for this many microseconds.
    Starved(u64),
    /// Redis loses data from now on.
    Forgetting,
    /// It loses none any more.
    Forgot,
    /// All faults are over, and the node still runs messages without the store.
    StaysAlone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Operation {
    Claim,
    /// With the number of the claim.
    Renew(u32),
    Complete,
    Acknowledge,
    Release,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// With the number of the claim.
    Run(u32),
    Running,
    Replied,
    Late,
    TakenOver,
    Done,
    Yours,
    Lost,
    Stored,
    Acknowledged,
    Recorded,
    LastHold,
    HeldElsewhere,
    SentElsewhere,
    RunningElsewhere,
    NotCompleted,
    Unclaimed,
    Error,
    /// The node has stopped waiting for it.
    Silent,
}

impl Log {
    pub(super) fn open(path: &Path) -> Self {
        let file = File::options().append(true).create(true).open(path);
        Self {
            file: Arc::new(file.unwrap()),
        }
    }

    pub(super) fn write(&self, process: u32, key: &(impl ToString + ?Sized), event: Event) {
        let line = Line {
            at: now(),
            process,
            key: key.to_string(),
            event,
        };
        let mut line = serde_json::to_string(&line).unwrap();
        line.push('\n');
        // One call, so that no other process and no kill can split the line.
        let written = (&*self.file).write(line.as_bytes()).unwrap();
        assert_eq!(written, line.len(), "half a line");
    }

    pub(super) fn read(path: &Path) -> Vec<Line> {
        Self::read_from(path, 0)
    }

    /// Reads the lines that were written after the log had `length` bytes.
    pub(super) fn read_from(path: &Path, length: u64) -> Vec<Line> {
        let mut file = File::open(path).unwrap();
        file.seek(SeekFrom::Start(length)).unwrap();
        let mut lines = String::new();
        file.read_to_string(&mut lines).unwrap();
        let lines = lines.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }

    pub(super) fn length(path: &Path) -> u64 {
        fs::metadata(path).unwrap().len()
    }
}

/// Logs each time that the machine gives this process no time to run. It never ends.
pub(super) async fn note_starvation(log: Log, process: u32) {
    loop {
        let since = now();
        tokio::time::sleep(TICK).await;
        let lag = (now() - since).saturating_sub(TICK.as_micros().try_into().unwrap());
        if lag > STARVED {
            log.write(process, "", Event::Starved(lag));
        }
    }
}

pub(super) fn now() -> u64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    now.as_micros().try_into().unwrap()
}

const TICK: Duration = Duration::from_millis(25);

/// In microseconds. The answer to the last delivery has half a second to reach WeChat, and a silent store takes half
/// of it.
const STARVED: u64 = 50_000;
