//! The programs that a test starts, and ends.

use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
};

/// The example at work, on a free port.
#[derive(Debug)]
pub struct Playground {
    pub port: u16,
    _program: Program,
}

impl Playground {
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(&*EXAMPLE);
        command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        // Open http://127.0.0.1:PORT/ …
        let (program, port) = Program::start(command, |line| {
            let (_, rest) = line.split_once("http://127.0.0.1:")?;
            rest.split_once('/')?.0.parse().ok()
        });
        Self {
            port,
            _program: program,
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

/// What the example says on stderr when it does not start; it must fail.
#[track_caller]
pub fn refused(arguments: &[&str]) -> String {
    let output = Command::new(&*EXAMPLE).args(arguments).output();
    let output = output.expect("the example");
    assert!(!output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).expect("UTF-8")
}

/// A program that listens on a port; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Program(Child);

impl Program {
    /// Waits until it says on which port it listens.
    pub(crate) fn start(mut command: Command, port: fn(&str) -> Option<u16>) -> (Self, u16) {
        let child = command.stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = child.stdout.take().expect("a pipe");
        let program = Self(child);
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let port = lines.find_map(|line| port(&line));
        (
            program,
            port.unwrap_or_else(|| panic!("{command:?} does not listen")),
        )
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Built once, from the crate's own folder.
static EXAMPLE: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built = Command::new("cargo")
        .args(["build", "--quiet", "--locked", "--example", "playground"])
        .args(["--features", "simulator"])
        .current_dir(&root)
        .status();
    assert!(built.is_ok_and(|status| status.success()), "cargo build");
    let target = env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    target.join("debug/examples/playground")
});
