//! A user who attacks: whatever they type, it arrives as typed, or the message is refused.
//!
//! The texts are made of what could pass for markup. WeChat puts them into sections as they are. Every kind
//! of target reads the document, and is compared with what WeChat meant.

use std::{
    collections::{BTreeMap, HashMap},
    env,
};

use serde::{Deserialize, Serialize};
use tower_wechat::{
    Message,
    message::Head,
    xml::{self, ErrorKind, Value},
};

/// The content of a field.
#[derive(Clone, Copy)]
enum Content {
    Bare(&'static str),
    Section(&'static str),
    /// What the user typed.
    Typed,
}

use Content::{Bare, Section, Typed};

/// The form that WeChat gives a kind of message.
struct Form {
    name: &'static str,
    fields: Vec<(&'static str, Content)>,
    /// An element around the last fields, and how many fields stand before it.
    container: Option<(&'static str, usize)>,
}

impl Form {
    fn new(msg_type: &'static str, own: &[(&'static str, Content)]) -> Self {
        let head = [
            ("ToUserName", Section("gh_a")),
            ("FromUserName", Section("oB")),
            ("CreateTime", Bare("1717500123")),
            ("MsgType", Section(msg_type)),
        ];
        Self {
            name: msg_type,
            fields: [&head[..], own].concat(),
            container: None,
        }
    }

    fn event(
        event: &'static str,
        container: &'static str,
        own: &[(&'static str, Content)],
    ) -> Self {
        let common = [("Event", Section(event)), ("EventKey", Section("6"))];
        Self {
            name: event,
            container: Some((container, 6)),
            ..Self::new("event", &[&common[..], own].concat())
        }
    }

    fn all() -> Vec<Self> {
        let id = ("MsgId", Bare("7"));
        vec![
            Self::new("text", &[("Content", Typed), id]),
            Self::new(
                "text",
                &[
                    ("Content", Typed),
                    id,
                    ("MsgDataId", Bare("8")),
                    ("Idx", Bare("1")),
                ],
            ),
            // As in compatible mode.
            Self::new("text", &[("Content", Typed), id, ("Encrypt", Section("q"))]),
            Self::new(
                "location",
                &[
                    ("Location_X", Bare("1.5")),
                    ("Location_Y", Bare("2.5")),
                    ("Scale", Bare("3")),
                    ("Label", Typed),
                    id,
                ],
            ),
            Self::new(
                "voice",
                &[
                    ("MediaId", Section("m")),
                    ("Format", Section("amr")),
                    ("Recognition", Typed),
                    id,
                ],
            ),
            Self::new(
                "link",
                &[("Title", Typed), ("Description", Typed), ("Url", Typed), id],
            ),
            Self::new("link", &[("Title", Typed), ("Url", Typed), id]),
            Self::new(
                "file",
                &[
                    ("Title", Typed),
                    ("Description", Typed),
                    ("FileKey", Section("k")),
                    ("FileTotalLen", Bare("5")),
                    id,
                ],
            ),
            Self::new(
                "miniprogrampage",
                &[
                    ("Title", Typed),
                    ("AppId", Section("wx")),
                    ("PagePath", Typed),
                    ("ThumbUrl", Section("t")),
                    id,
                ],
            ),
            Self::new(
                "miniprogrampage",
                &[
                    id,
                    ("Title", Typed),
                    ("AppId", Section("wx")),
                    ("PagePath", Typed),
                    ("ThumbUrl", Section("t")),
                    ("ThumbMediaId", Section("i")),
                ],
            ),
            Self::event(
                "location_select",
                "SendLocationInfo",
                &[
                    ("Location_X", Section("23.5")),
                    ("Location_Y", Section("113.5")),
                    ("Scale", Section("15")),
                    ("Label", Typed),
                    ("Poiname", Typed),
                ],
            ),
            Self::event(
                "scancode_waitmsg",
                "ScanCodeInfo",
                &[("ScanType", Section("qrcode")), ("ScanResult", Typed)],
            ),
            // Of a type that nobody knows: one typed field.
            Self::new(
                "unheard",
                &[
                    ("Before", Section("p")),
                    ("Content", Typed),
                    ("Behind", Section("q")),
                    id,
                ],
            ),
        ]
    }

    fn typed(&self) -> Vec<&'static str> {
        let typed = self
            .fields
            .iter()
            .filter(|(_, content)| matches!(content, Typed));
        typed.map(|(name, _)| *name).collect()
    }

    /// The document in which the user typed `texts`, and its fields by their paths.
    fn document(&self, texts: &[String]) -> (String, BTreeMap<String, String>) {
        let mut texts = texts.iter();
        let mut document = String::from("<xml>");
        let mut fields = BTreeMap::new();
        let mut path = String::new();
        for (position, (name, content)) in self.fields.iter().enumerate() {
            if let Some((container, start)) = self.container
                && start == position
            {
                document.extend(["<", container, ">"]);
                path = format!("{container}.");
            }
            let (value, markup) = match content {
                Bare(value) => ((*value).to_owned(), format!("<{name}>{value}</{name}>\n")),
                Section(value) => ((*value).to_owned(), section(name, value)),
                Typed => {
                    let text = texts.next().expect("a text for each typed field");
                    (text.clone(), section(name, text))
                }
            };
            document += &markup;
            fields.insert(format!("{path}{name}"), value);
        }
        if let Some((container, _)) = self.container {
            document.extend(["</", container, ">\n"]);
        }
        (document + "</xml>", fields)
    }

    /// What the texts are made of.
    fn tokens(&self) -> Vec<String> {
        let mut tokens: Vec<String> = [
            "]]>",
            "<![CDATA[",
            "<!--",
            "-->",
            "<?x ",
            "?>",
            "</xml>",
            "<xml>",
            "&lt;",
            " ",
            "a",
            "<Idx>",
            "</Idx>",
            "<Idx q=\"",
            "\"/>",
            "<MsgId>9</MsgId>",
            "<Idx><![CDATA[",
            "]]></Idx>",
            "]]></FromUserName>",
            "<FromUserName><![CDATA[oVictim",
            "<ToUserName>",
            "<MsgType><![CDATA[event]]></MsgType>",
            "\u{200b}",
        ]
        .map(String::from)
        .into();
        let container = self.container.map(|(name, _)| name);
        // A typed field that WeChat left out.
        let is_absent = self.name == "link" && self.typed().len() == 2;
        let absent = is_absent.then_some("Description");
        let own = self
            .fields
            .iter()
            .skip(4)
            .map(|(name, _)| *name)
            .chain(container)
            .chain(absent);
        for name in own.filter(|name| !["MsgId", "Idx", "Event"].contains(name)) {
            tokens.extend([
                format!("<{name}>"),
                format!("</{name}>"),
                format!("]]></{name}>"),
                format!("<{name}><![CDATA["),
            ]);
        }
        tokens
    }
}

fn section(name: &str, value: &str) -> String {
    format!("<{name}><![CDATA[{value}]]></{name}>\n")
}

/// All fields of every form, with each typed one as a `T`.
#[derive(Deserialize, Default)]
#[serde(
    rename_all = "PascalCase",
    default,
    bound = "T: Deserialize<'de> + Default"
)]
struct Derived<T> {
    to_user_name: Option<String>,
    from_user_name: Option<String>,
    create_time: Option<String>,
    msg_type: Option<String>,
    event: Option<String>,
    event_key: Option<String>,
    content: T,
    title: T,
    description: T,
    url: T,
    label: T,
    recognition: T,
    app_id: Option<String>,
    page_path: T,
    idx: Option<String>,
    msg_id: Option<String>,
    send_location_info: Option<Container<T>>,
    scan_code_info: Option<Container<T>>,
}

#[derive(Deserialize, Default)]
#[serde(
    rename_all = "PascalCase",
    default,
    bound = "T: Deserialize<'de> + Default"
)]
struct Container<T> {
    label: T,
    poiname: T,
    scale: Option<String>,
    scan_type: Option<String>,
    scan_result: T,
    idx: Option<String>,
}

impl<T: IntoIterator<Item = String>> Derived<T> {
    fn fields(self) -> BTreeMap<String, String> {
        let mut fields = BTreeMap::new();
        add_all(&mut fields, "ToUserName", self.to_user_name);
        add_all(&mut fields, "FromUserName", self.from_user_name);
        add_all(&mut fields, "CreateTime", self.create_time);
        add_all(&mut fields, "MsgType", self.msg_type);
        add_all(&mut fields, "Event", self.event);
        add_all(&mut fields, "EventKey", self.event_key);
        add_all(&mut fields, "Content", self.content);
        add_all(&mut fields, "Title", self.title);
        add_all(&mut fields, "Description", self.description);
        add_all(&mut fields, "Url", self.url);
        add_all(&mut fields, "Label", self.label);
        add_all(&mut fields, "Recognition", self.recognition);
        add_all(&mut fields, "AppId", self.app_id);
        add_all(&mut fields, "PagePath", self.page_path);
        add_all(&mut fields, "Idx", self.idx);
        add_all(&mut fields, "MsgId", self.msg_id);
        let containers = [
            ("SendLocationInfo", self.send_location_info),
            ("ScanCodeInfo", self.scan_code_info),
        ];
        for (name, container) in containers {
            let Some(container) = container else { continue };
            add_all(&mut fields, &format!("{name}.Label"), container.label);
            add_all(&mut fields, &format!("{name}.Poiname"), container.poiname);
            add_all(&mut fields, &format!("{name}.Scale"), container.scale);
            add_all(
                &mut fields,
                &format!("{name}.ScanType"),
                container.scan_type,
            );
            add_all(
                &mut fields,
                &format!("{name}.ScanResult"),
                container.scan_result,
            );
            add_all(&mut fields, &format!("{name}.Idx"), container.idx);
        }
        fields
    }
}

/// The paths of [`Derived`]'s fields.
const KNOWN: [&str; 22] = [
    "ToUserName",
    "FromUserName",
    "CreateTime",
    "MsgType",
    "Event",
    "EventKey",
    "Content",
    "Title",
    "Description",
    "Url",
    "Label",
    "Recognition",
    "AppId",
    "PagePath",
    "Idx",
    "MsgId",
    "SendLocationInfo.Label",
    "SendLocationInfo.Poiname",
    "SendLocationInfo.Scale",
    "ScanCodeInfo.ScanType",
    "ScanCodeInfo.ScanResult",
    "SendLocationInfo.Idx",
];

/// Adds the texts of a field. One that stands twice is a field of its own.
fn add_all(
    fields: &mut BTreeMap<String, String>,
    path: &str,
    values: impl IntoIterator<Item = String>,
) {
    for value in values {
        if let Some(before) = fields.insert(path.to_owned(), value) {
            fields.insert(format!("{path}, again"), before);
        }
    }
}

/// The fields of a value by their paths.
fn flat(value: &Value) -> BTreeMap<String, String> {
    fn add(value: &Value, path: &str, fields: &mut BTreeMap<String, String>) {
        for (name, value) in value.elements() {
            let path = format!("{path}{name}");
            if value.elements().is_empty() {
                add_all(fields, &path, [value.as_str().unwrap_or("").to_owned()]);
            } else {
                add(value, &format!("{path}."), fields);
            }
        }
    }

    let mut fields = BTreeMap::new();
    add(value, "", &mut fields);
    fields
}

fn flat_json(value: &serde_json::Value) -> BTreeMap<String, String> {
    fn add(value: &serde_json::Value, path: &str, fields: &mut BTreeMap<String, String>) {
        match value {
            serde_json::Value::Object(members) => {
                for (name, value) in members {
                    let path = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    add(value, &path, fields);
                }
            }
            serde_json::Value::Null => {}
            serde_json::Value::Array(members) => {
                for (position, member) in members.iter().enumerate() {
                    let again = if position == 0 { "" } else { ", again" };
                    add(member, &format!("{path}{again}"), fields);
                }
            }
            serde_json::Value::String(text) => {
                fields.insert(path.to_owned(), text.clone());
            }
            other => {
                fields.insert(path.to_owned(), other.to_string());
            }
        }
    }

    let mut fields = BTreeMap::new();
    add(value, "", &mut fields);
    fields
}

fn head(head: &Head) -> BTreeMap<String, String> {
    let create_time = head.create_time().map(|time| time.as_secs().to_string());
    let fields = [
        ("ToUserName", head.to_user_name().map(ToOwned::to_owned)),
        ("FromUserName", head.from_user_name().map(ToOwned::to_owned)),
        ("CreateTime", create_time),
        ("MsgType", head.msg_type().map(ToOwned::to_owned)),
        ("Event", head.event().map(ToOwned::to_owned)),
        ("MsgId", head.message_id().map(ToOwned::to_owned)),
    ];
    let known = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    known.collect()
}

/// A text as XML joins it, if it is only sections, text and entities: the first named exception.
fn joined(text: &str) -> Option<String> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let Some((section, behind)) = rest.split_once("]]>") else {
            value += rest;
            return Some(value);
        };
        value += section;
        let (between, section) = behind.split_once("<![CDATA[")?;
        let text = between.replace("&lt;", "");
        if text.contains(['<', '&']) {
            return None;
        }
        value += &between.replace("&lt;", "<");
        rest = section;
    }
}

fn is_value_of(typed: &str, read: &str) -> bool {
    typed == read || joined(typed).as_deref() == Some(read)
}

/// Whether `rest` can be cut into the typed fields that were read, at any of the boundaries in it.
fn can_be_cut(rest: &str, read: &[(&str, String)]) -> bool {
    let behind = |at: usize, markup: &str| {
        let trimmed = rest[at..].trim_start();
        trimmed
            .starts_with(markup)
            .then(|| rest.len() - trimmed.len() + markup.len())
    };
    let mut ends = rest.match_indices("]]>").map(|(end, _)| (end, end + 3));
    match read {
        [] => false,
        [(name, value)] => ends.any(|(end, after)| {
            behind(after, &format!("</{name}>")).is_some() && is_value_of(&rest[..end], value)
        }),
        [(name, value), others @ ..] => ends.any(|(end, after)| {
            let next = behind(after, &format!("</{name}>"))
                .and_then(|after| behind(after, &format!("<{}>", others[0].0)))
                .and_then(|after| behind(after, "<![CDATA["));
            next.is_some_and(|next| {
                is_value_of(&rest[..end], value) && can_be_cut(&rest[next..], others)
            })
        }),
    }
}

/// What was read of a document, by one kind of target.
struct Reading {
    target: &'static str,
    fields: xml::Result<BTreeMap<String, String>>,
    /// Whether the target reads the field of this path.
    knows: fn(&str) -> bool,
}

fn readings(form: &Form, document: &str) -> Vec<Reading> {
    let everything: fn(&str) -> bool = |_| true;
    let mut readings = vec![
        Reading {
            target: "xml::Value",
            fields: xml::from_str::<Value>(document).map(|value| flat(&value)),
            knows: everything,
        },
        Reading {
            target: "serde_json::Value",
            fields: xml::from_str::<serde_json::Value>(document).map(|value| flat_json(&value)),
            knows: everything,
        },
        Reading {
            target: "a map of lists",
            fields: xml::from_str::<BTreeMap<String, Vec<Value>>>(document).map(|lists| {
                let fields = lists.into_iter().flat_map(|(name, values)| {
                    values.into_iter().map(move |value| (name.clone(), value))
                });
                flat(&Value::Elements(fields.collect()))
            }),
            knows: everything,
        },
        Reading {
            target: "Message",
            fields: xml::from_str::<Message>(document)
                .map(|message| flat_json(&serde_json::to_value(message).expect("a message"))),
            knows: |path| path != "Encrypt",
        },
        Reading {
            target: "a derived struct",
            fields: xml::from_str::<Derived<Option<String>>>(document).map(Derived::fields),
            knows: |path| KNOWN.contains(&path),
        },
        Reading {
            target: "a derived struct with lists",
            fields: xml::from_str::<Derived<Vec<String>>>(document).map(Derived::fields),
            knows: |path| KNOWN.contains(&path),
        },
        Reading {
            target: "Head",
            fields: Head::read(document.as_bytes()).map(|read| head(&read)),
            knows: |path| {
                let known = [
                    "ToUserName",
                    "FromUserName",
                    "CreateTime",
                    "MsgType",
                    "Event",
                    "MsgId",
                ];
                known.contains(&path)
            },
        },
        Reading {
            target: "Deserializer",
            fields: {
                let mut deserializer = xml::Deserializer::from_str(document);
                Derived::<Option<String>>::deserialize(&mut deserializer).map(Derived::fields)
            },
            knows: |path| KNOWN.contains(&path),
        },
    ];
    if form.container.is_none() {
        readings.push(Reading {
            target: "HashMap",
            fields: xml::from_str::<HashMap<String, String>>(document)
                .map(|fields| fields.into_iter().collect()),
            knows: everything,
        });
    }
    readings
}

/// Checks a document in which the user typed `texts`. Returns whether it was read.
#[track_caller]
fn check(form: &Form, texts: &[String]) -> bool {
    let (document, meant) = form.document(texts);
    let fail = |target: &str, what: &str| -> ! {
        panic!(
            "{what}, read as {target}: {} {texts:?}\n{document}",
            form.name
        )
    };
    let is_of_known_type = form.name != "unheard";
    let mut was_read = None;
    for Reading {
        target,
        fields,
        knows,
    } in readings(form, &document)
    {
        let fields = match fields {
            Ok(fields) => fields,
            // Where it cannot arrive as typed, it is refused for every target.
            Err(error) => {
                let is_own_boundary = ["miniprogrampage", "link"].contains(&form.name)
                    && error.kind() == ErrorKind::Ambiguous;
                if is_of_known_type && (!is_own_boundary || was_read == Some(true)) {
                    fail(target, &format!("refused ({error})"));
                }
                was_read = Some(false);
                continue;
            }
        };
        if was_read == Some(false) && is_of_known_type {
            fail(target, "refused for another target");
        }
        was_read = was_read.or(Some(true));
        // A required text that is absent is empty.
        // In a message of an unknown type, a text can make its own field a list.
        let own_list = fields.get("Content, again").filter(|_| !is_of_known_type);
        let is_meant =
            |path: &str| meant.contains_key(path) || own_list.is_some() && path == "Content, again";
        let mut unknown = fields.iter().filter(|(path, _)| !is_meant(path));
        if let Some((added, _)) = unknown.find(|(_, value)| !value.is_empty()) {
            fail(target, &format!("{added} was added"));
        }
        let typed = form.typed();
        let mut read = Vec::new();
        let mut as_meant = true;
        for (path, value) in &meant {
            if !knows(path) {
                continue;
            }
            let name = path.rsplit('.').next().unwrap_or(path);
            let found = fields.get(path);
            if typed.contains(&name) {
                let Some(found) = found else {
                    fail(target, &format!("{path} is lost"))
                };
                read.push((name, found.clone()));
                as_meant &= is_value_of(value, found);
            } else if found != Some(value) {
                fail(target, &format!("{path} became {found:?}"));
            }
        }
        // The second named exception: a text that holds the boundary between it and its neighbour. Cut
        // elsewhere, the bytes are the same.
        let in_order: Option<Vec<_>> = typed
            .iter()
            .map(|name| read.iter().find(|(found, _)| found == name).cloned())
            .collect();
        let is_cut_elsewhere = |read: Vec<(&str, String)>| {
            let start = format!("<{}><![CDATA[", read[0].0);
            let start = document.find(&start).expect("a typed field") + start.len();
            can_be_cut(&document[start..], &read)
        };
        if own_list.is_none() && !as_meant && !in_order.is_some_and(is_cut_elsewhere) {
            fail(target, &format!("typed text became {read:?}"));
        }
    }
    was_read == Some(true)
}

/// All ways to cut `tokens` into `count` texts.
fn texts(tokens: &[&String], count: usize) -> Vec<Vec<String>> {
    let join = |tokens: &[&String]| {
        tokens
            .iter()
            .map(|token| token.as_str())
            .collect::<String>()
    };
    if count == 1 {
        return vec![vec![join(tokens)]];
    }
    let mut all = Vec::new();
    for cut in 0..=tokens.len() {
        for mut rest in texts(&tokens[cut..], count - 1) {
            rest.insert(0, join(&tokens[..cut]));
            all.push(rest);
        }
    }
    all
}

/// A writer that splits `]]>`, as XML asks, is read as XML: nothing is ambiguous then.
#[test]
fn split_sections_are_read_as_xml() {
    for form in Form::all() {
        let tokens = form.tokens();
        let tokens: Vec<_> = tokens.iter().collect();
        let typed = form.typed().len();
        for pair in tokens
            .iter()
            .flat_map(|one| tokens.iter().map(|other| [*one, *other]))
        {
            for texts in texts(&pair, typed) {
                let split: Vec<_> = texts
                    .iter()
                    .map(|text| text.replace("]]>", "]]]]><![CDATA[>"))
                    .collect();
                let (document, _) = form.document(&split);
                let (_, meant) = form.document(&texts);
                let read: Value = xml::from_str(&document).expect("a document");
                assert_eq!(flat(&read), meant, "{document}");
            }
        }
    }
}

/// A list has no name that stands twice, which is how other types see such a text.
#[test]
fn a_text_adds_no_member_to_a_list_of_its_field() {
    for text in [
        "]]></Content><Content><![CDATA[",
        "a]]></Content>\n<Content><![CDATA[b",
    ] {
        let (document, _) = Form::all()[0].document(&[text.to_owned()]);
        let read: Derived<Vec<String>> = xml::from_str(&document).expect("reads");
        assert_eq!(read.content, [text]);
    }
}

/// Where WeChat deviates from its form, two fields together could hide what stands between them. Then the
/// message is refused.
#[test]
fn without_wechats_form_two_texts_are_refused_and_not_misread() {
    let app_id_is_hidden = [
        (
            "]]></Title><Z><![CDATA[",
            "]]></Z><AppId><![CDATA[evil]]></AppId><PagePath><![CDATA[p",
        ),
        (
            "]]></Title><Z><Title><![CDATA[",
            "]]></PagePath></Z><AppId>evil</AppId><PagePath><![CDATA[p",
        ),
        (
            "]]></Title><!--",
            "--><AppId>evil</AppId><PagePath><![CDATA[p",
        ),
    ];
    let form = Form::new(
        "miniprogrampage",
        &[
            ("Title", Typed),
            ("AppId", Section("wx")),
            ("PagePath", Typed),
            ("ThumbUrl", Section("t")),
            ("MsgId", Bare("7")),
        ],
    );
    let deviations: [fn(&str) -> String; 5] = [
        |document| document.replace("<ThumbUrl><![CDATA[t]]></ThumbUrl>", "<ThumbUrl/>"),
        |document| document.replace("<ThumbUrl>", "<ThumbUrl >"),
        |document| document.replace("<MsgId>", "<New><A>1</A></New><MsgId>"),
        |document| document.replace("<MsgId>", "<!-- new --><MsgId>"),
        |document| document.replace("<CreateTime>", "<New/><CreateTime>"),
    ];
    for deviate in deviations {
        let plain = deviate(&form.document(&["a".to_owned(), "b".to_owned()]).0);
        let refused = plain.contains("<!--");
        assert_eq!(xml::from_str::<Value>(&plain).is_err(), refused, "{plain}");
        for (title, path) in app_id_is_hidden {
            let document = deviate(&form.document(&[title.to_owned(), path.to_owned()]).0);
            for Reading { target, fields, .. } in readings(&form, &document) {
                let app_id = fields.ok().and_then(|fields| fields.get("AppId").cloned());
                assert!(app_id.is_none_or(|id| id == "wx"), "{target}: {document}");
            }
        }
    }
}

/// A list under the root that any writer writes is a list, in a message as well.
#[test]
fn a_list_of_sections_is_a_list() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Order {
        msg_type: String,
        goods: Vec<String>,
    }

    let order = Order {
        msg_type: "order".to_owned(),
        goods: vec!["fig".to_owned(), "]]></Goods>".to_owned()],
    };
    let written = xml::to_string(&order).expect("writes");
    assert_eq!(xml::from_str::<Order>(&written).expect("reads"), order);
    let value: Value = xml::from_str(&written).expect("reads");
    assert_eq!(value.elements().len(), 3);
    // Apart, one text could have made what stands between.
    let apart = written.replacen("</Goods>", "</Goods><Between>1</Between>", 1);
    let error = xml::from_str::<Order>(&apart).expect_err("two readings");
    assert_eq!(error.kind(), ErrorKind::Ambiguous);
}

/// What nobody typed may stand in a message of one typed field.
#[test]
fn a_comment_of_wechat_is_skipped() {
    let form = &Form::all()[0];
    let (document, meant) = form.document(&["hi".to_owned()]);
    for place in ["<FromUserName>", "<Content>", "<MsgId>", "</xml>"] {
        let document = document.replace(place, &format!("<!-- new -->{place}"));
        let value: Value = xml::from_str(&document).expect("reads");
        assert_eq!(flat(&value), meant);
    }
}

/// A sequence of numbers that looks random and is the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound
    }
}

/// `WECHAT_TYPED_TEXTS` says how many documents to try, 10 000 by default. First all texts of up to one token:
/// two from 50 000 on, three from a million on. Then random ones of up to 12 tokens, drawn by `WECHAT_SEED`.
#[test]
fn typed_text_decides_nothing() {
    let number =
        |name, default| env::var(name).map_or(default, |value| value.parse().expect("a number"));
    let count = usize::try_from(number("WECHAT_TYPED_TEXTS", 10_000)).expect("a count");
    let forms = Form::all();
    let share = count / forms.len();
    let longest = match count {
        0..50_000 => 1,
        50_000..1_000_000 => 2,
        _ => 3,
    };
    let mut numbers = Numbers(number("WECHAT_SEED", 0) ^ 0x9e37_79b9_7f4a_7c15);
    let (mut all, mut all_read) = (0, 0);
    for form in &forms {
        let tokens = form.tokens();
        let typed = form.typed().len();
        let (mut tried, mut read) = (0, 0);
        for length in 0..=longest {
            let mut indexes = vec![0; length];
            loop {
                let chosen: Vec<_> = indexes
                    .iter()
                    .map(|&index: &usize| &tokens[index])
                    .collect();
                for texts in texts(&chosen, typed) {
                    tried += 1;
                    read += usize::from(check(form, &texts));
                }
                // The next number in the base of as many digits as there are tokens.
                let carry = indexes.iter().rposition(|&index| index + 1 < tokens.len());
                let Some(carry) = carry else { break };
                indexes[carry] += 1;
                indexes[carry + 1..].fill(0);
            }
        }
        while tried < share {
            let texts: Vec<String> = (0..typed)
                .map(|_| {
                    let length = numbers.below(13);
                    (0..length)
                        .map(|_| tokens[numbers.below(tokens.len())].as_str())
                        .collect()
                })
                .collect();
            tried += 1;
            read += usize::from(check(form, &texts));
        }
        // A user can make only a message of an unknown type unreadable.
        let least = if form.name == "unheard" {
            tried / 2
        } else {
            tried - tried / 20
        };
        assert!(read >= least, "{}: {read} of {tried} were read", form.name);
        all += tried;
        all_read += read;
    }
    println!(
        "{all} documents, {all_read} read, {} refused",
        all - all_read
    );
}
