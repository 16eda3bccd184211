//! A reply that is read is the one that was written.

use proptest::prelude::*;

use super::*;
use crate::{
    reply::{Addressing, split},
    timestamp::Timestamp,
};

/// Texts that are hard to write in XML: section ends, markup, entities, control characters, and white space anywhere.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("]]>"),
        Just("]]"),
        Just("<![CDATA["),
        Just("</Content>"),
        Just("</item><item>"),
        Just("<xml>&amp;&#10;"),
        Just("\r\n"),
        Just("\n\n"),
        Just("  "),
        Just("\t"),
        Just("\u{0}\u{7}\u{1f}\u{fffe}"),
        Just("涨潮落潮。"),
        Just("👨‍👩‍👧"),
        Just("a"),
    ];
    let pieces = prop::collection::vec(piece, 0..30);
    pieces.prop_map(|pieces| pieces.concat())
}

/// What names something: it is not empty.
fn id() -> impl Strategy<Value = String> {
    nasty().prop_map(|text| format!("i{text}d"))
}

fn article() -> impl Strategy<Value = Article> {
    (id(), nasty(), nasty(), nasty())
        .prop_map(|(title, text, picture, url)| Article::new(title, text, picture, url))
}

/// A reply of one message, as a handler makes it.
fn single() -> impl Strategy<Value = Reply> {
    let optional = || prop::option::of(nasty());
    let video = (id(), optional(), optional(), prop::option::of(id()));
    let video = video.prop_map(|(id, title, description, thumb)| {
        let mut video = Video::new(id);
        video.title = title.map(crate::reply::written);
        video.description = description.map(crate::reply::written);
        video.thumb_media_id = thumb.map(crate::reply::written);
        Reply::video(video)
    });
    let music = (id(), optional(), optional(), optional(), optional());
    let music = music.prop_map(|(thumb, title, description, url, hq_url)| {
        let written = |text: Option<String>| text.map(crate::reply::written);
        let mut music = Music::new(thumb);
        music.title = written(title);
        music.description = written(description);
        music.url = written(url);
        music.hq_url = written(hq_url);
        Reply::music(music)
    });
    prop_oneof![
        3 => nasty().prop_map(|text| Reply::text(format!("t{text}"))),
        1 => nasty().prop_map(|text| Reply::text(format!("t{}", text.repeat(50)))),
        1 => nasty().prop_map(|text| Reply::text(format!("  {}t\n", text.repeat(50)))),
        1 => id().prop_map(Reply::image),
        1 => id().prop_map(Reply::update_button),
        1 => (id(), nasty()).prop_map(|(title, text)| {
            Reply::template_card(&std::collections::BTreeMap::from([("T", title), ("D", text)]))
        }),
        1 => id().prop_map(Reply::voice),
        1 => video,
        1 => music,
        1 => prop::collection::vec(article(), 1..8).prop_map(Reply::news),
        1 => Just(Reply::transfer_customer_service()),
        1 => id().prop_map(Reply::transfer_customer_service_to),
    ]
}

fn several() -> impl Strategy<Value = Reply> {
    let replies = prop::collection::vec(single(), 1..4);
    replies.prop_map(|replies| replies.into_iter().fold(Reply::success(), Reply::then))
}

/// A text that is over the limit is shown without white space at its end.
fn trimmed(mut reply: Reply) -> Reply {
    if let Some(Content::Text(text)) = &mut reply.first
        && text.len() > 2047
    {
        text.truncate(text.trim_end().len());
    }
    reply
}

/// Whether the text is over the limit without that white space too.
fn is_cut(reply: &Reply) -> bool {
    matches!(&reply.first, Some(Content::Text(text)) if text.trim_end().len() > 2047)
}

fn addressing() -> Addressing<'static> {
    Addressing::new("oReader", "gh_tides")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_is_decoded(reply in several(), footer in "(\n?[a-z。]{1,40})?") {
        let mut reply = reply;
        reply.add_footer(&footer);
        let rendered = reply.render(&addressing(), Timestamp::from_secs(1)).unwrap();
        let encoded = reply.encode(rendered.rest()).unwrap();
        let (decoded, rest) = Reply::decode(&encoded).unwrap();
        let expected = if is_cut(&reply) { trimmed(reply.clone()) } else { reply.clone() };
        prop_assert_eq!(&decoded, &expected);
        prop_assert_eq!(decoded.tail.0, reply.tail.0);
        prop_assert_eq!(rest.as_ref(), rendered.rest());
        prop_assert_eq!(rest.map(|rest| rest.tail.0), rendered.rest().map(|rest| rest.tail.0));
    }

    /// A store that keeps nothing beside the body has all of a reply that the body says.
    #[test]
    fn what_a_body_says_is_read(reply in single()) {
        let rendered = reply.render(&addressing(), Timestamp::from_secs(1)).unwrap();
        let read = Reply::read_body(rendered.body().as_bytes());
        if rendered.rest().is_some() {
            let shown = read.unwrap();
            let text = reply.as_text().unwrap();
            let first = split(text.trim_end(), 2047 - "…".len()).next().unwrap();
            prop_assert_eq!(shown.as_text(), Some(&*format!("{first}…")));
        } else if reply.has_unwritten() {
            prop_assert!(read.is_some());
        } else {
            prop_assert_eq!(read, Some(trimmed(reply)));
        }
    }

    /// A store may return anything.
    #[test]
    fn what_is_no_reply_is_none(encoded in nasty(), tail: u64) {
        let _ = Reply::decode(&encoded);
        let odd = format!("<xml><IsCut>true</IsCut><Tail>{tail}</Tail><item><MsgType>text</MsgType><Content>{}长</Content></item></xml>", "x".repeat(4000));
        if let Ok((reply, _)) = Reply::decode(&odd) {
            let rest = reply.render(&addressing(), Timestamp::from_secs(1)).unwrap();
            prop_assert!(rest.rest().is_some());
            prop_assert!(reply.count_parts() < 4);
        }
        let _ = Reply::read_body(encoded.as_bytes());
    }
}
