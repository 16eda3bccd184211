use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Method, header, request::Parts};
use tokio::time::Instant;

use super::rejection::{Rejection, RejectionKind};
use crate::{
    account::Account,
    callback::{self, ErrorKind, Opened, Query},
    delivery::Delivery,
};

/// The settings of a layer, and the decisions that need no body.
#[derive(Clone)]
pub(super) struct Config {
    pub(super) account: Arc<PickAccount>,
    /// Whether the account depends on the request.
    pub(super) is_picked: bool,
    pub(super) clock: Arc<Clock>,
    pub(super) timestamp_tolerance: Duration,
    pub(super) body_limit: usize,
    pub(super) body_timeout: Duration,
}

type PickAccount = dyn Fn(&Parts) -> Option<Account> + Send + Sync;
type Clock = dyn Fn() -> SystemTime + Send + Sync;

/// What to do with a request that has passed the checks of its head.
pub(super) enum Decision {
    /// WeChat verifies the URL: send this back.
    Echo(Bytes),
    /// WeChat delivers a push: read the body.
    Read(Delivery, Opener),
}

/// What it takes to open the body, once it is there.
pub(super) struct Opener {
    /// Whether the query was signed. WeCom signs ciphertexts alone.
    pub(super) is_signed: bool,
    encrypted: Option<(Account, Query)>,
}

impl Opener {
    pub(super) fn open(&self, body: Bytes) -> Result<Opened, Rejection> {
        if body.is_empty() {
            return Err(Rejection::new(RejectionKind::BodyEmpty).signed(self.is_signed));
        }
        match &self.encrypted {
            Some((account, query)) => callback::open(account, query, body)
                .map_err(|error| opening_failed(error, self.is_signed)),
            None => Ok(Opened::plain(body)),
        }
    }
}

impl Config {
    /// Decides on the head of a request to `account`, whose body has at least `body_size` bytes.
    pub(super) fn decide(
        &self,
        account: &Account,
        head: &Parts,
        body_size: u64,
        arrival: Instant,
    ) -> Result<Decision, Rejection> {
        let is_verification = match head.method {
            Method::GET => true,
            Method::POST => false,
            _ => return Err(Rejection::new(RejectionKind::Method)),
        };
        let query = Query::parse(head.uri.query().unwrap_or_default())?;
        let now = (self.clock)();
        let is_signed = !account.is_wecom();
        query
            .verify(account, now, self.timestamp_tolerance)
            .map_err(|error| {
                // The signature is checked first.
                let is_late = error.kind() == ErrorKind::Timestamp;
                Rejection::from(error).signed(is_signed && is_late)
            })?;
        if is_verification {
            let echostr = callback::echostr(account, &query).map_err(|error| {
                // WeCom's echostr is found to be none after its signature, unless it is missing.
                let is_decrypted = error.kind() == ErrorKind::Echostr && query.echostr().is_ok();
                opening_failed(error, is_signed || is_decrypted)
            })?;
            return Ok(Decision::Echo(echostr));
        }
        let rejected = |kind| Err(Rejection::new(kind).signed(is_signed));
        let is_encrypted = account.encryption().is_some();
        if is_encrypted && query.msg_signature().is_none() {
            return rejected(RejectionKind::Callback(ErrorKind::Parameters));
        }
        if content_length(head).unwrap_or(0).max(body_size) > self.body_limit as u64 {
            return rejected(RejectionKind::BodyTooLarge);
        }
        let age = now.duration_since(query.timestamp().into());
        let delivery = Delivery::new(account.shared_name())
            .with_arrival(arrival.into_std())
            .with_timestamp(query.timestamp(), age.unwrap_or_default())
            .with_timestamp_tolerance(self.timestamp_tolerance);
        let opener = Opener {
            is_signed,
            encrypted: is_encrypted.then(|| (account.clone(), query)),
        };
        Ok(Decision::Read(delivery, opener))
    }
}

/// A ciphertext that fails after its signature has been checked is signed, even where the query is not.
fn opening_failed(error: callback::Error, is_query_signed: bool) -> Rejection {
    let is_before_signature = matches!(
        error.kind(),
        ErrorKind::Parameters | ErrorKind::Document | ErrorKind::Signature | ErrorKind::Echostr
    );
    Rejection::from(error).signed(is_query_signed || !is_before_signature)
}

/// The length in the header. A layer outside may have hidden the body's own size.
fn content_length(head: &Parts) -> Option<u64> {
    head.headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}
