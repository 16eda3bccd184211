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
            "malformed ciphertext: no canonical base64 of whole AES blocks",
        ),
        (
            account(),
            sealed(&no_padding),
            "wrong EncodingAESKey: the padding does not fit",
        ),
        (
            account(),
            sealed(&too_long),
            "wrong EncodingAESKey: the length does not fit",
        ),
        (
            account(),
            sealed(&receives("wxother")),
            "wrong app id (for WeCom, corp id or suite id): the message is encrypted for another one",
        ),
        (
            authorizer,
            ciphertext(MESSAGE),
            "wrong URL: the push is for another account than the URL's",
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
            "no callback of WeChat: a parameter of the query is missing, malformed or repeated; \
             a proxy may have dropped the query",
        ),
        (
            parsed
                .verify(&another, at(NOW), Duration::ZERO)
                .unwrap_err(),
            "wrong Token, or not from WeChat: no token of the account makes the signature",
        ),
        (
            parsed
                .verify(&account(), at(0), Duration::ZERO)
                .unwrap_err(),
            "wrong clock, or an old request: the timestamp is too far from this machine's time",
        ),
        (
            callback::echostr(&account(), &parsed).unwrap_err(),
            "no echostr of 1 to 256 visible ASCII characters: a redirect may have made a GET of a POST",
        ),
        (
            callback::open(&account(), &parsed, MESSAGE).unwrap_err(),
            "the body has no ciphertext: something may have changed it",
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
