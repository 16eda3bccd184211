//! A stack that cannot work does not compile, and rustc's first line says why.
//!
//! Each file in `cases` is a mistake; beside it lies what rustc says. After a change of the texts, or with another rustc,
//! `TRYBUILD=overwrite cargo test` writes those files again. The first lines below are not overwritten.

use std::{collections::BTreeSet, fs};

use trybuild::TestCases;

#[test]
fn the_right_stack_compiles() {
    TestCases::new().pass("right.rs");
}

#[test]
fn each_mistake_has_its_message() {
    let cases = TestCases::new();
    for (mistake, _) in FIRST_LINES {
        cases.compile_fail(format!("cases/{mistake}.rs"));
    }
}

#[test]
fn the_first_line_says_it() {
    for (mistake, expected) in FIRST_LINES {
        let message = fs::read_to_string(format!("cases/{mistake}.stderr")).unwrap();
        let first = message.lines().next().unwrap();
        let (_code, text) = first.split_once(": ").unwrap();
        assert_eq!(text, expected, "{mistake}");
    }
}

#[test]
fn no_mistake_is_forgotten() {
    let files = fs::read_dir("cases").unwrap().map(|file| {
        let path = file.unwrap().path();
        path.file_stem().unwrap().to_str().unwrap().to_owned()
    });
    let listed = FIRST_LINES.map(|(mistake, _)| mistake.to_owned());
    assert_eq!(BTreeSet::from_iter(files), BTreeSet::from(listed));
}

const VERIFICATION: &str =
    "`VerifySignatureLayer` is missing or in the wrong order: it goes first, around this service";

const FIRST_LINES: [(&str, &str); 11] = [
    ("all_layers_left_out", VERIFICATION),
    ("layers_in_the_wrong_order", VERIFICATION),
    ("verification_left_out", VERIFICATION),
    ("no_reply", "a handler cannot return `u32`"),
    (
        "error_without_display",
        "a handler cannot return `Result<tower_wechat::Reply, Failed>`",
    ),
    (
        "nothing_to_recognize",
        "`TextMessage` has no voice message that could be recognized",
    ),
    (
        "function_as_recognizer",
        "this is no recognizer, such as `tower::service_fn` makes of an async function",
    ),
    ("not_a_store", "`&str` is no store of deduplication state"),
    (
        "fail_closed_without_a_store",
        "this setting needs a store: call `with_store` before it",
    ),
    (
        "inline_runs_without_a_store",
        "this setting needs a store: call `with_store` before it",
    ),
    (
        "configured_after_it_was_made",
        "no method named `with_capacity` found for struct `DedupLayer` in the current scope",
    ),
];
