//! Where quick-xml reads a document of the dialect too, both give the same value.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_wechat::xml::{self, Value};

#[path = "../../tests/it/xml/oracle.rs"]
mod oracle;

fuzz_target!(|document: &str| {
    // What users typed into a message is read as typed, whatever XML says.
    if document.contains("MsgType") {
        return;
    }
    if let (Ok(ours), Some(theirs)) = (xml::from_str::<Value>(document), oracle::value(document)) {
        assert_eq!(ours, theirs);
    }
});
