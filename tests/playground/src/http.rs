//! HTTP as far as it is needed: one request a connection, answers that say how long they are.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// A request to a port of this machine.
#[derive(Debug, Clone)]
pub struct Sent {
    head: String,
    host: String,
    body: String,
}

impl Sent {
    /// To `path`, with the body of a POST.
    pub fn new(method: &str, path: &str, body: &str) -> Self {
        Self {
            head: format!("{method} {path} HTTP/1.1\r\n"),
            host: "127.0.0.1".to_owned(),
            body: body.to_owned(),
        }
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head += &format!("{name}: {value}\r\n");
        self
    }

    /// As if this machine were called so.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// Sends it.
    pub fn to(self, port: u16) -> io::Result<Answer> {
        let (head, body) = read(&mut BufReader::new(self.send(port)?))?;
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
        Ok(Answer {
            status: status.unwrap_or_default(),
            head: head.to_lowercase(),
            body,
        })
    }

    /// Sends it, and listens to an answer without an end until this is in it.
    pub fn hear(self, port: u16, until: &str) -> io::Result<String> {
        let mut stream = self.send(port)?;
        let mut heard = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&heard);
            if text.contains(until) {
                return Ok(text.into_owned());
            }
            match stream.read(&mut piece)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => heard.extend_from_slice(&piece[..length]),
            }
        }
    }

    fn send(self, port: u16) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let Self { head, host, body } = self;
        write!(
            stream,
            "{head}Host: {host}:{port}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )?;
        Ok(stream)
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: String,
}

/// The head and the body of a message.
pub(crate) fn read(stream: &mut impl BufRead) -> io::Result<(String, String)> {
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or_default();
        }
        head += &line;
    }
    let mut body = Vec::new();
    stream.take(length).read_to_end(&mut body)?;
    Ok((head, String::from_utf8_lossy(&body).into_owned()))
}
