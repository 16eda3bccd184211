//! Why a call to WeChat's API fails, and whether to make it again.

use std::{error, fmt, sync::Arc, time::Duration};

use http::StatusCode;

use super::call::Call;
use crate::{account, reply};

/// The reason why a call to WeChat's API failed, or why an [`Api`](super::Api) cannot be built.
///
/// The message says what was called, what WeChat answered, and for many [kinds](ErrorKind) what to do. It never
/// contains a token, a secret or an OpenID: they are removed from the texts of WeChat and of the HTTP client.
#[derive(Clone)]
pub struct Error(Arc<Failure>);

struct Failure {
    /// What was called; `None` if the `Api` cannot be built.
    call: Option<Call>,
    cause: Cause,
}

pub(super) enum Cause {
    AppId(account::Error),
    /// The position of the character in bytes; `None` if the secret is empty.
    AppSecret(Option<usize>),
    BaseUrl(&'static str),
    /// The text of the client's error and of its sources.
    Client(String),
    /// Likewise, and the request has not been sent.
    Unreached(String),
    Timeout(Duration),
    /// The limit in bytes.
    TooLarge(usize),
    Status(StatusCode),
    /// What was expected, and what was found.
    Response(&'static str, String),
    /// The text of the source's error.
    TokenSource(String),
    /// The task that fetches the token panicked, or its runtime has ended.
    TokenTask,
    /// What is wrong with the id.
    MediaId(&'static str),
    /// In bytes.
    FileTooLarge {
        limit: usize,
        found: usize,
    },
    Reply(reply::Error),
    /// A transfer to an agent.
    Unsendable,
    Code {
        errcode: i64,
        errmsg: String,
    },
    /// A call that would be answered 48001 again.
    Known {
        errcode: i64,
    },
}

impl Error {
    pub(super) fn new(call: Call, cause: Cause) -> Self {
        let call = Some(call);
        Self(Arc::new(Failure { call, cause }))
    }

    /// Makes the error of an `Api` that cannot be built.
    pub(super) fn of_setting(cause: Cause) -> Self {
        Self(Arc::new(Failure { call: None, cause }))
    }

    /// Returns the kind of error.
    pub fn kind(&self) -> ErrorKind {
        match &self.0.cause {
            Cause::AppId(_) => ErrorKind::AppId,
            Cause::AppSecret(_) => ErrorKind::AppSecret,
            Cause::BaseUrl(_) => ErrorKind::BaseUrl,
            Cause::Client(_) | Cause::Unreached(_) => ErrorKind::Client,
            Cause::Timeout(_) => ErrorKind::Timeout,
            Cause::TooLarge(_) => ErrorKind::TooLarge,
            Cause::Status(_) => ErrorKind::Status,
            Cause::Response(..) => ErrorKind::Response,
            Cause::TokenSource(_) | Cause::TokenTask => ErrorKind::TokenSource,
            Cause::MediaId(_) => ErrorKind::MediaId,
            Cause::FileTooLarge { .. } => ErrorKind::Upload,
            Cause::Reply(_) | Cause::Unsendable => ErrorKind::Reply,
            Cause::Code { errcode, .. } | Cause::Known { errcode } => {
                ErrorKind::of(*errcode, self.0.call)
            }
        }
    }

    /// Returns WeChat's error code (`errcode`); `None` if WeChat's answer has none, or if nothing was called.
    pub fn errcode(&self) -> Option<i64> {
        match self.0.cause {
            Cause::Code { errcode, .. } | Cause::Known { errcode } => Some(errcode),
            _ => None,
        }
    }

    /// Returns whether WeChat may have carried out the call all the same: its answer was lost, or was not WeChat's.
    ///
    /// A repetition of such a [`send`](super::Api::send) may show the message twice.
    pub fn may_be_done(&self) -> bool {
        let is_about_token = matches!(self.0.call, Some(Call::Token) | None);
        let is_lost = matches!(
            self.0.cause,
            Cause::Client(_)
                | Cause::Timeout(_)
                | Cause::TooLarge(_)
                | Cause::Status(_)
                | Cause::Response(..)
        );
        is_lost && !is_about_token
    }

    /// Returns whether the failed `call` needs no warning: the failed fetch of its token has one, and so had the first call
    /// that WeChat did not authorize. A user who is not shown typing misses nothing.
    pub(super) fn is_logged_elsewhere(&self, call: Call) -> bool {
        matches!(self.0.cause, Cause::Known { .. })
            || self.0.call != Some(call)
            || call == Call::Typing
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(call) = self.0.call {
            write!(f, "cannot {}: ", call.purpose())?;
        }
        match &self.0.cause {
            Cause::AppId(error) => error.fmt(f),
            Cause::AppSecret(None) => write!(f, "the AppSecret is empty: {COPY}"),
            Cause::AppSecret(Some(position)) => write!(
                f,
                "the AppSecret has a character that is no letter, digit, `_` or `-`, at byte {position}: {COPY}"
            ),
            Cause::BaseUrl(problem) => write!(
                f,
                "the base URL {problem}: pass a URL such as `https://api.weixin.qq.com`"
            ),
            Cause::Client(text) | Cause::Unreached(text) => {
                write!(f, "the HTTP client failed: {text}")
            }
            Cause::Timeout(limit) => write!(f, "no whole answer within {limit:?}"),
            Cause::TooLarge(limit) => {
                write!(f, "expected an answer of at most {limit} bytes, found more")
            }
            Cause::Status(status) => write!(f, "expected the HTTP status 200, found {status}"),
            Cause::Response(expected, found) => write!(f, "expected {expected}, found {found}"),
            Cause::TokenSource(text) => write!(f, "the token source failed: {text}"),
            Cause::TokenTask => f.write_str("the task that fetches it panicked or was cancelled"),
            Cause::MediaId(problem) => write!(f, "the media id {problem}"),
            Cause::FileTooLarge { limit, found } => {
                write!(f, "expected a file of at most {limit} bytes, found {found}")
            }
            Cause::Reply(error) => error.fmt(f),
            Cause::Unsendable => f.write_str("only a passive reply can transfer to an agent"),
            Cause::Code { errcode, errmsg } => {
                write!(f, "WeChat answered {errcode}")?;
                if !errmsg.is_empty() {
                    write!(f, " ({errmsg})")?;
                }
                f.write_str(self.kind().advice(*errcode))
            }
            Cause::Known { errcode } => {
                write!(
                    f,
                    "WeChat answered {errcode} within the last hour, so it was not called"
                )?;
                f.write_str(self.kind().advice(*errcode))
            }
        }
    }
}

/// Prints the same text as `Display`: `main` prints an error with `Debug`.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.0.cause {
            Cause::AppId(error) => Some(error),
            Cause::Reply(error) => Some(error),
            _ => None,
        }
    }
}

/// The kinds of [`Error`], and what to do about each. The numbers are WeChat's error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The app id is malformed. Copy it from the console.
    AppId,
    /// The AppSecret is malformed. Copy it from the console.
    AppSecret,
    /// [`with_base_url`](super::Api::with_base_url) does not accept the URL.
    BaseUrl,

    /// The HTTP client failed: there was no connection, or it broke off. Call again. But WeChat may have carried out a
    /// [`send`](super::Api::send) whose answer was lost, and then the user sees the message twice.
    Client,
    /// The whole answer did not arrive [in time](super::Api::with_timeout). Call again, with the same caveat as for
    /// [`Client`](Self::Client).
    Timeout,
    /// The answer is larger than 10 MiB for media, 1 MiB for any other call, or the
    /// [limit of a recognition](crate::recognize#limits). Such an answer is usually not WeChat's.
    TooLarge,
    /// The HTTP status is not 200. WeChat answers 200 to failed calls too, so it is usually a proxy's. Check the proxy
    /// and the [base URL](super::Api::with_base_url).
    Status,
    /// The response is not WeChat's, such as a proxy's HTML page, or is no recording where one was expected. Check as for
    /// [`Status`](Self::Status).
    Response,
    /// The [token source](super::Api::with_token_source) failed, or the task that fetches the token panicked.
    TokenSource,

    /// -1: WeChat is busy, and still was after three repetitions. Call again later.
    Busy,
    /// 40001, 40014, 41001, 42001: WeChat rejected the access token, and then a newly fetched one. Another program may fetch
    /// tokens of this account in a way that ends the former one: use `stable_token` there too, without
    /// `force_refresh`.
    AccessToken,
    /// 40001 to the fetch of a token, and 40013, 40125, 40243, 41002, 41004: the app id or the AppSecret is wrong, or
    /// the secret is frozen. Copy both from the console. If the secret is frozen, lift that in the console.
    Credentials,
    /// 40164, 61004: WeChat does not accept calls from this machine's address. The error's message names the address.
    /// Add it to the IP whitelist (IP白名单) in the console, or call through a proxy with an address that is on it.
    Address,
    /// 48001, 40200: the account is unverified (48001) or of the wrong kind (40200), and may not make this call. All personal
    /// accounts are unverified (未认证), and may neither fetch media nor send customer-service messages. For an hour, the
    /// call fails at once. Verify the account, or do without.
    Unauthorized,
    /// 45009, 45011: too many calls in this day or minute. Put tower's `RateLimit` around the HTTP client. The console
    /// resets a day's count.
    RateLimit,

    /// 40007: WeChat does not know the media id. It has been deleted after three days, or belongs to another account.
    /// Also a media id that is empty or over 1024 bytes, which is not asked for.
    MediaId,
    /// 40004, 40005, 40006, 41005, 45001, 45007: WeChat does not accept the upload. Also a file over the limit, which is
    /// not uploaded. [`MediaKind`](super::MediaKind) lists the formats and the limits.
    Upload,
    /// 40003: the OpenID is not one of this account. Check that the message and the `Api` belong to the same account.
    OpenId,
    /// 43004: the user does not follow the account. Drop the message.
    NotFollower,
    /// 45015: the user wrote too long ago, or has unsubscribed. Wait for the user's next message.
    WindowClosed,
    /// 45047: too many messages since the user last wrote. Wait for the user's next message.
    QuotaSpent,
    /// 45002, 45008: the reply is over a limit. Also a reply that is not sent because it is over a
    /// [limit](crate::reply#limits), or because only a passive reply can do what it does.
    Reply,
    /// 45080, 45081: the user wrote too long ago to be shown that an answer is being typed, or is shown it already. Do
    /// nothing.
    Typing,
    /// Any other code; [`errcode`](Error::errcode) returns it. Look it up on WeChat's page "Global return codes"
    /// (全局返回码).
    Other,
}

impl ErrorKind {
    fn of(errcode: i64, call: Option<Call>) -> Self {
        match errcode {
            -1 => Self::Busy,
            40_001 if call == Some(Call::Token) => Self::Credentials,
            40_001 | 40_014 | 41_001 | 42_001 => Self::AccessToken,
            40_013 | 40_125 | 40_243 | 41_002 | 41_004 => Self::Credentials,
            40_164 | 61_004 => Self::Address,
            48_001 | 40_200 => Self::Unauthorized,
            45_009 | 45_011 => Self::RateLimit,
            40_007 => Self::MediaId,
            40_004 | 40_005 | 40_006 | 41_005 | 45_001 | 45_007 => Self::Upload,
            40_003 => Self::OpenId,
            43_004 => Self::NotFollower,
            45_015 => Self::WindowClosed,
            45_047 => Self::QuotaSpent,
            45_002 | 45_008 => Self::Reply,
            45_080 | 45_081 => Self::Typing,
            _ => Self::Other,
        }
    }

    /// Returns what the message says beyond WeChat's own words.
    fn advice(self, errcode: i64) -> &'static str {
        match self {
            Self::AccessToken => ": does another program fetch tokens of this account?",
            Self::Credentials if errcode == 40_243 => {
                ": the AppSecret is frozen, lift that in the console"
            }
            Self::Credentials => ": copy the app id and the AppSecret from the console again",
            Self::Address => ": add the address to the IP whitelist in the console",
            Self::Unauthorized if errcode == 40_200 => {
                ": this kind of account may not make this call"
            }
            Self::Unauthorized => ": unverified accounts may not make this call",
            Self::MediaId => ": media are kept for three days, and belong to one account",
            Self::WindowClosed | Self::QuotaSpent => ": wait for the user's next message",
            _ => "",
        }
    }

    /// Returns the kind as events and metrics name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AppId => "app_id",
            Self::AppSecret => "app_secret",
            Self::BaseUrl => "base_url",
            Self::Client => "client",
            Self::Timeout => "timeout",
            Self::TooLarge => "too_large",
            Self::Status => "status",
            Self::Response => "response",
            Self::TokenSource => "token_source",
            Self::Busy => "busy",
            Self::AccessToken => "access_token",
            Self::Credentials => "credentials",
            Self::Address => "address",
            Self::Unauthorized => "unauthorized",
            Self::RateLimit => "rate_limit",
            Self::MediaId => "media_id",
            Self::Upload => "upload",
            Self::OpenId => "open_id",
            Self::NotFollower => "not_follower",
            Self::WindowClosed => "window_closed",
            Self::QuotaSpent => "quota_spent",
            Self::Reply => "reply",
            Self::Typing => "typing",
            Self::Other => "other",
        }
    }
}

const COPY: &str = "copy it from the console again, without spaces or line breaks";
