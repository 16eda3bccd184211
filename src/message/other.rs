//! Messages and events that have no type of their own or do not fit it, with all their fields.

use std::sync::Arc;

use serde::{
    Serialize,
    de::{self, DeserializeOwned, MapAccess},
};

use super::field::{self, is_event};
use crate::{
    timestamp::Timestamp,
    xml::{self, Value, typed::IDENTITY},
};

/// A message or event that this crate has no type for, or that does not fit its type, with all its fields as they came.
///
/// Such an event is an [`Event::Other`](super::Event::Other). A [`Message::Other`](super::Message::Other)
/// is one of these:
///
/// - a message with an unknown MsgType,
/// - a push of the open platform (开放平台) or to a WeCom suite, which has an InfoType and no MsgType: its own type is
///   [`PlatformMessage`](super::platform::PlatformMessage) or [`SuiteMessage`](super::wecom::SuiteMessage),
/// - a message that does not fit its type: it has a [misfit](Self::misfit),
/// - an event without CreateTime: it has a misfit too,
/// - a push to a [smart bot](super::smart_bot) of WeCom, whose own type is a
///   [`BotMessage`](super::smart_bot::BotMessage).
///
/// ```
/// use serde::Deserialize;
/// use tower_wechat::{Message, message::Event, xml};
///
/// #[derive(Deserialize)]
/// #[serde(rename_all = "PascalCase")]
/// struct Order {
///     order_id: String,
///     #[serde(default)]
///     goods: Vec<String>,
/// }
///
/// let message = xml::from_str("<xml>
///     <ToUserName>gh_5d1c0e94a7b3</ToUserName><CreateTime>1717500123</CreateTime>
///     <MsgType>event</MsgType><Event>new_order</Event>
///     <OrderId>7</OrderId><Goods>fig</Goods><Goods>lime</Goods>
/// </xml>")?;
/// let Message::Event(event) = message else { panic!() };
/// let Event::Other(other) = event.event else { panic!() };
/// assert_eq!(other.event(), Some("new_order"));
/// let order: Order = other.deserialize()?;
/// assert_eq!((order.order_id.as_str(), order.goods.len()), ("7", 2));
/// # Ok::<(), xml::Error>(())
/// ```
#[derive(Debug, Clone, Default, Serialize)]
#[serde(transparent)]
pub struct OtherMessage {
    fields: Value,
    #[serde(skip)]
    misfit: Option<Arc<xml::Error>>,
}

impl OtherMessage {
    /// Reads all fields as they are.
    pub(super) fn read<'de, A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = map.next_entry()? {
            elements.push(element);
        }
        Self::of(elements)
    }

    /// Makes it of all elements.
    pub(super) fn of<E: de::Error>(elements: Vec<(String, Value)>) -> Result<Self, E> {
        for name in IDENTITY {
            let is_it = |(found, _): &&(String, Value)| field_of(found) == name;
            if elements.iter().filter(is_it).count() > 1 {
                return Err(de::Error::duplicate_field(name));
            }
        }
        Ok(Self {
            fields: Value::Elements(elements),
            misfit: None,
        })
    }

    /// Sets why the fields do not fit their type.
    pub(super) fn with_misfit(mut self, misfit: xml::Error) -> Self {
        self.misfit = Some(Arc::new(misfit));
        self
    }

    /// Why the fields do not fit the type that their MsgType or Event names; `None` if this crate has no such type.
    ///
    /// The error's path begins below the root. Its offset is `None` if an element is missing, and in JSON. Its
    /// `Display` quotes at most 32 characters of the contents. Two messages with the same fields are equal, whatever
    /// their misfits are, and the misfit is not serialized.
    pub fn misfit(&self) -> Option<&xml::Error> {
        self.misfit.as_deref()
    }

    /// All fields in the body's order, with repeated ones.
    pub fn fields(&self) -> &Value {
        &self.fields
    }

    /// Reads the fields into a type of your own.
    ///
    /// # Errors
    ///
    /// If the fields do not match `T`.
    pub fn deserialize<T: DeserializeOwned>(&self) -> xml::Result<T> {
        self.fields.read()
    }

    /// The MsgType: `event` for events; `None` for pushes of the open platform, of WeCom suites and of smart bots.
    pub fn msg_type(&self) -> Option<&str> {
        self.text("MsgType")
    }

    /// The event's name, if it is an event.
    pub fn event(&self) -> Option<&str> {
        self.text("Event")
    }

    /// The InfoType, which names the pushes of the open platform and of WeCom suites.
    pub fn info_type(&self) -> Option<&str> {
        self.text("InfoType")
    }

    /// The receiver: the account's original id (`gh_…`).
    pub fn to_user_name(&self) -> Option<&str> {
        self.text("ToUserName")
    }

    /// The sender's OpenID; `None` if WeChat names no sender.
    pub fn from_user_name(&self) -> Option<&str> {
        self.text("FromUserName").filter(|name| !name.is_empty())
    }

    /// When it was sent. `None` also if the field is not a number.
    pub fn create_time(&self) -> Option<Timestamp> {
        field::create_time(self.text("CreateTime")?)
    }

    /// The message's id, from an element MsgId or MsgID. WeChat's retries repeat it.
    ///
    /// Events have none: the MsgID of an event is the id of a job.
    pub fn msg_id(&self) -> Option<&str> {
        self.msg_type().filter(|name| !is_event(name))?;
        let id = self.text("MsgId").or_else(|| self.text("MsgID"))?;
        Some(id).filter(|id| !id.is_empty())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.fields.element(name)?.as_str()
    }
}

/// Compares the fields. The misfit follows from them.
impl PartialEq for OtherMessage {
    fn eq(&self, other: &Self) -> bool {
        self.fields == other.fields
    }
}

impl Eq for OtherMessage {}

/// Returns the field that an element names: MsgID is another name of MsgId.
fn field_of(element: &str) -> &str {
    if element == "MsgID" { "MsgId" } else { element }
}
