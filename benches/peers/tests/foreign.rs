//! The SDKs in Python and JavaScript: run by `foreign/run`, which installs them.

use std::{hint::black_box, time::Instant};

use peers::{
    foreign::Foreign,
    questions::{VOICE, check},
};
use tower_wechat::{Message, xml};

#[test]
fn wechatpy_1_8_18() {
    check(
        &Foreign::python("wechatpy"),
        r#"
            sealed messages of 640 lengths opened: 640
            sealed for another app id: refused
            ciphertext changed on its way: refused
            user's texts beside the ciphertext: 1 of 7 opened
            signed, but the padding is not one: TAKEN
            EncodingAESKey with spare bits: opens
            anybody's body without Encrypt: refused
            genuine signature: accepted
            genuine signature, a day old: accepted
            genuine signature, a digit moved from nonce to timestamp: accepted
            user types ]]>: error
            typed texts as typed, of 10 that look like markup: 0
            user types a control character: error
            user types blanks first: "indented"
            user types another FromUserName: from ['oW3xTt0mZr6uQkYb1LsNdEvCjPhA', 'victim']
            MsgId is empty: "hi"
            white space around a section: "hi"
            field of an unknown message type: kept
            field of an unknown event: kept
            reply with ]]>: no XML
            reply with a control character: no XML
            reply of 3000 bytes, over the limit of 2048: sent
            sealed reply, as WeChat checks it: right
            message delivered again after its answer: runs no handlers
        "#,
    );
}

#[test]
fn werobot_1_13_1() {
    check(
        &Foreign::python("WeRoBot"),
        r#"
            sealed messages of 640 lengths opened: 640
            sealed for another app id: refused
            ciphertext changed on its way: refused
            user's texts beside the ciphertext: 1 of 7 opened
            signed, but the padding is not one: TAKEN
            EncodingAESKey with spare bits: opens
            anybody's body without Encrypt: refused
            genuine signature: accepted
            genuine signature, a day old: accepted
            genuine signature, a digit moved from nonce to timestamp: accepted
            user types ]]>: error
            typed texts as typed, of 10 that look like markup: 0
            user types a control character: error
            user types blanks first: "indented"
            user types another FromUserName: from ['oW3xTt0mZr6uQkYb1LsNdEvCjPhA', 'victim']
            MsgId is empty: "hi"
            white space around a section: "hi"
            field of an unknown message type: kept, unparsed
            field of an unknown event: kept, unparsed
            reply with ]]>: no XML
            reply with a control character: no XML
            reply of 3000 bytes, over the limit of 2048: sent
            sealed reply, as WeChat checks it: right
            message delivered again after its answer: 2 runs
        "#,
    );
}

#[test]
fn co_wechat_2_4_0() {
    check(
        &Foreign::node(),
        r#"
            sealed messages of 640 lengths opened: 640
            sealed for another app id: TAKEN
            ciphertext changed on its way: refused
            user's texts beside the ciphertext: 4 of 7 opened
            signed, but the padding is not one: TAKEN
            EncodingAESKey with spare bits: opens
            anybody's body without Encrypt: refused
            genuine signature: accepted
            genuine signature, a day old: accepted
            genuine signature, a digit moved from nonce to timestamp: accepted
            user types ]]>: "1  0]]>"
            typed texts as typed, of 10 that look like markup: 1
            user types a control character: "ding\u{2}dong"
            user types blanks first: "indented"
            user types another FromUserName: from [{},{}]
            MsgId is empty: "hi"
            white space around a section: "hi"
            field of an unknown message type: kept
            field of an unknown event: kept
            reply with ]]>: no XML
            reply with a control character: no XML
            reply of 3000 bytes, over the limit of 2048: sent
            sealed reply, as WeChat checks it: right
            message delivered again after its answer: 2 runs
        "#,
    );
}

/// Prints how many times as long one voice message takes; asserts only that it is many, for no machine measures alike.
#[test]
fn times() {
    let mut ours: Vec<_> = (0..15).map(|_| batch()).collect();
    ours.sort_by(f64::total_cmp);
    println!("parse a voice message: tower-wechat {:.0} ns", ours[7]);
    for (name, peer) in [
        ("wechatpy 1.8.18", Foreign::python("wechatpy")),
        ("WeRoBot 1.13.1", Foreign::python("WeRoBot")),
        ("co-wechat 2.4.0", Foreign::node()),
    ] {
        let theirs = peer.nanoseconds();
        println!("  {name}: {theirs:.0} ns, {:.0} times", theirs / ours[7]);
        assert!(theirs > 5.0 * ours[7], "{name}");
    }
}

fn batch() -> f64 {
    let start = Instant::now();
    for _ in 0..10_000 {
        black_box(xml::from_str::<Message>(black_box(VOICE))).expect("reads");
    }
    start.elapsed().as_secs_f64() * 1e5
}
