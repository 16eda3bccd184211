//! No leaf of a push is so wrong that the push does not arrive.

use tower_wechat::{
    Message,
    xml::{self, Value},
};

use super::{fixtures::all, read};

/// What takes the place of a leaf; `None` leaves it out.
pub(super) const REPLACEMENTS: [Option<&str>; 9] = [
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

pub(super) const EMPTY: [Option<&str>; 3] = [
    Some("<NAME/>"),
    Some("<NAME><![CDATA[]]></NAME>"),
    Some("<NAME> </NAME>"),
];

/// Where an empty leaf is no value of the type.
const REQUIRED: [&str; 4] = ["CreateTime", "MsgType", "Event", "ChangeType"];

const ELEMENTS: Option<&str> = Some("<NAME><a>1</a></NAME>");

const MARK: &str = "the leaf";

/// The document with each of its leaves replaced in turn, and the path of that leaf.
pub(super) fn swept(document: &Value, replacement: Option<&str>) -> Vec<(String, String)> {
    let replaced = |at| {
        let mut document = document.clone();
        let (path, leaf) = leaf(&mut document, &mut { at })?;
        *leaf = Value::Text(MARK.to_owned());
        let name = path.rsplit('.').next().unwrap_or_default();
        let marked = format!("<{name}><![CDATA[{MARK}]]></{name}>");
        let replacement = replacement.unwrap_or_default().replace("NAME", name);
        let document = xml::to_string(&document).expect("writes");
        Some((path, document.replace(&marked, &replacement)))
    };
    (0..).map_while(replaced).collect()
}

/// Finds the leaf that stands behind `before` others.
fn leaf<'a>(value: &'a mut Value, before: &mut usize) -> Option<(String, &'a mut Value)> {
    let Value::Elements(elements) = value else {
        return None;
    };
    for (name, child) in elements {
        if let Value::Elements(_) = child {
            if let Some((path, leaf)) = leaf(child, before) {
                return Some((format!("{name}.{path}"), leaf));
            }
        } else if *before == 0 {
            return Some((name.clone(), child));
        } else {
            *before -= 1;
        }
    }
    None
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
                assert_eq!(value.read::<Message>().expect("reads"), message, "{case}");
                let Some(other) = message.other() else {
                    continue;
                };
                others += 1;
                assert_eq!(other.fields(), &value, "{case}");
                // Without the field that names its type, it is of an unknown one.
                let is_unknown = ["MsgType", "Event"].contains(&&*path) && replacement != ELEMENTS;
                assert_eq!(
                    other.misfit().is_none(),
                    is_unknown,
                    "{case}: {:?}",
                    other.misfit()
                );
                // WeChat leaves leaves empty. Only some of the fields that all pushes have cannot be.
                let is_empty = EMPTY.contains(&replacement);
                assert!(
                    !is_empty || REQUIRED.contains(&&*path),
                    "{case}: {:?}",
                    other.misfit()
                );
            }
        }
    }
    println!("{pushes} pushes, {others} of them as `Other`");
    assert!(pushes > 4_000, "{pushes}");
}
