//! Answers that are no message to a user, for the products that want one.

use serde::Serialize;

use super::{HandlerError, IntoReply, Reply, characters::writable, content::Content, error::Error};
#[cfg(feature = "layers")]
use crate::message;
use crate::xml;

impl Reply {
    /// Makes a custom answer, for a push whose product wants one: not a message to a user.
    ///
    /// It is written in the push's own format, XML or JSON, and names neither a receiver nor a sender. In XML, the root is
    /// `<xml>` whatever the type is called. A field that is `None` is left out in XML, and `null` in JSON unless its type
    /// skips it. For the answers of virtual payment, there is [`XpayAnswer`].
    ///
    /// ```
    /// use serde::Serialize;
    /// use tower_wechat::{Reply, Timestamp, message::Head, reply::Addressing};
    ///
    /// #[derive(Serialize)]
    /// struct Quota {
    ///     resultcode: i32,
    ///     quota: u64,
    /// }
    ///
    /// let answer = Reply::custom(&Quota { resultcode: 0, quota: 12 });
    /// let push = Head::read(b"<xml><MsgType>event</MsgType><Event>get_quota</Event></xml>")?;
    /// let rendered = answer.render(&Addressing::answering(&push), Timestamp::now())?;
    /// assert_eq!(rendered.body(), "<xml><resultcode>0</resultcode><quota>12</quota></xml>");
    ///
    /// # #[cfg(feature = "json")] {
    /// let push = Head::read(br#"{"MsgType":"event","Event":"get_quota"}"#)?;
    /// let rendered = answer.render(&Addressing::answering(&push), Timestamp::now())?;
    /// assert_eq!(rendered.body(), r#"{"resultcode":0,"quota":12}"#);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// WeChat's retries get the same answer, on any node. A late answer is lost: no sink could send it.
    /// [`then`](Self::then) adds nothing to it.
    ///
    /// If the type cannot be written in the push's format, rendering returns an error.
    pub fn custom<T: Serialize + ?Sized>(answer: &T) -> Self {
        Self::of(Content::Custom(Custom {
            xml: xml::to_string(answer)
                .map(|xml| writable(xml.into()).into_owned())
                .map_err(|error| error.to_string()),
            json: to_json(answer),
        }))
    }

    /// Whether it is a custom answer.
    pub(crate) fn is_custom(&self) -> bool {
        matches!(self.first, Some(Content::Custom(_)))
    }
}

/// An answer in both formats, since the push's is not known yet. An error is the reason why it cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Custom {
    xml: Result<String, String>,
    json: Result<String, String>,
}

impl Custom {
    /// Returns the answer in one format.
    pub(super) fn body(&self, is_json: bool) -> Result<&str, Error> {
        let written = if is_json { &self.json } else { &self.xml };
        written.as_deref().map_err(Error::unwritable)
    }

    /// Checks that it can be written in one of the formats.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.body(false)
            .or_else(|error| self.body(true).map_err(|_| error))?;
        Ok(())
    }
}

#[cfg(feature = "json")]
pub(super) fn to_json<T: Serialize + ?Sized>(answer: &T) -> Result<String, String> {
    serde_json::to_string(answer).map_err(|error| error.to_string())
}

#[cfg(not(feature = "json"))]
pub(super) fn to_json<T: Serialize + ?Sized>(_answer: &T) -> Result<String, String> {
    Err(NO_JSON.to_owned())
}

/// Why there is no JSON.
#[cfg(any(not(feature = "json"), feature = "layers"))]
pub(super) const NO_JSON: &str = "JSON needs the feature `json`";

/// The answer that virtual payment (虚拟支付) wants to its `xpay_…` pushes, and that mini games want to those of payment.
///
/// A handler returns it, or makes a [`Reply`] of it:
///
/// ```
/// use tower_wechat::{Message, Reply, message::Event, reply::XpayAnswer};
///
/// async fn answer(message: Message) -> Reply {
///     let Message::Event(event) = message else { return Reply::success() };
///     match event.event {
///         Event::XpayGoodsDeliverNotify(order) => match deliver(&order.out_trade_no).await {
///             Ok(()) => XpayAnswer::success().into(),
///             // WeChat sends it again, up to 15 times over some hours.
///             Err(reason) => XpayAnswer::failure(1, reason).into(),
///         },
///         // Within 3 s. Apple gets the recommendation.
///         Event::XpaySubscribeIosRefundQueryNotify(query) if is_used(&query.pay_order_id) => {
///             XpayAnswer::refuse_refund("The month is over", "30 logins since the payment").into()
///         }
///         Event::XpaySubscribeIosRefundQueryNotify(_) => {
///             XpayAnswer::approve_refund("Not used", "No login since the payment").into()
///         }
///         _ => Reply::success(),
///     }
/// }
/// # async fn deliver(_order: &str) -> Result<(), String> { Ok(()) }
/// # fn is_used(_order: &str) -> bool { true }
/// # let _ = answer;
/// ```
///
/// WeChat takes any other answer as a failure, and so the `success` that it gets if the handler fails in all runs. Behind
/// [`DedupLayer`](crate::DedupLayer), WeChat's retries of an order, a refund or a complaint get the answer of the first run.
/// After a failed answer, a retry [runs the push again](crate::dedup#pushes-that-are-retried-until-they-are-answered).
///
/// Source: WeChat's pages "Virtual payment" (virtual-payment) and on its callbacks (virtual-payment-callback).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct XpayAnswer {
    #[serde(rename = "ErrCode")]
    code: i64,
    #[serde(rename = "ErrMsg")]
    message: String,
    #[serde(flatten)]
    refund: Option<Refund>,
}

/// The recommendation to Apple.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Refund {
    result_code: u8,
    result_info: String,
    evidence: String,
}

impl XpayAnswer {
    /// Makes the answer that the push has been dealt with: ErrCode 0, ErrMsg `success`.
    pub fn success() -> Self {
        Self::failure(0, "success")
    }

    /// Makes the answer that the push has not been dealt with, with a code other than 0 and the reason. WeChat sends the push
    /// again.
    pub fn failure(code: i64, reason: impl Into<String>) -> Self {
        Self {
            code,
            message: reason.into(),
            refund: None,
        }
    }

    /// Recommends that Apple refunds a subscription, with the result in words and the evidence for it.
    pub fn approve_refund(info: impl Into<String>, evidence: impl Into<String>) -> Self {
        Self::refund(0, info.into(), evidence.into())
    }

    /// Recommends that Apple refuses to refund a subscription, with the result in words and the evidence for it.
    pub fn refuse_refund(info: impl Into<String>, evidence: impl Into<String>) -> Self {
        Self::refund(1, info.into(), evidence.into())
    }

    fn refund(result_code: u8, result_info: String, evidence: String) -> Self {
        Self {
            refund: Some(Refund {
                result_code,
                result_info,
                evidence,
            }),
            ..Self::success()
        }
    }
}

/// Returns the ErrCode of an answer: 0 says that the push has been dealt with.
#[cfg(feature = "layers")]
pub(crate) fn err_code(body: &[u8]) -> Option<i64> {
    #[derive(serde::Deserialize)]
    struct Code {
        #[serde(rename = "ErrCode", deserialize_with = "xml::number")]
        code: i64,
    }
    message::from_slice(body).ok().map(|Code { code }| code)
}

impl From<XpayAnswer> for Reply {
    fn from(answer: XpayAnswer) -> Self {
        Self::custom(&answer)
    }
}

impl IntoReply for XpayAnswer {
    fn into_reply(self) -> Result<Reply, HandlerError> {
        Ok(self.into())
    }
}
