//! quick-xml is the oracle: what both read, both read alike.

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use tower_wechat::xml::{self, Value};

use super::{
    document::{characters, document},
    oracle::value,
};

/// What both crates' serde formats can hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename = "xml", rename_all = "PascalCase")]
struct Typed {
    content: String,
    create_time: u64,
    latitude: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    send: Send,
    #[serde(default)]
    item: Vec<String>,
    #[serde(default)]
    list: Vec<Send>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Send {
    count: u8,
    name: String,
}

/// `text` without what quick-xml changes or the dialect trims: other line ends, outer white space, nothing.
fn plain(text: &str) -> String {
    let text = text.replace(['\r', '\n', '\u{85}', '\u{2028}'], " ");
    format!("[{}]", text.replace("]]>", "]"))
}

prop_compose! {
    fn typed()(
        texts in proptest::collection::vec(characters(), 2..8),
        numbers in any::<(u64, i32, u8)>(),
        label in proptest::option::of(characters()),
    ) -> Typed {
        let texts: Vec<_> = texts.iter().map(|text| plain(text)).collect();
        let send = |name: &String| Send { count: numbers.2, name: name.clone() };
        Typed {
            content: texts[0].clone(),
            create_time: numbers.0,
            latitude: numbers.1,
            label: label.as_deref().map(plain),
            send: send(&texts[1]),
            list: texts.iter().skip(4).map(send).collect(),
            item: texts.into_iter().skip(2).collect(),
        }
    }
}

proptest! {
    #[test]
    fn every_well_formed_document_has_the_same_value(document in document()) {
        let expected = value(&document);
        prop_assert!(expected.is_some(), "not of the dialect");
        prop_assert_eq!(xml::from_str::<Value>(&document).ok(), expected);
    }

    #[test]
    fn quick_xml_reads_what_we_write(typed in typed()) {
        let written = xml::to_string(&typed).expect("writes");
        prop_assert_eq!(quick_xml::de::from_str::<Typed>(&written).expect("reads"), typed);
    }

    #[test]
    fn we_read_what_quick_xml_writes(typed in typed()) {
        let written = quick_xml::se::to_string(&typed).expect("writes");
        prop_assert_eq!(xml::from_str::<Typed>(&written).expect("reads"), typed);
    }
}
