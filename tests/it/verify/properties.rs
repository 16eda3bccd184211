use percent_encoding::percent_encode_byte;
use proptest::prelude::*;
use tower_wechat::callback::Query;

use super::{NONCE, TOKEN, block_on, get, layer, post, query, send, signature, signed};

const TIMESTAMP: &str = "1735689600";

/// However it is rejected, nothing runs.
#[track_caller]
fn check_never_runs(query: &str) {
    let outcome = block_on(send(&layer(), post(query)));
    assert_eq!(outcome.runs, 0, "{query}");
    assert!(outcome.rejection().is_some(), "{query}");
    let outcome = block_on(send(
        &layer(),
        get(&format!("{query}&echostr=5577006791947779410")),
    ));
    assert!(outcome.rejection().is_some(), "{query}");
}

fn encoded(bytes: &[u8]) -> String {
    bytes.iter().copied().map(percent_encode_byte).collect()
}

#[test]
fn any_flipped_bit_is_rejected() {
    let hash = signature(TOKEN, TIMESTAMP, NONCE);
    for position in 0..40 {
        for bit in 0..8 {
            let mut flipped = hash.clone().into_bytes();
            flipped[position] ^= 1 << bit;
            // The same digit in upper case is the same signature.
            if !flipped.eq_ignore_ascii_case(hash.as_bytes()) {
                check_never_runs(&query(&encoded(&flipped), TIMESTAMP, NONCE));
            }
        }
    }
    for (text, is_nonce) in [(TIMESTAMP, false), (NONCE, true)] {
        for position in 0..text.len() {
            for bit in 0..8 {
                let mut flipped = text.as_bytes().to_vec();
                flipped[position] ^= 1 << bit;
                let flipped = encoded(&flipped);
                check_never_runs(&if is_nonce {
                    query(&hash, TIMESTAMP, &flipped)
                } else {
                    query(&hash, &flipped, NONCE)
                });
            }
        }
    }
}

#[test]
fn swapped_values_are_rejected() {
    let hash = signature(TOKEN, TIMESTAMP, "1735680000");
    // The sorted concatenation, and with it the signature, is the same; the time is not.
    check_never_runs(&query(&hash, "1735680000", TIMESTAMP));
    check_never_runs(&query(TIMESTAMP, &hash, "1735680000"));
    check_never_runs(&signed().replacen("signature", "msg_signature", 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Timestamp and nonce are concatenated without a separator, so that characters can move from one
    /// to the other under the same signature.
    #[test]
    fn shifted_characters_are_rejected(nonce in "[0-9]{1,32}|[0-9A-Za-z]{1,32}") {
        let hash = signature(TOKEN, TIMESTAMP, &nonce);
        for joined in [format!("{TIMESTAMP}{nonce}"), format!("{nonce}{TIMESTAMP}")] {
            for cut in 0..=joined.len() {
                let (left, right) = joined.split_at(cut);
                for (timestamp, shifted) in [(left, right), (right, left)] {
                    if (timestamp, shifted) != (TIMESTAMP, &*nonce) {
                        check_never_runs(&query(&hash, timestamp, shifted));
                    }
                }
            }
        }
    }

    #[test]
    fn doubled_parameters_are_rejected(
        name in prop::sample::select(vec![
            "signature", "timestamp", "nonce", "msg_signature", "encrypt_type", "echostr",
        ]),
        values in prop::array::uniform2("[0-9a-f]{0,40}"),
        places in prop::array::uniform2(0..=3_usize),
    ) {
        let signed = signed();
        let mut parameters: Vec<_> = signed.split('&').map(str::to_owned).collect();
        for (value, place) in values.iter().zip(places) {
            parameters.insert(place, format!("{name}={value}"));
        }
        check_never_runs(&parameters.join("&"));
    }

    #[test]
    fn arbitrary_queries_are_rejected(query in "[!$-;=?-_a-z~]{0,200}") {
        check_never_runs(&query);
    }

    #[test]
    fn queries_without_a_token_are_rejected(
        parameters in prop::collection::vec(
            (
                "signature|timestamp|nonce|msg_signature|encrypt_type|openid|%[0-9a-f]{2}",
                "[0-9a-f]{40}|1735689[0-9]{3}|[0-9A-Za-z]{1,32}|aes|raw|%[0-9A-F]{2}",
            ),
            0..6,
        ),
    ) {
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        check_never_runs(&parameters.join("&"));
    }

    #[test]
    fn any_text_can_be_parsed_at(query in any::<String>()) {
        drop(Query::parse(&query));
    }
}
