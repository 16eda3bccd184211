//! Judges a server's answer as WeChat does: accepted, and what the user then sees, or refused, and for which fault.

use bytes::Bytes;
use http::{Response, StatusCode};
use quick_xml::{Reader, events::Event};

use super::{Fault, Shown, ShownReply, chat::Contact, smart_bot, transcript::AnswerKind};
use crate::{
    account::Account,
    callback,
    message::{self, Head},
    reply::{self, TEXT_LIMIT, is_forbidden},
    xml::{self, Value},
};

/// The sender and the receiver of a message, and what it means to customer service. A name that the body does not have is
/// empty.
pub(super) struct Parties {
    pub(super) user: String,
    account: String,
    pub(super) contact: Contact,
    /// What the user says or does, in one line.
    pub(super) said: String,
    /// Whether the user sees a reply.
    accepts_reply: bool,
    /// The push, if it is one to a smart bot.
    bot: Option<Head>,
}

/// What WeChat makes of an answer.
pub(super) struct Judgement {
    pub(super) shown: Shown,
    pub(super) kind: AnswerKind,
    /// The stream of a smart bot that goes on.
    pub(super) stream_id: Option<String>,
}

impl Judgement {
    pub(super) fn new(shown: Shown, kind: AnswerKind) -> Self {
        Self {
            shown,
            kind,
            stream_id: None,
        }
    }

    /// Adds what the next answer of a stream says, if it says something.
    pub(super) fn go_on(&mut self, next: Self) {
        if next.kind == AnswerKind::Reply {
            self.stream_id = next.stream_id;
            if next.shown != Shown::Nothing {
                self.shown = next.shown;
            }
        }
    }
}

impl Parties {
    pub(super) fn of(body: &[u8]) -> Self {
        // A test may push bytes that are not UTF-8.
        let head = Head::read(String::from_utf8_lossy(body).as_bytes()).ok();
        let head = head.as_ref();
        let owned = |name: Option<&str>| name.unwrap_or_default().to_owned();
        Self {
            user: owned(head.and_then(Head::from_user_name)),
            account: owned(head.and_then(Head::to_user_name)),
            contact: head.map_or(Contact::Other, |head| Contact::of(head, body)),
            said: said(head, body),
            accepts_reply: head.is_some_and(Head::accepts_reply),
            bot: head.filter(|head| head.is_smart_bot()).cloned(),
        }
    }
}

fn said(head: Option<&Head>, body: &[u8]) -> String {
    let push: Value = message::from_slice(body).unwrap_or(Value::Empty);
    let msg_type = head.and_then(Head::msg_type).unwrap_or("push");
    if let Some(head) = head.filter(|head| head.is_smart_bot()) {
        let own = &push[msg_type];
        return match (msg_type, own["content"].as_str()) {
            ("text", words) => words.unwrap_or_default().to_owned(),
            (_, Some(words)) => format!("[{msg_type}] {words}"),
            _ => format!("[{}]", head.event().unwrap_or(msg_type)),
        };
    }
    let (name, words) = match msg_type {
        "text" => return push["Content"].as_str().unwrap_or_default().to_owned(),
        "event" => (push["Event"].as_str().unwrap_or(msg_type), "EventKey"),
        _ => (msg_type, "Recognition"),
    };
    match push[words].as_str() {
        None | Some("") => format!("[{name}]"),
        Some(words) => format!("[{name}] {words}"),
    }
}

/// Checks that the answer is the echostr and nothing else. WeChat refuses it in quotes or with a line end.
pub(super) fn check_echo(answer: &Response<Bytes>, echostr: &str) -> Result<(), Fault> {
    check_status(answer)?;
    if answer.body() == echostr {
        Ok(())
    } else {
        Err(Fault::echo())
    }
}

/// Checks that the answer is the one that virtual payment takes for success. It shows the user nothing.
pub(super) fn check_payment(
    answer: &Response<Bytes>,
    account: &Account,
) -> Result<Judgement, Fault> {
    check_status(answer)?;
    let body = answer.body();
    let opened = match account.encryption() {
        Some(_) if !reply::is_silent(body) => {
            callback::open_reply(account, body).map_err(Fault::envelope)?
        }
        _ => body.clone(),
    };
    let code = message::from_slice::<Value>(&opened).ok();
    let code = code.and_then(|answer| answer.element("ErrCode")?.as_number());
    if code == Some(0_i64) {
        Ok(Judgement::new(Shown::Nothing, AnswerKind::Reply))
    } else {
        Err(Fault::refused())
    }
}

/// Checks that the answer to the probe of cloud hosting is `success` or empty.
pub(super) fn check_probe(answer: &Response<Bytes>) -> Result<(), Fault> {
    check_status(answer)?;
    if reply::is_silent(answer.body()) {
        Ok(())
    } else {
        Err(Fault::probe())
    }
}

/// Returns what an answer shows to the user, or why WeChat refuses it.
pub(super) fn check_reply(
    answer: &Response<Bytes>,
    account: &Account,
    parties: &Parties,
) -> Result<Judgement, Fault> {
    if let Some(push) = &parties.bot {
        return smart_bot::check_reply(answer, account, push);
    }
    check_status(answer)?;
    let body = answer.body();
    if reply::is_silent(body) {
        return Ok(Judgement::new(Shown::Nothing, AnswerKind::Success));
    }
    let body = match account.encryption() {
        Some(_) => &callback::open_reply(account, body).map_err(Fault::envelope)?,
        None => body,
    };
    if !parties.accepts_reply && is_custom(body) {
        return Ok(Judgement::new(Shown::Nothing, AnswerKind::Reply));
    }
    let reply = read(body)?;
    check_addressing(&reply, parties)?;
    check_content(&reply)?;
    Ok(match required(&reply, "MsgType")? {
        // The message goes to an agent.
        "transfer_customer_service" => Judgement::new(Shown::Nothing, AnswerKind::Transfer),
        _ => Judgement::new(Shown::Reply(ShownReply::new(reply)), AnswerKind::Reply),
    })
}

/// Whether it is a custom answer, and no message.
fn is_custom(body: &[u8]) -> bool {
    message::from_slice::<Value>(body).is_ok_and(|answer| answer.element("MsgType").is_none())
}

/// Checks that the status is 200. Even a 201 with `success` is a failure; a published log shows it.
pub(super) fn check_status(answer: &Response<Bytes>) -> Result<(), Fault> {
    match answer.status() {
        StatusCode::OK => Ok(()),
        other => Err(Fault::status(other)),
    }
}

/// Reads a reply. It is stricter than the crate's reader, which accepts known errors in WeChat's bodies: WeChat may not
/// accept the same errors in a reply.
fn read(body: &[u8]) -> Result<Value, Fault> {
    let document = str::from_utf8(body).map_err(|_| Fault::malformed("expected UTF-8"))?;
    check_well_formed(document)?;
    xml::from_str(document).map_err(|error| Fault::malformed(error.to_string()))
}

fn check_well_formed(document: &str) -> Result<(), Fault> {
    if let Some(character) = document.chars().find(|character| is_forbidden(*character)) {
        let message = format!("expected characters that XML allows, found {character:?}");
        return Err(Fault::malformed(message));
    }
    let mut reader = Reader::from_str(document);
    let mut root = None;
    loop {
        match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(Event::Start(start)) => {
                root.get_or_insert_with(|| start.name().as_ref() == "xml");
            }
            // The section was already closed by an earlier `]]>`.
            Ok(Event::Text(text)) if text.contains("]]>") => {
                return Err(Fault::malformed("expected text, found `]]>`"));
            }
            Ok(_) => {}
            Err(error) => return Err(Fault::malformed(error.to_string())),
        }
    }
    match root {
        Some(true) => Ok(()),
        _ => Err(Fault::malformed("expected an <xml> element")),
    }
}

/// Checks that the reply goes from the message's receiver to its sender, and has a time.
fn check_addressing(reply: &Value, parties: &Parties) -> Result<(), Fault> {
    for (name, expected) in [
        ("ToUserName", &parties.user),
        ("FromUserName", &parties.account),
    ] {
        let found = required(reply, name)?;
        if found != expected {
            let message = format!("expected {name} {expected:?}, found {found:?}");
            return Err(Fault::addressing(message));
        }
    }
    let time = required(reply, "CreateTime")?;
    match time.trim().parse::<u64>() {
        Ok(_) => Ok(()),
        Err(_) => Err(Fault::malformed(format!(
            "expected seconds in CreateTime, found {time:?}"
        ))),
    }
}

/// Checks the fields and limits of the reply's type. Source: WeChat's page on passive replies.
fn check_content(reply: &Value) -> Result<(), Fault> {
    match required(reply, "MsgType")? {
        "text" => {
            let length = required(reply, "Content")?.len();
            if length > TEXT_LIMIT {
                return Err(Fault::limit(format!(
                    "expected at most {TEXT_LIMIT} bytes of Content, found {length}"
                )));
            }
        }
        "image" => {
            required(&reply["Image"], "MediaId")?;
        }
        "voice" => {
            required(&reply["Voice"], "MediaId")?;
        }
        "video" => {
            required(&reply["Video"], "MediaId")?;
        }
        "music" => {
            required(&reply["Music"], "ThumbMediaId")?;
        }
        "news" => {
            // Too many articles are no fault: the user sees the first ones.
            required(reply, "ArticleCount")?;
            if reply["Articles"].element("item").is_none() {
                return Err(Fault::malformed(
                    "expected an article in Articles, found none",
                ));
            }
        }
        "transfer_customer_service" => {}
        "update_button" => {
            required(&reply["Button"], "ReplaceName")?;
        }
        "update_template_card" if reply.element("TemplateCard").is_some() => {}
        other => {
            return Err(Fault::malformed(format!(
                "expected a reply's MsgType, found {other:?}"
            )));
        }
    }
    Ok(())
}

/// Returns the text of a required field.
pub(super) fn required<'a>(element: &'a Value, name: &str) -> Result<&'a str, Fault> {
    match element[name].as_str() {
        None | Some("") => Err(Fault::malformed(format!(
            "expected text in {name}, found none"
        ))),
        Some(text) => Ok(text),
    }
}
