//! The process of a node, as the test sees it.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use super::node::{API, CLOCK, DRAIN, DRAIN_PATIENCE, DRAINED, LISTENING, LOG, REDIS};

/// Dropping it kills the process.
pub(super) struct Process {
    child: Child,
    port: u16,
    input: ChildStdin,
    lines: mpsc::Receiver<String>,
}

impl Process {
    /// Starts a node that reaches its Redis on the port `redis` and WeChat's API on the port `api`, and returns when it
    /// accepts connections.
    ///
    /// It is this program: the test called `test` reads from the environment that it is a node.
    pub(super) fn start(test: &str, redis: u16, api: Option<u16>, log: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture"])
            .env(REDIS, redis.to_string())
            .envs(api.map(|port| (API, port.to_string())))
            .env(LOG, log)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // The pipe has to be emptied even when no line is wanted any more.
                let _ = sender.send(line);
            }
        });
        let mut process = Self {
            port: 0,
            input: child.stdin.take().unwrap(),
            child,
            lines,
        };
        let port = process.hear(LISTENING, PATIENCE);
        process.port = port.parse().unwrap();
        process
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sets the node's clock fast by this many seconds, or slow.
    pub(super) fn set_clock(&mut self, seconds: i64) {
        writeln!(self.input, "{CLOCK}{seconds}").unwrap();
    }

    /// Tells the node to drain. [`wait`](Self::wait) waits for its end.
    pub(super) fn drain(&mut self) {
        writeln!(self.input, "{DRAIN}").unwrap();
    }

    /// Waits until the node says that it has drained, and for the end of its process.
    pub(super) fn wait(mut self) {
        self.hear(DRAINED, DRAIN_PATIENCE);
        assert!(self.child.wait().unwrap().success());
    }

    /// Waits for a line with `words`, and returns the rest of it. The test harness may write in front of them.
    fn hear(&mut self, words: &str, patience: Duration) -> String {
        loop {
            let line = self.lines.recv_timeout(patience);
            let line =
                line.unwrap_or_else(|error| panic!("a node has not written {words:?}: {error}"));
            if let Some((_, rest)) = line.split_once(words) {
                return rest.to_owned();
            }
        }
    }
}

/// Sends the signal with this name, such as `STOP`, to a process.
pub(super) fn signal(process: u32, name: &str) {
    // The shell's own `kill`, since a container may have no other.
    let command = format!("kill -{name} {process}");
    let sent = Command::new("sh").args(["-c", &command]).status();
    assert!(sent.unwrap().success(), "{command}");
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// For a start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
