//! What WeChat's cloud hosting (微信云托管) sends in place of a signature.
//!
//! Source: WeChat's page on message pushes to cloud hosting, and the one on message pushes.

use http::HeaderMap;
use memchr::memmem;

/// Returns whether the platform has marked the request. Its pages spell the header in two ways.
pub(super) fn is_marked(headers: &HeaderMap) -> bool {
    ["x-wx-source", "x-wx-sources"]
        .iter()
        .filter_map(|name| headers.get(*name))
        .any(|value| !value.is_empty())
}

/// Returns whether the body is the console's probe of the path. Any client that sends it gets the same answer.
pub(super) fn is_probe(body: &[u8]) -> bool {
    let contains = |name: &str| memmem::find(body, name.as_bytes()).is_some();
    body.len() <= MAX_PROBE && contains("CheckContainerPath") && !contains("MsgType")
}

/// In bytes: several times as much as the probe has.
pub(super) const MAX_PROBE: usize = 256;
