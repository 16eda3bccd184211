//! The query's form, its plain signature and its timestamp.

use std::time::{Duration, SystemTime};

use percent_encoding::percent_encode_byte;
use tower_wechat::{
    Account, Timestamp,
    account::Token,
    callback::{self, Error, ErrorKind, Query, Signature},
};

use super::{NONCE, NOW, TOKEN};

pub(crate) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

pub(crate) fn signature(token: &str, timestamp: &str, nonce: &str) -> String {
    Signature::sign(&Token::new(token).unwrap(), [timestamp, nonce]).to_string()
}

pub(crate) fn query(signature: &str, timestamp: &str, nonce: &str) -> String {
    format!("signature={signature}&timestamp={timestamp}&nonce={nonce}")
}

/// A query that verifies at [`NOW`].
pub(crate) fn signed() -> String {
    signed_at(NOW)
}

pub(crate) fn signed_at(seconds: u64) -> String {
    let timestamp = format!("{seconds:010}");
    query(&signature(TOKEN, &timestamp, NONCE), &timestamp, NONCE)
}

#[track_caller]
fn check_parse(query: &str, expected: Result<(), ErrorKind>) {
    let found = Query::parse(query).map(drop).map_err(|error| error.kind());
    assert_eq!(found, expected, "{query}");
}

#[track_caller]
fn check_verify(query: &str, account: &Account, expected: Result<(), ErrorKind>) {
    let found = Query::parse(query)
        .unwrap()
        .verify(account, at(NOW), Duration::from_mins(5))
        .map_err(|error| error.kind());
    assert_eq!(found, expected, "{query}");
}

fn account() -> Account {
    Account::plain(TOKEN).unwrap()
}

#[test]
fn parameters_have_one_form() {
    let wrong = Err(ErrorKind::Parameters);
    check_parse(&signed(), Ok(()));
    check_parse("", wrong);
    check_parse("timestamp=1735689600", wrong);
    check_parse("nonce=90817", wrong);
    // WeCom sends no `signature`: its absence is the check's business.
    check_parse("timestamp=1735689600&nonce=90817", Ok(()));

    let hash = signature(TOKEN, "1735689600", NONCE);
    for timestamp in [
        "",
        "173568960",
        "17356896000",
        "+735689600",
        "173568960x",
        "%31735689600%00",
    ] {
        check_parse(&query(&hash, timestamp, NONCE), wrong);
    }
    for nonce in [
        "",
        "9 0",
        "9+0",
        "9%200",
        "9-0",
        "%C3%A9",
        "é",
        "%",
        "%3",
        &"9".repeat(33),
    ] {
        check_parse(&query(&hash, "1735689600", nonce), wrong);
    }
    check_parse(&query(&hash, "1735689600", &"9".repeat(32)), Ok(()));
    check_parse(&format!("{}&msg_signature=", signed()), Ok(()));
    check_parse(&query("", "1735689600", NONCE), Ok(()));
    for signature in [
        "29cea517",
        &"g".repeat(40),
        &"0".repeat(41),
        &"0".repeat(42),
    ] {
        check_parse(&query(signature, "1735689600", NONCE), wrong);
    }
    for (mode, expected) in [
        ("raw", Ok(())),
        ("aes", Ok(())),
        ("", Ok(())),
        ("AES", wrong),
    ] {
        check_parse(&format!("{}&encrypt_type={mode}", signed()), expected);
    }
}

#[test]
fn names_and_values_are_decoded_once() {
    check_parse(
        &signed().replace("nonce", "no%6Ece").replace("173", "%3173"),
        Ok(()),
    );
    // Decoded twice, this would be the digit 1.
    check_parse(
        &signed().replace("173", "%253173"),
        Err(ErrorKind::Parameters),
    );

    let echostr = format!("{}&echostr=a%2Bb+c%253D", signed());
    let echostr = callback::echostr(&account(), &Query::parse(&echostr).unwrap());
    assert_eq!(echostr.unwrap(), "a+b+c%3D");
}

#[test]
fn a_signed_parameter_comes_once() {
    let whole = format!(
        "{}&msg_signature=0000000000000000000000000000000000000000&encrypt_type=aes&echostr=1",
        signed()
    );
    check_parse(&whole, Ok(()));
    for parameter in whole.split('&') {
        let (name, value) = parameter.split_once('=').unwrap();
        let encoded: String = name.bytes().map(percent_encode_byte).collect();
        for second in [
            parameter,
            name,
            &format!("{encoded}={value}"),
            &format!("{name}=other"),
        ] {
            check_parse(&format!("{whole}&{second}"), Err(ErrorKind::Parameters));
            check_parse(&format!("{second}&{whole}"), Err(ErrorKind::Parameters));
        }
    }
}

#[test]
fn unknown_parameters_are_ignored() {
    check_parse(
        &format!("openid=a&&=&{}&openid=b&Nonce=1&%ff=%ff&lang", signed()),
        Ok(()),
    );
}

#[test]
fn the_length_is_bounded() {
    let query = format!("{}&openid=", signed());
    let room = 4096 - query.len();
    check_parse(&format!("{query}{}", "o".repeat(room)), Ok(()));
    check_parse(
        &format!("{query}{}", "o".repeat(room + 1)),
        Err(ErrorKind::Parameters),
    );
}

#[test]
fn the_echostr_is_visible_ascii() {
    for (echostr, expected) in [
        ("5577006791947779410", Some("5577006791947779410")),
        ("!~<b>", Some("!~<b>")),
        ("", None),
        ("a%20b", None),
        ("a%0Ab", None),
        ("%7F", None),
        ("%C3%A9", None),
        (&"9".repeat(256), Some(&*"9".repeat(256))),
        (&"9".repeat(257), None),
    ] {
        let query = format!("{}&echostr={echostr}", signed());
        let query = Query::parse(&query).unwrap();
        let found = callback::echostr(&account(), &query);
        let expected = expected.ok_or(ErrorKind::Echostr);
        assert_eq!(
            found.as_deref().map_err(Error::kind),
            expected.map(str::as_bytes),
            "{echostr}"
        );
    }
}

#[test]
fn every_token_is_tried() {
    let account = Account::plain("walnut42")
        .and_then(|account| account.with_previous_token(TOKEN))
        .and_then(|account| account.with_previous_token("candle19"))
        .unwrap();
    for (token, expected) in [
        ("walnut42", Ok(())),
        (TOKEN, Ok(())),
        ("candle19", Ok(())),
        ("candle18", Err(ErrorKind::Signature)),
    ] {
        let signature = signature(token, "1735689600", NONCE);
        check_verify(&query(&signature, "1735689600", NONCE), &account, expected);
        check_verify(
            &query(&signature.to_uppercase(), "1735689600", NONCE),
            &account,
            expected,
        );
    }
    for none in ["", "&signature=", "&signature=&msg_signature="] {
        check_verify(
            &format!("timestamp=1735689600&nonce=90817{none}"),
            &account,
            Err(ErrorKind::Parameters),
        );
    }
}

/// While a token changes, it may be configured as the previous one too early.
#[test]
fn a_token_that_is_configured_twice_is_a_token() {
    let mut account = account();
    for _ in 0..3 {
        account = account.with_previous_token(TOKEN).unwrap();
        check_verify(&signed(), &account, Ok(()));
    }
}

#[test]
fn the_signature_is_checked_before_the_time() {
    let account = Account::plain("walnut42").unwrap();
    check_verify(&signed_at(NOW - 1000), &account, Err(ErrorKind::Signature));
    let account = Account::plain(TOKEN).unwrap();
    check_verify(&signed_at(NOW - 1000), &account, Err(ErrorKind::Timestamp));
}

#[test]
fn debug_shows_no_signature() {
    let query = signed();
    let query = Query::parse(&query).unwrap();
    assert_eq!(query.timestamp(), Timestamp::from_secs(NOW));
    let debug = format!("{query:?}");
    assert_eq!(debug, "Query { timestamp: 1735689600, .. }");
}
