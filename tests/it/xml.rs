//! The dialect, from outside: each row of its table, then the properties that hold for all documents.
#![allow(
    clippy::needless_pass_by_value,
    clippy::string_slice,
    reason = "a table's row is its last use, and a slice that panics is a test that fails"
)]

mod buffering;
mod differential;
mod document;
mod errors;
mod hostile;
mod oracle;
mod read;
mod round_trip;
mod typed_end;
mod typed_text;
mod types;
mod value;
mod write;

use std::fmt::Debug;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tower_wechat::xml::{self, ErrorKind, Value};

/// Checks that `input` reads as `expected`, from a string and from bytes.
#[track_caller]
fn check_ok<'de, T: Deserialize<'de> + PartialEq + Debug>(input: &'de str, expected: &T) {
    for read in [xml::from_str::<T>(input), xml::from_slice(input.as_bytes())] {
        match read {
            Ok(value) => assert_eq!(&value, expected, "from {input:?}"),
            Err(error) => panic!("{error} ({:?}) from {input:?}", error.kind()),
        }
    }
}

/// Checks the value that the element `<a>` with the content `content` has.
#[track_caller]
fn check_content(content: &str, expected: Value) {
    let input = format!("<xml><a>{content}</a></xml>");
    check_ok(&input, &elements([("a", expected)]));
}

/// Checks that `input` is refused, where the mark [`HERE`] stands in it, inside the elements `path`.
///
/// Without a mark the error still has an offset inside the input, at a place that the design leaves open.
#[track_caller]
fn check_err<T: DeserializeOwned + Debug>(input: &str, kind: ErrorKind, path: &str) {
    let here = input.find(HERE);
    let input = input.replace(HERE, "");
    for read in [
        xml::from_str::<T>(&input),
        xml::from_slice(input.as_bytes()),
    ] {
        match read {
            Ok(value) => panic!("{value:?} from {input:?}"),
            Err(error) => {
                assert_eq!(
                    (error.kind(), error.path()),
                    (kind, path),
                    "{error}: {input:?}"
                );
                let offset = error.offset().expect("a reading error has an offset");
                assert!(input.is_char_boundary(offset), "{error}: {input:?}");
                assert_eq!(offset, here.unwrap_or(offset), "{error}: {input:?}");
            }
        }
    }
}

/// Checks that `value` is written as `expected`, by every function that writes.
#[track_caller]
fn check_write<T: Serialize + ?Sized>(value: &T, expected: &str) {
    assert_eq!(xml::to_string(value).expect("writes"), expected);
    assert_eq!(xml::to_vec(value).expect("writes"), expected.as_bytes());
    let mut written = Vec::new();
    xml::to_writer(&mut written, value).expect("writes");
    assert_eq!(written, expected.as_bytes());
}

/// Checks that `value` cannot be written, and which element is to blame.
#[track_caller]
fn check_write_err<T: Serialize + ?Sized>(value: &T, kind: ErrorKind, path: &str) {
    let error = xml::to_string(value).expect_err("is not written");
    assert_eq!(
        (error.kind(), error.path(), error.offset()),
        (kind, path, None),
        "{error}"
    );
}

/// Marks in a test's input where the error is.
const HERE: char = '‸';

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn elements<const N: usize>(elements: [(&str, Value); N]) -> Value {
    Value::Elements(
        elements
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
    )
}
