//! Reading an envelope of WeChat's JSON format.

use super::document::Envelope;

pub(super) fn read(body: &[u8]) -> Option<Envelope<'_>> {
    serde_json::from_slice(body).ok()
}
