//! How a smart bot's push is read.

use serde::{Deserialize, Deserializer, de};

use super::{BotContent, BotEvent, BotMessage};
use crate::{
    message::{
        field::{self, EVENT},
        info,
        other::OtherMessage,
    },
    xml::{self, Value},
};

impl<'de> Deserialize<'de> for BotMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = info::read_without(deserializer, &FOREIGN)?;
        let push = fields.fields();
        let Some(identity) = Identity::of(push).map_err(de::Error::custom)? else {
            return Err(de::Error::missing_field("msgid"));
        };
        let owned = |text: Option<&str>| text.map(ToOwned::to_owned);
        let quote = push
            .element("quote")
            .filter(|quote| !quote.elements().is_empty());
        let quote = quote
            .map(BotContent::part)
            .transpose()
            .map_err(de::Error::custom)?;
        Ok(Self {
            msg_id: identity.msg_id.unwrap_or_default().to_owned(),
            aibot_id: owned(identity.aibot_id),
            chat_id: owned(identity.chat_id),
            chat_type: owned(text(push, "chattype")),
            user_id: owned(identity.user_id),
            corp_id: owned(text(&push["from"], "corpid")),
            create_time: identity.create_time.and_then(field::create_time),
            response_url: owned(text(push, "response_url")),
            quote: quote.map(Box::new),
            content: BotContent::of(fields),
        })
    }
}

impl BotContent {
    /// Reads the fields of a push, a part or a quote as the type that their `msgtype` names.
    fn of(fields: OtherMessage) -> Self {
        let push = fields.fields();
        let name = push["msgtype"].as_str().unwrap_or_default();
        let body = &push[name];
        let read = match name {
            "text" => body.read().map(Self::Text),
            "voice" => body.read().map(Self::Voice),
            "image" => body.read().map(Self::Image),
            "file" => body.read().map(Self::File),
            "video" => body.read().map(Self::Video),
            "mixed" => body
                .all("msg_item")
                .map(Self::part)
                .collect::<xml::Result<_>>()
                .map(Self::Mixed),
            "stream" => body.read().map(Self::Stream),
            EVENT => {
                let name = body["eventtype"].as_str().unwrap_or_default();
                let own = &body[name];
                let event = match name {
                    "enter_chat" => Ok(BotEvent::EnterChat),
                    "template_card_event" => own.read().map(BotEvent::TemplateCard),
                    "feedback_event" => own.read().map(BotEvent::Feedback),
                    _ => return Self::Other(fields),
                };
                event.map(Self::Event).map_err(|error| error.inside(name))
            }
            _ => return Self::Other(fields),
        };
        match read {
            Ok(content) => content,
            Err(misfit) => {
                let misfit = misfit.inside(name);
                Self::Other(fields.with_misfit(misfit))
            }
        }
    }

    fn part(fields: &Value) -> xml::Result<Self> {
        OtherMessage::of(fields.elements().to_vec()).map(Self::of)
    }
}

/// The fields that all pushes to a smart bot have.
#[derive(Clone, Copy)]
pub(in crate::message) struct Identity<'a> {
    pub(in crate::message) msg_id: Option<&'a str>,
    pub(in crate::message) aibot_id: Option<&'a str>,
    pub(in crate::message) chat_id: Option<&'a str>,
    pub(in crate::message) user_id: Option<&'a str>,
    pub(in crate::message) create_time: Option<&'a str>,
    pub(in crate::message) msg_type: Option<&'a str>,
    pub(in crate::message) event: Option<&'a str>,
    pub(in crate::message) stream_id: Option<&'a str>,
}

impl<'a> Identity<'a> {
    /// Reads them. `None` if it is no push to a smart bot.
    pub(in crate::message) fn of(push: &'a Value) -> xml::Result<Option<Self>> {
        if !is_push(push) {
            return Ok(None);
        }
        for name in IDENTITY {
            if push.all(name).count() > 1 {
                return Err(de::Error::duplicate_field(name));
            }
        }
        Ok(Some(Self {
            msg_id: text(push, "msgid"),
            aibot_id: text(push, "aibotid"),
            chat_id: text(push, "chatid"),
            user_id: text(&push["from"], "userid"),
            create_time: text(push, "create_time"),
            msg_type: text(push, "msgtype"),
            event: text(&push[EVENT], "eventtype"),
            stream_id: text(&push["stream"], "id"),
        }))
    }
}

/// Whether these are the fields of a push to a smart bot: no other product's have such names.
pub(in crate::message) fn is_push(fields: &Value) -> bool {
    let has = |name: &&str| fields.element(name).is_some();
    ["msgid", "aibotid"].iter().any(has) && !FOREIGN.iter().any(has)
}

/// The text of a field; `None` if it is empty.
fn text<'a>(fields: &'a Value, name: &str) -> Option<&'a str> {
    fields[name].as_str().filter(|text| !text.is_empty())
}

/// The fields that say who sent what.
const IDENTITY: [&str; 8] = [
    "msgid",
    "aibotid",
    "chatid",
    "from",
    "create_time",
    "msgtype",
    EVENT,
    "stream",
];

/// The fields that name the pushes of other products.
const FOREIGN: [&str; 3] = ["MsgType", "Event", "InfoType"];
