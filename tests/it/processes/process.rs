//! A node's process, from outside.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use super::node::{DRAIN, DRAIN_PATIENCE, DRAINED, LISTENING, LOG, REDIS};

/// It ends with the value.
pub(super) struct Process {
    child: Child,
    port: u16,
    input: ChildStdin,
    lines: mpsc::Receiver<String>,
}

impl Process {
    /// Starts a node that reaches its Redis on the port `redis`, and returns when it accepts connections.
    ///
    /// It is this very program, in which the test called `test` sees that it is to be a node.
    pub(super) fn start(test: &str, redis: u16, log: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture"])
            .env(REDIS, redis.to_string())
            .env(LOG, log)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // Who has heard enough still wants the pipe emptied.
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

    /// Sends the signal with this name, such as `STOP`.
    pub(super) fn signal(&self, name: &str) {
        // The shell's own `kill`, since a container may have no other.
        let command = format!("kill -{name} {}", self.id());
        let sent = Command::new("sh").args(["-c", &command]).status();
        assert!(sent.unwrap().success(), "{command}");
    }

    /// Tells the node that it is enough; [`wait`](Self::wait) is for its end.
    pub(super) fn drain(&mut self) {
        writeln!(self.input, "{DRAIN}").unwrap();
    }

    /// Waits until it has drained, by its own account and in the kernel's eyes.
    pub(super) fn wait(mut self) {
        self.hear(DRAINED, DRAIN_PATIENCE);
        assert!(self.child.wait().unwrap().success());
    }

    /// What follows `words`, which the test harness may have written something in front of.
    fn hear(&mut self, words: &str, patience: Duration) -> String {
        loop {
            let line = self.lines.recv_timeout(patience);
            let line =
                line.unwrap_or_else(|error| panic!("a node has not said {words:?}: {error}"));
            if let Some((_, rest)) = line.split_once(words) {
                return rest.to_owned();
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// To start, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(30);
