//! A client for machines without `wrk`: 16 connections, one request at a time on each.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

pub(crate) fn send(requests: &[String], address: &str, time: Duration) {
    let end = Instant::now() + time;
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let mut stream = TcpStream::connect(address).expect("listens");
                stream.set_nodelay(true).expect("a socket");
                let mut response = Vec::new();
                while Instant::now() < end {
                    let number = next.fetch_add(1, Ordering::Relaxed) % requests.len();
                    stream.write_all(requests[number].as_bytes()).expect("open");
                    response.clear();
                    while !is_whole(&response) {
                        let mut bytes = [0; 4096];
                        let read = stream.read(&mut bytes).expect("open");
                        assert!(read > 0, "the server has hung up");
                        response.extend_from_slice(&bytes[..read]);
                    }
                    assert!(response.starts_with(b"HTTP/1.1 200"));
                }
            });
        }
    });
}

fn is_whole(response: &[u8]) -> bool {
    let response = String::from_utf8_lossy(response);
    let Some((head, body)) = response.split_once("\r\n\r\n") else {
        return false;
    };
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    let length = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|(_, length)| length.parse().ok());
    body.len() >= length.expect("a length")
}
