//! A server that answers everybody the same.

use std::{
    io::{BufReader, Write},
    net::TcpListener,
    thread,
};

use crate::http;

/// It ends with the test.
#[derive(Debug)]
pub struct Server {
    pub port: u16,
}

impl Server {
    /// Answers each request with this status line and body.
    pub fn start(status: &'static str, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = http::read(&mut BufReader::new(&stream));
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\
                     Connection: close\r\n\r\n{body}"
                );
            }
        });
        Self { port }
    }
}
