//! What WeChat is told when there is no reply to give it.

use http::Request;

use super::Outcome;
use crate::{
    Reply, handler,
    signature::{Delivery, Verified},
};

/// The `reply`, addressed to the sender of the message.
pub(super) fn fallback(reply: &Reply, request: &Request<Verified>) -> Outcome {
    let delivery = request.extensions().get::<Delivery>();
    let account = delivery.map_or("", Delivery::account);
    Outcome::of_full(handler::answer(reply, request.body().as_bytes(), account))
}
