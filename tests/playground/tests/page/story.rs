//! An answer of several parts, and how each of them reaches the user.

use crate::Page;

/// The numbers of the nights in a bubble, and its tag.
const BUBBLES: &str = "[...document.querySelectorAll('.message.got')].map((it) => {
    const nights = [...it.querySelector('.bubble').textContent.matchAll(/(?:Night |第 )(\\d+)(?::| 夜)/g)].map((it) => it[1]);
    return { nights, tag: it.querySelector('.tag')?.textContent.split(' · ')[0] ?? '' };
})";

/// Waits until the story stands in these bubbles, with no night missing or twice.
#[track_caller]
fn told(page: &Page, tags: &[&str]) {
    page.wait(&format!(
        "JSON.stringify({BUBBLES}.map((it) => it.tag)) === JSON.stringify({tags:?})"
    ));
    page.wait(&format!(
        "{BUBBLES}.flatMap((it) => it.nights).every((it, index) => Number(it) === index + 1)"
    ));
    page.wait(&format!("{BUBBLES}.every((it) => it.nights.length > 0)"));
    page.wait(&format!(
        "{BUBBLES}.flatMap((it) => it.nights).length === 60"
    ));
}

#[test]
fn customer_service_sends_the_rest_of_a_long_story() {
    let page = Page::open();
    page.browser.click("[name=isLong]");
    page.say("a story");
    page.see(&["hung up run", "200 reply joined"], 1);
    let tag = "customer-service message";
    told(&page, &["", tag, tag]);
    page.wait("[...document.querySelectorAll('.call .part')].filter((it) => it.textContent === 'custom/send').length === 2");
    page.browser.picture("story.png");
}

#[test]
fn without_customer_service_the_next_messages_fetch_the_rest() {
    let page = Page::open();
    page.browser.click("[name=isLong]");
    page.browser.click("[name=isPersonal]");
    page.say("a story");
    page.see(&["hung up run", "200 reply joined"], 1);
    page.wait("document.querySelector('.row.late.kept .result').textContent === '2 parts wait for the next message'");
    page.say("more");
    page.see(&["200 fetched earlier answer"], 0);
    page.say("more");
    page.see(&["200 fetched earlier answer"], 0);
    let tag = "fetched earlier answer";
    told(&page, &["", tag, tag]);
    page.wait("document.querySelectorAll('.row.late.fetched').length === 2");
    page.browser.picture("fetched.png");

    // Nothing is kept any more, so the bot gets the word.
    page.browser.click("[name=isLong]");
    page.say("more");
    page.check(&["200 reply run"], 1, &["more", "more"]);
}

#[test]
fn a_late_answer_waits_for_the_next_message() {
    let page = Page::open();
    page.browser.click("[name=isPersonal]");
    page.think(20);
    page.wait("document.querySelector('#thinking-hint').textContent.startsWith('“Still thinking” after 14.5 s')");
    page.say("what is the answer?");
    page.see(
        &["hung up run", "hung up joined", "200 acknowledged joined"],
        1,
    );
    page.wait("document.querySelector('.row.late.kept .result').textContent === '1 part waits for the next message'");
    page.think(0);
    page.say("more");
    page.check(
        &["200 fetched earlier answer"],
        0,
        &["more", "what is the answer?"],
    );
}

/// In Chinese, and as the empty page offers it.
#[test]
fn the_empty_page_offers_it_and_the_next_message_needs_no_setting() {
    let page = Page::open_as(&[], "zh-CN", 1400);
    page.browser.run(
        "[...document.querySelectorAll('#tries button')].find((it) => it.textContent === '没有客服接口的长故事').click();",
    );
    page.wait("document.querySelector('.row.late.kept')");
    page.wait("document.querySelector('[name=isPersonal]').checked");
    for _ in 0..2 {
        page.say("继续");
    }
    let tag = "取回之前的回答";
    told(&page, &["", tag, tag]);
    page.browser.picture("fetched-zh.png");
}
