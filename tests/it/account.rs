//! Wrong settings fail when the account is built, and no secret is shown.

use tower_wechat::{
    Account,
    account::{AppId, EncodingAesKey, Error, ErrorKind, Mode, Token},
};

const APP_ID: &str = "wx0a1b2c3d4e5f6071";
const KEY: &str = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";

#[track_caller]
fn check<T>(found: Result<T, Error>, kind: ErrorKind, message: &str) {
    let error = found.map(drop).expect_err(message);
    assert_eq!((error.kind(), &*error.to_string()), (kind, message));
    // What `fn main() -> Result<(), account::Error>` prints.
    assert_eq!(format!("{error:?}"), message);
}

#[test]
fn tokens_are_short_words() {
    let plain = || Account::plain("rosebud7").unwrap();
    for token in ["abc", "0aZ", &"x".repeat(32)] {
        assert!(Token::new(token).is_ok());
        assert!(token.parse::<Token>().is_ok());
        assert!(Account::plain(token).is_ok());
        assert!(plain().with_previous_token(token).is_ok());
    }
    let again = "copy it from the console again, without spaces or line breaks";
    for (token, kind, found) in [
        (
            "",
            ErrorKind::TokenLength,
            "0 characters instead of 3 to 32",
        ),
        (
            "ab",
            ErrorKind::TokenLength,
            "2 characters instead of 3 to 32",
        ),
        (
            &"x".repeat(33),
            ErrorKind::TokenLength,
            "33 characters instead of 3 to 32",
        ),
        (
            "abc ",
            ErrorKind::TokenCharacter,
            "a character that is no letter or digit, at byte 3",
        ),
        (
            "abc-d",
            ErrorKind::TokenCharacter,
            "a character that is no letter or digit, at byte 3",
        ),
        (
            "abc\u{e9}",
            ErrorKind::TokenCharacter,
            "a character that is no letter or digit, at byte 3",
        ),
        (
            "rosebud7x\n",
            ErrorKind::TokenCharacter,
            "a character that is no letter or digit, at byte 9",
        ),
    ] {
        let message = format!("the token has {found}: {again}");
        check(Token::new(token), kind, &message);
        check(token.parse::<Token>(), kind, &message);
        check(Account::plain(token), kind, &message);
        check(plain().with_previous_token(token), kind, &message);
        check(Account::encrypted(token, APP_ID, KEY), kind, &message);
    }
}

#[test]
fn an_app_id_is_a_word() {
    for id in ["wx0a1b2c3d4e5f6071", "ww1", "tj_4-a"] {
        assert_eq!(AppId::new(id).unwrap().as_str(), id);
    }
    let again = "copy it from the console again, without spaces or line breaks";
    for (id, kind, found) in [
        ("", ErrorKind::AppIdEmpty, "is empty"),
        (
            " ",
            ErrorKind::AppIdCharacter,
            "has a character that is no letter, digit, `_` or `-`, at byte 0",
        ),
        (
            "wx0a1b2c3d4e5f6071\n",
            ErrorKind::AppIdCharacter,
            "has a character that is no letter, digit, `_` or `-`, at byte 18",
        ),
        (
            "wx公众号",
            ErrorKind::AppIdCharacter,
            "has a character that is no letter, digit, `_` or `-`, at byte 2",
        ),
    ] {
        let message = format!("the app id {found}: {again}");
        check(AppId::new(id), kind, &message);
        check(Account::encrypted("rosebud7", id, KEY), kind, &message);
        check(Account::component("rosebud7", id, KEY), kind, &message);
        if kind == ErrorKind::AppIdEmpty {
            // Where WeCom has none.
            assert_eq!(Account::wecom("rosebud7", id, KEY).unwrap().name(), "");
        } else {
            check(Account::wecom("rosebud7", id, KEY), kind, &message);
        }
    }
}

/// No two of the three strings can change places: a key is longer than a token and an app id, and the rest is seen.
#[test]
fn swapped_settings_are_errors() {
    let swapped = "the token looks like an app id and the app id does not: \
        pass them in the order token, app id (for WeCom, corp id or suite id), EncodingAESKey";
    let token = "rosebud7";
    for account in [
        Account::encrypted(APP_ID, token, KEY),
        Account::component(APP_ID, token, KEY),
        Account::wecom(APP_ID, token, KEY),
        Account::wecom("ww0a1b2c3d4e5f6071", token, KEY),
        Account::wecom("dk0a1b2c3d4e5f6071", token, KEY),
        Account::wecom("tj0a1b2c3d4e5f6071", token, KEY),
    ] {
        check(account, ErrorKind::Swapped, swapped);
    }
    check(
        Account::encrypted(token, "gh_5130c4e1d2a7", KEY),
        ErrorKind::OriginalIdAsAppId,
        "the app id is an original id (`gh_…`): copy the AppID from the console, which begins with `wx`",
    );
    for [first, second, third] in [
        [token, KEY, APP_ID],
        [APP_ID, KEY, token],
        [KEY, APP_ID, token],
        [KEY, token, APP_ID],
    ] {
        assert!(Account::encrypted(first, second, third).is_err());
        assert!(Account::component(first, second, third).is_err());
    }
    // A token may begin like an app id.
    assert!(Account::encrypted("wxtoken", APP_ID, KEY).is_ok());
    assert!(Account::wecom("wwtoken", "dk0a1b2c3d4e5f6071", KEY).is_ok());
    // An app without an id has nothing to swap.
    assert!(Account::wecom("wwtoken", "", KEY).is_ok());
}

#[test]
fn text_and_parsed_values_are_accepted() {
    let token = Token::new("rosebud7").unwrap();
    let app_id = AppId::new(APP_ID).unwrap();
    let key = EncodingAesKey::new(KEY).unwrap();
    let (owned, borrowed) = (KEY.to_owned(), &APP_ID.to_owned());
    for account in [
        Account::encrypted(token.clone(), app_id.clone(), key.clone()),
        Account::encrypted("rosebud7", borrowed, owned),
        Account::wecom(token.clone(), app_id.clone(), key.clone()),
        Account::component(token.clone(), app_id, key.clone()),
        Account::component("rosebud7", APP_ID, KEY)
            .and_then(|account| account.with_previous_token(token.clone()))
            .and_then(|account| account.with_previous_aes_key(key)),
        Account::plain(token).map(|account| account.with_name(APP_ID)),
    ] {
        assert_eq!(account.unwrap().name(), APP_ID);
    }
}

#[test]
fn an_account_says_its_mode() {
    let component = Account::component("rosebud7", APP_ID, KEY).unwrap();
    for (account, mode) in [
        (Account::plain("rosebud7").unwrap(), Mode::Plain),
        (
            Account::insecure_cloud_hosting(APP_ID).unwrap(),
            Mode::CloudHosting,
        ),
        (
            Account::encrypted("rosebud7", APP_ID, KEY).unwrap(),
            Mode::Encrypted,
        ),
        (Account::wecom("rosebud7", "", KEY).unwrap(), Mode::WeCom),
        (Account::smart_bot("rosebud7", KEY).unwrap(), Mode::SmartBot),
        (component.authorizer("gh_1").unwrap(), Mode::Authorizer),
        (component, Mode::Component),
    ] {
        assert_eq!(account.mode(), mode);
        let (name, shown) = (account.name().to_owned(), format!("{account:?}"));
        assert_eq!(
            shown,
            format!("Account {{ name: {name:?}, mode: {mode:?}, .. }}")
        );
    }
}

#[test]
fn the_name_is_shown_and_the_secrets_are_not() {
    let account = Account::plain("rosebud7")
        .and_then(|account| account.with_previous_token("walnut42"))
        .unwrap();
    assert_eq!(account.name(), "");
    let named = account.clone().with_name("post-office");
    assert_eq!((account.name(), named.name()), ("", "post-office"));
    assert_eq!(
        format!("{named:?}"),
        "Account { name: \"post-office\", mode: Plain, .. }"
    );
    assert_eq!(
        format!("{:?}", Token::new("rosebud7").unwrap()),
        "Token(..)"
    );
    assert_eq!(
        format!("{:?}", EncodingAesKey::new(KEY).unwrap()),
        "EncodingAesKey(..)"
    );
}
