use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::Uri;
use lexopt::prelude::*;
use tower::BoxError;
use tower_wechat::Account;

use crate::letter::Mode;

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
                Long("listen") => listen = parser.value()?.parse()?,
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
usage: playground [--listen ADDR] [--target URL] [--token TOKEN] [--app-id ID --aes-key KEY]

  --listen ADDR   the address to serve the page on, default 127.0.0.1:8765; port 0 picks a free port
  --target URL    deliver to this server on loopback, such as http://127.0.0.1:8080/wechat, instead of
                  the built-in bot; the page says where that server calls WeChat's API
  --token TOKEN   the account's token, 3 to 32 letters or digits
  --app-id ID     safe mode: the account's app id
  --aes-key KEY   safe mode: the account's EncodingAESKey, 43 letters or digits";

// These are no secrets: they are published in this file.
pub(crate) const APP_ID: &str = "wx0a1b2c3d4e5f6071";
const AES_KEY: &str = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
