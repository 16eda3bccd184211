//! Keys: their form, and their change.

use std::sync::RwLock;

use tower_wechat::account::{self, EncodingAesKey};

use super::*;

const OTHER_TOKEN: &str = "walnut42";
const OTHER_KEY: &str = "Z9yXw8VuT7sRq6PoN5mLk4JiH3gFe2DcB1aAzYxWvUt";

#[test]
fn a_key_of_any_trailing_bits_is_a_key() {
    // Its last character holds two bits that no key has.
    let stem = &KEY[..42];
    for last in ('A'..='Z').chain('a'..='z').chain('0'..='9') {
        let key = format!("{stem}{last}");
        let account = Account::encrypted(TOKEN, APP_ID, &key).unwrap();
        let encrypt = encrypt(&key, &padded(content(MESSAGE.as_bytes(), APP_ID)));
        assert_eq!(
            open(&account, &encrypt).unwrap().plaintext(),
            MESSAGE,
            "{last}"
        );
    }
}

#[test]
fn a_wrong_key_is_an_error_that_says_which_character() {
    for (key, kind, message) in [
        (
            "",
            account::ErrorKind::AesKeyLength,
            "the EncodingAESKey has 0 characters instead of 43: copy it from the console again, without spaces or line breaks",
        ),
        (
            &KEY[..42],
            account::ErrorKind::AesKeyLength,
            "the EncodingAESKey has 42 characters instead of 43: copy it from the console again, without spaces or line breaks",
        ),
        (
            &format!("{KEY}A"),
            account::ErrorKind::AesKeyLength,
            "the EncodingAESKey has 44 characters instead of 43: copy it from the console again, without spaces or line breaks",
        ),
        (
            &format!("{}=", &KEY[..42]),
            account::ErrorKind::AesKeyCharacter,
            "the EncodingAESKey has a character that is no letter or digit, at byte 42: copy it from the console again, without spaces or line breaks",
        ),
        (
            &KEY.replacen('8', "+", 1),
            account::ErrorKind::AesKeyCharacter,
            "the EncodingAESKey has a character that is no letter or digit, at byte 4: copy it from the console again, without spaces or line breaks",
        ),
    ] {
        let error = EncodingAesKey::new(key).expect_err(key);
        assert_eq!((error.kind(), &*error.to_string()), (kind, message));
        assert!(Account::encrypted(TOKEN, APP_ID, key).is_err());
    }
}

#[test]
fn settings_that_cannot_be_right_are_errors() {
    let kind = |account: Result<Account, account::Error>| account.expect_err("an error").kind();
    assert_eq!(
        kind(Account::encrypted(TOKEN, "", KEY)),
        account::ErrorKind::AppIdEmpty
    );
    assert_eq!(
        kind(Account::component(TOKEN, "", KEY)),
        account::ErrorKind::AppIdEmpty
    );
    assert!(Account::wecom(TOKEN, "", KEY).is_ok());
    let plain = Account::plain(TOKEN).unwrap();
    assert_eq!(
        kind(plain.clone().with_previous_aes_key(KEY)),
        account::ErrorKind::NotEncrypted
    );
    let message =
        "an account without encryption takes no EncodingAESKey: build it with `Account::encrypted`";
    let error = plain.clone().with_previous_aes_key(KEY).unwrap_err();
    assert_eq!(error.to_string(), message);
    assert_eq!(
        kind(plain.authorizer("gh_1")),
        account::ErrorKind::NotAComponent
    );
    let error = account().authorizer("gh_1").unwrap_err();
    assert_eq!(error.kind(), account::ErrorKind::NotAComponent);
    assert_eq!(
        error.to_string(),
        "only a component has authorizers, and this account's mode is Encrypted: \
         build it with `Account::component`"
    );
    let component = Account::component(TOKEN, APP_ID, KEY).unwrap();
    for (original_id, expected, message) in [
        (
            "",
            account::ErrorKind::OriginalIdEmpty,
            "the original id is empty: ",
        ),
        (
            "gh_1 ",
            account::ErrorKind::OriginalIdCharacter,
            "the original id has a character that is no letter, digit, `_` or `-`, at byte 4: ",
        ),
    ] {
        let error = component.authorizer(original_id).unwrap_err();
        assert_eq!(error.kind(), expected);
        assert_eq!(
            error.to_string(),
            format!("{message}pass the account's `gh_…` id")
        );
    }
}

#[test]
fn an_account_is_called_by_its_app_id_unless_it_has_a_name() {
    assert_eq!(account().name(), APP_ID);
    assert_eq!(account().with_name("news").name(), "news");
    let component = Account::component(TOKEN, APP_ID, KEY).unwrap();
    assert_eq!(component.authorizer("gh_1").unwrap().name(), "gh_1");
}

/// What opened a request seals its reply, and nothing else.
#[tokio::test]
async fn old_and_new_tokens_and_keys_open_in_every_combination() {
    let both = account()
        .with_previous_token(OTHER_TOKEN)
        .unwrap()
        .with_previous_aes_key(OTHER_KEY)
        .unwrap();
    for token in [TOKEN, OTHER_TOKEN] {
        for key in [KEY, OTHER_KEY] {
            let encrypt = encrypt(key, &padded(content(MESSAGE.as_bytes(), APP_ID)));
            let query = query_of(token, &encrypt);
            let layer = VerifySignatureLayer::new(both.clone());
            let reply = Response::new("<xml><Content>reply</Content></xml>".into());
            let outcome =
                send_through(layer, Method::POST, &query, &document(&encrypt), reply).await;
            assert_eq!(outcome.inner.as_deref(), Some(MESSAGE.as_bytes()));

            let its_own = Account::encrypted(token, APP_ID, key).unwrap();
            let opened = layer::open_reply(&its_own, &outcome.body);
            assert_eq!(opened, "<xml><Content>reply</Content></xml>");
        }
    }
    // Neither token; one of the tokens and neither key.
    let strange = ciphertext(MESSAGE);
    post(
        both.clone(),
        &query_of("strange9", &strange),
        &document(&strange),
    )
    .await
    .check_rejected(403, RejectionKind::Callback(ErrorKind::Signature));
    let strange = encrypt(
        &KEY.replace('q', "r"),
        &padded(content(MESSAGE.as_bytes(), APP_ID)),
    );
    let outcome = post(both, &query(&strange), &document(&strange)).await;
    assert!(
        matches!(
            outcome.rejection,
            Some(RejectionKind::Callback(
                ErrorKind::Padding | ErrorKind::Length | ErrorKind::ReceiveId
            ))
        ),
        "{:?}",
        outcome.rejection
    );
}

/// A key that is found by its padding alone may be the wrong one: one in 256 passes by chance.
#[test]
fn trials_go_on_until_every_check_passes() {
    let message = b"<xml>the old key's</xml>";
    // Under the new key this one has a padding that passes, by construction of many.
    let mut seen = 0;
    for number in 0..4000_u32 {
        let mut plaintext = padded(content(message, APP_ID));
        plaintext[..4].copy_from_slice(&number.to_be_bytes());
        let encrypt = encrypt(OTHER_KEY, &plaintext);
        let new_alone = open(&account(), &encrypt).map(drop);
        let both = account().with_previous_aes_key(OTHER_KEY).unwrap();
        assert_eq!(open(&both, &encrypt).unwrap().plaintext(), &message[..]);
        seen += usize::from(new_alone != Err(ErrorKind::Padding));
    }
    assert!(seen > 0, "no padding passed by chance");
}

#[tokio::test]
async fn keys_change_while_the_server_runs() {
    let current = Arc::new(RwLock::new(account()));
    let layer = {
        let current = Arc::clone(&current);
        VerifySignatureLayer::from_fn(move |_| Some(current.read().unwrap().clone()))
    };
    let success = || Response::new("success".into());
    let new = encrypt(OTHER_KEY, &padded(content(MESSAGE.as_bytes(), APP_ID)));
    let (query, body) = (query(&new), document(&new));
    let before = send_through(layer.clone(), Method::POST, &query, &body, success()).await;
    assert_eq!(before.inner, None);
    *current.write().unwrap() = Account::encrypted(TOKEN, APP_ID, OTHER_KEY).unwrap();
    let after = send_through(layer, Method::POST, &query, &body, success()).await;
    assert_eq!(after.inner.as_deref(), Some(MESSAGE.as_bytes()));
}
