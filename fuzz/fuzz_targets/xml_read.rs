//! No input panics, and what is read is the same after it has been written and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use tower_wechat::{
    Message,
    message::VoiceMessage,
    xml::{self, Value},
};

fuzz_target!(|input: &[u8]| {
    let value = check::<Value>(input);
    check::<VoiceMessage>(input);
    check::<Message>(input);
    assert_eq!(
        xml::from_slice::<IgnoredAny>(input).is_ok(),
        value.is_some()
    );
});

fn check<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(input: &[u8]) -> Option<T> {
    match xml::from_slice::<T>(input) {
        Ok(read) => {
            let written = xml::to_vec(&read).expect("what was read can be written");
            let again: T = xml::from_slice(&written).expect("what was written can be read");
            assert_eq!(again, read);
            Some(read)
        }
        Err(error) => {
            assert!(
                error.offset().is_none_or(|offset| offset <= input.len()),
                "{error}"
            );
            None
        }
    }
}
