//! Tests: the table of events has each name once, and rare events make `Event` no larger.

use std::collections::HashSet;

use super::*;

#[test]
fn every_name_is_found_once() {
    let lower: HashSet<_> = Known::NAMES
        .iter()
        .map(|(name, _)| name.to_lowercase())
        .collect();
    assert_eq!(lower.len(), Known::NAMES.len(), "a name for two events");
    for (name, known) in Known::NAMES {
        for name in [name.to_lowercase(), name.to_uppercase()] {
            let found = read::find(&name).map(|found| format!("{found:?}"));
            assert_eq!(found, Some(format!("{known:?}")));
        }
    }
    for name in ["", "scan2", "sca", "subscribe ", "语音"] {
        assert!(read::find(name).is_none(), "{name}");
    }
}

/// A message is moved several times on its way to the handler, so a type of many fields is boxed.
#[test]
fn the_rare_types_make_no_event_larger() {
    assert!(size_of::<Event>() <= 192, "{}", size_of::<Event>());
}
