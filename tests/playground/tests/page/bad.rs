//! Bad input: from the command line, from the chat and from other pages.

use tower_wechat_playground_tests::{Sent, Server, refused};

use crate::Page;

#[test]
fn a_wrong_command_line_gives_one_clear_line() {
    let taken = Server::start("200 OK", "");
    for (arguments, expected) in [
        (
            &["--target", "http://example.com/wechat"][..],
            "playground: --target: expected http://127.0.0.1:PORT/path, localhost or [::1], found \"http://example.com/wechat\"",
        ),
        (
            &["--target", "https://127.0.0.1/"],
            "playground: --target: expected http://127.0.0.1:PORT/path, localhost or [::1], found \"https://127.0.0.1/\"",
        ),
        (
            &["--app-id", "wx0a1b2c3d4e5f6071", "--aes-key", "short"],
            "playground: --token, --app-id, --aes-key: the EncodingAESKey has 5 characters instead of 43: copy it from the console again, without spaces or line breaks",
        ),
        (
            &["--aes-key", "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb"],
            "playground: --app-id and --aes-key: expected both or neither",
        ),
        (
            &["--token", "ab"],
            "playground: --token: the token has 2 characters instead of 3 to 32: copy it from the console again, without spaces or line breaks",
        ),
        (
            &["--listen", "0.0.0.0:0"],
            "playground: --listen: expected an address of loopback, found 0.0.0.0:0",
        ),
    ] {
        let expected = format!("{expected} (--help lists the options)\n");
        assert_eq!(refused(arguments), expected);
    }

    let said = refused(&["--listen", &format!("127.0.0.1:{}", taken.port)]);
    let expected = format!("playground: cannot listen on 127.0.0.1:{}: ", taken.port);
    assert!(said.starts_with(&expected), "{said}");
    assert_eq!(said.lines().count(), 1);
}

#[test]
fn markup_in_the_chat_is_text() {
    let page = Page::open();
    let words = "<img src=x onerror='window.hit=1'>&amp;</xml>]]>";
    page.say(words);
    page.check(&["200 reply run"], 1, &[words, words]);
    page.wait("!document.querySelector('article img') && !('hit' in window)");
    assert_eq!(page.browser.complaints(), [""; 0]);
}

#[test]
fn another_pages_requests_are_rejected() {
    let page = Page::open();
    page.say("mine");
    page.check(&["200 reply run"], 1, &["mine", "mine"]);

    // In the browser, from another origin, all that can be sent without asking first.
    let elsewhere = Server::start("200 OK", "<p>elsewhere");
    let api = format!("http://127.0.0.1:{}/api", page.playground.port);
    page.browser
        .go(&format!("http://localhost:{}/", elsewhere.port));
    page.browser.run(&format!(
        "for (const path of ['clear', 'messages']) {{
             fetch('{api}/' + path, {{ method: 'POST', mode: 'no-cors', body: '{{}}' }})
                 .finally(() => {{ window.sent = (window.sent ?? 0) + 1; }});
         }}"
    ));
    page.wait("window.sent === 2");
    page.browser.run(&format!(
        "fetch('{api}/events').then(() => {{ window.read = true; }}, () => {{ window.read = false; }});"
    ));
    page.wait("window.read === false");
    page.browser.go(&page.playground.url());
    page.check(&["200 reply run"], 1, &["mine", "mine"]);

    let long_text = "x".repeat(70_000);
    let long_text = format!(r#"{{"content":{{"kind":"text","text":"{long_text}"}}}}"#);
    // And what a browser of other manners might send.
    let json = |request: Sent| request.header("Content-Type", "application/json");
    let clear = || Sent::new("POST", "/api/clear", "{}");
    for (status, request) in [
        (403, json(clear()).header("Origin", "http://evil.example")),
        (403, json(clear()).header("Origin", "null")),
        (403, json(clear()).header("Sec-Fetch-Site", "cross-site")),
        (403, json(clear()).header("Sec-Fetch-Site", "same-site")),
        (415, clear().header("Content-Type", "text/plain")),
        (415, clear()),
        (421, json(clear()).host("evil.example")),
        (421, Sent::new("GET", "/", "").host("evil.example")),
        (
            403,
            Sent::new("GET", "/api/events", "").header("Sec-Fetch-Site", "cross-site"),
        ),
        (400, json(Sent::new("POST", "/api/messages", "{}"))),
        (413, json(Sent::new("POST", "/api/messages", &long_text))),
        (
            413,
            json(Sent::new("POST", "/api/messages", &"x".repeat(3 << 20))),
        ),
        // The built-in bot calls WeChat's API in process.
        (404, Sent::new("GET", "/api/cgi-bin/token", "")),
        (204, json(clear())),
    ] {
        let answer = request.clone().to(page.playground.port).expect("an answer");
        assert_eq!(answer.status, status, "{request:?}");
    }
}
