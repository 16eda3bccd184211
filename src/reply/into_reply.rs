//! The values that a handler may return.

use std::{borrow::Cow, error, fmt};

use super::Reply;

/// A value that a handler may return.
///
/// | value | outcome |
/// |---|---|
/// | [`Reply`], [`XpayAnswer`](super::XpayAnswer) | that reply |
/// | `String`, `&str`, `Cow<str>` | [`Reply::text`] |
/// | `()` | [`Reply::success`]: the user sees nothing |
/// | `Option<T>` | `T`'s outcome, or [`Reply::success`] for `None` |
/// | `Result<T, E>` with any `E` that implements [`Display`](fmt::Display) | `T`'s outcome, or a failed run |
///
/// An error is formatted with `{:#}`, which shows the whole chain of an `anyhow::Error`. The text goes to the log,
/// never to the user.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "this handler's return value is no reply",
    note = "return `Reply`, `String`, `&str`, `()`, an `Option` of these, or a `Result` of these whose error is `Display`"
)]
pub trait IntoReply {
    /// Converts the value into a reply.
    ///
    /// # Errors
    ///
    /// If the handler returned an error.
    fn into_reply(self) -> Result<Reply, HandlerError>;
}

impl IntoReply for Reply {
    fn into_reply(self) -> Result<Reply, HandlerError> {
        Ok(self)
    }
}

impl IntoReply for () {
    fn into_reply(self) -> Result<Reply, HandlerError> {
        Ok(Reply::success())
    }
}

impl IntoReply for String {
    fn into_reply(self) -> Result<Reply, HandlerError> {
        Ok(Reply::text(self))
    }
}

impl IntoReply for &str {
    fn into_reply(self) -> Result<Reply, HandlerError> {
        Ok(Reply::text(self))
    }
}

impl IntoReply for Cow<'_, str> {
    fn into_reply(self) -> Result<Reply, HandlerError> {
        Ok(Reply::text(self))
    }
}

impl<T: IntoReply> IntoReply for Option<T> {
    fn into_reply(self) -> Result<Reply, HandlerError> {
        self.map_or_else(|| Ok(Reply::success()), T::into_reply)
    }
}

// Makes rustc name the type that the handler returns.
#[diagnostic::do_not_recommend]
impl<T: IntoReply, E: fmt::Display> IntoReply for Result<T, E> {
    fn into_reply(self) -> Result<Reply, HandlerError> {
        match self {
            Ok(value) => value.into_reply(),
            Err(error) => Err(HandlerError::new(&error)),
        }
    }
}

/// The text of a handler's error.
pub struct HandlerError(Box<str>);

impl HandlerError {
    /// Formats `error` with `{:#}`.
    pub fn new(error: &dyn fmt::Display) -> Self {
        Self(format!("{error:#}").into())
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HandlerError").field(&self.0).finish()
    }
}

impl error::Error for HandlerError {}
