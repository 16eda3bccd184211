//! What a name is made of.

/// Whether XML can write `name` as an element's name.
pub(in crate::xml) fn is_name(name: &str) -> bool {
    let first = name.as_bytes().first();
    first.is_some_and(|&first| is_name_start(first)) && name.bytes().all(is_name_byte)
}

/// ASCII as XML has it; beyond ASCII everything, since WeChat's names are all ASCII anyway.
#[inline]
pub(super) fn is_name_byte(byte: u8) -> bool {
    NAME_BYTES
        .get(usize::from(byte))
        .is_some_and(|role| *role != Role::None)
}

#[inline]
pub(super) fn is_name_start(byte: u8) -> bool {
    NAME_BYTES
        .get(usize::from(byte))
        .is_some_and(|role| *role == Role::Start)
}

/// What a byte may be in a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    None,
    Later,
    Start,
}

/// A table, since every name is checked byte by byte.
const NAME_BYTES: [Role; 256] = {
    let mut table = [Role::None; 256];
    let mut byte: u8 = 0;
    let mut rest: &mut [Role] = &mut table;
    while let [role, more @ ..] = rest {
        *role = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b':' | 0x80.. => Role::Start,
            b'0'..=b'9' | b'-' | b'.' => Role::Later,
            _ => Role::None,
        };
        byte = byte.wrapping_add(1);
        rest = more;
    }
    table
};
