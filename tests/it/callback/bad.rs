//! Ciphertexts that are signed as they should be and wrong in themselves.

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use super::*;

#[track_caller]
fn check(account: &Account, encrypt: &str, expected: ErrorKind) {
    match open(account, encrypt) {
        Ok(opened) => panic!("{encrypt} was opened: {:?}", opened.plaintext()),
        Err(kind) => assert_eq!(kind, expected, "{encrypt}"),
    }
}

fn with_length(length: u32, rest: &[u8]) -> String {
    let content = [b"0123456789abcdef", &length.to_be_bytes()[..], rest].concat();
    encrypt(KEY, &padded(content))
}

#[test]
fn each_check_fails_by_its_name() {
    let account = account();
    let right = ciphertext(MESSAGE);
    let rest = [MESSAGE.as_bytes(), APP_ID.as_bytes()].concat();
    let length = u32::try_from(MESSAGE.len()).unwrap();

    for encrypt in [
        "",
        "=",
        "!!!!",
        // One block, no whole blocks, and what is left of a right one without its end.
        &encrypt(KEY, &[16; 16]),
        &STANDARD.encode_to_string([7; 33]),
        &right[..right.len() - 4],
        // Not canonical: white space, no padding, another alphabet, bits that mean nothing.
        &format!(" {right}"),
        &format!("{}\n{}", &right[..20], &right[20..]),
        &STANDARD.encode_to_string([7; 32]).replace("c=", "d="),
        STANDARD.encode_to_string([7; 32]).trim_end_matches('='),
        &STANDARD.encode_to_string([255; 32]).replace('/', "_"),
    ] {
        check(&account, encrypt, ErrorKind::Ciphertext);
    }
    // 0, more than 32, more than there is, and unequal.
    for plaintext in [[0; 32], [33; 32], [255; 32]] {
        check(&account, &encrypt(KEY, &plaintext), ErrorKind::Padding);
    }
    let mut unequal = padded(content(MESSAGE.as_bytes(), APP_ID));
    let end = unequal.len();
    assert!(unequal[end - 1] > 1);
    unequal[end - 2] ^= 1;
    check(&account, &encrypt(KEY, &unequal), ErrorKind::Padding);

    // All padding, and too short for a length.
    check(&account, &encrypt(KEY, &[32; 32]), ErrorKind::Length);
    check(
        &account,
        &encrypt(KEY, &padded(vec![b'x'; 19])),
        ErrorKind::Length,
    );
    let beyond = u32::try_from(rest.len()).unwrap() + 1;
    for wrong in [beyond, u32::MAX, u32::MAX - 19, 1 << 31] {
        check(&account, &with_length(wrong, &rest), ErrorKind::Length);
    }
    for wrong in [0, length - 1, length + 1, length + 18] {
        check(&account, &with_length(wrong, &rest), ErrorKind::ReceiveId);
    }
    for other in [
        "",
        "wx0a1b2c3d4e5f607",
        "wx0a1b2c3d4e5f60711",
        "WX0A1B2C3D4E5F6071",
    ] {
        let encrypt = encrypt(KEY, &padded(content(MESSAGE.as_bytes(), other)));
        check(&account, &encrypt, ErrorKind::ReceiveId);
    }
}

#[test]
fn an_empty_receive_id_leaves_no_bytes_to_spare() {
    let account = Account::wecom(TOKEN, "", KEY).unwrap();
    let right = encrypt(KEY, &padded(content(MESSAGE.as_bytes(), "")));
    assert_eq!(open(&account, &right).unwrap().plaintext(), MESSAGE);
    let spare = encrypt(KEY, &padded(content(MESSAGE.as_bytes(), "x")));
    check(&account, &spare, ErrorKind::ReceiveId);
}

#[test]
fn a_body_that_is_no_envelope_is_not_opened() {
    let right = ciphertext(MESSAGE);
    let query = query(&right);
    let query = Query::parse(&query).unwrap();
    for body in [
        "",
        "success",
        MESSAGE,
        "<xml></xml>",
        "<xml><ENCRYPT>x</ENCRYPT></xml>",
        "{}",
        "{\"Encrypt\":7}",
        // Too short for a ciphertext.
        &format!("<xml><Encrypt>{}", &right[..43]),
    ] {
        let error = callback::open(&account(), &query, body.to_owned()).expect_err(body);
        assert_eq!(error.kind(), ErrorKind::Document, "{body}");
    }
}

/// An answer that told them apart would be a padding oracle.
#[tokio::test]
async fn ten_thousand_bad_ciphertexts_have_one_answer() {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    let bad = prop_oneof![
        // Any bytes: the padding is wrong, but for one in 256.
        prop::collection::vec(any::<u8>(), 0..130)
            .prop_map(|bytes| STANDARD.encode_to_string(bytes)),
        // Whole blocks of anything, padded as they should be.
        prop::collection::vec(any::<u8>(), 0..130).prop_map(|bytes| encrypt(KEY, &padded(bytes))),
        // A length that is not its own.
        (any::<u32>(), prop::collection::vec(any::<u8>(), 0..100))
            .prop_map(|(length, rest)| with_length(length, &rest)),
        // Another app id, another key.
        "[a-z0-9]{0,20}".prop_map(|id| encrypt(KEY, &padded(content(MESSAGE.as_bytes(), &id)))),
        "[a-zA-Z0-9]{43}"
            .prop_map(|key| encrypt(&key, &padded(content(MESSAGE.as_bytes(), APP_ID)))),
        // No base64 at all.
        "[ -;=?-~]{0,80}",
    ];
    let mut answers = std::collections::HashMap::new();
    for _ in 0..10_000 {
        let encrypt = bad.new_tree(&mut runner).unwrap().current();
        // A text that closes the section would be another document; these are XML.
        if encrypt.contains(['<', '&', ']']) {
            continue;
        }
        let encrypt = encrypt.trim();
        let outcome = post(account(), &query(encrypt), &document(encrypt)).await;
        assert_eq!(outcome.inner, None, "{encrypt}");
        let Some(RejectionKind::Callback(kind)) = outcome.rejection else {
            panic!("{:?} for {encrypt}", outcome.rejection)
        };
        let answer = (
            outcome.status,
            format!("{:?}", outcome.headers),
            outcome.body,
        );
        *answers
            .entry(answer)
            .or_insert_with(std::collections::HashMap::new)
            .entry(kind)
            .or_insert(0) += 1;
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    let kinds = answers.into_values().next().unwrap();
    for kind in [
        ErrorKind::Ciphertext,
        ErrorKind::Padding,
        ErrorKind::Length,
        ErrorKind::ReceiveId,
    ] {
        assert!(
            kinds.get(&kind).is_some_and(|count| *count > 20),
            "{kind:?} in {kinds:?}"
        );
    }
}
