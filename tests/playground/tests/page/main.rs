//! The playground's page, used as people use it.

mod bad;
mod chat;
mod faults;
mod people;

use tower_wechat_playground_tests::{Browser, Playground, keys};

/// The example with its own bot, and a window that shows it.
struct Page {
    browser: Browser,
    playground: Playground,
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
        }
    }

    /// Types a text and sends it.
    fn say(&self, words: &str) {
        self.browser.click("#field-text");
        self.browser.press(words);
        self.browser.press(keys::ENTER);
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
        self.wait("document.querySelector('article:last-of-type').dataset.over === ''");
        // Late replies come when everything else is over.
        let last = "const last = [...document.querySelectorAll('article')].at(-1);
            const texts = (selector) => [...last.querySelectorAll(selector)].map((it) => {
                const seen = it.cloneNode(true);
                for (const hidden of seen.querySelectorAll('.hidden, .took')) hidden.remove();
                return seen.textContent.trim().replaceAll(/\\s+/g, ' ');
            });";
        let chat = format!("{chat:?}");
        self.wait(&format!(
            "(() => {{ {last} return JSON.stringify(texts('.bubble, .note')) === JSON.stringify({chat}); }})()"
        ));
        self.wait(&format!(
            "(() => {{ {last}
                return JSON.stringify(texts('.delivery:not(.late) .result')) === JSON.stringify({deliveries:?})
                    && texts('.row.run').length === {runs};
            }})()"
        ));
    }
}
