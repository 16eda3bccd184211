//! What is written reads back equal, and the order of fields does not matter.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};
use serde::{Deserialize, Serialize};
use tower_wechat::xml::{self, Value};

use super::document::characters;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    text: String,
    character: char,
    flag: bool,
    small: i8,
    id: u64,
    huge: i128,
    ratio: f64,
    nothing: (),
    maybe_text: Option<String>,
    maybe_number: Option<u32>,
    maybe_nested: Option<Nested>,
    nested: Nested,
    choice: Choice,
    pair: (u8, String),
    #[serde(default)]
    texts: Vec<String>,
    #[serde(default)]
    gaps: Vec<Option<String>>,
    #[serde(default)]
    nesteds: Vec<Nested>,
    #[serde(default)]
    grid: Vec<Vec<i16>>,
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default, with = "xml::items")]
    items: Vec<Nested>,
    map: BTreeMap<String, Choice>,
    value: Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Nested {
    count: u32,
    text: Option<String>,
    #[serde(default)]
    list: Vec<Nested>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Choice {
    Nothing,
    Text(String),
    Pair(u8, String),
    Fields { nested: Nested },
}

fn nested() -> impl Strategy<Value = Nested> {
    let leaf =
        (any::<u32>(), proptest::option::of(characters())).prop_map(|(count, text)| Nested {
            count,
            text,
            list: vec![],
        });
    leaf.prop_recursive(3, 12, 3, |inner| {
        (any::<u32>(), vec(inner, 0..3)).prop_map(|(count, list)| Nested {
            count,
            text: None,
            list,
        })
    })
}

fn choice() -> impl Strategy<Value = Choice> {
    prop_oneof![
        Just(Choice::Nothing),
        characters().prop_map(Choice::Text),
        (any::<u8>(), characters()).prop_map(|(number, text)| Choice::Pair(number, text)),
        nested().prop_map(|nested| Choice::Fields { nested }),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(Value::Empty), characters().prop_map(Value::Text)];
    leaf.prop_recursive(6, 32, 5, |inner| {
        vec((name(), inner), 1..5).prop_map(Value::Elements)
    })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[abc]",
        "[A-Za-z_][A-Za-z0-9_.-]{0,12}",
        Just("字段".to_owned())
    ]
}

prop_compose! {
    fn everything()(
        (text, character, flag, small, id) in (characters(), any::<char>(), any::<bool>(), any::<i8>(), any::<u64>()),
        (huge, ratio) in (any::<i128>(), any::<f64>().prop_filter("equal to itself", |ratio| ratio.is_finite())),
        (maybe_text, maybe_number) in (proptest::option::of(characters()), any::<Option<u32>>()),
        (maybe_nested, nested) in (proptest::option::of(nested()), nested()),
        (choice, pair, value) in (choice(), (any::<u8>(), characters()), value()),
        (texts, gaps) in (vec(characters(), 0..3), vec(proptest::option::of(characters()), 0..3)),
        (nesteds, items) in (vec(nested(), 0..3), vec(nested(), 0..3)),
        (grid, choices) in (vec(vec(any::<i16>(), 0..3), 0..3), vec(choice(), 0..3)),
        map in proptest::collection::btree_map(name(), choice(), 0..3),
    ) -> Everything {
        Everything {
            text, character, flag, small, id, huge, ratio, nothing: (), maybe_text, maybe_number,
            maybe_nested, nested, choice, pair, texts, gaps, nesteds, grid, choices, items, map, value,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Lists {
    #[serde(default)]
    a: Vec<String>,
    #[serde(default)]
    b: Vec<Nested>,
    #[serde(default)]
    c: Vec<Value>,
}

/// The value with elements of the same name side by side, where the first of them stands.
fn grouped(value: Value) -> Value {
    let Value::Elements(elements) = value else {
        return value;
    };
    let mut groups: Vec<(String, Vec<Value>)> = Vec::new();
    for (name, value) in elements {
        let value = grouped(value);
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, members)) => members.push(value),
            None => groups.push((name, vec![value])),
        }
    }
    let elements = groups.into_iter().flat_map(|(name, members)| {
        members
            .into_iter()
            .map(move |member| (name.clone(), member))
    });
    Value::Elements(elements.collect())
}

proptest! {
    #[test]
    fn a_value_reads_back(value in value()) {
        let written = xml::to_string(&value).expect("writes");
        prop_assert_eq!(xml::from_str::<Value>(&written).expect("reads"), value);
    }

    #[test]
    fn a_value_reads_back_from_json(value in value()) {
        let written = serde_json::to_string(&value).expect("writes");
        prop_assert_eq!(serde_json::from_str::<Value>(&written).expect("reads"), grouped(value));
    }

    #[test]
    fn a_struct_reads_back(everything in everything()) {
        let written = xml::to_string(&everything).expect("writes");
        prop_assert_eq!(xml::from_str::<Everything>(&written).expect("reads"), everything);
    }

    /// Through `Value`, a document loses nothing that a type could need later.
    #[test]
    fn a_struct_reads_back_through_a_value(everything in everything()) {
        let written = xml::to_string(&everything).expect("writes");
        let value: Value = xml::from_str(&written).expect("reads");
        prop_assert_eq!(value.read::<Everything>().expect("fits"), everything.clone());
        let rewritten = xml::to_string(&value).expect("writes");
        prop_assert_eq!(xml::from_str::<Everything>(&rewritten).expect("reads"), everything);
    }

    /// Also scatters each list: the fields of a written struct are shuffled one element at a time.
    #[test]
    fn the_order_of_different_fields_does_not_matter(everything in everything(), keys in vec(any::<u32>(), 64)) {
        let written = xml::to_string(&everything).expect("writes");
        let Value::Elements(mut fields) = xml::from_str::<Value>(&written).expect("reads") else {
            panic!("a struct has elements");
        };
        // Each name keeps its members' order: they are dealt out anew to the places the shuffle gives the name.
        let mut places: Vec<_> = fields.iter().map(|(name, _)| name.clone()).enumerate().collect();
        places.sort_by_key(|(index, _)| keys[index % keys.len()]);
        let shuffled = places
            .into_iter()
            .map(|(_, name)| {
                let first = fields.iter().position(|(other, _)| *other == name).expect("a field of that name");
                fields.remove(first)
            })
            .collect();
        let shuffled = xml::to_string(&Value::Elements(shuffled)).expect("writes");
        prop_assert_eq!(xml::from_str::<Everything>(&shuffled).expect("reads"), everything);
    }

    #[test]
    fn scattered_siblings_are_the_same_list_as_adjacent_ones(
        texts in vec(characters(), 0..8),
        nesteds in vec(nested(), 0..8),
        values in vec(value(), 0..8),
        turns in vec(0..3_usize, 24),
    ) {
        let expected = Lists { a: texts.clone(), b: nesteds.clone(), c: values.clone() };
        let fields = |name: &str, written: Vec<String>| -> Vec<String> {
            written
                .into_iter()
                .map(|field| field.replacen("<xml>", &format!("<{name}>"), 1))
                .map(|field| format!("{}</{name}>", field.strip_suffix("</xml>").expect("a root")))
                .collect()
        };
        let write = |value: &dyn Fn() -> xml::Result<String>| value().expect("writes");
        let queues = [
            fields("a", texts.iter().map(|text| write(&|| xml::to_string(text))).collect()),
            fields("b", nesteds.iter().map(|nested| write(&|| xml::to_string(nested))).collect()),
            fields("c", values.iter().map(|value| write(&|| xml::to_string(value))).collect()),
        ];
        let adjacent = format!("<xml>{}</xml>", queues.concat().concat());
        let mut queues = queues.map(Vec::into_iter);
        let mut scattered: String = turns.into_iter().filter_map(|turn| queues[turn].next()).collect();
        scattered.extend(queues.into_iter().flatten());
        let scattered = format!("<xml>{scattered}</xml>");
        prop_assert_eq!(&xml::from_str::<Lists>(&adjacent).expect("reads"), &expected);
        prop_assert_eq!(&xml::from_str::<Lists>(&scattered).expect("reads"), &expected);
    }
}
