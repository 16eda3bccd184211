//! What errors and values say of themselves, in a log for example.

use super::*;

/// Each kind has a message of its own, which names what was expected.
#[test]
fn an_error_says_which_check_failed() {
    let receives = |receive_id| padded(content(MESSAGE.as_bytes(), receive_id));
    let [mut no_padding, mut too_long] = [(); 2].map(|()| receives(APP_ID));
    *no_padding.last_mut().unwrap() = 0;
    too_long[16] = 1;
    let authorizer = Account::component(TOKEN, APP_ID, KEY)
        .and_then(|component| component.authorizer("gh_2"))
        .unwrap();
    let sealed = |plaintext: &[u8]| encrypt(KEY, plaintext);
    for (account, encrypt, message) in [
        (
            account(),
            "====".to_owned(),
            "expected canonical base64 of whole AES blocks",
        ),
        (
            account(),
            sealed(&no_padding),
            "expected 1 to 32 equal bytes of padding: the EncodingAESKey may be the wrong one",
        ),
        (
            account(),
            sealed(&too_long),
            "expected a plaintext of the length it states: the EncodingAESKey may be the wrong one",
        ),
        (
            account(),
            sealed(&receives("wxother")),
            "expected a plaintext for the account's own app id",
        ),
        (
            authorizer,
            ciphertext(MESSAGE),
            "expected a push to the account that the URL belongs to",
        ),
    ] {
        let query = Query::parse(&query(&encrypt)).unwrap();
        let error = callback::open(&account, &query, document(&encrypt)).unwrap_err();
        assert_eq!(error.to_string(), message, "{:?}", error.kind());
    }

    let parsed = Query::parse(&query(&ciphertext(MESSAGE))).unwrap();
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let another = Account::plain("walnut42").unwrap();
    for (error, message) in [
        (
            Query::parse("").unwrap_err(),
            "expected a callback's query, found a parameter missing, malformed or repeated",
        ),
        (
            parsed
                .verify(&another, at(NOW), Duration::ZERO)
                .unwrap_err(),
            "expected a signature made with the account's token",
        ),
        (
            parsed
                .verify(&account(), at(0), Duration::ZERO)
                .unwrap_err(),
            "expected a timestamp near the present time",
        ),
        (
            callback::echostr(&account(), &parsed).unwrap_err(),
            "expected an echostr of 1 to 256 visible ASCII characters",
        ),
        (
            callback::open(&account(), &parsed, MESSAGE).unwrap_err(),
            "expected an envelope with a ciphertext",
        ),
    ] {
        assert_eq!(error.to_string(), message, "{:?}", error.kind());
    }
}

#[test]
fn debug_shows_lengths_instead_of_contents() {
    let opened = open(&account(), &ciphertext(MESSAGE)).unwrap();
    let length = MESSAGE.len();
    assert_eq!(
        format!("{opened:?}"),
        format!("Opened {{ len: {length}, .. }}")
    );
    let unsealed = opened.seal("success").unwrap();
    assert_eq!(
        format!("{unsealed:?}"),
        "Answer { len: 7, content_type: None, .. }"
    );
    let sealed = opened.seal("reply").unwrap();
    let length = sealed.body().len();
    assert_eq!(
        format!("{sealed:?}"),
        format!("Answer {{ len: {length}, content_type: Some(\"application/xml\"), .. }}")
    );
}
