//! The order of the checks before the body is read: account, address, method, query, signature, timestamp.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Method, header, request::Parts};
use tokio::time::Instant;

use super::{
    allow_list::Allowed,
    rejection::{Rejection, RejectionKind},
};
use crate::{
    account::Account,
    callback::{self, Opened, Query},
    delivery::Delivery,
};

/// The settings of a layer, and the decisions that need no body.
#[derive(Clone)]
pub(super) struct Config {
    pub(super) account: Arc<PickAccount>,
    /// Whether the layer picks the account by the request.
    pub(super) is_picked: bool,
    pub(super) allowed: Option<Arc<Allowed>>,
    pub(super) clock: Arc<Clock>,
    pub(super) timestamp_tolerance: Duration,
    pub(super) body_limit: usize,
    pub(super) body_timeout: Duration,
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
    account: Account,
    query: Query,
}

impl Opener {
    pub(super) fn open(&self, body: Bytes) -> Result<Opened, Rejection> {
        if body.is_empty() {
            return Err(Rejection::new(RejectionKind::BodyEmpty).signed(self.is_signed));
        }
        Ok(callback::open(&self.account, &self.query, body)?)
    }
}

impl Config {
    /// Checks the head of a request to `account`. `body_size` is the least number of bytes that its body has.
    pub(super) fn decide(
        &self,
        account: &Account,
        head: &Parts,
        body_size: u64,
        arrival: Instant,
    ) -> Result<Decision, Rejection> {
        if let Some(allowed) = &self.allowed
            && let Err(kind) = allowed.check(head)
        {
            return Err(Rejection::new(kind).signed(self.is_signed(account, head)));
        }
        let is_verification = match head.method {
            Method::GET => true,
            Method::POST => false,
            _ => return Err(Rejection::new(RejectionKind::Method)),
        };
        let query = Query::parse(head.uri.query().unwrap_or_default())?;
        let now = (self.clock)();
        query.verify(account, now, self.timestamp_tolerance)?;
        if is_verification {
            return Ok(Decision::Echo(callback::echostr(account, &query)?));
        }
        let is_signed = query.is_signed(account);
        let rejected = |kind| Err(Rejection::new(kind).signed(is_signed));
        if account.encryption().is_some()
            && let Err(kind) = query.msg_signature()
        {
            return rejected(RejectionKind::Callback(kind));
        }
        if content_length(head).unwrap_or(0).max(body_size) > self.body_limit as u64 {
            return rejected(RejectionKind::BodyTooLarge);
        }
        let delivery = Delivery::of_request(
            account.shared_name(),
            arrival,
            now,
            query.timestamp(),
            self.timestamp_tolerance,
        );
        let opener = Opener {
            is_signed,
            account: account.clone(),
            query,
        };
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

/// Returns the length in the header. An outer layer may have hidden the body's own size.
fn content_length(head: &Parts) -> Option<u64> {
    head.headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}
