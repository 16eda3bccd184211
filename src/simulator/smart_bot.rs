//! WeCom's side of a smart bot: its pushes, its polls, and what it makes of the answers.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use serde_json::{Map, Value as Json, json};
use tokio::time::Instant;

use super::{
    Fault, Shown, ShownReply,
    answer::{Judgement, check_status, required},
    api::Refusal,
    transcript::AnswerKind,
};
use crate::{
    account::Account,
    callback,
    message::{self, Head},
    reply,
    xml::Value,
};

/// A push to a bot.
pub(super) struct BotPush<'a> {
    pub(super) msg_id: &'a str,
    pub(super) user_id: &'a str,
    pub(super) chat_id: Option<&'a str>,
    pub(super) create_time: u64,
    /// The code of its `response_url`.
    pub(super) code: &'a str,
    pub(super) msg_type: &'a str,
    /// The fields that a push of this type has in XML.
    pub(super) own: &'a [(std::borrow::Cow<'static, str>, String)],
}

impl BotPush<'_> {
    /// Writes it in JSON.
    pub(super) fn to_json(&self) -> Json {
        let mut own = Map::new();
        let mut event = "";
        for (name, value) in self.own {
            let name = match &**name {
                "Event" => {
                    event = value;
                    continue;
                }
                // A bot gets the words of a voice message alone.
                "MediaId" | "Format" => continue,
                "Content" | "Recognition" => "content",
                "PicUrl" => "url",
                name => name,
            };
            own.insert(name.to_owned(), value.as_str().into());
        }
        let is_event = self.msg_type == "event";
        let chat_type = if self.chat_id.is_some() {
            "group"
        } else {
            "single"
        };
        let mut push = Map::new();
        let mut put = |name: &str, value: Json| push.insert(name.to_owned(), value);
        put("msgid", self.msg_id.into());
        put("aibotid", BOT.into());
        put("chattype", chat_type.into());
        put("from", json!({ "userid": self.user_id }));
        put("msgtype", self.msg_type.into());
        if let Some(chat_id) = self.chat_id {
            put("chatid", chat_id.into());
        }
        if is_event {
            put("create_time", self.create_time.into());
            put("event", json!({ "eventtype": event, event: own }));
        } else {
            put(self.msg_type, own.into());
        }
        if !is_event || event == "template_card_event" {
            let url = format!("{RESPONSE_URL}{}", self.code);
            put("response_url", url.into());
        }
        push.into()
    }
}

/// Makes the poll of a stream with which this push was answered.
pub(super) fn poll(push: &[u8], msg_id: u64, stream_id: &str) -> Bytes {
    let mut poll: Map<String, Json> = serde_json::from_slice(push).unwrap_or_default();
    poll.retain(|name, _| ["aibotid", "chatid", "chattype", "from"].contains(&&**name));
    poll.insert("msgid".to_owned(), msg_id.to_string().into());
    poll.insert("msgtype".to_owned(), "stream".into());
    poll.insert("stream".to_owned(), json!({ "id": stream_id }));
    Json::from(poll).to_string().into()
}

/// Checks the answer to a push to a bot, as far as WeCom's page "Passive replies" (101031) says what it may be.
pub(super) fn check_reply(
    answer: &Response<Bytes>,
    account: &Account,
    push: &Head,
) -> Result<Judgement, Fault> {
    check_status(answer)?;
    if reply::is_silent(answer.body()) {
        return Ok(Judgement::new(Shown::Nothing, AnswerKind::Success));
    }
    let body = callback::open_reply(account, answer.body()).map_err(Fault::envelope)?;
    let reply: Value =
        message::from_slice(&body).map_err(|error| Fault::malformed(error.to_string()))?;
    let kind = reply["msgtype"]
        .as_str()
        .or(reply["response_type"].as_str());
    let kind = kind.ok_or_else(|| Fault::malformed("expected a msgtype, found none"))?;
    let event = push.event();
    let is_allowed = match kind {
        "text" => event == Some("enter_chat"),
        "template_card" => {
            event == Some("enter_chat") || push.is_message() && push.stream_id().is_none()
        }
        "stream" | "stream_with_template_card" => push.is_message(),
        "update_template_card" => event == Some("template_card_event"),
        _ => false,
    };
    if !is_allowed {
        return Err(Fault::malformed(format!(
            "expected an answer to the push, found {kind:?}"
        )));
    }
    let mut stream_id = None;
    if kind == "text" {
        required(&reply["text"], "content")?;
    }
    if kind.starts_with("stream") {
        let stream = &reply["stream"];
        let id = required(stream, "id")?;
        if push.stream_id().is_some_and(|asked| asked != id) {
            return Err(Fault::addressing(format!(
                "expected the stream that was asked for, found {id:?}"
            )));
        }
        let length = stream["content"].as_str().unwrap_or_default().len();
        if length > STREAM_LIMIT {
            return Err(Fault::limit(format!(
                "expected at most {STREAM_LIMIT} bytes of content, found {length}"
            )));
        }
        if stream["finish"].as_bool() != Some(true) {
            stream_id = Some(id.to_owned());
        }
    }
    let is_card = kind.ends_with("template_card");
    if is_card && reply["template_card"].elements().is_empty() {
        return Err(Fault::malformed("expected a template_card, found none"));
    }
    let is_empty = kind == "stream"
        && reply["stream"]["content"]
            .as_str()
            .is_none_or(str::is_empty);
    let shown = if is_empty {
        Shown::Nothing
    } else {
        Shown::Reply(ShownReply::new(reply))
    };
    Ok(Judgement {
        stream_id,
        ..Judgement::new(shown, AnswerKind::Reply)
    })
}

/// The URLs to which a bot may post.
#[derive(Default)]
pub(super) struct ResponseUrls {
    /// By its code: the user, and when it was given out.
    open: HashMap<String, (String, Instant)>,
    codes: VecDeque<String>,
}

impl ResponseUrls {
    pub(super) fn give_out(&mut self, code: &str, user_id: &str) {
        let given = (user_id.to_owned(), Instant::now());
        self.open.insert(code.to_owned(), given);
        self.codes.push_back(code.to_owned());
        if self.codes.len() > MAX_CODES
            && let Some(oldest) = self.codes.pop_front()
        {
            self.open.remove(&oldest);
        }
    }

    /// Takes one that is open. Returns the user.
    pub(super) fn take(&mut self, code: &str) -> Result<String, Refusal> {
        match self.open.remove(code) {
            Some((user_id, given)) if given.elapsed() < VALID => Ok(user_id),
            _ => Err(Refusal::RESPONSE_CODE),
        }
    }
}

/// Checks a message that is posted to such a URL.
pub(super) fn check_response(message: &Value) -> Result<(), Refusal> {
    match message["msgtype"].as_str() {
        Some("markdown") => match message["markdown"]["content"]
            .as_str()
            .unwrap_or_default()
            .len()
        {
            0 => Err(Refusal::TEXT_EMPTY),
            1..=STREAM_LIMIT => Ok(()),
            _ => Err(Refusal::TEXT_SIZE),
        },
        Some("template_card") if !message["template_card"].elements().is_empty() => Ok(()),
        _ => Err(Refusal::MESSAGE_TYPE),
    }
}

/// The bot.
const BOT: &str = "aib-2fWq7Xr0";

const RESPONSE_URL: &str = "https://qyapi.weixin.qq.com/cgi-bin/aibot/response?response_code=";

/// In bytes.
const STREAM_LIMIT: usize = 20_480;

/// How long such a URL is valid.
const VALID: Duration = Duration::from_hours(1);

const MAX_CODES: usize = 4096;

/// How long after an answer WeCom polls again. It is not documented.
pub(super) const POLL_PAUSE: Duration = Duration::from_secs(1);

/// How long after the message WeCom polls. Source: its page "Receive messages" (100719).
pub(super) const POLLED_FOR: Duration = Duration::from_mins(6);
