use std::fmt;

use http::Request;
use sha1::{Digest, Sha1};

use crate::{
    message::Head,
    signature::{Delivery, Verified},
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
        let head = Head::read(body).ok();
        let message = head
            .as_ref()
            .and_then(|head| Some((head, head.message_id()?)));
        let Some((head, id)) = message else {
            return Self::new([account.as_bytes(), b"push", body]);
        };
        Self::new([
            account,
            "message",
            id,
            head.from_user_name().unwrap_or_default(),
            head.to_user_name().unwrap_or_default(),
            head.create_time_text().unwrap_or_default(),
        ])
    }
}

/// In hexadecimal.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}
