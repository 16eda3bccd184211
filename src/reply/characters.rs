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
