//! Chromium, driven by `WebDriver`.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::{http::Sent, programs::Program};

/// A window without a screen. It is closed when this is dropped.
#[derive(Debug)]
pub struct Browser {
    port: u16,
    session: String,
    _driver: Program,
}

/// An element of the page, as long as that shows it.
#[derive(Debug, Clone)]
pub struct Element(String);

impl Browser {
    /// One whose user reads `language`, with a window so many pixels wide.
    pub fn open(url: &str, language: &str, width: u32) -> Self {
        let mut command = Command::new("chromedriver");
        command.args(["--port=0", "--allowed-ips=127.0.0.1"]);
        // ChromeDriver was started successfully on port PORT.
        let (driver, port) = Program::start(command, |line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        });
        let mut browser = Self {
            port,
            session: String::new(),
            _driver: driver,
        };
        let options = json!({
            "args": [
                "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                // In a container everybody is root. Nothing but this project's pages is opened.
                "--no-sandbox",
                // A microphone that beeps, and needs no permission.
                "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
                format!("--lang={language}"),
            ],
            "prefs": { "intl.accept_languages": language },
        });
        let capabilities = json!({ "alwaysMatch": {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
            "timeouts": { "script": 30_000 },
        }});
        let session = browser.command("POST", "", &json!({ "capabilities": capabilities }));
        browser.session = format!("/{}", text(&session["sessionId"]));
        browser.resize(width);
        browser.go(url);
        browser
    }

    pub fn go(&self, url: &str) {
        self.command("POST", "/url", &json!({ "url": url }));
    }

    pub fn reload(&self) {
        self.command("POST", "/refresh", &json!({}));
    }

    pub fn resize(&self, width: u32) {
        let height = if width < 600 { 740 } else { 900 };
        // Windows have a least width; what is shown in them has none.
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.command(
            "POST",
            "/goog/cdp/execute",
            &json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": metrics }),
        );
    }

    /// Lets the user prefer `light` or `dark`.
    pub fn prefer(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.command(
            "POST",
            "/goog/cdp/execute",
            &json!({ "cmd": "Emulation.setEmulatedMedia", "params": { "features": [feature] } }),
        );
    }

    /// The first element there is, which need not be seen.
    #[track_caller]
    pub fn find(&self, selector: &str) -> Element {
        self.wait(&format!("document.querySelector({})", json!(selector)));
        let using = json!({ "using": "css selector", "value": selector });
        Self::element(&self.command("POST", "/element", &using))
    }

    /// The element that has the focus.
    pub fn focused(&self) -> Element {
        Self::element(&self.command("GET", "/element/active", &Value::Null))
    }

    /// Presses the mouse on it.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let Element(id) = self.find(selector);
        self.command("POST", &format!("/element/{id}/click"), &json!({}));
    }

    /// Presses these keys, where the focus is.
    pub fn press(&self, keys: &str) {
        let Element(id) = self.focused();
        let path = format!("/element/{id}/value");
        self.command("POST", &path, &json!({ "text": keys }));
    }

    /// Chooses a file in an input.
    #[track_caller]
    pub fn choose(&self, selector: &str, file: &Path) {
        let Element(id) = self.find(selector);
        let path = format!("/element/{id}/value");
        self.command("POST", &path, &json!({ "text": file }));
    }

    /// Presses the tab key until the focus is there.
    #[track_caller]
    pub fn tab_to(&self, selector: &str) {
        let is_there = format!(
            "return document.activeElement.matches({});",
            json!(selector)
        );
        for _ in 0..100 {
            if self.run(&is_there) == true {
                return;
            }
            self.press(keys::TAB);
        }
        panic!("the tab key does not lead to {selector}");
    }

    /// Runs a script in the page.
    pub fn run(&self, script: &str) -> Value {
        let script = json!({ "script": script, "args": [] });
        self.command("POST", "/execute/sync", &script)
    }

    /// Waits until an expression holds in the page, which looks before each picture that it draws.
    #[track_caller]
    pub fn wait(&self, condition: &str) {
        let script = format!(
            "const done = arguments[0], end = performance.now() + 15000;
             const look = () => {{
                 let holds = false;
                 try {{ holds = Boolean({condition}); }} catch {{}}
                 if (holds || performance.now() > end) done(holds);
                 else requestAnimationFrame(look);
             }};
             look();"
        );
        let script = json!({ "script": script, "args": [] });
        if self.command("POST", "/execute/async", &script) != true {
            let shown = self.run("return document.body.innerText;");
            panic!(
                "not in time: {condition}\nthe page shows:\n{}",
                text(&shown)
            );
        }
    }

    /// The errors and warnings that the page has caused.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.command("POST", "/se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().into_iter().flatten();
        entries.map(|entry| text(&entry["message"])).collect()
    }

    /// Keeps a picture of the page in the target folder, to be looked at.
    pub fn picture(&self, name: &str) {
        let script = json!({ "cmd": "Page.captureScreenshot", "params": { "format": "png" } });
        let picture = self.command("POST", "/goog/cdp/execute", &script);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pictures");
        let png = base64(&text(&picture["data"]));
        let written = fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(name), png));
        written.expect("a picture");
    }

    fn element(found: &Value) -> Element {
        // The key is the standard's.
        Element(text(&found["element-6066-11e4-a52e-4f735466cecf"]))
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let path = format!("/session{}{path}", self.session);
        let answer = Sent::new(method, &path, &body)
            .header("Content-Type", "application/json")
            .to(self.port)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let mut json: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        assert!(
            answer.status == 200,
            "{method} {path} {body}: {}",
            json["value"]["message"]
        );
        json["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let path = format!("/session{}", self.session);
            let _ = Sent::new("DELETE", &path, "").to(self.port);
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The standard alphabet; anything else in between is skipped.
fn base64(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for digit in text.bytes() {
        let Some(value) = alphabet.iter().position(|it| *it == digit) else {
            continue;
        };
        bits = bits << 6 | u32::try_from(value).unwrap_or_default();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap_or_default());
        }
    }
    bytes
}

/// Keys that are no characters, as `WebDriver` writes them.
pub mod keys {
    pub const TAB: &str = "\u{e004}";
    pub const ENTER: &str = "\u{e007}";
    pub const SPACE: &str = " ";
    pub const RIGHT: &str = "\u{e014}";
}
