//! Subscription messages (订阅消息): permissions from users, and results of sending.

use serde::{Deserialize, Serialize, Serializer};

use crate::xml;

/// A user chose which subscription messages to allow (用户操作订阅通知弹窗).
///
/// WeChat sends it when a user answers the pop-up that asks for permission.
///
#[doc = sample!("event/subscribe_msg_popup_event")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Wrapped<SubscribeMsgChoice>")]
#[non_exhaustive]
pub struct SubscribeMsgPopup {
    /// The user's choice for each template.
    #[serde(rename = "SubscribeMsgPopupEvent", serialize_with = "list")]
    pub list: Vec<SubscribeMsgChoice>,
}

/// A user's choice for one template.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SubscribeMsgChoice {
    /// The template's id.
    pub template_id: String,
    /// Usually `accept` or `reject`.
    #[serde(default)]
    pub subscribe_status_string: String,
    /// Where the pop-up was, a code: 0 in a mini program, 1 on a web page, 2 in an article.
    pub popup_scene: Option<String>,
}

/// A user changed which subscription messages to allow (用户管理订阅通知).
///
/// WeChat sends it when a user changes a permission in the settings.
///
#[doc = sample!("event/subscribe_msg_change_event")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Wrapped<SubscribeMsgSetting>")]
#[non_exhaustive]
pub struct SubscribeMsgChange {
    /// The changed setting of each template.
    #[serde(rename = "SubscribeMsgChangeEvent", serialize_with = "list")]
    pub list: Vec<SubscribeMsgSetting>,
}

/// A user's setting for one template.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SubscribeMsgSetting {
    /// The template's id.
    pub template_id: String,
    /// Usually `reject`: users can only withdraw permissions in the settings.
    #[serde(default)]
    pub subscribe_status_string: String,
}

/// Delivery of a subscription message succeeded or failed (发送订阅通知).
///
/// WeChat sends it after each subscription message.
///
#[doc = sample!("event/subscribe_msg_sent_event")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Wrapped<SubscribeMsgResult>")]
#[non_exhaustive]
pub struct SubscribeMsgSent {
    /// The result for each template.
    #[serde(rename = "SubscribeMsgSentEvent", serialize_with = "list")]
    pub list: Vec<SubscribeMsgResult>,
}

/// The result of one subscription message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SubscribeMsgResult {
    /// The template's id.
    pub template_id: String,
    /// The id that sending the message returned. It is not a message id, which events do not have.
    #[serde(default, rename = "MsgID")]
    pub msg_id: String,
    /// 0, or the code of the error.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub error_code: Option<i64>,
    /// `success`, or the error in words.
    #[serde(default)]
    pub error_status: String,
}

/// A list on the wire: XML has an element around it, JSON does not.
#[derive(Deserialize)]
struct Wrapped<T> {
    #[serde(
        alias = "SubscribeMsgPopupEvent",
        alias = "SubscribeMsgChangeEvent",
        alias = "SubscribeMsgSentEvent"
    )]
    wrapper: Option<List<T>>,
    #[serde(default = "Vec::new", rename = "List")]
    list: Vec<T>,
}

#[derive(Serialize, Deserialize)]
struct List<T> {
    #[serde(default = "Vec::new", rename = "List")]
    list: Vec<T>,
}

impl<T> Wrapped<T> {
    fn into_list(self) -> Vec<T> {
        let mut list = self.wrapper.map_or_else(Vec::new, |wrapper| wrapper.list);
        list.extend(self.list);
        list
    }
}

macro_rules! from_wrapped {
    ($($event:ident($member:ident)),*) => {$(
        impl From<Wrapped<$member>> for $event {
            fn from(wrapped: Wrapped<$member>) -> Self {
                Self {
                    list: wrapped.into_list(),
                }
            }
        }
    )*};
}

from_wrapped! {
    SubscribeMsgPopup(SubscribeMsgChoice), SubscribeMsgChange(SubscribeMsgSetting),
    SubscribeMsgSent(SubscribeMsgResult)
}

fn list<T: Serialize, S: Serializer>(list: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    List {
        list: list.iter().collect(),
    }
    .serialize(serializer)
}
