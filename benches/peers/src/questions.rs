//! The questions, each the same for every SDK, and the answers in words.

use std::{
    fmt::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    Account, Answer, Peer, TOKEN,
    sealing::{self, Delivery},
};

pub const USER: &str = "oW3xTt0mZr6uQkYb1LsNdEvCjPhA";
pub const OURSELVES: &str = "gh_5d1c0e94a7b3";

/// What the benches parse: ids as long as real ones, 427 bytes, eight fields.
pub const VOICE: &str = "<xml>
<ToUserName><![CDATA[gh_5d1c0e94a7b3]]></ToUserName>
<FromUserName><![CDATA[oW3xTt0mZr6uQkYb1LsNdEvCjPhA]]></FromUserName>
<CreateTime>1718000000</CreateTime>
<MsgType><![CDATA[voice]]></MsgType>
<MediaId><![CDATA[hT0vXqLr3mZs8NcWb5YkEj7UdGfPaoR1iCtB2wVxK4nMzSyQpDlH6gJeF9uO0]]></MediaId>
<Format><![CDATA[amr]]></Format>
<Recognition><![CDATA[腾讯微信团队]]></Recognition>
<MsgId>2459170863524170538</MsgId>
</xml>";
pub const RECOGNITION: &str = "腾讯微信团队";

pub const ACCOUNT: Account<'_> = Account {
    app_id: "wx0a1b2c3d4e5f6071",
    aes_key: "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQa",
};

/// Whose messages are not for us, though they are sealed with our key.
pub const ANOTHER: Account<'_> = Account {
    app_id: "wx9f8e7d6c5b4a3021",
    ..ACCOUNT
};

/// The last of a key's 43 characters has two bits that mean nothing. The console's keys are random characters, so in
/// three of four the two bits are not both zero; here they are not.
pub const SPARE_BITS: Account<'_> = Account {
    app_id: ACCOUNT.app_id,
    aes_key: "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb",
};

/// Asserts that these were found to be its answers, a line each.
#[track_caller]
pub fn check(peer: &dyn Peer, found: &str) {
    let report = report(peer);
    let report: Vec<_> = report.lines().collect();
    let found: Vec<_> = found.trim().lines().map(str::trim).collect();
    assert_eq!(report, found);
}

/// All the answers of one SDK, a line each.
fn report(peer: &dyn Peer) -> String {
    let mut report = String::new();
    for (question, ask) in QUESTIONS {
        let answer = catch_unwind(AssertUnwindSafe(|| ask(peer)));
        let answer = answer.unwrap_or_else(|_| "PANICS".to_owned());
        writeln!(report, "{question}: {answer}").expect("a string takes all");
    }
    report
}

type Ask = fn(&dyn Peer) -> String;

const QUESTIONS: &[(&str, Ask)] = &[
    ("sealed messages of 640 lengths opened", lengths),
    ("sealed for another app id", |peer| {
        let (message, _) = padded_with(9);
        if !opens(peer, &message) {
            return "nothing opened".to_owned();
        }
        taken(peer, &sealed(&sealing::seal(&ANOTHER, &message)))
    }),
    ("ciphertext changed on its way", |peer| {
        let (message, _) = padded_with(9);
        let encrypt = sealing::seal(&ACCOUNT, &message);
        let mut delivery = sealed(&encrypt);
        // The first block is random anyway, so that nothing but the signature can tell.
        let first = if encrypt.starts_with('A') { "B" } else { "A" };
        let changed = format!("{first}{}", &encrypt[1..]);
        delivery.body = delivery.body.replace(&encrypt, &changed);
        taken(peer, &delivery)
    }),
    ("user's texts beside the ciphertext", beside),
    ("signed, but the padding is not one", |peer| {
        // Nine bytes of padding, the ninth of which says so: no library's block size matters.
        let (message, mut padded) = padded_with(9);
        let wrong = padded.len() - 3;
        padded[wrong] = 7;
        let delivery = sealed(&sealing::encrypt(&ACCOUNT, &padded));
        if !opens(peer, &message) {
            return "nothing opened".to_owned();
        }
        taken(peer, &delivery)
    }),
    ("EncodingAESKey with spare bits", |peer| {
        let (message, _) = padded_with(9);
        let delivery = sealed(&sealing::seal(&SPARE_BITS, &message));
        match peer.open(&SPARE_BITS, &delivery) {
            Ok(_) => "opens".to_owned(),
            Err(_) if !opens(peer, &message) => "nothing opened".to_owned(),
            Err(_) => "refused".to_owned(),
        }
    }),
    ("anybody's body without Encrypt", |peer| {
        let mut delivery = sealed("");
        delivery.msg_signature = "0".repeat(40);
        delivery.body =
            "<xml><ToUserName><![CDATA[gh_5d1c0e94a7b3]]></ToUserName></xml>".to_owned();
        taken(peer, &delivery)
    }),
    ("genuine signature", |peer| signature(peer, |_, _| {}, 0)),
    ("genuine signature, a day old", |peer| {
        signature(peer, |_, _| {}, 86_400)
    }),
    (
        "genuine signature, a digit moved from nonce to timestamp",
        |peer| signature(peer, |timestamp, nonce| timestamp.push(nonce.remove(0)), 0),
    ),
    ("user types ]]>", |peer| {
        reads(peer, &text("1 ]]> 0"), "Content")
    }),
    ("typed texts as typed, of 10 that look like markup", |peer| {
        let texts = [
            "if (a[b[0]]>1) return",
            "]]></Content>",
            "x]]></Content><Content><![CDATA[y",
            "x]]></Content><Idx>5</Idx><Content><![CDATA[y",
            "x]]></Content><X><Content><![CDATA[y]]></Content></X><Content><![CDATA[",
            "]]><b>bold</b>",
            "]]><!-- x --><![CDATA[",
            "]]></xml>",
            "<![CDATA[x]]>",
            "]]>&nbsp;",
        ];
        let as_typed = texts.iter().filter(|typed| {
            let read = catch_unwind(AssertUnwindSafe(|| peer.read(&text(typed), "Content")));
            matches!(read, Ok(Ok(Some(content))) if content == **typed)
        });
        as_typed.count().to_string()
    }),
    ("user types a control character", |peer| {
        reads(peer, &text("ding\u{2}dong"), "Content")
    }),
    ("user types blanks first", |peer| {
        reads(peer, &text("  indented"), "Content")
    }),
    ("user types another FromUserName", |peer| {
        let typed =
            "x]]></Content><FromUserName><![CDATA[victim]]></FromUserName><Content><![CDATA[y";
        match peer
            .read(&text(typed), "FromUserName")
            .as_ref()
            .map(Option::as_deref)
        {
            Ok(Some(USER)) => "from the user".to_owned(),
            Ok(Some("victim")) => "FROM THE VICTIM".to_owned(),
            Ok(None) => "from nobody".to_owned(),
            Ok(Some(sender)) => format!("from {sender}"),
            Err(_) => "error".to_owned(),
        }
    }),
    ("MsgId is empty", |peer| {
        let document = text("hi").replace("2459170863524170538", "");
        reads(peer, &document, "Content")
    }),
    ("white space around a section", |peer| {
        let document = text("hi")
            .replace("<Content>", "<Content>\n  ")
            .replace("</Content>", "\n</Content>");
        reads(peer, &document, "Content")
    }),
    ("field of an unknown message type", |peer| {
        kept(peer, "<MsgType><![CDATA[hologram]]></MsgType>")
    }),
    ("field of an unknown event", |peer| {
        kept(
            peer,
            "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[hologram]]></Event>",
        )
    }),
    ("reply with ]]>", |peer| replies(peer, "1 ]]> 0")),
    ("reply with a control character", |peer| {
        replies(peer, "ding\u{2}dong")
    }),
    (
        "reply of 3000 bytes, over the limit of 2048",
        |peer| match peer.reply(&"x".repeat(3000)).and_then(|reply| says(&reply)) {
            Ok(text) if text.len() > 2048 => "sent".to_owned(),
            Ok(_) => "its first part sent".to_owned(),
            Err(_) => "error".to_owned(),
        },
    ),
    ("sealed reply, as WeChat checks it", |peer| {
        let reply = match peer.sealed_reply(&ACCOUNT, "hi") {
            Ok(reply) => reply,
            Err(error) => return error,
        };
        match sealing::open(&ACCOUNT, &reply) {
            Ok(plaintext) if says(&plaintext) == Ok("hi".to_owned()) => "right".to_owned(),
            Ok(plaintext) => plaintext,
            Err(error) => error,
        }
    }),
    (
        "message delivered again after its answer",
        |peer| match peer.deliver_twice(&text("hi")) {
            Ok((1, true)) => "one run, the same answer".to_owned(),
            Ok((1, false)) => "one run, no second answer".to_owned(),
            Ok((runs, _)) => format!("{runs} runs"),
            Err(error) => error,
        },
    ),
];

/// Text messages of every length from 1 to 640, so that every padding comes 20 times.
fn lengths(peer: &dyn Peer) -> String {
    let opened = (1..=640)
        .filter(|&length| opens(peer, &text(&"x".repeat(length))))
        .count();
    opened.to_string()
}

/// Deliveries in compatible mode whose signed parts are right. Only what a user typed beside them differs.
fn beside(peer: &dyn Peer) -> String {
    const TYPED: [&str; 7] = [
        "hi",
        "1 ]]> 0",
        "]]></Content>",
        "]]></Content></xml>",
        "]]></Content><Encrypt><![CDATA[Zm9yZ2Vk]]></Encrypt><Content><![CDATA[",
        "]]>&nbsp;<![CDATA[",
        "ding\u{2}dong",
    ];
    let message = text("hi");
    if !opens(peer, &message) {
        return "nothing opened".to_owned();
    }
    let encrypt = sealing::seal(&ACCOUNT, &message);
    let opened = TYPED.iter().filter(|typed| {
        let mut delivery = sealed(&encrypt);
        let field = format!("<Encrypt><![CDATA[{encrypt}]]></Encrypt>\n</xml>");
        let body = text(typed);
        let (fields, _) = body.rsplit_once("</xml>").expect("an end");
        delivery.body = format!("{fields}{field}");
        let content = catch_unwind(AssertUnwindSafe(|| peer.open(&ACCOUNT, &delivery)));
        matches!(content, Ok(Ok(content)) if content == "hi")
    });
    format!("{} of {} opened", opened.count(), TYPED.len())
}

fn opens(peer: &dyn Peer, message: &str) -> bool {
    let delivery = sealed(&sealing::seal(&ACCOUNT, message));
    let typed = says(message).expect("a document");
    let content = catch_unwind(AssertUnwindSafe(|| peer.open(&ACCOUNT, &delivery)));
    matches!(content, Ok(Ok(content)) if content == typed)
}

/// A message that is padded with this many bytes, and what is encrypted of it.
fn padded_with(padding: usize) -> (String, Vec<u8>) {
    let found = (1..=32)
        .map(|length| text(&"x".repeat(length)))
        .map(|message| (sealing::pad(sealing::frame(&ACCOUNT, &message)), message))
        .find(|(padded, _)| padded.last().copied().map(usize::from) == Some(padding));
    let (padded, message) = found.expect("every padding comes within 32 lengths");
    (message, padded)
}

fn taken(peer: &dyn Peer, delivery: &Delivery) -> String {
    match peer.open(&ACCOUNT, delivery) {
        Ok(_) => "TAKEN".to_owned(),
        Err(_) => "refused".to_owned(),
    }
}

fn signature(peer: &dyn Peer, change: fn(&mut String, &mut String), age: u64) -> String {
    let mut timestamp = (now() - age).to_string();
    // Greater than every timestamp and less than the token, so that moving a digit leaves the order as it is.
    let mut nonce = "99817".to_owned();
    let signature = sealing::signature(&[TOKEN, &timestamp, &nonce]);
    change(&mut timestamp, &mut nonce);
    match peer.takes_signature(&signature, &timestamp, &nonce) {
        Ok(true) => "accepted".to_owned(),
        Ok(false) => "refused".to_owned(),
        Err(error) => error,
    }
}

fn reads(peer: &dyn Peer, document: &str, name: &str) -> String {
    match peer.read(document, name) {
        Ok(Some(value)) => format!("{value:?}"),
        Ok(None) => "LOST".to_owned(),
        Err(_) => "error".to_owned(),
    }
}

/// A push of a type that nobody knows: whether its one field of interest is still there.
fn kept(peer: &dyn Peer, kind: &str) -> String {
    let document = format!(
        "<xml><ToUserName><![CDATA[{OURSELVES}]]></ToUserName>\
         <FromUserName><![CDATA[{USER}]]></FromUserName>\
         <CreateTime>1735689600</CreateTime>{kind}<Queue><![CDATA[7]]></Queue></xml>"
    );
    match peer.read(&document, "Queue") {
        Ok(Some(value)) if value == "7" => "kept".to_owned(),
        Ok(Some(whole)) if whole == document => "kept, unparsed".to_owned(),
        Ok(Some(value)) => value,
        Ok(None) => "LOST".to_owned(),
        Err(_) => "error".to_owned(),
    }
}

/// What a reader that keeps to XML's rules finds in a text reply.
fn replies(peer: &dyn Peer, text: &str) -> String {
    match peer.reply(text).as_deref().map(says) {
        Ok(Ok(read)) => format!("{read:?}"),
        Ok(Err(_)) => "no XML".to_owned(),
        Err(_) => "error".to_owned(),
    }
}

/// All the text in a document's `Content`.
fn says(document: &str) -> Answer<String> {
    let document = roxmltree::Document::parse(document).map_err(|error| error.to_string())?;
    let content = document
        .descendants()
        .find(|node| node.has_tag_name("Content"))
        .ok_or("no Content")?;
    Ok(content
        .descendants()
        .filter_map(|node| node.text().filter(|_| node.is_text()))
        .collect())
}

fn sealed(encrypt: &str) -> Delivery {
    Delivery::new(encrypt, &now().to_string())
}

/// A text message as WeChat writes it: what is typed stands in it as it is.
pub fn text(typed: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[{OURSELVES}]]></ToUserName>\n\
         <FromUserName><![CDATA[{USER}]]></FromUserName>\n\
         <CreateTime>1735689600</CreateTime>\n\
         <MsgType><![CDATA[text]]></MsgType>\n\
         <Content><![CDATA[{typed}]]></Content>\n\
         <MsgId>2459170863524170538</MsgId>\n</xml>"
    )
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("a clock past 1970").as_secs()
}
