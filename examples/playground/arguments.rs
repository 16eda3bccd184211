use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::Uri;
use lexopt::prelude::*;
use tower::BoxError;
use tower_wechat::Account;

use crate::{command_line, letter::Mode};

/// The arguments of the command line.
pub(crate) struct Arguments {
    pub(crate) listen: SocketAddr,
    pub(crate) setup: Setup,
}

/// The receiver of the messages.
pub(crate) enum Setup {
    /// The bot of this program, with an account for each mode.
    BuiltIn { plain: Account, safe: Account },
    /// A server on this machine, in its account's mode.
    Target {
        url: Uri,
        account: Account,
        mode: Mode,
    },
}

impl Arguments {
    /// Returns `None` if the user asks for help.
    pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Option<Self>, BoxError> {
        let mut listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 8765));
        let mut target = None;
        let mut token = "playground".to_owned();
        let (mut app_id, mut aes_key) = (None, None);
        while let Some(argument) = parser.next()? {
            match argument {
                Long("listen") => listen = command_line::address(&parser.value()?.string()?)?,
                Long("target") => target = Some(parser.value()?.string()?),
                Long("token") => token = parser.value()?.string()?,
                Long("app-id") => app_id = Some(parser.value()?.string()?),
                Long("aes-key") => aes_key = Some(parser.value()?.string()?),
                Short('h') | Long("help") => return Ok(None),
                _ => return Err(argument.unexpected().into()),
            }
        }
        if !listen.ip().is_loopback() {
            return Err(
                format!("--listen: expected an address of loopback, found {listen}").into(),
            );
        }
        let safe = match (app_id, aes_key) {
            (None, None) => None,
            (Some(app_id), Some(aes_key)) => Some(
                Account::encrypted(&token, app_id, aes_key)
                    .map_err(|error| format!("--token, --app-id, --aes-key: {error}"))?,
            ),
            _ => return Err("--app-id and --aes-key: expected both or neither".into()),
        };
        let plain = Account::plain(&token).map_err(|error| format!("--token: {error}"))?;
        let setup = match (target, safe) {
            (Some(url), safe) => Setup::Target {
                url: loopback(&url)?,
                mode: if safe.is_some() {
                    Mode::Safe
                } else {
                    Mode::Plain
                },
                account: safe.unwrap_or(plain),
            },
            (None, Some(safe)) => Setup::BuiltIn { plain, safe },
            (None, None) => Setup::BuiltIn {
                plain,
                safe: Account::encrypted(&token, APP_ID, AES_KEY)?,
            },
        };
        Ok(Some(Self { listen, setup }))
    }
}

/// Parses a URL on loopback. Others are rejected, so that nobody floods another person's server with this tool.
fn loopback(url: &str) -> Result<Uri, BoxError> {
    let expected = "--target: expected http://127.0.0.1:PORT/path, localhost or [::1]";
    let uri: Uri = url
        .parse()
        .map_err(|error| format!("{expected}, found {url:?}: {error}"))?;
    let host = uri.host().unwrap_or_default();
    let is_loopback = host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback());
    if uri.scheme_str() != Some("http") || !is_loopback {
        return Err(format!("{expected}, found {url:?}").into());
    }
    Ok(uri)
}

pub(crate) const USAGE: &str = "\
usage: playground [--listen ADDRESS] [--target URL] [--token TOKEN] [--app-id ID --aes-key KEY]

  --listen ADDRESS  where to serve the page, on loopback: a port, such as 8080, or an address, such as
                    localhost:8080; port 0 picks a free port; default: 8765
  --target URL      deliver to this server on loopback, such as http://127.0.0.1:8080/wechat, instead of
                    the built-in bot; the page says where that server calls WeChat's API
  --token TOKEN     the account's token, 3 to 32 letters or digits
  --app-id ID       safe mode: the account's app id, such as wx0a1b2c3d4e5f6071
  --aes-key KEY     safe mode: the account's EncodingAESKey, 43 letters or digits";

// These are no secrets: they are published in this file.
pub(crate) const APP_ID: &str = "wx0a1b2c3d4e5f6071";
const AES_KEY: &str = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";

#[cfg(test)]
mod tests {
    use super::{AES_KEY, APP_ID, Arguments, Setup};
    use crate::{command_line::tests::in_the_docs, letter::Mode};

    fn parse(words: &[&str]) -> Result<Option<Arguments>, String> {
        let parser = lexopt::Parser::from_args(words);
        Arguments::parse(parser).map_err(|error| error.to_string())
    }

    #[test]
    fn takes_what_the_help_says() {
        let target = "http://localhost:8080/wechat";
        let safe = ["--target", target, "--app-id", APP_ID, "--aes-key", AES_KEY];
        for (words, expected) in [(&safe[..2], Mode::Plain), (&safe, Mode::Safe)] {
            let arguments = parse(words).unwrap().unwrap();
            assert_eq!(arguments.listen.to_string(), "127.0.0.1:8765");
            let Setup::Target { url, mode, .. } = arguments.setup else {
                panic!("the built-in bot");
            };
            assert_eq!(url, target);
            assert!(mode == expected);
        }
        let arguments = parse(&["--listen", "localhost:0"]).unwrap().unwrap();
        assert!(matches!(arguments.setup, Setup::BuiltIn { .. }));
        assert!(parse(&["--help"]).unwrap().is_none());
        for parser in in_the_docs("playground") {
            assert!(Arguments::parse(parser).unwrap().is_some());
        }
    }

    #[test]
    fn says_which_option_is_wrong() {
        for (words, expected) in [
            (&["--bot"][..], "invalid option '--bot'"),
            (
                &["--listen", "0.0.0.0:8765"],
                "--listen: expected an address of loopback",
            ),
            (&["--listen", "localhost"], "--listen: expected 8080, "),
            (
                &["--target", "https://127.0.0.1/"],
                "--target: expected http://127.0.0.1:PORT/path",
            ),
            (
                &["--target", "http://example.com/"],
                "--target: expected http://127.0.0.1:PORT/path",
            ),
            (&["--token", "a token"], "--token: "),
            (
                &["--app-id", APP_ID],
                "--app-id and --aes-key: expected both or neither",
            ),
            (
                &["--app-id", APP_ID, "--aes-key", "short"],
                "--token, --app-id, --aes-key: ",
            ),
        ] {
            let error = parse(words).err().unwrap();
            assert!(error.starts_with(expected), "{words:?}: {error}");
        }
    }
}
