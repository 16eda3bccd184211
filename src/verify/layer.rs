//! The layer: accounts, clock, and the bounds on timestamp and body.

use std::{
    fmt,
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::request::Parts;
use tower::Layer;

use super::{
    allow_list::{AllowList, Allowed},
    decision::{Accounts, Config},
    service::VerifySignature,
};
use crate::{account::Account, delivery::TIMESTAMP_TOLERANCE, observe};

/// Applies [`VerifySignature`]: rejects callbacks that WeChat has not signed.
///
/// See the [module docs](super) for the rules and an example.
#[derive(Clone)]
pub struct VerifySignatureLayer {
    config: Arc<Config>,
}

impl VerifySignatureLayer {
    /// Makes the layer that verifies all requests as callbacks to `account`.
    ///
    /// With the feature `metrics`, the account's counters begin at zero now.
    pub fn new(account: Account) -> Self {
        observe::account_is_served(&account.shared_name());
        Self::with(Accounts::One(account))
    }

    /// Makes the layer that picks the account of each request with `account`, for example by path, query or host.
    /// `None` is answered 404.
    ///
    /// The layer calls `account` before any check, and WeChat signs neither path nor host. So the choice only decides
    /// whose token must have signed the query. `account` runs on the server's task and must not block.
    ///
    /// Give each plain account and each smart bot a [name](Account::with_name). Otherwise dedup treats all of them as one
    /// account.
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use tower_wechat::{Account, VerifySignatureLayer};
    ///
    /// let accounts = HashMap::from([
    ///     ("/wechat/news", Account::plain("rosebud7")?.with_name("news")),
    ///     ("/wechat/shop", Account::plain("walnut42")?.with_name("shop")),
    /// ]);
    /// let layer = VerifySignatureLayer::from_fn(move |head| accounts.get(head.uri.path()).cloned());
    /// # Ok::<(), tower_wechat::account::Error>(())
    /// ```
    ///
    /// Put settings that change while the server runs behind a lock, or into a value that can be swapped:
    ///
    /// ```
    /// use std::sync::{Arc, RwLock};
    /// use tower_wechat::{Account, VerifySignatureLayer};
    ///
    /// let settings = |token, aes_key| Account::encrypted(token, "wx0a1b2c3d4e5f6071", aes_key);
    /// let old = settings("rosebud7", "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb")?;
    /// let current = Arc::new(RwLock::new(Some(old)));
    /// let layer = VerifySignatureLayer::from_fn({
    ///     let current = Arc::clone(&current);
    ///     move |_| current.read().ok()?.clone()
    /// });
    ///
    /// // While the console changes the settings, deliveries come with the old or the new ones.
    /// let new = settings("walnut42", "Z9yXw8VuT7sRq6PoN5mLk4JiH3gFe2DcB1aAzYxWvUt")?
    ///     .with_previous_token("rosebud7")?
    ///     .with_previous_aes_key("q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb")?;
    /// if let Ok(mut current) = current.write() {
    ///     *current = Some(new);
    /// }
    /// # Ok::<(), tower_wechat::account::Error>(())
    /// ```
    ///
    /// If `account` panics, the log has an error, and the answer is 500: WeChat retries.
    ///
    /// With the feature `metrics`, begin the counters of your accounts with `metrics::begin`.
    pub fn from_fn(account: impl Fn(&Parts) -> Option<Account> + Send + Sync + 'static) -> Self {
        observe::accounts_are_picked();
        Self::with(Accounts::Picked(Arc::new(account)))
    }

    fn with(accounts: Accounts) -> Self {
        Self {
            config: Arc::new(Config {
                accounts,
                allowed: None,
                clock: Arc::new(SystemTime::now),
                timestamp_tolerance: TIMESTAMP_TOLERANCE,
                body_limit: BODY_LIMIT,
                body_timeout: BODY_TIMEOUT,
            }),
        }
    }

    /// Sets how far before or after the present a timestamp may be; the default is 300 s. A request with any other
    /// timestamp is answered 403.
    ///
    /// Encrypted pushes about payments have [more time](super#rules).
    ///
    /// A captured query string can be replayed for at most twice this time. WeChat's retries repeat the timestamp for about
    /// 20 s, so a tolerance far below a minute rejects real deliveries.
    #[must_use]
    pub fn with_timestamp_tolerance(mut self, tolerance: Duration) -> Self {
        Arc::make_mut(&mut self.config).timestamp_tolerance = tolerance;
        self
    }

    /// Rejects requests from addresses that are not on `list` with 403; by default every address is allowed.
    ///
    /// `client` returns the address that a request comes from, as your server or proxy passes it on. If it returns `None`
    /// or panics, the request is rejected. An empty list allows all. See [An allow-list](super#an-allow-list) for an
    /// example, and for what a proxy changes.
    #[must_use]
    pub fn with_allow_list(
        mut self,
        list: AllowList,
        client: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        let client = Box::new(client);
        Arc::make_mut(&mut self.config).allowed = Some(Arc::new(Allowed { list, client }));
        self
    }

    /// Sets the clock that timestamps are compared with, for tests; the default is the system's clock.
    ///
    /// Deadlines use tokio's clock.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.config).clock = Arc::new(clock);
        self
    }

    /// Sets the largest size of a request's body in bytes; the default is 64 KiB. A larger body is answered 413.
    ///
    /// WeChat's messages have a few hundred bytes. Its largest events have a few KiB.
    #[must_use]
    pub fn with_body_limit(mut self, bytes: usize) -> Self {
        Arc::make_mut(&mut self.config).body_limit = bytes;
        self
    }

    /// Sets how long after the request's head the whole body may take to arrive; the default is 2 s. A later body is
    /// answered 408.
    ///
    /// WeChat hangs up 5 s after it began to send, so a slow body leaves less time for the answer.
    #[must_use]
    pub fn with_body_timeout(mut self, timeout: Duration) -> Self {
        Arc::make_mut(&mut self.config).body_timeout = timeout;
        self
    }
}

impl<S> Layer<S> for VerifySignatureLayer {
    type Service = VerifySignature<S>;

    fn layer(&self, inner: S) -> Self::Service {
        VerifySignature::new(inner, Arc::clone(&self.config))
    }
}

impl fmt::Debug for VerifySignatureLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifySignatureLayer")
            .field("timestamp_tolerance", &self.config.timestamp_tolerance)
            .field("body_limit", &self.config.body_limit)
            .field("body_timeout", &self.config.body_timeout)
            .finish_non_exhaustive()
    }
}

const BODY_LIMIT: usize = 64 * 1024;

const BODY_TIMEOUT: Duration = Duration::from_secs(2);
