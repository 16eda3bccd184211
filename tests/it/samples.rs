//! Every real and official payload reads, when a folder of them is at hand.
//!
//! They are not part of this repository. `WECHAT_SAMPLES=/path/to/samples cargo test samples -- --nocapture`
//! runs it and shows the counts.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value as Json;
use tower_wechat::{
    Message,
    message::{
        Event, EventMessage, platform::PlatformMessage, smart_bot::BotMessage, wecom::SuiteMessage,
    },
    xml::{self, Value},
};

const FOLDER: &str = "WECHAT_SAMPLES";

#[test]
fn samples_read_as_messages() {
    let Some(folder) = env::var_os(FOLDER) else {
        eprintln!("\n*** NOT RUN: no sample was read, for {FOLDER} names no folder ***\n");
        return;
    };
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{FOLDER}={}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| is_inbound(&name(path)))
        .collect();
    paths.sort();
    for format in ["xml", "json"] {
        let paths = paths
            .iter()
            .filter(|path| path.extension() == Some(OsStr::new(format)));
        let mut counts = Counts::default();
        for path in paths {
            counts.add(path);
        }
        assert!(
            counts.read > 0,
            "{FOLDER}={} has no {format}",
            folder.display()
        );
        counts.report(format);
    }
}

#[derive(Default)]
struct Counts {
    read: usize,
    typed: usize,
    flawed: Vec<String>,
    other: Vec<String>,
    failures: Vec<String>,
}

impl Counts {
    fn add(&mut self, path: &Path) {
        self.read += 1;
        let name = name(path);
        let body = fs::read_to_string(path).expect("a readable sample");
        let read = if path.extension() == Some(OsStr::new("json")) {
            check_json(&body)
        } else {
            check_xml(&body)
        };
        match read {
            Ok(message) => {
                let known = type_name(&message);
                match is_typed(&message) {
                    true => self.typed += 1,
                    false if UNDOCUMENTED.contains(&known.as_str()) => {
                        self.other.push(format!("{name} ({known})"));
                    }
                    false => self.failures.push(format!("{name}: {known} is not typed")),
                }
            }
            Err(error) => self.failures.push(format!("{name}: {error}")),
        }
        if let Some((_, reason)) = FLAWED.iter().find(|(flawed, _)| name.starts_with(flawed)) {
            self.flawed.push(format!("{name}: {reason}"));
        }
    }

    fn report(&self, format: &str) {
        let failures = &self.failures;
        assert!(
            failures.is_empty(),
            "{} of {}:\n{}",
            failures.len(),
            self.read,
            failures.join("\n")
        );
        eprintln!(
            "{} {format} samples read, none failed: {} typed, {} other\n  other: {}\n  with mistakes of their own:",
            self.read,
            self.typed,
            self.other.len(),
            self.other.join(", "),
        );
        for flawed in &self.flawed {
            eprintln!("    {flawed}");
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into()
}

/// Whether WeChat sends it, going by the file's name; replies and our own envelopes go the other way.
fn is_inbound(name: &str) -> bool {
    !name.contains("-reply-") && !name.contains("enc-out")
}

fn is_typed(message: &Message) -> bool {
    match message {
        Message::Event(event) => !matches!(event.event, Event::Other(_)),
        Message::Other(other) => {
            let platform = other.deserialize::<PlatformMessage>();
            let suite = other.deserialize::<SuiteMessage>();
            let bot = other.deserialize::<BotMessage>();
            platform.is_ok_and(|push| push.other().is_none())
                || suite.is_ok_and(|push| push.other().is_none())
                || bot.is_ok_and(|push| push.other().is_none())
        }
        _ => true,
    }
}

/// What an untyped push calls itself.
fn type_name(message: &Message) -> String {
    let (Message::Other(other)
    | Message::Event(EventMessage {
        event: Event::Other(other),
        ..
    })) = message
    else {
        return String::new();
    };
    let bots = other.fields()["msgtype"].as_str();
    let name = other
        .event()
        .or(other.info_type())
        .or(other.msg_type())
        .or(bots);
    name.unwrap_or_default().to_owned()
}

fn check_xml(body: &str) -> Result<Message, String> {
    let message = xml::from_str::<Message>(body).map_err(|error| error.to_string())?;
    let value = xml::from_str::<Value>(body).map_err(|error| error.to_string())?;
    let written = xml::to_string(&value).map_err(|error| error.to_string())?;
    match xml::from_str::<Value>(&written) {
        Ok(read) if read == value => {}
        Ok(_) => return Err("its value is not what was written".to_owned()),
        Err(error) => return Err(format!("what was written does not read: {error}")),
    }
    // Nothing depends on WeChat's layout, and nothing that a type holds is lost in writing it.
    let rewritten = xml::to_string(&message).map_err(|error| error.to_string())?;
    for written in [written, rewritten] {
        match xml::from_str::<Message>(&written) {
            Ok(read) if read == message => {}
            Ok(_) => return Err("its message is not what was written".to_owned()),
            Err(error) => return Err(format!("what was written is no message: {error}")),
        }
    }
    Ok(message)
}

fn check_json(body: &str) -> Result<Message, String> {
    let message = serde_json::from_str::<Message>(body).map_err(|error| error.to_string())?;
    let written = serde_json::to_string(&message).map_err(|error| error.to_string())?;
    match serde_json::from_str::<Message>(&written) {
        Ok(read) if read == message => {}
        Ok(_) => return Err("its message is not what was written".to_owned()),
        Err(error) => return Err(format!("what was written is no message: {error}")),
    }
    // With its fields in another order.
    let sorted: Json = serde_json::from_str(body).map_err(|error| error.to_string())?;
    match serde_json::from_value::<Message>(sorted) {
        Ok(read) if read == message || !is_typed(&message) => Ok(message),
        Ok(_) => Err("the order of its fields matters".to_owned()),
        Err(error) => Err(format!("the order of its fields matters: {error}")),
    }
}

/// Samples that are not what WeChat sends, by the beginning of their names; they read all the same.
const FLAWED: &[(&str, &str)] = &[
    (
        "01-",
        "placeholders instead of an article's ids: Idx is no number",
    ),
    ("25-", "a placeholder instead of the menu's id"),
    ("26-", "a placeholder instead of the menu's id"),
    ("30-", "Count is not the number of pictures"),
    ("74-", "the name of another event, whose fields it lacks"),
    (
        "85-",
        "sections without their opening bracket, so the markup is part of the text",
    ),
    ("115-", "a placeholder instead of a time"),
    ("117-", "a placeholder instead of a time"),
];

/// What has no type: envelopes and probes, which have no name, and the sample of a debugging page.
const UNDOCUMENTED: &[&str] = &["", "debug_demo"];
