//! Late replies of a smart bot, through the URL that comes with its messages.

use std::time::Duration;

use super::{LateReply, LateSink};
use crate::{
    api::{HttpClient, Responder},
    message::{self, smart_bot::BotMessage},
    observe::{self, Way},
    reply::Reply,
};

/// Posts the late reply of a [smart bot](crate::message::smart_bot) of WeCom to the `response_url` of the message.
///
/// WeCom takes one message within an hour: a text in Markdown of at most 20 480 bytes, or a template card. The next sink gets
/// what is left:
///
/// | WeCom answers | what happens |
/// |---|---|
/// | the message is sent | the next sink gets the rest |
/// | an errcode: the URL has ended, or has been used | the log has a warning, and the next sink gets the reply |
/// | nothing: the connection broke off, or took too long | the message counts as sent, since WeCom may have shown it |
/// | nothing: there was no connection | the log has a warning, and the next sink gets the reply |
/// | not asked: the URL is not at `https://qyapi.weixin.qq.com` | the log has a warning, and the next sink gets the reply |
///
/// A message without such a URL is left to the next sink, and so is one that is more than an hour old.
///
/// ```
/// use tower_wechat::{DedupLayer, api::HttpClient, late::ResponseUrl};
///
/// fn layer(http: impl HttpClient) -> DedupLayer {
///     DedupLayer::builder().with_late_replies(ResponseUrl::new(http)).build()
/// }
/// # #[cfg(feature = "simulator")]
/// # {
/// # use tower_wechat::{Account, simulator::Simulator};
/// # let _ = layer(Simulator::new(Account::plain("rosebud7").unwrap()).api());
/// # }
/// ```
///
/// Source: WeCom's page "Active replies" (101138).
#[derive(Debug, Clone)]
pub struct ResponseUrl {
    responder: Responder,
}

impl ResponseUrl {
    /// Makes the sink that posts with this [client](crate::api#the-http-client).
    pub fn new(http: impl HttpClient) -> Self {
        Self {
            responder: Responder::new(http),
        }
    }
}

impl LateSink for ResponseUrl {
    async fn accept(&self, late: &mut LateReply) {
        let Some((body, rest)) = late.reply().and_then(Reply::to_response_url) else {
            return;
        };
        let message = message::from_slice::<BotMessage>(late.request().body().as_bytes());
        let Some(url) = message.ok().and_then(|message| message.response_url) else {
            return;
        };
        let failed =
            |error: &str| observe::sink_failed(late.account(), late.key().observed(), error);
        if late.age() >= VALID {
            return failed("the response_url has ended");
        }
        let way = match self.responder.respond(&url, body).await {
            Ok(()) => Way::ResponseUrl,
            Err(error) if error.may_be_done() => Way::Unknown,
            Err(error) => return failed(&error.to_string()),
        };
        late.observe_parts(way, 1);
        late.hand_over_first((!rest.is_success()).then_some(rest));
    }
}

/// From the message on. Source: WeCom's page "Active replies" (101138).
const VALID: Duration = Duration::from_hours(1);
