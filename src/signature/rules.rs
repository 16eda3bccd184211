use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, header, request::Parts};
use http_body_util::Full;
use tokio::time::Instant;

use crate::{
    account::Account,
    envelope::{self, Opened},
    observe,
    signature::{Delivery, Query, Refusal, RefusalKind},
};

/// What a layer's clones share: the settings, and the decisions that need no body.
#[derive(Clone)]
pub(super) struct Rules {
    pub(super) accounts: Arc<Accounts>,
    /// Whether the account depends on the request.
    pub(super) picks_account: bool,
    pub(super) clock: Arc<Clock>,
    pub(super) freshness: Duration,
    pub(super) body_limit: usize,
    pub(super) body_timeout: Duration,
}

type Accounts = dyn Fn(&Parts) -> Option<Account> + Send + Sync;
type Clock = dyn Fn() -> SystemTime + Send + Sync;

/// What is to be done with a request, from its head alone.
pub(super) enum Decision {
    /// It is answered: URL verification, or a refusal.
    Answer(Response<Full<Bytes>>),
    /// WeChat delivers something: read the body.
    Read(Delivery, Option<Encrypted>),
}

/// What it takes to open the body of an encrypted account.
pub(super) struct Encrypted {
    account: Account,
    query: Query<'static>,
}

impl Encrypted {
    pub(super) fn open(&self, body: &[u8]) -> Result<Opened, Refusal> {
        Ok(envelope::open(&self.account, &self.query, body)?)
    }
}

impl Rules {
    /// `body_size` is how long the body is at least, as far as it says.
    pub(super) fn decide(
        &self,
        head: &Parts,
        body_size: u64,
        arrival: Instant,
        observed: &observe::Delivery,
    ) -> Decision {
        let Some(account) = (self.accounts)(head) else {
            return Decision::Answer(Refusal::new(RefusalKind::UnknownAccount).answer());
        };
        observed.is_for(&account, self.picks_account);
        self.decide_for(&account, head, body_size, arrival, observed)
            .unwrap_or_else(|refusal| Decision::Answer(refusal.answer()))
    }

    fn decide_for(
        &self,
        account: &Account,
        head: &Parts,
        body_size: u64,
        arrival: Instant,
        observed: &observe::Delivery,
    ) -> Result<Decision, Refusal> {
        let is_verification = match head.method {
            Method::GET => true,
            Method::POST => false,
            _ => return Err(Refusal::new(RefusalKind::Method)),
        };
        let query = Query::parse(head.uri.query().unwrap_or_default())?;
        let now = (self.clock)();
        query.verify(account, now, self.freshness)?;
        observed.query_is_verified();
        if is_verification {
            let echostr = if account.is_wecom() {
                envelope::open_echostr(account, &query)?
            } else {
                Bytes::copy_from_slice(query.echostr()?.as_bytes())
            };
            observed.verifies_url();
            return Ok(Decision::Answer(echo(echostr)));
        }
        if account.encryption().is_some() && query.msg_signature().is_none() {
            return Err(Refusal::new(RefusalKind::Parameters));
        }
        if content_length(head).unwrap_or(0).max(body_size) > self.body_limit as u64 {
            return Err(Refusal::new(RefusalKind::BodyTooLarge));
        }
        let delivery = Delivery {
            account: account.shared_name(),
            arrival,
            timestamp: query.seconds(),
            age: now
                .duration_since(SystemTime::UNIX_EPOCH + Duration::from_secs(query.seconds()))
                .unwrap_or_default(),
            freshness: self.freshness,
        };
        let encrypted = account.encryption().map(|_| Encrypted {
            account: account.clone(),
            query: query.into_owned(),
        });
        Ok(Decision::Read(delivery, encrypted))
    }
}

/// A body that has lost its size on the way through other layers is still announced here.
fn content_length(head: &Parts) -> Option<u64> {
    head.headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

/// The client chooses the text, so that it must never be taken for a document.
fn echo(echostr: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(echostr));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}
