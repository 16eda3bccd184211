//! The XML or JSON around a ciphertext: finds it in an inbound envelope, writes an outbound one.

use std::{borrow::Cow, cmp::Reverse, iter};

use memchr::{memchr3, memmem, memrchr3};
use serde::Deserialize;

use super::cipher;
use crate::{callback::signature::Signature, timestamp::Timestamp, xml};

/// The format of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Format {
    Xml,
    Json,
    /// JSON with names in lower case.
    SmartBot,
}

impl Format {
    /// Returns the format of an inbound envelope. It decides over the form of the answer alone.
    pub(super) fn of(body: &[u8]) -> Self {
        match body.iter().find(|byte| matches!(byte, b'<' | b'{')) {
            Some(b'{') => Self::Json,
            _ => Self::Xml,
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Xml => "application/xml",
            Self::Json | Self::SmartBot => "application/json",
        }
    }
}

/// Returns the texts in an inbound envelope that may be its ciphertext, the likeliest first.
///
/// Only the ciphertext is signed. In compatible mode, texts that users typed stand beside it, and WeChat does not escape
/// them. So the envelope is not parsed: nothing in it can hide the ciphertext, or make it unreadable. The candidates are
/// the longest runs of base64 characters. WeChat's ciphertext contains all that stands beside it, so it is the longest
/// run. The next [`CANDIDATES`] - 1 are for envelopes that somebody has changed on their way.
///
/// The last candidates are for a ciphertext in which `/` is escaped, as it may be in JSON, and for what the format says.
/// The very first one is what nearly all envelopes have as their longest run, found faster.
pub(super) fn ciphertexts(body: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let likely = around_middle(body);
    let others = move || {
        let mut runs: Vec<_> = runs(body).collect();
        runs.reverse();
        runs.sort_by_key(|run| Reverse(run.len()));
        let runs = runs.into_iter().take(CANDIDATES);
        let others = runs.filter(move |run| Some(*run) != likely);
        let rewritten = [unescaped, parsed].into_iter();
        others
            .flat_map(trimmed)
            .map(Cow::from)
            .chain(rewritten.filter_map(|read| read(body)).map(Cow::from))
    };
    likely
        .into_iter()
        .flat_map(trimmed)
        .map(Cow::from)
        .chain(iter::once_with(others).flatten())
}

/// Returns what stands around the body's middle between marks of XML or JSON, if it is longer than half of the body.
///
/// If it is base64, it is the longest run. That is not checked: the signature says whether it is the ciphertext, and decoding it
/// checks it then.
fn around_middle(body: &[u8]) -> Option<&[u8]> {
    let (before, behind) = body.split_at_checked(body.len() / 2)?;
    let start = memrchr3(b'[', b'>', b'"', before)? + 1;
    let end = before.len() + memchr3(b']', b'<', b'"', behind)?;
    let text = body.get(start..end)?;
    (text.len() > before.len() && text.len() >= cipher::MIN_ENCODED).then_some(text)
}

/// Returns the runs of base64 characters that are long enough for a ciphertext.
fn runs(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = body;
    iter::from_fn(move || {
        loop {
            let (least, more) = rest.split_at_checked(cipher::MIN_ENCODED)?;
            if let Some(last) = last_other(least) {
                rest = rest.get(last + 1..)?;
                continue;
            }
            let (run, behind) = rest.split_at_checked(least.len() + run_length(more))?;
            rest = behind;
            return Some(run);
        }
    })
}

/// Returns the position of the last byte that is no base64 character. From the end: of a text without long runs, most
/// bytes need not be read.
fn last_other(bytes: &[u8]) -> Option<usize> {
    let (_, chunks) = bytes.as_rchunks();
    let run = CHUNK
        * chunks
            .iter()
            .rev()
            .take_while(|chunk| is_run(chunk))
            .count();
    let rest = bytes.get(..bytes.len() - run)?;
    rest.iter().rposition(|byte| !is_base64(*byte))
}

/// Returns the number of base64 characters with which `bytes` begins.
fn run_length(bytes: &[u8]) -> usize {
    let (chunks, _) = bytes.as_chunks();
    let (run, rest) =
        bytes.split_at(CHUNK * chunks.iter().take_while(|chunk| is_run(chunk)).count());
    run.len() + rest.iter().take_while(|byte| is_base64(**byte)).count()
}

/// Checks a chunk without a branch, in a few vector instructions.
fn is_run(chunk: &[u8; CHUNK]) -> bool {
    chunk.iter().fold(true, |all, byte| all & is_base64(*byte))
}

fn is_base64(byte: u8) -> bool {
    (byte | 0x20).is_ascii_lowercase() || matches!(byte, b'/'..=b'9' | b'+' | b'=')
}

/// Returns the start and the end of `run`, as long as the longest ciphertext that fits. Characters of base64 may stand
/// directly before or behind a ciphertext if the mark between them was lost.
fn trimmed(run: &[u8]) -> impl Iterator<Item = &[u8]> {
    let surplus = run.len() - cipher::encoded_length_within(run.len());
    let end = (surplus > 0).then(|| run.get(surplus..)).flatten();
    run.get(..run.len() - surplus).into_iter().chain(end)
}

/// Returns the longest run of a body in which `/` is escaped, as some writers of JSON do.
fn unescaped(body: &[u8]) -> Option<Vec<u8>> {
    memmem::find(body, br"\/")?;
    let next = body.iter().skip(1).chain([&0]);
    let kept = body
        .iter()
        .zip(next)
        .filter(|pair| *pair != (&b'\\', &b'/'));
    let body: Vec<_> = kept.map(|(byte, _)| *byte).collect();
    let longest = runs(&body).max_by_key(|run| run.len())?;
    let length = cipher::encoded_length_within(longest.len());
    longest.get(..length).map(<[u8]>::to_vec)
}

/// Returns what the format says the ciphertext is: a text that is too short for one, or escaped in another way.
///
/// The body is not signed yet, so it is read once, in linear time.
fn parsed(body: &[u8]) -> Option<Vec<u8>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Envelope {
        #[serde(alias = "encrypt")]
        encrypt: String,
    }

    let envelope = match Format::of(body) {
        #[cfg(feature = "json")]
        Format::Json => serde_json::from_slice(body).ok()?,
        _ => {
            let document = str::from_utf8(body).ok()?;
            Envelope::deserialize(&mut xml::Deserializer::first(document)).ok()?
        }
    };
    Some(envelope.encrypt.into_bytes())
}

/// So many bytes are checked at a time.
const CHUNK: usize = 32;

/// The number of runs that are tried. Each costs a hash or two for each token, so a body with thousands of runs would
/// otherwise cost several times as much as one of the same size.
const CANDIDATES: usize = 4;

/// An outbound envelope: the ciphertext and its signature.
#[derive(Debug, Clone)]
pub struct Sealed {
    encrypt: String,
    msg_signature: Signature,
    timestamp: Timestamp,
    nonce: String,
}

impl Sealed {
    pub(super) fn new(
        encrypt: String,
        msg_signature: Signature,
        timestamp: Timestamp,
        nonce: String,
    ) -> Self {
        Self {
            encrypt,
            msg_signature,
            timestamp,
            nonce,
        }
    }

    /// Returns the ciphertext in base64.
    pub fn encrypt(&self) -> &str {
        &self.encrypt
    }

    /// Returns the signature of token, timestamp, nonce and ciphertext.
    pub fn msg_signature(&self) -> Signature {
        self.msg_signature
    }

    /// Returns the time of sealing.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// Returns the nonce: `0000` and random digits, or that of the callback of a smart bot.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Returns the envelope in XML: `Encrypt`, `MsgSignature`, `TimeStamp`, `Nonce`.
    pub fn to_xml(&self) -> String {
        // No part contains `]]>` or a character that XML escapes.
        self.between([
            "<xml><Encrypt><![CDATA[",
            "]]></Encrypt><MsgSignature><![CDATA[",
            "]]></MsgSignature><TimeStamp>",
            "</TimeStamp><Nonce><![CDATA[",
            "]]></Nonce></xml>",
        ])
    }

    /// Returns the envelope in JSON, for an account whose pushes are in JSON.
    pub fn to_json(&self) -> String {
        // No part contains a character that JSON escapes.
        self.between([
            r#"{"Encrypt":""#,
            r#"","MsgSignature":""#,
            r#"","TimeStamp":"#,
            r#","Nonce":""#,
            r#""}"#,
        ])
    }

    /// Writes the four parts between the marks, into a text of the right size.
    fn between(&self, marks: [&str; 5]) -> String {
        let [before, first, second, third, behind] = marks;
        let msg_signature = self.msg_signature.digits();
        let msg_signature = str::from_utf8(&msg_signature).unwrap_or_default();
        let seconds = self.timestamp.as_secs().to_string();
        [
            before,
            &self.encrypt,
            first,
            msg_signature,
            second,
            &seconds,
            third,
            &self.nonce,
            behind,
        ]
        .concat()
    }

    pub(super) fn to_document(&self, format: Format) -> String {
        match format {
            Format::Xml => self.to_xml(),
            Format::Json => self.to_json(),
            Format::SmartBot => self.between([
                r#"{"encrypt":""#,
                r#"","msgsignature":""#,
                r#"","timestamp":"#,
                r#","nonce":""#,
                r#""}"#,
            ]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::{collection::vec, prelude::*, sample::select};

    use super::{
        CANDIDATES, around_middle, cipher::MIN_ENCODED, ciphertexts, run_length, runs, trimmed,
        unescaped,
    };

    #[test]
    fn what_stands_between_the_marks_is_found_at_once() {
        let text = "QmFz".repeat(MIN_ENCODED);
        for (before, behind) in [
            (
                "<xml><Encrypt><![CDATA[",
                "]]></Encrypt><AgentID>1</AgentID></xml>",
            ),
            ("<xml><Encrypt>", "</Encrypt></xml>"),
            ("{\"encrypt\":\"", "\"}"),
        ] {
            let body = [before, &text, behind].concat();
            assert_eq!(around_middle(body.as_bytes()), Some(text.as_bytes()));
        }
    }

    #[test]
    fn a_text_that_is_half_of_the_body_may_have_one_as_long_beside_it() {
        let text = "QmFz".repeat(MIN_ENCODED);
        let mut body = format!("\"{text}\"{}", " ".repeat(text.len() - 2));
        assert_eq!(around_middle(body.as_bytes()), None);
        // The middle is rounded down.
        body.truncate(body.len() - 2);
        assert_eq!(around_middle(body.as_bytes()), Some(text.as_bytes()));
    }

    #[test]
    fn a_slash_may_be_escaped() {
        // 96 bytes, of whole blocks.
        let text = "Qm/z".repeat(32);
        let body = format!("{{\"encrypt\":\"{}\"}}", text.replace('/', "\\/"));
        assert_eq!(unescaped(body.as_bytes()), Some(text.into_bytes()));
        assert_eq!(unescaped(b"{}"), None);
    }

    proptest! {
        /// Texts of base64 between marks, and parts that may break them.
        #[test]
        fn base64_around_the_middle_is_the_longest_run(
            parts in vec(select(&["QmFzZTY0QmFzZTY0QmFzZTY0", "Zg==", "a", "/", "]]>", "<", "\"", "\\"]), 0..24),
        ) {
            let body = parts.concat().into_bytes();
            if let Some(text) = around_middle(&body) {
                let is_run = run_length(text) == text.len();
                prop_assert_eq!(runs(&body).max_by_key(|run| run.len()) == Some(text), is_run);
                prop_assert!(text.len() > body.len() / 2);
            }
        }

        /// Ciphertexts, texts of users and marks of XML and JSON, in any order: the first candidates are those that
        /// the definition says.
        #[test]
        fn the_candidates_are_the_longest_runs(
            parts in vec(prop_oneof![
                "[A-Za-z0-9+/]{0,100}={0,3}",
                select(&[
                    "<Encrypt><![CDATA[", "]]></Encrypt>", "<Encrypt a=\"", "\">", "<!--", "-->", "<xml>", "{\"Encrypt\":\"",
                    "\"}", "[", "]", "<", ">", "\"", "&#43;", "\\", " ", "\n", "=", "====", "\u{0}", "好",
                    "QmFzZTY0QmFzZTY0QmFzZTY0QmFzZTY0QmFzZTY0QmFzZTY0QmFzZTY0QmFzZTY0",
                    "QmFzZTY0QmFzZTY0QmFzZTY0QmFzZTY0QmFzZTY0QmFzZTY0QmFzZTY0QmFzZTY=",
                    "]]></ToUserName><Encrypt><![CDATA[QmFzZTY0QmFzZTY0QmFzZTY0QmFzZTY0QmFzZTY0QmFz]]>",
                ]).prop_map(str::to_owned),
            ], 0..12),
        ) {
            let body = parts.concat().into_bytes();
            let found: Vec<_> = ciphertexts(&body).map(Cow::into_owned).collect();
            let likely = around_middle(&body).into_iter().flat_map(trimmed);
            let mut expected: Vec<_> = likely.map(<[u8]>::to_vec).collect();
            let is_run = around_middle(&body).is_some_and(|text| run_length(text) == text.len());
            let known = if is_run { expected.len() } else { 0 };
            expected.extend(defined(&body).into_iter().skip(known));
            prop_assert!(found.starts_with(&expected), "{}: {:?}", body.escape_ascii(), found);
        }
    }

    /// The runs of base64 characters, the longest first, and of the same length the last one. Of each, as many characters as a
    /// ciphertext can have, at its start and at its end.
    fn defined(body: &[u8]) -> Vec<Vec<u8>> {
        let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
        let runs = body.split(|byte| !is_base64(byte));
        let mut runs: Vec<_> = runs.filter(|run| run.len() >= MIN_ENCODED).collect();
        runs.reverse();
        runs.sort_by_key(|run| usize::MAX - run.len());
        runs.truncate(CANDIDATES);
        let mut candidates = Vec::new();
        for run in runs {
            let lengths = (2..).map(|blocks: usize| (blocks * 16).div_ceil(3) * 4);
            let fitting = lengths.take_while(|length| *length <= run.len());
            let length = fitting.last().unwrap_or_default();
            let (starts, ends) = (run.get(..length), run.get(run.len() - length..));
            candidates.extend(starts.map(<[u8]>::to_vec));
            candidates.extend(ends.filter(|_| length < run.len()).map(<[u8]>::to_vec));
        }
        candidates
    }
}
