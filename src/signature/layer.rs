use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::request::Parts;
use tower::Layer;

use crate::{
    account::Account,
    signature::{VerifySignature, rules::Rules},
};

/// Applies [`VerifySignature`]: callbacks that WeChat has not signed are refused.
///
/// See the [module docs](crate::signature) for the rules and an example.
#[derive(Clone)]
pub struct VerifySignatureLayer {
    rules: Arc<Rules>,
}

impl VerifySignatureLayer {
    /// All requests are for `account`.
    pub fn new(account: Account) -> Self {
        let mut layer = Self::with_accounts(move |_| Some(account.clone()));
        Arc::make_mut(&mut layer.rules).picks_account = false;
        layer
    }

    /// Picks the account for each request, by path, query or host; `None` is answered 404.
    ///
    /// Nothing in the head has been checked when `accounts` is asked, and WeChat signs neither path nor
    /// host: it says whose token must have signed the query, no more. It is called on the server's
    /// task, so it must not block. Give each plain account a [name](Account::with_name), or dedup takes
    /// them for one.
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use tower_wechat::{Account, signature::VerifySignatureLayer};
    ///
    /// let accounts = HashMap::from([
    ///     ("/wechat/news", Account::plain("rosebud7")?.with_name("news")),
    ///     ("/wechat/shop", Account::plain("walnut42")?.with_name("shop")),
    /// ]);
    /// let layer = VerifySignatureLayer::with_accounts(move |head| accounts.get(head.uri.path()).cloned());
    /// # Ok::<(), tower_wechat::account::Error>(())
    /// ```
    ///
    /// Settings that change while the server runs are behind a lock, or whatever can be swapped:
    ///
    /// ```
    /// use std::sync::{Arc, RwLock};
    /// use tower_wechat::{Account, signature::VerifySignatureLayer};
    ///
    /// let settings = |token, aes_key| Account::encrypted(token, "wx0a1b2c3d4e5f6071", aes_key);
    /// let old = settings("rosebud7", "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb")?;
    /// let current = Arc::new(RwLock::new(Some(old)));
    /// let layer = VerifySignatureLayer::with_accounts({
    ///     let current = Arc::clone(&current);
    ///     move |_| current.read().ok()?.clone()
    /// });
    ///
    /// // While the console changes over, deliveries come with either.
    /// let new = settings("walnut42", "Z9yXw8VuT7sRq6PoN5mLk4JiH3gFe2DcB1aAzYxWvUt")?
    ///     .with_previous_token("rosebud7")?
    ///     .with_previous_aes_key("q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb")?;
    /// if let Ok(mut current) = current.write() {
    ///     *current = Some(new);
    /// }
    /// # Ok::<(), tower_wechat::account::Error>(())
    /// ```
    pub fn with_accounts(
        accounts: impl Fn(&Parts) -> Option<Account> + Send + Sync + 'static,
    ) -> Self {
        Self {
            rules: Arc::new(Rules {
                accounts: Arc::new(accounts),
                picks_account: true,
                clock: Arc::new(SystemTime::now),
                freshness: FRESHNESS,
                body_limit: BODY_LIMIT,
                body_timeout: BODY_TIMEOUT,
            }),
        }
    }

    /// Accepts timestamps this long before and after the present; the default is 300 s.
    ///
    /// A signed query string can be used again for so long. WeChat's retries repeat it for about 20 s,
    /// so much less than a minute refuses real deliveries.
    #[must_use]
    pub fn with_freshness(mut self, freshness: Duration) -> Self {
        Arc::make_mut(&mut self.rules).freshness = freshness;
        self
    }

    /// Asks `clock` for the present instead of the system's clock, as tests do.
    ///
    /// Only timestamps are compared with it; deadlines go by tokio's clock.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.rules).clock = Arc::new(clock);
        self
    }

    /// Reads at most `bytes` of a request's body; the default is 64 KiB. More is answered 413.
    ///
    /// WeChat's own messages have some hundred bytes, its largest events a few KiB.
    #[must_use]
    pub fn with_body_limit(mut self, bytes: usize) -> Self {
        Arc::make_mut(&mut self.rules).body_limit = bytes;
        self
    }

    /// Waits at most this long for the whole body, counted from the arrival of the request's head; the
    /// default is 2 s. Later is answered 408.
    ///
    /// WeChat hangs up 5 s after it began to send; what is spent on the body is lost for the answer.
    #[must_use]
    pub fn with_body_timeout(mut self, timeout: Duration) -> Self {
        Arc::make_mut(&mut self.rules).body_timeout = timeout;
        self
    }
}

impl<S> Layer<S> for VerifySignatureLayer {
    type Service = VerifySignature<S>;

    fn layer(&self, inner: S) -> Self::Service {
        VerifySignature::new(inner, Arc::clone(&self.rules))
    }
}

impl fmt::Debug for VerifySignatureLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifySignatureLayer")
            .field("freshness", &self.rules.freshness)
            .field("body_limit", &self.rules.body_limit)
            .field("body_timeout", &self.rules.body_timeout)
            .finish_non_exhaustive()
    }
}

/// Far more than the 20 s of WeChat's retries, and as much as a server's clock may reasonably be off.
const FRESHNESS: Duration = Duration::from_secs(300);

const BODY_LIMIT: usize = 64 * 1024;

const BODY_TIMEOUT: Duration = Duration::from_secs(2);
