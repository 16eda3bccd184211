use std::time::SystemTime;

use serde::{Serialize, de::DeserializeOwned};

use super::{EventMessage, tag::Tagged, time};
use crate::xml::{self, Value};

/// A push of a type that this crate does not know, with every field as it came.
///
/// An unknown event is [`Event::Other`](super::Event::Other); an unknown message, a push of the open platform or of a suite
/// (which have an InfoType and no MsgType) and an event without receiver or time is
/// [`Message::Other`](super::Message::Other).
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
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct OtherMessage {
    fields: Value,
}

impl OtherMessage {
    /// The fields must be elements of which none of the identity's is repeated.
    pub(super) fn new(fields: Value) -> Self {
        Self { fields }
    }

    /// All fields, in the body's order, repeated ones included.
    pub fn fields(&self) -> &Value {
        &self.fields
    }

    /// Reads the fields into a type of your own.
    ///
    /// # Errors
    ///
    /// If they do not hold what `T` needs.
    pub fn deserialize<T: DeserializeOwned>(&self) -> xml::Result<T> {
        self.fields.deserialize()
    }

    /// The MsgType: `event` for all events; absent in the open platform's and the suites' pushes.
    pub fn msg_type(&self) -> Option<&str> {
        self.text("MsgType")
    }

    /// The Event's name, if it is one.
    pub fn event(&self) -> Option<&str> {
        self.text("Event")
    }

    /// The InfoType, by which the open platform and the suites name their pushes.
    pub fn info_type(&self) -> Option<&str> {
        self.text("InfoType")
    }

    /// To whom it was sent.
    pub fn to_user_name(&self) -> Option<&str> {
        self.text("ToUserName")
    }

    /// Who caused it; absent in pushes that no user caused.
    pub fn from_user_name(&self) -> Option<&str> {
        self.text("FromUserName")
    }

    /// When it was sent, in seconds since the Unix epoch.
    pub fn create_time(&self) -> Option<u64> {
        self.text("CreateTime")?.trim().parse().ok()
    }

    /// [`create_time`](Self::create_time) as a [`SystemTime`].
    pub fn created_at(&self) -> Option<SystemTime> {
        time::at(self.create_time()?)
    }

    /// The message's id, by either of its names (MsgId, MsgID). What is no message has none: an event's MsgID
    /// is a job's.
    pub fn msg_id(&self) -> Option<&str> {
        self.msg_type()
            .filter(|name| !EventMessage::is_named(name))?;
        let id = self.text("MsgId").or_else(|| self.text("MsgID"))?;
        Some(id).filter(|id| !id.is_empty())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.fields.element(name)?.as_str()
    }
}
