//! The envelope of a smart bot of WeCom: JSON with names in lower case, in both directions.
#![cfg(feature = "json")]

use serde_json::Value as Json;

use super::*;

const PUSH: &str = r#"{"msgid":"7","aibotid":"aib-7","msgtype":"text","text":{"content":"在吗"}}"#;

fn bot() -> Account {
    Account::smart_bot(TOKEN, KEY).unwrap()
}

fn sealed(push: &str) -> String {
    encrypt(KEY, &padded(content(push.as_bytes(), "")))
}

fn open(body: &str, encrypt: &str) -> Result<Opened, ErrorKind> {
    let query = Query::parse(&wecom_query(encrypt)).unwrap();
    callback::open(&bot(), &query, body.to_owned()).map_err(|error| error.kind())
}

#[test]
fn it_is_opened_however_it_is_written() {
    let encrypt = sealed(PUSH);
    let escaped = encrypt.replace('/', "\\/");
    let unicode = encrypt.replace('+', "\\u002b").replace('/', "\\u002f");
    for body in [
        format!(r#"{{"encrypt":"{encrypt}"}}"#),
        format!("{{\n  \"encrypt\" : \"{encrypt}\"\n}}\n"),
        format!(r#"{{"encrypt":"{escaped}"}}"#),
        format!(r#"{{"encrypt":"{unicode}"}}"#),
        format!(r#"{{"Encrypt":"{encrypt}"}}"#),
    ] {
        assert_eq!(open(&body, &encrypt).unwrap().plaintext(), PUSH, "{body}");
    }
}

/// Its reply has the nonce of the callback, as WeCom wants it.
#[test]
fn its_reply_has_names_in_lower_case() {
    let encrypt = sealed(PUSH);
    let opened = open(&format!(r#"{{"encrypt":"{encrypt}"}}"#), &encrypt).unwrap();
    let answer = opened.seal(r#"{"msgtype":"stream"}"#).unwrap();
    assert_eq!(answer.content_type(), Some("application/json"));
    let envelope: Json = serde_json::from_slice(answer.body()).unwrap();
    let names: Vec<_> = envelope.as_object().unwrap().keys().collect();
    assert_eq!(names, ["encrypt", "msgsignature", "nonce", "timestamp"]);
    assert_eq!(envelope["nonce"], NONCE);
    let (text, time) = (
        |name: &str| envelope[name].as_str().unwrap(),
        envelope["timestamp"].as_u64(),
    );
    let expected = msg_signature(TOKEN, &time.unwrap().to_string(), NONCE, text("encrypt"));
    assert_eq!(text("msgsignature"), expected);
    assert_eq!(opened.seal("success").unwrap().body(), "success");
}

/// The reply of a bot is sealed and signed as a push is. It is none.
#[test]
fn its_own_reply_is_no_push() {
    for reply in [
        r#"{"msgtype":"text","text":{"content":"a"}}"#,
        r#"{"response_type":"a"}"#,
        "<xml/>",
    ] {
        let encrypt = sealed(reply);
        let body = format!(r#"{{"encrypt":"{encrypt}"}}"#);
        assert_eq!(
            open(&body, &encrypt).unwrap_err(),
            ErrorKind::Receiver,
            "{reply}"
        );
    }
    // What cannot be read is left to the handler, which acknowledges it.
    let encrypt = sealed(r#"{"msgid":"#);
    let body = format!(r#"{{"encrypt":"{encrypt}"}}"#);
    assert!(open(&body, &encrypt).is_ok());
}
