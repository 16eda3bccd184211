//! The programs that a test starts, and ends.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::LazyLock,
};

/// The example `playground` at work.
#[derive(Debug)]
pub struct Playground {
    pub port: u16,
    _program: Program,
}

impl Playground {
    /// On a free port, unless the arguments name another.
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = example("playground");
        command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        // Open http://127.0.0.1:PORT/ …
        let (program, port) = Program::start(command, port_of_url);
        Self {
            port,
            _program: program,
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

/// The example `voice_bot` at work, a server of the user's own.
#[derive(Debug)]
pub struct VoiceBot {
    pub port: u16,
    _program: Program,
}

impl VoiceBot {
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = example("voice_bot");
        command.args(arguments);
        // Listening on http://127.0.0.1:PORT/wechat …
        let (program, port) = Program::start(command, port_of_url);
        Self {
            port,
            _program: program,
        }
    }
}

/// What the playground says on stderr when it does not start; it must fail.
#[track_caller]
pub fn refused(arguments: &[&str]) -> String {
    let output = example("playground").args(arguments).output();
    let output = output.expect("the example");
    assert!(!output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).expect("UTF-8")
}

fn port_of_url(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("http://127.0.0.1:")?;
    rest.split_once('/')?.0.parse().ok()
}

/// A program that listens on a port; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    /// Whoever writes to a closed pipe ends.
    _stdout: BufReader<ChildStdout>,
}

impl Program {
    /// Waits until it says on which port it listens.
    pub(crate) fn start(mut command: Command, port: fn(&str) -> Option<u16>) -> (Self, u16) {
        let child = command.stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = child.stdout.take().expect("a pipe");
        let mut stdout = BufReader::new(stdout);
        let mut lines = stdout.by_ref().lines().map_while(Result::ok);
        let port = lines.find_map(|line| port(&line));
        let program = Self {
            child,
            _stdout: stdout,
        };
        (
            program,
            port.unwrap_or_else(|| panic!("{command:?} does not listen")),
        )
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All examples are built once, from the crate's own folder.
fn example(name: &str) -> Command {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let built = Command::new("cargo")
            .args(["build", "--quiet", "--locked", "--features", "simulator"])
            .args(["--example", "playground", "--example", "voice_bot"])
            .current_dir(&root)
            .status();
        assert!(built.is_ok_and(|status| status.success()), "cargo build");
        let target = env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
        target.join("debug/examples")
    });
    Command::new(FOLDER.join(name))
}
