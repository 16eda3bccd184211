use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use super::{body::Body, common::Text, event, tag::Tagged};
use crate::xml;

/// What a push says about itself, whatever its type: who sent what to whom.
///
/// A repeated field is an error, so a text that a user typed cannot pass a message off as another.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Head<'a> {
    #[serde(borrow, default)]
    pub(crate) to_user_name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) from_user_name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) create_time: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) msg_type: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) event: Cow<'a, str>,
    /// Under both names that the messages' own types know.
    #[serde(borrow, default, alias = "MsgID")]
    msg_id: Cow<'a, str>,
}

impl<'a> Head<'a> {
    /// Reads it from a body of either format.
    pub(crate) fn read(plaintext: &'a [u8]) -> xml::Result<Self> {
        match Body::new(plaintext)?.tree {
            Some(tree) => Ok(Head::deserialize(&tree)?.into_owned()),
            None => xml::from_slice(plaintext),
        }
    }

    /// Whether a user sent it, rather than that it tells of an event; the pushes of the open platform and of
    /// suites have no MsgType.
    pub(crate) fn is_message(&self) -> bool {
        !self.msg_type.is_empty() && !self.is_event()
    }

    /// The id that tells a message from all others of its sender. An event has none: its MsgID is a job's. A
    /// `0` stands for none.
    pub(crate) fn message_id(&self) -> Option<&str> {
        let has_id = self.is_message() && !matches!(&*self.msg_id, "" | "0");
        has_id.then_some(&*self.msg_id)
    }

    /// Whether WeChat shows the user a passive reply to it.
    pub(crate) fn may_be_answered(&self) -> bool {
        self.is_message() || (self.is_event() && event::may_be_answered(&self.event))
    }

    fn is_event(&self) -> bool {
        event::EventMessage::is_named(&self.msg_type)
    }

    fn into_owned<'b>(self) -> Head<'b> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Head {
            to_user_name: owned(self.to_user_name),
            from_user_name: owned(self.from_user_name),
            create_time: owned(self.create_time),
            msg_type: owned(self.msg_type),
            event: owned(self.event),
            msg_id: owned(self.msg_id),
        }
    }
}

/// To whom a push is: its first ToUserName, even where what follows cannot be read.
///
/// WeChat writes it in front of all that users type, so nothing that they type is it.
pub(crate) fn receiver(plaintext: &[u8]) -> Option<String> {
    if let Some(tree) = Body::new(plaintext).ok()?.tree {
        return tree.element(RECEIVER)?.as_str().map(ToOwned::to_owned);
    }
    let mut receiver = None;
    let mut deserializer = xml::Deserializer::from_slice(plaintext).ok()?;
    // An error comes from behind it, or else there is none.
    let _ = deserializer.deserialize_map(Receiver(&mut receiver));
    receiver
}

struct Receiver<'a>(&'a mut Option<String>);

impl<'de> Visitor<'de> for Receiver<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a push")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(name)) = map.next_key()? {
            if name == RECEIVER {
                *self.0 = Some(map.next_value()?);
                break;
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

const RECEIVER: &str = "ToUserName";
