//! No leaf of a push is so wrong that the push does not arrive.

use tower_wechat::{Message, xml::Value};

use super::{fixtures::all, read};

/// What takes the place of a leaf; `None` leaves it out.
const REPLACEMENTS: [Option<&str>; 9] = [
    None,
    EMPTY[0],
    EMPTY[1],
    EMPTY[2],
    Some("<NAME>-1</NAME>"),
    Some("<NAME>1.0</NAME>"),
    Some("<NAME>True</NAME>"),
    Some("<NAME><![CDATA[word]]></NAME>"),
    ELEMENTS,
];

const EMPTY: [Option<&str>; 3] = [
    Some("<NAME/>"),
    Some("<NAME><![CDATA[]]></NAME>"),
    Some("<NAME> </NAME>"),
];

/// Where an empty leaf is no value of the type.
const REQUIRED: [&str; 3] = ["CreateTime", "MsgType", "Event"];

const ELEMENTS: Option<&str> = Some("<NAME><a>1</a></NAME>");

/// The documents that differ from `value` in one leaf, which is the first of each.
fn swept(value: &Value, replacement: Option<&str>) -> Vec<(String, String)> {
    let mut swept = Vec::new();
    for leaf in 0..leaves(value) {
        let (mut path, mut content) = (String::new(), String::new());
        write(value, replacement, &mut { leaf }, &mut path, &mut content);
        swept.push((path, format!("<xml>{content}</xml>")));
    }
    swept
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Elements(elements) => elements.iter().map(|(_, child)| leaves(child)).sum(),
        _ => 1,
    }
}

/// Writes the children of `value`. Replaces the leaf that is `left` leaves away, and writes its path.
fn write(
    value: &Value,
    replacement: Option<&str>,
    left: &mut usize,
    path: &mut String,
    content: &mut String,
) {
    for (name, child) in value.elements() {
        if let Value::Elements(_) = child {
            let found = path.is_empty();
            *content += &format!("<{name}>");
            write(child, replacement, left, path, content);
            *content += &format!("</{name}>");
            if found && !path.is_empty() {
                *path = format!("{name}.{path}");
            }
            continue;
        }
        let is_it = path.is_empty() && *left == 0;
        *left = left.wrapping_sub(1);
        if is_it {
            name.clone_into(path);
            *content += &replacement.unwrap_or_default().replace("NAME", name);
        } else {
            let text = child.as_str().unwrap_or_default();
            *content += &format!("<{name}><![CDATA[{text}]]></{name}>");
        }
    }
}

#[test]
fn every_push_arrives_whatever_one_leaf_is() {
    let (mut pushes, mut others) = (0, 0);
    for (fixture, document) in all() {
        for replacement in REPLACEMENTS {
            for (path, document) in swept(&read(&document), replacement) {
                let case = format!("{fixture}: {path} as {replacement:?}");
                let message: Message = read(&document);
                pushes += 1;
                let value: Value = read(&document);
                assert_eq!(
                    value.deserialize::<Message>().expect("reads"),
                    message,
                    "{case}"
                );
                let Some(other) = message.other() else {
                    continue;
                };
                others += 1;
                assert_eq!(other.fields(), &value, "{case}");
                // Without the field that names its type, it is of an unknown one.
                let is_unknown = ["MsgType", "Event"].contains(&&*path) && replacement != ELEMENTS;
                assert_eq!(
                    other.reason().is_none(),
                    is_unknown,
                    "{case}: {:?}",
                    other.reason()
                );
                // WeChat leaves leaves empty. Only some of the fields that all pushes have cannot be.
                let is_empty = EMPTY.contains(&replacement);
                assert!(
                    !is_empty || REQUIRED.contains(&&*path),
                    "{case}: {:?}",
                    other.reason()
                );
            }
        }
    }
    println!("{pushes} pushes, {others} of them as `Other`");
    assert!(pushes > 4_000, "{pushes}");
}
