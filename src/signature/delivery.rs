use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// What [`VerifySignature`](super::VerifySignature) found out about one HTTP request from WeChat.
///
/// It stands in the request's extensions for everything behind the layer: dedup counts its deadlines
/// from [`arrival`](Self::arrival), and a handler may ask for which account a message came.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub(super) account: Arc<str>,
    pub(super) arrival: tokio::time::Instant,
    pub(super) timestamp: u64,
    pub(super) age: Duration,
    pub(super) freshness: Duration,
}

impl Delivery {
    /// The name of the account it is for, see [`Account::with_name`](crate::Account::with_name).
    pub fn account(&self) -> &str {
        &self.account
    }

    pub(crate) fn shared_account(&self) -> Arc<str> {
        Arc::clone(&self.account)
    }

    /// When the request's head arrived; every deadline counts from here.
    pub fn arrival(&self) -> Instant {
        self.arrival.into_std()
    }

    /// When WeChat signed it: the query's `timestamp`. Its retries repeat it.
    pub fn timestamp(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.timestamp)
    }

    /// How long ago WeChat had signed it when it arrived, by this machine's clock; zero if that is behind.
    pub fn age(&self) -> Duration {
        self.age
    }

    /// How long before and after its timestamp a delivery is accepted.
    pub fn freshness(&self) -> Duration {
        self.freshness
    }
}
