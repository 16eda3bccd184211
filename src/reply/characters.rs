//! Which characters XML forbids. A reply is written without them.

use std::borrow::Cow;

/// Returns the text as it will be written.
pub(super) fn written(text: impl Into<String>) -> String {
    writable(Cow::Owned(text.into())).into_owned()
}

/// Removes the characters that XML cannot write, not even as an entity.
pub(super) fn writable(mut text: Cow<'_, str>) -> Cow<'_, str> {
    // Few texts have a byte with which such a character can begin, and bytes are compared many at a time.
    let is_suspect = |byte| byte < b' ' || byte == 0xef;
    let has_suspect = (text.bytes()).fold(false, |has, byte| has | is_suspect(byte));
    if has_suspect && text.contains(is_forbidden) {
        text.to_mut().retain(|character| !is_forbidden(character));
    }
    text
}

/// Returns whether XML 1.0 cannot write `character`: the complement of its `Char`. A `char` is never a surrogate.
pub(crate) fn is_forbidden(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::{char, collection::vec, prelude::*};

    use super::{is_forbidden, writable};

    /// A character that is often one at the edge of what is forbidden.
    fn character() -> impl Strategy<Value = char> {
        prop_oneof![
            char::range('\0', '!'),
            char::range('\u{7e}', '\u{a1}'),
            char::range('\u{d7fe}', '\u{d7ff}'),
            char::range('\u{e000}', '\u{e001}'),
            char::range('\u{effe}', '\u{f001}'),
            char::range('\u{fefe}', '\u{ff01}'),
            char::range('\u{fffc}', '\u{10002}'),
            char::range('\u{1fffc}', '\u{20001}'),
            char::range('\u{10fffc}', char::MAX),
            any::<char>(),
        ]
    }

    proptest! {
        /// The fast look at the bytes finds each of them.
        #[test]
        fn what_is_left_is_what_xml_allows(text in vec(character(), 0..40).prop_map(String::from_iter)) {
            // The `Char` of XML 1.0, section 2.2.
            let is_char = |character: &char| matches!(
                u32::from(*character),
                0x9 | 0xa | 0xd | 0x20..=0xd7ff | 0xe000..=0xfffd | 0x10000..=0x0010_ffff
            );
            let expected: String = text.chars().filter(is_char).collect();
            prop_assert_eq!(writable((&*text).into()), expected);
            prop_assert!(text.chars().all(|it| is_char(&it) != is_forbidden(it)));
        }
    }
}
