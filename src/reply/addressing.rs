use std::borrow::Cow;

use super::{
    characters::writable,
    error::{Cause, Error},
};
use crate::message::Head;

/// Between whom a reply goes: the names of a message, exchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressing<'a> {
    to_user_name: Cow<'a, str>,
    from_user_name: Cow<'a, str>,
    article_limit: usize,
}

impl<'a> Addressing<'a> {
    /// A reply to the user with the OpenID `to_user_name`, from the account with the original id
    /// (`gh_…`) `from_user_name`.
    ///
    /// The names do not say what is answered, so up to eight articles pass, as in answer to an event.
    pub fn new(
        to_user_name: impl Into<Cow<'a, str>>,
        from_user_name: impl Into<Cow<'a, str>>,
    ) -> Self {
        Self {
            to_user_name: writable(to_user_name.into()),
            from_user_name: writable(from_user_name.into()),
            article_limit: ARTICLE_LIMIT,
        }
    }

    /// How an answer to the message `plaintext` is addressed: to its sender, from its receiver. Unless
    /// it is an event, the answer holds one article at most.
    ///
    /// A name that the message does not have is left empty, and rendering reports it; some pushes of
    /// the open platform and of WeCom name nobody.
    ///
    /// # Errors
    ///
    /// If `plaintext` cannot be read.
    pub fn answering(plaintext: &'a [u8]) -> Result<Self, Error> {
        let message =
            Head::read(plaintext).map_err(|error| Error(Cause::Unaddressed(Some(error))))?;
        // WeChat lists the types of message that get a single article and calls the rest other scenes,
        // without a word on the types that are newer than its list: they are a user's messages as well.
        let article_limit = if message.is_message() {
            MESSAGE_ARTICLE_LIMIT
        } else {
            ARTICLE_LIMIT
        };
        Ok(Self {
            article_limit,
            ..Self::new(
                message.from_user_name().unwrap_or_default().to_owned(),
                message.to_user_name().unwrap_or_default().to_owned(),
            )
        })
    }

    /// The receiver and the sender of the reply.
    pub(super) fn names(&self) -> Result<(&str, &str), Error> {
        if self.to_user_name.is_empty() || self.from_user_name.is_empty() {
            return Err(Error(Cause::Unaddressed(None)));
        }
        Ok((&self.to_user_name, &self.from_user_name))
    }

    /// How many articles the reply may hold.
    pub(super) fn article_limit(&self) -> usize {
        self.article_limit
    }
}

/// After WeChat's page on passive replies, of news replies in answer to what no user has written.
pub(super) const ARTICLE_LIMIT: usize = 8;

/// Since October 2018, after the same page.
pub(super) const MESSAGE_ARTICLE_LIMIT: usize = 1;
