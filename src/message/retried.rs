//! Pushes that WeChat retries until it gets the answer that it wants, and what tells them apart.
//!
//! Their retries differ: `RetryTimes` counts up, and the message may be encrypted anew. So the fields that identify the
//! order, the refund or the complaint stand for the push.
//!
//! Sources: WeChat's pages "Virtual payment" (virtual-payment), and on goods and on events of payment of mini games
//! (minigame, virtual-payment/goods and virtual-payment/event). The fields beside the id keep two pushes about the same
//! thing apart: one of the sandbox, or a refund that has failed and one that has not.

use std::time::Duration;

use super::{Head, json::Body};
use crate::xml::Value;

/// For how long WeChat retries such a push. Mini games' page on goods has the longest times, 24 h and 4 min in all. Those of
/// virtual payment, which double from 2 s on, take 18 h.
pub(crate) const RETRIED_FOR: Duration = Duration::from_hours(25);

/// Events, and the fields that identify each, by their paths. The first one is required.
const PUSHES: [(&str, &[&[&str]]); 7] = [
    ("xpay_goods_deliver_notify", &[&["OutTradeNo"], &["Env"]]),
    ("xpay_coin_pay_notify", &[&["OutTradeNo"], &["Env"]]),
    ("xpay_refund_notify", &[&["WxRefundId"], &["RetCode"]]),
    ("xpay_complaint_notify", &[&["RequestId"]]),
    ("minigame_h5_goods_deliver_notify", PAYLOAD),
    ("minigame_game_pay_goods_deliver_notify", PAYLOAD),
    ("minigame_coin_deliver_completed", PAYLOAD),
];

/// The order as JSON text.
const PAYLOAD: &[&[&str]] = &[&["MiniGame", "Payload"]];

/// The fields in which retries differ, or may.
const VARYING: [&str; 2] = ["CreateTime", "RetryTimes"];

/// What identifies a push whose retries differ.
pub(crate) struct Identity {
    /// The name of its event, and the texts of its fields.
    pub(crate) parts: Vec<String>,
    /// All that its retries have in common.
    pub(crate) rest: String,
}

impl Head {
    /// Returns what identifies a push with this plaintext that WeChat retries until it gets the answer that it wants, for up
    /// to [`RETRIED_FOR`]. `None` also if it has no id.
    pub(crate) fn identity(&self, plaintext: &[u8]) -> Option<Identity> {
        let (event, fields) = self.identifying_fields()?;
        let push: Value = Body::new(plaintext).ok()?.read().ok()?;
        let texts = fields.iter().map(|path| {
            let found = path.iter().try_fold(&push, |at, name| at.element(name));
            found.and_then(Value::as_str).unwrap_or_default().to_owned()
        });
        let parts: Vec<_> = [event.to_owned()].into_iter().chain(texts).collect();
        let has_id = parts.get(1).is_some_and(|id| !id.is_empty());
        let common = push
            .elements()
            .iter()
            .filter(|(name, _)| !VARYING.contains(&&**name));
        has_id.then(|| Identity {
            parts,
            rest: format!("{:?}", common.collect::<Vec<_>>()),
        })
    }

    fn identifying_fields(&self) -> Option<(&'static str, &'static [&'static [&'static str]])> {
        let event = self.event().filter(|_| self.is_event())?;
        let mut pushes = PUSHES.into_iter();
        pushes.find(|(name, _)| name.eq_ignore_ascii_case(event))
    }
}
