//! A server of the user's own, good and bad.

use tower_wechat_playground_tests::{Server, VoiceBot};

use crate::Page;

#[test]
fn a_server_in_safe_mode_is_delivered_to() {
    let bot = VoiceBot::start(&["--token", "rosebud7", "--encrypted"]);
    let url = format!("http://127.0.0.1:{}/wechat", bot.port);
    let account = ["--app-id", "wx0a1b2c3d4e5f6071", "--aes-key", AES_KEY];
    let page = Page::with(&[&["--target", &url, "--token", "rosebud7"], &account[..]].concat());
    page.wait("document.querySelector('[name=isSafe]').matches(':checked:disabled')");
    page.wait("document.querySelector('#thinking').closest('[data-only]').hidden");

    page.browser.click("input[value=verify]");
    page.send();
    page.check(
        &["200 echo"],
        0,
        &["The console verifies the URL", "verified"],
    );

    page.browser.click("input[value=voice]");
    page.browser.click("[name=lost][value=first]");
    page.send();
    let words = "What's the weather today?";
    page.check(
        &["200 answer lost", "200 reply"],
        0,
        &[&format!("Voicerecognized: {words}"), words],
    );
    page.browser
        .click("article:last-of-type .delivery > summary");
    page.wait(&format!(
        "document.querySelectorAll('article:last-of-type .xml')[1].textContent.includes({words:?})"
    ));

    page.browser.click("[name=lost][value=none]");
    page.browser.click("[name=attack][value=plaintext]");
    page.send();
    // Why, another process does not tell.
    page.check(
        &["400 failed"],
        0,
        &[
            &format!("Voicerecognized: {words}"),
            "the user sees nothing",
        ],
    );
}

#[test]
fn a_server_with_another_token_rejects() {
    let bot = VoiceBot::start(&["--token", "rosebud7"]);
    let url = format!("http://127.0.0.1:{}/wechat", bot.port);
    let page = Page::with(&["--target", &url, "--token", "walnut42"]);
    page.say("hello");
    page.check(
        &["403 failed"; 3],
        0,
        &["hello", "该公众号提供的服务出现故障，请稍后再试"],
    );
}

#[test]
fn a_target_that_answers_garbage_shows_what_it_answered() {
    let garbage = "<html><img src=x onerror='window.hit = 1'><script>window.hit = 1</script>";
    let target = Server::start("200 OK", garbage);
    let url = format!("http://127.0.0.1:{}/wechat", target.port);
    let page = Page::with(&["--target", &url]);
    page.wait(&format!(
        "document.querySelector('#target').textContent === '{url}'"
    ));
    page.wait("document.querySelector('#thinking').closest('[data-only]').hidden");

    page.say("hello");
    page.check(
        &["200 no reply"],
        0,
        &["hello", "该公众号提供的服务出现故障，请稍后再试"],
    );
    page.browser.click(".delivery > summary");
    page.wait(&format!(
        "document.querySelector('.payload:nth-of-type(2) .raw').textContent === {garbage:?}"
    ));
    page.wait("!document.querySelector('article img, article script') && !('hit' in window)");
    assert_eq!(page.browser.complaints(), [""; 0]);
}

#[test]
fn a_target_that_is_not_there_shows_why() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("an address").port()
    };
    let page = Page::with(&["--target", &format!("http://127.0.0.1:{port}/")]);
    page.say("anybody there?");
    let missing = "no connection";
    page.check(
        &[missing; 3],
        0,
        &["anybody there?", "该公众号提供的服务出现故障，请稍后再试"],
    );
    page.wait("document.querySelector('.more').textContent.includes('refused')");
}

const AES_KEY: &str = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
