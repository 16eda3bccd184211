//! Removes secrets from texts that other parties have written, before an error or the log shows them.

use std::ops::Range;

/// Makes one short line of a text: at most 400 characters, and none that breaks the line, reorders it or is invisible.
pub(crate) fn one_short_line(text: &str) -> String {
    text.chars()
        .filter(|&c| is_plain(c))
        .take(MAX_TEXT)
        .collect()
}

/// Makes one short line of a text that may repeat `secrets`. What a URL has as `access_token` is removed as well.
pub(super) fn without_secrets(text: &str, secrets: &[&str]) -> String {
    // Before the search: such a character could split a secret.
    let text: String = text.chars().filter(|&c| is_plain(c)).collect();
    let secrets = secrets.iter().filter(|secret| !secret.is_empty());
    let repeated = secrets.flat_map(|secret| text.match_indices(secret));
    let mut ranges: Vec<_> = repeated
        .map(|(start, secret)| start..start + secret.len())
        .chain(tokens(&text))
        .collect();
    ranges.sort_by_key(|range| range.start);
    // In one pass, so that no replacement is replaced.
    let (mut clean, mut end) = (String::new(), 0);
    for range in ranges {
        if let Some(kept) = text.get(end..range.start) {
            clean.push_str(kept);
            clean.push_str("[removed]");
        }
        end = end.max(range.end);
    }
    clean.push_str(text.get(end..).unwrap_or_default());
    one_short_line(&clean)
}

/// Finds the values of `access_token`. The client may have escaped the token in another way.
fn tokens(text: &str) -> impl Iterator<Item = Range<usize>> {
    const NAME: &str = "access_token=";
    let lower = text.to_ascii_lowercase();
    let starts: Vec<_> = lower.match_indices(NAME).map(|(start, _)| start).collect();
    let is_delimiter = |c: char| c.is_whitespace() || "&#\"'`<>()[]{}|,;\\".contains(c);
    let values = starts.into_iter().filter_map(move |start| {
        let start = start + NAME.len();
        let rest = text.get(start..)?;
        Some(start..start + rest.find(is_delimiter).unwrap_or(rest.len()))
    });
    values.filter(|value| !value.is_empty())
}

pub(super) fn is_plain(c: char) -> bool {
    let is_invisible = matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    );
    !c.is_control() && !is_invisible
}

const MAX_TEXT: usize = 400;
