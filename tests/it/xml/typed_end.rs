//! WeChat does not split a `]]>` that a user types: what then is the value, and what can it not do.

use tower_wechat::xml::{self, Value};

use super::{check_content, check_ok, elements, text};

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
