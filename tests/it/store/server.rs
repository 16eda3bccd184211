//! A `redis-server` for one test.

use std::{
    env, fs,
    io::{BufRead, BufReader, ErrorKind},
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use redis::{Client, aio::MultiplexedConnection};

/// A Redis on a free port of the loopback interface. Dropping it ends it.
pub(crate) struct Server {
    port: u16,
    folder: PathBuf,
    options: Vec<String>,
    child: Option<Child>,
}

impl Server {
    /// Starts a server without persistence, and returns when it accepts connections.
    ///
    /// Without `redis-server` the test fails: a skipped one would count as passed.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server that writes each change to a file before it answers, so that a kill loses nothing.
    pub(crate) fn start_keeping() -> Self {
        // The kernel keeps written data when the process is killed.
        Self::start_with(&["--appendonly", "yes", "--appendfsync", "no"])
    }

    /// Starts a server with further options.
    pub(crate) fn start_with(options: &[&str]) -> Self {
        static SERVERS: AtomicU32 = AtomicU32::new(0);
        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        let folder = format!("tower-wechat-{}-{number}", std::process::id());
        let folder = env::temp_dir().join(folder);
        fs::create_dir_all(&folder).unwrap();
        // Another process may take the port before the server does.
        for _attempt in 0..8 {
            let mut server = Self {
                port: free_port(),
                folder: folder.clone(),
                options: options.iter().map(|&option| option.to_owned()).collect(),
                child: None,
            };
            if server.try_restart() {
                return server;
            }
            std::mem::forget(server);
        }
        panic!("redis-server finds no free port");
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub(crate) fn client(&self) -> Client {
        Client::open((Ipv4Addr::LOCALHOST.to_string(), self.port)).unwrap()
    }

    pub(crate) async fn connect(&self) -> MultiplexedConnection {
        let client = self.client();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    /// Kills the server.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Deletes the files of a killed server.
    pub(crate) fn forget(&mut self) {
        assert!(self.child.is_none(), "it would write its data again");
        fs::remove_dir_all(&self.folder).unwrap();
        fs::create_dir_all(&self.folder).unwrap();
    }

    /// Starts the server again, on the same port.
    pub(crate) fn restart(&mut self) {
        assert!(self.try_restart(), "the port is taken");
    }

    fn try_restart(&mut self) -> bool {
        self.kill();
        let spawned = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--save", "", "--maxmemory-policy", "noeviction"])
            .arg("--dir")
            .arg(&self.folder)
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => panic!(
                "redis-server is not installed, and this test needs it: \
                 install it (Debian: apt-get install redis-server), or leave the feature redis out"
            ),
            Err(error) => panic!("cannot start redis-server: {error}"),
        };
        let log = BufReader::new(child.stdout.take().unwrap());
        let mut lines = log.lines().map_while(Result::ok);
        let is_up = lines.any(|line| line.contains("Ready to accept connections"));
        self.child = Some(child);
        // Reads on, or the server would block on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        is_up
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Returns how often clients and scripts have called `command`.
pub(crate) async fn calls(connection: &mut MultiplexedConnection, command: &str) -> u64 {
    let mut info = redis::cmd("INFO");
    info.arg("commandstats");
    let info: String = info.query_async(connection).await.unwrap();
    let line = format!("cmdstat_{command}:calls=");
    let calls = info.lines().find_map(|row| row.strip_prefix(&*line));
    calls.map_or(0, |calls| calls.split_once(',').unwrap().0.parse().unwrap())
}
