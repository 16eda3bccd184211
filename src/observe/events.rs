//! Log events through the `tracing` crate.

use tower::BoxError;
use tracing::{debug, error};

use crate::{reply, xml};

/// A verified body of another type than the handler's has been acknowledged.
pub(crate) fn another_type(account: &str, path: &str) {
    debug!(account, path, "acknowledged a message of another type");
}

/// A verified body that the handler's type does not fit has been acknowledged.
///
/// The error's message may quote the contents, so it stays out.
pub(crate) fn unreadable(account: &str, error: &xml::Error) {
    error!(
        account,
        kind = ?error.kind(),
        offset = error.offset(),
        path = error.path(),
        "cannot read a verified body"
    );
}

/// A handler returned an error; its text is the handler's own.
pub(crate) fn handler_failed(account: &str, error: &BoxError) {
    error!(account, %error, "the handler failed");
}

/// A handler returned a reply that cannot be sent.
pub(crate) fn reply_dropped(account: &str, error: &reply::Error) {
    error!(account, kind = ?error.kind(), %error, "acknowledged instead of sending the reply");
}
