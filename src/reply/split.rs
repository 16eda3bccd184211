//! Where a long text is cut: at the end of a paragraph, a line, a sentence, a word or a character.

use std::{fmt, iter::FusedIterator, mem};

use unicode_segmentation::UnicodeSegmentation;

use super::content::is_blank;

/// Splits `text` into parts of at most `limit` bytes of UTF-8.
///
/// A part ends at the end of a paragraph. If none ends in the second half of the part, it ends at the end of a line, else
/// of a sentence (`。！？.!?` and the closing quotes and brackets behind it), else anywhere but inside
///
/// - a grapheme cluster, such as an emoji of several characters,
/// - a word, a number or a URL: ASCII letters, digits and punctuation other than `"<>`,
/// - a link of the form `<a …>…</a>` in one line,
/// - a line of Markdown's fenced code.
///
/// One of these that is longer than a part has to be cut.
///
/// White space at the cuts is left out, except the indentation of a line. Together the parts have everything else of the
/// text, and nothing besides. No part is only white space: a text of only white space has no parts.
///
/// A `limit` of less than 4 counts as 4, the length of the longest character. The time is linear in the length of `text`.
///
/// ```
/// use tower_wechat::reply::split;
///
/// let story = "涨潮了。船浮起来了！\n\n码头上有人喊：“等等！”但是船已经开走了。";
/// let parts: Vec<_> = split(story, 50).collect();
/// assert_eq!(
///     parts,
///     ["涨潮了。船浮起来了！", "码头上有人喊：“等等！”", "但是船已经开走了。"],
/// );
/// ```
pub fn split(text: &str, limit: usize) -> Split<'_> {
    split_with_tail(text, limit, 0)
}

/// Splits `text` like [`split`], and does not cut its last `tail` bytes, if they fit into a part.
pub(super) fn split_with_tail(text: &str, limit: usize, tail: usize) -> Split<'_> {
    let limit = limit.max(char::MAX.len_utf8());
    let start = text.len().checked_sub(tail);
    let may_stay = tail <= limit && start.is_some_and(|start| text.is_char_boundary(start));
    Split {
        rest: text,
        limit,
        tail: if may_stay { tail } else { 0 },
        place: Place {
            starts_line: true,
            fence: None,
        },
    }
}

/// The parts of a text, made by [`split`].
#[derive(Clone)]
pub struct Split<'a> {
    rest: &'a str,
    limit: usize,
    /// The length of the end that is not cut.
    tail: usize,
    place: Place,
}

impl<'a> Split<'a> {
    /// Returns the text of the parts that are still to come.
    ///
    /// ```
    /// use tower_wechat::reply::split;
    ///
    /// let mut parts = split("High water at six.\nLow water at noon.", 20);
    /// assert_eq!(parts.next(), Some("High water at six."));
    /// assert_eq!(parts.as_str(), "Low water at noon.");
    /// ```
    pub fn as_str(&self) -> &'a str {
        self.rest
    }

    /// Finds the next cut, for a rest that is longer than a part.
    fn cut(&self) -> Cut {
        // No cut is behind the start of the tail.
        let limit = self.limit.min(self.rest.len().saturating_sub(self.tail));
        let edge = self.rest.floor_char_boundary(limit);
        let (_, beyond) = self.rest.split_at(edge);
        let blanks = beyond.len() - beyond.trim_start().len();
        // One character more shows whether a grapheme cluster ends before it.
        let seen = self.rest.ceil_char_boundary(edge + blanks + 1);
        let (seen, _) = self.rest.split_at(seen);

        let mut scan = Scan::new(self, limit);
        for (at, grapheme) in seen.grapheme_indices(true) {
            if is_blank(grapheme) {
                scan.white_space(at, grapheme);
            } else {
                scan.visible(at, grapheme);
            }
        }
        scan.into_cut(self.place, edge)
    }
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            if is_blank(self.rest) {
                self.rest = "";
                return None;
            }
            if self.rest.len() <= self.limit {
                return Some(mem::take(&mut self.rest));
            }
            let cut = self.cut();
            let (part, _) = self.rest.split_at(cut.end);
            (_, self.rest) = self.rest.split_at(cut.resume);
            self.place = cut.place;
            if !is_blank(part) {
                return Some(part);
            }
        }
    }
}

impl FusedIterator for Split<'_> {}

/// Shows lengths, not the text.
impl fmt::Debug for Split<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Split")
            .field("rest_len", &self.rest.len())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// Where a part begins.
#[derive(Clone, Copy)]
struct Place {
    starts_line: bool,
    /// The fence that is open before this line, or in the midst of it.
    fence: Option<Fence>,
}

#[derive(Clone, Copy)]
struct Cut {
    /// The end of the part.
    end: usize,
    /// The start of the next part, behind the white space.
    resume: usize,
    place: Place,
}

/// From the best to the worst.
#[derive(Clone, Copy)]
enum Boundary {
    Paragraph,
    Line,
    Sentence,
    Grapheme,
}

/// White space between two parts, as far as it is read.
struct Gap {
    start: usize,
    resume: usize,
    place: Place,
    lines: usize,
    was_code: bool,
    may_cut: bool,
}

/// Reads what fits into a part, and remembers the last boundary of each kind.
struct Scan<'a> {
    /// What is read, and as much again, to see what would fit into the next part.
    text: &'a str,
    limit: usize,
    fence: Option<Fence>,
    /// Whether this line belongs to fenced code.
    is_code: bool,
    /// Before this place, a cut is inside something that had better stay whole.
    whole_until: usize,
    /// The end of the last word, as far as a part may be long.
    word_end: usize,
    line_end: usize,
    /// The end of the next link, once it has been searched for.
    link_end: Option<usize>,
    ends_sentence: bool,
    /// The first place that is not white space.
    first_visible: Option<(usize, Place)>,
    gap: Option<Gap>,
    /// For each kind of boundary.
    cuts: [Option<Cut>; 4],
}

impl<'a> Scan<'a> {
    /// Reads the rest of `split`, whose next part has at most `limit` bytes.
    fn new(split: &Split<'a>, limit: usize) -> Self {
        let Split { rest, place, .. } = *split;
        let scope = rest.ceil_char_boundary(limit.saturating_mul(2).saturating_add(1));
        let (text, _) = rest.split_at(scope);
        let mut scan = Self {
            text,
            limit,
            fence: place.fence,
            is_code: false,
            whole_until: 0,
            word_end: 0,
            line_end: 0,
            link_end: None,
            ends_sentence: false,
            first_visible: None,
            gap: None,
            cuts: [None; 4],
        };
        scan.line(0, place.starts_line);
        scan
    }

    /// Goes on with the line at `at`, or with the rest of it.
    fn line(&mut self, at: usize, is_whole: bool) {
        let line = self.rest(at).split(['\r', '\n']).next();
        let line = line.unwrap_or_default();
        self.line_end = at + line.len();
        let before = self.fence;
        if is_whole {
            self.fence = Fence::after(before, line);
        }
        self.is_code = before.is_some() || self.fence.is_some();
        if self.is_code {
            self.keep_whole(at, at + line.trim_end().len());
        }
    }

    fn mid_line(&self) -> Place {
        Place {
            starts_line: false,
            fence: self.fence,
        }
    }

    fn rest(&self, at: usize) -> &'a str {
        self.text.get(at..).unwrap_or_default()
    }

    /// Keeps whole what is between these places, and the rest of the last grapheme cluster.
    fn keep_whole(&mut self, start: usize, end: usize) {
        if start == end {
            return;
        }
        let last = self.text.floor_char_boundary(end - 1);
        let grapheme = self.rest(last).graphemes(true).next();
        let end = last + grapheme.unwrap_or_default().len();
        if end - start <= self.limit {
            self.whole_until = self.whole_until.max(end);
        }
    }

    fn may_cut(&self, at: usize) -> bool {
        at >= self.whole_until
    }

    /// Goes on with white space.
    fn white_space(&mut self, at: usize, grapheme: &str) {
        let mut gap = self.gap.take().unwrap_or(Gap {
            start: at,
            resume: at,
            place: self.mid_line(),
            lines: 0,
            was_code: self.is_code,
            may_cut: self.may_cut(at),
        });
        let next = at + grapheme.len();
        if grapheme.ends_with(['\r', '\n']) {
            gap.lines += 1;
            gap.resume = next;
            gap.place = Place {
                starts_line: true,
                fence: self.fence,
            };
            self.line(next, true);
        } else if gap.lines == 0 {
            gap.resume = next;
        }
        self.gap = Some(gap);
    }

    /// Goes on with anything but white space.
    fn visible(&mut self, at: usize, grapheme: &str) {
        let is_end = SENTENCE_ENDS.contains(grapheme);
        let goes_on = is_end || CLOSING.contains(grapheme);
        let place = self.mid_line();
        if self.gap.is_some() {
            self.end_gap();
        } else {
            let cut = Cut {
                end: at,
                resume: at,
                place,
            };
            let boundary = if self.ends_sentence && !goes_on {
                Boundary::Sentence
            } else {
                Boundary::Grapheme
            };
            if self.may_cut(at) {
                self.add(boundary, cut);
            }
        }
        self.first_visible.get_or_insert((at, place));
        self.ends_sentence = is_end || (self.ends_sentence && goes_on);
        // There is no cut behind the limit.
        if self.may_cut(at) && at < self.limit {
            self.find_whole(at, grapheme);
        }
    }

    /// Adds the cut that leaves out the white space behind it.
    fn end_gap(&mut self) {
        let Some(gap) = self.gap.take() else {
            return;
        };
        let boundary = match (gap.lines, gap.was_code, self.is_code) {
            (0, ..) if self.ends_sentence => Boundary::Sentence,
            (0, ..) => Boundary::Grapheme,
            (_, true, true) | (1, false, false) => Boundary::Line,
            _ => Boundary::Paragraph,
        };
        let cut = Cut {
            end: gap.start,
            resume: gap.resume,
            place: gap.place,
        };
        if gap.may_cut {
            self.add(boundary, cut);
        }
    }

    fn add(&mut self, boundary: Boundary, cut: Cut) {
        // There must be something to show before the cut, and it must fit.
        if self.first_visible.is_none() || cut.end > self.limit {
            return;
        }
        for boundary in [boundary, Boundary::Grapheme] {
            if let Some(last) = self.cuts.get_mut(boundary as usize) {
                *last = Some(cut);
            }
        }
    }

    /// Looks for something at `at` that had better stay whole.
    fn find_whole(&mut self, at: usize, grapheme: &str) {
        let rest = self.rest(at);
        if grapheme == "<" && rest.starts_with("<a ") {
            let end = match self.link_end {
                Some(end) if end > at => end,
                _ => rest
                    .find(LINK_END)
                    .map_or(usize::MAX, |found| at + found + LINK_END.len()),
            };
            self.link_end = Some(end);
            if end <= self.line_end {
                self.keep_whole(at, end);
            }
        } else if at >= self.word_end && is_word(grapheme) {
            let bytes = rest.bytes().take(self.limit + 1);
            self.word_end = at + bytes.take_while(|byte| is_in_word(*byte)).count();
            self.keep_whole(at, self.word_end);
        }
    }

    fn into_cut(mut self, part: Place, edge: usize) -> Cut {
        self.end_gap();
        if let [.., Some(last)] = self.cuts {
            // Short parts would waste messages.
            let mut cuts = self.cuts.into_iter().flatten();
            return cuts.find(|cut| cut.end > self.limit / 2).unwrap_or(last);
        }
        let (start, place) = self.first_visible.unwrap_or((0, part));
        // Either nothing fits behind the indentation, or the grapheme cluster is longer than a part.
        let (end, resume) = if start > 0 {
            (0, start)
        } else {
            let edge = before_flag(self.text, edge);
            (edge, edge)
        };
        Cut { end, resume, place }
    }
}

/// Where to cut a grapheme cluster at `edge`, but for the two letters of a flag: half a flag would make one with the next
/// letter.
fn before_flag(text: &str, edge: usize) -> usize {
    let is_letter = |character| ('\u{1f1e6}'..='\u{1f1ff}').contains(&character);
    let (before, behind) = text.split_at(edge);
    match before.strip_suffix(is_letter) {
        Some(before) if !before.is_empty() && behind.starts_with(is_letter) => before.len(),
        _ => edge,
    }
}

/// An open fence of Markdown's code: its character, and how many of them.
#[derive(Clone, Copy)]
struct Fence {
    character: char,
    length: usize,
}

impl Fence {
    /// Returns the fence that is open after `line`.
    fn after(open: Option<Self>, line: &str) -> Option<Self> {
        let line = line.trim();
        let Some(character) = line.chars().next().filter(|first| "`~".contains(*first)) else {
            return open;
        };
        let info = line.trim_start_matches(character);
        let length = line.len() - info.len();
        match open {
            _ if length < FENCE => open,
            Some(open) if character != open.character || length < open.length => Some(open),
            Some(open) => (!info.is_empty()).then_some(open),
            // Inline code, says the same specification.
            None if character == '`' && info.contains('`') => None,
            None => Some(Self { character, length }),
        }
    }
}

/// The least length of a fence. Source: the specification of `CommonMark`.
const FENCE: usize = 3;

/// What ends a sentence.
const SENTENCE_ENDS: &str = "。！？.!?";

/// What may stand between the end of a sentence and the next one.
const CLOSING: &str = "”’」』）】》〉〕］｝\"')]}»›";

/// The end of a link in a text that WeChat shows.
const LINK_END: &str = "</a>";

fn is_word(grapheme: &str) -> bool {
    matches!(grapheme.as_bytes(), [byte] if is_in_word(*byte))
}

fn is_in_word(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"<>".contains(&byte)
}
