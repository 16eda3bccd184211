use bytes::Bytes;
use proptest::prelude::*;
use sha1::{Digest as _, Sha1};
use tower_wechat::{
    account::Token,
    callback::{ErrorKind, Signature},
};

/// Published values: developers.weixin.qq.com, the message-push page's worked examples.
#[test]
fn published_vectors() {
    for (timestamp, nonce, signature) in [
        (
            "1714036504",
            "1514711492",
            "f464b24fc39322e44b38aa78f5edd27bd1441696",
        ),
        (
            "1714037059",
            "486452656",
            "899cf89e464efb63f54ddac96b0a0a235f53aa78",
        ),
        (
            "1714112445",
            "415670741",
            "6c5c811b55cc85e0e1b54100749188c20beb3f5d",
        ),
    ] {
        let token = Token::new("AAAAA").unwrap();
        assert_eq!(
            Signature::sign(&token, [timestamp, nonce]).to_string(),
            signature
        );
    }
}

#[test]
fn reads_either_case_and_nothing_else() {
    let text = "29cea517f734406563d9fe7343bab4e6b608621d";
    let signature: Signature = text.parse().unwrap();
    assert_eq!(signature.to_string(), text);
    assert_eq!(text.to_uppercase().parse::<Signature>().unwrap(), signature);

    let one_short = text.get(1..).unwrap();
    let full_width = text.replace("29c", "\u{ff12}");
    let ascii = (0..=0x7f).map(char::from);
    let not_hex = ascii.filter(|character| !character.is_ascii_hexdigit());
    let not_hex = not_hex.map(|character| text.replace('c', &character.to_string()));
    let lengths = ["", one_short, &format!("{text}0"), &format!("{text}00")].map(str::to_owned);
    for wrong in lengths.into_iter().chain([full_width]).chain(not_hex) {
        let error = wrong.parse::<Signature>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Parameters, "{wrong}");
    }
}

#[test]
fn debug_shows_no_value() {
    let signature = Signature::sign(&Token::new("rosebud7").unwrap(), ["1735689600", "90817"]);
    assert_eq!(format!("{signature:?}"), "Signature(..)");
}

/// Two flipped bits too: the differences of two parts must not cancel each other.
#[test]
fn any_flipped_bits_are_another_signature() {
    let signature = Signature::sign(&Token::new("rosebud7").unwrap(), ["1735689600", "90817"]);
    let text = signature.to_string();
    let digits: Vec<_> = text
        .bytes()
        .map(|digit| char::from(digit).to_digit(16).unwrap())
        .collect();
    let bits = 4 * digits.len();
    for first in 0..bits {
        for second in first..bits {
            let mut flipped = digits.clone();
            flipped[first / 4] ^= 1 << (first % 4);
            if second != first {
                flipped[second / 4] ^= 1 << (second % 4);
            }
            let flipped: String = flipped
                .iter()
                .map(|digit| char::from_digit(*digit, 16).unwrap())
                .collect();
            let flipped: Signature = flipped.parse().unwrap();
            assert_ne!(flipped, signature, "{first} {second}");
        }
    }
}

proptest! {
    /// The token may be sorted to any place among the parts, a prefix of one included.
    #[test]
    fn is_the_hash_of_what_is_sorted_bytewise(
        token in "[0-9A-Za-z]{3,32}",
        parts in prop::array::uniform3("[+/-9A-Za-z\u{e9}]{0,40}"),
        cut in 3..=32_usize,
    ) {
        let [timestamp, nonce, encrypt] = &parts;
        let prefix = token.get(..cut).unwrap_or(&token);
        for parts in [[&**timestamp, nonce, encrypt], [timestamp, prefix, &token]] {
            let mut sorted = [parts.as_slice(), &[&token]].concat();
            sorted.sort_unstable();
            let expected = Bytes::copy_from_slice(&Sha1::digest(sorted.concat()));
            let expected = format!("{expected:x}");
            let signature = Signature::sign(&Token::new(&token).unwrap(), parts);
            prop_assert_eq!(signature.to_string(), expected);
        }
    }
}
