use std::{borrow::Cow, fmt};

use http::Request;
use serde::Deserialize;
use sha1::{Digest, Sha1};

use crate::{
    signature::{Delivery, Verified},
    xml,
};

/// Which message a delivery is of: two deliveries with the same key are one message.
///
/// It is a hash of a fixed size, so that no message makes the table grow more than another.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 20]);

impl Key {
    /// The key of `parts`, in their order.
    ///
    /// Each part is hashed with its length, so `["a", "bc"]` and `["ab", "c"]` are different keys.
    pub fn new<I>(parts: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        let mut hash = Sha1::new();
        for part in parts {
            let part = part.as_ref();
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// The key of a delivery, as the [module docs](super#which-deliveries-are-one-message) say.
    pub fn of(request: &Request<Verified>) -> Self {
        let delivery = request.extensions().get::<Delivery>();
        let account = delivery.map_or("", Delivery::account);
        let body = request.body().as_bytes();
        match xml::from_slice::<Identity<'_>>(body) {
            Ok(identity) if identity.is_message() => Self::new([
                account,
                "message",
                &*identity.msg_id,
                &*identity.from_user_name,
                &*identity.to_user_name,
                &*identity.create_time,
            ]),
            _ => Self::new([account.as_bytes(), b"push", body]),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// The fields that say who sent what. A repeated one is an error, so a text that a user typed cannot
/// pass a message off as another.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Identity<'a> {
    #[serde(borrow, default)]
    to_user_name: Cow<'a, str>,
    #[serde(borrow, default)]
    from_user_name: Cow<'a, str>,
    #[serde(borrow, default)]
    create_time: Cow<'a, str>,
    #[serde(borrow, default)]
    msg_type: Cow<'a, str>,
    #[serde(borrow, default)]
    msg_id: Cow<'a, str>,
}

impl Identity<'_> {
    /// Whether the `MsgId` tells this message from all others of its sender. Events have none, and a
    /// `0` stands for none.
    fn is_message(&self) -> bool {
        let is_event = self.msg_type.eq_ignore_ascii_case("event");
        !self.msg_type.is_empty() && !is_event && !matches!(&*self.msg_id, "" | "0")
    }
}
