//! What the examples' command lines have in common.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;
use tower::BoxError;

/// Parses the value of `--listen`. A port alone is one on loopback, and so is `localhost`.
pub(crate) fn address(value: &str) -> Result<SocketAddr, BoxError> {
    let on_loopback = value.strip_prefix("localhost:").unwrap_or(value);
    if let Ok(port) = on_loopback.parse() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    value.parse().map_err(|_invalid| {
        format!("--listen: expected 8080, localhost:8080 or 127.0.0.1:8080, found {value:?}").into()
    })
}

/// Listens on an address. The error names it.
pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener, BoxError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| format!("cannot listen on {address}: {error}").into())
}

/// Adds to the error of a command line where the options are explained.
pub(crate) fn see_help(error: &BoxError) -> BoxError {
    format!("{error} (--help lists the options)").into()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::Ipv4Addr;

    use super::{address, listen};

    #[tokio::test]
    async fn a_port_in_use_is_named() {
        let used = listen((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let address = used.local_addr().unwrap();
        let error = listen(address).await.unwrap_err().to_string();
        let expected = format!("cannot listen on {address}: Address already in use");
        assert!(error.starts_with(&expected), "{error}");
    }

    #[test]
    fn listens_on_a_port_a_name_or_an_address() {
        for (value, expected) in [
            ("8080", "127.0.0.1:8080"),
            ("0", "127.0.0.1:0"),
            ("localhost:8080", "127.0.0.1:8080"),
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:8080", "[::1]:8080"),
        ] {
            assert_eq!(address(value).unwrap().to_string(), expected);
        }
        for value in [
            "",
            ":",
            "localhost",
            "65536",
            "127.0.0.1",
            "http://localhost:8080",
            "::1:80x",
        ] {
            let error = address(value).unwrap_err().to_string();
            let expected = "--listen: expected 8080, localhost:8080 or 127.0.0.1:8080, found";
            assert_eq!(error, format!("{expected} {value:?}"));
        }
    }

    /// The command lines in the READMEs and the guides that run `example`, without what is before ` -- `.
    pub(crate) fn in_the_docs(example: &str) -> Vec<lexopt::Parser> {
        let pages = [
            include_str!("../../README.md"),
            include_str!("../../README.zh-CN.md"),
            include_str!("../../src/_guide/nodes.md"),
            include_str!("../../src/_guide/voice.md"),
            include_str!("../../src/_guide/zh/nodes.md"),
            include_str!("../../src/_guide/zh/voice.md"),
        ];
        let program = format!("cargo run --example {example} ");
        let mut found = Vec::new();
        for page in pages {
            let page = page.replace("\\\n", " ");
            let lines = page.lines().filter(|line| line.starts_with(&program));
            found.extend(lines.map(|line| {
                let arguments = line
                    .split_once(" -- ")
                    .map_or("", |(_, arguments)| arguments);
                // What is in quotes is one argument.
                let parts = arguments.split('\'').enumerate();
                let words = parts.flat_map(|(at, part)| match at % 2 {
                    0 => part.split_whitespace().collect(),
                    _ => vec![part],
                });
                lexopt::Parser::from_args(words)
            }));
        }
        assert!(!found.is_empty(), "no page runs {example}");
        found
    }
}
