//! `echostr`, `open` and `seal` are the same calls for every mode of an account.

use std::{collections::HashSet, thread};

use tower_wechat::account::Mode;

use super::*;

const REPLY: &str = "<xml><Content>回复</Content></xml>";

/// An account of each mode, and the id that its messages are encrypted for.
fn accounts() -> Vec<(Account, &'static str)> {
    let component = Account::component(TOKEN, APP_ID, KEY).unwrap();
    vec![
        (Account::plain(TOKEN).unwrap(), ""),
        (account(), APP_ID),
        (Account::wecom(TOKEN, "ww1", KEY).unwrap(), "ww1"),
        (Account::wecom(TOKEN, "", KEY).unwrap(), ""),
        (component.authorizer("gh_1").unwrap(), APP_ID),
        (component, APP_ID),
    ]
}

/// What a component is sent has no receiver.
fn push(account: &Account) -> &'static str {
    match account.mode() {
        Mode::Component => "<xml><InfoType>component_verify_ticket</InfoType></xml>",
        _ => MESSAGE,
    }
}

fn parse(account: &Account, query: &str) -> Query {
    let query = Query::parse(query).unwrap();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
    query.verify(account, now, Duration::ZERO).unwrap();
    query
}

/// Query and body of a delivery, as WeChat sends it.
fn delivery(account: &Account, receive_id: &str) -> (Query, String) {
    let push = push(account);
    let encrypt = encrypt(KEY, &padded(content(push.as_bytes(), receive_id)));
    match account.mode() {
        Mode::Plain => (parse(account, &query::signed()), push.to_owned()),
        Mode::WeCom => (parse(account, &wecom_query(&encrypt)), document(&encrypt)),
        _ => (parse(account, &query(&encrypt)), document(&encrypt)),
    }
}

#[test]
fn every_mode_is_opened_and_sealed() {
    for (account, receive_id) in accounts() {
        let mode = account.mode();
        let (query, body) = delivery(&account, receive_id);
        let opened = callback::open(&account, &query, body).unwrap();
        assert_eq!(opened.plaintext(), push(&account), "{mode:?}");

        let answer = opened.seal(REPLY).unwrap();
        if mode == Mode::Plain {
            assert_eq!(
                (&answer.body()[..], answer.content_type()),
                (REPLY.as_bytes(), None)
            );
        } else {
            assert_eq!(answer.content_type(), Some("application/xml"), "{mode:?}");
            assert!(!format!("{answer:?}").contains("回复"));
            // WeChat opens it as an account that receives everything.
            let any = Account::wecom(TOKEN, receive_id, KEY).unwrap();
            assert_eq!(layer::open_reply(&any, answer.body()), REPLY, "{mode:?}");
        }
        assert_eq!(answer.clone().into_body(), answer.body());

        // What WeChat takes unsealed, in every mode.
        for unsealed in ["", "success"] {
            let answer = opened.seal(unsealed).unwrap();
            assert_eq!(
                (&answer.body()[..], answer.content_type()),
                (unsealed.as_bytes(), None)
            );
        }
    }
}

#[test]
fn a_plain_body_is_its_plaintext() {
    let account = Account::plain(TOKEN).unwrap();
    let right = ciphertext(MESSAGE);
    // Compatible mode signs the ciphertext, too; a plain account has no key for it.
    for query in [query::signed(), query(&right)] {
        // In compatible mode, the message stands beside the ciphertext.
        let compatible = document(&right).replace("<xml>", "<xml><MsgType>text</MsgType>");
        for body in [MESSAGE, "", &compatible] {
            let body = Bytes::copy_from_slice(body.as_bytes());
            let opened = callback::open(&account, &parse(&account, &query), body.clone()).unwrap();
            assert_eq!(opened.plaintext(), &body);
            // Without a copy.
            assert_eq!(opened.plaintext().as_ptr(), body.as_ptr());
            let answer = opened.seal(body.clone()).unwrap();
            assert_eq!(answer.into_body().as_ptr(), body.as_ptr());
        }
    }
    // The query says what the body is.
    let plain = parse(&account, &query::signed());
    let opened = callback::open(&account, &plain, document(&right)).unwrap();
    assert_eq!(opened.plaintext(), document(&right).as_bytes());
    // In safe mode, there is no message. Either parameter says so.
    let safe = query(&right);
    let (unsigned, _) = safe.split_once("&msg_signature=").unwrap();
    for query in [&safe, unsigned, &safe.replace("&encrypt_type=aes", "")] {
        let sealed = parse(&account, query);
        let error = callback::open(&account, &sealed, document(&right)).unwrap_err();
        let found = (error.kind(), error.is_signed());
        assert_eq!(found, (ErrorKind::PlainAccount, true), "{query}");
    }

    let error = callback::seal(&account, b"reply").unwrap_err();
    assert_eq!(error.kind(), SealErrorKind::PlainAccount);
    assert_eq!(
        error.to_string(),
        "expected an encrypted account, found a plain one"
    );
}

#[cfg(feature = "json")]
#[test]
fn a_reply_to_an_envelope_in_json_is_in_json() {
    let right = ciphertext(MESSAGE);
    let query = parse(&account(), &query(&right));
    let body = format!("{{\"Encrypt\":\"{right}\"}}");
    let opened = callback::open(&account(), &query, body).unwrap();
    let answer = opened.seal(REPLY).unwrap();
    assert_eq!(answer.content_type(), Some("application/json"));
    assert_eq!(layer::open_reply(&account(), answer.body()), REPLY);
}

#[test]
fn every_mode_answers_its_verification() {
    for (account, receive_id) in accounts() {
        let mode = account.mode();
        let sealed = encrypt(KEY, &padded(content(b"42", receive_id)));
        let (signed, sent) = match mode {
            Mode::WeCom => (wecom_query(&sealed), &*sealed),
            _ => (query::signed(), "42"),
        };
        let answer = |echostr: &str| {
            let query = parse(&account, &format!("{signed}{echostr}"));
            let answer = callback::echostr(&account, &query);
            answer.map_err(|error| error.kind())
        };
        let sent = percent_encoding::utf8_percent_encode(sent, percent_encoding::NON_ALPHANUMERIC);
        assert_eq!(
            answer(&format!("&echostr={sent}")).unwrap(),
            "42",
            "{mode:?}"
        );
        for none in [
            "",
            "&echostr",
            "&echostr=",
            "&echostr=a%20b",
            "&echostr=%C3%A9",
        ] {
            assert_eq!(answer(none), Err(ErrorKind::Echostr), "{mode:?} {none}");
        }
        let another = answer("&echostr=43");
        let expected = match mode {
            Mode::WeCom => Err(ErrorKind::Signature),
            _ => Ok(Bytes::from("43")),
        };
        assert_eq!(another, expected, "{mode:?}");
    }
}

/// All that is wrong with an envelope has the same name as in the layer's rejection.
#[test]
fn an_encrypted_account_opens_no_plain_body() {
    for (account, receive_id) in accounts() {
        if account.mode() == Mode::Plain {
            continue;
        }
        let (query, _) = delivery(&account, receive_id);
        let open = |query: &Query, body: &'static str| {
            let opened = callback::open(&account, query, body);
            opened.map(drop).map_err(|error| error.kind())
        };
        assert_eq!(open(&query, MESSAGE), Err(ErrorKind::Document));
        assert_eq!(open(&query, ""), Err(ErrorKind::Document));
        let unsealed = Query::parse(&query::signed()).unwrap();
        assert_eq!(open(&unsealed, MESSAGE), Err(ErrorKind::EncryptedAccount));
    }
}

/// A server without Tower has to know too whether an error is its own setting's or a stranger's.
#[test]
fn an_error_says_whether_a_signature_was_valid() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
    let error = Query::parse("").unwrap_err();
    assert_eq!(
        (error.kind(), error.is_signed()),
        (ErrorKind::Parameters, false)
    );
    for (account, receive_id) in accounts() {
        let mode = account.mode();
        // WeCom signs only ciphertexts.
        let signs_queries = mode != Mode::WeCom;
        let signed = match mode {
            Mode::WeCom => wecom_query(&ciphertext(MESSAGE)),
            _ => query(&ciphertext(MESSAGE)),
        };
        let signed = Query::parse(&signed).unwrap();

        let late = now + Duration::from_secs(1);
        let error = signed.verify(&account, late, Duration::ZERO).unwrap_err();
        let found = (error.kind(), error.is_signed());
        assert_eq!(found, (ErrorKind::Timestamp, signs_queries), "{mode:?}");
        if signs_queries {
            let forged = query::signed().replace(NONCE, "90818");
            let forged = Query::parse(&forged).unwrap();
            let error = forged.verify(&account, now, Duration::ZERO).unwrap_err();
            let found = (error.kind(), error.is_signed());
            assert_eq!(found, (ErrorKind::Signature, false), "{mode:?}");
        }

        let error = callback::echostr(&account, &signed).unwrap_err();
        let found = (error.kind(), error.is_signed());
        assert_eq!(found, (ErrorKind::Echostr, signs_queries), "{mode:?}");
        if mode == Mode::Plain {
            continue;
        }
        let check = |query: &Query, body: String, kind, is_signed| {
            let error = callback::open(&account, query, body).unwrap_err();
            let found = (error.kind(), error.is_signed());
            assert_eq!(found, (kind, is_signed), "{mode:?}");
        };
        let another = document(&ciphertext("another"));
        check(
            &signed,
            MESSAGE.to_owned(),
            ErrorKind::Document,
            signs_queries,
        );
        check(&signed, another, ErrorKind::Signature, signs_queries);
        let plain = Query::parse(&query::signed()).unwrap();
        check(
            &plain,
            MESSAGE.to_owned(),
            ErrorKind::EncryptedAccount,
            signs_queries,
        );
        for (plaintext, kind) in [
            (
                padded(content(MESSAGE.as_bytes(), "wxother")),
                ErrorKind::ReceiveId,
            ),
            (vec![0; 32], ErrorKind::Padding),
        ] {
            let encrypt = encrypt(KEY, &plaintext);
            let signed = Query::parse(&wecom_query(&encrypt)).unwrap();
            check(&signed, document(&encrypt), kind, true);
        }
        // A captured push, sent as the echostr.
        if mode == Mode::WeCom {
            let push = encrypt(KEY, &padded(content(MESSAGE.as_bytes(), receive_id)));
            let push = format!("{}&echostr={}", wecom_query(&push), push);
            let error = callback::echostr(&account, &Query::parse(&push).unwrap()).unwrap_err();
            let found = (error.kind(), error.is_signed());
            assert_eq!(found, (ErrorKind::Echostr, true));
        }
    }
}

/// Random bytes are fetched for several seals at a time.
#[test]
fn no_two_seals_are_alike() {
    let account = account();
    let seals = || -> Vec<_> {
        (0..100)
            .map(|_| callback::seal(&account, b"<xml/>").unwrap())
            .map(|sealed| (sealed.nonce().to_owned(), sealed.encrypt().to_owned()))
            .collect()
    };
    let (here, there) = thread::scope(|scope| {
        let there = scope.spawn(seals);
        (seals(), there.join().unwrap())
    });
    let (nonces, ciphertexts): (HashSet<_>, HashSet<_>) = here.into_iter().chain(there).unzip();
    assert_eq!((nonces.len(), ciphertexts.len()), (200, 200));
}
