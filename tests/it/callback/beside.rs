//! What stands beside a ciphertext: users' texts, in compatible mode as WeChat has them, unescaped. None of it is signed,
//! so none of it refuses or changes a message.

use proptest::prelude::*;

use super::*;

/// Ends sections, elements and strings, and begins others, an `Encrypt` among them.
const TYPED: [&[u8]; 17] = [
    b"]]></Content><Encrypt><![CDATA[",
    b"]]></Encrypt>",
    b"<Encrypt><![CDATA[Zm9yZ2Vk]]></Encrypt>",
    b"<Encrypt>",
    b"</xml>",
    b"<!--",
    b"<!DOCTYPE xml [",
    b"<?xml",
    b"\",\"Encrypt\":\"",
    b"\"",
    b"\\",
    b"\\ud83d",
    b"webwx_msg_cli_ver_0x1 &nbsp; {}",
    b"\x00\x02\x1b\x07\n\t",
    // The halves of an emoji, and what is no UTF-8 at all.
    b"\xf0\x9f",
    b"\x98\x80",
    b"\xff\xfe",
];

/// The bodies that WeChat may put around a ciphertext.
fn envelopes(encrypt: &str) -> Vec<Vec<u8>> {
    let fields = "<ToUserName><![CDATA[gh_1]]></ToUserName>\n<MsgType><![CDATA[text]]></MsgType>\n\
        <Content><![CDATA[hi]]></Content>\n<MediaId><![CDATA[hT0vXqLr3mZs8NcWb5YkEj7UdGfPaoR1iCtB2wVxK4nMzSyQp]]></MediaId>\n";
    let section = format!("<Encrypt><![CDATA[{encrypt}]]></Encrypt>");
    [
        document(encrypt),
        format!("<xml>\n{fields}{section}\n</xml>"),
        format!("<xml>{section}{fields}</xml>"),
        format!("<?xml version=\"1.0\"?><xml><Encrypt>\n {encrypt} </Encrypt><AgentID/></xml>"),
        format!("<xml><Encrypt>{encrypt}</Encrypt></xml>"),
        format!("{{\"ToUserName\":\"gh_1\",\"Encrypt\":\"{encrypt}\"}}"),
        format!("\u{feff}{{\n  \"Encrypt\": \"{encrypt}\",\n  \"Content\": \"\\u4f60\"\n}}"),
    ]
    .map(String::into_bytes)
    .into()
}

fn open_body(encrypt: &str, body: Vec<u8>) -> Result<Bytes, ErrorKind> {
    let query = Query::parse(&query(encrypt)).unwrap();
    let opened = callback::open(&account(), &query, body);
    opened
        .map(|opened| opened.plaintext().clone())
        .map_err(|error| error.kind())
}

/// `right` opens the body, and another ciphertext's signature does not.
#[track_caller]
fn check(right: &str, other: &str, body: &[u8]) {
    let shown = body.escape_ascii();
    let opened = open_body(right, body.to_vec());
    assert_eq!(opened.as_deref(), Ok(MESSAGE.as_bytes()), "{shown}");
    let opened = open_body(other, body.to_vec());
    assert_eq!(opened, Err(ErrorKind::Signature), "{shown}");
}

/// The bodies with one change at each place outside the ciphertext.
fn changed(right: &str, body: &[u8], mut check: impl FnMut(&[u8])) {
    let start = memchr::memmem::find(body, right.as_bytes()).unwrap();
    let outside = |at: &usize| !(start..start + right.len()).contains(at);
    for at in (0..body.len()).filter(outside) {
        let (before, behind) = (&body[..at], &body[at + 1..]);
        check(&[before, behind].concat());
        check(&[before, &body[at..=at], &body[at..]].concat());
        for byte in [
            b'<', b'>', b'[', b']', b'&', b'"', b'\\', b'{', b' ', b'A', b'=', b'/', b'9', 0, 2,
            0xe4, 0xff,
        ] {
            check(&[before, &[byte], behind].concat());
        }
    }
    let inserted = start + 1..start + right.len();
    for at in (0..=body.len()).filter(|at| !inserted.contains(at)) {
        for typed in TYPED {
            check(&[&body[..at], typed, &body[at..]].concat());
        }
    }
}

#[test]
fn no_byte_beside_the_ciphertext_matters() {
    let (right, other) = (ciphertext(MESSAGE), ciphertext("another"));
    for body in envelopes(&right) {
        check(&right, &other, &body);
        changed(&right, &body, |body| check(&right, &other, body));
    }
    // A ciphertext that is padded in base64, and one that is not.
    let ends = |length: usize| ciphertext(&"x".repeat(length)).ends_with('=');
    assert!((0..96).any(ends) && !(0..96).all(ends));
}

/// Every ciphertext of a message that is no longer than these, with something directly before it or behind it.
#[test]
fn a_lost_mark_does_not_hide_the_ciphertext() {
    for length in 0..200 {
        let message = "x".repeat(length);
        let right = ciphertext(&message);
        for body in [
            format!("<xml><Encrypt><![CDATA{right}]]></Encrypt></xml>"),
            format!("<xml><Encrypt{right}</Encrypt></xml>"),
            format!("<xml><Encrypt>{right}/Encrypt></xml>"),
            format!("<xml><Encrypt><![CDATA={right}]]></Encrypt></xml>"),
            format!("<xml><Encrypt>{right}=</Encrypt></xml>"),
            right.clone(),
        ] {
            let opened = open_body(&right, body.clone().into_bytes());
            assert_eq!(opened.as_deref(), Ok(message.as_bytes()), "{body}");
        }
    }
}

/// No other ciphertext is taken for the right one, whichever stands first, is longer, or stands there often. In WeChat's
/// compatible mode, no text beside the ciphertext is longer: it is encrypted too.
#[test]
fn other_ciphertexts_do_not_hide_the_right_one() {
    let other = ciphertext("another");
    let fake = format!("]]></Content><Encrypt><![CDATA[{other}]]></Encrypt><Content><![CDATA[");
    for count in [0, 1, 2, 10, 100] {
        let typed = fake.repeat(count);
        let message = format!("<xml><Content><![CDATA[{typed}]]></Content></xml>");
        let right = ciphertext(&message);
        let section = format!("<Encrypt><![CDATA[{right}]]></Encrypt>");
        for body in [
            message.replacen("<xml>", &format!("<xml>{section}"), 1),
            message.replace(
                "]]></Content></xml>",
                &format!("]]></Content>{section}</xml>"),
            ),
        ] {
            assert!(body.len() < 64 * 1024);
            let opened = open_body(&right, body.clone().into_bytes());
            assert_eq!(opened.as_deref(), Ok(message.as_bytes()), "{count}");
            // The user can have one opened only with WeChat's signature.
            let opened = open_body(&ciphertext("third"), body.into_bytes());
            assert_eq!(opened, Err(ErrorKind::Signature));
        }
    }
    // Three longer ones, as only somebody between WeChat and the server could add.
    let right = ciphertext(MESSAGE);
    let longer = format!("<a>{}</a>", ciphertext(&MESSAGE.repeat(9)));
    for body in envelopes(&right) {
        for at in [0, 5] {
            let mut body = body.clone();
            body.splice(at..at, longer.repeat(3).into_bytes());
            check(&right, &other, &body);
        }
        let body = [&*body, longer.repeat(3).as_bytes()].concat();
        check(&right, &other, &body);
    }
}

/// As a writer may write it that escapes more than it must.
#[test]
fn an_escaped_ciphertext_is_read_as_its_format_says() {
    let right = (0..1000)
        .map(|number| ciphertext(&format!("{MESSAGE}{number}")))
        .find(|right| right.contains('/') && right.contains('+'));
    let right = right.unwrap();
    let (start, end) = right.split_at(50);
    let mut bodies = vec![
        format!(
            "<xml><Encrypt>{}</Encrypt></xml>",
            right.replace('/', "&#47;")
        ),
        format!("<xml><Encrypt><![CDATA[{start}]]><![CDATA[{end}]]></Encrypt></xml>"),
    ];
    if cfg!(feature = "json") {
        bodies.extend([
            format!("{{\"Encrypt\":\"{}\"}}", right.replace('/', "\\/")),
            format!("{{\"Encrypt\":\"{}\"}}", right.replace('+', "\\u002b")),
        ]);
    }
    for body in bodies {
        let opened = open_body(&right, body.clone().into_bytes());
        assert!(
            opened.is_ok_and(|opened| opened.starts_with(MESSAGE.as_bytes())),
            "{body}"
        );
    }
}

proptest! {
    #![proptest_config(crate::cases(256))]

    /// Through the layer, as often as somebody likes: the answer is that of the signed bytes.
    #[test]
    fn the_answer_depends_on_signed_bytes_alone(
        envelope in 0..7_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![
            prop::sample::select(&TYPED[..]).prop_map(<[u8]>::to_vec),
            prop::collection::vec(any::<u8>(), 0..30),
        ]), 0..12),
        is_genuine: bool,
    ) {
        let (right, other) = (ciphertext(MESSAGE), ciphertext("another"));
        let mut body = envelopes(&right).swap_remove(envelope);
        for (at, text) in edits {
            let start = memchr::memmem::find(&body, right.as_bytes()).unwrap();
            let inside = start..=start + right.len();
            let at = at.index(body.len() + 1);
            // Not between the ciphertext and its marks.
            if !inside.contains(&at) {
                body.splice(at..at, text);
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let signed = query(if is_genuine { &right } else { &other });
        let outcome = runtime.block_on(post(account(), &signed, &body));
        let expected = if is_genuine { (200, Some(MESSAGE.as_bytes())) } else { (403, None) };
        prop_assert_eq!((outcome.status.as_u16(), outcome.inner.as_deref()), expected);
    }
}
