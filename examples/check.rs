//! Says offline what the layers do with one request, and why. It takes the console's values and a captured request.
//!
//! ```sh
//! cargo run --example check --features simulator -- --help
//! ```
//!
//! With `--sample`, it makes such a request itself, and prints the command that sends it to a server. It prints neither the
//! values nor the message.

#[allow(dead_code, reason = "it listens on no address")]
mod command_line;

use std::{
    env,
    fmt::Write as _,
    fs,
    io::{self, Read as _},
    path::Path,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::Request;
use lexopt::prelude::*;
use tower::BoxError;
use tower_wechat::{
    Account, Message,
    callback::{self, ErrorKind, Query},
    message::{self, Head},
    simulator::Simulator,
};

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("check: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether the request is accepted.
fn run() -> Result<bool, BoxError> {
    let arguments = Arguments::parse(lexopt::Parser::from_env(), |name| env::var(name).ok());
    let Some(arguments) = arguments.map_err(|error| command_line::see_help(&error))? else {
        println!("{USAGE}");
        return Ok(true);
    };
    let mut query = arguments.query;
    if let Some(path) = &arguments.sample {
        let request = sample(&arguments.account, &arguments.url)?;
        write(Path::new(path), request.body()).map_err(|error| format!("{path}: {error}"))?;
        println!("curl --data-binary @{path} '{}'\n", request.uri());
        query = request.uri().query().unwrap_or_default().into();
    }
    let body = match arguments.sample.or(arguments.body).as_deref() {
        None => None,
        Some("-") => {
            let mut body = Vec::new();
            io::stdin().read_to_end(&mut body)?;
            Some(body)
        }
        Some(path) => Some(fs::read(path).map_err(|error| format!("{path}: {error}"))?),
    };
    let captured = Captured {
        query,
        body: body.map(Bytes::from),
    };
    let report = captured.check(&arguments.account, SystemTime::now());
    println!("{}", report.text);
    Ok(report.is_accepted)
}

/// Writes a file, and makes the folder that it lies in.
fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, contents)
}

/// Makes the request by which WeChat pushes a text.
fn sample(account: &Account, url: &str) -> Result<Request<Bytes>, BoxError> {
    let wechat = Simulator::new(account.clone()).with_uri(url)?;
    Ok(wechat.text("你好").request()?)
}

/// A request of WeChat.
struct Captured {
    query: String,
    /// `None` for the `GET` that verifies the URL.
    body: Option<Bytes>,
}

struct Report {
    text: String,
    is_accepted: bool,
}

impl Captured {
    /// Checks the request as of the time at which it was signed.
    fn check(&self, account: &Account, now: SystemTime) -> Report {
        let age = Query::parse(&self.query)
            .ok()
            .and_then(|query| told_age(query.timestamp().into(), now));
        let (verdict, is_accepted) = match self.read(account) {
            Ok(message) => (
                format!("The layers would accept it (HTTP 200): {message}"),
                true,
            ),
            Err(error) => {
                let status = match error.kind() {
                    ErrorKind::Signature => 403,
                    _ => 400,
                };
                (
                    format!("The layers would reject it (HTTP {status}): {error}"),
                    false,
                )
            }
        };
        let text = [age, Some(verdict)];
        Report {
            text: text.into_iter().flatten().collect::<Vec<_>>().join("\n"),
            is_accepted,
        }
    }

    fn read(&self, account: &Account) -> Result<String, callback::Error> {
        let query = Query::parse(&self.query)?;
        query.verify(account, query.timestamp().into(), Duration::ZERO)?;
        let Some(body) = &self.body else {
            callback::echostr(account, &query)?;
            return Ok(URL_VERIFIED.to_owned());
        };
        let opened = callback::open(account, &query, body.clone())?;
        Ok(describe(opened.plaintext()))
    }
}

/// Says how far the request is from the present, if a server would reject it for that.
fn told_age(signed_at: SystemTime, now: SystemTime) -> Option<String> {
    let (distance, direction) = match now.duration_since(signed_at) {
        Ok(age) => (age, "before"),
        Err(ahead) => (ahead.duration(), "after"),
    };
    (distance > TOLERANCE).then(|| {
        format!(
            "The request was signed {} s {direction} this machine's time, and a server rejects it by now, \
             unless it is an encrypted push about a payment, of the last 25 hours. If it is new, this machine's clock \
             is wrong. At the time of the signature:",
            distance.as_secs()
        )
    })
}

/// Says what the handler gets, without contents.
fn describe(plaintext: &[u8]) -> String {
    let Ok(head) = Head::read(plaintext) else {
        return "acknowledged, and no handler runs: the message is no document".to_owned();
    };
    let mut text = match (head.msg_type(), head.event().filter(|_| head.is_event())) {
        (_, Some(event)) => format!("the handler gets the event {event}"),
        (Some(msg_type), None) => format!("the handler gets a message of MsgType {msg_type}"),
        (None, None) => "the handler gets a push without MsgType".to_owned(),
    };
    if let Ok(Message::Other(other)) = message::from_slice(plaintext) {
        text.push_str(", as `Other`");
        if let Some(misfit) = other.misfit() {
            let _ = write!(text, ": it does not fit its type at {}", misfit.path());
        }
    }
    text
}

struct Arguments {
    account: Account,
    url: String,
    query: String,
    body: Option<String>,
    sample: Option<String>,
}

impl Arguments {
    /// Reads the settings that the command line does not have from `variable`. Returns `None` if the user asks for help.
    fn parse(
        mut parser: lexopt::Parser,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, BoxError> {
        let [mut token, mut app_id, mut aes_key] =
            ["WECHAT_TOKEN", "WECHAT_APP_ID", "WECHAT_AES_KEY"].map(variable);
        let (mut url, mut body, mut sample) = (None, None, None);
        let mut is_wecom = false;
        while let Some(argument) = parser.next()? {
            match argument {
                Long("token") => token = Some(parser.value()?.string()?),
                Long("app-id") => app_id = Some(parser.value()?.string()?),
                Long("aes-key") => aes_key = Some(parser.value()?.string()?),
                Long("wecom") => is_wecom = true,
                Long("body") => body = Some(parser.value()?.string()?),
                Long("sample") => sample = Some(parser.value()?.string()?),
                Short('h') | Long("help") => return Ok(None),
                Value(value) if url.is_none() => url = Some(value.string()?),
                _ => return Err(argument.unexpected().into()),
            }
        }
        if body.is_some() && sample.is_some() {
            return Err("--body and --sample: expected one of them".into());
        }
        let url = match url {
            None if sample.is_some() => SERVER.to_owned(),
            url => url.ok_or("expected the request's URL")?,
        };
        let query = url
            .split_once('?')
            .map_or("", |(_, query)| query)
            .to_owned();
        let token = token.ok_or("--token: expected the console's Token")?;
        let account = match (app_id, aes_key) {
            (Some(app_id), Some(key)) if is_wecom => Account::wecom(&token, &app_id, &key),
            (Some(app_id), Some(key)) => Account::encrypted(&token, &app_id, &key),
            (_, None) if !is_wecom => Account::plain(&token),
            _ => {
                return Err(
                    "--app-id and --aes-key: expected both, or no --aes-key in plain mode".into(),
                );
            }
        };
        Ok(Some(Self {
            account: account?,
            url,
            query,
            body,
            sample,
        }))
    }
}

const USAGE: &str = "\
usage: check [OPTION...] URL
       check [OPTION...] --sample FILE [URL]

Says what the layers do with a request, and why. It sends nothing, and prints neither the settings nor the message.
It succeeds if the request is accepted.

  URL              the captured request's URL, or its path and query, in quotes: '/wechat?signature=…&timestamp=…'
  --body FILE      the body of a POST; - is the standard input. Without it, the request is the GET that verifies the URL
  --sample FILE    makes a request of a text, writes its body to FILE, and prints the curl command that sends it to URL;
                   default: http://localhost:8080/wechat. A server accepts it for five minutes
  --token TOKEN    the console's Token; default: WECHAT_TOKEN in the environment
  --app-id ID      the AppID, for WeCom the corp id or suite id; default: WECHAT_APP_ID
  --aes-key KEY    the EncodingAESKey; default: WECHAT_AES_KEY. Without one, the account is in plain mode
  --wecom          the account is one of WeCom (企业微信)";

const URL_VERIFIED: &str = "the URL is verified, which proves the Token alone (for WeCom, all settings). Check a message, too";

/// Where the README's server listens.
const SERVER: &str = "http://localhost:8080/wechat";

/// A server's default.
const TOLERANCE: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::{command_line::tests::in_the_docs, *};

    /// Runs the command `age` seconds after the request was signed.
    fn check(options: &[&str], body: Option<String>, age: u64) -> (String, bool) {
        let parser = lexopt::Parser::from_args(options);
        let arguments = Arguments::parse(parser, |_| None).unwrap().unwrap();
        let query = Query::parse(&arguments.query);
        let signed_at = query.map_or(SystemTime::UNIX_EPOCH, |query| query.timestamp().into());
        let captured = Captured {
            query: arguments.query,
            body: body.map(Bytes::from),
        };
        let report = captured.check(&arguments.account, signed_at + Duration::from_secs(age));
        for secret in [TOKEN, KEY, "你好"] {
            assert!(!report.text.contains(secret), "{}", report.text);
        }
        (report.text, report.is_accepted)
    }

    const SAFE: [&str; 6] = ["--token", TOKEN, "--app-id", APP_ID, "--aes-key", KEY];

    #[test]
    fn says_what_becomes_of_a_message() {
        let (url, body) = voice();
        let with = |options: [&'static str; 6]| {
            let options: Vec<_> = options.into_iter().chain([url.as_str()]).collect();
            check(&options, Some(body.clone()), 0)
        };
        let accepted =
            "The layers would accept it (HTTP 200): the handler gets a message of MsgType voice";
        assert_eq!(with(SAFE), (accepted.to_owned(), true));
        for (at, wrong, expected) in [
            (
                1,
                "walnut42",
                "The layers would reject it (HTTP 403): wrong Token, ",
            ),
            (
                3,
                "wx9f8e7d6c5b4a3021",
                "The layers would reject it (HTTP 400): wrong app id ",
            ),
            (
                5,
                "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6lM9oR2u",
                "The layers would reject it (HTTP 400): wrong EncodingAESKey: the ",
            ),
        ] {
            let mut options = SAFE;
            options[at] = wrong;
            let (text, is_accepted) = with(options);
            assert!(text.starts_with(expected) && !is_accepted, "{text}");
        }
        let plain = check(&["--token", TOKEN, &url], Some(body.clone()), 0).0;
        assert!(
            plain.starts_with(
                "The layers would reject it (HTTP 400): wrong mode: the push is encrypted"
            ),
            "{plain}"
        );
        let (old, is_accepted) = check(&[&SAFE[..], &[&url]].concat(), Some(body), 3600);
        assert!(
            old.starts_with("The request was signed 3600 s before") && is_accepted,
            "{old}"
        );
    }

    #[test]
    fn takes_the_commands_of_the_docs() {
        for parser in in_the_docs("check") {
            assert!(Arguments::parse(parser, |_| None).unwrap().is_some());
        }
    }

    #[test]
    fn makes_a_request_that_it_accepts() {
        let parser = lexopt::Parser::from_args(SAFE.iter().chain(&["--sample", "body.xml"]));
        let arguments = Arguments::parse(parser, |_| None).unwrap().unwrap();
        let request = sample(&arguments.account, &arguments.url).unwrap();
        let url = request.uri().to_string();
        assert!(url.starts_with("http://localhost:8080/wechat?"), "{url}");
        let body = String::from_utf8(request.body().to_vec()).unwrap();
        let accepted =
            "The layers would accept it (HTTP 200): the handler gets a message of MsgType text";
        let options = [&SAFE[..], &[&url]].concat();
        assert_eq!(check(&options, Some(body), 0), (accepted.to_owned(), true));
    }

    #[test]
    fn makes_the_folder_of_the_sample() {
        let id = std::process::id();
        let root = env::temp_dir().join(format!("tower-wechat-check-{id}"));
        let path = root.join("target/sample.xml");
        for contents in ["first", "second"] {
            write(&path, contents.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), contents);
        }
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn says_whether_the_url_is_verified() {
        let url = signed_url();
        let verified = check(&["--token", TOKEN, &url], None, 0);
        let expected = format!("The layers would accept it (HTTP 200): {URL_VERIFIED}");
        assert_eq!(verified, (expected, true));
        let (lost, _) = check(&["--token", TOKEN, "https://example.com/wechat"], None, 0);
        assert!(
            lost.starts_with("The layers would reject it (HTTP 400): no callback of WeChat"),
            "{lost}"
        );
    }

    #[test]
    fn says_which_option_is_wrong() {
        for (words, expected) in [
            (&["--token", "rosebud7"][..], "expected the request's URL"),
            (&["/"], "--token: expected "),
            (&["/", "--token", "no"], "the token has 2 characters"),
            (
                &["/", "--token", "rosebud7", "--aes-key", KEY],
                "--app-id and --aes-key: ",
            ),
            (&["/", "/"], "unexpected argument \"/\""),
            (
                &["/", "--body", "a", "--sample", "b"],
                "--body and --sample: expected one of them",
            ),
        ] {
            let parser = lexopt::Parser::from_args(words);
            let error = Arguments::parse(parser, |_| None)
                .err()
                .unwrap()
                .to_string();
            assert!(error.starts_with(expected), "{words:?}: {error}");
        }
        let help = Arguments::parse(lexopt::Parser::from_args(["--help"]), |_| None);
        assert!(help.unwrap().is_none());
    }

    /// A voice message in safe mode: its URL and its body.
    fn voice() -> (String, String) {
        let account = Account::encrypted(TOKEN, APP_ID, KEY).unwrap();
        let voice = Simulator::new(account).voice("media-1").recognition("你好");
        let request = voice.request().unwrap();
        let body = String::from_utf8(request.body().to_vec()).unwrap();
        (request.uri().to_string(), body)
    }

    fn signed_url() -> String {
        let token = tower_wechat::account::Token::new(TOKEN).unwrap();
        let signature = callback::Signature::sign(&token, ["1735689600", "90817"]);
        format!(
            "https://example.com/wechat?signature={signature}&timestamp=1735689600&nonce=90817&echostr=557"
        )
    }

    const TOKEN: &str = "rosebud7";
    const APP_ID: &str = "wx0a1b2c3d4e5f6071";
    const KEY: &str = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
}
