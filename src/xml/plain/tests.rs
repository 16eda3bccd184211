//! The plain reading and that of any document agree.

use std::{env, fmt::Debug, fs, path::Path};

use serde::Deserialize;

use super::from_str;
use crate::{
    Message,
    message::{EventMessage, VoiceMessage},
    xml::{self, any_from_str},
};

#[path = "targets.rs"]
mod targets;

/// How often the plain reading has read a type, and how often another reading had to.
#[derive(Default)]
struct Readings {
    first: usize,
    other: usize,
}

impl targets::Check for Readings {
    fn check<'de, T: Deserialize<'de> + PartialEq + Debug>(&mut self, document: &'de str) {
        let first: xml::Result<T> = from_str(document, |_| Err(xml::Error::value_before_name()));
        let any: xml::Result<T> = any_from_str(document);
        let target = std::any::type_name::<T>();
        let same = |one: &T, other: &T| one == other || format!("{one:?}") == format!("{other:?}");
        match (&first, &any) {
            (Ok(first), Ok(any)) if same(first, any) => self.first += 1,
            (Err(_), _) => self.other += 1,
            _ => panic!("{target}: {first:?}, but {any:?}: {document}"),
        }
    }
}

/// A sequence of numbers that looks random and is the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    fn text(&mut self) -> &'static str {
        let texts = if self.below(8) == 0 { OTHERS } else { TEXTS };
        self.of(texts)
    }

    /// Writes elements that types of [`targets`] know, with texts that imitate markup.
    fn elements(&mut self, depth: usize, document: &mut String) {
        let white = self.of(&["", "", "\n", " "]);
        for _ in 0..self.below(7) {
            let name = self.of(NAMES);
            document.extend(["<", name, ">"]);
            if depth < 3 && self.below(4) == 0 {
                document.push_str(white);
                self.elements(depth + 1, document);
            } else {
                document.push_str(self.text());
            }
            document.extend(["</", name, ">", white]);
        }
    }

    fn document(&mut self) -> String {
        let mut document = "<xml>".to_owned();
        document.push_str(self.of(&["", "\n"]));
        document.push_str(self.of(HEADS));
        self.elements(0, &mut document);
        document.push_str(self.of(&[
            "</xml>", "</xml>", "</xml>\n", "</xml>\0", "</xml>x", "</xm>", "",
        ]));
        document
    }

    /// Changes a few places of `sample`.
    fn changed(&mut self, sample: &str) -> String {
        let mut document = sample.to_owned();
        for _ in 0..self.below(4) {
            let start = document.floor_char_boundary(self.below(document.len() + 1));
            let end = document
                .floor_char_boundary(start + self.below(9))
                .max(start);
            match self.below(6) {
                0 => document.replace_range(start..end, ""),
                1 => document.replace_range(start..end, self.text()),
                2 => document.insert_str(start, self.text()),
                // Most lines are an element.
                3 if !document.is_empty() => {
                    let mut lines: Vec<_> = document.split_inclusive('\n').collect();
                    let line = self.of(&lines);
                    lines.insert(self.below(lines.len() + 1), line);
                    document = lines.concat();
                }
                4 => {
                    let mut element = String::new();
                    self.elements(2, &mut element);
                    insert(&mut document, start, "</", &element);
                }
                _ => insert(&mut document, start, "]]>", self.of(TYPED)),
            }
        }
        document
    }
}

/// Inserts `text` in front of the first `place` from `start` on.
fn insert(document: &mut String, start: usize, place: &str, text: &str) {
    let (before, behind) = document.split_at(start);
    if let Some(at) = behind.find(place) {
        document.insert_str(before.len() + at, text);
    }
}

const NAMES: &[&str] = &[
    "ToUserName",
    "FromUserName",
    "CreateTime",
    "MsgType",
    "Event",
    "Content",
    "Label",
    "Scale",
    "Flag",
    "Letter",
    "Pair",
    "List",
    "ResultList",
    "SendLocationInfo",
    "Any",
    "item",
    "Poiname",
    "Title",
    "MsgId",
    "MsgID",
    "Unknown",
    "a1",
];

const HEADS: &[&str] = &[
    "",
    "<MsgType>text</MsgType>",
    "<MsgType><![CDATA[event]]></MsgType><Event>location_select</Event>",
    "<ToUserName>gh</ToUserName><CreateTime>1</CreateTime><MsgType><![CDATA[location]]></MsgType>",
    "<ToUserName><![CDATA[gh]]></ToUserName>\n<FromUserName><![CDATA[o]]></FromUserName>\n<CreateTime>1</CreateTime>\n<MsgType><![CDATA[voice]]></MsgType>\n",
];

/// Texts as WeChat writes them.
const TEXTS: &[&str] = &[
    "",
    " ",
    "1",
    "0",
    "01",
    "true",
    "a",
    "7.5",
    "-3",
    "text",
    "location",
    "event",
    "location_select",
    "微信",
    "a ]] b > c",
    "12345678901234567890",
    "1234567890123456789",
    "<![CDATA[]]>",
    "<![CDATA[ x ]]>",
    "<![CDATA[text]]>",
    "<![CDATA[location]]>",
    "<![CDATA[1]]>",
    "<![CDATA[]>]]]>",
    "<![CDATA[<MsgType>text</MsgType>]]>",
    " <![CDATA[y]]> ",
];

/// Anything else that can stand for a text.
const OTHERS: &[&str] = &[
    "<![CDATA[]]></Content><Content><![CDATA[]]>",
    "<![CDATA[]]></Label><Title>t</Title><Label><![CDATA[]]>",
    "&amp;",
    "&#55357;&#56832;",
    "<!-- x -->",
    "<?x?>",
    "]]>",
    "<",
    "&",
    "<b/>",
    "<b c='d'>e</b >",
    "<![CDATA[y",
];

/// What ends a section.
const TYPED: &[&str] = &[
    "]]>",
    "]]><![CDATA[",
    "]]></Content><Content><![CDATA[",
    "]]></Content><MsgId>9</MsgId><Content><![CDATA[",
    "]]></Label><Poiname><![CDATA[",
    "]]></Title><Title><![CDATA[",
    "]]></Title>\n<Description><![CDATA[",
    "]]></ScanResult><ScanResult><![CDATA[",
    "]]></Recognition><!--",
    "-->",
];

fn samples() -> Vec<String> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures");
    let mut samples = Vec::new();
    for folder in ["message", "event"] {
        for entry in fs::read_dir(fixtures.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "xml") {
                samples.push(fs::read_to_string(&path).unwrap());
            }
        }
    }
    samples.sort();
    samples
}

/// `WECHAT_READINGS` says how many documents to read, 2 000 by default. `WECHAT_SEED` draws others.
#[test]
fn both_readings_agree() {
    let number =
        |name, default| env::var(name).map_or(default, |value| value.parse().expect("a number"));
    let count = number("WECHAT_READINGS", 2_000);
    let mut numbers = Numbers(number("WECHAT_SEED", 0) ^ 0x9e37_79b9_7f4a_7c15);
    let samples = samples();
    let mut readings = Readings::default();
    for _ in 0..count {
        let document = if numbers.below(3) == 0 {
            numbers.document()
        } else {
            let sample = numbers.below(samples.len());
            numbers.changed(&samples[sample])
        };
        targets::check_all(&document, &mut readings);
    }
    let Readings { first, other } = readings;
    println!("{count} documents, {first} values by the plain reading, {other} not");
    assert!(first > 0, "nothing is plain");
}

/// No type of message pays for a plain reading that fails.
#[test]
fn every_sample_is_plain() {
    let samples = samples();
    assert!(samples.len() > 50, "{}", samples.len());
    for document in samples {
        if document.contains("<!--") {
            continue;
        }
        let first: xml::Result<Message> =
            from_str(&document, |_| Err(xml::Error::value_before_name()));
        assert_eq!(first.ok(), xml::from_str(&document).ok(), "{document}");
    }
}
