//! The SDKs in Python and JavaScript: run by `foreign/run`, which installs them.

use std::{hint::black_box, time::Instant};

use peers::{
    foreign::Foreign,
    questions::{VOICE, report},
};
use tower_wechat::{Message, xml};

#[track_caller]
fn check(peer: &Foreign, found: &str) {
    let report = report(peer);
    let report: Vec<_> = report.lines().collect();
    let found: Vec<_> = found.trim().lines().map(str::trim).collect();
    assert_eq!(report, found);
}

#[test]
fn wechatpy_1_8_18() {
    check(&Foreign::python("wechatpy"), "");
}

#[test]
fn werobot_1_13_1() {
    check(&Foreign::python("WeRoBot"), "");
}

#[test]
fn co_wechat_2_4_0() {
    check(&Foreign::node(), "");
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
    for _ in 0..1000 {
        black_box(xml::from_str::<Message>(black_box(VOICE))).expect("reads");
    }
    start.elapsed().as_secs_f64() * 1e6
}
