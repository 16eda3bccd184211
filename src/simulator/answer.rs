//! What WeChat makes of an answer.

use bytes::Bytes;
use http::{Response, StatusCode};
use quick_xml::{Reader, events::Event};

use super::{Fault, Shown, ShownReply};
use crate::{
    account::Account,
    callback,
    message::Head,
    reply::{TEXT_LIMIT, is_forbidden},
    xml::{self, Value},
};

/// Between whom a message goes; empty where its body does not say.
pub(super) struct Parties {
    pub(super) user: String,
    account: String,
}

impl Parties {
    pub(super) fn of(body: &[u8]) -> Self {
        let head = Head::read(body).ok();
        let head = head.as_ref();
        let owned = |name: Option<&str>| name.unwrap_or_default().to_owned();
        Self {
            user: owned(head.and_then(Head::from_user_name)),
            account: owned(head.and_then(Head::to_user_name)),
        }
    }
}

/// The echostr must come back as it went: in quotes or before a line end it is refused.
pub(super) fn check_echo(answer: &Response<Bytes>, echostr: &str) -> Result<(), Fault> {
    check_status(answer)?;
    if answer.body() == echostr {
        Ok(())
    } else {
        Err(Fault::echo())
    }
}

/// What the user sees of an answer.
pub(super) fn check_reply(
    answer: &Response<Bytes>,
    account: &Account,
    parties: &Parties,
) -> Result<Shown, Fault> {
    check_status(answer)?;
    let body = answer.body();
    if body.is_empty() || body == "success" {
        return Ok(Shown::Nothing);
    }
    let reply = if account.encryption().is_some() {
        read(&callback::open_reply(account, body).map_err(Fault::envelope)?)?
    } else {
        read(body)?
    };
    check_addressing(&reply, parties)?;
    check_content(&reply)?;
    Ok(match required(&reply, "MsgType")? {
        // It goes to an agent.
        "transfer_customer_service" => Shown::Nothing,
        _ => Shown::Reply(ShownReply::new(reply)),
    })
}

/// Nothing but 200 will do: a 201 with `success` is a failure (published log of a server that
/// answered so).
fn check_status(answer: &Response<Bytes>) -> Result<(), Fault> {
    match answer.status() {
        StatusCode::OK => Ok(()),
        other => Err(Fault::status(other)),
    }
}

/// Reads a reply more strictly than the crate reads WeChat's own bodies: what is wrong with those,
/// WeChat need not forgive in ours.
fn read(body: &[u8]) -> Result<Value, Fault> {
    let document = str::from_utf8(body).map_err(|_| Fault::malformed("expected UTF-8"))?;
    check_well_formed(document)?;
    xml::from_str(document).map_err(|error| Fault::malformed(error.to_string()))
}

fn check_well_formed(document: &str) -> Result<(), Fault> {
    if let Some(character) = document.chars().find(|character| is_forbidden(*character)) {
        let message = format!("expected characters of XML, found {character:?}");
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
            // The end of a section that has been closed before.
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

/// The names change places, and a time stands beside them.
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

/// Each type's own fields and limits, after WeChat's page on passive replies.
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
            // Too many are no fault: the user sees the first ones.
            required(reply, "ArticleCount")?;
            if reply["Articles"].element("item").is_none() {
                return Err(Fault::malformed(
                    "expected an article in Articles, found none",
                ));
            }
        }
        "transfer_customer_service" => {}
        other => {
            return Err(Fault::malformed(format!(
                "expected a reply's MsgType, found {other:?}"
            )));
        }
    }
    Ok(())
}

/// The text of a field that must have one.
fn required<'a>(element: &'a Value, name: &str) -> Result<&'a str, Fault> {
    match element[name].as_str() {
        None | Some("") => Err(Fault::malformed(format!(
            "expected text in {name}, found none"
        ))),
        Some(text) => Ok(text),
    }
}
