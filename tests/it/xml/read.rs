//! What a well-formed document of the dialect says, row by row, in the terms of `Value`.

use std::borrow::Cow;

use serde::Deserialize;
use tower_wechat::xml::{self, Value};

use super::{check_content, check_ok, elements, text};

#[test]
fn text_and_sections_are_one_value() {
    for (content, expected) in [
        ("plain", "plain"),
        ("<![CDATA[section]]>", "section"),
        ("<![CDATA[one]]><![CDATA[two]]>", "onetwo"),
        ("<![CDATA[a]]]]><![CDATA[>b]]>", "a]]>b"),
        ("before<![CDATA[ in ]]>after", "before in after"),
        ("a&lt;<![CDATA[&lt;]]>b", "a<&lt;b"),
        ("<![CDATA[<b>no tag</b>]]>", "<b>no tag</b>"),
        ("<![CDATA[]]]]>", "]]"),
        ("<![CDATA[[x]]]>", "[x]"),
        ("腾讯<![CDATA[微信]]>团队", "腾讯微信团队"),
    ] {
        check_content(content, text(expected));
    }
}

#[test]
fn white_space_around_a_value_goes_and_inside_it_stays() {
    for (content, expected) in [
        ("  bare  ", "bare"),
        ("\r\n\t<![CDATA[section]]>\n", "section"),
        ("<![CDATA[  kept\r\n ]]>", "  kept\r\n "),
        (" <![CDATA[ ]]> ", " "),
        ("two words", "two words"),
        ("line\r\nline", "line\r\nline"),
        ("<![CDATA[a]]> <![CDATA[b]]>", "a b"),
        (" a <![CDATA[ b ]]> c ", "a  b  c"),
        ("\n<!-- c -->\n x <!-- c --> ", "x"),
        ("a <!-- c --> b", "a  b"),
    ] {
        check_content(content, text(expected));
    }
}

/// Only XML's four white space characters are white: a Chinese text may begin with the ideographic space.
#[test]
fn other_spaces_are_text() {
    for space in [
        "\u{3000}", "\u{a0}", "\u{2028}", "\u{b}", "\u{c}", "\u{feff}",
    ] {
        check_content(space, text(space));
        let indented = format!("{space}x{space}");
        check_content(&format!(" {indented} "), text(&indented));
    }
}

#[test]
fn entities_are_resolved_outside_sections_only() {
    for (content, expected) in [
        ("&amp;&lt;&gt;&quot;&apos;", "&<>\"'"),
        ("&#65;&#x41;&#x4e2d;&#x4E2D;&#128512;", "AA中中😀"),
        ("&amp;amp;", "&amp;"),
        ("&lt;![CDATA[x]]", "<![CDATA[x]]"),
        ("<![CDATA[&amp;&nbsp;&]]>", "&amp;&nbsp;&"),
        // Two surrogates, as some writers put what stands beyond the first plane.
        ("a&#55357;&#56832;b&#xD83D;&#xde00;", "a😀b😀"),
    ] {
        check_content(content, text(expected));
    }
}

#[test]
fn an_ampersand_that_begins_no_entity_is_text() {
    for content in [
        "&",
        "a & b",
        "x&y=1",
        "&;",
        "&#-1;",
        "a&b&amp",
        "?a=1&b=2&amp;c=3",
        "&#x41",
    ] {
        check_content(content, text(&content.replace("&amp;", "&")));
    }
}

/// WeChat sends what a user's keyboard typed; strict parsers refuse it and the user sees a fault text.
#[test]
fn control_characters_are_accepted_as_sent() {
    for character in ('\u{0}'..' ')
        .filter(|c| !"\t\r\n".contains(*c))
        .chain(['\u{7f}', '\u{fffe}'])
    {
        let sent = format!("a{character}b");
        check_content(&sent, text(&sent));
        check_content(
            &format!("<![CDATA[{character}]]>"),
            text(&character.to_string()),
        );
    }
}

#[test]
fn empty_is_not_an_empty_text() {
    for content in ["", " \r\n\t", "<!-- nothing -->", " <?nothing?> "] {
        check_content(content, Value::Empty);
    }
    for content in ["<![CDATA[]]>", " <![CDATA[]]> ", "<![CDATA[]]><![CDATA[]]>"] {
        check_content(content, text(""));
    }
    check_ok(
        "<xml><a/><b /></xml>",
        &elements([("a", Value::Empty), ("b", Value::Empty)]),
    );
    for root in ["<xml/>", "<xml></xml>", "<xml>\n</xml>"] {
        check_ok(root, &Value::Empty);
    }
}

#[test]
fn elements_keep_their_order_and_repetitions() {
    check_ok(
        "<xml>\n <b>1</b>\n <a><c>2</c><c/></a>\n <b>3</b>\n</xml>",
        &elements([
            ("b", text("1")),
            ("a", elements([("c", text("2")), ("c", Value::Empty)])),
            ("b", text("3")),
        ]),
    );
}

#[test]
fn what_surrounds_the_fields_is_skipped() {
    let expected = elements([("a", text("x"))]);
    for input in [
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xml><a>x</a></xml>\n",
        "<!-- before --><xml><a>x</a></xml><!-- after --><?after?>\r\n",
        "<xml><!-- <a>not me</a> --><a>x</a><?a not me?></xml>",
        "<xml v='1' w=\"a>b\"><a b='/>' c=\"'\">x</a ></xml >",
        "<xml\n><a\tb = 'c'\r\n>x</a\n></xml\t>",
        "<xml><a><!-- ]]> & < -->x<?pi ]]> & < ?></a></xml>",
        "<xml><a>x<!----></a></xml>",
    ] {
        check_ok(input, &expected);
    }
}

#[test]
fn names_are_any_that_xml_allows() {
    for name in [
        "a",
        "_",
        "A-b.c_1",
        "Location_X",
        "MediaId16K",
        "字段",
        "a·b",
        "é",
        "n:s",
    ] {
        let input = format!("<xml><{name}>x</{name}></xml>");
        check_ok(&input, &elements([(name, text("x"))]));
    }
}

#[test]
fn sixteen_levels_are_read() {
    let mut expected = text("deep");
    for _ in 1..16 {
        expected = elements([("a", expected)]);
    }
    let input = format!("<xml>{}deep{}</xml>", "<a>".repeat(15), "</a>".repeat(15));
    check_ok(&input, &expected);
}

/// One run without entities is a slice of the input; that is what makes `&str` fields possible.
#[test]
fn one_run_is_borrowed() {
    #[derive(Deserialize)]
    struct Fields<'a> {
        #[serde(borrow)]
        a: Cow<'a, str>,
    }
    #[derive(Deserialize)]
    struct Strict<'a> {
        a: &'a str,
    }

    for (content, borrowed) in [
        ("x", true),
        (" x y ", true),
        ("<![CDATA[x]]>", true),
        ("\n<![CDATA[ & ]]>\n", true),
        ("<![CDATA[]]>", true),
        ("<!-- c -->x", true),
        ("<![CDATA[a]]>b]]>", true),
        ("x&amp;y", false),
        ("<![CDATA[x]]><![CDATA[y]]>", false),
    ] {
        let input = format!("<xml><a>{content}</a></xml>");
        let fields: Fields<'_> = xml::from_str(&input).expect("reads");
        assert_eq!(
            matches!(fields.a, Cow::Borrowed(_)),
            borrowed,
            "{content:?}"
        );
        let strict = xml::from_str::<Strict<'_>>(&input);
        assert_eq!(
            strict.map(|strict| strict.a == fields.a).ok(),
            borrowed.then_some(true)
        );
    }
}
