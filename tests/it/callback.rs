//! The checks of a callback as pure functions, and the envelope through the whole layer.

#![allow(
    clippy::string_slice,
    reason = "a slice that panics is a test that fails"
)]

mod bad;
mod beside;
mod keys;
mod layer;
#[cfg(feature = "tracing")]
mod log;
mod modes;
mod openssl;
mod platforms;
pub(crate) mod query;
mod shown;
mod signature;
mod smart_bot;
mod tampering;
mod vectors;

use std::{
    collections::HashSet,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use aes::Aes256;
use base64_simd::STANDARD;
use bytes::Bytes;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit, block_padding::NoPadding};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_wechat::{
    Account, Verified, VerifySignatureLayer,
    account::Token,
    callback::{self, ErrorKind, Opened, Query, SealErrorKind, Signature},
    verify::{Rejection, RejectionKind},
};

pub(crate) const TOKEN: &str = "rosebud7";
pub(crate) const APP_ID: &str = "wx0a1b2c3d4e5f6071";
pub(crate) const KEY: &str = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
pub(crate) const NOW: u64 = 1_735_689_600;
const TIMESTAMP: &str = "1735689600";
pub(crate) const NONCE: &str = "90817";
pub(crate) const MESSAGE: &str = "<xml><ToUserName>gh_1</ToUserName><Content>你好</Content></xml>";

fn account() -> Account {
    Account::encrypted(TOKEN, APP_ID, KEY).unwrap()
}

/// The key's bytes, decoded by other code than the crate's.
fn key_bytes(key: &str) -> [u8; 32] {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        _ => panic!("no digit"),
    };
    let bits: Vec<u8> = key
        .bytes()
        .flat_map(|byte| (0..6).rev().map(move |bit| digit(byte) >> bit & 1))
        .collect();
    let mut bytes = [0; 32];
    for (byte, bits) in bytes.iter_mut().zip(bits.chunks(8)) {
        *byte = bits.iter().fold(0, |byte, bit| byte << 1 | bit);
    }
    bytes
}

/// Encrypts whole blocks, whatever is in them.
pub(crate) fn encrypt(key: &str, plaintext: &[u8]) -> String {
    let key = key_bytes(key);
    let (iv, _) = key.split_first_chunk::<16>().unwrap();
    let mut buffer = plaintext.to_vec();
    let length = buffer.len();
    let cipher = cbc::Encryptor::<Aes256>::new(&key.into(), &(*iv).into());
    STANDARD.encode_to_string(
        cipher
            .encrypt_padded::<NoPadding>(&mut buffer, length)
            .unwrap(),
    )
}

/// What stands in a ciphertext, as WeChat's page on encryption puts it together; without padding.
pub(crate) fn content(message: &[u8], receive_id: &str) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [
        b"0123456789abcdef",
        &length.to_be_bytes()[..],
        message,
        receive_id.as_bytes(),
    ]
    .concat()
}

pub(crate) fn padded(mut content: Vec<u8>) -> Vec<u8> {
    let padding = 32 - content.len() % 32;
    content.resize(content.len() + padding, u8::try_from(padding).unwrap());
    content
}

/// A ciphertext that is right in every way.
pub(crate) fn ciphertext(message: &str) -> String {
    encrypt(KEY, &padded(content(message.as_bytes(), APP_ID)))
}

fn msg_signature(token: &str, timestamp: &str, nonce: &str, encrypt: &str) -> String {
    Signature::sign(&Token::new(token).unwrap(), [timestamp, nonce, encrypt]).to_string()
}

pub(crate) fn document(encrypt: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"
    )
}

/// The query that signs `encrypt` with [`TOKEN`], at [`NOW`].
pub(crate) fn query(encrypt: &str) -> String {
    query_of(TOKEN, encrypt)
}

/// The query that signs `encrypt` as WeCom does.
pub(crate) fn wecom_query(encrypt: &str) -> String {
    let msg_signature = msg_signature(TOKEN, TIMESTAMP, NONCE, encrypt);
    format!("msg_signature={msg_signature}&timestamp={TIMESTAMP}&nonce={NONCE}")
}

fn query_of(token: &str, encrypt: &str) -> String {
    let signature = Signature::sign(&Token::new(token).unwrap(), [TIMESTAMP, NONCE]).to_string();
    let msg_signature = msg_signature(token, TIMESTAMP, NONCE, encrypt);
    format!(
        "signature={signature}&timestamp={TIMESTAMP}&nonce={NONCE}&openid=o1&encrypt_type=aes&msg_signature={msg_signature}"
    )
}

fn open(account: &Account, encrypt: &str) -> Result<Opened, ErrorKind> {
    let query = query(encrypt);
    let query = Query::parse(&query).unwrap();
    callback::open(account, &query, document(encrypt)).map_err(|error| error.kind())
}

/// What came of a request.
struct Outcome {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    rejection: Option<RejectionKind>,
    /// The plaintext that the inner service got, if it was called.
    inner: Option<Bytes>,
}

impl Outcome {
    #[track_caller]
    fn check_rejected(&self, status: u16, kind: RejectionKind) {
        assert_eq!(
            (self.status.as_u16(), self.rejection, &self.body[..]),
            (status, Some(kind), &b""[..])
        );
        assert_eq!(self.inner, None, "the inner service must not be called");
    }
}

async fn send(account: Account, method: Method, query: &str, body: impl AsRef<[u8]>) -> Outcome {
    let layer = VerifySignatureLayer::new(account);
    send_through(layer, method, query, body, Response::new("success".into())).await
}

async fn post(account: Account, query: &str, body: impl AsRef<[u8]>) -> Outcome {
    send(account, Method::POST, query, body).await
}

/// `answer` is the inner service's.
async fn send_through(
    layer: VerifySignatureLayer,
    method: Method,
    query: &str,
    body: impl AsRef<[u8]>,
    answer: Response<Full<Bytes>>,
) -> Outcome {
    let seen = Arc::new(Mutex::new(None));
    let calls = Arc::new(AtomicUsize::new(0));
    let inner = {
        let (seen, calls) = (Arc::clone(&seen), Arc::clone(&calls));
        service_fn(move |request: Request<Verified>| {
            calls.fetch_add(1, Ordering::Relaxed);
            *seen.lock().unwrap() = Some(request.into_body().to_bytes());
            let answer = answer.clone();
            async { Ok::<_, Infallible>(answer) }
        })
    };
    let request = Request::builder()
        .method(method)
        .uri(format!("/wechat?{query}"))
        .body(Full::<Bytes>::from(body.as_ref().to_vec()))
        .unwrap();
    let service = layer
        .with_clock(|| SystemTime::UNIX_EPOCH + Duration::from_secs(NOW))
        .layer(inner);
    let response = service.oneshot(request).await.unwrap();
    assert!(calls.load(Ordering::Relaxed) <= 1);
    let (head, body) = response.into_parts();
    let inner = seen.lock().unwrap().take();
    Outcome {
        status: head.status,
        rejection: head.extensions.get::<Rejection>().map(Rejection::kind),
        headers: head.headers,
        body: body.collect().await.unwrap().to_bytes(),
        inner,
    }
}

/// Two published crates fail on half of these: their padding ends at 16.
#[test]
fn messages_of_every_length_come_back() {
    let account = account();
    for length in 0..=640 {
        for message in ["a".repeat(length), "语".repeat(length)] {
            let sealed = callback::seal(&account, message.as_bytes()).unwrap();
            let query = format!(
                "timestamp={}&nonce={}&msg_signature={}",
                sealed.timestamp(),
                sealed.nonce(),
                sealed.msg_signature()
            );
            let query = Query::parse(&query).unwrap();
            let opened = callback::open(&account, &query, document(sealed.encrypt())).unwrap();
            assert_eq!(opened.plaintext(), message.as_bytes());
            // And as other code puts it together.
            let opened = open(&account, &ciphertext(&message)).unwrap();
            assert_eq!(opened.plaintext(), message.as_bytes());
        }
    }
}

#[test]
fn no_two_sealed_replies_are_the_same() {
    let account = account();
    let one = callback::seal(&account, b"reply").unwrap();
    let other = callback::seal(&account, b"reply").unwrap();
    assert_ne!(one.encrypt(), other.encrypt());
    assert_ne!(one.nonce(), other.nonce());
    assert!(one.msg_signature() != other.msg_signature());
}

/// The nonce has 64 random bits. With eight of them, two of these would be the same.
#[test]
fn no_two_nonces_are_the_same() {
    let account = account();
    let nonces: HashSet<_> = (0..300)
        .map(|_| {
            callback::seal(&account, b"reply")
                .unwrap()
                .nonce()
                .to_owned()
        })
        .collect();
    assert_eq!(nonces.len(), 300);
    assert!(nonces.iter().all(|nonce| nonce.starts_with("0000")));
}

#[test]
fn what_is_secret_is_not_shown() {
    let account = account();
    let opened = open(&account, &ciphertext(MESSAGE)).unwrap();
    let key = tower_wechat::account::EncodingAesKey::new(KEY).unwrap();
    let shown = format!("{account:?} {opened:?} {key:?}");
    for secret in [TOKEN, KEY, "你好"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
