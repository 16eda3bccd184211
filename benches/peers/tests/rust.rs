//! The SDKs in Rust.

use peers::{
    Peer, TOKEN,
    ours::Ours,
    questions::{ACCOUNT, ANOTHER, SPARE_BITS, check, text},
    sealing::{self, Delivery},
    wechat_oa_sdk::WechatOaSdk,
    wx_rust_mp::WxRustMp,
    wx_sdk::WxSdk,
};

#[test]
fn tower_wechat() {
    check(
        &Ours,
        r#"
            sealed messages of 640 lengths opened: 640
            sealed for another app id: refused
            ciphertext changed on its way: refused
            user's texts beside the ciphertext: 7 of 7 opened
            signed, but the padding is not one: refused
            EncodingAESKey with spare bits: opens
            anybody's body without Encrypt: refused
            genuine signature: accepted
            genuine signature, a day old: refused
            genuine signature, a digit moved from nonce to timestamp: refused
            user types ]]>: "1 ]]> 0"
            typed texts as typed, of 10 that look like markup: 10
            user types a control character: "ding\u{2}dong"
            user types blanks first: "  indented"
            user types another FromUserName: from the user
            MsgId is empty: "hi"
            white space around a section: "hi"
            field of an unknown message type: kept
            field of an unknown event: kept
            reply with ]]>: "1 ]]> 0"
            reply with a control character: "dingdong"
            reply of 3000 bytes, over the limit of 2048: its first part sent
            sealed reply, as WeChat checks it: right
            message delivered again after its answer: one run, the same answer
        "#,
    );
}

#[test]
fn wechat_oa_sdk_1_0_5() {
    check(
        &WechatOaSdk,
        r#"
            sealed messages of 640 lengths opened: 320
            sealed for another app id: refused
            ciphertext changed on its way: refused
            user's texts beside the ciphertext: 3 of 7 opened
            signed, but the padding is not one: refused
            EncodingAESKey with spare bits: opens
            anybody's body without Encrypt: refused
            genuine signature: accepted
            genuine signature, a day old: accepted
            genuine signature, a digit moved from nonce to timestamp: accepted
            user types ]]>: "1  0]]>"
            typed texts as typed, of 10 that look like markup: 1
            user types a control character: "ding\u{2}dong"
            user types blanks first: "  indented"
            user types another FromUserName: error
            MsgId is empty: error
            white space around a section: "hi"
            field of an unknown message type: kept, unparsed
            field of an unknown event: kept, unparsed
            reply with ]]>: no XML
            reply with a control character: no XML
            reply of 3000 bytes, over the limit of 2048: sent
            sealed reply, as WeChat checks it: right
            message delivered again after its answer: runs no handlers
        "#,
    );
}

#[test]
fn wx_rust_mp_0_1_5() {
    check(
        &WxRustMp,
        r#"
            sealed messages of 640 lengths opened: 0
            sealed for another app id: nothing opened
            ciphertext changed on its way: refused
            user's texts beside the ciphertext: nothing opened
            signed, but the padding is not one: nothing opened
            EncodingAESKey with spare bits: nothing opened
            anybody's body without Encrypt: refused
            genuine signature: accepted
            genuine signature, a day old: accepted
            genuine signature, a digit moved from nonce to timestamp: accepted
            user types ]]>: "1  0]]>"
            typed texts as typed, of 10 that look like markup: 1
            user types a control character: "ding\u{2}dong"
            user types blanks first: "  indented"
            user types another FromUserName: from nobody
            MsgId is empty: "hi"
            white space around a section: "\n  hi\n"
            field of an unknown message type: kept
            field of an unknown event: kept
            reply with ]]>: no XML
            reply with a control character: no XML
            reply of 3000 bytes, over the limit of 2048: sent
            sealed reply, as WeChat checks it: wrong MsgSignature
            message delivered again after its answer: one run, no second answer
        "#,
    );
}

/// wx-rust-common 0.1.5 joins what `msg_signature` signs with `&` (`Sha1::digest_with_amp`), WeChat with nothing. That alone
/// keeps wx-rust-mp from opening WeChat's messages: its cipher and its padding are right.
#[test]
fn wx_rust_mp_0_1_5_without_the_signature() {
    let opened = (1..=640)
        .map(|length| "x".repeat(length))
        .filter(|message| {
            let encrypt = sealing::seal(&ACCOUNT, message);
            WxRustMp::decrypt(&ACCOUNT, &encrypt).as_ref() == Ok(message)
        })
        .count();
    assert_eq!(opened, 640);
    assert!(WxRustMp::decrypt(&SPARE_BITS, &sealing::seal(&SPARE_BITS, "hi")).is_ok());
    assert!(WxRustMp::decrypt(&ACCOUNT, &sealing::seal(&ANOTHER, "hi")).is_err());

    // The same delivery, signed as it expects.
    let encrypt = sealing::seal(&ACCOUNT, &text("hi"));
    let mut delivery = Delivery::new(&encrypt, "1735689600");
    assert!(WxRustMp.open(&ACCOUNT, &delivery).is_err());
    let signed = [TOKEN, &delivery.timestamp, &delivery.nonce, &encrypt];
    delivery.msg_signature = sealing::signature_joined(&signed, "&");
    assert_eq!(WxRustMp.open(&ACCOUNT, &delivery).as_deref(), Ok("hi"));
}

#[test]
fn wx_sdk_0_0_9() {
    check(
        &WxSdk,
        r#"
            sealed messages of 640 lengths opened: 640
            sealed for another app id: refused
            ciphertext changed on its way: refused
            user's texts beside the ciphertext: 1 of 7 opened
            signed, but the padding is not one: refused
            EncodingAESKey with spare bits: opens
            anybody's body without Encrypt: PANICS
            genuine signature: accepted
            genuine signature, a day old: accepted
            genuine signature, a digit moved from nonce to timestamp: accepted
            user types ]]>: error
            typed texts as typed, of 10 that look like markup: 0
            user types a control character: error
            user types blanks first: "  indented"
            user types another FromUserName: from the user
            MsgId is empty: error
            white space around a section: "\n  hi\n"
            field of an unknown message type: LOST
            field of an unknown event: LOST
            reply with ]]>: error
            reply with a control character: no XML
            reply of 3000 bytes, over the limit of 2048: sent
            sealed reply, as WeChat checks it: right
            message delivered again after its answer: runs no handlers
        "#,
    );
}
