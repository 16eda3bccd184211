//! Safe mode.

use std::hint::black_box;

use aes::Aes256;
use bytes::Bytes;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::NoPadding};
use criterion::{BatchSize, Criterion};
use http::StatusCode;
use sha1::{Digest, Sha1};
use tower::ServiceBuilder;
use tower_wechat::{
    DedupLayer, Reply, Timestamp, VerifySignatureLayer,
    callback::{self, Query},
    message::Head,
    message_fn,
    reply::Addressing,
};

use crate::{
    ID, SPOKEN, check, delivery, echo,
    fixture::{APP_ID, encrypted_account, sealed},
    runtime, sha1_of_signature, voice, whole,
};

/// The same round trip in safe mode: open, dedup, parse, handle, render, seal.
pub(crate) fn requests(c: &mut Criterion) {
    let runtime = runtime();
    let account = encrypted_account();
    let stack = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account.clone()))
        .layer(DedupLayer::builder().with_capacity(10_000).build())
        .service(message_fn(echo));
    let mut ids = ID..;
    let mut new = || {
        let (query, body) = sealed(&account, &voice(ids.next().unwrap_or(ID)));
        delivery(&query, body)
    };
    check(&runtime, &stack, new(), StatusCode::OK, "<xml><Encrypt>");

    let mut group = c.benchmark_group("one encrypted delivery");
    sha1_of_signature(&mut group);
    whole(&mut group, "new message", &runtime, &stack, new);
    group.finish();
}

/// Opening and sealing, beside what they are made of.
pub(crate) fn envelope(c: &mut Criterion) {
    let account = encrypted_account();
    let message = voice(ID);
    let (query, body) = sealed(&account, &message);
    let query = Query::parse(&query).expect("a query");
    let body = Bytes::from(body);
    let opened = callback::open(&account, &query, body.clone()).expect("opens");
    let head = Head::read(message.as_bytes()).expect("reads");
    let reply = Reply::text(SPOKEN)
        .render(
            &Addressing::answering(&head),
            Timestamp::from_secs(1_718_000_001),
        )
        .expect("renders");
    let reply = Bytes::from(reply.into_body().into_owned());

    let mut group = c.benchmark_group("envelope");
    let encrypt = str::from_utf8(&body).expect("a text");
    let (_, encrypt) = encrypt.split_once("CDATA[").expect("a section");
    let (encrypt, _) = encrypt.split_once("]]>").expect("its end");
    group.bench_function("a voice message's SHA-1, base64 and AES, bare", |b| {
        b.iter(|| bare_open(black_box(encrypt)));
    });
    group.bench_function("a voice message opened", |b| {
        let open = |body| callback::open(&account, &query, black_box(body));
        b.iter_batched(|| body.clone(), open, BatchSize::SmallInput);
    });
    group.bench_function(
        "a text reply's random bytes, SHA-1, base64 and AES, bare",
        |b| {
            b.iter(|| bare_seal(black_box(&reply)));
        },
    );
    group.bench_function("a text reply sealed", |b| {
        b.iter(|| opened.seal(black_box(reply.clone())));
    });
    group.finish();
}

/// What no way of opening can do without.
fn bare_open(encrypt: &str) -> (usize, [u8; 20]) {
    let digest = Sha1::digest(encrypt);
    let mut buffer = base64_simd::STANDARD
        .decode_to_vec(encrypt)
        .expect("base64");
    let (key, iv) = KEY_BYTES;
    let cipher = cbc::Decryptor::<Aes256>::new(&key.into(), &iv.into());
    let plaintext = cipher
        .decrypt_padded::<NoPadding>(&mut buffer)
        .expect("whole blocks");
    (plaintext.len(), digest.into())
}

/// And of sealing: the random bytes come from the operating system each time.
fn bare_seal(reply: &[u8]) -> (String, [u8; 20]) {
    let mut buffer = Vec::with_capacity(reply.len() + 70);
    buffer.extend_from_slice(&[7; 20]);
    getrandom::fill(&mut buffer).expect("random bytes");
    buffer.extend_from_slice(reply);
    buffer.extend_from_slice(APP_ID.as_bytes());
    let length = buffer.len().next_multiple_of(32);
    buffer.resize(length, 7);
    let (key, iv) = KEY_BYTES;
    let cipher = cbc::Encryptor::<Aes256>::new(&key.into(), &iv.into());
    let ciphertext = cipher
        .encrypt_padded::<NoPadding>(&mut buffer, length)
        .expect("whole blocks");
    let encrypt = base64_simd::STANDARD.encode_to_string(ciphertext);
    let digest = Sha1::digest(&encrypt);
    (encrypt, digest.into())
}

/// Any: how long it takes does not depend on it.
const KEY_BYTES: ([u8; 32], [u8; 16]) = ([0x5a; 32], [0xa5; 16]);
