//! How a smart bot's push is written.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{BotContent, BotEvent, BotMessage};
use crate::{message::field::EVENT, timestamp::Timestamp};

impl Serialize for BotMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct From<'a> {
            userid: Option<&'a str>,
            corpid: Option<&'a str>,
        }

        #[derive(Serialize)]
        struct Document<'a> {
            msgid: &'a str,
            aibotid: Option<&'a str>,
            chatid: Option<&'a str>,
            chattype: Option<&'a str>,
            from: From<'a>,
            create_time: Option<Timestamp>,
            response_url: Option<&'a str>,
            quote: Option<&'a BotContent>,
            #[serde(flatten)]
            content: &'a BotContent,
        }

        if let Some(other) = self.other() {
            return other.serialize(serializer);
        }
        let document = Document {
            msgid: &self.msg_id,
            aibotid: self.aibot_id.as_deref(),
            chatid: self.chat_id.as_deref(),
            chattype: self.chat_type.as_deref(),
            from: From {
                userid: self.user_id.as_deref(),
                corpid: self.corp_id.as_deref(),
            },
            create_time: self.create_time,
            response_url: self.response_url.as_deref(),
            quote: self.quote.as_deref(),
            content: &self.content,
        };
        document.serialize(serializer)
    }
}

/// Writes the `msgtype`, and what has its name.
impl Serialize for BotContent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Mixed<'a> {
            msg_item: &'a [BotContent],
        }

        fn entry<S: Serializer>(
            serializer: S,
            name: &str,
            body: &impl Serialize,
        ) -> Result<S::Ok, S::Error> {
            named(serializer, "msgtype", name, Some(body))
        }

        match self {
            Self::Text(text) => entry(serializer, "text", text),
            Self::Voice(text) => entry(serializer, "voice", text),
            Self::Image(media) => entry(serializer, "image", media),
            Self::File(media) => entry(serializer, "file", media),
            Self::Video(media) => entry(serializer, "video", media),
            Self::Mixed(msg_item) => entry(serializer, "mixed", &Mixed { msg_item }),
            Self::Stream(stream) => entry(serializer, "stream", stream),
            Self::Event(event) => entry(serializer, EVENT, event),
            Self::Other(other) => other.serialize(serializer),
        }
    }
}

/// Writes the `eventtype`, and what has its name.
impl Serialize for BotEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let key = "eventtype";
        match self {
            Self::EnterChat => named(serializer, key, "enter_chat", None::<&()>),
            Self::TemplateCard(card) => named(serializer, key, "template_card_event", Some(card)),
            Self::Feedback(feedback) => named(serializer, key, "feedback_event", Some(feedback)),
        }
    }
}

fn named<S: Serializer>(
    serializer: S,
    key: &str,
    name: &str,
    body: Option<&impl Serialize>,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(2))?;
    map.serialize_entry(key, name)?;
    if let Some(body) = body {
        map.serialize_entry(name, body)?;
    }
    map.end()
}
