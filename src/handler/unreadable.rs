use std::fmt;

use bytes::Bytes;

use crate::xml;

/// A verified body that could not be read as the handler's message.
///
/// `Debug` shows the length of the body and where the error is, no contents.
pub struct Unreadable {
    pub(super) body: Bytes,
    pub(super) error: xml::Error,
    pub(super) account: String,
}

impl Unreadable {
    /// The plaintext, as WeChat sent it: a user's message, which has no place in a log.
    ///
    /// A clone shares the buffer.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Why it could not be read. Its `Display` may quote a few characters of the contents.
    pub fn error(&self) -> &xml::Error {
        &self.error
    }

    /// The name of the account it is for, see [`Account::with_name`](crate::Account::with_name).
    pub fn account(&self) -> &str {
        &self.account
    }
}

impl fmt::Debug for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unreadable")
            .field("account", &self.account)
            .field("len", &self.body.len())
            .field("kind", &self.error.kind())
            .field("offset", &self.error.offset())
            .field("path", &self.error.path())
            .finish_non_exhaustive()
    }
}
