//! Changes of a corporation's address book and of its customers, which a ChangeType names.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::xml::{self, Value};

/// Declares the changes: the variant, the type of its fields, and its ChangeType.
macro_rules! changes {
    ($(#[$meta:meta])* $change:ident {
        $($(#[$doc:meta])* $variant:ident($fields:ty): $name:literal,)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $change {
            $($(#[$doc])*
            ///
            #[doc = concat!("ChangeType: `", $name, "`.")]
            $variant($fields),)*
        }

        impl $change {
            /// The ChangeType.
            pub fn change_type(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                }
            }

            fn of(fields: &Value) -> xml::Result<Self> {
                match fields["ChangeType"].as_str() {
                    $(Some($name) => fields.read().map(Self::$variant),)*
                    Some(other) => Err(Error::unknown_variant(other, &[$($name),*])),
                    None => Err(Error::missing_field("ChangeType")),
                }
            }
        }

        impl<'de> Deserialize<'de> for $change {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::of(&Value::deserialize(deserializer)?).map_err(Error::custom)
            }
        }

        impl Serialize for $change {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$variant(fields) => write($name, fields, serializer),)*
                }
            }
        }
    };
}

fn write<S: Serializer>(
    change_type: &str,
    fields: &impl Serialize,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Document<'a, T> {
        change_type: &'a str,
        #[serde(flatten)]
        fields: &'a T,
    }

    let document = Document {
        change_type,
        fields,
    };
    document.serialize(serializer)
}

changes! {
    /// A change of a corporation's address book (通讯录变更).
    ///
    /// WeCom sends it to the app that manages the address book (通讯录同步助手), and to apps and suites that may see it. The
    /// former gets only the id and the departments of a member, if its URL was set after 15 August 2022.
    ///
    /// An event with a ChangeType that this crate does not know arrives as [`Event::Other`](super::Event::Other), with
    /// all fields.
    ///
    /// Source: WeCom's pages "Changes of members" (90970), "of departments" (90971) and "of tags" (90972); for suites, 90639
    /// to 90641.
    ///
    #[doc = sample!("wecom/change_contact.create_user")]
    ChangeContact {
        /// A member is new.
        CreateUser(Box<ContactUser>): "create_user",
        /// A member changed. Fields that did not change may be missing.
        UpdateUser(Box<ContactUser>): "update_user",
        /// A member was deleted.
        DeleteUser(Box<ContactUser>): "delete_user",
        /// A department is new.
        CreateParty(ContactParty): "create_party",
        /// A department changed.
        UpdateParty(ContactParty): "update_party",
        /// A department was deleted.
        DeleteParty(ContactParty): "delete_party",
        /// A tag has other members.
        UpdateTag(ContactTag): "update_tag",
    }
}

changes! {
    /// A change of a corporation's customers (客户变更).
    ///
    /// WeCom sends it to apps that may see the customers of a member.
    ///
    /// An event with a ChangeType that this crate does not know arrives as [`Event::Other`](super::Event::Other), with
    /// all fields.
    ///
    /// Source: WeCom's pages "Events of customers" (92130) and, for suites, 92277.
    ///
    #[doc = sample!("wecom/change_external_contact.add_external_contact")]
    ChangeExternalContact {
        /// A member has a new customer.
        AddExternalContact(Box<ExternalContact>): "add_external_contact",
        /// A member changed a customer's remark or tags.
        EditExternalContact(Box<ExternalContact>): "edit_external_contact",
        /// A customer has added a member, who has not agreed yet.
        AddHalfExternalContact(Box<ExternalContact>): "add_half_external_contact",
        /// A member deleted a customer.
        DelExternalContact(Box<ExternalContact>): "del_external_contact",
        /// A customer deleted a member.
        DelFollowUser(Box<ExternalContact>): "del_follow_user",
        /// A customer could not be handed to another member.
        TransferFail(Box<ExternalContact>): "transfer_fail",
        /// A customer agreed that the chat is kept.
        MsgAuditApproved(Box<ExternalContact>): "msg_audit_approved",
    }
}

/// A member in a corporation's address book.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ContactUser {
    /// The member's `UserID`.
    #[serde(rename = "UserID")]
    pub user_id: String,
    /// The id that all suites of one service provider share (`OpenUserID`). Suites get it.
    #[serde(rename = "OpenUserID")]
    pub open_user_id: Option<String>,
    /// The new `UserID`, if it changed.
    #[serde(rename = "NewUserID")]
    pub new_user_id: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The departments' ids, separated by commas.
    pub department: Option<String>,
    /// The main department's id.
    pub main_department: Option<String>,
    /// For each department whether the member leads it: 0 or 1, separated by commas.
    pub is_leader_in_dept: Option<String>,
    /// The direct superiors' `UserID`s, separated by commas.
    pub direct_leader: Option<String>,
    /// The position.
    pub position: Option<String>,
    /// The mobile phone's number.
    pub mobile: Option<String>,
    /// 1 male, 2 female.
    pub gender: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// The e-mail address at the corporation.
    pub biz_mail: Option<String>,
    /// 1 active, 2 disabled, 4 not activated, 5 gone, or a newer code.
    pub status: Option<String>,
    /// The picture's URL.
    pub avatar: Option<String>,
    /// The alias.
    pub alias: Option<String>,
    /// The telephone's number.
    pub telephone: Option<String>,
    /// The address.
    pub address: Option<String>,
    /// The fields that the corporation added, as they came.
    pub ext_attr: Option<Value>,
}

/// A department in a corporation's address book.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ContactParty {
    /// The department's id.
    pub id: String,
    /// The name.
    pub name: Option<String>,
    /// The id of the department above it.
    pub parent_id: Option<String>,
    /// Its place among its neighbours.
    pub order: Option<String>,
}

/// A tag whose members changed. All lists are separated by commas.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ContactTag {
    /// The tag's id.
    pub tag_id: String,
    /// The `UserID`s of new members.
    pub add_user_items: Option<String>,
    /// The `UserID`s of former members.
    pub del_user_items: Option<String>,
    /// The ids of new departments.
    pub add_party_items: Option<String>,
    /// The ids of former departments.
    pub del_party_items: Option<String>,
}

/// A member and a customer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ExternalContact {
    /// The member's `UserID`.
    #[serde(rename = "UserID")]
    pub user_id: Option<String>,
    /// The customer's `ExternalUserID`.
    #[serde(rename = "ExternalUserID")]
    pub external_user_id: String,
    /// The `state` of the QR code or link through which the customer came.
    pub state: Option<String>,
    /// The code for one message of welcome, within 20 s of the push.
    pub welcome_code: Option<String>,
    /// How the customer was deleted, such as `DELETE_BY_TRANSFER`.
    pub source: Option<String>,
    /// Why the customer could not be handed over: `customer_refused` or `customer_limit_exceed`.
    pub fail_reason: Option<String>,
}
