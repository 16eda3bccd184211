//! Who may have sent a rejected request: before a signature held, anyone; then WeChat, or somebody with a copy of what
//! WeChat sent.
//!
//! Scanners must neither fill the log nor choose its words, so the level of a rejection and the account that it names
//! depend on that.

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_wechat::{
    Account, Verified, VerifySignatureLayer,
    callback::ErrorKind,
    verify::{Rejection, RejectionKind},
};

use super::{NONCE, NOW, TOKEN, at, block_on, query, signed, signed_at};
use crate::callback::{
    self, APP_ID, KEY, MESSAGE, content, document, encrypt, padded, wecom_query,
};

const TIMESTAMP: &str = "1735689600";

fn unsigned() -> String {
    query(&"0".repeat(40), TIMESTAMP, NONCE)
}

/// A request, why it is rejected, and whether a signature held.
struct Case {
    method: Method,
    query: String,
    body: String,
    kind: RejectionKind,
    is_signed: bool,
}

#[track_caller]
fn post(query: &str, body: &str, kind: impl Into<Kind>, is_signed: bool) -> Case {
    Case {
        method: Method::POST,
        query: query.to_owned(),
        body: body.to_owned(),
        kind: kind.into().0,
        is_signed,
    }
}

fn get(query: &str, kind: impl Into<Kind>, is_signed: bool) -> Case {
    Case {
        method: Method::GET,
        ..post(query, "", kind, is_signed)
    }
}

struct Kind(RejectionKind);

impl From<RejectionKind> for Kind {
    fn from(kind: RejectionKind) -> Self {
        Self(kind)
    }
}

impl From<ErrorKind> for Kind {
    fn from(kind: ErrorKind) -> Self {
        Self(RejectionKind::Callback(kind))
    }
}

/// Sends each to a layer of one account and to one that picks it. `signed_name` is the name as far as a signature
/// proves it.
fn check(account: &Account, signed_name: &str, cases: &[Case]) {
    let only = VerifySignatureLayer::new(account.clone());
    let picked = {
        let account = account.clone();
        VerifySignatureLayer::from_fn(move |_| Some(account.clone()))
    };
    for case in cases {
        let logged = send(&only, case);
        check_log(&logged, case, account.name());
        let logged = send(&picked, case);
        check_log(&logged, case, if case.is_signed { signed_name } else { "" });
        if !case.is_signed {
            // Not in a span either.
            assert!(!logged.contains(account.name()), "{logged}");
        }
    }
}

/// Checks why it is rejected. Returns what is logged.
fn send(layer: &VerifySignatureLayer, case: &Case) -> String {
    let service =
        layer
            .clone()
            .with_clock(|| at(NOW))
            .layer(service_fn(async |_: Request<Verified>| {
                Err::<Response<Full<Bytes>>, _>("the inner service must not be called")
            }));
    let send = async || {
        let request = Request::builder()
            .method(&case.method)
            .uri(format!("/wechat?{}", case.query))
            .body(Full::<Bytes>::from(case.body.clone()))
            .unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        let rejection: &Rejection = response.extensions().get().unwrap();
        let found = (rejection.kind(), rejection.is_signed());
        let expected = (case.kind, case.is_signed);
        assert_eq!(found, expected, "{} {}", case.query, case.body);
        assert_eq!(response.status(), rejection.status());
    };
    #[cfg(feature = "tracing")]
    let logged = block_on(crate::log::of(send));
    #[cfg(not(feature = "tracing"))]
    let logged = block_on(async {
        send().await;
        String::new()
    });
    logged
}

#[cfg_attr(
    not(feature = "tracing"),
    expect(unused_variables, reason = "there is no log")
)]
fn check_log(logged: &str, case: &Case, account: &str) {
    #[cfg(feature = "tracing")]
    {
        // What every delivery meets until the console or the account is changed says how to change it.
        let (level, advice) = match case.kind {
            _ if !case.is_signed => ("DEBUG", String::new()),
            RejectionKind::Callback(
                kind @ (ErrorKind::PlainAccount | ErrorKind::EncryptedAccount),
            ) => ("ERROR", documented_cause(kind)),
            RejectionKind::Callback(
                ErrorKind::Padding | ErrorKind::Length | ErrorKind::ReceiveId,
            ) => ("ERROR", String::new()),
            _ => ("WARN", String::new()),
        };
        let account = format!("account={account:?}");
        let kind = format!("kind={:?}", name(case.kind));
        crate::log::check(logged, [&[level, &account, &kind, &advice]]);
    }
}

/// The cause of rejections of this kind in the docs of `account`.
#[cfg(feature = "tracing")]
fn documented_cause(kind: ErrorKind) -> String {
    let mut lines = include_str!("../../../src/account/mod.rs").lines();
    let start = format!("//! | `{kind:?}` | ");
    let row = lines.find_map(|line| line.strip_prefix(&start));
    let (cause, _) = row.and_then(|row| row.split_once(" |")).expect("a row");
    cause.replace("[`", "`").replace("`]", "`")
}

/// As the log names it.
#[cfg(feature = "tracing")]
fn name(kind: RejectionKind) -> String {
    let kind = format!("{kind:?}");
    let kind = kind.trim_start_matches("Callback(").trim_end_matches(')');
    kind.char_indices()
        .fold(String::new(), |mut name, (at, character)| {
            if at > 0 && character.is_ascii_uppercase() {
                name.push('_');
            }
            name.push(character.to_ascii_lowercase());
            name
        })
}

#[test]
fn in_plain_mode_the_query_is_signed() {
    use RejectionKind::{BodyEmpty, BodyTooLarge};
    let account = Account::plain(TOKEN).unwrap().with_name("post-office");
    let large = " ".repeat(65_537);
    let right = callback::ciphertext(MESSAGE);
    let (sealed, envelope) = (callback::query(&right), document(&right));
    let stranger = sealed.replace(NONCE, "90818");
    check(
        &account,
        "post-office",
        &[
            // The console is in safe mode. A stranger who says so cannot fill the log.
            post(&sealed, &envelope, ErrorKind::PlainAccount, true),
            post(&stranger, &envelope, ErrorKind::Signature, false),
            post(
                &wecom_query(&right),
                &envelope,
                ErrorKind::Parameters,
                false,
            ),
            Case {
                method: Method::PUT,
                ..post(&signed(), MESSAGE, RejectionKind::Method, false)
            },
            post("", MESSAGE, ErrorKind::Parameters, false),
            post(&unsigned(), MESSAGE, ErrorKind::Signature, false),
            get(
                &format!("{}&echostr=1", unsigned()),
                ErrorKind::Signature,
                false,
            ),
            post(&unsigned(), "", ErrorKind::Signature, false),
            post(&unsigned(), &large, ErrorKind::Signature, false),
            post(&signed_at(NOW - 301), MESSAGE, ErrorKind::Timestamp, true),
            post(&signed_at(NOW + 301), MESSAGE, ErrorKind::Timestamp, true),
            get(&signed(), ErrorKind::Echostr, true),
            post(&signed(), "", BodyEmpty, true),
            post(&signed(), &large, BodyTooLarge, true),
        ],
    );
}

/// What an envelope may have wrong behind its signature.
fn bad_envelopes(query_of: fn(&str) -> String) -> Vec<Case> {
    let bad = [
        ("!".to_owned(), ErrorKind::Ciphertext),
        (encrypt(KEY, &[0; 32]), ErrorKind::Padding),
        (encrypt(KEY, &padded(vec![1; 19])), ErrorKind::Length),
        (
            encrypt(KEY, &padded(content(MESSAGE.as_bytes(), "wxother"))),
            ErrorKind::ReceiveId,
        ),
    ];
    bad.map(|(ciphertext, kind)| post(&query_of(&ciphertext), &document(&ciphertext), kind, true))
        .into()
}

#[test]
fn in_safe_mode_the_query_is_signed_before_the_body_is() {
    let account = Account::encrypted(TOKEN, APP_ID, KEY).unwrap();
    let right = callback::ciphertext(MESSAGE);
    let (sealed, body) = (callback::query(&right), document(&right));
    let other = document(&callback::ciphertext("another"));
    let mut cases = bad_envelopes(callback::query);
    cases.extend([
        post("", &body, ErrorKind::Parameters, false),
        post(&unsigned(), &body, ErrorKind::Signature, false),
        post(&signed_at(NOW - 301), &body, ErrorKind::Timestamp, true),
        get(&signed(), ErrorKind::Echostr, true),
        // The console is in plain mode. A stranger who says so cannot fill the log.
        post(&signed(), MESSAGE, ErrorKind::EncryptedAccount, true),
        post(&unsigned(), MESSAGE, ErrorKind::Signature, false),
        post(
            &format!("{}&encrypt_type=aes", signed()),
            &body,
            ErrorKind::Parameters,
            true,
        ),
        post(&sealed, "", RejectionKind::BodyEmpty, true),
        post(&sealed, MESSAGE, ErrorKind::Document, true),
        // The signature of the query holds, and that of the ciphertext does not.
        post(&sealed, &other, ErrorKind::Signature, true),
    ]);
    // Without a `signature`, the query proves nothing.
    let alone = callback::wecom_query(&right);
    cases.extend([
        post(&alone, "", RejectionKind::BodyEmpty, false),
        post(&alone, MESSAGE, ErrorKind::Document, false),
        post(&alone, &other, ErrorKind::Signature, false),
        post(
            &alone.replace(TIMESTAMP, "1735689299"),
            &body,
            ErrorKind::Timestamp,
            false,
        ),
        get(&format!("{alone}&echostr=1"), ErrorKind::Parameters, false),
    ]);
    cases.extend(bad_envelopes(wecom_query));
    check(&account, APP_ID, &cases);

    // An authorizer shares its component's token: no signature says for which of them it is.
    let component = Account::component(TOKEN, APP_ID, KEY).unwrap();
    let case = post(&sealed, &body, ErrorKind::Receiver, true);
    check(&component.authorizer("gh_2").unwrap(), APP_ID, &[case]);
    let case = post(&sealed, &body, ErrorKind::Receiver, true);
    check(&component, APP_ID, &[case]);
}

#[test]
fn wecom_signs_ciphertexts_alone() {
    let account = Account::wecom(TOKEN, "ww1", KEY).unwrap();
    let of = |plaintext: &str| encrypt(KEY, &padded(content(plaintext.as_bytes(), "ww1")));
    let right = of(MESSAGE);
    let (sealed, body) = (wecom_query(&right), document(&right));
    let mut cases = bad_envelopes(wecom_query);
    cases.extend([
        post("", &body, ErrorKind::Parameters, false),
        // A plain signature says nothing here.
        post(&signed(), MESSAGE, ErrorKind::Parameters, false),
        post(
            &sealed.replace(TIMESTAMP, "1735689299"),
            &body,
            ErrorKind::Timestamp,
            false,
        ),
        // The nonce of a reply of ours.
        post(
            &sealed.replace(NONCE, "00001"),
            &body,
            ErrorKind::Signature,
            false,
        ),
        post(&sealed, "", RejectionKind::BodyEmpty, false),
        post(
            &sealed,
            &" ".repeat(65_537),
            RejectionKind::BodyTooLarge,
            false,
        ),
        post(&sealed, MESSAGE, ErrorKind::Document, false),
        post(
            &sealed,
            &document(&of("another")),
            ErrorKind::Signature,
            false,
        ),
        get(&sealed, ErrorKind::Echostr, false),
        get(
            &format!("{sealed}&echostr={}", of("42")),
            ErrorKind::Signature,
            false,
        ),
        // A captured push: its signature holds, and it is no echostr.
        get(
            &format!("{sealed}&echostr={right}"),
            ErrorKind::Echostr,
            true,
        ),
    ]);
    check(&account, "ww1", &cases);
}

#[test]
fn nobody_knows_an_account_that_is_not_there() {
    let layer = VerifySignatureLayer::from_fn(|_| None);
    let case = post(&signed(), MESSAGE, RejectionKind::UnknownAccount, false);
    check_log(&send(&layer, &case), &case, "");
}
