//! Answers of a smart bot of WeCom (智能机器人): JSON without a receiver.

use serde::{Deserialize as _, Serialize};

use super::{
    Reply,
    characters::writable,
    content::{Content, EVENT_ARTICLE_LIMIT},
    custom::to_json,
    error::{Cause, Error},
    render::Rendered,
};
use crate::{
    message::Head,
    xml::{self, Value},
};

/// What a smart bot may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// A stream with this id: to a message, or to the poll of a stream.
    Stream(String),
    /// A text: the member opens the chat.
    Greeting,
    /// Another card: the member has tapped one.
    Card,
    /// Nothing.
    Nothing,
}

impl Turn {
    /// `None` if the push is none to a smart bot.
    pub(super) fn of(push: &Head) -> Option<Self> {
        if !push.is_smart_bot() {
            return None;
        }
        Some(match push.event() {
            _ if !push.is_event() => Self::Stream(stream_id(push)),
            Some("enter_chat") => Self::Greeting,
            Some("template_card_event") => Self::Card,
            _ => Self::Nothing,
        })
    }
}

/// Returns the id of the stream that a poll asks for, or that answers a message: the message's own, so that each retry has the
/// same, and no other message or user.
pub(crate) fn stream_id(push: &Head) -> String {
    if let Some(asked) = push.stream_id() {
        return asked.to_owned();
    }
    let (id, user) = (push.message_id(), push.from_user_name());
    format!("{}__{}", escaped(id), escaped(user))
}

/// WeCom does not say which characters an id may have.
fn escaped(text: Option<&str>) -> String {
    let bytes = text.unwrap_or_default().bytes();
    let escaped = bytes.map(|byte| match char::from(byte) {
        plain if plain.is_ascii_alphanumeric() => plain.to_string(),
        _ => format!("_{byte:02x}"),
    });
    escaped.collect()
}

impl Reply {
    /// Makes a template card (模板卡片).
    ///
    /// It answers a member of WeCom who has tapped a card, and takes the place of that card. A
    /// [smart bot](crate::message::smart_bot) also sends it in answer to a message, and to a member who opens the chat.
    ///
    /// The card is any type that serde writes with WeCom's names, such as an [`xml::Value`]: for an app those of the page
    /// "Passive replies" (90241), in XML, and for a smart bot those of the page "Template cards" (101032), in JSON. If it
    /// cannot be written in the format, rendering returns an error.
    ///
    /// ```
    /// use serde::Serialize;
    /// use tower_wechat::Reply;
    ///
    /// #[derive(Serialize)]
    /// #[serde(rename_all = "PascalCase")]
    /// struct Notice {
    ///     card_type: &'static str,
    ///     main_title: Title,
    /// }
    ///
    /// #[derive(Serialize)]
    /// #[serde(rename_all = "PascalCase")]
    /// struct Title {
    ///     title: String,
    /// }
    ///
    /// let card = Notice {
    ///     card_type: "text_notice",
    ///     main_title: Title { title: "High water at six".to_owned() },
    /// };
    /// assert!(Reply::template_card(&card).check().is_ok());
    /// ```
    pub fn template_card<T: Serialize + ?Sized>(card: &T) -> Self {
        Self::of(Content::TemplateCard(Card::new(card)))
    }

    /// Renders the answer of a smart bot.
    pub(super) fn render_for_bot(&self, turn: &Turn, cut_marker: &str) -> Result<Rendered, Error> {
        let Some(first) = &self.first else {
            return Ok(Rendered::success());
        };
        first.check(EVENT_ARTICLE_LIMIT)?;
        let (body, rest) = match (turn, first) {
            (Turn::Stream(id), Content::Text(_)) => {
                let (shown, rest) = first.cut(STREAM_LIMIT, cut_marker, self.tail_of_first());
                let (card, then) = match &*self.then {
                    [Content::TemplateCard(card), then @ ..] if rest.is_none() => {
                        (Some(card), then)
                    }
                    then => (None, then),
                };
                let card = card.map(Card::json).transpose()?;
                let content = match &*shown {
                    Content::Text(text) => text,
                    _ => "",
                };
                let rest = rest
                    .map(Content::Text)
                    .into_iter()
                    .chain(then.iter().cloned());
                (stream(id, true, content, card)?, self.rest_of(rest))
            }
            (Turn::Greeting, Content::Text(text)) => {
                let text = json(text)?;
                let body = format!(r#"{{"msgtype":"text","text":{{"content":{text}}}}}"#);
                (body, self.rest_after(None))
            }
            (Turn::Stream(_) | Turn::Greeting, Content::TemplateCard(card)) => {
                let card = card.json()?;
                let body = format!(r#"{{"msgtype":"template_card","template_card":{card}}}"#);
                (body, self.rest_after(None))
            }
            (Turn::Card, Content::TemplateCard(card)) => {
                let card = card.json()?;
                let body =
                    format!(r#"{{"response_type":"update_template_card","template_card":{card}}}"#);
                (body, self.rest_after(None))
            }
            _ => return Err(Error(Cause::Unsupported)),
        };
        Ok(Rendered::json(body, rest))
    }

    /// Returns the body that posts the first message of the reply to a smart bot's `response_url`, and what is left.
    /// `None` if it cannot be posted.
    #[cfg(feature = "api")]
    pub(crate) fn to_response_url(&self) -> Option<(String, Self)> {
        let first = self.first.as_ref()?;
        first.check(EVENT_ARTICLE_LIMIT).ok()?;
        let (shown, rest) = first.cut(STREAM_LIMIT, "", self.tail_of_first());
        let body = match &*shown {
            Content::Text(text) => {
                let text = json(text).ok()?;
                format!(r#"{{"msgtype":"markdown","markdown":{{"content":{text}}}}}"#)
            }
            Content::TemplateCard(card) => {
                let card = card.json().ok()?;
                format!(r#"{{"msgtype":"template_card","template_card":{card}}}"#)
            }
            _ => return None,
        };
        Some((body, self.rest_after(rest)))
    }
}

/// Makes the answer to a message or a poll that shows as much of `text` as a stream can.
#[cfg(feature = "layers")]
pub(crate) fn partial_stream(push: &Head, is_finished: bool, text: &str) -> Rendered {
    let shown = text
        .get(..text.floor_char_boundary(STREAM_LIMIT))
        .unwrap_or_default();
    // Texts can be written.
    stream(&stream_id(push), is_finished, &writable(shown.into()), None).map_or_else(
        |_| Rendered::success(),
        |body| Rendered::json(body, Reply::success()),
    )
}

fn stream(id: &str, is_finished: bool, text: &str, card: Option<&str>) -> Result<String, Error> {
    let (id, text) = (json(id)?, json(text)?);
    let stream = format!(r#"{{"id":{id},"finish":{is_finished},"content":{text}}}"#);
    Ok(match card {
        None => format!(r#"{{"msgtype":"stream","stream":{stream}}}"#),
        Some(card) => format!(
            r#"{{"msgtype":"stream_with_template_card","stream":{stream},"template_card":{card}}}"#
        ),
    })
}

fn json(text: &str) -> Result<String, Error> {
    to_json(text).map_err(|reason| Error::unwritable(&reason))
}

/// A template card in both formats. An error is the reason why it cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Card {
    pub(super) xml: Result<Value, String>,
    pub(super) json: Result<String, String>,
}

impl Card {
    fn new<T: Serialize + ?Sized>(card: &T) -> Self {
        let xml = xml::to_string(card).and_then(|xml| {
            let xml = writable(xml.into());
            Value::deserialize(&mut xml::Deserializer::first(&xml))
        });
        Self {
            xml: xml.map_err(|error| error.to_string()),
            json: to_json(card),
        }
    }

    pub(super) fn xml(&self) -> Result<&Value, Error> {
        self.xml.as_ref().map_err(Error::unwritable)
    }

    fn json(&self) -> Result<&str, Error> {
        self.json.as_deref().map_err(Error::unwritable)
    }

    /// Checks that it can be written in one of the formats.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.xml()
            .map(drop)
            .or_else(|error| self.json().map(drop).map_err(|_| error))
    }
}

/// The longest text of a stream, in bytes of UTF-8. Source: WeCom's page "Passive replies" (101031).
const STREAM_LIMIT: usize = 20_480;
