//! What the plain reading of a document finds is what the reading of any document finds.

#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use tower_wechat::{
    Message,
    message::{EventMessage, VoiceMessage},
    xml,
};

#[path = "../../src/xml/plain/targets.rs"]
mod targets;

fuzz_target!(|document: &str| targets::check_all(document, &mut Agreement));

struct Agreement;

impl targets::Check for Agreement {
    fn check<'de, T: Deserialize<'de> + PartialEq + Debug>(&mut self, document: &'de str) {
        let value: xml::Result<T> = xml::from_str(document);
        let other: xml::Result<T> = xml::any_from_str_for_fuzzing(document);
        match (&value, &other) {
            (Ok(value), Ok(other))
                if value == other || format!("{value:?}") == format!("{other:?}") => {}
            (Err(error), Err(other)) if error.to_string() == other.to_string() => {}
            _ => panic!("{}: {value:?}, but {other:?}", std::any::type_name::<T>()),
        }
    }
}
