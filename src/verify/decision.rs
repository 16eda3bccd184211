//! The order of the checks before the body is read: account, address, method, query, signature, timestamp.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Method, header, request::Parts};
use tokio::time::Instant;

use super::{
    allow_list::Allowed,
    cloud_hosting,
    rejection::{Rejection, RejectionKind},
};
use crate::{
    account::Account,
    body::ReadError,
    callback::{self, Opened, Query},
    delivery::Delivery,
    message::RETRIED_FOR,
    timestamp::Timestamp,
};

/// The settings of a layer, and the decisions that need no body.
#[derive(Clone)]
pub(super) struct Config {
    pub(super) accounts: Accounts,
    pub(super) allowed: Option<Arc<Allowed>>,
    pub(super) clock: Arc<Clock>,
    pub(super) timestamp_tolerance: Duration,
    pub(super) body_limit: usize,
    pub(super) body_timeout: Duration,
}

/// The accounts of a layer.
#[derive(Clone)]
pub(super) enum Accounts {
    One(Account),
    /// The layer picks the account by the request.
    Picked(Arc<PickAccount>),
}

type PickAccount = dyn Fn(&Parts) -> Option<Account> + Send + Sync;
type Clock = dyn Fn() -> SystemTime + Send + Sync;

/// The next step for a request whose head has passed the checks.
pub(super) enum Decision {
    /// WeChat verifies the URL. Answer with these bytes.
    Echo(Bytes),
    /// WeChat delivers a push. Read the body and open it.
    Read(Delivery, Opener),
}

/// Opens the body of a push once it has been read.
pub(super) struct Opener {
    /// Whether the query was signed.
    pub(super) is_signed: bool,
    pub(super) account: Account,
    sent: Sent,
}

/// What a head says of the sender.
enum Sent {
    /// WeChat has signed the query, or the body is encrypted. If it `is_late`, the timestamp is too old for most pushes.
    Signed { query: Query, is_late: bool },
    /// The account is on cloud hosting. The platform `is_marked` as the sender.
    Hosted { is_marked: bool },
}

impl Opener {
    /// Opens the body of a push. `None`: the console checks the path.
    pub(super) fn open(
        &self,
        body: Bytes,
        delivery: &mut Delivery,
    ) -> Result<Option<Opened>, Rejection> {
        if body.is_empty() {
            return Err(Rejection::new(RejectionKind::BodyEmpty).signed(self.is_signed));
        }
        match &self.sent {
            Sent::Signed { query, is_late } => {
                let mut opened = callback::open(&self.account, query, body)?;
                if self.is_signed && self.account.encryption().is_some() && opened.is_retried() {
                    delivery.accept_late(RETRIED_FOR);
                } else if *is_late {
                    let kind = RejectionKind::Callback(callback::ErrorKind::Timestamp);
                    return Err(Rejection::new(kind).signed(self.is_signed));
                }
                Ok(Some(opened))
            }
            Sent::Hosted { .. } if cloud_hosting::is_probe(&body) => Ok(None),
            Sent::Hosted { is_marked: true } => Ok(Some(Opened::new(body))),
            Sent::Hosted { is_marked: false } => Err(Rejection::new(RejectionKind::Source)),
        }
    }

    /// The largest body, where a push's is `limit`. A request without the platform's header may only be a probe.
    pub(super) fn body_limit(&self, limit: usize) -> usize {
        match self.sent {
            Sent::Hosted { is_marked: false } => limit.min(cloud_hosting::MAX_PROBE),
            _ => limit,
        }
    }

    /// The rejection of a body that has not been read.
    pub(super) fn reject<E>(&self, error: ReadError<E>) -> Rejection {
        match (&self.sent, error) {
            (Sent::Hosted { is_marked: false }, ReadError::TooLarge) => {
                Rejection::new(RejectionKind::Source)
            }
            (_, error) => Rejection::from(error).signed(self.is_signed),
        }
    }
}

impl Config {
    /// Checks the head of a request to `account`. `body_size` is the least number of bytes that its body has.
    pub(super) fn decide(
        &self,
        account: &Account,
        head: &Parts,
        body_size: u64,
    ) -> Result<Decision, Rejection> {
        if let Some(allowed) = &self.allowed
            && let Err(kind) = allowed.check(head)
        {
            return Err(Rejection::new(kind).signed(self.is_signed(account, head)));
        }
        let is_hosted = account.is_cloud_hosted();
        let is_verification = match head.method {
            Method::GET if !is_hosted => true,
            Method::POST => false,
            _ if is_hosted => return Err(Rejection::new(RejectionKind::NotPost)),
            _ => return Err(Rejection::new(RejectionKind::Method)),
        };
        if is_hosted {
            let is_marked = cloud_hosting::is_marked(&head.headers);
            let opener = Opener {
                is_signed: false,
                account: account.clone(),
                sent: Sent::Hosted { is_marked },
            };
            let (arrival, now) = (Instant::now(), (self.clock)());
            return self.read(opener, head, body_size, arrival, (now, now.into()));
        }
        let query = Query::parse(head.uri.query().unwrap_or_default())?;
        // Before any clock is read: strangers cost as little as possible.
        query.verify_signature(account)?;
        let (arrival, now) = (Instant::now(), (self.clock)());
        let is_late = match query.verify_timestamp(account, now, self.timestamp_tolerance) {
            Err(_) if !is_verification && may_be_late(account, &query, now) => true,
            verified => {
                verified?;
                false
            }
        };
        if is_verification {
            return Ok(Decision::Echo(callback::echostr(account, &query)?));
        }
        let is_signed = query.is_signed(account);
        if account.encryption().is_some()
            && let Err(kind) = query.msg_signature()
        {
            return Err(Rejection::new(RejectionKind::Callback(kind)).signed(is_signed));
        }
        let times = (now, query.timestamp());
        let opener = Opener {
            is_signed,
            account: account.clone(),
            sent: Sent::Signed { query, is_late },
        };
        self.read(opener, head, body_size, arrival, times)
    }

    /// Checks the size of a body. `times` are the present and the timestamp of the delivery.
    fn read(
        &self,
        opener: Opener,
        head: &Parts,
        body_size: u64,
        arrival: Instant,
        times: (SystemTime, Timestamp),
    ) -> Result<Decision, Rejection> {
        let limit = opener.body_limit(self.body_limit);
        if content_length(head).unwrap_or(0).max(body_size) > limit as u64 {
            return Err(opener.reject(ReadError::<Infallible>::TooLarge));
        }
        let account = opener.account.shared_name();
        let (now, timestamp) = times;
        let tolerance = self.timestamp_tolerance;
        let delivery = Delivery::of_request(account, arrival, now, timestamp, tolerance);
        Ok(Decision::Read(delivery, opener))
    }

    /// Returns whether the query has a valid signature.
    fn is_signed(&self, account: &Account, head: &Parts) -> bool {
        Query::parse(head.uri.query().unwrap_or_default()).is_ok_and(|query| {
            let verified = query.verify(account, (self.clock)(), self.timestamp_tolerance);
            query.is_signed(account) && verified.is_ok()
        })
    }
}

/// Returns whether a query with a valid signature may be of a late retry: the push says whether it is one, and only a holder
/// of the key can write it.
fn may_be_late(account: &Account, query: &Query, now: SystemTime) -> bool {
    let age = now.duration_since(query.timestamp().into());
    account.encryption().is_some()
        && query.is_signed(account)
        && query.msg_signature().is_ok()
        && age.is_ok_and(|age| age <= RETRIED_FOR)
}

/// Returns the length in the header. An outer layer may have hidden the body's own size.
fn content_length(head: &Parts) -> Option<u64> {
    head.headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}
