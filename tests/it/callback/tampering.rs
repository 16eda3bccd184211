//! Requests that WeChat has signed and somebody has changed: no handler runs, ever.

use proptest::prelude::*;

use super::*;

/// Sends a request that nobody but WeChat could have made, were it not for a change.
async fn check(query: &str, body: &str) {
    // What is no URL cannot be sent.
    if format!("/wechat?{query}").parse::<http::Uri>().is_err() {
        return;
    }
    let outcome = post(account(), query, body).await;
    assert_eq!(outcome.inner, None, "{query} {body}");
    assert!(
        outcome.status.is_client_error(),
        "{} {query}",
        outcome.status
    );
}

#[tokio::test]
async fn every_single_bit_counts() {
    let right = ciphertext(MESSAGE);
    let (query, body) = (query(&right), document(&right));
    assert_eq!(post(account(), &query, &body).await.inner.unwrap(), MESSAGE);

    for name in ["signature=", "timestamp=", "nonce=", "msg_signature="] {
        let start = if name == "signature=" {
            0
        } else {
            query.find(&format!("&{name}")).unwrap() + 1
        } + name.len();
        let length = query[start..].find('&').unwrap_or(query.len() - start);
        for position in start..start + length {
            for bit in 0..7 {
                let mut bytes = query.clone().into_bytes();
                bytes[position] ^= 1 << bit;
                let changed = String::from_utf8(bytes).unwrap();
                // A hex digit of either case is the same digit.
                if name.ends_with("signature=") && changed.eq_ignore_ascii_case(&query) {
                    continue;
                }
                check(&changed, &body).await;
            }
        }
    }
    let start = body.find(&right).unwrap();
    for position in start..start + right.len() {
        for bit in 0..7 {
            let mut bytes = body.clone().into_bytes();
            bytes[position] ^= 1 << bit;
            check(&query, &String::from_utf8(bytes).unwrap()).await;
        }
    }
}

/// Only who has the token and the key could do this; padding is checked all the same.
#[tokio::test]
async fn every_bit_of_the_padding_counts() {
    for length in 0..32 {
        let message = format!("{MESSAGE}{}", "x".repeat(length));
        let right = padded(content(message.as_bytes(), APP_ID));
        let padding = usize::from(*right.last().unwrap());
        for position in right.len() - padding..right.len() {
            for bit in 0..8 {
                let mut changed = right.clone();
                changed[position] ^= 1 << bit;
                let encrypt = encrypt(KEY, &changed);
                check(&query(&encrypt), &document(&encrypt)).await;
            }
        }
    }
}

/// The signed parts have no separators: a signature holds for other cuts of the same characters.
#[tokio::test]
async fn characters_moved_between_the_parts_are_noticed() {
    let right = ciphertext(MESSAGE);
    let parts = [TIMESTAMP, NONCE, &right];
    let mut tried = 0;
    let mut verified = 0;
    for from in 0..3 {
        for to in 0..3 {
            for count in 1..=32.min(parts[from].len() - 1) {
                for (at_end_of_from, at_end_of_to) in
                    [(true, false), (false, true), (true, true), (false, false)]
                {
                    if from == to {
                        continue;
                    }
                    let mut moved = parts.map(ToOwned::to_owned);
                    let cut = if at_end_of_from {
                        parts[from].len() - count
                    } else {
                        count
                    };
                    let (head, tail) = parts[from].split_at(cut);
                    let (kept, cut_off) = if at_end_of_from {
                        (head, tail)
                    } else {
                        (tail, head)
                    };
                    kept.clone_into(&mut moved[from]);
                    moved[to] = if at_end_of_to {
                        format!("{}{cut_off}", parts[to])
                    } else {
                        format!("{cut_off}{}", parts[to])
                    };
                    let [timestamp, nonce, encrypt] = moved;
                    let token = Token::new(TOKEN).unwrap();
                    let original = Signature::sign(&token, parts);
                    let holds = Signature::sign(&token, [&timestamp, &nonce, &encrypt]) == original;
                    verified += usize::from(holds);
                    tried += 1;
                    let escaped = |text: &str| {
                        percent_encoding::utf8_percent_encode(
                            text,
                            percent_encoding::NON_ALPHANUMERIC,
                        )
                        .to_string()
                    };
                    let plain = Signature::sign(&token, [&timestamp, &nonce]);
                    let query = format!(
                        "signature={plain}&timestamp={}&nonce={}&encrypt_type=aes&msg_signature={original}",
                        escaped(&timestamp),
                        escaped(&nonce)
                    );
                    check(&query, &document(&encrypt)).await;
                }
            }
        }
    }
    // Some of them have the right signature, or this would show nothing.
    assert!(verified > 5, "{verified} of {tried}");
}

#[tokio::test]
async fn parameters_doubled_swapped_or_left_out_are_rejected() {
    let right = ciphertext(MESSAGE);
    let (query, body) = (query(&right), document(&right));
    for name in [
        "signature",
        "timestamp",
        "nonce",
        "msg_signature",
        "encrypt_type",
    ] {
        let parameter = query
            .split('&')
            .find(|it| it.starts_with(&format!("{name}=")))
            .unwrap();
        check(&format!("{query}&{parameter}"), &body).await;
        check(&format!("{query}&{name}="), &body).await;
        // The signature of the ciphertext needs no other.
        if name != "encrypt_type" && name != "signature" {
            let without: Vec<_> = query.split('&').filter(|it| *it != parameter).collect();
            check(&without.join("&"), &body).await;
        }
    }
    let swapped = query
        .replace("msg_signature=", "other=")
        .replace("signature=", "msg_signature=")
        .replace("other=", "signature=");
    check(&swapped, &body).await;
}

/// Its `msg_signature` is that of the parameters alone, which every plain delivery shows.
#[tokio::test]
async fn an_empty_ciphertext_is_no_message() {
    let plain = msg_signature(TOKEN, TIMESTAMP, NONCE, "");
    let signature = Signature::sign(&Token::new(TOKEN).unwrap(), [TIMESTAMP, NONCE]).to_string();
    assert_eq!(plain, signature);
    let query = format!(
        "signature={plain}&timestamp={TIMESTAMP}&nonce={NONCE}&encrypt_type=aes&msg_signature={plain}"
    );
    for body in [
        "<xml><Encrypt></Encrypt></xml>",
        "<xml><Encrypt/></xml>",
        "<xml><Encrypt><![CDATA[]]></Encrypt></xml>",
    ] {
        check(&query, body).await;
    }
}

/// Percent-encodes the characters that `is_encoded` says, in its own case of the digits each.
fn encoded(text: &str, is_encoded: &[(bool, bool)]) -> String {
    let characters = text.bytes().zip(is_encoded.iter().cycle());
    let written = characters.map(
        |(byte, (is_encoded, is_upper))| match (is_encoded, is_upper) {
            (true, true) => format!("%{byte:02X}"),
            (true, false) => format!("%{byte:02x}"),
            (false, _) => char::from(byte).to_string(),
        },
    );
    written.collect()
}

proptest! {
    #![proptest_config(crate::cases(256))]

    /// The signature is checked, and the ciphertext opened, by the same values. A parameter that comes twice is rejected in any
    /// encoding, whatever its value is.
    #[test]
    fn an_encoded_query_is_read_in_one_way(
        order in Just([0, 1, 2, 3, 4]).prop_shuffle(),
        is_encoded in prop::collection::vec(any::<(bool, bool)>(), 1..40),
        others in prop::collection::vec("(openid|x|signatur|timestamp%|nonce%00|%26nonce|%3dnonce|NONCE|)=[0-9a-z%+=]{0,8}", 0..3),
        twice in prop::option::of((0..5_usize, 0..3_usize, any::<prop::sample::Index>())),
    ) {
        let right = ciphertext(MESSAGE);
        let signed = query(&right);
        let signed: Vec<_> = signed.split('&').filter(|it| !it.starts_with("openid")).collect();
        let written = |parameter: &str, value: Option<&str>| {
            let (name, own) = parameter.split_once('=').unwrap();
            let value = value.unwrap_or(own);
            format!("{}={}", encoded(name, &is_encoded), encoded(value, &is_encoded))
        };
        let mut parameters: Vec<_> = order.iter().map(|at| written(signed[*at], None)).collect();
        parameters.extend(others);
        if let Some((which, value, at)) = twice {
            let value = [None, Some(""), Some("1735689600")][value];
            parameters.insert(at.index(parameters.len() + 1), written(signed[which], value));
        }
        let query = parameters.join("&");
        let read = Query::parse(&query).ok();
        prop_assert_eq!(read.is_some(), twice.is_none(), "{}", query);
        if let Some(read) = read {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
            prop_assert!(read.verify(&account(), now, Duration::ZERO).is_ok(), "{}", query);
            let opened = callback::open(&account(), &read, document(&right)).unwrap();
            prop_assert_eq!(opened.plaintext(), MESSAGE);
        }
    }
}
