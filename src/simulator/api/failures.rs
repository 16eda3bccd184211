//! The failures that a test asks for.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use http::StatusCode;

/// A call of WeChat's API, for [`ApiServer::fail_next`](super::ApiServer::fail_next).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ApiCall {
    /// `stable_token`, or the older `token`: the access token.
    Token,
    /// `getcallbackip`: the addresses of WeChat's servers.
    CallbackIps,
    /// `media/get`: a media file.
    Media,
    /// `media/upload`: a temporary media file.
    Upload,
    /// `message/custom/send`: a customer-service message.
    Send,
    /// `message/custom/typing`: shows that an answer is being typed.
    Typing,
    /// `aibot/response`: a message of a smart bot to a `response_url`.
    Respond,
}

impl ApiCall {
    pub(super) fn at(path: &str) -> Option<Self> {
        match path.strip_prefix("/cgi-bin/")? {
            "stable_token" | "token" => Some(Self::Token),
            "getcallbackip" => Some(Self::CallbackIps),
            "media/get" => Some(Self::Media),
            "media/upload" => Some(Self::Upload),
            "message/custom/send" => Some(Self::Send),
            "message/custom/typing" => Some(Self::Typing),
            "aibot/response" => Some(Self::Respond),
            _ => None,
        }
    }
}

/// What goes wrong with a call, for [`ApiServer::fail_next`](super::ApiServer::fail_next).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApiFailure {
    /// WeChat is busy: -1.
    Busy,
    /// All access tokens have ended: 40001, unless the call needs none. The next `stable_token` gives another one.
    EndedToken,
    /// WeChat does not have the media file any more: 40007.
    UnknownMedia,
    /// The account may not make the call: 48001, as to all unverified accounts.
    Unauthorized,
    /// WeChat answers this error code.
    Errcode(i64),
    /// A proxy answers with this status and an HTML page.
    Status(StatusCode),
    /// A proxy answers with the status 200 and an HTML page.
    Html,
    /// WeChat carries out the call at once, and the answer takes this time by tokio's clock.
    Slow(Duration),
    /// WeChat carries out the call, and the connection breaks before the answer.
    LostAnswer,
    /// WeChat carries out the call, and half of the answer's body is missing. The HTTP client does not notice.
    HalfAnswer,
}

/// The failures of each call.
#[derive(Default)]
pub(in super::super) struct Failures(BTreeMap<ApiCall, Failing>);

#[derive(Default)]
struct Failing {
    /// In order, each with the number of calls that it is for.
    next: VecDeque<(usize, ApiFailure)>,
    /// For the calls after these.
    always: Option<ApiFailure>,
}

impl Failures {
    pub(super) fn add(&mut self, count: usize, call: ApiCall, failure: ApiFailure) {
        if count > 0 {
            let failing = self.0.entry(call).or_default();
            failing.next.push_back((count, failure));
        }
    }

    pub(super) fn set(&mut self, call: ApiCall, failure: ApiFailure) {
        let failing = self.0.entry(call).or_default();
        failing.next.clear();
        failing.always = Some(failure);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn take(&mut self, call: ApiCall) -> Option<ApiFailure> {
        let failing = self.0.get_mut(&call)?;
        let Some((count, failure)) = failing.next.front_mut() else {
            return failing.always;
        };
        let failure = *failure;
        *count -= 1;
        if *count == 0 {
            failing.next.pop_front();
        }
        Some(failure)
    }
}
