//! Every real and official payload reads, when a folder of them is at hand.
//!
//! They are not part of this repository. `WECHAT_SAMPLES=/path/to/samples cargo test samples` runs it.

use std::{env, ffi::OsStr, fs, path::PathBuf};

use tower_wechat::{
    Message,
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
        .filter(|path| path.extension() == Some(OsStr::new("xml")))
        .filter(|path| is_inbound(&path.file_name().unwrap_or_default().to_string_lossy()))
        .collect();
    paths.sort();
    assert!(
        !paths.is_empty(),
        "{FOLDER}={} has no sample",
        folder.display()
    );

    let (mut text, mut voice, mut other) = (0, 0, 0);
    let mut failures = Vec::new();
    for path in &paths {
        let body = fs::read(path).expect("a readable sample");
        match check(&body) {
            Ok(Message::Text(_)) => text += 1,
            Ok(Message::Voice(_)) => voice += 1,
            Ok(_) => other += 1,
            Err(error) => failures.push(format!("{}: {error}", path.display())),
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} samples:\n{}",
        failures.len(),
        paths.len(),
        failures.join("\n")
    );
    eprintln!(
        "{} samples read: {text} text, {voice} voice, {other} other",
        paths.len()
    );
}

/// Whether WeChat sends it, going by the file's name; replies and our own envelopes go the other way.
fn is_inbound(name: &str) -> bool {
    !name.contains("-reply-") && !name.contains("enc-out")
}

fn check(body: &[u8]) -> Result<Message, String> {
    let message = xml::from_slice::<Message>(body).map_err(|error| error.to_string())?;
    let value = xml::from_slice::<Value>(body).map_err(|error| error.to_string())?;
    let written = xml::to_vec(&value).map_err(|error| error.to_string())?;
    match xml::from_slice::<Value>(&written) {
        Ok(read) if read == value => {}
        Ok(_) => return Err("its value is not what was written".to_owned()),
        Err(error) => return Err(format!("what was written does not read: {error}")),
    }
    // A message reads alike from what we write, so nothing depends on WeChat's layout of it.
    match xml::from_slice::<Message>(&written) {
        Ok(read) if read == message => Ok(message),
        Ok(_) => Err("its message is not what was written".to_owned()),
        Err(error) => Err(format!("what was written is no message: {error}")),
    }
}
