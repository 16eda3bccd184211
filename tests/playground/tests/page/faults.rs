//! What goes wrong on request.

use crate::Page;

#[test]
fn when_the_first_answer_is_lost_there_is_one_run_and_one_bubble() {
    let page = Page::open();
    page.browser.click("[name=lost][value=first]");
    page.say("once");
    page.check(
        &["200 answer lost run", "200 reply kept"],
        1,
        &["once", "once"],
    );
}

#[test]
fn when_all_answers_are_lost_the_user_sees_the_fault_text() {
    let page = Page::open();
    page.browser.click("[name=lost][value=all]");
    page.say("never");
    page.check(
        &[
            "200 answer lost run",
            "200 answer lost kept",
            "200 answer lost kept",
        ],
        1,
        &["never", "该公众号提供的服务出现故障，请稍后再试"],
    );
}

#[test]
fn a_duplicate_joins_the_run() {
    let page = Page::open();
    page.browser.click("[name=isDuplicated]");
    page.think(1);
    page.say("twins");
    page.check(
        &["200 reply run", "200 reply joined"],
        1,
        &["twins", "twins"],
    );
}

#[test]
fn a_slow_network_takes_its_time_both_ways() {
    let page = Page::open();
    page.browser.click("[name=isSlow]");
    page.say("slowly");
    page.check(&["200 reply run"], 1, &["slowly", "slowly"]);
    page.wait("document.querySelector('.delivery .took').textContent === '3.0 s'");
}

#[test]
fn in_safe_mode_every_change_is_rejected() {
    let page = Page::open();
    page.browser.click("[name=isSafe]");
    let chat = ["forgery", "the user sees nothing"];
    for (attack, result, reason) in [
        (
            "signature",
            "403 rejected",
            "no token of the account makes the signature",
        ),
        (
            "timestamp",
            "403 rejected",
            "no token of the account makes the signature",
        ),
        (
            "ciphertext",
            "403 rejected",
            "that of the ciphertext is wrong",
        ),
        (
            "plaintext",
            "400 rejected",
            "the push is in plaintext and the account is encrypted",
        ),
    ] {
        page.browser
            .click(&format!("[name=attack][value={attack}]"));
        page.say("forgery");
        page.check(&[result], 0, &chat);
        page.wait(&format!(
            "[...document.querySelectorAll('.more')].at(-1).textContent.includes(\"{reason}\")"
        ));
    }
}

#[test]
fn nothing_goes_wrong_when_the_console_verifies_the_url() {
    let page = Page::open();
    page.browser.click("[name=isSlow]");
    page.browser.click("[name=lost][value=all]");
    page.browser.click("[name=attack][value=signature]");
    page.browser.click("input[value=verify]");
    page.send();
    page.check(
        &["200 echo"],
        0,
        &["The console verifies the URL", "verified"],
    );
}

#[test]
fn plain_mode_does_not_notice_a_changed_body_and_the_page_says_so() {
    let page = Page::open();
    page.browser.click("[name=attack][value=ciphertext]");
    page.wait("document.querySelector('#attack-hint').textContent.startsWith('Plain mode has no ciphertext')");
    page.say("changed");
    page.check(&["200 reply run"], 1, &["changed", "the user sees nothing"]);
}
