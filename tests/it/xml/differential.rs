//! quick-xml is the oracle: what both read, both read alike.

use proptest::prelude::*;
use quick_xml::{Reader, escape::resolve_xml_entity, events::Event};
use serde::{Deserialize, Serialize};
use tower_wechat::xml::{self, Value};

use super::document::{characters, document};

/// An open element, with the dialect's rule for white space on top of quick-xml's events.
#[derive(Default)]
struct Open {
    name: String,
    elements: Vec<(String, Value)>,
    text: String,
    /// How much of `text` is sure to stay, whatever follows; `None` before the first solid character.
    solid: Option<usize>,
}

impl Open {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    fn bare(&mut self, run: &str) {
        let run = if self.solid.is_none() {
            run.trim_start_matches(WHITE)
        } else {
            run
        };
        self.text.push_str(run);
        let trimmed = run.trim_end_matches(WHITE);
        if !trimmed.is_empty() {
            self.solid = Some(self.text.len() - (run.len() - trimmed.len()));
        }
    }

    fn solid(&mut self, run: &str) {
        self.text.push_str(run);
        self.solid = Some(self.text.len());
    }

    fn close(mut self) -> (String, Value) {
        let value = match self.solid {
            None if self.elements.is_empty() => Value::Empty,
            None => Value::Elements(self.elements),
            Some(solid) => {
                assert!(
                    self.elements.is_empty(),
                    "text beside elements is no document of the dialect"
                );
                self.text.truncate(solid);
                Value::Text(self.text)
            }
        };
        (self.name, value)
    }
}

const WHITE: [char; 4] = [' ', '\t', '\r', '\n'];

fn oracle(document: &str) -> Value {
    let mut reader = Reader::from_str(document);
    let mut open = vec![Open::default()];
    loop {
        let event = reader.read_event().expect("well-formed");
        let top = open.last_mut().expect("the document is never closed");
        match event {
            Event::Start(tag) => open.push(Open::new(tag.name().as_ref())),
            Event::Empty(tag) => top.elements.push(Open::new(tag.name().as_ref()).close()),
            Event::End(_) => {
                let closed = open.pop().map(Open::close).expect("an open element");
                open.last_mut().expect("its parent").elements.push(closed);
            }
            Event::Text(run) => top.bare(&run),
            Event::CData(section) => top.solid(&section),
            Event::GeneralRef(reference) => {
                match reference.resolve_char_ref().expect("a reference") {
                    Some(character) => top.solid(character.encode_utf8(&mut [0; 4])),
                    None => top.solid(resolve_xml_entity(&reference).expect("an XML entity")),
                }
            }
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::DocType(_) => panic!("the dialect has none"),
            Event::Eof => break,
        }
    }
    let (_, root) = open
        .pop()
        .expect("the document")
        .elements
        .pop()
        .expect("a root");
    root
}

/// What both crates' serde formats can hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename = "xml", rename_all = "PascalCase")]
struct Typed {
    content: String,
    create_time: u64,
    latitude: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    send: Send,
    #[serde(default)]
    item: Vec<String>,
    #[serde(default)]
    list: Vec<Send>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Send {
    count: u8,
    name: String,
}

/// `text` without what quick-xml changes or the dialect trims: other line ends, outer white space, nothing.
fn plain(text: &str) -> String {
    let text = text.replace(['\r', '\n', '\u{85}', '\u{2028}'], " ");
    format!("[{}]", text.replace("]]>", "]"))
}

prop_compose! {
    fn typed()(
        texts in proptest::collection::vec(characters(), 2..8),
        numbers in any::<(u64, i32, u8)>(),
        label in proptest::option::of(characters()),
    ) -> Typed {
        let texts: Vec<_> = texts.iter().map(|text| plain(text)).collect();
        let send = |name: &String| Send { count: numbers.2, name: name.clone() };
        Typed {
            content: texts[0].clone(),
            create_time: numbers.0,
            latitude: numbers.1,
            label: label.as_deref().map(plain),
            send: send(&texts[1]),
            list: texts.iter().skip(4).map(send).collect(),
            item: texts.into_iter().skip(2).collect(),
        }
    }
}

proptest! {
    #[test]
    fn every_well_formed_document_has_the_same_value(document in document()) {
        let value: Value = xml::from_str(&document).expect("reads");
        prop_assert_eq!(value, oracle(&document));
    }

    #[test]
    fn quick_xml_reads_what_we_write(typed in typed()) {
        let written = xml::to_string(&typed).expect("writes");
        prop_assert_eq!(quick_xml::de::from_str::<Typed>(&written).expect("reads"), typed);
    }

    #[test]
    fn we_read_what_quick_xml_writes(typed in typed()) {
        let written = quick_xml::se::to_string(&typed).expect("writes");
        prop_assert_eq!(xml::from_str::<Typed>(&written).expect("reads"), typed);
    }
}
