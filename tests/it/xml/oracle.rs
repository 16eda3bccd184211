//! quick-xml's reading of a document: its events, put together by the dialect's rule for white space.
//!
//! The fuzz target `xml_differential` uses it too.

use quick_xml::{Reader, escape::resolve_xml_entity, events::Event};
use tower_wechat::xml::Value;

/// The value of a document that is well-formed and of the dialect; `None` if it is not.
pub(super) fn value(document: &str) -> Option<Value> {
    let mut reader = Reader::from_str(document);
    let mut open = vec![Open::default()];
    loop {
        let event = reader.read_event().ok()?;
        let top = open.last_mut()?;
        match event {
            Event::Start(tag) => open.push(Open::new(tag.name().as_ref())),
            Event::Empty(tag) => top.elements.push(Open::new(tag.name().as_ref()).close()?),
            Event::End(_) => {
                let closed = open.pop()?.close()?;
                open.last_mut()?.elements.push(closed);
            }
            // quick-xml lets it pass; XML forbids it in character data.
            Event::Text(run) if run.contains("]]>") => return None,
            Event::Text(run) => top.bare(&run),
            Event::CData(section) => top.solid(&section),
            Event::GeneralRef(reference) => match reference.resolve_char_ref().ok()? {
                Some(character) => top.solid(character.encode_utf8(&mut [0; 4])),
                None => top.solid(resolve_xml_entity(&reference)?),
            },
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::DocType(_) => return None,
            Event::Eof => break,
        }
    }
    let document = open.pop().filter(|_| open.is_empty())?;
    match document.close()?.1 {
        Value::Elements(mut roots) if roots.len() == 1 => roots.pop().map(|(_, root)| root),
        _ => None,
    }
}

/// An open element.
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

    /// Its name and value, if it does not mix text and elements.
    fn close(mut self) -> Option<(String, Value)> {
        let value = match (self.solid, self.elements.is_empty()) {
            (None, true) => Value::Empty,
            (None, false) => Value::Elements(self.elements),
            (Some(_), false) => return None,
            (Some(solid), true) => {
                self.text.truncate(solid);
                Value::Text(self.text)
            }
        };
        Some((self.name, value))
    }
}

const WHITE: [char; 4] = [' ', '\t', '\r', '\n'];
