//! What the user does, and sees.

use std::cell::Cell;

use tower_wechat_playground_tests::{Playground, Sent};

use crate::Page;

#[test]
fn a_text_is_sent_and_the_bots_bubble_seen() {
    let page = Page::open();
    page.say("hello there");
    page.check(&["200 reply run"], 1, &["hello there", "hello there"]);
    // For those who hear the page.
    page.wait("document.querySelector('#news').textContent === 'Bot: hello there'");
    assert_eq!(page.browser.complaints(), [""; 0]);
}

#[test]
fn each_kind_of_message_is_delivered() {
    let page = Page::open();
    for (kind, chat) in [
        (
            "voice",
            &[
                "Voicerecognized: What's the weather today?",
                "What's the weather today?",
            ][..],
        ),
        ("image", &["Imagemedia-2", "Imagemedia-2"]),
        (
            "location",
            &[
                "Temple of Heaven39.8822, 116.4066",
                "Temple of Heaven is at 39.8822, 116.4066.",
            ],
        ),
        (
            "link",
            &["Weather todaySunny, 23 °C", "Weather todaySunny, 23 °C"],
        ),
        (
            "click",
            &["You tapped WEATHER_TODAY", "You tapped WEATHER_TODAY."],
        ),
        (
            "scan",
            &["You scanned spring-fair", "You scanned spring-fair."],
        ),
        ("subscribe", &["You follow the account", "Welcome!"]),
    ] {
        page.browser.click(&format!("input[value={kind}]"));
        page.send();
        page.check(&["200 reply run"], 1, chat);
    }

    page.browser.click("input[value=voice]");
    page.browser.click("#field-hasRecognition");
    page.send();
    let chat = [
        "Voicenot recognized",
        "I could not hear that, please say it again.",
    ];
    page.check(&["200 reply run"], 1, &chat);

    page.browser.click("input[value=unsubscribe]");
    page.send();
    let chat = ["You no longer follow the account", "the user sees nothing"];
    page.check(&["200 nothing to say run"], 1, &chat);

    page.browser.click("input[value=verify]");
    page.send();
    page.check(
        &["200 echo"],
        0,
        &["The console verifies the URL", "verified"],
    );
    assert_eq!(page.browser.complaints(), [""; 0]);
}

#[test]
fn a_bot_that_thinks_for_7_s_answers_the_second_delivery() {
    let page = Page::open();
    page.think(7);
    page.say("think");
    page.check(&["hung up run", "200 reply joined"], 1, &["think", "think"]);
}

#[test]
fn a_bot_that_thinks_for_20_s_is_acknowledged_and_answers_late() {
    let page = Page::open();
    page.think(20);
    page.say("think long");
    page.check(
        &["hung up run", "hung up joined", "200 acknowledged joined"],
        1,
        &["think long", "the user sees nothing", "think long"],
    );
    page.wait("document.querySelector('.message.late .tag').textContent.startsWith('customer-service message')");
    page.wait("[...document.querySelectorAll('.call .part')].filter((it) => it.textContent === 'custom/send').length === 1");
}

#[test]
fn in_real_time_a_delivery_is_seen_while_it_is_under_way() {
    let page = Page::open();
    page.browser.click("[name=isSimulated]");
    page.think(1);
    page.say("one moment");
    page.wait("document.querySelector('.delivery.open .status').textContent === 'under way …'");
    page.check(&["200 reply run"], 1, &["one moment", "one moment"]);
}

#[test]
fn safe_mode_shows_the_message_and_the_envelope_that_it_came_in() {
    let page = Page::open();
    page.browser.click("[name=isSafe]");
    page.say("a secret");
    page.check(&["200 reply run"], 1, &["a secret", "a secret"]);

    page.browser.click(".delivery > summary");
    let payload = |index: usize, selector: &str| {
        format!(
            "document.querySelectorAll('.payload')[{index}].querySelector('{selector}').textContent"
        )
    };
    for index in [0, 1] {
        page.wait(&format!(
            "{}.includes('<Content>a secret</Content>')",
            payload(index, ".xml")
        ));
        page.wait(&format!("{}.includes('<Encrypt>')", payload(index, ".raw")));
        page.wait(&format!("!{}.includes('a secret')", payload(index, ".raw")));
    }
    page.wait(
        "[...document.querySelectorAll('dt')].some((it) => it.textContent === 'msg_signature')",
    );
}

#[test]
fn a_reload_shows_the_same_chat_and_clearing_empties_it_everywhere() {
    let page = Page::open();
    page.say("remember me");
    page.check(&["200 reply run"], 1, &["remember me", "remember me"]);
    page.browser.reload();
    page.check(&["200 reply run"], 1, &["remember me", "remember me"]);

    page.browser.click("#clear");
    page.wait("document.querySelectorAll('article').length === 0");
    page.wait("!document.querySelector('#empty').hidden");
    page.sent.set(0);
    page.say("again");
    page.check(&["200 reply run"], 1, &["again", "again"]);
}

#[test]
fn what_is_unfolded_stays_so_while_the_message_goes_on() {
    let page = Page::open();
    page.browser.click("[name=isSimulated]");
    page.browser.click("[name=isSlow]");
    page.say("look");
    page.wait("document.querySelectorAll('.delivery').length === 1");
    page.browser.click(".delivery > summary");
    page.check(&["200 reply run"], 1, &["look", "look"]);
    page.wait("document.querySelector('.delivery').open");
}

#[test]
fn the_empty_page_offers_something_to_try() {
    for (name, deliveries, runs) in [
        ("a voice message", &["200 reply run"][..], 1),
        (
            "a bot that thinks for 7 s",
            &["hung up run", "200 reply joined"],
            1,
        ),
        (
            "a lost answer",
            &["200 answer lost run", "200 reply kept"],
            1,
        ),
        ("a forged message", &["403 rejected"], 0),
    ] {
        let page = Page::open();
        page.browser.run(&format!(
            "[...document.querySelectorAll('#tries button')].find((it) => it.textContent === '{name}').click();"
        ));
        page.wait("document.querySelector('article').dataset.over === ''");
        page.wait("document.activeElement === document.querySelector('#field-text')");
        page.see(deliveries, runs);
    }
}

#[test]
fn when_the_program_starts_again_the_page_begins_a_new_chat() {
    let page = Page::open();
    page.say("before");
    page.check(&["200 reply run"], 1, &["before", "before"]);

    let Page {
        browser,
        playground,
        ..
    } = page;
    let address = format!("127.0.0.1:{}", playground.port);
    drop(playground);
    browser.wait("document.querySelector('#connection.away')");
    let page = Page {
        browser,
        playground: Playground::start(&["--listen", &address]),
        sent: Cell::new(0),
    };
    page.wait("!document.querySelector('#connection.away')");
    page.wait("document.querySelectorAll('article').length === 0");
    page.say("after");
    page.check(&["200 reply run"], 1, &["after", "after"]);
}

/// What `EventSource` does by itself when a connection breaks off.
#[test]
fn who_was_away_hears_what_is_new_and_nothing_else() {
    let playground = Playground::start(&[]);
    let port = playground.port;
    let send = |words: &str| {
        let letter = format!(r#"{{"content":{{"kind":"text","text":"{words}"}}}}"#);
        let letter = Sent::new("POST", "/api/messages", &letter);
        let answer = letter.header("Content-Type", "application/json").to(port);
        assert_eq!(answer.expect("an answer").status, 202);
    };
    let events = || Sent::new("GET", "/api/events", "");
    // The chat's last word on a message.
    let end = r#""shown":{"kind":"reply""#;

    send("first");
    let heard = events().hear(port, end).expect("events");
    assert!(heard.contains("event: cleared"), "{heard}");
    let (_, id) = heard.rsplit_once("id: ").expect("an id");
    let id = id.lines().next().expect("a line");

    send("second");
    let away = || events().header("Last-Event-ID", id);
    let heard = away().hear(port, end).expect("events");
    assert!(
        heard.contains("second") && !heard.contains("first"),
        "{heard}"
    );
    assert!(!heard.contains("event: cleared"), "{heard}");

    // The id is of another chat.
    let heard = events()
        .header("Last-Event-ID", "1.0-1")
        .hear(port, "second");
    let heard = heard.expect("events");
    assert!(
        heard.contains("event: cleared") && heard.contains("first"),
        "{heard}"
    );
}
