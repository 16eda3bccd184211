//! Verified bodies that the handler's type does not fit.

use std::fmt;

use crate::{
    delivery::{Delivery, Verified},
    xml,
};

/// A verified body that cannot be read as the handler's message type.
///
/// `Debug` shows the length of the body, and the kind and place of the error. It shows no contents.
pub struct DecodeFailure {
    body: Verified,
    error: xml::Error,
}

impl DecodeFailure {
    pub(super) fn new(body: Verified, error: xml::Error) -> Self {
        Self { body, error }
    }

    /// Returns the plaintext as WeChat sent it. It is a user's message, so keep it out of logs.
    ///
    /// Cloning it does not copy the bytes.
    pub fn body(&self) -> &Verified {
        &self.body
    }

    /// Returns the decode error. Its `Display` quotes at most 32 characters of the contents.
    pub fn error(&self) -> &xml::Error {
        &self.error
    }

    /// Returns the facts about the request, such as the account's name.
    pub fn delivery(&self) -> &Delivery {
        self.body.delivery()
    }
}

impl fmt::Debug for DecodeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecodeFailure")
            .field("account", &self.delivery().account())
            .field("len", &self.body.as_bytes().len())
            .field("kind", &self.error.kind())
            .field("offset", &self.error.offset())
            .field("path", &self.error.path())
            .finish_non_exhaustive()
    }
}
