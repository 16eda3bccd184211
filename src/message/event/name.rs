//! Which event a name means, whatever its case.

use std::{cmp::Ordering, sync::LazyLock};

use super::Known;

pub(super) fn find(name: &str) -> Option<Known> {
    let position = SORTED.binary_search_by(|(known, _)| compare(known, name));
    let (_, known) = SORTED.get(position.ok()?)?;
    Some(*known)
}

static SORTED: LazyLock<Vec<(&str, Known)>> = LazyLock::new(|| {
    let mut names = Known::NAMES.to_vec();
    names.sort_unstable_by(|(one, _), (other, _)| compare(one, other));
    names
});

/// Compares what the names are in lower case.
fn compare(one: &str, other: &str) -> Ordering {
    let one = one.bytes().map(|byte| byte.to_ascii_lowercase());
    one.cmp(other.bytes().map(|byte| byte.to_ascii_lowercase()))
}
