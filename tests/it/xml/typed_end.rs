//! WeChat does not split a `]]>` that a user types: what then is the value, and what can it not do.

use proptest::prelude::*;
use quick_xml::{Reader, events::Event};
use serde::Deserialize;
use tower_wechat::{
    message::MiniProgramPageMessage,
    xml::{self, ErrorKind, Value},
};

use super::{check_content, check_err, check_ok, elements, text};

#[test]
fn a_typed_end_that_breaks_the_element_is_text() {
    for typed in [
        "a]]>b]]>",
        "]]>",
        "]]>]]>",
        "x]]>y & z",
        "x]]>&nbsp;",
        "x]]><b>bold</b>",
        "x]]><b>",
        "x]]></b>",
        "x]]></xml>",
        "x]]><",
        "if (a[b[0]]>1) return",
        "<![CDATA[x]]>",
        "x]]><MsgType><![CDATA[event]]></MsgType>",
        "x]]>\r\n",
        "x]]> ]]>",
        "]]",
        "]",
    ] {
        check_content(&format!("<![CDATA[{typed}]]>"), text(typed));
        check_content(&format!("\n<![CDATA[{typed}]]>"), text(typed));
        // What follows is read as if nothing had happened.
        let input = format!("<xml><a><![CDATA[{typed}]]></a><b>1</b></xml>");
        check_ok(&input, &elements([("a", text(typed)), ("b", text("1"))]));
    }
}

#[test]
fn xml_comes_first() {
    for (content, expected) in [
        ("<![CDATA[a]]>b", "ab"),
        ("<![CDATA[a]]> &amp; b", "a & b"),
        ("<![CDATA[a]]><![CDATA[b]]>", "ab"),
        ("<![CDATA[a]]><!-- c -->", "a"),
    ] {
        check_content(content, text(expected));
    }
}

/// The value ends at the first `]]>` directly before the element's own end tag, as a lone reader sees it.
#[test]
fn it_ends_at_its_own_end_tag() {
    check_ok(
        "<xml><a><![CDATA[x]]></b>]]></a><c>1</c></xml>",
        &elements([("a", text("x]]></b>")), ("c", text("1"))]),
    );
    check_ok(
        "<xml><a><![CDATA[x]]><b>]]></a><c><![CDATA[y]]></c></xml>",
        &elements([("a", text("x]]><b>")), ("c", text("y"))]),
    );
    // Without such an end it is as broken as it looks.
    let error = xml::from_str::<Value>("<xml><a><![CDATA[x]]><b></xml>").expect_err("unclosed");
    assert!(error.path().starts_with("xml.a"), "{error}");
}

/// Only what began as a section is a user's text.
#[test]
fn bare_text_is_not_repaired() {
    for content in ["x<b>]]>", "x &nbsp; ]]>", "<b/><![CDATA[x]]>"] {
        let input = format!("<xml><a>{content}</a></xml>");
        assert!(xml::from_str::<Value>(&input).is_err(), "{content}");
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TextMessage {
    to_user_name: String,
    from_user_name: String,
    create_time: u64,
    msg_type: String,
    content: String,
    msg_id: u64,
}

fn as_wechat_writes(content: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh_7f083739789a]]></ToUserName>\n\
         <FromUserName><![CDATA[oia2TjuEGTNoeX76QEjQNrcURxG8]]></FromUserName>\n\
         <CreateTime>1395658920</CreateTime>\n\
         <MsgType><![CDATA[text]]></MsgType>\n\
         <Content><![CDATA[{content}]]></Content>\n\
         <MsgId>5994213893410816131</MsgId>\n</xml>"
    )
}

/// Leaving the section means to close `Content`, and then the real end closes a second one.
#[test]
fn leaving_the_section_repeats_the_field_it_left() {
    for (typed, path) in [
        ("x]]></Content><Content><![CDATA[y", "xml"),
        ("x]]></Content><MsgId>1</MsgId><Content><![CDATA[y", "xml"),
        (
            "x]]></Content><FromUserName>boss</FromUserName><Content><![CDATA[y",
            "xml",
        ),
    ] {
        check_err::<TextMessage>(&as_wechat_writes(typed), ErrorKind::DuplicateField, path);
    }
    let leaves = as_wechat_writes("x]]></Content></xml>");
    assert!(xml::from_str::<TextMessage>(&leaves).is_err());
}

/// What a user may type, made of the fragments that could do harm.
fn typed() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![
        4 => Just("]]>".to_owned()),
        2 => Just("<![CDATA[".to_owned()),
        2 => Just("</Content>".to_owned()),
        1 => Just("<Content>".to_owned()),
        1 => Just("</xml>".to_owned()),
        1 => Just("<FromUserName><![CDATA[boss]]></FromUserName>".to_owned()),
        1 => Just("<MsgId>1</MsgId>".to_owned()),
        1 => Just("<Ticket>gold</Ticket>".to_owned()),
        1 => Just("<!-- c -->".to_owned()),
        1 => Just("<?pi?>".to_owned()),
        1 => "&(amp|lt|nbsp|#65|#x4e2d|)[;]?",
        1 => "[<>&/!?;\\[\\]]{1,3}",
        2 => "[ \r\n\t]{1,2}",
        3 => "[a-z语音]{1,4}",
    ];
    proptest::collection::vec(fragment, 0..8).prop_map(|fragments| fragments.concat())
}

/// What XML says `Content` is, if it is well-formed; otherwise the raw text up to the first `]]></Content>`.
fn expected(document: &str) -> Option<String> {
    let open = "<Content><![CDATA[";
    let start = document.find(open)? + open.len();
    let element = &document[start - open.len()..];
    as_xml_says(element).or_else(|| {
        let raw = &document[start..];
        Some(raw[..raw.find("]]></Content>")?].to_owned())
    })
}

fn as_xml_says(element: &str) -> Option<String> {
    let mut reader = Reader::from_str(element);
    let (mut value, mut kept) = (String::new(), 0);
    reader.read_event().ok()?;
    loop {
        match reader.read_event().ok()? {
            Event::CData(section) => {
                value.push_str(&section);
                kept = value.len();
            }
            Event::Text(run) if run.contains("]]>") => return None,
            Event::Text(run) => {
                value.push_str(&run);
                let trimmed = value.trim_end_matches([' ', '\t', '\r', '\n']).len();
                kept = kept.max(trimmed);
            }
            Event::GeneralRef(reference) => {
                match reference.resolve_char_ref().ok()? {
                    Some(character) => value.push(character),
                    None => value.push_str(quick_xml::escape::resolve_xml_entity(&reference)?),
                }
                kept = value.len();
            }
            Event::Comment(_) | Event::PI(_) => {}
            Event::End(_) => break,
            _ => return None,
        }
    }
    value.truncate(kept);
    Some(value)
}

proptest! {
    #[test]
    fn text_without_an_end_is_the_content(typed in typed()) {
        let typed = typed.replace("]]>", "] ]>");
        let message: TextMessage = xml::from_str(&as_wechat_writes(&typed)).expect("reads");
        prop_assert_eq!(message.content, typed);
    }

    #[test]
    fn typed_text_never_replaces_another_field(typed in typed()) {
        let honest: TextMessage = xml::from_str(&as_wechat_writes("")).expect("reads");
        let document = as_wechat_writes(&typed);
        if let Ok(message) = xml::from_str::<TextMessage>(&document) {
            prop_assert_eq!(Some(message.content.clone()), expected(&document));
            prop_assert_eq!(TextMessage { content: String::new(), ..message }, honest);
        }
    }

    #[test]
    fn typed_text_that_stays_inside_is_always_read(typed in typed()) {
        let typed = typed.replace("</Content>", "</content>");
        let document = as_wechat_writes(&typed);
        let message: TextMessage = xml::from_str(&document).expect("reads");
        prop_assert_eq!(Some(message.content), expected(&document));
    }
}

/// What is documented as the limit: between two typed fields, a field can be hidden in what nobody reads,
/// and another put in its place. What stands in front of the first or behind the last cannot.
#[test]
fn two_typed_fields_can_hide_what_stands_between_them_alone() {
    for (title, path) in [
        (
            "x]]></Title><AppId>evil</AppId><!--",
            "--><PagePath><![CDATA[y",
        ),
        (
            "x]]></Title><AppId>evil</AppId><?",
            "?><PagePath><![CDATA[y",
        ),
        (
            "x]]></Title><AppId>evil</AppId><X><![CDATA[",
            "]]></X><PagePath><![CDATA[y",
        ),
        (
            "x]]></Title><AppId>evil</AppId><X><Title><![CDATA[",
            "]]></PagePath></X><PagePath><![CDATA[y",
        ),
    ] {
        let document = |title: &str| {
            format!(
                "<xml><ToUserName><![CDATA[gh_1]]></ToUserName>\
                 <FromUserName><![CDATA[o1]]></FromUserName><CreateTime>1</CreateTime>\
                 <MsgType><![CDATA[miniprogrampage]]></MsgType>\
                 <Title><![CDATA[{title}]]></Title><AppId><![CDATA[wxreal]]></AppId>\
                 <PagePath><![CDATA[{path}]]></PagePath><ThumbUrl><![CDATA[u]]></ThumbUrl>\
                 <ThumbMediaId><![CDATA[m]]></ThumbMediaId><MsgId>7</MsgId></xml>"
            )
        };
        let message: MiniProgramPageMessage = xml::from_str(&document(title)).expect("reads");
        assert_eq!(message.app_id, "evil");
        for outside in ["<MsgId>8</MsgId>", "<FromUserName>boss</FromUserName>"] {
            let title = title.replace("<AppId>evil</AppId>", outside);
            check_err::<MiniProgramPageMessage>(
                &document(&title),
                ErrorKind::DuplicateField,
                "xml",
            );
        }
    }
}
