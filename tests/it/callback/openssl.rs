//! OpenSSL, an implementation that shares no line with ours, agrees on random envelopes.

use std::{
    fmt::Write as _,
    io::Write as _,
    process::{Command, Stdio},
};

use super::*;

const ENVELOPES: usize = 1000;

/// Whether there is an OpenSSL; without one this shows nothing, and says so. `WECHAT_REQUIRE_OPENSSL` makes it
/// a failure.
fn is_installed() -> bool {
    let is_installed = Command::new("openssl").arg("version").output().is_ok();
    if !is_installed {
        assert!(
            std::env::var_os("WECHAT_REQUIRE_OPENSSL").is_none(),
            "openssl is not installed"
        );
        eprintln!("\n*** NOT RUN: openssl is not installed ***\n");
    }
    is_installed
}

fn openssl(direction: &str, key: &str, input: &[u8]) -> Vec<u8> {
    let hex = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        })
    };
    let key = key_bytes(key);
    let mut process = Command::new("openssl")
        .args([
            "enc",
            direction,
            "-aes-256-cbc",
            "-nopad",
            "-K",
            &hex(&key),
            "-iv",
            &hex(&key[..16]),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(input).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// Each message chosen by its number: every length up to a few blocks, keys of every kind.
fn key_and_message(number: usize) -> (String, String) {
    let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').collect();
    let key = (0..43)
        .map(|at| alphabet[(number * 31 + at * (number % 61 + 1)) % 62])
        .collect();
    let message = "语音message"
        .chars()
        .cycle()
        .skip(number % 9)
        .take(number % 130)
        .collect();
    (key, message)
}

#[test]
fn openssl_opens_what_we_seal() {
    if !is_installed() {
        return;
    }
    for number in 0..ENVELOPES {
        let (key, message) = key_and_message(number);
        let account = Account::encrypted(TOKEN, APP_ID, &key).unwrap();
        let sealed = callback::seal(&account, message.as_bytes()).unwrap();
        let ciphertext = STANDARD.decode_to_vec(sealed.encrypt()).unwrap();
        let mut plaintext = openssl("-d", &key, &ciphertext);
        let random: [u8; 16] = *plaintext.first_chunk().unwrap();
        plaintext[..16].copy_from_slice(b"0123456789abcdef");
        assert_eq!(
            plaintext,
            padded(content(message.as_bytes(), APP_ID)),
            "{number}"
        );
        assert_ne!(random, [0; 16]);
    }
}

#[test]
fn we_open_what_openssl_seals() {
    if !is_installed() {
        return;
    }
    for number in 0..ENVELOPES {
        let (key, message) = key_and_message(number);
        let account = Account::encrypted(TOKEN, APP_ID, &key).unwrap();
        let plaintext = padded(content(message.as_bytes(), APP_ID));
        let encrypt = STANDARD.encode_to_string(openssl("-e", &key, &plaintext));
        assert_eq!(
            open(&account, &encrypt).unwrap().plaintext(),
            message.as_bytes(),
            "{number}"
        );
    }
}
