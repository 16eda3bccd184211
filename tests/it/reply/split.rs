//! Where a long text is split.
#![allow(
    clippy::string_slice,
    reason = "a test that panics is a test that fails"
)]

use proptest::{collection::vec, prelude::*, sample::select};
use tower_wechat::reply::split;
use unicode_segmentation::UnicodeSegmentation;

#[track_caller]
fn check(text: &str, limit: usize, expected: &[&str]) {
    let mut parts = split(text, limit);
    let found: Vec<_> = parts.by_ref().collect();
    assert_eq!(found, expected);
    assert_eq!((parts.as_str(), parts.next()), ("", None));
}

#[test]
fn a_short_text_is_one_part() {
    for text in ["a", " two\n\nparagraphs. \n", "四个汉字"] {
        check(text, text.len(), &[text]);
        check(text, usize::MAX, &[text]);
    }
    for blank in ["", " ", "\r\n\u{3000}\t"] {
        check(blank, 4, &[]);
        check(&blank.repeat(100), 4, &[]);
    }
}

#[test]
fn the_end_of_a_paragraph_is_better_than_that_of_a_line_or_a_sentence() {
    check(
        "One. Two and two.\n\nThree.\nFour. Five.",
        30,
        &["One. Two and two.", "Three.\nFour. Five."],
    );
    check(
        "Three.\nFour, and more. Five. Six.",
        26,
        &["Three.\nFour, and more.", "Five. Six."],
    );
    check(
        "Three hundred.\nFour. Five. Six.",
        25,
        &["Three hundred.", "Four. Five. Six."],
    );
    check(
        "a line\r\nanother line\r\n\r\n\r\nthe last line\r\n",
        30,
        &["a line\r\nanother line", "the last line\r\n"],
    );
}

/// Else a short title would take a message of its own.
#[test]
fn a_part_is_not_cut_in_its_first_half() {
    check(
        "Title\n\nOne. The second sentence is long.",
        30,
        &["Title\n\nOne. The second", "sentence is long."],
    );
}

#[test]
fn a_sentence_ends_behind_its_quotes() {
    check("“走吧！”他说。好", 18, &["“走吧！”", "他说。好"]);
    check(
        "（真的？！）」』好的好的",
        24,
        &["（真的？！）」』", "好的好的"],
    );
    check(
        "He said \"Now.\" She ran to it.",
        24,
        &["He said \"Now.\"", "She ran to it."],
    );
    check(
        "It is 3.14 or so.Never mind",
        16,
        &["It is 3.14 or", "so.Never mind"],
    );
}

#[test]
fn only_the_indentation_of_a_line_is_kept() {
    check("one  two", 5, &["one", "two"]);
    check("one  \n \n  two", 6, &["one", "  two"]);
    check("one\n      two", 5, &["one", "two"]);
    check("      two", 5, &["two"]);
    check(&format!("{}two", " \n".repeat(99)), 5, &["two"]);
}

#[test]
fn no_grapheme_cluster_is_cut() {
    let family = "👨‍👩‍👧‍👦";
    check(&family.repeat(3), 2 * family.len() - 1, &[family; 3]);
    check("🇨🇳🇨🇳🇨🇳", 20, &["🇨🇳🇨🇳", "🇨🇳"]);
    check("e\u{301}e\u{301}e\u{301}", 5, &["e\u{301}"; 3]);
    let syllable = "\u{1112}\u{1161}\u{11ab}";
    check(&syllable.repeat(2), 17, &[syllable; 2]);
    // A mark on a blank is to be seen.
    check("ab \u{301}", 4, &["ab", " \u{301}"]);
    // So is a blank behind a sign that goes before a number.
    check("```\nabcde\u{600} \nx", 7, &["```", "abcde", "\u{600} \nx"]);
}

#[test]
fn what_is_longer_than_a_part_is_cut() {
    check(&"x".repeat(25), 10, &["xxxxxxxxxx", "xxxxxxxxxx", "xxxxx"]);
    check("长长长", 0, &["长", "长", "长"]);
    let marks = format!("e{}", "\u{301}".repeat(4));
    check(&marks, 5, &["e\u{301}\u{301}", "\u{301}\u{301}"]);
    check(
        "<a href=\"x\">much too long</a>",
        20,
        &["<a href=\"x\">much too", "long</a>"],
    );
}

#[test]
fn no_url_and_no_link_is_cut() {
    let url = "https://example.com/?q=1.2!&w=3";
    check(
        &format!("请看{url}好"),
        url.len() + 3,
        &["请看", &format!("{url}好")],
    );
    let link = "<a href=\"weixin://bizmsgmenu?msgmenucontent=继续&msgmenuid=1\">继 续</a>";
    check(
        &format!("回复。{link}{link}"),
        link.len() + 10,
        &[&format!("回复。{link}"), link],
    );
}

#[test]
fn code_is_cut_between_lines() {
    check(
        "See:\n```rust\nlet a = 1; // One. Two.\n\n    let b = 2;\n```\nThat is all.",
        24,
        &[
            "See:\n```rust",
            "let a = 1; // One. Two.",
            "    let b = 2;\n```",
            "That is all.",
        ],
    );
    // A shorter fence, or one of other characters, does not close it.
    check(
        "~~~~\n~~~\na b c d e f\n```\na b c d e f\n~~~~",
        20,
        &["~~~~\n~~~\na b c d e f", "```\na b c d e f\n~~~~"],
    );
    // Inline code opens none.
    check(
        "```a b``` c d\ne f g h i j",
        22,
        &["```a b``` c d", "e f g h i j"],
    );
}

#[test]
fn neither_the_text_nor_the_parts_are_shown() {
    assert_eq!(
        format!("{:?}", split("hush", 2)),
        "Split { rest_len: 4, limit: 4, .. }"
    );
}

#[test]
fn a_cluster_that_is_cut_takes_nothing_of_the_next_ones() {
    // The number sign makes a cluster with the first flag. A flag is two letters, and half a flag would make one with the
    // next letter.
    let flags = "\u{600}🇨🇳🇫🇷🇯🇵";
    check(flags, 8, &["\u{600}", "🇨🇳", "🇫🇷", "🇯🇵"]);
    // One that is cut more than once.
    let marks = format!("e{}🇫🇷🇯🇵", "\u{301}".repeat(7));
    let parts = [
        "e\u{301}\u{301}\u{301}",
        "\u{301}\u{301}\u{301}\u{301}",
        "🇫🇷",
        "🇯🇵",
    ];
    check(&marks, 8, &parts);
    // No part has room for a whole flag.
    check("🇨🇳", 4, &["\u{1f1e8}", "\u{1f1f3}"]);
}

/// What is hard to split, and anything else.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        2 => any::<char>().prop_map(String::from),
        2 => "[a-z]{1,12}",
        2 => "[ \n]{1,3}",
        1 => "e\u{301}{1,30}",
        6 => select(vec![
            "\r\n", "\n\n", "\t", "\u{3000}", "。", "！”", "? ", "...", "\"", "1.5", "长", "语音消息",
            "🇨🇳", "👨‍👩‍👧‍👦", "👍🏽", "\u{1112}\u{1161}\u{11ab}", "\u{600}", "\u{301}", "\u{200d}", "क्षि",
            "https://example.com/?a=1.2", "http://a.cn", "<a href=\"b\">继 续</a>", "<a ", "</a>", "<",
            "```\n", "\n```", "\n~~~~ x\n", "`", "  - ",
        ])
        .prop_map(String::from),
    ];
    vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// Where the parts begin and end in `text`.
fn spans(text: &str, limit: usize) -> Vec<(usize, usize)> {
    let parts = split(text, limit);
    let span = |part: &str| {
        let start = part.as_ptr() as usize - text.as_ptr() as usize;
        (start, start + part.len())
    };
    parts.map(span).collect()
}

/// Likewise, if each rest is split anew, as the rest of a reply is.
fn spans_anew(text: &str, limit: usize) -> Vec<(usize, usize)> {
    let mut rest = text;
    let mut spans = Vec::new();
    loop {
        let mut parts = split(rest, limit);
        let Some(part) = parts.next() else {
            return spans;
        };
        let start = part.as_ptr() as usize - text.as_ptr() as usize;
        spans.push((start, start + part.len()));
        rest = parts.as_str();
    }
}

/// Returns whether a part begins or ends between `start` and `end`.
fn is_cut(spans: &[(usize, usize)], start: usize, end: usize) -> bool {
    let mut cuts = spans.windows(2).flat_map(|pair| [pair[0].1, pair[1].0]);
    cuts.any(|cut| start < cut && cut < end)
}

fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

fn is_in_word(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"<>".contains(&byte)
}

proptest! {
    #![proptest_config(crate::cases(2_000))]

    #[test]
    fn the_parts_are_the_text_but_for_white_space(text in texts(), limit in 0..80_usize) {
        let mut end = 0;
        for (start, next) in spans(&text, limit) {
            prop_assert!(is_blank(&text[end..start]));
            prop_assert!(!is_blank(&text[start..next]));
            prop_assert!(next - start <= limit.max(4));
            end = next;
        }
        prop_assert!(is_blank(&text[end..]));
    }

    #[test]
    fn what_fits_is_not_cut(text in texts(), limit in 8..80_usize) {
        let (spans, anew) = (spans(&text, limit), spans_anew(&text, limit));
        let graphemes: Vec<_> = text
            .grapheme_indices(true)
            .map(|(start, grapheme)| (start, start + grapheme.len()))
            .collect();
        for (start, end) in &graphemes {
            for spans in [&spans, &anew] {
                prop_assert!(end - start > limit || !is_cut(spans, *start, *end));
            }
        }

        let starts = |start| graphemes.iter().any(|grapheme| grapheme.0 == start);
        let whole = |end| graphemes.iter().map(|grapheme| grapheme.1).find(|last| *last >= end);
        let check = |start: usize, end: usize| {
            let end = whole(end).unwrap_or(end);
            !starts(start) || end - start > limit || !is_cut(&spans, start, end)
        };
        let mut words = 0;
        while words < text.len() {
            let length = text[words..].bytes().take_while(|byte| is_in_word(*byte)).count();
            prop_assert!(check(words, words + length), "{:?}", &text[words..words + length]);
            words += length.max(1);
            words = text.ceil_char_boundary(words);
        }
        for (start, _) in text.match_indices("<a ") {
            let Some(length) = text[start..].find("</a>") else {
                continue;
            };
            let end = start + length + "</a>".len();
            // A link over several lines may begin in a line of code.
            if !text[start..end].contains(['\r', '\n']) {
                prop_assert!(check(start, end), "{:?}", &text[start..end]);
            }
        }
    }

    /// Each message counts against a quota.
    #[test]
    // A part before half a flag would be short if it has less room.
    fn two_parts_in_a_row_are_not_short(text in texts(), limit in 14..80_usize) {
        for pair in spans(&text, limit).windows(2) {
            prop_assert!(pair[1].1 - pair[0].0 >= limit / 2, "{:?}", pair);
        }
    }

    #[test]
    fn no_line_of_code_is_cut(
        blocks in vec((vec("[a-z。. ]{1,15}", 0..8), vec("[ ]{0,3}[a-z.][a-z. ]{0,30}", 0..8)), 1..6),
        limit in 34..80_usize,
    ) {
        let mut text = String::new();
        let mut code = Vec::new();
        for (prose, lines) in blocks {
            text += &prose.concat();
            text += "\n```\n";
            for line in lines {
                code.push((text.len(), text.len() + line.trim_end().len()));
                text = text + &line + "\n";
            }
            text += "```\n";
        }
        let spans = spans(&text, limit);
        for (start, end) in code {
            prop_assert!(!is_cut(&spans, start, end), "{:?}", &text[start..end]);
        }
    }
}

/// What takes minutes where the time is not linear in the length of the text, or of a part.
#[test]
fn large_hostile_texts() {
    const SIZE: usize = 1 << 20;
    for piece in [
        "x",
        "长",
        "🇨🇳",
        "\u{301}",
        "👨\u{200d}",
        " ",
        "\n",
        "x\n\n",
        "<a ",
        "<a x</a>",
        "```\n",
        "~",
        "。",
    ] {
        for (size, limit) in [(SIZE, 2047), (SIZE / 8, SIZE / 16)] {
            let text = format!("x{}x", piece.repeat(size / piece.len()));
            let parts = split(&text, limit).count();
            assert!(parts <= 4 * size / limit, "{piece:?}: {parts}");
        }
    }
}
