//! Recordings, the recognizer of the built-in bot, and WeChat's API for a server of the user's own.

use std::{env, fs};

use serde_json::Value;
use tower_wechat_playground_tests::{Answer, Playground, Sent, Server};

use crate::{Page, texts};

const WORDS: &str = "What's the weather today?";
const UNHEARD: &str = "I could not hear that, please say it again.";

impl Page {
    /// The form of a voice message that WeChat does not recognize.
    fn open_voice(arguments: &[&str]) -> Self {
        let page = Self::with(arguments);
        page.browser.click("input[value=voice]");
        page.browser.click("#field-hasRecognition");
        page
    }

    /// The calls of WeChat's API with the last message.
    #[track_caller]
    fn see_calls(&self, calls: &[&str]) {
        self.wait(&format!(
            "JSON.stringify({}) === JSON.stringify({calls:?})",
            texts(".delivery.call .result")
        ));
    }
}

#[test]
fn a_recording_from_the_microphone_is_recognized_and_can_be_played() {
    let page = Page::open_voice(&[]);
    page.wait("document.querySelector('#sound').textContent === 'no recording'");
    page.browser.click("#record");
    page.wait("document.querySelector('#sound').textContent === 'Recording …'");
    // The microphone needs a while.
    page.browser.run("window.begun = performance.now();");
    page.wait("performance.now() > window.begun + 500");
    page.browser.click("#record");
    page.wait("/^audio\\/.*, \\d+ KiB$/.test(document.querySelector('#sound').textContent)");
    page.send();
    page.check(&["200 reply run"], 1, &["Voicenot recognized", WORDS]);
    page.see_calls(&["stable_token ok", "media/get ok"]);
    page.browser.run("document.querySelector('audio').play();");
    page.wait("document.querySelector('audio').currentTime > 0");
    for width in [360, 1400] {
        page.browser.resize(width);
        page.wait(&format!("innerWidth === {width}"));
        page.wait("document.documentElement.scrollWidth <= innerWidth");
        page.wait("document.querySelector('.send').getBoundingClientRect().bottom <= innerHeight");
        page.browser.picture(&format!("voice-{width}.png"));
    }

    // It stays for the next message, and the token is kept.
    page.send();
    page.check(&["200 reply run"], 1, &["Voicenot recognized", WORDS]);
    page.see_calls(&["media/get ok"]);
    page.browser.click("#remove-sound");
    page.send();
    page.check(&["200 reply run"], 1, &["Voicenot recognized", UNHEARD]);
    page.see_calls(&["media/get 40007"]);
    page.wait("document.querySelector('article:last-of-type .row.run .more').textContent.includes('40007')");
    assert_eq!(page.browser.complaints(), [""; 0]);
}

#[test]
fn a_message_sent_during_the_recording_has_what_is_recorded() {
    let page = Page::open_voice(&[]);
    page.browser.click("#record");
    page.wait("document.querySelector('#sound').textContent === 'Recording …'");
    page.browser.run("window.begun = performance.now();");
    page.wait("performance.now() > window.begun + 500");
    page.send();
    page.check(&["200 reply run"], 1, &["Voicenot recognized", WORDS]);
    page.wait("document.querySelector('article audio')");
}

#[test]
fn without_a_microphone_the_page_says_so() {
    let page = Page::open_voice(&[]);
    page.browser.run(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('none found'));",
    );
    page.browser.click("#record");
    page.wait("document.querySelector('#problem').textContent === 'The microphone cannot be used: none found'");
    page.send();
    page.check(&["200 reply run"], 1, &["Voicenot recognized", UNHEARD]);
}

#[test]
fn a_file_is_sent_as_it_is() {
    let page = Page::open_voice(&[]);
    let folder = env::temp_dir().join(format!("playground-{}", page.playground.port));
    fs::create_dir_all(&folder).expect("a folder");
    let (speech, empty, huge) = (
        folder.join("speech.amr"),
        folder.join("empty.amr"),
        folder.join("huge.amr"),
    );
    fs::write(&speech, b"#!AMR\n\x7c\xff").expect("a file");
    fs::write(&empty, b"").expect("a file");
    fs::write(&huge, vec![0; (2 << 20) + 1]).expect("a file");

    for wrong in [&empty, &huge] {
        page.browser.choose("#field-sound", wrong);
        page.wait("document.querySelector('#problem').textContent.includes('2 MiB')");
        page.wait("document.querySelector('#sound').textContent === 'no recording'");
    }
    page.browser.choose("#field-sound", &speech);
    page.wait("document.querySelector('#sound').textContent.endsWith(', 1 KiB')");
    page.wait("document.querySelector('#problem').textContent === ''");
    page.send();
    // The browser knows no AMR.
    let sent = "Voicenot recognizedThe browser cannot play this recording.";
    page.check(&["200 reply run"], 1, &[sent, WORDS]);
    let answer = sound(&page.playground, 1);
    assert!(answer.body.starts_with("#!AMR\n|"), "{answer:?}");
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn the_recognizer_takes_its_time_or_fails() {
    let page = Page::open_voice(&[]);
    page.playground_sound();
    page.browser.click("[name=recognizer][value=slow]");
    page.send();
    page.check(
        &["hung up run", "200 reply joined"],
        1,
        &["Voicenot recognized", WORDS],
    );

    page.browser.click("[name=recognizer][value=fails]");
    page.send();
    page.check(&["200 reply run"], 1, &["Voicenot recognized", UNHEARD]);
    page.wait("document.querySelector('article:last-of-type .row.run .more').textContent.includes('out of order')");

    // The words are asked for again, although the recording is the same.
    page.browser.click("[name=recognizer][value=knows]");
    page.browser.click("#field-spoken");
    page.browser.press("!");
    page.send();
    let words = format!("{WORDS}!");
    page.check(&["200 reply run"], 1, &["Voicenot recognized", &words]);

    // WeChat's own words come first.
    page.browser.click("#field-hasRecognition");
    page.send();
    let sent = format!("Voicerecognized: {words}");
    page.check(&["200 reply run"], 1, &[&sent, &words]);
    page.see_calls(&[]);
}

#[test]
fn a_server_of_the_users_own_fetches_the_recording_and_sends_messages() {
    let target = Server::start("200 OK", "success");
    let url = format!("http://127.0.0.1:{}/wechat", target.port);
    let page = Page::open_voice(&["--target", &url]);
    let port = page.playground.port;
    page.wait(&format!(
        "document.querySelector('#api').textContent.includes('http://127.0.0.1:{port}/api')"
    ));
    page.wait("document.querySelector('[name=recognizer]').closest('[data-only]').hidden");
    // As the page says.
    let setting = |name: &str| {
        let script = format!(
            "return [...document.querySelectorAll('#api dt')].find((it) => it.textContent === '{name}').nextSibling.textContent;"
        );
        page.browser
            .run(&script)
            .as_str()
            .expect("a text")
            .to_owned()
    };
    let (app_id, secret) = (setting("AppID"), setting("AppSecret"));

    page.browser
        .run("document.querySelector('#field-mediaId').value = 'sound-1';");
    page.playground_sound();
    page.send();
    let chat = ["Voicenot recognized", "the user sees nothing"];
    page.check(&["200 nothing to say"], 0, &chat);

    let get = |path: &str| Sent::new("GET", path, "").to(port).expect("an answer");
    let answer = get(&format!(
        "/api/cgi-bin/token?grant_type=client_credential&appid={app_id}&secret={secret}"
    ));
    let plain: Value = serde_json::from_str(&answer.body).expect("JSON");
    let body =
        format!(r#"{{"grant_type":"client_credential","appid":"{app_id}","secret":"{secret}"}}"#);
    let answer = Sent::new("POST", "/api/cgi-bin/stable_token", &body).to(port);
    let stable: Value = serde_json::from_str(&answer.expect("an answer").body).expect("JSON");
    for token in [&plain["access_token"], &stable["access_token"]] {
        let token = token.as_str().expect("a token");
        let answer = get(&format!(
            "/api/cgi-bin/media/get?access_token={token}&media_id=sound-1"
        ));
        assert!(answer.body.starts_with("RIFF"), "{answer:?}");
    }

    // A recording that plays is not interrupted by what is new.
    page.browser
        .run("document.querySelector('audio').dataset.seen = 'yes';");
    let token = stable["access_token"].as_str().expect("a token");
    let send = |message: &str| {
        let path = format!("/api/cgi-bin/message/custom/send?access_token={token}");
        Sent::new("POST", &path, message)
            .to(port)
            .expect("an answer")
            .body
    };
    let user = "oSim-8fKq2vR0yT5wXe7Zb1cU4n";
    let text = r#""msgtype":"text","text":{"content":"<b>from my bot</b>"}"#;
    let answer = send(&format!(r#"{{"touser":"{user}",{text}}}"#));
    assert!(answer.contains(r#""errcode":0"#), "{answer}");
    let news = r#""msgtype":"news","news":{"articles":[{"title":"Weather","description":"Sunny","url":"http://x"}]}"#;
    send(&format!(r#"{{"touser":"{user}",{news}}}"#));
    let answer = send(&format!(r#"{{"touser":"somebody",{text}}}"#));
    assert!(answer.contains("40003"), "{answer}");

    page.check(
        &["200 nothing to say"],
        0,
        &[chat[0], chat[1], "<b>from my bot</b>", "WeatherSunny"],
    );
    page.see_calls(&[
        "token ok",
        "stable_token ok",
        "media/get ok",
        "media/get ok",
        "custom/send ok",
        "custom/send ok",
        "custom/send 40003",
    ]);
    page.wait("document.querySelector('.message.late .tag').textContent.startsWith('customer-service message')");
    page.wait("document.querySelector('#news').textContent.includes('WeatherSunny')");
    page.wait(&format!(
        "!document.querySelector('article').textContent.includes('{secret}')"
    ));
    page.browser.picture("api.png");
    page.wait("document.querySelector('audio').dataset.seen === 'yes'");
    // What is sent is on the page after a reload, too.
    page.browser.reload();
    page.wait("document.querySelectorAll('.message.late').length === 2");
    assert_eq!(page.browser.complaints(), [""; 0]);
}

#[test]
fn only_programs_call_the_api() {
    let target = Server::start("200 OK", "success");
    let url = format!("http://127.0.0.1:{}/", target.port);
    let playground = Playground::start(&["--target", &url]);
    let call = || Sent::new("POST", "/api/cgi-bin/stable_token", "{}");
    let own = format!("http://127.0.0.1:{}", playground.port);
    for (status, request) in [
        (200, call()),
        (200, call().header("Origin", &own)),
        (403, call().header("Origin", "http://evil.example")),
        (403, call().header("Origin", "null")),
        (403, call().header("Sec-Fetch-Site", "cross-site")),
        (403, call().header("Sec-Fetch-Site", "same-site")),
        (421, call().host("evil.example")),
        (
            403,
            Sent::new("GET", "/api/cgi-bin/token", "").header("Sec-Fetch-Site", "cross-site"),
        ),
    ] {
        let answer = request.clone().to(playground.port).expect("an answer");
        assert_eq!(answer.status, status, "{request:?}");
        assert!(!answer.head.contains("access-control-"), "{answer:?}");
    }
    // WeChat's, not the playground's own.
    let answer = Sent::new("GET", "/api/cgi-bin/menu/get", "").to(playground.port);
    assert!(answer.expect("an answer").body.contains("40066"));
}

#[test]
fn a_recording_is_never_served_as_a_page() {
    let playground = Playground::start(&[]);
    let send = |sound: &str| {
        let voice = r#""kind":"voice","mediaId":"","format":"amr","recognition":"hi""#;
        let letter = format!(r#"{{"content":{{{voice},"sound":"{sound}"}}}}"#);
        let letter = Sent::new("POST", "/api/messages", &letter);
        let letter = letter.header("Content-Type", "application/json");
        letter.to(playground.port).expect("an answer").status
    };
    let mut id = 0;
    for (content_type, served) in [
        ("audio/webm;codecs=opus", "audio/webm"),
        ("audio/ogg", "audio/ogg"),
        ("text/html", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
        ("audio/", "application/octet-stream"),
        ("audio/x\\r\\nSet-Cookie: a=b", "application/octet-stream"),
        ("", "application/octet-stream"),
    ] {
        // <script>
        let status = send(&format!("data:{content_type};base64,PHNjcmlwdD4="));
        assert_eq!(status, 202, "{content_type}");
        id += 1;
        let answer = sound(&playground, id);
        assert_eq!(answer.body, "<script>");
        let expected = format!("\r\ncontent-type: {served}\r\n");
        assert!(answer.head.contains(&expected), "{answer:?}");
        assert!(
            answer
                .head
                .contains("\r\nx-content-type-options: nosniff\r\n")
        );
        assert!(!answer.head.contains("cookie"), "{answer:?}");
    }
    for wrong in [
        "http://example.com/",
        "data:audio/ogg,text",
        "data:audio/ogg;base64,*",
        "data:audio/ogg;base64,",
        &format!(
            "data:audio/ogg;base64,{}",
            "A".repeat((2 << 20) / 3 * 4 + 8)
        ),
    ] {
        assert_eq!(send(wrong), 400, "{:.40}", wrong);
    }
    assert_eq!(sound(&playground, 99).status, 404);
    let foreign = Sent::new("GET", "/api/messages/1/sound", "");
    let foreign = foreign.header("Sec-Fetch-Site", "cross-site");
    assert_eq!(foreign.to(playground.port).expect("an answer").status, 403);
}

impl Page {
    /// Takes a short file as the recording.
    #[track_caller]
    fn playground_sound(&self) {
        let file = env::temp_dir().join(format!("playground-{}.wav", self.playground.port));
        fs::write(&file, WAV).expect("a file");
        self.browser.choose("#field-sound", &file);
        self.wait("document.querySelector('#sound').textContent.endsWith(', 1 KiB')");
        let _ = fs::remove_file(file);
    }
}

fn sound(playground: &Playground, id: u32) -> Answer {
    let path = format!("/api/messages/{id}/sound");
    let answer = Sent::new("GET", &path, "").to(playground.port);
    answer.expect("an answer")
}

/// A quarter of a millisecond of silence at 8 kHz.
const WAV: &[u8] = b"RIFF\x28\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\x04\0\0\0\0\0\0\0";
