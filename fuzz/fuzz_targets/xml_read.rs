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
    xml::{self, ErrorKind, Value},
};

fuzz_target!(|input: &[u8]| {
    // In a message, a field that stands twice may be typed text: then it is refused, or read as one field.
    let is_message = String::from_utf8_lossy(input).contains("MsgType");
    let value = check::<Value>(input, is_message);
    check::<VoiceMessage>(input, false);
    check::<Message>(input, is_message);
    assert!(is_message || xml::from_slice::<IgnoredAny>(input).is_ok() == value.is_some());
});

/// Reads, writes and reads again. `may_repeat` says that the type keeps fields that stand twice in a message.
fn check<T>(input: &[u8], may_repeat: bool) -> Option<T>
where
    T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug,
{
    match xml::from_slice::<T>(input) {
        Ok(read) => {
            let written = xml::to_vec(&read).expect("what was read can be written");
            match xml::from_slice::<T>(&written) {
                Ok(again) => assert!(may_repeat || again == read, "{again:?} of {read:?}"),
                Err(error) => {
                    assert!(
                        may_repeat && error.kind() == ErrorKind::Ambiguous,
                        "{error}"
                    );
                }
            }
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
