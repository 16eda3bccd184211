//! What everybody writes down: one file, one line an event, in the order of writing.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

/// A file that both nodes and the test append to. What has been written outlives a `kill -9`.
#[derive(Clone)]
pub(super) struct Log {
    file: Arc<File>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Line {
    /// In microseconds of the machine's clock, which all processes share.
    pub(super) at: u64,
    /// The node that says it, or that it befalls.
    pub(super) process: u32,
    /// The message's key; empty for what befalls all of them.
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
    /// An operation of the store has ended, one way or the other.
    Store {
        operation: Operation,
        owner: String,
        /// When it began, in microseconds of the machine's clock.
        since: u64,
        answer: Answer,
    },
    Killed,
    Stopped,
    Continued,
    /// It has got no time to run for so many microseconds.
    Starved(u64),
    /// Redis has been killed, and will not know anything when it comes back.
    Forgetting,
    /// It is back.
    Forgot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Operation {
    Claim,
    /// With the number of the owner.
    Renew(u32),
    Complete,
    Acknowledge,
    Release,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// With the number of the owner.
    Run(u32),
    Running,
    Replied,
    Done,
    Yes,
    No,
    Kept,
    Acknowledged,
    Lost,
    Error,
    /// The node has not waited for it any longer.
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
        // One call, so that neither another process nor a kill comes between.
        let written = (&*self.file).write(line.as_bytes()).unwrap();
        assert_eq!(written, line.len(), "half a line");
    }

    pub(super) fn read(path: &Path) -> Vec<Line> {
        let lines = fs::read_to_string(path).unwrap();
        let lines = lines.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }
}

/// Notes when the machine has no time for this process, without end.
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

/// In microseconds. The last delivery's answer has half a second to reach WeChat, and a store that does not answer
/// takes half of it.
const STARVED: u64 = 50_000;
