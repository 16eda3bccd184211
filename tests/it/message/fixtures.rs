//! Every fixture reads as its type, in whatever order its fields stand.

use std::{fs, path::PathBuf};

use proptest::prelude::*;
use tower_wechat::{
    Message, Timestamp,
    message::EventMessage,
    xml::{self, Value},
};

use super::{is_typed, read, read_event};

/// The documents of `folder`, by the names of their files.
pub(super) fn fixtures(folder: &str) -> Vec<(String, String)> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/fixtures")
        .join(folder);
    let mut fixtures: Vec<_> = fs::read_dir(path)
        .expect("a folder of fixtures")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().expect("a name").to_string_lossy().into();
            (name, fs::read_to_string(path).expect("a fixture"))
        })
        .collect();
    fixtures.sort();
    fixtures
}

/// The documents of all events. The name of a file may say more than the event's, behind a point.
pub(super) fn events() -> Vec<(String, String)> {
    [fixtures("event"), fixtures("wecom")].concat()
}

pub(super) fn all() -> Vec<(String, String)> {
    [fixtures("message"), fixtures("wecom_message"), events()].concat()
}

#[test]
fn every_fixture_is_typed() {
    for (name, document) in all() {
        let message: Message = read(&document);
        assert!(is_typed(&message), "{name}: {message:?}");
        assert_eq!(message.to_user_name(), Some("gh_5d1c0e94a7b3"), "{name}");
        let sender = (name != "kf_msg_or_event").then_some("oUser9ZtRw2");
        assert_eq!(message.from_user_name(), sender, "{name}");
        assert_eq!(
            message.create_time(),
            Some(Timestamp::from_secs(1_717_500_123)),
            "{name}"
        );
    }
}

#[test]
fn every_element_of_a_fixture_is_read() {
    // So a type that forgets a field, or an element's name, does not pass by ignoring it.
    for (name, document) in all() {
        let written = xml::to_string(&read::<Message>(&document)).expect("writes");
        assert_eq!(leaves(&document), leaves(&written), "{name}");
    }
}

/// The paths and texts of all leaves, sorted.
pub(super) fn leaves(document: &str) -> Vec<(String, String)> {
    let mut leaves = Vec::new();
    collect(&read(document), "", &mut leaves);
    leaves.sort();
    leaves
}

/// The paths and texts below `value`, flags as words.
fn collect(value: &Value, path: &str, leaves: &mut Vec<(String, String)>) {
    for (name, child) in value.elements() {
        let path = format!("{path}.{name}");
        match child.as_str() {
            Some(text) => leaves.push((path, text.to_owned())),
            None => collect(child, &path, leaves),
        }
    }
    for (path, text) in leaves {
        let flag = FLAGS.iter().any(|flag| path.ends_with(flag));
        match text.as_str() {
            "0" if flag => "false".clone_into(text),
            "1" if flag => "true".clone_into(text),
            _ => {
                if let Ok(number) = text.parse::<f64>()
                    && text.contains('.')
                {
                    *text = number.to_string();
                }
            }
        }
    }
}

const FLAGS: &[&str] = &[
    "CanReprint",
    "NeedReplaceContent",
    "NeedShowReprintSource",
    "IsPass",
    "IsGiveByFriend",
    "IsRestoreMemberCard",
    "IsRecommendByFriend",
    "IsReturnBack",
    "IsChatRoom",
    "isrisky",
    "IsMock",
];

#[test]
fn event_names_match_whatever_their_case() {
    for (name, document) in events() {
        let event = read_event(&document);
        let written = event.event.name().to_owned();
        assert_eq!(Some(&*written.to_lowercase()), name.split('.').next());
        for other in [written.to_lowercase(), written.to_uppercase()] {
            let renamed = document.replace(&format!("[{written}]"), &format!("[{other}]"));
            assert_eq!(read_event(&renamed), event, "{other}");
        }
    }
}

#[test]
fn an_event_reads_as_an_event_message() {
    for (name, document) in events() {
        assert_eq!(
            read::<EventMessage>(&document),
            read_event(&document),
            "{name}"
        );
    }
}

#[test]
fn an_event_is_read_under_all_its_names() {
    for (name, other) in [
        ("PUBLISHJOBFINISH", "FREEPUBLISHJOBFINISH"),
        ("card_pay_order", "ORDER_STATUS_FINANCE_SUCC"),
    ] {
        let (_, document) = fixtures("event")
            .into_iter()
            .find(|(fixture, _)| *fixture == name.to_lowercase())
            .expect("its fixture");
        let renamed = document.replace(&format!("[{name}]"), &format!("[{other}]"));
        assert_ne!(renamed, document);
        assert_eq!(read_event(&renamed), read_event(&document));
        assert!(read_event(&renamed).other().is_none(), "{other}");
    }
}

/// The document with its fields in the order of `keys`, members of a list in theirs.
pub(super) fn shuffled(document: &Value, keys: &[u32]) -> String {
    let fields = document.elements();
    let mut order: Vec<usize> = (0..fields.len()).collect();
    order.sort_by_key(|position| {
        let turns = u32::try_from(position / keys.len()).unwrap();
        keys[position % keys.len()].rotate_left(turns)
    });
    let mut groups: Vec<(&str, std::vec::IntoIter<Value>)> = Vec::new();
    for (name, _) in fields {
        if groups.iter().all(|(known, _)| known != name) {
            let members = fields.iter().filter(|(other, _)| other == name);
            let members: Vec<_> = members.map(|(_, value)| value.clone()).collect();
            groups.push((name, members.into_iter()));
        }
    }
    let take = |position: usize| {
        let name = fields[position].0.as_str();
        let group = groups.iter_mut().find(|(known, _)| *known == name);
        let value = group
            .and_then(|(_, members)| members.next())
            .expect("a member");
        (name.to_owned(), value)
    };
    let elements = order.into_iter().map(take).collect();
    xml::to_string(&Value::Elements(elements)).expect("writes")
}

proptest! {
    // Each case is about every type.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_order_of_fields_does_not_matter(keys in prop::collection::vec(any::<u32>(), 16)) {
        for (name, document) in all() {
            let expected: Message = read(&document);
            let document: Value = read(&document);
            let shuffled = shuffled(&document, &keys);
            prop_assert_eq!(&read::<Message>(&shuffled), &expected, "{}: {}", name, shuffled);
            let value: Value = read(&shuffled);
            prop_assert_eq!(&value.read::<Message>().expect("reads"), &expected, "{}", name);
        }
    }
}
