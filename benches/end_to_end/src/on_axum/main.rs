//! The server's CPU time for a request on axum, bare and through the stack.
//!
//! `on_axum` starts a server in a process of its own for each mode, sends it new messages, and reads how much CPU time
//! its threads took. The modes alternate. The client is `wrk` if it is installed, else `client.rs`. The results are
//! lines for `.ci/ratios`; the rounds go to standard error.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

mod client;
#[allow(dead_code, reason = "the benches' own, who need all of it")]
#[path = "../../../pipeline/fixture.rs"]
mod fixture;
mod server;

use fixture::{ID, encrypted_account, sealed, signed_query, voice};

const MODES: [&str; 3] = ["bare", "stack, plain", "stack, encrypted"];

fn main() {
    if let Some(mode) = env::args().nth(1) {
        return server::serve(&mode);
    }
    let wrk = has_wrk();
    eprintln!("client: {}", if wrk { "wrk" } else { "client.rs" });
    let clients = [
        Client::of(plain_requests(), "plain"),
        Client::of(sealed_requests(), "sealed"),
    ];
    let mut times = [const { Vec::new() }; MODES.len()];
    for round in 1..=ROUNDS {
        for (mode, times) in MODES.iter().zip(&mut times) {
            let client = &clients[usize::from(*mode == "stack, encrypted")];
            times.push(cpu_time(mode, client, wrk));
        }
        let [bare, plain, encrypted] = times.each_ref().map(|times| times[times.len() - 1]);
        eprintln!(
            "round {round}: bare {:.2} µs, plain {:.2} µs ({:.2} times), encrypted {:.2} µs ({:.2} times)",
            bare / 1000.0,
            plain / 1000.0,
            plain / bare,
            encrypted / 1000.0,
            encrypted / bare,
        );
    }
    // The least: other work on the machine only adds to it, by cold caches.
    for (mode, times) in MODES.iter().zip(times) {
        let least = times.into_iter().fold(f64::MAX, f64::min);
        println!("on axum, CPU time of a request\t{mode}\t{least}\t0\tns");
    }
}

/// A server's CPU time for a request, in nanoseconds.
fn cpu_time(mode: &str, client: &Client, wrk: bool) -> f64 {
    let mut server = Server::start(mode);
    let [before, after] = thread::scope(|scope| {
        let address = format!("127.0.0.1:{}", server.port);
        scope.spawn(move || client.send(&address, wrk));
        thread::sleep(WARM_UP);
        let before = server.totals();
        thread::sleep(MEASURED);
        [before, server.totals()]
    });
    let requests = after.requests - before.requests;
    assert!(requests > 10_000, "only {requests} requests");
    (after.cpu - before.cpu) as f64 / requests as f64
}

/// The process that serves one mode.
struct Server {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    port: u64,
}

/// Since the server's start.
struct Totals {
    /// In nanoseconds.
    cpu: u64,
    /// That have reached the handler.
    requests: u64,
}

impl Server {
    fn start(mode: &str) -> Self {
        let mut process = Command::new(env::current_exe().expect("a path"))
            .arg(mode)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut server = Self {
            input: process.stdin.take().expect("piped"),
            output: BufReader::new(process.stdout.take().expect("piped")),
            process,
            port: 0,
        };
        [server.port] = server.read();
        server
    }

    fn totals(&mut self) -> Totals {
        writeln!(self.input).expect("runs");
        let [cpu, requests] = self.read();
        Totals { cpu, requests }
    }

    fn read<const N: usize>(&mut self) -> [u64; N] {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("runs");
        let numbers: Vec<_> = line
            .split_whitespace()
            .map(|number| number.parse().expect("a number"))
            .collect();
        numbers.try_into().expect("as many numbers")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What sends the requests over and over. The table of messages forgets each before it comes again.
struct Client {
    requests: Vec<String>,
    /// The same, each with a NUL behind it, for `wrk`.
    file: PathBuf,
}

impl Client {
    fn of(requests: Vec<String>, name: &str) -> Self {
        let file = env::temp_dir().join(format!("end_to_end-{}-{name}", std::process::id()));
        fs::write(&file, requests.join("\0") + "\0").expect("room");
        Self { requests, file }
    }

    fn send(&self, address: &str, wrk: bool) {
        let time = WARM_UP + MEASURED + Duration::from_millis(500);
        if !wrk {
            return client::send(&self.requests, address, time);
        }
        let output = Command::new("wrk")
            .args(["-t1", "-c16", "-d"])
            .arg(format!("{}s", time.as_secs()))
            .arg("-s")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/on_axum/wrk.lua"))
            .arg(format!("http://{address}/wechat"))
            .arg("--")
            .arg(&self.file)
            .output()
            .expect("starts");
        let output = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.contains("requests in")
                && !output.contains("Non-2xx")
                && !output.contains("Socket errors"),
            "{output}"
        );
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Nothing else can be done about it.
        let _ = fs::remove_file(&self.file);
    }
}

fn has_wrk() -> bool {
    Command::new("wrk").arg("-v").output().is_ok()
}

fn plain_requests() -> Vec<String> {
    let query = signed_query();
    let request = |id| http(&query, &voice(id));
    (ID..).take(REQUESTS).map(request).collect()
}

fn sealed_requests() -> Vec<String> {
    let account = encrypted_account();
    let request = |id| {
        let (query, body) = sealed(&account, &voice(id));
        http(&query, &body)
    };
    (ID..).take(REQUESTS).map(request).collect()
}

/// With the headers that WeChat sends.
fn http(query: &str, body: &str) -> String {
    format!(
        "POST /wechat?{query} HTTP/1.1\r\nHost: bot.example.com\r\nUser-Agent: Mozilla/4.0\r\nAccept: */*\r\n\
         Pragma: no-cache\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

const ROUNDS: usize = 5;

/// Three times as many as the table of messages takes.
const REQUESTS: usize = 3 * server::CAPACITY;

const WARM_UP: Duration = Duration::from_millis(500);

const MEASURED: Duration = Duration::from_secs(2);
