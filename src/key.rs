//! The identity of a message: which deliveries are one message.

use std::fmt;

use http::Request;
use sha1::{Digest, Sha1};

use crate::{delivery::Verified, observe::MessageKey};

/// The identity of a message: two deliveries with the same key are one message.
///
/// It is a hash of a fixed size, so no message makes the table grow more than another.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 20]);

impl Key {
    /// Makes the key of `parts`, in their order.
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

    /// Makes the key of a delivery, as the [module docs](crate::dedup#which-deliveries-are-one-message) say.
    pub fn of(request: &Request<Verified>) -> Self {
        let body = request.body();
        let account = body.delivery().account();
        let message = body
            .head()
            .ok()
            .and_then(|head| Some((head, head.message_id()?)));
        let Some((head, id)) = message else {
            return Self::new([account.as_bytes(), b"push", body.as_bytes()]);
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

    pub(crate) fn observed(self) -> MessageKey {
        MessageKey(self.0)
    }

    /// Makes the key whose hash this is, as [`as_bytes`](Self::as_bytes) has returned it.
    pub fn from_bytes(hash: [u8; 20]) -> Self {
        Self(hash)
    }

    /// Returns the hash.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

/// In hexadecimal.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.observed().fmt(f)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}
