//! Subscription messages (订阅消息): what users allow, and what was sent.

use serde::{Deserialize, Serialize, Serializer};

use crate::xml;

/// Which subscription messages a user allows (用户操作订阅通知弹窗).
///
/// WeChat sends it when a user has answered the pop-up that asks for it.
///
#[doc = sample!("event/subscribe_msg_popup_event")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Wrapped<SubscribeMsgChoice>")]
#[non_exhaustive]
pub struct SubscribeMsgPopup {
    /// What the user answered, one template each.
    #[serde(rename = "SubscribeMsgPopupEvent", serialize_with = "list")]
    pub list: Vec<SubscribeMsgChoice>,
}

/// A user's answer for one template.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SubscribeMsgChoice {
    /// The template's id.
    pub template_id: String,
    /// `accept` or `reject`, as a rule.
    pub subscribe_status_string: String,
    /// Where the pop-up was: 0 in a mini program, 1 on a web page, 2 in an article. A code, kept as
    /// text.
    pub popup_scene: Option<String>,
}

/// Which subscription messages a user no longer allows (用户管理订阅通知).
///
/// WeChat sends it when a user changes it in the settings.
///
#[doc = sample!("event/subscribe_msg_change_event")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Wrapped<SubscribeMsgSetting>")]
#[non_exhaustive]
pub struct SubscribeMsgChange {
    /// What was changed, one template each.
    #[serde(rename = "SubscribeMsgChangeEvent", serialize_with = "list")]
    pub list: Vec<SubscribeMsgSetting>,
}

/// A user's setting of one template.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SubscribeMsgSetting {
    /// The template's id.
    pub template_id: String,
    /// `reject`, as a rule: the settings only take back.
    pub subscribe_status_string: String,
}

/// A subscription message was delivered, or was not (发送订阅通知).
///
/// WeChat sends it after each subscription message.
///
#[doc = sample!("event/subscribe_msg_sent_event")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Wrapped<SubscribeMsgResult>")]
#[non_exhaustive]
pub struct SubscribeMsgSent {
    /// What became of each.
    #[serde(rename = "SubscribeMsgSentEvent", serialize_with = "list")]
    pub list: Vec<SubscribeMsgResult>,
}

/// What became of a subscription message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SubscribeMsgResult {
    /// The template's id.
    pub template_id: String,
    /// The id that sending it returned. It is no message id: events have none.
    #[serde(default, rename = "MsgID")]
    pub msg_id: String,
    /// 0, or what went wrong.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub error_code: Option<i64>,
    /// `success`, or what went wrong in words.
    #[serde(default)]
    pub error_status: String,
}

/// How a list arrives: in an element of its own in XML, without one in JSON.
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
