use std::borrow::Cow;

/// A part of a reply as it will be written.
pub(super) fn written(text: impl Into<String>) -> String {
    writable(Cow::Owned(text.into())).into_owned()
}

/// `text` without the characters that XML cannot write, not even as an entity.
pub(super) fn writable(mut text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains(is_forbidden) {
        text.to_mut().retain(|character| !is_forbidden(character));
    }
    text
}

/// The complement of XML 1.0's `Char`; a `char` is never a surrogate.
fn is_forbidden(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}'
    )
}
