//! The crate's metrics, through the [`metrics`](https://docs.rs/metrics) crate.
//!
//! Any exporter for that crate shows:
//!
//! | name | type | labels | meaning |
//! |---|---|---|---|
//! | `tower_wechat_deliveries_total` | counter | `account`, `outcome` | finished requests to [`VerifySignature`](crate::verify::VerifySignature) |
//! | `tower_wechat_delivery_duration_seconds` | histogram | `account` | duration of these requests |
//! | `tower_wechat_deliveries_open` | gauge | | unfinished requests |
//! | `tower_wechat_rejections_total` | counter | `account`, `kind` | rejected requests |
//! | `tower_wechat_joins_total` | counter | `account` | deliveries that waited for a run that another delivery started |
//! | `tower_wechat_kept_replies_total` | counter | `account` | deliveries that got the reply of a finished run |
//! | `tower_wechat_differing_retries_total` | counter | `account` | deliveries with the key of a message that has another body, see [below](#alerts) |
//! | `tower_wechat_hang_ups_total` | counter | `account` | deliveries left unanswered until WeChat hung up; WeChat raises an alarm at 30 in 5 minutes |
//! | `tower_wechat_runs_total` | counter | `account`, `result` | finished runs |
//! | `tower_wechat_handler_duration_seconds` | histogram | `account` | duration of finished runs |
//! | `tower_wechat_runs_open` | gauge | | unfinished runs |
//! | `tower_wechat_late_replies_total` | counter | `account`, `cause` | replies that no delivery got, rests of replies that a passive one does not show, and acknowledged messages whose runs all failed |
//! | `tower_wechat_late_parts_total` | counter | `account`, `way` | messages of late replies, as many as customer service needs for them |
//! | `tower_wechat_unconfirmed_replies_total` | counter | `account` | late replies that another node may have given as well, because the store was away, or has lost its data |
//! | `tower_wechat_store_errors_total` | counter | `operation`, `cause` | failed operations of the store |
//! | `tower_wechat_api_calls_total` | counter | `app_id`, `call`, `result` | finished calls of an `Api` (feature `api`) |
//! | `tower_wechat_api_call_duration_seconds` | histogram | `app_id`, `call` | duration of these calls, with the repetitions in them |
//! | `tower_wechat_recognitions_total` | counter | `account`, `result` | finished recognitions of voice messages by a `RecognizeLayer` (feature `api`) |
//! | `tower_wechat_recognition_duration_seconds` | histogram | `account` | duration of these recognitions, with the fetch of the recording |
//! | `tower_wechat_recording_bytes` | histogram | `account` | size of the fetched recordings |
//!
//! Labels:
//!
//! - `account`: the account's [name](crate::Account::with_name). See [below](#who-chooses-an-account-label).
//! - `outcome` is one of these:
//!   - `rejected`: the request was rejected.
//!   - `url_verified`: WeChat verified the URL, or the console of cloud hosting its path.
//!   - `run`: the delivery started a run and got its reply.
//!   - `joined`: the delivery waited for a run that another delivery started.
//!   - `kept_reply`: the delivery got the reply of a finished run.
//!   - `done`: the message was finished, and no reply was left.
//!   - `acknowledged`: the delivery was acknowledged while the message was still running.
//!   - `polled`: the delivery asked for the [stream](crate::message::smart_bot#streams) of a smart bot's answer.
//!   - `turned_away`: the delivery was answered 503.
//!   - `passed`: the delivery reached the inner service without dedup in between.
//!   - `failed`: the inner service failed or answered with a 5xx status, or its response could not be read or sealed.
//!   - `hung_up`: the client disconnected before the answer.
//! - `kind`: the [`RejectionKind`](crate::verify::RejectionKind) or [`ErrorKind`](crate::callback::ErrorKind) in snake
//!   case, such as `body_too_large` or `signature`.
//! - `result`: `answered`, `failed`, `timed_out`, `panicked`, `lost_lease`, or `cut` when the node shut down.
//! - `cause` of a late reply: `acknowledged`, `unfetched`, `rest`, `whole`, `queued` or `failed`, see
//!   [`LateCause`](crate::late::LateCause).
//! - `way` of a message of a late reply: `customer_service`, `response_url`, `unknown` if WeChat's answer was lost,
//!   `dropped` if the user does not follow the account, `stream` for the end of a smart bot's stream, `function` for an
//!   async function, or `lost`. A mailbox counts a part as `kept`, and later as `fetched`, as `evicted` at a bound, or as
//!   `unsubscribed`. A part that is only `kept` is still there, or has expired.
//! - `operation`: `claim`, `renew`, `complete`, `publish`, `acknowledge` or `release`; of a mailbox, `mailbox_` and the
//!   operation, such as `mailbox_take`. Its `cause` is `error` or `timeout`.
//! - Of an `Api`, `app_id` is its app id. `call` is the path below `/cgi-bin/`, such as `media/get`. `result` is `ok`, or
//!   the kind of the error in snake case, such as `unauthorized`.
//! - `result` of a recognition: `recognized`, or the kind of the error in snake case, such as `no_words`. If the recording
//!   could not be fetched, it is `fetch_` and the kind of the API's error, such as `fetch_media_id`.
//!
//! The exporter sets the buckets of histograms. Buckets around 5 s, when WeChat hangs up, are the most useful.
//!
//! # Who chooses an account label
//!
//! Each new label value creates a new time series, so a stranger must not be able to make one up:
//!
//! - A layer for one account always uses the account's name.
//! - A layer that picks the account by the request uses the name after a valid signature. Before that, the label is
//!   empty.
//! - The original id of an [authorizer](crate::Account::authorizer) becomes a label after a message to the authorizer
//!   has been opened. Before that, the label is the component's name.
//!
//! - The process uses at most 10 000 names. Beyond these, the label is `other`.
//!
//! WeChat does not sign the path. If you make names from the path, anyone with a signed query can send it to other
//! paths and create a series for each, up to that bound. So choose [names](crate::Account::with_name) from a list of your
//! own.
//!
//! # Before the first event
//!
//! Prometheus' `increase` and `rate` miss the first event of a counter that begins with it. So counters begin at zero
//! when the stack is built:
//!
//! ```
//! use tower_wechat::{Account, VerifySignatureLayer, metrics};
//!
//! // First, install an exporter. Then:
//! metrics::describe();
//! let layer = VerifySignatureLayer::new(Account::plain("rosebud7")?.with_name("news"));
//! # Ok::<(), tower_wechat::account::Error>(())
//! ```
//!
//! - [`describe`] begins what has no label `account` or `app_id`: the gauges and the errors of the store.
//! - [`VerifySignatureLayer::new`](crate::VerifySignatureLayer::new) begins the counters of its account.
//! - [`begin`] begins the counters of an account that a layer picks by the request.
//! - Histograms, and the counters of an `Api` and of recognitions, begin with their first event.
//!
//! # Alerts
//!
//! In Prometheus' language. Each threshold leaves time to act before users see something:
//!
//! | alert | expression | what it means |
//! |---|---|---|
//! | hang-ups | `sum by (account) (increase(tower_wechat_hang_ups_total[5m])) > 10` | Slow handlers. At 20 on a node, dedup acknowledges first deliveries. At 30 of an account, WeChat raises an alarm, and may stop pushing for a minute. |
//! | wrong token | `sum(increase(tower_wechat_rejections_total{kind="signature"}[15m])) > 0 and sum(increase(tower_wechat_rejections_total[15m])) == sum(increase(tower_wechat_deliveries_total[15m]))` | All requests are rejected, some by their signature. Without the second half, each scanner raises the alert. |
//! | wrong setting | `sum by (account, kind) (increase(tower_wechat_rejections_total{kind=~"timestamp\|padding\|length\|receive_id\|plain_account\|encrypted_account"}[15m])) > 0` | A setting or a clock is wrong. [`account`](crate::account#finding-a-wrong-setting) lists the cause of each kind. |
//! | outdated allow-list | `sum by (account) (increase(tower_wechat_rejections_total{kind=~"address.*"}[15m])) > 0 and sum by (account) (increase(tower_wechat_deliveries_total{outcome=~"run\|joined\|kept_reply\|done\|acknowledged\|passed"}[15m])) == 0` | No delivery gets through, and the [allow-list](crate::verify#an-allow-list) rejects some. |
//! | key of two messages | `sum by (account) (increase(tower_wechat_differing_retries_total[1h])) > 0` | A [key function](crate::dedup::DedupBuilder::with_key) makes one message of two, and the second one is lost; or in plain mode somebody sends another body with a captured query. |
//! | late parts lost | `sum by (account) (increase(tower_wechat_late_parts_total{way=~"lost\|evicted"}[15m])) > 0` | Users miss a part of an answer. The log has an error with the message's key. |
//! | failing handler | `sum by (account) (increase(tower_wechat_late_replies_total{cause="failed"}[15m])) > 0` | All runs of an acknowledged message have failed. |
//! | store away | `sum(increase(tower_wechat_store_errors_total[5m])) > 10` | Nodes go on alone: messages may run twice. |

use crate::{account::Account, observe};

/// Begins the counters of an account at zero, for an account that
/// [`VerifySignatureLayer::from_fn`](crate::VerifySignatureLayer::from_fn) picks.
pub fn begin(account: &Account) {
    observe::account_is_served(&account.shared_name());
}

/// Describes each metric to the installed recorder, and begins those without an account at zero.
///
/// Exporters show the descriptions beside the names.
pub fn describe() {
    observe::node_is_observed();
    observe::describe_metrics();
}
