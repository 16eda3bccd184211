//! The events of the log, a function for each. Some of them are counted too.

use std::{fmt, time::Duration};

use super::meters;
use crate::{callback::SealError, reply, xml};

/// The key of a message, in hexadecimal.
#[derive(Clone, Copy)]
pub(crate) struct MessageKey(pub(crate) [u8; 20]);

impl fmt::Display for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// How much a rejection matters.
#[derive(Clone, Copy)]
pub(crate) enum Severity {
    /// Anyone may have sent the request. At DEBUG, so that scanners do not fill the log.
    Unsigned,
    /// A signature was valid.
    Signed,
    /// Likewise, and every delivery will be rejected until a setting is changed.
    Setting,
}

/// Logs and counts a rejected request. `account` is empty if it is unknown, or if a stranger may have chosen its name.
pub(super) fn callback_rejected(
    account: &str,
    kind: &'static str,
    severity: Severity,
    cause: &dyn fmt::Display,
) {
    match severity {
        Severity::Unsigned => {
            event!(
                DEBUG,
                account,
                kind,
                "rejected an unsigned callback: {cause}"
            );
        }
        Severity::Signed => {
            event!(WARN, account, kind, "rejected a signed callback: {cause}");
        }
        Severity::Setting => {
            event!(ERROR, account, kind, "rejected a signed callback: {cause}");
        }
    }
    meters::callback_rejected(account, kind);
}

/// Logs that there is an allow-list, and nothing on it.
pub(crate) fn allow_list_empty() {
    event!(WARN, "the allow-list is empty, and allows every address");
}

/// Logs that the console of cloud hosting has checked the path, or that somebody has sent the same.
pub(super) fn path_probed(account: &str) {
    event!(
        DEBUG,
        account,
        "answered a check of the path on cloud hosting"
    );
}

/// Logs that WeChat has verified the URL. Unless the `key_is_checked`, this proves the token alone.
pub(super) fn url_verified(account: &str, key_is_checked: bool) {
    if key_is_checked {
        event!(INFO, account, "WeChat has verified the URL");
    } else {
        event!(
            INFO,
            account,
            "WeChat has verified the URL: the Token is right, the first message checks the EncodingAESKey and the AppID"
        );
    }
}

/// Logs the answer to a message.
pub(super) fn message_answered(account: &str, outcome: &'static str, answer: Answer) {
    match answer {
        Answer::Reply => {
            event!(INFO, account, outcome, "answered a message with a reply");
        }
        Answer::Silent => {
            event!(INFO, account, outcome, "answered a message with no reply");
        }
        Answer::Status(status) => {
            event!(
                WARN,
                account,
                outcome,
                status,
                "the inner service answered a message with a status that WeChat does not accept"
            );
        }
    }
}

/// The answer of the inner service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The user sees something.
    Reply,
    /// The user sees nothing: the body is empty or `success`.
    Silent,
    /// WeChat sends the message again, since the status is not 200.
    Status(u16),
}

/// Logs that a verified plaintext had bytes that are not UTF-8.
pub(crate) fn plaintext_lossy(account: &str) {
    event!(
        WARN,
        account,
        "a message has bytes that are not UTF-8: U+FFFD replaces them"
    );
}

/// Logs that the body of the inner service's response is too long or ended in an error. The error's text comes from
/// that service.
pub(crate) fn response_unreadable(account: &str, error: &dyn fmt::Display) {
    event!(ERROR, account, %error, "cannot read the body of the response");
}

/// Logs that a message of another type than the handler's was acknowledged.
pub(crate) fn another_type(account: &str, path: &str) {
    event!(
        DEBUG,
        account,
        path,
        "acknowledged a message of another type"
    );
}

/// Logs a decode error: a verified body was acknowledged because the handler's type does not fit it.
///
/// The error's message may quote the contents, so it is not logged.
pub(crate) fn decode_failed(account: &str, error: &xml::Error) {
    event!(
        ERROR,
        account,
        kind = ?error.kind(),
        offset = error.offset(),
        path = error.path(),
        "cannot read a verified body"
    );
}

/// Logs that a message reaches the handler as `Other`, because it does not fit its type. No contents, as above.
pub(crate) fn misfit(account: &str, reason: &xml::Error) {
    event!(
        WARN,
        account,
        kind = ?reason.kind(),
        offset = reason.offset(),
        path = reason.path(),
        "a message does not fit its type, and is handled as `Other`"
    );
}

/// Logs that a push of the open platform or to a WeCom suite reaches a handler of messages as `Other`. Its InfoType is
/// not logged: the sender chooses it.
pub(crate) fn no_message(account: &str) {
    event!(
        DEBUG,
        account,
        "a push with an InfoType is no message, and is handled as `Other`"
    );
}

/// Logs that a smart bot's push reaches a handler of messages as `Other`.
pub(crate) fn smart_bot_is_no_message(account: &str) {
    event!(
        WARN,
        account,
        "a smart bot's push is no message, and is handled as `Other`: its handler takes a `BotMessage`"
    );
}

/// Logs that WeCom polls a stream that this node does not know.
pub(crate) fn unknown_stream(account: &str) {
    event!(DEBUG, account, "a poll asks for an unknown stream");
}

/// Logs that a function that the user of the crate has set panicked.
pub(crate) fn function_panicked(name: &'static str) {
    event!(ERROR, function = name, "a function panicked");
}

/// Logs that the timestamp of a delivery contradicts what this node or the store has seen. If that `is_known`, every slow
/// message causes this event, so it is at DEBUG.
pub(crate) fn clock_differs(account: &str, seconds: u64, is_known: bool) {
    if is_known {
        event!(DEBUG, account, seconds, "{CLOCK_DIFFERS}");
    } else {
        event!(WARN, account, seconds, "{CLOCK_DIFFERS}");
    }
}

/// Logs that a handler returned an error. Its text comes from the handler.
pub(crate) fn handler_failed(account: &str, error: &reply::HandlerError) {
    event!(ERROR, account, %error, "the handler failed");
}

/// Logs that a handler returned a reply that cannot be sent.
pub(crate) fn reply_dropped(account: &str, error: &reply::Error) {
    event!(
        ERROR,
        account,
        kind = ?error.kind(),
        %error,
        "cannot send the reply, acknowledged the message instead"
    );
}

/// Logs that the passive reply does not show all of a reply, and that nothing sends the rest, which takes so many
/// `messages`.
pub(crate) fn reply_cut(account: &str, messages: usize) {
    event!(
        WARN,
        account,
        messages,
        "a reply is longer than one message, and no sink for late replies sends the rest"
    );
}

/// Logs that a run of a message failed. The text of an error comes from the inner service.
pub(super) fn run_failed(account: &str, number: u32, failure: &dyn fmt::Display) {
    event!(WARN, account, number, %failure, "a run failed");
}

/// Logs that all runs of a message failed. `runs` is the number of the last run.
pub(crate) fn message_given_up(account: &str, key: MessageKey, runs: u32) {
    event!(
        ERROR,
        account,
        message_key = %key,
        runs,
        "all runs of a message failed"
    );
}

/// Logs that a delivery was answered 503, so that WeChat retries.
pub(super) fn delivery_turned_away(account: &str, reason: &'static str) {
    event!(WARN, account, reason, "turned a delivery away");
}

/// Logs and counts a delivery whose message is known with another body: its key may be that of two messages.
pub(crate) fn retry_differs(account: &str, key: MessageKey) {
    event!(
        WARN,
        account,
        message_key = %key,
        "a delivery has the key of another message, or differs from its first delivery: it is answered as a retry"
    );
    meters::retry_differs(account);
}

/// Logs that this node lost a message to another node or to the store, because its lease was not renewed in time.
pub(crate) fn lease_lost(account: &str, key: MessageKey) {
    event!(WARN, account, message_key = %key, "lost the lease of a message");
}

/// Logs that a delivery was left unanswered until WeChat hung up, so that WeChat retries.
pub(super) fn hung_up(account: &str) {
    event!(
        DEBUG,
        account,
        "a delivery got no answer before WeChat hung up"
    );
}

/// Logs and counts a reply that no delivery gets, or an acknowledged message that has no reply.
pub(crate) fn reply_is_late(account: &str, key: MessageKey, cause: &'static str) {
    event!(DEBUG, account, message_key = %key, cause, "a reply is late");
    meters::reply_is_late(account, cause);
}

/// Logs that a reply stays in the store, where a delivery to another node can fetch it: this node goes away, and has no sink.
pub(crate) fn reply_is_left(account: &str, key: MessageKey) {
    event!(INFO, account, message_key = %key, "a reply is left to the other nodes");
}

/// Logs and counts what is lost of a reply: no delivery shows it, and no sink has handed it over.
pub(crate) fn reply_is_lost(account: &str, key: MessageKey, reason: &'static str, parts: usize) {
    event!(
        ERROR,
        account,
        message_key = %key,
        reason,
        parts,
        "a late reply is lost"
    );
    meters::parts_went(account, Way::Lost.name(), parts);
}

/// Logs and counts where parts of a late reply have gone.
pub(crate) fn parts_went(account: &str, key: MessageKey, way: Way, parts: usize) {
    let way = way.name();
    event!(DEBUG, account, message_key = %key, parts, way, "parts of a late reply");
    meters::parts_went(account, way, parts);
}

/// Logs and counts parts that a mailbox has dropped, to make room for others.
pub(crate) fn parts_evicted(account: &str, parts: u32) {
    if parts > 0 {
        event!(
            ERROR,
            account,
            parts,
            "the mailbox is full: parts of late replies are lost"
        );
    }
    let parts = usize::try_from(parts).unwrap_or(usize::MAX);
    meters::parts_went(account, "evicted", parts);
}

/// Logs that the nodes share a store, and no mailbox.
pub(crate) fn mailbox_is_not_shared() {
    event!(
        WARN,
        "the layer has a store, and `NextMessage::in_memory`: other nodes do not find what it keeps; \
         use `NextMessage::shared`"
    );
}

/// Logs that a mailbox may have dropped parts to make room, and has not said so: an answer of it was lost.
pub(crate) fn parts_may_be_evicted(account: &str) {
    event!(
        WARN,
        account,
        "an answer of the mailbox was lost: parts of late replies may be lost"
    );
}

/// Where a part of a late reply has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// To the user, as a customer-service message.
    #[cfg(feature = "api")]
    CustomerService,
    /// To the user, through the URL of a smart bot's message.
    #[cfg(feature = "api")]
    ResponseUrl,
    /// Likewise, perhaps: the answer was lost.
    #[cfg(feature = "api")]
    Unknown,
    /// Nowhere: the user does not follow the account.
    #[cfg(feature = "api")]
    Dropped,
    /// Into the mailbox, until the user's next message.
    Kept,
    /// To the user, as the answer to a later message.
    Fetched,
    /// Nowhere: the user has unsubscribed.
    Unsubscribed,
    /// To the user, as the end of a smart bot's stream.
    Stream,
    /// To an async function.
    Function,
    /// To no sink.
    Lost,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "api")]
            Self::CustomerService => "customer_service",
            #[cfg(feature = "api")]
            Self::ResponseUrl => "response_url",
            #[cfg(feature = "api")]
            Self::Unknown => "unknown",
            #[cfg(feature = "api")]
            Self::Dropped => "dropped",
            Self::Kept => "kept",
            Self::Fetched => "fetched",
            Self::Unsubscribed => "unsubscribed",
            Self::Stream => "stream",
            Self::Function => "function",
            Self::Lost => "lost",
        }
    }
}

/// Logs and counts a late reply that this node gives out although the store has not said whose it is: another node may
/// give it as well.
pub(crate) fn reply_unconfirmed(account: &str, key: MessageKey) {
    event!(
        WARN,
        account,
        message_key = %key,
        "the store does not say whose a late reply is: it may be given twice"
    );
    meters::reply_unconfirmed(account);
}

/// Logs that a node leaves a message whose reply it may hold: the store has not said so. Then no other node gives it.
pub(crate) fn reply_unheard(account: &str, key: MessageKey) {
    event!(
        WARN,
        account,
        message_key = %key,
        "the store does not say whether this node holds a reply: it may be lost"
    );
}

/// Logs that a sink has failed, and has left a late reply to the next one, or parts of it. The text of an async function's
/// error comes from the function.
pub(crate) fn sink_failed(account: &str, key: MessageKey, error: &str) {
    event!(
        WARN,
        account,
        message_key = %key,
        error,
        "a sink has failed to hand over a late reply"
    );
}

/// Logs and counts a failed operation of the store, or of the mailbox. The error's text comes from there.
///
/// If it `is_known` to be unavailable, every message causes this event, so it is at DEBUG.
pub(crate) fn store_failed(
    name: &'static str,
    operation: &'static str,
    is_known: bool,
    error: &dyn fmt::Display,
) {
    if is_known {
        event!(DEBUG, operation, %error, "the {name} failed");
    } else {
        event!(WARN, operation, %error, "the {name} failed");
    }
    meters::store_failed(operation, "error");
}

/// Logs and counts an operation of the store that took too long. For `is_known` see [`store_failed`].
pub(crate) fn store_silent(
    name: &'static str,
    operation: &'static str,
    is_known: bool,
    timeout: Duration,
) {
    if is_known {
        event!(
            DEBUG,
            operation,
            ?timeout,
            "the {name} did not answer in time"
        );
    } else {
        event!(
            WARN,
            operation,
            ?timeout,
            "the {name} did not answer in time"
        );
    }
    meters::store_failed(operation, "timeout");
}

/// Logs that a store or a mailbox is available again.
pub(crate) fn is_back(name: &'static str) {
    event!(INFO, "the {name} is back");
}

/// Logs that a reply could not be sealed.
pub(crate) fn reply_not_sealed(account: &str, error: SealError) {
    event!(ERROR, account, kind = ?error.kind(), "cannot seal the reply");
}

#[cfg(feature = "tracing")]
const CLOCK_DIFFERS: &str = "a new delivery's timestamp is old: this machine's clock is ahead, or something delays deliveries";
