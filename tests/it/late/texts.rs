//! All parts of a long text together, as the user sees them.

use proptest::prelude::*;
use tower_wechat::{late::LateCause, reply::split};

use super::*;
use crate::cases;

/// Takes each part away from the front of `text`, with the white space before it. Panics if anything else is between them.
#[track_caller]
fn check_parts(text: &str, parts: &[String]) {
    let mut rest = text;
    for part in parts {
        let at = rest
            .find(&**part)
            .unwrap_or_else(|| panic!("{part:?} in {rest:?}"));
        let (between, from) = rest.split_at(at);
        assert_eq!(between.trim(), "", "before {part:?}");
        (_, rest) = from.split_at(part.len());
    }
    assert_eq!(rest.trim(), "");
}

/// Text that is hard to cut: words, lines, links, code, emoji of several characters, and markup.
fn hard_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("涨潮落潮。".repeat(30)),
        Just("a word ".repeat(20)),
        Just("\n\n".to_owned()),
        Just("\n    code".repeat(20)),
        Just("```\n".to_owned()),
        Just("👨‍👩‍👧".repeat(10)),
        Just("<a href=\"https://example.com\">潮汐</a>".to_owned()),
        Just("https://example.com/".repeat(50)),
        Just("]]>&amp;<![CDATA[".to_owned()),
        Just(" ".repeat(100)),
        "\\PC{0,40}",
    ];
    let pieces = prop::collection::vec(piece, 1..40);
    pieces.prop_map(|pieces| pieces.concat())
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

/// Answers with `text` and a footer, and returns the messages that the user sees. All that is not passive goes to a
/// sink that sends it as customer service does, without its quota.
fn shown(text: &str, footer: &str, marker: &str, after: u64) -> Vec<String> {
    runtime().block_on(async {
        let wechat = wechat();
        let collected = Collected::default();
        let dedup = DedupLayer::builder()
            .with_late_replies(Sent(collected.clone()))
            .build();
        let text = text.to_owned();
        let service = message_fn(move |_: Message| {
            let text = text.clone();
            async move {
                sleep(secs(after)).await;
                text
            }
        });
        let service = service
            .with_footer(footer)
            .unwrap()
            .with_cut_marker(marker)
            .unwrap();
        let _ = wechat.text("hi").deliver(stack(&dedup, service)).await;
        dedup.drain(secs(100)).await;
        let mut shown = seen(&wechat);
        shown.extend(
            collected
                .replies()
                .into_iter()
                .flatten()
                .map(|part| part.as_text().unwrap().to_owned()),
        );
        shown
    })
}

/// Takes a late reply part by part.
struct Sent(Collected);

impl LateSink for Sent {
    async fn accept(&self, late: &mut LateReply) {
        while let Some(part) = late.next_part(2048) {
            let request = Request::new(crate::assume(""));
            let key = tower_wechat::dedup::Key::new(["a"]);
            let sent = LateReply::new(key, request, LateCause::Rest, part.reply().clone());
            self.0.0.lock().unwrap().push(sent);
            part.hand_over();
        }
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn the_user_sees_all_of_a_text_but_white_space_at_the_cuts(
        text in hard_text().prop_filter("a text", |text| !text.trim().is_empty()),
        footer in prop_oneof![Just(""), Just("\n（由 AI 生成。仅供参考！请 核实）"), Just("。AI. Generated\n\nby machine ")],
        marker in prop_oneof![Just("…"), Just(""), Just("\n（未完待续）")],
        is_late: bool,
    ) {
        let after = if is_late { 20 } else { 0 };
        let mut parts = shown(&text, footer, marker, after);
        for (number, part) in parts.iter().enumerate() {
            let limit = if number == 0 && !is_late { 2047 } else { 2048 };
            prop_assert!(part.len() <= limit, "{} bytes", part.len());
            prop_assert!(!part.trim().is_empty());
        }
        let last = parts.last().unwrap();
        prop_assert!(last.trim_end().ends_with(footer.trim()), "{footer:?} in {last:?}");
        if parts.len() > 1 && !is_late {
            let first = parts[0].strip_suffix(marker).map(str::to_owned);
            parts[0] = first.expect("the marker");
        }
        check_parts(&[&text, footer].concat(), &parts);
    }

    /// As `split` alone does it. But a part does not know whether it begins inside a code block.
    #[test]
    fn a_late_text_is_split_as_the_function_does(
        text in hard_text().prop_map(|text| text.replace("```", "``").replace("~~~", "~~")),
        limit in 80_usize..3000,
    ) {
        let request = Request::new(crate::assume(""));
        let key = tower_wechat::dedup::Key::new(["a"]);
        let mut late = LateReply::new(key, request, LateCause::Rest, Reply::text(text.clone()));
        let mut found = Vec::new();
        while let Some(part) = late.next_part(limit) {
            found.push(part.reply().as_text().unwrap().trim_end().to_owned());
            part.hand_over();
        }
        let written = Reply::text(text);
        let expected: Vec<_> = split(written.as_text().unwrap().trim_end(), limit).map(|part| part.trim_end().to_owned()).collect();
        if !expected.is_empty() {
            prop_assert_eq!(found, expected);
        }
    }
}
