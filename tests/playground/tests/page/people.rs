//! Everybody can use it: in both languages, without a mouse, on a telephone.

use tower_wechat_playground_tests::keys;

use crate::Page;

#[test]
fn the_page_speaks_the_browsers_language() {
    for (language, lang, send, prompt) in [
        ("en-GB", "en", "Send", "Say something to the bot."),
        ("de-DE", "en", "Send", "Say something to the bot."),
        ("zh-CN", "zh-CN", "发送", "跟机器人说点什么吧。"),
    ] {
        let page = Page::open_as(&[], language, 1400);
        page.wait(&format!("document.documentElement.lang === '{lang}'"));
        page.wait(&format!(
            "document.querySelector('.send').textContent === '{send}'"
        ));
        page.wait(&format!(
            "document.querySelector('.big').textContent === '{prompt}'"
        ));
        if lang == "zh-CN" {
            // A sentence of the other language is one that was forgotten.
            page.wait(
                "!/[a-z]{4,}/i.test(document.body.innerText.replaceAll(/tower-wechat|URL/g, ''))",
            );
            page.say("你好");
            page.check(&["200 回复 运行"], 1, &["你好", "你好"]);
        }
    }
}

#[test]
fn the_keyboard_is_enough() {
    let page = Page::open();
    let browser = &page.browser;
    // The field has the focus from the start.
    page.enter("by hand");
    page.check(&["200 reply run"], 1, &["by hand", "by hand"]);

    browser.tab_to("#thinking");
    browser.press(&keys::RIGHT.repeat(7));
    browser.tab_to("[name=isSafe]");
    browser.press(keys::SPACE);
    browser.tab_to("[name=lost]:checked");
    browser.press(keys::RIGHT);
    browser.tab_to("[name=kind]:checked");
    browser.press(keys::RIGHT);
    browser.tab_to("#field-mediaId");
    page.enter("");
    page.check(
        &["hung up run", "200 answer lost joined", "200 reply kept"],
        1,
        &[
            "Voicerecognized: What's the weather today?",
            "What's the weather today?",
        ],
    );

    browser.tab_to("article:last-of-type .delivery:last-of-type > summary");
    browser.press(keys::ENTER);
    page.wait("document.querySelector('article:last-of-type .delivery[open] .xml')");
    browser.tab_to("#clear");
    browser.press(keys::ENTER);
    page.wait("document.querySelectorAll('article').length === 0");
}

#[test]
fn every_control_has_a_name() {
    let page = Page::open();
    for kind in [
        "text",
        "voice",
        "image",
        "location",
        "link",
        "click",
        "scan",
        "subscribe",
        "verify",
    ] {
        page.browser.click(&format!("input[value={kind}]"));
        page.wait(
            "[...document.querySelectorAll('input, select, button')].every((it) =>
                it.getAttribute('aria-label') || it.textContent.trim()
                    || [...(it.labels ?? [])].some((label) => label.textContent.trim()))",
        );
    }
    page.wait("document.querySelectorAll('[role=radiogroup]:not([aria-label], [aria-labelledby])').length === 0");
}

#[test]
fn every_text_can_be_read_in_light_and_in_dark() {
    let page = Page::open();
    // One of each colour.
    page.browser.click("[name=isSafe]");
    page.think(20);
    page.say("acknowledged");
    page.wait("document.querySelectorAll('.message.late').length === 1");
    page.browser.click("[name=lost][value=all]");
    page.say("lost");
    page.browser.click("[name=attack][value=ciphertext]");
    page.say("forged");
    page.browser.click("input[value=verify]");
    page.send();
    page.check(
        &["200 echo"],
        0,
        &["The console verifies the URL", "verified"],
    );
    page.wait("[...document.querySelectorAll('article')].every((it) => it.dataset.over === '')");
    page.browser
        .run("for (const it of document.querySelectorAll('details')) it.open = true;");
    for scheme in ["light", "dark"] {
        page.browser.prefer(scheme);
        page.wait(&format!(
            "matchMedia('(prefers-color-scheme: {scheme})').matches"
        ));
        // Colours may take a moment to change.
        page.wait("document.getAnimations().every((it) => it.playState === 'finished')");
        let weak = page.browser.run(include_str!("contrast.js"));
        assert_eq!(weak, serde_json::json!([]), "in {scheme}");
    }
}

#[test]
fn nothing_sticks_out_at_360_and_at_1400_pixels() {
    let page = Page::open();
    page.browser.click("[name=isSafe]");
    page.think(20);
    page.say(&"longword".repeat(30));
    page.wait("document.querySelectorAll('.message.late').length === 1");
    page.browser.click(".delivery:nth-of-type(3) > summary");
    for width in [360, 700, 1100, 1400] {
        page.browser.resize(width);
        page.wait(&format!("innerWidth === {width}"));
        page.wait("document.documentElement.scrollWidth <= innerWidth");
        let wide = page.browser.run(
            "return [...document.querySelectorAll('body *')].filter((it) => {
                 const { right, width } = it.getBoundingClientRect();
                 return width > 0 && right > innerWidth + 1 && !it.closest('.kinds');
             }).map((it) => it.outerHTML.slice(0, 100));",
        );
        assert_eq!(wide, serde_json::json!([]), "at {width}");
        page.wait("document.querySelector('.send').getBoundingClientRect().bottom <= innerHeight");
        page.browser.picture(&format!("{width}.png"));
    }
}

#[test]
fn nothing_is_fetched_from_elsewhere() {
    let page = Page::open();
    page.browser.click("input[value=link]");
    page.send();
    page.wait("document.querySelector('article').dataset.over === ''");
    let elsewhere = page.browser.run(
        "return performance.getEntriesByType('resource').map((it) => it.name)
             .filter((it) => !it.startsWith(location.origin + '/'));",
    );
    assert_eq!(elsewhere, serde_json::json!([]));
    assert_eq!(page.browser.complaints(), [""; 0]);
}
