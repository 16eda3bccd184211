//! Whether a query is one that WeChat signed, said once more and in the simplest way.
//!
//! The fuzz target `stack` uses it too.

use percent_encoding::percent_decode_str;
use sha1::{Digest, Sha1};

/// The token that the account under test shares with WeChat.
pub(super) const TOKEN: &str = "rosebud7";

/// The present, in seconds since the Unix epoch.
pub(super) const NOW: u64 = 1_718_000_000;

pub(super) fn signature(timestamp: &str, nonce: &str) -> String {
    let mut parts = [TOKEN, timestamp, nonce];
    parts.sort_unstable();
    let digest = Sha1::digest(parts.concat());
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// A handler that runs for a query of which this is false was deceived.
pub(super) fn is_signed(query: &str) -> bool {
    let [Some(signed), Some(timestamp), Some(nonce)] =
        ["signature", "timestamp", "nonce"].map(|name| only(query, name))
    else {
        return false;
    };
    let fresh = timestamp
        .parse()
        .is_ok_and(|timestamp: u64| timestamp.abs_diff(NOW) <= 300);
    fresh && signed.eq_ignore_ascii_case(&signature(&timestamp, &nonce))
}

/// The value of the parameter `name`, if it is there once.
fn only(query: &str, name: &str) -> Option<String> {
    let decode = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut values = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(found, _)| decode(found) == name)
        .map(|(_, value)| decode(value));
    let value = values.next()?;
    values.next().is_none().then_some(value)
}
