//! Replies: what makes one, the document element by element, the limits, and what is left out.

mod custom;
mod into_reply;
mod split;
mod types;

use proptest::prelude::*;
use quick_xml::{Reader, events::Event};
use tower_wechat::{
    Reply, Timestamp,
    message::Head,
    reply::{Addressing, ErrorKind},
};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

#[track_caller]
fn render(reply: &Reply) -> String {
    let addressing = Addressing::new("openid", "gh_account");
    let rendered = reply.render(&addressing, NOW).unwrap();
    assert_eq!(rendered.content_type(), "application/xml");
    assert_eq!(rendered.clone().into_body(), rendered.body());
    rendered.into_body().into_owned()
}

/// The oracle: name and text of each element under the root, as quick-xml reads them.
#[track_caller]
fn elements(document: &str) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(document);
    let mut depth = 0;
    let mut elements = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                let name = start.name().as_ref().to_owned();
                match depth {
                    0 => assert_eq!(name, "xml"),
                    1 => elements.push((name, String::new())),
                    _ => panic!("{name} is nested deeper than a reply is"),
                }
                depth += 1;
            }
            Event::End(_) => depth -= 1,
            Event::CData(section) => {
                let (_, text) = elements.last_mut().expect("an element around the text");
                text.push_str(&section);
            }
            Event::Text(bare) => {
                let (_, text) = elements.last_mut().expect("an element around the text");
                text.push_str(&bare);
            }
            Event::Eof => break,
            other => panic!("a reply holds no {other:?}"),
        }
    }
    assert_eq!(depth, 0);
    elements
}

#[track_caller]
fn check(reply: &Reply, expected: &[(&str, &str)]) {
    let names = [
        ("ToUserName", "openid"),
        ("FromUserName", "gh_account"),
        ("CreateTime", "1700000000"),
    ];
    let document = render(reply);
    let elements = elements(&document);
    let found: Vec<_> = elements
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    assert_eq!(found, [&names, expected].concat(), "in {document}");
}

#[track_caller]
fn check_rejected(reply: &Reply, kind: ErrorKind, message: &str) {
    let error = reply.check().expect_err("rejected");
    assert_eq!((error.kind(), &*error.to_string()), (kind, message));

    let rendered = reply.render(&Addressing::new("openid", "gh_account"), NOW);
    assert_eq!(rendered.expect_err("rejected").kind(), kind);
}

#[test]
fn a_text_is_addressed_and_in_sections() {
    assert_eq!(
        render(&Reply::text("你好")),
        "<xml><ToUserName><![CDATA[openid]]></ToUserName>\
         <FromUserName><![CDATA[gh_account]]></FromUserName>\
         <CreateTime>1700000000</CreateTime>\
         <MsgType><![CDATA[text]]></MsgType>\
         <Content><![CDATA[你好]]></Content></xml>"
    );
}

#[test]
fn texts_arrive_as_written() {
    for text in [
        "plain",
        " blanks at both ends ",
        "two\nlines",
        "<a href=\"https://example.com/?a=1&b=2\">link</a>",
        "&lt; is not decoded",
        "]]>",
        "]]]]>>]]",
        "</Content><Content><![CDATA[not mine",
        "🎤 语音",
    ] {
        check(
            &Reply::text(text),
            &[("MsgType", "text"), ("Content", text)],
        );
    }
}

#[test]
fn success_is_no_document() {
    let addressing = Addressing::new("openid", "gh_account");
    for reply in [Reply::success(), Reply::default()] {
        assert!(reply.is_success());
        reply.check().unwrap();
        // Nobody need be there to send it to.
        for addressing in [&addressing, &Addressing::new("", "")] {
            let rendered = reply.render(addressing, NOW).unwrap();
            assert_eq!(
                (rendered.body(), rendered.content_type()),
                ("success", "text/plain")
            );
        }
    }
    assert!(!Reply::text("success").is_success());
}

#[test]
fn a_long_text_is_cut() {
    let addressing = Addressing::new("openid", "gh_account");
    // 682 characters of three bytes, and one byte.
    let longest = "语".repeat(682) + "a";
    assert_eq!(longest.len(), 2047);
    for (text, shown, rest) in [
        (longest.clone(), longest.clone(), None),
        // White space that does not fit is no rest.
        (format!("{longest} \n"), longest.clone(), None),
        (format!("{}x", " ".repeat(2047)), "x".to_owned(), None),
        (
            longest.clone() + "b",
            "语".repeat(681) + "…",
            Some("语ab".to_owned()),
        ),
        (
            format!("{}。\n\n{}\n", "潮".repeat(400), "水".repeat(3000)),
            format!("{}。…", "潮".repeat(400)),
            Some("水".repeat(3000)),
        ),
    ] {
        let reply = Reply::text(text);
        reply.check().unwrap();
        check(&reply, &[("MsgType", "text"), ("Content", &shown)]);
        let rendered = reply.render(&addressing, NOW).unwrap();
        assert_eq!(rendered.rest(), rest.map(Reply::text).as_ref());
    }
}

#[test]
fn an_empty_text_is_rejected() {
    for text in [
        "",
        "\u{0}",
        "\u{2}\u{1f}\u{ffff}",
        " ",
        "\r\n\t",
        "\u{3000}\u{a0}\u{1}",
        &" ".repeat(4096),
    ] {
        check_rejected(
            &Reply::text(text),
            ErrorKind::TextEmpty,
            "expected a text to reply, found an empty one or white space",
        );
    }
}

/// WeChat passes on control characters that users type (offu/WeRoBot #420 met U+0002). Echoed, one
/// of them would make the whole reply malformed, and no entity can stand for it.
#[test]
fn characters_that_xml_cannot_write_are_left_out() {
    let forbidden: String = ('\u{0}'..='\u{1f}')
        .filter(|character| !"\t\n\r".contains(*character))
        .chain(['\u{fffe}', '\u{ffff}'])
        .collect();
    assert_eq!(forbidden.chars().count(), 31);

    check(
        &Reply::text(format!("a{forbidden}b\tc\u{7f}\u{fffd}\u{10ffff}")),
        &[
            ("MsgType", "text"),
            ("Content", "ab\tc\u{7f}\u{fffd}\u{10ffff}"),
        ],
    );

    for character in forbidden.chars() {
        let alone = Reply::text(format!("a{character}b"));
        check(&alone, &[("MsgType", "text"), ("Content", "ab")]);
    }

    // They do not count: what is sent has 2047 bytes.
    let longest = "x".repeat(2047);
    check(
        &Reply::text(forbidden + &longest),
        &[("MsgType", "text"), ("Content", &longest)],
    );
}

#[test]
fn a_reply_needs_both_names() {
    for (to, from) in [("", "gh_account"), ("openid", ""), ("\u{0}", "gh_account")] {
        let error = Reply::text("hi")
            .render(&Addressing::new(to, from), NOW)
            .expect_err("rejected");
        assert_eq!(error.kind(), ErrorKind::Unaddressed, "{to:?} {from:?}");
    }
}

#[test]
fn an_answer_goes_back_to_the_sender() {
    let message = "<xml><ToUserName><![CDATA[gh_account]]></ToUserName>\
                   <FromUserName>open&amp;id</FromUserName></xml>";
    let addressing = Addressing::new("open&id", "gh_account");
    // Elements without a type are no message, and may get eight articles.
    let head = Head::read(message.as_bytes()).unwrap();
    assert_eq!(Addressing::answering(&head), addressing);
    let reply = Reply::text("hi");
    assert_eq!(
        reply.render(&Addressing::answering(&head), NOW).unwrap(),
        reply.render(&addressing, NOW).unwrap()
    );

    // A message without a name can be read, and not answered.
    for nameless in [
        "<xml></xml>",
        "<xml><ToUserName>gh_account</ToUserName></xml>",
        "<xml><FromUserName>openid</FromUserName></xml>",
    ] {
        let head = Head::read(nameless.as_bytes()).unwrap();
        let rendered = reply.render(&Addressing::answering(&head), NOW);
        let error = rendered.expect_err(nameless);
        assert_eq!(error.kind(), ErrorKind::Unaddressed);
    }
    Head::read(b"<xml").expect_err("unreadable");
}

/// Both are about a user: what is said, and to whom.
#[test]
fn neither_the_reply_nor_the_names_are_shown() {
    let addressing = Addressing::new("openid", "gh_account");
    assert_eq!(
        format!("{addressing:?}"),
        "Addressing { to_user_name_len: 6, from_user_name_len: 10, article_limit: 8, is_json: false, .. }"
    );
    let rendered = Reply::text("hush-hush").render(&addressing, NOW).unwrap();
    let length = rendered.body().len();
    assert_eq!(
        format!("{rendered:?}"),
        format!(
            "Rendered {{ len: {length}, content_type: \"application/xml\", has_rest: false, .. }}"
        )
    );
}

/// XML 1.0's `Char`, as the recommendation writes it.
fn is_xml_character(character: char) -> bool {
    matches!(
        character,
        '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}'
    )
}

/// Any text, with the pieces that break documents more often than chance has them.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => any::<char>().prop_map(String::from),
        2 => prop::char::range('\u{0}', '\u{7f}').prop_map(String::from),
        2 => prop::sample::select(vec![
            "]", "]]", "]]>", "<![CDATA[", "</Content>", "&", "&amp;", "&#0;", "<!--", "\r\n", "\r",
            "\u{fffe}", "\u{ffff}", "语音",
        ])
        .prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_checks_is_read_back(text in texts()) {
        let kept: String = text.chars().filter(|character| is_xml_character(*character)).collect();
        let reply = Reply::text(text);

        prop_assert_eq!(reply.check().is_ok(), !kept.trim().is_empty());
        if reply.check().is_ok() {
            // Line ends are normalised by readers that follow the recommendation, not by quick-xml's
            // `CData` events, which hand out the bytes.
            check(&reply, &[("MsgType", "text"), ("Content", &kept)]);
        }
    }
}
