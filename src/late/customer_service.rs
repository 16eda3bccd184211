//! Late replies as customer-service messages, one by one: what WeChat refuses is left to the next sink, or dropped.

use super::{LateReply, LateSink};
use crate::{
    api::{Api, ErrorKind},
    observe::Way,
    reply::TEXT_LIMIT,
};

/// Sends late replies through the customer-service API (客服消息).
///
/// A long text goes in as many messages as it needs, in order. What WeChat does not accept is left to the next sink:
///
/// | WeChat answers | what happens |
/// |---|---|
/// | the message is sent | the next one is sent |
/// | it is busy, or the access token has ended | the call is repeated by [`Api`] |
/// | 45047: the quota is spent | the next sink gets the rest |
/// | 45015, 48001, 40003 and other codes | the next sink gets the rest |
/// | 43004: the user does not follow the account | everything is dropped: no sink can reach the user |
/// | nothing: the connection broke off, or took too long | the message counts as sent, since WeChat may have shown it ([`with_repetition`](Self::with_repetition)) |
/// | something that is not WeChat's, such as a proxy's page | likewise |
/// | nothing: there was no connection | the next sink gets the rest |
///
/// Nothing is sent after [`LateReply::send_until`].
///
/// ```
/// use tower_wechat::{Api, DedupLayer, late::CustomerService};
///
/// fn layer(api: Api) -> DedupLayer {
///     DedupLayer::builder().with_late_replies(CustomerService::new(api)).build()
/// }
/// # let _ = layer;
/// ```
#[derive(Debug, Clone)]
pub struct CustomerService {
    api: Api,
    is_repeated: bool,
}

impl CustomerService {
    /// Makes the sink that sends with `api`, which has to be of the same account as the message.
    pub fn new(api: Api) -> Self {
        Self {
            api,
            is_repeated: false,
        }
    }

    /// Sends each message once more if WeChat's answer was lost. By default it is not: WeChat may have shown it, and the user
    /// would see it twice.
    #[must_use]
    pub fn with_repetition(mut self) -> Self {
        self.is_repeated = true;
        self
    }
}

impl LateSink for CustomerService {
    async fn accept(&self, late: &mut LateReply) {
        let Some(openid) = late.openid().map(str::to_owned) else {
            return;
        };
        let mut repeats = self.is_repeated;
        while late.reply().is_some() {
            if !late.is_open() {
                return;
            }
            let Some(part) = late.next_part(TEXT_LIMIT) else {
                return;
            };
            let way = match self.api.send(&openid, part.reply()).await {
                Ok(()) => Way::CustomerService,
                Err(error) if error.kind() == ErrorKind::NotFollower => {
                    late.observe_parts(Way::Dropped, late.count_parts());
                    return late.hand_over();
                }
                Err(error) if error.may_be_done() => {
                    if repeats {
                        repeats = false;
                        continue;
                    }
                    Way::Unknown
                }
                Err(_) => return,
            };
            part.hand_over();
            late.observe_parts(way, 1);
            repeats = self.is_repeated;
        }
    }

    fn is_prompt(&self) -> bool {
        true
    }
}
