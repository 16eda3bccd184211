//! The playground's page, used as people use it.

mod bad;
mod chat;
mod faults;
mod people;
mod story;
mod target;
mod voice;

use std::cell::Cell;

use tower_wechat_playground_tests::{Browser, Playground, keys};

/// The example with its own bot, and a window that shows it.
struct Page {
    browser: Browser,
    playground: Playground,
    /// How many messages the chat has to hold.
    sent: Cell<usize>,
}

impl Page {
    fn open() -> Self {
        Self::with(&[])
    }

    fn with(arguments: &[&str]) -> Self {
        Self::open_as(arguments, "en-GB", 1400)
    }

    fn open_as(arguments: &[&str], language: &str, width: u32) -> Self {
        let playground = Playground::start(arguments);
        let browser = Browser::open(&playground.url(), language, width);
        browser.wait("!document.querySelector('#connection.away')");
        browser.wait("document.querySelector('#target').textContent !== '…'");
        Self {
            browser,
            playground,
            sent: Cell::new(0),
        }
    }

    /// Types a text and sends it.
    fn say(&self, words: &str) {
        self.browser.click("#field-text");
        self.enter(words);
    }

    /// The same where the focus is.
    fn enter(&self, words: &str) {
        self.browser.press(words);
        self.browser.press(keys::ENTER);
        self.sent.update(|sent| sent + 1);
    }

    /// Presses the button.
    fn send(&self) {
        self.browser.click(".send");
        self.sent.update(|sent| sent + 1);
    }

    /// Lets the bot think this long.
    fn think(&self, seconds: usize) {
        self.browser.click("#thinking");
        // The mouse has put it somewhere.
        self.browser.press("\u{e011}");
        self.browser.press(&keys::RIGHT.repeat(seconds));
        self.wait(&format!(
            "document.querySelector('#thinking-value').textContent === '{seconds} s'"
        ));
    }

    #[track_caller]
    fn wait(&self, condition: &str) {
        self.browser.wait(condition);
    }

    /// Waits until the last message is over, and this is seen of it: what became of each delivery with its part
    /// in the run, how many runs there were, and what stands in the chat.
    #[track_caller]
    fn check(&self, deliveries: &[&str], runs: usize, chat: &[&str]) {
        self.wait(&format!(
            "document.querySelectorAll('article').length === {}",
            self.sent.get()
        ));
        self.wait("document.querySelector('article:last-of-type').dataset.over === ''");
        self.see(deliveries, runs);
        self.wait(&format!(
            "JSON.stringify({}) === JSON.stringify({chat:?})",
            texts(".bubble, .note")
        ));
    }

    /// The deliveries and runs of the last message.
    #[track_caller]
    fn see(&self, deliveries: &[&str], runs: usize) {
        self.wait(&format!(
            "JSON.stringify({}) === JSON.stringify({deliveries:?})",
            texts(".delivery:not(.call) .result")
        ));
        self.wait(&format!("{}.length === {runs}", texts(".row.run")));
    }
}

/// An expression for what is seen of the last message in these elements.
fn texts(selector: &str) -> String {
    format!(
        "[...document.querySelectorAll('article:last-of-type :is({selector})')].map((it) => {{
             const seen = it.cloneNode(true);
             for (const aside of seen.querySelectorAll('.hidden, .took')) aside.remove();
             return seen.textContent.trim().replaceAll(/\\s+/g, ' ');
         }})"
    )
}
