//! Settings that cannot be right fail when they are built, and none is shown.

use tower_wechat::{
    Account,
    account::{ErrorKind, Token},
};

#[track_caller]
fn check(token: &str, expected: Result<(), (ErrorKind, &str)>) {
    let accounts = [
        Token::new(token).map(drop),
        Account::plain(token).map(drop),
        Account::plain("rosebud7").and_then(|account| account.with_previous_token(token).map(drop)),
    ];
    for found in accounts {
        match (found, expected) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err((kind, message))) => {
                assert_eq!((error.kind(), &*error.to_string()), (kind, message));
            }
            (found, _) => panic!("expected {expected:?}, found {found:?}"),
        }
    }
}

#[test]
fn tokens_are_short_words() {
    let length = |found| (ErrorKind::TokenLength, found);
    let character = |found| (ErrorKind::TokenCharacter, found);
    check("abc", Ok(()));
    check("0aZ", Ok(()));
    check(&"x".repeat(32), Ok(()));
    check(
        "",
        Err(length("expected a token of 3 to 32 characters, found 0")),
    );
    check(
        "ab",
        Err(length("expected a token of 3 to 32 characters, found 2")),
    );
    check(
        &"x".repeat(33),
        Err(length("expected a token of 3 to 32 characters, found 33")),
    );
    let message = "expected letters and digits in the token, found something else at byte 3";
    for token in ["abc ", "abc-d", "abc\u{e9}", "abc\n"] {
        check(token, Err(character(message)));
    }
}

#[test]
fn the_name_is_shown_and_the_tokens_are_not() {
    let account = Account::plain("rosebud7")
        .and_then(|account| account.with_previous_token("walnut42"))
        .unwrap();
    assert_eq!(account.name(), "");
    let named = account.clone().with_name("post-office");
    assert_eq!((account.name(), named.name()), ("", "post-office"));
    assert_eq!(
        format!("{named:?}"),
        "Account { name: \"post-office\", .. }"
    );
    assert_eq!(
        format!("{:?}", Token::new("rosebud7").unwrap()),
        "Token(..)"
    );
}
